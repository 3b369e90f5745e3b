/* Label rules that many operators share. */
#include <string.h>

#include "graph/labels_set.h"

static bool is_constant(const label_array *labels)
{
    for (int64_t i = 0, n = label_elements(labels); i < n; i++)
        if (labels->ids[i] != LABEL_NONE) return false;
    return true;
}

/* Extent and position of one operand along the axes of a broadcast result. */
typedef struct operand {
    const label_array *labels;
    const shape *real;
    int shift; /* result axis - own axis */
    bool constant;
} operand;

static int64_t real_dim(const operand *self, int axis)
{
    return axis < self->shift ? 1 : self->real->dims[axis - self->shift];
}

static int64_t label_dim(const operand *self, int axis)
{
    return axis < self->shift ? 1 : self->labels->dims[axis - self->shift];
}

static int64_t label_at(const operand *self, const int64_t *position)
{
    int64_t offset = 0;
    for (int a = 0; a < self->labels->rank; a++) {
        int64_t dim = self->labels->dims[a];
        offset = offset * dim + (dim > 1 ? position[a + self->shift] : 0);
    }
    return self->labels->ids[offset];
}

/* True if the operand is repeated along an axis on which the result's labels differ. */
static bool is_broadcast(const operand *self, const label_array *result)
{
    for (int a = 0; a < result->rank; a++)
        if (result->dims[a] > 1 && real_dim(self, a) == 1) return true;
    return false;
}

static coset_status unite_operands(op_labels *call, const operand *operands, label_array *result)
{
    int64_t position[TENSOR_MAX_RANK] = {0};
    for (int64_t e = 0, n = label_elements(result); e < n; e++) {
        int64_t id = LABEL_NONE;
        bool constant = false;
        for (int o = 0; o < call->at.n_in; o++) {
            if (operands[o].constant) continue;
            int64_t other = label_at(&operands[o], position);
            if (is_broadcast(&operands[o], result)) {
                labels_unite(call->set, other, LABEL_FROZEN, "it is broadcast over other units");
                continue;
            }
            labels_unite(call->set, id, other, "it meets a frozen axis elementwise");
            if (id == LABEL_NONE || other == LABEL_FROZEN) id = other;
            constant = constant || other == LABEL_NONE;
        }
        if (constant)
            labels_unite(call->set, id, LABEL_FROZEN,
                         "it meets a constant that is part of another value");
        result->ids[e] = id;
        for (int a = result->rank - 1; a >= 0; a--) {
            if (++position[a] < result->dims[a]) break;
            position[a] = 0;
        }
    }
    return COSET_OK;
}

/* Declares the slots of a constant operand; false if it spans two unit axes at once. */
static coset_status constant_slots(op_labels *call, int input, const operand *self,
                                   const label_array *result, slot_role role)
{
    int unit_axes = 0, axis = -1;
    for (int a = 0; a < result->rank; a++)
        if (result->dims[a] > 1) {
            unit_axes++;
            if (real_dim(self, a) > 1) axis = a;
        }
    if (axis < 0) return COSET_OK;
    if (unit_axes > 1) {
        labels_freeze(call, result, "a constant spans two axes of units");
        return COSET_OK;
    }
    return labels_slot(call, input, axis - self->shift, role, result->ids);
}

coset_status labels_elementwise(op_labels *call, slot_role role)
{
    coset_status status = COSET_OK;
    const shape *real = &call->out[0].shape;
    int n = call->at.n_in;
    operand *operands = NULL;
    label_array result = {.rank = real->rank};
    TRY(ctx_alloc(call->at.ctx, n, sizeof *operands, &operands));
    for (int a = 0; a < real->rank; a++) result.dims[a] = 1;
    for (int o = 0; o < n; o++) {
        operand *self = &operands[o];
        if (call->at.node->inputs[o] < 0) {
            self->constant = true;
            continue;
        }
        *self = (operand){&call->labels[o], &call->in[o].shape, real->rank - call->labels[o].rank,
                          is_constant(&call->labels[o])};
        for (int a = 0; a < real->rank && !self->constant; a++)
            if (label_dim(self, a) > 1) result.dims[a] = real->dims[a];
    }
    TRY(labels_make(call->set, real->rank, result.dims, LABEL_NONE, &result));
    TRY(unite_operands(call, operands, &result));
    for (int o = 0; o < n; o++)
        if (operands[o].constant && operands[o].labels != NULL)
            TRY(constant_slots(call, o, &operands[o], &result, role));
    call->result[0] = result;
done:
    ctx_free(call->at.ctx, operands);
    return status;
}

coset_status labels_unary(op_labels *call)
{
    call->result[0] = call->labels[0];
    for (int o = 1; o < call->at.n_out; o++)
        if (call->at.node->outputs[o] >= 0 && shape_equal(&call->out[o].shape, &call->in[0].shape))
            call->result[o] = call->labels[0];
    return COSET_OK;
}

coset_status labels_over_axes(op_labels *call, const int64_t *axes, int64_t n_axes, bool keep,
                              const char *reason)
{
    const label_array *in = &call->labels[0];
    bool over[TENSOR_MAX_RANK] = {false};
    for (int64_t i = 0; i < n_axes; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + in->rank : axes[i];
        if (axis >= 0 && axis < in->rank) over[axis] = true;
    }
    bool varies = false;
    for (int a = 0; a < in->rank; a++) varies = varies || (over[a] && in->dims[a] > 1);
    if (varies) return labels_freeze_all(call, reason);
    label_array result = {.ids = in->ids};
    for (int a = 0; a < in->rank; a++)
        if (keep || !over[a]) result.dims[result.rank++] = in->dims[a];
    call->result[0] = result;
    return COSET_OK;
}

coset_status labels_by_kernel(op_labels *call, int n_data, unsigned axes_mask)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->at.ctx;
    int n = call->at.n_in;
    array *in = NULL, out = {.dtype = COSET_I64};
    fact *in_facts = NULL, out_fact = {.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
    void *scratch = NULL;
    label_array result = {.rank = -1};
    if (call->at.n_out != 1)
        return labels_freeze_all(call, "the operator moves data to several outputs");
    TRY(ctx_alloc(ctx, n, sizeof *in, &in));
    TRY(ctx_alloc(ctx, n, sizeof *in_facts, &in_facts));
    int64_t dims[TENSOR_MAX_RANK];
    int rank = call->labels[0].rank;
    for (int a = 0; a < rank; a++) {
        dims[a] = 1;
        for (int i = 0; i < n_data; i++) {
            if (call->labels[i].rank != rank) FAIL(ctx, COSET_EFORMAT, "ranks of inputs differ");
            if (call->labels[i].dims[a] > 1) dims[a] = call->labels[i].dims[a];
        }
    }
    for (int i = 0; i < n; i++) {
        in_facts[i] = call->in[i];
        in[i] = (array){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
        if (call->at.node->inputs[i] < 0) continue;
        if (i >= n_data) {
            if (call->in[i].constant == NULL) {
                status = labels_freeze_all(call, "a parameter of the operator is not a constant");
                goto done;
            }
            in[i] = *call->in[i].constant;
            continue;
        }
        label_array wide = {.rank = rank};
        int64_t own[TENSOR_MAX_RANK];
        for (int a = 0; a < rank; a++) {
            own[a] = (axes_mask >> a & 1) ? call->in[i].shape.dims[a] : dims[a];
            if (own[a] >= 0) continue;
            status = labels_freeze_all(call, "the size of an axis is unknown");
            goto done;
        }
        TRY(label_expand(call->set, &call->labels[i], own, &wide));
        in[i] = (array){.dtype = COSET_I64, .shape = {.rank = rank}, .i = wide.ids};
        memcpy(in[i].shape.dims, own, (size_t)rank * sizeof *own);
        in_facts[i] = (fact){.dtype = COSET_I64, .shape = in[i].shape};
    }
    op_infer infer = {call->at, in_facts, &out_fact};
    TRY(call->at.node->op->infer(&infer));
    out.shape = out_fact.shape;
    TRY(labels_make(call->set, out.shape.rank, out.shape.dims, LABEL_NONE, &result));
    out.i = result.ids;
    if (call->at.node->op->scratch != NULL)
        TRY(ctx_alloc_raw(ctx, (int64_t)call->at.node->op->scratch(&infer), 1, &scratch));
    op_call run = {call->at, in, &out, scratch, 1};
    TRY(call->at.node->op->forward(&run));
    TRY(label_note_move(call->set, &run, n_data, &result));
    label_shrink(&result);
    call->result[0] = result;
done:
    ctx_free(ctx, in);
    ctx_free(ctx, in_facts);
    ctx_free(ctx, scratch);
    return status;
}

bool labels_fixed(const op_labels *call, int input)
{
    int32_t value = input < call->at.n_in ? call->at.node->inputs[input] : -1;
    return value < 0 || call->set->fixed[value];
}

coset_status labels_pick(op_labels *call, int output, int axis, const int64_t *index, int64_t count)
{
    coset_status status = COSET_OK;
    const label_array *in = &call->labels[0];
    label_array result = {.rank = in->rank};
    int64_t *from = NULL, inner = 1, outer = 1, fresh = 0, absent = 0;
    int64_t dims[TENSOR_MAX_RANK], size = in->dims[axis];
    for (int a = 0; a < in->rank; a++) dims[a] = a == axis ? count : in->dims[a];
    for (int a = 0; a < axis; a++) outer *= in->dims[a];
    for (int a = axis + 1; a < in->rank; a++) inner *= in->dims[a];
    for (int64_t i = 0; i < count; i++) absent += index[i] < 0;
    TRY(labels_fresh(call->set, absent, &fresh));
    TRY(labels_make(call->set, in->rank, dims, LABEL_NONE, &result));
    TRY(ctx_alloc_raw(call->at.ctx, outer * count * inner, sizeof *from, &from));
    for (int64_t o = 0, e = 0; o < outer; o++)
        for (int64_t i = 0, gap = 0; i < count; i++) {
            bool there = index[i] >= 0;
            for (int64_t k = 0; k < inner; k++, e++) {
                from[e] = there ? (o * size + index[i]) * inner + k : -1;
                result.ids[e] = there ? in->ids[from[e]] : fresh + gap;
            }
            gap += !there;
        }
    TRY(label_note_pick(call->set, in, &result, from));
    call->result[output] = result;
done:
    ctx_free(call->at.ctx, from);
    return status;
}

coset_status labels_reshape(op_labels *call)
{
    const shape *from = &call->in[0].shape, *to = &call->out[0].shape;
    const label_array *labels = &call->labels[0];
    int64_t wide_dims[TENSOR_MAX_RANK], result_dims[TENSOR_MAX_RANK];
    int i = 0, j = 0;
    if (!shape_known(from) || !shape_known(to))
        return labels_freeze_all(call, "it is reshaped and its shape is unknown");
    while (i < from->rank || j < to->rank) {
        /* The next block: the shortest runs of axes on both sides with equal products. */
        int i0 = i, j0 = j;
        int64_t left = i < from->rank ? from->dims[i++] : 1;
        int64_t right = j < to->rank ? to->dims[j++] : 1;
        while (left != right) {
            if (left < right && i < from->rank)
                left *= from->dims[i++];
            else if (right < left && j < to->rank)
                right *= to->dims[j++];
            else
                return labels_freeze_all(call, "it is reshaped with an empty axis");
        }
        bool varies = false;
        for (int a = i0; a < i; a++) varies = varies || labels->dims[a] > 1;
        for (int a = i0; a < i; a++) wide_dims[a] = varies ? from->dims[a] : 1;
        for (int a = j0; a < j; a++) result_dims[a] = varies ? to->dims[a] : 1;
    }
    label_array wide = {.rank = -1};
    coset_status status = label_expand(call->set, labels, wide_dims, &wide);
    if (status != COSET_OK) return status;
    label_array result = {.rank = to->rank};
    memcpy(result.dims, result_dims, sizeof result_dims);
    int64_t count = label_elements(&result);
    /* label_shrink works in place, and `wide` may be the input's own array. */
    status = arena_alloc(call->at.ctx, &call->set->arena, count, sizeof *result.ids, &result.ids);
    if (status != COSET_OK) return status;
    memcpy(result.ids, wide.ids, (size_t)count * sizeof *result.ids);
    label_shrink(&result);
    call->result[0] = result;
    return COSET_OK;
}

/* One id per index of `axis`: couples everything that shares the index. */
static coset_status ids_along(op_labels *call, const label_array *labels, int axis, int64_t size,
                              int64_t **ids_out)
{
    coset_status status =
        arena_alloc(call->at.ctx, &call->set->arena, size, sizeof **ids_out, ids_out);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < size; i++) (*ids_out)[i] = labels->ids[labels->dims[axis] > 1 ? i : 0];
    return COSET_OK;
}

coset_status labels_contract(op_labels *call, int x, int x_axis, int w, int w_in, int w_out,
                             int out_axis, const int *from)
{
    coset_status status = COSET_OK;
    const label_array *labels = &call->labels[x];
    int64_t *ids = NULL, first = 0;
    label_array result = {.rank = call->out[0].shape.rank};
    bool elsewhere = false;
    for (int a = 0; a < labels->rank; a++)
        elsewhere = elsewhere || (a != x_axis && labels->dims[a] > 1);
    if (!shape_known(&call->in[w].shape))
        return labels_freeze_all(call, "the shape of a weight is unknown");
    for (int i = 0; i < call->at.n_in; i++)
        if (i != w && call->at.node->inputs[i] == call->at.node->inputs[w])
            return labels_freeze_all(call, "a contraction reads its weight twice");
    if (elsewhere && labels->dims[x_axis] > 1)
        return labels_freeze_all(call, "its units lie on two axes of a contraction's input");
    for (int a = 0; a < result.rank; a++)
        result.dims[a] = elsewhere && from[a] >= 0 ? labels->dims[from[a]] : 1;
    if (elsewhere) { /* units pass along an outer axis; the contraction mixes something else */
        result.ids = labels->ids;
        for (int a = 1; a < result.rank; a++)
            for (int b = 0; b < a; b++)
                if (from[a] >= 0 && from[b] >= 0 && from[a] < from[b])
                    return labels_freeze_all(call, "a contraction permutes its units");
        call->result[0] = result;
        return COSET_OK;
    }
    if (w_out < 0) return labels_freeze_all(call, "a weight that is a vector sums its units up");
    TRY(ids_along(call, labels, x_axis, call->in[w].shape.dims[w_in], &ids));
    TRY(labels_slot(call, w, w_in, SLOT_CONSUMER, ids));
    int64_t width = call->in[w].shape.dims[w_out];
    TRY(labels_fresh(call->set, width, &first));
    result.dims[out_axis] = width;
    TRY(labels_make(call->set, result.rank, result.dims, LABEL_NONE, &result));
    for (int64_t i = 0; i < width; i++) result.ids[i] = first + i;
    TRY(labels_slot(call, w, w_out, SLOT_PRODUCER, result.ids));
    call->result[0] = result;
done:
    return status;
}
