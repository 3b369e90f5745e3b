/* Cos: y = cos x. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(cos_f32, float, cosf(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, cos_f32, NULL, NULL);
}

const coset_op op_cos = {
    .type = "Cos",
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
