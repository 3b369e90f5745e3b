/* Selu: y = gamma x for x > 0, gamma alpha (e^x - 1) otherwise. */
#include <math.h>

#include "ops/elementwise.h"

typedef struct selu {
    float alpha, gamma;
} selu;

static inline float selu_of(float x, const selu *param)
{
    return param->gamma * (x > 0.0F ? x : param->alpha * expm1f(x));
}

UNARY_KERNEL(selu_f32, float, selu_of(x, param))

static coset_status forward(op_call *call)
{
    const selu param = {
        .alpha = node_attr_float(call->at.node, "alpha", 1.67326319217681884765625F),
        .gamma = node_attr_float(call->at.node, "gamma", 1.05070102214813232421875F)};
    return unary_forward(call, selu_f32, NULL, &param);
}

const coset_op op_selu = {
    .type = "Selu",
    .domain = "",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
