/* Pow: y = a^b, broadcast; the result has the type of a. */
#include <math.h>

#include "ops/elementwise.h"

BINARY_KERNEL(general_f32, float, powf(a, b))

/* Squares are what normalisation layers ask for: a multiplication instead of a library call. */
static void square_f32(const float *restrict a, int64_t a_step, float *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = a[i * a_step] * a[i * a_step];
}

static bool pow_f32(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,
                    int64_t n)
{
    if (b_step != 0 || *(const float *)b != 2.0F) return general_f32(a, a_step, b, b_step, y, n);
    square_f32(a, a_step, y, n);
    return true;
}

/* Wraps on overflow. A negative exponent gives the reciprocal truncated toward zero; that of 0 does
 * not exist (false). */
static bool pow_integer(int64_t a, int64_t b, int64_t *power_out)
{
    *power_out = 0;
    if (b < 0 && a == 0) return false;
    if (b < 0 && a != 1 && a != -1) return true;
    uint64_t power = 1, square = (uint64_t)a;
    for (uint64_t rest = b < 0 ? -(uint64_t)b : (uint64_t)b; rest > 0; rest >>= 1) {
        if (rest & 1) power *= square;
        square *= square;
    }
    *power_out = (int64_t)power;
    return true;
}

static bool pow_i64(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,
                    int64_t n)
{
    const int64_t *as = a, *bs = b;
    int64_t *out = y;
    bool good = true;
    for (int64_t i = 0; i < n; i++) good &= pow_integer(as[i * a_step], bs[i * b_step], &out[i]);
    return good;
}

static bool pow_f32_i64(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,
                        int64_t n)
{
    const float *as = a;
    const int64_t *bs = b;
    float *out = y;
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)pow((double)as[i * a_step], (double)bs[i * b_step]);
    return true;
}

static bool pow_i64_f32(const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,
                        int64_t n)
{
    const int64_t *as = a;
    const float *bs = b;
    int64_t *out = y;
    for (int64_t i = 0; i < n; i++)
        out[i] = int64_truncate(pow((double)as[i * a_step], (double)bs[i * b_step]));
    return true;
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    TRY(infer_takes(call, 0, TAKES_NUMBER));
    TRY(infer_takes(call, 1, TAKES_NUMBER));
    TRY(shape_broadcast(call, 0, 1, &call->out[0].shape));
    call->out[0].dtype = call->in[0].dtype;
done:
    return status;
}

static coset_status forward(op_call *call)
{
    const bool float_base = dtype_is_float(call->in[0].dtype);
    const bool float_exponent = dtype_is_float(call->in[1].dtype);
    binary_kernel kernel = float_exponent ? pow_i64_f32 : pow_i64;
    if (float_base) kernel = float_exponent ? pow_f32 : pow_f32_i64;
    return binary_forward(call, kernel, "0 has no negative power");
}

const coset_op op_pow = {
    .type = "Pow",
    .domain = "",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_scaled,
};
