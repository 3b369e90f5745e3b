/* Equal: y = a == b, broadcast. */
#include "ops/comparison.h"

COMPARISON_KERNEL(equal_f32, float, a == b)
COMPARISON_KERNEL(equal_i64, int64_t, a == b)

static coset_status infer(op_infer *call)
{
    return comparison_infer(call, TAKES_NUMBER | TAKES_BOOL);
}

static coset_status forward(op_call *call)
{
    return comparison_forward(call, equal_f32, equal_i64, equal_i64);
}

const coset_op op_equal = {
    .type = "Equal",
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
