/* LessOrEqual: y = a <= b, broadcast. */
#include "ops/comparison.h"

COMPARISON_KERNEL(lessorequal_f32, float, a <= b)
COMPARISON_KERNEL(lessorequal_i64, int64_t, a <= b)
COMPARISON_KERNEL(lessorequal_u64, uint64_t, a <= b)

static coset_status infer(op_infer *call)
{
    return comparison_infer(call, TAKES_NUMBER);
}

static coset_status forward(op_call *call)
{
    return comparison_forward(call, lessorequal_f32, lessorequal_i64, lessorequal_u64);
}

const coset_op op_lessorequal = {
    .type = "LessOrEqual",
    .domain = "",
    .since = 12,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_scaled,
};
