/* Xor: y = either a or b, not both, broadcast. */
#include "ops/comparison.h"

BINARY_KERNEL(xor_i64, int64_t, (a != 0) != (b != 0))

static coset_status infer(op_infer *call)
{
    return comparison_infer(call, TAKES_BOOL);
}

static coset_status forward(op_call *call)
{
    return comparison_forward(call, NULL, xor_i64, xor_i64);
}

const coset_op op_xor = {
    .type = "Xor",
    .domain = "",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_scaled,
};
