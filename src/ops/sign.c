/* Sign: y = -1, 0 or 1, as x is less than, equal to or greater than 0. */
#include "ops/elementwise.h"

/* NaN stays NaN. */
UNARY_KERNEL(sign_f32, float, x > 0.0F ? 1.0F : x < 0.0F ? -1.0F : x)
UNARY_KERNEL(sign_i64, int64_t, (x > 0) - (x < 0))
UNARY_KERNEL(sign_u64, uint64_t, x > 0)

static coset_status forward(op_call *call)
{
    return unary_forward(call, sign_f32, call->in[0].dtype == COSET_U64 ? sign_u64 : sign_i64,
                         NULL);
}

const coset_op op_sign = {
    .type = "Sign",
    .domain = "",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_number,
    .forward = forward,
    .labels = labels_unary,
};
