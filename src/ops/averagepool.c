/* AveragePool: the mean of each window; what is padded counts as 0 with count_include_pad, else not at all.
 * What ceil_mode adds behind the pads never counts.
 * Source: ONNX AveragePool-1, -7 (count_include_pad), -10 (ceil_mode), -19 (dilations). */
#include "ops/elementwise.h"
#include "ops/pool.h"

static void start(void *sums, int64_t n)
{
    double *to = sums;
    for (int64_t i = 0; i < n; i++) to[i] = 0;
}

static inline void strided(const float *restrict x, int64_t stride, double *restrict sums,
                           int64_t n)
{
    for (int64_t i = 0; i < n; i++) sums[i] += (double)x[i * stride];
}

static void take(const void *x, int64_t stride, void *sums, int64_t n, double param)
{
    (void)param;
    if (stride == 1)
        strided(x, 1, sums, n);
    else if (stride == 2)
        strided(x, 2, sums, n);
    else
        strided(x, stride, sums, n);
}

/* A window of padding alone is 0. */
static void finish(const void *sums, const int64_t *counts, void *y, int64_t n, double param)
{
    const double *from = sums;
    float *to = y;
    (void)param;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)(from[i] / (double)(counts[i] > 0 ? counts[i] : 1));
}

static coset_status infer(op_infer *call)
{
    return pool_infer(call, TAKES_FLOAT);
}

static coset_status forward(op_call *call)
{
    const pool_kernel kernel = {.x_size = sizeof(float),
                                .sum_size = sizeof(double),
                                .start = start,
                                .take = take,
                                .finish = finish,
                                .needs_counts = true,
                                .counts_pads =
                                    node_attr_int(call->at.node, "count_include_pad", 0) != 0};
    return pool_forward(call, &kernel);
}

const coset_op op_averagepool = {
    .type = "AveragePool",
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
