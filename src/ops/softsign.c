/* Softsign: y = x / (1 + |x|). */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(softsign_f32, float, x / (1.0F + fabsf(x)))

static coset_status forward(op_call *call)
{
    return unary_forward(call, softsign_f32, NULL, NULL);
}

const coset_op op_softsign = {
    .type = "Softsign",
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
