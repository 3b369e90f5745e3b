/* LpNormalization: x divided by its 1-norm or 2-norm along one axis; 0 where that is 0.
 * Source: ONNX LpNormalization-1. */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/operand.h"

static coset_status read_p(const op_node *at, int64_t *p_out)
{
    *p_out = node_attr_int(at->node, "p", 2);
    if (*p_out == 1 || *p_out == 2) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected p of 1 or 2, found %lld",
                     (long long)*p_out);
}

static coset_status find_axis(const op_node *at, int rank, int *axis_out)
{
    return axis_resolve(at, node_attr_int(at->node, "axis", -1), rank, axis_out);
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    int64_t p = 0;
    int axis = 0;
    TRY(read_p(&call->at, &p));
    TRY(infer_same_float(call));
    if (call->in[0].shape.rank >= 0) TRY(find_axis(&call->at, call->in[0].shape.rank, &axis));
done:
    return status;
}

static void normalise(const float *x, float *y, int64_t n, int64_t stride, int64_t p)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double v = (double)x[i * stride];
        sum += p == 1 ? fabs(v) : v * v;
    }
    const double norm = p == 1 ? sum : sqrt(sum);
    for (int64_t i = 0; i < n; i++)
        y[i * stride] = norm == 0 ? 0 : (float)((double)x[i * stride] / norm);
}

static coset_status forward(op_call *call)
{
    const shape *x = &call->in[0].shape;
    int64_t p = 0;
    int axis = 0;
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = read_p(&call->at, &p);
    if (status == COSET_OK) status = find_axis(&call->at, x->rank, &axis);
    if (status != COSET_OK) return status;
    const int64_t n = x->dims[axis], inner = shape_product(x, axis + 1, x->rank);
    const int64_t rows = shape_product(x, 0, axis) * inner;
    if (n == 0) return COSET_OK;
#pragma omp parallel for if (rows * n > 1 << 15) num_threads(call->threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const int64_t at = r / inner * n * inner + r % inner;
        normalise(call->in[0].f + at, call->out[0].f + at, n, inner, p);
    }
    array_normalise(&call->out[0]);
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    int axis = 0;
    coset_status status = find_axis(&call->at, call->in[0].shape.rank, &axis);
    if (status != COSET_OK) return status;
    const int64_t axes = axis;
    return labels_over_axes(call, &axes, 1, true, "it is normalised over its units");
}

const coset_op op_lpnormalization = {
    .type = "LpNormalization",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
