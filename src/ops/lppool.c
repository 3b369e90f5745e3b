/* LpPool: the p-norm of each window. Source: ONNX LpPool-2, -11, -18 (dilations, ceil_mode). */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/pool.h"

static void start(void *sums, int64_t n)
{
    double *to = sums;
    for (int64_t i = 0; i < n; i++) to[i] = 0;
}

static void take(const void *x, int64_t stride, void *sums, int64_t n, double param)
{
    const float *from = x;
    double *to = sums;
    if (param == 2)
        for (int64_t i = 0; i < n; i++)
            to[i] += (double)from[i * stride] * (double)from[i * stride];
    else if (param == 1)
        for (int64_t i = 0; i < n; i++) to[i] += fabs((double)from[i * stride]);
    else
        for (int64_t i = 0; i < n; i++) to[i] += pow(fabs((double)from[i * stride]), param);
}

static void finish(const void *sums, const int64_t *counts, void *y, int64_t n, double param)
{
    const double *from = sums;
    float *to = y;
    (void)counts;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)(param == 2 ? sqrt(from[i]) : pow(from[i], 1 / param));
}

static coset_status read_p(const op_node *at, double *p_out)
{
    const int64_t p = node_attr_int(at->node, "p", 2);
    *p_out = (double)p;
    if (p >= 1) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected p of at least 1, found %lld",
                     (long long)p);
}

static coset_status infer(op_infer *call)
{
    double p = 0;
    coset_status status = read_p(&call->at, &p);
    return status != COSET_OK ? status : pool_infer(call, TAKES_FLOAT);
}

static coset_status forward(op_call *call)
{
    pool_kernel kernel = {.x_size = sizeof(float),
                          .sum_size = sizeof(double),
                          .start = start,
                          .take = take,
                          .finish = finish};
    coset_status status = read_p(&call->at, &kernel.param);
    return status != COSET_OK ? status : pool_forward(call, &kernel);
}

const coset_op op_lppool = {
    .type = "LpPool",
    .domain = "",
    .since = 2,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = pool_labels,
    .work = pool_work,
};
