/* Min: the smallest of the inputs, element by element, broadcast; NaN if one of them is. */
#include "ops/variadic.h"

FOLD_KERNEL(min_f32, float, y < x || y != y ? y : x)
FOLD_KERNEL(min_i64, int64_t, y < x ? y : x)
FOLD_KERNEL(min_u64, uint64_t, y < x ? y : x)

static coset_status infer(op_infer *call)
{
    return variadic_infer(call, TAKES_NUMBER);
}

static coset_status forward(op_call *call)
{
    return variadic_forward(call, min_f32, call->out[0].dtype == COSET_U64 ? min_u64 : min_i64);
}

const coset_op op_min = {
    .type = "Min",
    .domain = "",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_scaled,
};
