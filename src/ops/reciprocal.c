/* Reciprocal: y = 1 / x. */
#include "ops/elementwise.h"

UNARY_KERNEL(reciprocal_f32, float, 1.0F / x)

static coset_status forward(op_call *call)
{
    return unary_forward(call, reciprocal_f32, NULL, NULL);
}

const coset_op op_reciprocal = {
    .type = "Reciprocal",
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
