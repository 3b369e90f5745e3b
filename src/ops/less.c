/* Less: y = a < b, broadcast. */
#include "ops/comparison.h"

COMPARISON_KERNEL(less_f32, float, a < b)
COMPARISON_KERNEL(less_i64, int64_t, a < b)
COMPARISON_KERNEL(less_u64, uint64_t, a < b)

static coset_status infer(op_infer *call)
{
    return comparison_infer(call, TAKES_NUMBER);
}

static coset_status forward(op_call *call)
{
    return comparison_forward(call, less_f32, less_i64, less_u64);
}

const coset_op op_less = {
    .type = "Less",
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
