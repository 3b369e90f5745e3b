/* LeakyRelu: y = x, and alpha x below 0. */
#include "ops/elementwise.h"

UNARY_KERNEL(leakyrelu_f32, float, x < 0.0F ? *(const float *)param * x : x)

static coset_status forward(op_call *call)
{
    const float alpha = node_attr_float(call->at.node, "alpha", 0.01F);
    return unary_forward(call, leakyrelu_f32, NULL, &alpha);
}

const coset_op op_leakyrelu = {
    .type = "LeakyRelu",
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
