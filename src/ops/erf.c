/* Erf: the error function. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(erf_f32, float, erff(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, erf_f32, NULL, NULL);
}

const coset_op op_erf = {
    .type = "Erf",
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
