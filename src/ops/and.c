/* And: y = a and b, broadcast. */
#include "ops/comparison.h"

BINARY_KERNEL(and_i64, int64_t, a &&b)

static coset_status infer(op_infer *call)
{
    return comparison_infer(call, TAKES_BOOL);
}

static coset_status forward(op_call *call)
{
    return comparison_forward(call, NULL, and_i64, and_i64);
}

const coset_op op_and = {
    .type = "And",
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
