/* Neg: y = -x. */
#include "ops/elementwise.h"

UNARY_KERNEL(neg_f32, float, -x)
/* Unsigned, because the smallest integer has no negative: it wraps to itself. */
UNARY_KERNEL(neg_i64, int64_t, -(uint64_t)x)

static coset_status forward(op_call *call)
{
    return unary_forward(call, neg_f32, neg_i64, NULL);
}

const coset_op op_neg = {
    .type = "Neg",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_number,
    .forward = forward,
    .labels = labels_unary,
};
