/* GatherND: slices of `data` that the tuples along the last axis of `indices` name; the first batch_dims axes
 * of both run together. Source: ONNX GatherND-11, -12 (batch_dims), -13. */
#include <string.h>

#include "ops/operand.h"
#include "ops/scatter.h"

/* Axes of data that run along with indices, and those that a tuple names (-1: unknown). */
typedef struct gather_axes {
    int batch, named;
} gather_axes;

static coset_status find_axes(const op_node *at, const shape *data, const shape *indices,
                              gather_axes *axes_out)
{
    int64_t batch = at->opset >= 12 ? node_attr_int(at->node, "batch_dims", 0) : 0;
    int64_t named = indices->dims[indices->rank - 1];
    bool fits = data->rank >= 1 && batch >= 0 && batch < data->rank && batch < indices->rank &&
                named <= data->rank - batch;
    for (int a = 0; fits && a < batch; a++)
        fits = data->dims[a] < 0 || indices->dims[a] < 0 || data->dims[a] == indices->dims[a];
    *axes_out = (gather_axes){(int)batch, (int)named};
    if (fits) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "indices do not fit data");
}

static coset_status infer(op_infer *call)
{
    const op_node *at = &call->at;
    const shape *data = &call->in[0].shape, *indices = &call->in[1].shape;
    shape *out = &call->out[0].shape;
    gather_axes axes;
    call->out[0].dtype = call->in[0].dtype;
    if (call->in[1].dtype != COSET_UNDEFINED && !dtype_is_integer(call->in[1].dtype))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "indices must be integers, not %s",
                         coset_dtype_name(call->in[1].dtype));
    if (data->rank < 0 || indices->rank < 0) return COSET_OK;
    if (indices->rank < 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "indices need an axis");
    coset_status status = find_axes(at, data, indices, &axes);
    if (status != COSET_OK || axes.named < 0) return status;
    int rank = indices->rank - 1 + data->rank - axes.batch - axes.named;
    if (rank > TENSOR_MAX_RANK)
        return node_fail(at->ctx, at->node, COSET_ELIMIT, "the result has rank %d, at most %d",
                         rank, TENSOR_MAX_RANK);
    out->rank = 0;
    for (int a = 0; a < indices->rank - 1; a++) out->dims[out->rank++] = indices->dims[a];
    for (int a = axes.batch + axes.named; a < data->rank; a++)
        out->dims[out->rank++] = data->dims[a];
    return COSET_OK;
}

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0], *indices = &call->in[1];
    array *y = &call->out[0];
    gather_axes axes;
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = find_axes(&call->at, &x->shape, &indices->shape, &axes);
    if (status != COSET_OK) return status;
    if (indices->data == NULL || !dtype_is_integer(indices->dtype))
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot use indices of type %s", coset_dtype_name(indices->dtype));
    int last = axes.batch + axes.named;
    int64_t batches = shape_product(&x->shape, 0, axes.batch);
    int64_t tuples = shape_product(&indices->shape, axes.batch, indices->shape.rank - 1);
    size_t bytes =
        (size_t)shape_product(&x->shape, last, x->shape.rank) * array_element_size(y->dtype);
    for (int64_t t = 0; t < batches * tuples; t++) {
        int64_t offset = t / tuples;
        for (int a = axes.batch; a < last; a++) {
            int64_t index = indices->i[t * axes.named + a - axes.batch];
            int64_t place = scatter_place(index, x->shape.dims[a]);
            if (place < 0)
                return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                                 "index %lld is outside of axis %d", (long long)index, a);
            offset = offset * x->shape.dims[a] + place;
        }
        if (bytes > 0)
            memcpy((unsigned char *)y->data + (size_t)t * bytes,
                   (const unsigned char *)x->data + (size_t)offset * bytes, bytes);
    }
    return COSET_OK;
}

const coset_op op_gathernd = {
    .type = "GatherND",
    .domain = "",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
};
