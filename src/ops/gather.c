/* Gather: slices of `data` along one axis at the places that `indices` names.
 * Source: ONNX Gather-1, -11 (negative indices), -13. */
#include <string.h>

#include "ops/operand.h"

static coset_status find_axis(const op_node *at, int rank, int *axis_out)
{
    return axis_resolve(at, node_attr_int(at->node, "axis", 0), rank, axis_out);
}

static coset_status infer(op_infer *call)
{
    const op_node *at = &call->at;
    const shape *data = &call->in[0].shape, *indices = &call->in[1].shape;
    shape result = {.rank = 0};
    int axis = 0;
    call->out[0].dtype = call->in[0].dtype;
    if (call->in[1].dtype != COSET_UNDEFINED && !dtype_is_integer(call->in[1].dtype))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "indices must be integers, not %s",
                         coset_dtype_name(call->in[1].dtype));
    if (data->rank < 0) return COSET_OK;
    coset_status status = find_axis(at, data->rank, &axis);
    if (status != COSET_OK || indices->rank < 0) return status;
    if (data->rank - 1 + indices->rank > TENSOR_MAX_RANK)
        return node_fail(at->ctx, at->node, COSET_ELIMIT, "the result has rank %d, at most %d",
                         data->rank - 1 + indices->rank, TENSOR_MAX_RANK);
    for (int a = 0; a < axis; a++) result.dims[result.rank++] = data->dims[a];
    for (int a = 0; a < indices->rank; a++) result.dims[result.rank++] = indices->dims[a];
    for (int a = axis + 1; a < data->rank; a++) result.dims[result.rank++] = data->dims[a];
    call->out[0].shape = result;
    return COSET_OK;
}

/* Index into an axis of `size` elements, or -1. */
static int64_t place(int64_t index, int64_t size)
{
    if (index < 0) index += size;
    return index >= 0 && index < size ? index : -1;
}

static coset_status forward(op_call *call)
{
    const array *data = &call->in[0], *indices = &call->in[1];
    int axis = 0, rank = data->shape.rank;
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = find_axis(&call->at, rank, &axis);
    if (status != COSET_OK) return status;
    if (indices->data == NULL || !dtype_is_integer(indices->dtype))
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot use indices of type %s", coset_dtype_name(indices->dtype));
    int64_t outer = shape_product(&data->shape, 0, axis), size = data->shape.dims[axis];
    int64_t n = shape_product(&indices->shape, 0, indices->shape.rank);
    size_t block =
        (size_t)shape_product(&data->shape, axis + 1, rank) * array_element_size(data->dtype);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = place(indices->i[i], size);
        if (from < 0)
            return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                             "index %lld is not in [%lld, %lld) of axis %d",
                             (long long)indices->i[i], (long long)-size, (long long)size, axis);
        for (int64_t o = 0; o < outer && block > 0; o++)
            memcpy((unsigned char *)call->out[0].data + (size_t)(o * n + i) * block,
                   (const unsigned char *)data->data + (size_t)(o * size + from) * block, block);
    }
    return COSET_OK;
}

/* Units on other axes pass; the gathered axis gives way to the axes of the indices. */
static coset_status pass_labels(op_labels *call, int axis)
{
    const label_array *data = &call->labels[0];
    int64_t dims[TENSOR_MAX_RANK], count = 1;
    int rank = 0, indices = call->in[1].shape.rank;
    for (int a = 0; a < data->rank; a++) {
        count *= data->dims[a];
        if (a != axis) dims[rank++] = data->dims[a];
        for (int i = 0; i < indices && a == axis; i++) dims[rank++] = 1;
    }
    coset_status status = labels_make(call->set, rank, dims, LABEL_NONE, &call->result[0]);
    if (status == COSET_OK)
        memcpy(call->result[0].ids, data->ids, (size_t)count * sizeof *data->ids);
    return status;
}

/* A constant table read by computed indices: the columns of its rows are units of their own. */
static coset_status embedding_labels(op_labels *call, int axis)
{
    const shape *table = &call->in[0].shape, *out = &call->out[0].shape;
    int64_t dims[TENSOR_MAX_RANK], first = 0;
    if (axis != 0 || table->rank != 2 || !shape_known(table))
        return labels_freeze_all(call, "it is gathered from a constant that is no table of rows");
    int64_t width = table->dims[1];
    labels_freeze(call, &call->labels[1], "it is used as an index");
    for (int a = 0; a < out->rank; a++) dims[a] = a == out->rank - 1 ? width : 1;
    coset_status status = labels_fresh(call->set, width, &first);
    if (status == COSET_OK)
        status = labels_make(call->set, out->rank, dims, LABEL_NONE, &call->result[0]);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < width; i++) call->result[0].ids[i] = first + i;
    return labels_slot(call, 0, 1, SLOT_PRODUCER, call->result[0].ids);
}

static coset_status labels(op_labels *call)
{
    int axis = 0;
    coset_status status = find_axis(&call->at, call->in[0].shape.rank, &axis);
    if (status != COSET_OK) return status;
    if (labels_none(&call->labels[0])) return embedding_labels(call, axis);
    if (call->labels[0].dims[axis] == 1) {
        labels_freeze(call, &call->labels[1], "it is used as an index");
        return pass_labels(call, axis);
    }
    if (call->in[1].constant == NULL || !labels_fixed(call, 1))
        return labels_freeze_all(call, "it is gathered by computed indices");
    status = labels_by_kernel(call, 1, 1U << axis);
    if (status == COSET_OK && call->in[1].shape.rank == 0)
        labels_freeze(call, &call->result[0], "one of its units is picked by its index");
    return status;
}

/* Indices of the output entries that stay, renamed to where they lie in the cut data. */
static coset_status cut_indices(const op_cut *call, int axis, const shape *kept, int64_t *values)
{
    const array *old = call->in[1].constant;
    const axis_keep *out = &call->keep_out[0];
    int64_t size = call->in[0].shape.dims[axis], position[TENSOR_MAX_RANK] = {0};
    int64_t n = shape_product(kept, 0, kept->rank);
    for (int64_t e = 0; e < n; e++) {
        int64_t from = 0;
        for (int a = 0; a < kept->rank; a++) {
            const int64_t *index = out->index[axis + a];
            from = from * old->shape.dims[a] + (index ? index[position[a]] : position[a]);
        }
        values[e] = axis_keep_place(&call->keep_in[0], axis, place(old->i[from], size));
        if (values[e] < 0)
            return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                             "it still reads index %lld, which is cut", (long long)old->i[from]);
        for (int a = kept->rank - 1; a >= 0; a--) {
            if (++position[a] < kept->dims[a]) break;
            position[a] = 0;
        }
    }
    return COSET_OK;
}

static coset_status cut(op_cut *call)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->at.ctx;
    int64_t *values = NULL;
    int axis = 0;
    if (call->in[0].shape.rank < 0 || call->in[1].shape.rank < 0) return COSET_OK;
    TRY(find_axis(&call->at, call->in[0].shape.rank, &axis));
    shape kept = call->in[1].shape;
    bool changes = call->keep_in[0].index[axis] != NULL;
    for (int a = 0; a < kept.rank; a++) {
        if (call->keep_out[0].index[axis + a] == NULL) continue;
        kept.dims[a] = call->keep_out[0].count[axis + a];
        changes = true;
    }
    if (!changes) return COSET_OK;
    TRY(ctx_alloc_raw(ctx, shape_product(&kept, 0, kept.rank), sizeof *values, &values));
    TRY(cut_indices(call, axis, &kept, values));
    TRY(cut_set_input(call, 1, values, &kept));
done:
    ctx_free(ctx, values);
    return status;
}

const coset_op op_gather = {
    .type = "Gather",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};
