/* ScatterND: slices of a copy of `data`, named by the tuples along the last axis of `indices`, are replaced by
 * or reduced with those of `updates`. Source: ONNX ScatterND-11, -13, -16 (add, mul), -18 (max, min). */
#include "ops/operand.h"
#include "ops/scatter.h"

/* updates has the axes of indices but the last, and the axes of data that no tuple names. */
static coset_status check_shapes(const op_node *at, const shape *data, const shape *indices,
                                 const shape *updates)
{
    char found[SHAPE_TEXT];
    if (data->rank < 0 || indices->rank < 0) return COSET_OK;
    if (data->rank < 1 || indices->rank < 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "data and indices need an axis");
    int64_t named = indices->dims[indices->rank - 1];
    if (named > data->rank)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "indices name %lld axes of %d",
                         (long long)named, data->rank);
    if (named < 0 || updates->rank < 0) return COSET_OK;
    int shift = (int)named - (indices->rank - 1);
    bool fits = updates->rank == indices->rank - 1 + data->rank - (int)named;
    for (int a = 0; fits && a < updates->rank; a++) {
        int64_t wanted = a < indices->rank - 1 ? indices->dims[a] : data->dims[a + shift];
        fits = wanted < 0 || updates->dims[a] < 0 || wanted == updates->dims[a];
    }
    if (fits) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "updates of shape %s do not fit",
                     shape_text(updates, found, sizeof found));
}

static coset_status infer(op_infer *call)
{
    coset_status status = scatter_infer(call);
    if (status != COSET_OK) return status;
    return check_shapes(&call->at, &call->in[0].shape, &call->in[1].shape, &call->in[2].shape);
}

static coset_status forward(op_call *call)
{
    const array *indices = &call->in[1], *updates = &call->in[2];
    array *y = &call->out[0];
    scatter_reduction reduction = SCATTER_NONE;
    coset_status status = scatter_find(&call->at, &reduction);
    if (status == COSET_OK) status = scatter_start(call);
    if (status == COSET_OK)
        status = check_shapes(&call->at, &y->shape, &indices->shape, &updates->shape);
    if (status != COSET_OK) return status;
    int named = (int)indices->shape.dims[indices->shape.rank - 1], rank = y->shape.rank;
    int64_t tuples = shape_product(&indices->shape, 0, indices->shape.rank - 1);
    int64_t slice = shape_product(&y->shape, named, rank);
    size_t bytes = (size_t)slice * array_element_size(y->dtype);
    for (int64_t t = 0; t < tuples; t++) {
        int64_t offset = 0;
        for (int a = 0; a < named; a++) {
            int64_t place = scatter_place(indices->i[t * named + a], y->shape.dims[a]);
            if (place < 0)
                return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                                 "index %lld is outside of axis %d",
                                 (long long)indices->i[t * named + a], a);
            offset = offset * y->shape.dims[a] + place;
        }
        scatter_apply(reduction, y->dtype, (const unsigned char *)updates->data + (size_t)t * bytes,
                      (unsigned char *)y->data + (size_t)offset * bytes, slice);
    }
    array_normalise(y);
    return COSET_OK;
}

const coset_op op_scatternd = {
    .type = "ScatterND",
    .domain = "",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
};
