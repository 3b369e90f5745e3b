/* Tanh: hyperbolic tangent. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(tanh_f32, float, tanhf(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, tanh_f32, NULL, NULL);
}

const coset_op op_tanh = {
    .type = "Tanh",
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
