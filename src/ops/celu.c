/* Celu: y = max(0, x) + min(0, alpha (e^(x / alpha) - 1)). */
#include <math.h>

#include "ops/elementwise.h"

/* For a negative alpha the second term is positive where x < 0, and min takes 0. */
static inline float celu(float x, float alpha)
{
    const float curve = alpha * expm1f(x / alpha);
    return (x < 0.0F ? 0.0F : x) + (curve > 0.0F ? 0.0F : curve);
}

UNARY_KERNEL(celu_f32, float, celu(x, *(const float *)param))

static coset_status forward(op_call *call)
{
    const float param = node_attr_float(call->at.node, "alpha", 1.0F);
    return unary_forward(call, celu_f32, NULL, &param);
}

const coset_op op_celu = {
    .type = "Celu",
    .domain = "",
    .since = 12,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
