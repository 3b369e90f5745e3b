/* Not: y = not x. */
#include "ops/elementwise.h"

UNARY_KERNEL(not_i64, int64_t, x == 0)

static coset_status infer_bool(op_infer *call)
{
    return infer_same(call, TAKES_BOOL);
}

static coset_status forward(op_call *call)
{
    return unary_forward(call, NULL, not_i64, NULL);
}

const coset_op op_not = {
    .type = "Not",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_bool,
    .forward = forward,
    .labels = labels_unary,
};
