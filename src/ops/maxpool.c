/* MaxPool: the largest element of each window; what is padded takes no part. NaN is larger than everything.
 * Source: ONNX MaxPool-1, -8 (indices), -10 (dilations, ceil_mode), -12 (8-bit integers). */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/pool.h"

/* Strides of 1 and 2 are constants of loops of their own, and both comparisons are made always: that
 * vectorises. */
#define MAX_KERNEL(name, type, lowest)                                                             \
    static void start_##name(void *sums, int64_t n)                                                \
    {                                                                                              \
        type *tops = sums;                                                                         \
        for (int64_t i = 0; i < n; i++) tops[i] = lowest;                                          \
    }                                                                                              \
    static inline void strided_##name(const type *restrict x, int64_t stride, type *restrict tops, \
                                      int64_t n)                                                   \
    {                                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const type v = x[i * stride];                                                          \
            tops[i] = ((v > tops[i]) | (v != v)) ? v : tops[i];                                    \
        }                                                                                          \
    }                                                                                              \
    static void take_##name(const void *x, int64_t stride, void *sums, int64_t n, double param)    \
    {                                                                                              \
        (void)param;                                                                               \
        if (stride == 1)                                                                           \
            strided_##name(x, 1, sums, n);                                                         \
        else if (stride == 2)                                                                      \
            strided_##name(x, 2, sums, n);                                                         \
        else                                                                                       \
            strided_##name(x, stride, sums, n);                                                    \
    }                                                                                              \
    static void finish_##name(const void *sums, const int64_t *counts, void *y, int64_t n,         \
                              double param)                                                        \
    {                                                                                              \
        const type *tops = sums;                                                                   \
        type *to = y;                                                                              \
        (void)counts, (void)param;                                                                 \
        for (int64_t i = 0; i < n; i++) to[i] = tops[i];                                           \
    }                                                                                              \
    /* Where the largest of one window lies in its plane; -1: all of it is padding. */             \
    static int64_t place_##name(const type *x, const window *w, const int64_t *o)                  \
    {                                                                                              \
        const window_axis *a = w->axis;                                                            \
        int64_t t0[WINDOW_AXES], t1[WINDOW_AXES], best = -1;                                       \
        for (int k = 0; k < WINDOW_AXES; k++) pool_taps(&a[k], o[k], 0, a[k].in, &t0[k], &t1[k]);  \
        for (int64_t td = t0[0]; td < t1[0]; td++)                                                 \
            for (int64_t th = t0[1]; th < t1[1]; th++)                                             \
                for (int64_t tw = t0[2]; tw < t1[2]; tw++) {                                       \
                    const int64_t d = o[0] * a[0].stride - a[0].before + td * a[0].dilation;       \
                    const int64_t h = o[1] * a[1].stride - a[1].before + th * a[1].dilation;       \
                    const int64_t v = o[2] * a[2].stride - a[2].before + tw * a[2].dilation;       \
                    const int64_t at = (d * a[1].in + h) * a[2].in + v;                            \
                    if (best < 0 || x[at] > x[best] || (x[at] != x[at] && x[best] == x[best]))     \
                        best = at;                                                                 \
                }                                                                                  \
        return best;                                                                               \
    }

MAX_KERNEL(f32, float, -INFINITY)
MAX_KERNEL(i64, int64_t, INT64_MIN)

static const pool_kernel kernel_f32 = {.x_size = sizeof(float),
                                       .sum_size = sizeof(float),
                                       .start = start_f32,
                                       .take = take_f32,
                                       .finish = finish_f32};
static const pool_kernel kernel_i64 = {.x_size = sizeof(int64_t),
                                       .sum_size = sizeof(int64_t),
                                       .start = start_i64,
                                       .take = take_i64,
                                       .finish = finish_i64};

static coset_status infer(op_infer *call)
{
    return pool_infer(call, TAKES_NUMBER);
}

/* A place in a plane, counted with the first axis running fastest (storage_order 1). */
static int64_t by_columns(const window *w, int64_t place)
{
    const int64_t v = place % w->axis[2].in, rest = place / w->axis[2].in;
    const int64_t h = rest % w->axis[1].in, d = rest / w->axis[1].in;
    return (v * w->axis[1].in + h) * w->axis[0].in + d;
}

static void find_places(op_call *call, const window *w)
{
    const array *x = &call->in[0];
    const int64_t planes = x->shape.dims[0] * x->shape.dims[1];
    const int64_t inputs = shape_product(&x->shape, 2, x->shape.rank),
                  outputs = window_positions(w);
    const bool columns = node_attr_int(call->at.node, "storage_order", 0) != 0;
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int64_t p = 0; p < planes; p++)
        for (int64_t i = 0; i < outputs; i++) {
            const int64_t rest = i / w->axis[2].out;
            const int64_t o[WINDOW_AXES] = {rest / w->axis[1].out, rest % w->axis[1].out,
                                            i % w->axis[2].out};
            int64_t place = dtype_is_float(x->dtype) ? place_f32(x->f + p * inputs, w, o)
                                                     : place_i64(x->i + p * inputs, w, o);
            if (place >= 0) place = p * inputs + (columns ? by_columns(w, place) : place);
            call->out[1].i[p * outputs + i] = place;
        }
}

static coset_status forward(op_call *call)
{
    coset_status status = COSET_OK;
    window over;
    TRY(pool_forward(call, dtype_is_float(call->in[0].dtype) ? &kernel_f32 : &kernel_i64));
    if (call->at.n_out < 2 || call->out[1].data == NULL) goto done;
    TRY(pool_window(&call->at, &call->in[0].shape, &over));
    find_places(call, &over);
done:
    return status;
}

const coset_op op_maxpool = {
    .type = "MaxPool",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = pool_labels,
    .work = pool_work,
};

const coset_op op_maxpool_8 = {
    .type = "MaxPool",
    .domain = "",
    .since = 8,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 2,
    .infer = infer,
    .forward = forward,
    .labels = pool_labels,
    .work = pool_work,
};
