/* Sqrt: y = square root of x; NaN below 0. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(sqrt_f32, float, sqrtf(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, sqrt_f32, NULL, NULL);
}

const coset_op op_sqrt = {
    .type = "Sqrt",
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
