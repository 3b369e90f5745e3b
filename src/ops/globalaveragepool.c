/* GlobalAveragePool: the mean of each plane (n, c); its spatial axes become 1. Source: ONNX GlobalAveragePool-1. */
#include "ops/operand.h"
#include "ops/pool.h"
#include "ops/row.h"

static coset_status forward(op_call *call)
{
    const shape *x = &call->in[0].shape;
    coset_status status = call_same_kind(call, 1);
    if (status != COSET_OK) return status;
    const int64_t planes = x->dims[0] * x->dims[1], n = shape_product(x, 2, x->rank);
    const float *from = call->in[0].f;
    float *to = call->out[0].f;
#pragma omp parallel for if (planes * n > 1 << 15) num_threads(call->threads) schedule(static)
    for (int64_t p = 0; p < planes; p++) to[p] = (float)(row_sum(from + p * n, n) / (double)n);
    array_normalise(&call->out[0]);
    return COSET_OK;
}

const coset_op op_globalaveragepool = {
    .type = "GlobalAveragePool",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = pool_infer_global,
    .forward = forward,
    .labels = pool_labels_global,
};
