/* HardSigmoid: y = max(0, min(1, alpha x + beta)). */
#include "ops/elementwise.h"

typedef struct line {
    float alpha, beta;
} line;

static inline float hardsigmoid(float x, const line *param)
{
    const float y = param->alpha * x + param->beta;
    return y < 0.0F ? 0.0F : y > 1.0F ? 1.0F : y;
}

UNARY_KERNEL(hardsigmoid_f32, float, hardsigmoid(x, param))

static coset_status forward(op_call *call)
{
    const line param = {.alpha = node_attr_float(call->at.node, "alpha", 0.2F),
                        .beta = node_attr_float(call->at.node, "beta", 0.5F)};
    return unary_forward(call, hardsigmoid_f32, NULL, &param);
}

const coset_op op_hardsigmoid = {
    .type = "HardSigmoid",
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
