/* Mul: y = a b, broadcast. */
#include "ops/elementwise.h"

BINARY_KERNEL(mul_f32, float, a *b)
/* Unsigned, so that overflow wraps. */
BINARY_KERNEL(mul_i64, uint64_t, a *b)

static coset_status forward(op_call *call)
{
    const bool is_float = dtype_is_float(call->in[0].dtype);
    return binary_forward(call, is_float ? mul_f32 : mul_i64, NULL);
}

const coset_op op_mul = {
    .type = "Mul",
    .domain = "",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_broadcast,
    .forward = forward,
    .labels = labels_scaled,
};
