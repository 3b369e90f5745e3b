/* Cast: y = x in the element type `to`. Floats become integers toward zero and wrap to the width of
 * the type; integers wrap. 8-bit floats saturate unless the attribute `saturate` is 0 (opset 19).
 * float64 is computed in float32, so that integers over 2^24 round on their way through it. */
#include <math.h>

#include "ops/elementwise.h"

/* How a value over the largest one of an 8-bit float becomes that, infinity or NaN. */
typedef struct overflow {
    float largest;  /* what finite values saturate to */
    float limit;    /* half way from the largest to the value that would follow it */
    bool tie_over;  /* the limit itself rounds up: the largest value's code is odd */
    float infinity; /* what an infinity becomes */
    float over;     /* what a value beyond the limit becomes */
} overflow;

/* Source: tables of ONNX operator Cast-19. */
static bool overflow_of(coset_dtype dtype, bool saturate, overflow *rule_out)
{
    overflow rule;
    switch (dtype) {
    case COSET_F8E4M3FN: rule = (overflow){448, 464, false, 448, 448}; break;
    case COSET_F8E4M3FNUZ: rule = (overflow){240, 248, true, NAN, 240}; break;
    case COSET_F8E5M2: rule = (overflow){57344, 61440, true, 57344, 57344}; break;
    case COSET_F8E5M2FNUZ: rule = (overflow){57344, 61440, true, NAN, 57344}; break;
    default: return false;
    }
    if (!saturate) rule.infinity = rule.over = dtype == COSET_F8E5M2 ? INFINITY : NAN;
    *rule_out = rule;
    return true;
}

static inline float overflow_apply(float x, const overflow *rule)
{
    const float magnitude = fabsf(x);
    if (!(magnitude > rule->largest)) return x; /* also NaN */
    float y = rule->largest;
    if (isinf(x))
        y = rule->infinity;
    else if (magnitude > rule->limit || (rule->tie_over && magnitude == rule->limit))
        y = rule->over;
    return copysignf(y, x);
}

UNARY_KERNEL(f32_to_f8, float, overflow_apply(x, param))
UNARY_KERNEL(f32_to_f32, float, x)
UNARY_KERNEL(i64_to_i64, int64_t, x)

#define CAST_KERNEL(name, from, to, expression)                                                    \
    static void name(const void *x_, void *y_, int64_t n_, const void *param)                      \
    {                                                                                              \
        const from *restrict in_ = x_;                                                             \
        to *restrict out_ = y_;                                                                    \
        (void)param;                                                                               \
        for (int64_t i_ = 0; i_ < n_; i_++) {                                                      \
            const from x = in_[i_];                                                                \
            out_[i_] = (expression);                                                               \
        }                                                                                          \
    }

CAST_KERNEL(f32_to_i64, float, int64_t, int64_truncate((double)x))
CAST_KERNEL(f32_to_bool, float, int64_t, x != 0.0F)
CAST_KERNEL(i64_to_f32, int64_t, float, (float)x)
CAST_KERNEL(u64_to_f32, uint64_t, float, (float)x)
CAST_KERNEL(i64_to_f8, int64_t, float, overflow_apply((float)x, param))
CAST_KERNEL(u64_to_f8, uint64_t, float, overflow_apply((float)x, param))

/* float32 holds values that int64 does not: uint64 has its own range. */
static inline int64_t uint64_truncate(float x)
{
    if (x < 0x1p63F) return int64_truncate((double)x);
    return (int64_t)(x < 0x1p64F ? (uint64_t)x : UINT64_MAX);
}

CAST_KERNEL(f32_to_u64, float, int64_t, uint64_truncate(x))

static coset_status infer(op_infer *call)
{
    const int64_t to = node_attr_int(call->at.node, "to", COSET_UNDEFINED);
    if (to <= COSET_UNDEFINED || to > COSET_F4E2M1)
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                         "expected an element type in attribute to, found %lld", (long long)to);
    call->out[0].dtype = (coset_dtype)to;
    call->out[0].shape = call->in[0].shape;
    return COSET_OK;
}

static unary_kernel kernel_from_float(coset_dtype to, bool is_f8)
{
    if (dtype_is_float(to)) return is_f8 ? f32_to_f8 : f32_to_f32;
    if (to == COSET_BOOL) return f32_to_bool;
    return to == COSET_U64 ? f32_to_u64 : f32_to_i64;
}

static unary_kernel kernel_from_integer(coset_dtype from, coset_dtype to, bool is_f8)
{
    if (!dtype_is_float(to)) return i64_to_i64;
    if (from == COSET_U64) return is_f8 ? u64_to_f8 : u64_to_f32;
    return is_f8 ? i64_to_f8 : i64_to_f32;
}

static coset_status forward(op_call *call)
{
    const coset_dtype from = call->in[0].dtype, to = call->out[0].dtype;
    if (array_element_size(to) == 0 || array_element_size(from) == 0)
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot cast from %s to %s", coset_dtype_name(from), coset_dtype_name(to));
    overflow rule = {0};
    const bool saturate = node_attr_int(call->at.node, "saturate", 1) != 0;
    const bool is_f8 = overflow_of(to, saturate, &rule);
    return unary_forward(call, kernel_from_float(to, is_f8), kernel_from_integer(from, to, is_f8),
                         &rule);
}

const coset_op op_cast = {
    .type = "Cast",
    .domain = "",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_unary,
};
