/* Elu: y = x, and alpha (e^x - 1) below 0. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(elu_f32, float, x < 0.0F ? *(const float *)param * expm1f(x) : x)

static coset_status forward(op_call *call)
{
    const float alpha = node_attr_float(call->at.node, "alpha", 1.0F);
    return unary_forward(call, elu_f32, NULL, &alpha);
}

const coset_op op_elu = {
    .type = "Elu",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
