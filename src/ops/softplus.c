/* Softplus: y = ln(1 + e^x). */
#include <math.h>

#include "ops/elementwise.h"

/* e^-|x| cannot overflow; log1p keeps the digits of small results; a comparison lets NaN pass. */
UNARY_KERNEL(softplus_f32, float, (x < 0.0F ? 0.0F : x) + log1pf(expf(-fabsf(x))))

static coset_status forward(op_call *call)
{
    return unary_forward(call, softplus_f32, NULL, NULL);
}

const coset_op op_softplus = {
    .type = "Softplus",
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
