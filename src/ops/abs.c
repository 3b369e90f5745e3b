/* Abs: y = |x|. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(abs_f32, float, fabsf(x))
UNARY_KERNEL(abs_i64, int64_t, x < 0 ? -(uint64_t)x : (uint64_t)x)
UNARY_KERNEL(abs_u64, int64_t, x) /* the upper half of uint64 looks negative here */

static coset_status forward(op_call *call)
{
    bool is_unsigned = call->in[0].dtype == COSET_U64;
    return unary_forward(call, abs_f32, is_unsigned ? abs_u64 : abs_i64, NULL);
}

const coset_op op_abs = {
    .type = "Abs",
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
