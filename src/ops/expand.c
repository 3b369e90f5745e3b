/* Expand: broadcasts to a shape, in both directions. Source: ONNX Expand-8, -13. */
#include "ops/box.h"
#include "ops/elementwise.h"
#include "ops/operand.h"

static coset_status check_target(const op_node *at, const fact *target)
{
    if (target->dtype != COSET_UNDEFINED && !dtype_is_integer(target->dtype))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "the shape must be int64, not %s",
                         coset_dtype_name(target->dtype));
    if (target->shape.rank >= 0 && target->shape.rank != 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "the shape must have rank 1, not %d",
                         target->shape.rank);
    if (target->shape.rank == 1 && target->shape.dims[0] > TENSOR_MAX_RANK)
        return node_fail(at->ctx, at->node, COSET_ELIMIT, "the shape has rank %lld, at most %d",
                         (long long)target->shape.dims[0], TENSOR_MAX_RANK);
    return COSET_OK;
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    const array *target = call->in[1].constant;
    call->out[0].dtype = call->in[0].dtype;
    TRY(check_target(at, &call->in[1]));
    if (call->in[1].shape.rank < 0 || call->in[1].shape.dims[0] < 0) goto done;
    fact operands[2] = {call->in[0], {.shape = {.rank = (int)call->in[1].shape.dims[0]}}};
    for (int a = 0; a < operands[1].shape.rank; a++) {
        int64_t dim = target != NULL ? target->i[a] : -1;
        operands[1].shape.dims[a] = dim;
        if (target == NULL || dim >= 0) continue;
        status = node_fail(at->ctx, at->node, COSET_EFORMAT, "dimension %d of the shape is %lld", a,
                           (long long)dim);
        goto done;
    }
    const op_infer broadcast = {*at, operands, call->out};
    TRY(shape_broadcast(&broadcast, 0, 1, &call->out[0].shape));
done:
    return status;
}

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0], *y = &call->out[0];
    int64_t from[TENSOR_MAX_RANK], to[TENSOR_MAX_RANK];
    box moved = {.rank = 0};
    int shift = y->shape.rank - x->shape.rank;
    coset_status status = call_same_kind(call, 1);
    if (status != COSET_OK) return status;
    shape_strides(&x->shape, from);
    shape_strides(&y->shape, to);
    for (int a = 0; a < y->shape.rank; a++) {
        bool repeats = a < shift || x->shape.dims[a - shift] == 1;
        box_add(&moved, y->shape.dims[a], repeats ? 0 : from[a - shift], to[a]);
    }
    box_copy(&moved, x->data, y->data, array_element_size(y->dtype), call->threads);
    return COSET_OK;
}

/* True if the entries for axes of units are 1 whatever the model's input, or follow a cut by themselves. */
static bool follows(op_labels *call, const array *target, const label_array *result)
{
    int front = result->rank - (int)target->shape.dims[0];
    bool all = true;
    for (int a = front; a < result->rank; a++) {
        if (result->dims[a] <= 1) continue;
        bool one = target->i[a - front] == 1 &&
                   size_is_stored(call->set, call->at.node->inputs[1], a - front);
        if (!one && labels_size(call, 1, a - front, a) != SIZE_FOLLOWS) all = false;
    }
    return all;
}

/* Axes of units have their size already; others are repeated, and axes come in front. */
static coset_status labels(op_labels *call)
{
    const label_array *in = &call->labels[0];
    const shape *from = &call->in[0].shape, *to = &call->out[0].shape;
    const array *target = call->in[1].constant;
    label_array result = {.rank = to->rank, .ids = in->ids};
    int shift = to->rank - in->rank, widened = 0;
    bool units = false;
    for (int a = 0; a < to->rank; a++) {
        result.dims[a] = a < shift ? 1 : in->dims[a - shift];
        units = units || result.dims[a] > 1;
        widened += a < shift || from->dims[a - shift] < 0 || from->dims[a - shift] != to->dims[a];
    }
    call->result[0] = result;
    if (!units || labels_fixed(call, 1)) return COSET_OK;
    /* A cut writes the shape into the file; other axes must not get theirs from this input's. */
    if (target == NULL || (!follows(call, target, &result) && widened > 0))
        return labels_freeze_all(call, "the shape that it is expanded to is computed");
    return COSET_OK;
}

/* A 1 keeps the size that the input has. */
static coset_status cut(op_cut *call)
{
    const shape *from = &call->in[0].shape, *to = &call->out[0].shape;
    const array *target = call->now[1].constant ? call->now[1].constant : call->in[1].constant;
    int64_t list[TENSOR_MAX_RANK];
    bool changes = false, stored = call->graph->values[call->at.node->inputs[1]].constant != NULL;
    if (from->rank < 0 || to->rank < 0 || target == NULL) return COSET_OK;
    const int n = (int)target->shape.dims[0], front = to->rank - n, shift = to->rank - from->rank;
    for (int i = 0; i < n; i++) {
        int a = i + front;
        const int64_t *kept = call->keep_out[0].index[a];
        bool same = a >= shift && from->dims[a - shift] == to->dims[a];
        list[i] = target->i[i];
        if (kept != NULL && list[i] != 1 && list[i] != call->keep_out[0].count[a]) changes = true;
        if (kept != NULL || (same && !stored)) list[i] = 1;
    }
    return changes ? cut_set_input(call, 1, list, &target->shape) : COSET_OK;
}

const coset_op op_expand = {
    .type = "Expand",
    .domain = "",
    .since = 8,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};
