/* Pad: adds indices at both ends of axes, or removes them where a pad is negative.
 * Source: ONNX Pad-2 (attributes), -11, -13 (inputs), -18 (axes), -19 (wrap). */
#include <string.h>

#include "base/size.h"
#include "ops/box.h"
#include "ops/operand.h"

enum { PADS = 1, VALUE = 2, AXES = 3, PADS_ARE_INPUT = 11, HAS_AXES = 18, HAS_WRAP = 19 };

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } pad_mode;

/* Indices added at the two ends of every axis. */
typedef struct pad_amounts {
    bool known;
    int64_t before[TENSOR_MAX_RANK], after[TENSOR_MAX_RANK];
    int entry[TENSOR_MAX_RANK]; /* place in the list of pads; -1: the axis has none */
    int64_t n;                  /* axes in the list */
} pad_amounts;

static coset_status find_mode(const op_node *at, pad_mode *mode_out)
{
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = node_attr_string(at->node, "mode", "constant");
    for (int m = PAD_CONSTANT; m <= PAD_WRAP; m++)
        if (strcmp(mode, names[m]) == 0 && (m != PAD_WRAP || at->opset >= HAS_WRAP)) {
            *mode_out = (pad_mode)m;
            return COSET_OK;
        }
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "mode '%s' is unknown", mode);
}

static bool given(const op_node *at, int input)
{
    return at->opset >= PADS_ARE_INPUT && input < at->n_in && at->node->inputs[input] >= 0;
}

static bool readable(const array *data)
{
    return data != NULL && data->data != NULL && dtype_is_integer(data->dtype);
}

/* pads, axes: data of those inputs if they are known, else NULL. */
static coset_status read_pads(const op_node *at, const array *pads, const array *axes, int rank,
                              pad_amounts *amounts_out)
{
    pad_amounts self = {.known = true};
    int64_t n = 0;
    const int64_t *values = node_attr_ints(at->node, "pads", &n);
    bool listed = at->opset >= HAS_AXES && given(at, AXES);
    if (at->opset >= PADS_ARE_INPUT) {
        if (!given(at, PADS))
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "input pads is missing");
        self.known = readable(pads) && (!listed || readable(axes));
        if (self.known) n = shape_product(&pads->shape, 0, pads->shape.rank);
        values = self.known ? pads->i : NULL;
    }
    for (int a = 0; a < TENSOR_MAX_RANK; a++) {
        self.before[a] = self.after[a] = 0;
        self.entry[a] = -1;
    }
    if (self.known) {
        self.n = listed ? shape_product(&axes->shape, 0, axes->shape.rank) : rank;
        if (n / 2 != self.n || n % 2 != 0)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "%lld pads for %lld axes",
                             (long long)n, (long long)self.n);
    }
    for (int64_t i = 0; i < self.n; i++) {
        int axis = 0;
        coset_status status = axis_resolve(at, listed ? axes->i[i] : i, rank, &axis);
        if (status != COSET_OK) return status;
        if (self.entry[axis] >= 0)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "axis %d is padded twice", axis);
        self.entry[axis] = (int)i;
        self.before[axis] = values[i];
        self.after[axis] = values[i + self.n];
    }
    *amounts_out = self;
    return COSET_OK;
}

static coset_status read_facts(const op_node *at, const fact *in, int rank, pad_amounts *out)
{
    return read_pads(at, at->n_in > PADS ? in[PADS].constant : NULL,
                     at->n_in > AXES ? in[AXES].constant : NULL, rank, out);
}

/* Size of an axis behind the pads. */
static coset_status padded_size(const op_node *at, const pad_amounts *pads, pad_mode mode, int axis,
                                int64_t size, int64_t *size_out)
{
    int64_t before = pads->before[axis], after = pads->after[axis], result = 0;
    int64_t left = size + (before < 0 ? before : 0), cropped = 0;
    if (!dim_add(size, before, &result) || !dim_add(result, after, &result))
        return node_fail(at->ctx, at->node, COSET_ELIMIT, "pads of axis %d are over the limit",
                         axis);
    if (left < 0 || !dim_add(left, after < 0 ? after : 0, &cropped) || cropped < 0)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "pads of axis %d remove more than its %lld indices", axis,
                         (long long)size);
    if (mode != PAD_CONSTANT && cropped == 0 && result > 0)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "axis %d is empty: there is nothing to pad it with", axis);
    *size_out = result;
    return COSET_OK;
}

static coset_status infer(op_infer *call)
{
    const op_node *at = &call->at;
    const shape *in = &call->in[0].shape;
    pad_amounts pads;
    pad_mode mode = PAD_CONSTANT;
    call->out[0].dtype = call->in[0].dtype;
    coset_status status = find_mode(at, &mode);
    if (status == COSET_OK && given(at, VALUE)) status = infer_same_type(call, 0, VALUE);
    if (status != COSET_OK || in->rank < 0) return status;
    status = read_facts(at, call->in, in->rank, &pads);
    if (status != COSET_OK) return status;
    call->out[0].shape.rank = in->rank;
    for (int a = 0; a < in->rank; a++) {
        int64_t *dim = &call->out[0].shape.dims[a];
        *dim = -1;
        if (!pads.known || in->dims[a] < 0) continue;
        status = padded_size(at, &pads, mode, a, in->dims[a], dim);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

/* One axis: which part of the input is used, and how indices outside it are found. */
typedef struct pad_axis {
    int64_t low, size; /* the input's indices [low, low + size) are used */
    int64_t before;    /* output indices in front of them */
    pad_mode mode;
} pad_axis;

static pad_axis make_axis(const pad_amounts *pads, pad_mode mode, int axis, int64_t size)
{
    int64_t before = pads->before[axis], after = pads->after[axis];
    pad_axis self = {.mode = mode, .low = before < 0 ? -before : 0};
    self.before = before > 0 ? before : 0;
    self.size = size - self.low + (after < 0 ? after : 0);
    return self;
}

static int64_t modulo(int64_t x, int64_t n)
{
    int64_t rest = x % n;
    return rest < 0 ? rest + n : rest;
}

/* Index of the input that output index `index` shows; -1: the constant. */
static int64_t source_index(const pad_axis *self, int64_t index)
{
    int64_t i = index - self->before, n = self->size;
    if (i >= 0 && i < n) return self->low + i;
    switch (self->mode) {
    case PAD_EDGE: return self->low + (i < 0 ? 0 : n - 1);
    case PAD_WRAP: return self->low + modulo(i, n);
    case PAD_REFLECT:
        if (n == 1) return self->low;
        i = modulo(i, 2 * (n - 1));
        return self->low + (i < n ? i : 2 * (n - 1) - i);
    case PAD_CONSTANT: break;
    }
    return -1;
}

/* A run along the last axis; x NULL: it lies in the padding. */
#define ROW_KERNEL(name, type)                                                                     \
    static void name(const void *x, const pad_axis *axis, void *y, int64_t n, const void *value)   \
    {                                                                                              \
        const type *in = x, fill = *(const type *)value;                                           \
        type *out = y;                                                                             \
        if (in == NULL) {                                                                          \
            for (int64_t i = 0; i < n; i++) out[i] = fill;                                         \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < axis->before; i++) {                                               \
            int64_t from = source_index(axis, i);                                                  \
            out[i] = from < 0 ? fill : in[from];                                                   \
        }                                                                                          \
        if (axis->size > 0)                                                                        \
            memcpy(out + axis->before, in + axis->low, (size_t)axis->size * sizeof *out);          \
        for (int64_t i = axis->before + axis->size; i < n; i++) {                                  \
            int64_t from = source_index(axis, i);                                                  \
            out[i] = from < 0 ? fill : in[from];                                                   \
        }                                                                                          \
    }

ROW_KERNEL(row_4, uint32_t)
ROW_KERNEL(row_8, uint64_t)

/* The constant in the compute type of the data. */
static coset_status read_value(const op_call *call, array *value_out, float *real, int64_t *whole)
{
    const array *x = &call->in[0];
    bool is_float = dtype_is_float(x->dtype);
    *real = call->at.opset < PADS_ARE_INPUT ? node_attr_float(call->at.node, "value", 0) : 0;
    *whole = (int64_t)*real;
    if (given(&call->at, VALUE)) {
        const array *value = &call->in[VALUE];
        if (value->data == NULL || dtype_is_float(value->dtype) != is_float ||
            shape_product(&value->shape, 0, value->shape.rank) != 1)
            return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                             "cannot pad with a value of type %s", coset_dtype_name(value->dtype));
        if (is_float)
            *real = value->f[0];
        else
            *whole = value->i[0];
    }
    *value_out = (array){.dtype = x->dtype, .data = is_float ? (void *)real : (void *)whole};
    return COSET_OK;
}

typedef struct pad_job {
    pad_axis axes[TENSOR_MAX_RANK];
    int64_t steps[TENSOR_MAX_RANK];
    const array *x, *y, *value;
    size_t size;
} pad_job;

static void pad_rows(const pad_job *job, int64_t first, int64_t last)
{
    const int inner = job->y->shape.rank - 1;
    const int64_t n = job->y->shape.dims[inner];
    for (int64_t row = first; row < last; row++) {
        int64_t rest = row, offset = 0;
        for (int a = inner - 1; a >= 0; a--) {
            int64_t from = source_index(&job->axes[a], rest % job->y->shape.dims[a]);
            rest /= job->y->shape.dims[a];
            offset = from < 0 || offset < 0 ? -1 : offset + from * job->steps[a];
        }
        const unsigned char *in =
            offset < 0 ? NULL : (const unsigned char *)job->x->data + (size_t)offset * job->size;
        unsigned char *out = (unsigned char *)job->y->data + (size_t)(row * n) * job->size;
        (job->size == 4 ? row_4 : row_8)(in, &job->axes[inner], out, n, job->value->data);
    }
}

static coset_status forward(op_call *call)
{
    enum { PARALLEL_ELEMENTS = 1 << 16 };
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    const array *x = &call->in[0];
    int rank = x->shape.rank;
    pad_job job = {.x = x, .y = &call->out[0], .size = array_element_size(x->dtype)};
    pad_amounts pads;
    pad_mode mode = PAD_CONSTANT;
    array value;
    float real = 0;
    int64_t whole = 0;
    TRY(call_same_kind(call, 1));
    TRY(find_mode(at, &mode));
    TRY(read_pads(at, at->n_in > PADS ? &call->in[PADS] : NULL,
                  at->n_in > AXES ? &call->in[AXES] : NULL, rank, &pads));
    TRY(read_value(call, &value, &real, &whole));
    job.value = &value;
    for (int a = 0; a < rank; a++) {
        int64_t size = -1;
        if (pads.known) TRY(padded_size(at, &pads, mode, a, x->shape.dims[a], &size));
        if (size != job.y->shape.dims[a]) {
            status = node_fail(at->ctx, at->node, COSET_EUNSUPPORTED,
                               "its pads are not those that its shape was inferred from");
            goto done;
        }
        job.axes[a] = make_axis(&pads, mode, a, x->shape.dims[a]);
    }
    shape_strides(&x->shape, job.steps);
    int64_t n = shape_product(&job.y->shape, 0, rank);
    if (n == 0) goto done;
    if (rank == 0) {
        memcpy(job.y->data, x->data, job.size);
        goto done;
    }
    int64_t rows = n / job.y->shape.dims[rank - 1];
    const int parts = n > PARALLEL_ELEMENTS && call->threads > 1 ? call->threads : 1;
#pragma omp parallel for if (parts > 1) num_threads(parts) schedule(static)
    for (int part = 0; part < parts; part++)
        pad_rows(&job, rows * part / parts, rows * (part + 1) / parts);
done:
    return status;
}

/* ---- units -------------------------------------------------------------------------------------- */

static bool pads_with_zero(const op_labels *call)
{
    if (!given(&call->at, VALUE)) {
        bool is_attr = call->at.opset < PADS_ARE_INPUT;
        return !is_attr || node_attr_float(call->at.node, "value", 0) == 0;
    }
    const array *value = call->in[VALUE].constant;
    if (value == NULL || shape_product(&value->shape, 0, value->shape.rank) != 1) return false;
    return dtype_is_float(value->dtype) ? value->f[0] == 0 : value->i[0] == 0;
}

/* True if a cut may write the pads of all axes into the file: those of axes other than `axis` are there. */
static bool can_be_written(op_labels *call, const pad_amounts *pads, int axis)
{
    bool stored = true;
    for (int a = 0; a < call->in[0].shape.rank; a++)
        for (int64_t e = pads->entry[a]; e >= 0 && e < 2 * pads->n; e += pads->n)
            if (a == axis)
                (void)labels_size(call, PADS, e, axis);
            else
                stored = stored && size_is_stored(call->set, call->at.node->inputs[PADS], e);
    return stored;
}

/* Zeros along an axis of units are units that no weight makes: they may go with the units that they are
 * added to, as in the shortcuts of ResNet-20 (option A). */
static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    const shape *in = &call->in[0].shape, *out = &call->out[0].shape;
    int axis = -1;
    int64_t *index = NULL;
    pad_amounts pads;
    pad_mode mode = PAD_CONSTANT;
    TRY(find_mode(at, &mode));
    TRY(read_facts(at, call->in, in->rank, &pads));
    if (!pads.known || !shape_known(in) || !shape_known(out))
        return labels_freeze_all(call, "the pads are not known");
    for (int a = 0; a < in->rank; a++) {
        if (pads.before[a] == 0 && pads.after[a] == 0) continue;
        if (call->labels[0].dims[a] <= 1) continue;
        if (axis >= 0) return labels_freeze_all(call, "it is padded along two axes of units");
        axis = a;
    }
    if (axis < 0) {
        call->result[0] = call->labels[0];
        return COSET_OK;
    }
    if (mode != PAD_CONSTANT)
        return labels_freeze_all(call, "it is padded with copies of its own units");
    if (!pads_with_zero(call))
        return labels_freeze_all(call, "units that are not zero are padded to it");
    if (at->opset >= PADS_ARE_INPUT && !can_be_written(call, &pads, axis))
        return labels_freeze_all(call, "its pads are computed for several axes");
    pad_axis along = make_axis(&pads, mode, axis, in->dims[axis]);
    TRY(ctx_alloc_raw(at->ctx, out->dims[axis], sizeof *index, &index));
    for (int64_t i = 0; i < out->dims[axis]; i++) index[i] = source_index(&along, i);
    TRY(labels_pick(call, 0, axis, index, out->dims[axis]));
done:
    ctx_free(at->ctx, index);
    return status;
}

/* Pads of one axis of the cut graph: zeros that are left, less indices that are left but removed. */
static void wanted_axis(const op_cut *call, const pad_axis *along, int axis, int64_t *before_out,
                        int64_t *after_out)
{
    const axis_keep *in = &call->keep_in[0], *out = &call->keep_out[0];
    int64_t n_in = in->index[axis] ? in->count[axis] : call->in[0].shape.dims[axis];
    int64_t n_out = out->index[axis] ? out->count[axis] : call->out[0].shape.dims[axis];
    *before_out = *after_out = 0;
    for (int64_t i = 0; i < n_out; i++) {
        int64_t place = (out->index[axis] ? out->index[axis][i] : i) - along->before;
        *before_out += place < 0;
        *after_out += place >= along->size;
    }
    for (int64_t i = 0; i < n_in; i++) {
        int64_t place = (in->index[axis] ? in->index[axis][i] : i) - along->low;
        *before_out -= place < 0;
        *after_out -= place >= along->size;
    }
}

static coset_status cut(op_cut *call)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    const shape *in = &call->in[0].shape;
    pad_amounts pads, now;
    int64_t list[2 * TENSOR_MAX_RANK];
    bool changes = false;
    if (in->rank < 0) return COSET_OK;
    TRY(read_facts(at, call->in, in->rank, &pads));
    if (!pads.known) goto done;
    TRY(read_facts(at, call->now, in->rank, &now));
    for (int a = 0; a < in->rank; a++) {
        int e = pads.entry[a];
        if (e < 0) continue;
        int64_t before = pads.before[a], after = pads.after[a];
        if (call->keep_in[0].index[a] != NULL || call->keep_out[0].index[a] != NULL) {
            pad_axis along = make_axis(&pads, PAD_CONSTANT, a, in->dims[a]);
            wanted_axis(call, &along, a, &before, &after);
            changes = changes || !now.known || now.before[a] != before || now.after[a] != after;
        }
        list[e] = before;
        list[e + pads.n] = after;
    }
    if (!changes) goto done;
    const shape of = {1, {2 * pads.n}};
    if (at->opset < PADS_ARE_INPUT)
        TRY(cut_set_ints(call, "pads", list, 2 * pads.n));
    else
        TRY(cut_set_input(call, PADS, list, &of));
done:
    return status;
}

const coset_op op_pad = {
    .type = "Pad",
    .domain = "",
    .since = 2,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};

const coset_op op_pad_11 = {
    .type = "Pad",
    .domain = "",
    .since = PADS_ARE_INPUT,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};

const coset_op op_pad_18 = {
    .type = "Pad",
    .domain = "",
    .since = HAS_AXES,
    .min_inputs = 2,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};
