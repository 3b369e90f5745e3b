/* Mod: the remainder of a / b, broadcast: with the sign of b, or with that of a if fmod is set.
 * Floating-point operands need fmod. */
#include <math.h>

#include "ops/elementwise.h"

BINARY_KERNEL(fmod_f32, float, fmodf(a, b))

static inline int64_t floor_remainder(int64_t a, int64_t b)
{
    if (b == -1) return 0; /* the quotient of the smallest integer would overflow */
    const int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

BINARY_KERNEL(floor_i64, int64_t, floor_remainder(a, b))
BINARY_KERNEL(truncate_i64, int64_t, b == -1 ? 0 : a % b)
BINARY_KERNEL(truncate_u64, uint64_t, a % b)

static bool has_zero(const void *b, int64_t b_step, int64_t n)
{
    const int64_t *values = b;
    bool found = false;
    for (int64_t i = 0; i < (b_step ? n : 1); i++) found |= values[i] == 0;
    return found;
}

#define CHECKED_KERNEL(name, kernel)                                                               \
    static bool name(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,        \
                     int64_t n)                                                                    \
    {                                                                                              \
        return !has_zero(b, b_step, n) && kernel(a, a_step, b, b_step, y, n);                      \
    }

CHECKED_KERNEL(mod_i64, floor_i64)
CHECKED_KERNEL(fmod_i64, truncate_i64)
CHECKED_KERNEL(mod_u64, truncate_u64)

static bool truncates(const op_node *at)
{
    return node_attr_int(at->node, "fmod", 0) != 0;
}

static coset_status infer(op_infer *call)
{
    const coset_dtype dtype = call->in[0].dtype;
    if (dtype != COSET_UNDEFINED && dtype_is_float(dtype) && !truncates(&call->at))
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                         "expected integers, found %s: floating-point types need fmod = 1",
                         coset_dtype_name(dtype));
    return infer_broadcast(call);
}

static coset_status forward(op_call *call)
{
    const coset_dtype dtype = call->in[0].dtype;
    binary_kernel kernel = truncates(&call->at) ? fmod_i64 : mod_i64;
    if (dtype == COSET_U64) kernel = mod_u64;
    if (dtype_is_float(dtype)) kernel = fmod_f32;
    return binary_forward(call, kernel, "remainder of a division by zero");
}

const coset_op op_mod = {
    .type = "Mod",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_scaled,
};
