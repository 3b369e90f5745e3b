/* Tile: repeats a tensor along its axes. Source: ONNX Tile-6, -13. */
#include "base/size.h"
#include "ops/box.h"
#include "ops/operand.h"

static coset_status check_repeats(const op_node *at, const array *repeats, int rank)
{
    int64_t n = shape_product(&repeats->shape, 0, repeats->shape.rank);
    if (!dtype_is_integer(repeats->dtype) || n != rank)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "%lld repeats for %d axes", (long long)n,
                         rank);
    for (int a = 0; a < rank; a++)
        if (repeats->i[a] < 0)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "axis %d is repeated %lld times", a,
                             (long long)repeats->i[a]);
    return COSET_OK;
}

static coset_status infer(op_infer *call)
{
    const op_node *at = &call->at;
    const shape *in = &call->in[0].shape;
    const array *repeats = call->in[1].constant;
    call->out[0].dtype = call->in[0].dtype;
    if (call->in[1].dtype != COSET_UNDEFINED && !dtype_is_integer(call->in[1].dtype))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "repeats must be int64, not %s",
                         coset_dtype_name(call->in[1].dtype));
    if (in->rank < 0) return COSET_OK;
    if (repeats != NULL) {
        coset_status status = check_repeats(at, repeats, in->rank);
        if (status != COSET_OK) return status;
    }
    call->out[0].shape.rank = in->rank;
    for (int a = 0; a < in->rank; a++) {
        int64_t *dim = &call->out[0].shape.dims[a];
        *dim = -1;
        if (repeats != NULL && in->dims[a] >= 0 && !dim_mul(in->dims[a], repeats->i[a], dim))
            return node_fail(at->ctx, at->node, COSET_ELIMIT,
                             "axis %d would be repeated %lld times: over the limit", a,
                             (long long)repeats->i[a]);
    }
    return COSET_OK;
}

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0], *repeats = &call->in[1], *y = &call->out[0];
    int64_t from[TENSOR_MAX_RANK], to[TENSOR_MAX_RANK];
    box moved = {.rank = 0};
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = check_repeats(&call->at, repeats, x->shape.rank);
    if (status != COSET_OK) return status;
    shape_strides(&x->shape, from);
    shape_strides(&y->shape, to);
    for (int a = 0; a < x->shape.rank; a++) {
        int64_t dim = x->shape.dims[a];
        if (y->shape.dims[a] != dim * repeats->i[a])
            return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                             "its repeats are not those that its shape was inferred from");
        if (repeats->i[a] != 1) box_add(&moved, repeats->i[a], 0, dim * to[a]);
        box_add(&moved, dim, from[a], to[a]);
    }
    box_copy(&moved, x->data, y->data, array_element_size(y->dtype), call->threads);
    return COSET_OK;
}

/* Repeats of what is left are what is left of the repeats: a cut changes no parameter. */
static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    const label_array *in = &call->labels[0];
    const shape *from = &call->in[0].shape, *to = &call->out[0].shape;
    int64_t *index = NULL;
    int axis = -1;
    for (int a = 0; a < in->rank; a++) {
        if (in->dims[a] <= 1 || to->dims[a] == from->dims[a]) continue;
        if (to->dims[a] < 1) return labels_freeze_all(call, "its repeats are not known");
        if (axis >= 0) return labels_freeze_all(call, "it is repeated along two axes of units");
        axis = a;
    }
    if (axis < 0) {
        call->result[0] = *in;
        return COSET_OK;
    }
    TRY(ctx_alloc_raw(call->at.ctx, to->dims[axis], sizeof *index, &index));
    for (int64_t i = 0; i < to->dims[axis]; i++) index[i] = i % from->dims[axis];
    TRY(labels_pick(call, 0, axis, index, to->dims[axis]));
done:
    ctx_free(call->at.ctx, index);
    return status;
}

const coset_op op_tile = {
    .type = "Tile",
    .domain = "",
    .since = 6,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
