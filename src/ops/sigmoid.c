/* Sigmoid: y = 1 / (1 + e^-x). */
#include <math.h>

#include "ops/elementwise.h"

/* e^-|x| cannot overflow, and small results keep their digits. */
static inline float sigmoid(float x)
{
    const float e = expf(-fabsf(x));
    return (x < 0.0F ? e : 1.0F) / (1.0F + e);
}

UNARY_KERNEL(sigmoid_f32, float, sigmoid(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, sigmoid_f32, NULL, NULL);
}

const coset_op op_sigmoid = {
    .type = "Sigmoid",
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
