/* Div: y = a / b, broadcast; integers truncate toward zero. */
#include "ops/elementwise.h"

BINARY_KERNEL(div_f32, float, a / b)
/* Negating wraps where a / -1 would overflow. */
BINARY_KERNEL(quotient_i64, int64_t, b == -1 ? (int64_t)(-(uint64_t)a) : a / b)
BINARY_KERNEL(quotient_u64, uint64_t, a / b)

static bool has_zero(const void *b, int64_t b_step, int64_t n)
{
    const int64_t *values = b;
    bool found = false;
    for (int64_t i = 0; i < (b_step ? n : 1); i++) found |= values[i] == 0;
    return found;
}

static bool div_i64(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,
                    int64_t n)
{
    return !has_zero(b, b_step, n) && quotient_i64(a, a_step, b, b_step, y, n);
}

static bool div_u64(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,
                    int64_t n)
{
    return !has_zero(b, b_step, n) && quotient_u64(a, a_step, b, b_step, y, n);
}

static coset_status forward(op_call *call)
{
    const coset_dtype dtype = call->in[0].dtype;
    binary_kernel kernel = dtype == COSET_U64 ? div_u64 : div_i64;
    if (dtype_is_float(dtype)) kernel = div_f32;
    return binary_forward(call, kernel, "division of an integer by zero");
}

const coset_op op_div = {
    .type = "Div",
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
