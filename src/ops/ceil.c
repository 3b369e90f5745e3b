/* Ceil: the smallest integer that is not less than x. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(ceil_f32, float, ceilf(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, ceil_f32, NULL, NULL);
}

const coset_op op_ceil = {
    .type = "Ceil",
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
