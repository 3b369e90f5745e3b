/* Mish: y = x tanh(ln(1 + e^x)). */
#include <math.h>

#include "ops/elementwise.h"

/* With e = e^x, tanh(ln(1 + e)) is (e^2 + 2 e) / (e^2 + 2 e + 2), where nothing cancels; over 20 it
 * is 1, and e^2 would overflow before long. */
static inline float mish(float x)
{
    if (x > 20.0F) return x;
    const float e = expf(x), n = e * (e + 2.0F);
    return n == 0.0F ? 0.0F : x * (n / (n + 2.0F));
}

UNARY_KERNEL(mish_f32, float, mish(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, mish_f32, NULL, NULL);
}

const coset_op op_mish = {
    .type = "Mish",
    .domain = "",
    .since = 18,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
