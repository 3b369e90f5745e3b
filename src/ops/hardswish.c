/* HardSwish: y = x max(0, min(1, x / 6 + 1 / 2)). */
#include "ops/elementwise.h"

static inline float hardswish(float x)
{
    const float gate = x / 6.0F + 0.5F;
    return gate < 0.0F ? 0.0F : gate > 1.0F ? x : x * gate;
}

UNARY_KERNEL(hardswish_f32, float, hardswish(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, hardswish_f32, NULL, NULL);
}

const coset_op op_hardswish = {
    .type = "HardSwish",
    .domain = "",
    .since = 14,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
