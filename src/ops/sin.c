/* Sin: y = sin x. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(sin_f32, float, sinf(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, sin_f32, NULL, NULL);
}

const coset_op op_sin = {
    .type = "Sin",
    .domain = "",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
