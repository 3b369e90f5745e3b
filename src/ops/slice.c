/* Slice: every step-th index from start to end along some axes.
 * Source: ONNX Slice-1 (attributes), -10 (inputs, steps), -11, -13. */
#include <string.h>

#include "ops/box.h"
#include "ops/operand.h"

enum { STARTS = 1, ENDS = 2, AXES = 3, STEPS = 4 };

/* The parameters as the node gives them; NULL: absent, or not known. */
typedef struct slice_params {
    bool known;
    int64_t n;
    const int64_t *starts, *ends, *axes, *steps;
} slice_params;

/* What they mean for one shape: output index i of an axis is input index start + i * step. */
typedef struct slice_box {
    int64_t start[TENSOR_MAX_RANK], step[TENSOR_MAX_RANK], count[TENSOR_MAX_RANK];
    int entry[TENSOR_MAX_RANK]; /* place in the parameters; -1: the axis is not sliced */
} slice_box;

static coset_status mismatch(const op_node *at)
{
    return node_fail(at->ctx, at->node, COSET_EFORMAT,
                     "starts, ends, axes and steps are not of one length");
}

static coset_status read_attributes(const op_node *at, slice_params *params_out)
{
    int64_t n_ends = 0, n_axes = 0;
    slice_params self = {.known = true};
    self.starts = node_attr_ints(at->node, "starts", &self.n);
    self.ends = node_attr_ints(at->node, "ends", &n_ends);
    self.axes = node_attr_ints(at->node, "axes", &n_axes);
    if (n_ends != self.n || (self.axes != NULL && n_axes != self.n)) return mismatch(at);
    *params_out = self;
    return COSET_OK;
}

static bool given(const op_node *at, int input)
{
    return input < at->n_in && at->node->inputs[input] >= 0;
}

/* Reads the inputs; in[i] NULL or without data: not known. */
static coset_status read_inputs(const op_node *at, const array *const *in, slice_params *params_out)
{
    slice_params self = {.known = true};
    const int64_t *values[STEPS + 1] = {NULL};
    bool first = true;
    for (int i = STARTS; i <= STEPS; i++) {
        if (!given(at, i)) continue;
        if (in[i] == NULL || in[i]->data == NULL) {
            self.known = false;
            continue;
        }
        if (!dtype_is_integer(in[i]->dtype) || in[i]->shape.rank != 1)
            return node_fail(at->ctx, at->node, COSET_EFORMAT,
                             "input %d must be a list of integers", i);
        if (!first && in[i]->shape.dims[0] != self.n) return mismatch(at);
        self.n = in[i]->shape.dims[0];
        values[i] = in[i]->i;
        first = false;
    }
    if (!given(at, STARTS) || !given(at, ENDS))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "starts or ends are missing");
    self.starts = values[STARTS];
    self.ends = values[ENDS];
    self.axes = values[AXES];
    self.steps = values[STEPS];
    *params_out = self;
    return COSET_OK;
}

static bool has_inputs(const op_node *at)
{
    return at->opset >= 10;
}

static coset_status read_facts(const op_node *at, const fact *in, slice_params *params_out)
{
    const array *values[STEPS + 1] = {NULL};
    if (!has_inputs(at)) return read_attributes(at, params_out);
    for (int i = STARTS; i <= STEPS && i < at->n_in; i++) values[i] = in[i].constant;
    return read_inputs(at, values, params_out);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* One axis of `size` indices. */
static void resolve_axis(int64_t start, int64_t end, int64_t step, int64_t size, slice_box *box_out,
                         int axis)
{
    int64_t count = 0;
    if (step == INT64_MIN) step++;
    if (start < 0) start += size;
    if (end < 0) end += size;
    if (step > 0) {
        start = clamp(start, 0, size);
        end = clamp(end, 0, size);
        if (start < end) count = (end - start - 1) / step + 1;
    } else if (size > 0) {
        start = clamp(start, 0, size - 1);
        end = clamp(end, -1, size - 1);
        if (start > end) count = (start - end - 1) / -step + 1;
    }
    box_out->start[axis] = count > 0 ? start : 0;
    box_out->step[axis] = count > 1 ? step : step > 0 ? 1 : -1;
    box_out->count[axis] = count;
}

/* Axes whose size is unknown get count -1. */
static coset_status resolve(const op_node *at, const slice_params *params, const shape *in,
                            slice_box *box_out)
{
    slice_box self;
    for (int a = 0; a < in->rank; a++) {
        self.start[a] = 0;
        self.step[a] = 1;
        self.count[a] = in->dims[a];
        self.entry[a] = -1;
    }
    for (int64_t i = 0; i < params->n; i++) {
        int axis = 0;
        int64_t step = params->steps != NULL ? params->steps[i] : 1;
        coset_status status =
            axis_resolve(at, params->axes != NULL ? params->axes[i] : i, in->rank, &axis);
        if (status != COSET_OK) return status;
        if (self.entry[axis] >= 0)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "axis %d is sliced twice", axis);
        if (step == 0) return node_fail(at->ctx, at->node, COSET_EFORMAT, "a step is 0");
        self.entry[axis] = (int)i;
        if (in->dims[axis] < 0)
            self.count[axis] = -1;
        else
            resolve_axis(params->starts[i], params->ends[i], step, in->dims[axis], &self, axis);
    }
    *box_out = self;
    return COSET_OK;
}

static coset_status infer(op_infer *call)
{
    const op_node *at = &call->at;
    const shape *in = &call->in[0].shape;
    slice_params params;
    slice_box sliced;
    call->out[0].dtype = call->in[0].dtype;
    for (int i = STARTS; has_inputs(at) && i < at->n_in; i++)
        if (call->in[i].dtype != COSET_UNDEFINED && !dtype_is_integer(call->in[i].dtype))
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "input %d must be integers, not %s",
                             i, coset_dtype_name(call->in[i].dtype));
    coset_status status = read_facts(at, call->in, &params);
    if (status != COSET_OK || in->rank < 0) return status;
    call->out[0].shape.rank = in->rank;
    for (int a = 0; a < in->rank; a++) call->out[0].shape.dims[a] = -1;
    if (!params.known) return COSET_OK;
    status = resolve(at, &params, in, &sliced);
    for (int a = 0; status == COSET_OK && a < in->rank; a++)
        call->out[0].shape.dims[a] = sliced.count[a];
    return status;
}

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0], *values[STEPS + 1] = {NULL};
    const array *y = &call->out[0];
    slice_params params;
    slice_box sliced;
    box moved = {.rank = 0};
    int64_t from[TENSOR_MAX_RANK], to[TENSOR_MAX_RANK], offset = 0;
    coset_status status = call_same_kind(call, 1);
    for (int i = STARTS; i <= STEPS && i < call->at.n_in; i++) values[i] = &call->in[i];
    if (status == COSET_OK)
        status = has_inputs(&call->at) ? read_inputs(&call->at, values, &params)
                                       : read_attributes(&call->at, &params);
    if (status == COSET_OK) status = resolve(&call->at, &params, &x->shape, &sliced);
    if (status != COSET_OK) return status;
    shape_strides(&x->shape, from);
    shape_strides(&y->shape, to);
    for (int a = 0; a < x->shape.rank; a++) {
        if (sliced.count[a] != y->shape.dims[a])
            return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                             "its bounds are not those that its shape was inferred from");
        box_add(&moved, sliced.count[a], from[a] * sliced.step[a], to[a]);
        offset += sliced.start[a] * from[a];
    }
    size_t size = array_element_size(y->dtype);
    box_copy(&moved, (const unsigned char *)x->data + (size_t)offset * size, y->data, size,
             call->threads);
    return COSET_OK;
}

static bool takes_all(const slice_box *self, const shape *in, int axis)
{
    return self->count[axis] == in->dims[axis] && self->step[axis] == 1;
}

/* Every step-th unit stays every step-th if units go by whole steps: those of a step are tied. */
static void tie_steps(op_labels *call, int axis, int64_t step)
{
    const label_array *labels = &call->labels[0];
    int64_t size = labels->dims[axis], inner = 1, n = 1;
    for (int a = 0; a < labels->rank; a++) n *= labels->dims[a];
    for (int a = axis + 1; a < labels->rank; a++) inner *= labels->dims[a];
    for (int64_t e = 0; e < n; e++) {
        int64_t index = e / inner % size, first = e - index % step * inner;
        if (labels->ids[e] == LABEL_NONE || labels->ids[first] == LABEL_NONE)
            labels_unite(call->set,
                         labels->ids[e] == LABEL_NONE ? labels->ids[first] : labels->ids[e],
                         LABEL_FROZEN, "it is sliced in steps together with constants");
        labels_unite(call->set, labels->ids[e], labels->ids[first],
                     "it is sliced in steps together with a frozen axis");
    }
}

/* True if a cut may write the bounds of all axes into the file: those of axes without units are stored there,
 * or take everything. */
static bool can_be_written(const op_labels *call, const slice_box *sliced)
{
    const shape *in = &call->in[0].shape;
    for (int a = 0; a < in->rank; a++) {
        if (sliced->entry[a] < 0 || call->labels[0].dims[a] > 1) continue;
        for (int i = STARTS; i <= ENDS; i++) {
            int32_t list = call->at.node->inputs[i];
            int of = 0;
            bool whole =
                i == ENDS && takes_all(sliced, in, a) &&
                size_axis(call->set, list, sliced->entry[a], &of) == call->at.node->inputs[0] &&
                of == a;
            if (!whole && !size_is_stored(call->set, list, sliced->entry[a])) return false;
        }
    }
    return true;
}

/* Bounds of an axis of units may be computed from how many there are; false if they may be wrong in a cut. */
static bool bounds_follow(op_labels *call, const slice_box *sliced)
{
    bool follow = true;
    for (int a = 0; a < call->in[0].shape.rank; a++)
        for (int i = STARTS; i <= ENDS; i++)
            if (sliced->entry[a] >= 0 && call->labels[0].dims[a] > 1 &&
                labels_size(call, i, sliced->entry[a], a) == SIZE_CHANGES)
                follow = false;
    return follow;
}

static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->at.ctx;
    const shape *in = &call->in[0].shape;
    slice_params params;
    slice_box sliced;
    int64_t *index = NULL;
    int axis = -1;
    TRY(read_facts(&call->at, call->in, &params));
    if (!params.known) return labels_freeze_all(call, "the bounds of a slice are not known");
    TRY(resolve(&call->at, &params, in, &sliced));
    for (int a = 0; a < in->rank; a++) {
        if (sliced.count[a] <= 0) return labels_freeze_all(call, "a slice of it is empty");
        if (takes_all(&sliced, in, a) || call->labels[0].dims[a] <= 1) continue;
        if (axis >= 0) return labels_freeze_all(call, "it is sliced along two axes of units");
        axis = a;
    }
    call->result[0] = call->labels[0];
    if (has_inputs(&call->at) && (!bounds_follow(call, &sliced) || axis >= 0) &&
        !can_be_written(call, &sliced))
        return labels_freeze_all(call, "the bounds of its slice are computed for several axes");
    if (axis < 0) return COSET_OK;
    int64_t step = sliced.step[axis] < 0 ? -sliced.step[axis] : sliced.step[axis];
    if (step > 1) tie_steps(call, axis, step);
    TRY(ctx_alloc_raw(ctx, sliced.count[axis], sizeof *index, &index));
    for (int64_t i = 0; i < sliced.count[axis]; i++)
        index[i] = sliced.start[axis] + i * sliced.step[axis];
    TRY(labels_pick(call, 0, axis, index, sliced.count[axis]));
done:
    ctx_free(ctx, index);
    return status;
}

/* ---- cut ---------------------------------------------------------------------------------------- */

/* What the slice of an axis must be after the cut: where the kept indices of its output lie among the
 * kept indices of its input. */
static coset_status wanted_axis(const op_cut *call, const slice_box *old, int axis, slice_box *new)
{
    const axis_keep *in = &call->keep_in[0], *out = &call->keep_out[0];
    int64_t count = out->index[axis] != NULL ? out->count[axis] : old->count[axis];
    int64_t step = old->step[axis], before = 0;
    new->start[axis] = 0;
    new->step[axis] = step;
    new->count[axis] = count;
    for (int64_t i = 0; i < count; i++) {
        int64_t place = out->index[axis] != NULL ? out->index[axis][i] : i;
        place = axis_keep_place(in, axis, old->start[axis] + place * step);
        if (place < 0 || (i > 0 && place != before + step))
            return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                             "what is left of its axis %d is no slice", axis);
        if (i == 0) new->start[axis] = place;
        before = place;
    }
    return COSET_OK;
}

/* The bounds that the node reads in the cut graph, as far as they are known, are right. */
static bool is_right(const op_cut *call, const slice_box *wanted)
{
    const shape *in = &call->now[0].shape;
    slice_params params;
    slice_box now;
    if (read_facts(&call->at, call->now, &params) != COSET_OK || !params.known) return false;
    if (resolve(&call->at, &params, in, &now) != COSET_OK) return false;
    for (int a = 0; a < in->rank; a++) {
        if (call->keep_in[0].index[a] == NULL) continue;
        if (now.count[a] != wanted->count[a]) return false;
        if (now.count[a] > 0 && now.start[a] != wanted->start[a]) return false;
        if (now.count[a] > 1 && now.step[a] != wanted->step[a]) return false;
    }
    return true;
}

static coset_status set_bounds(op_cut *call, const int64_t *starts, const int64_t *ends, int64_t n)
{
    const shape list = {1, {n}};
    const int64_t *values[ENDS + 1] = {NULL, starts, ends};
    if (!has_inputs(&call->at)) {
        coset_status status = cut_set_ints(call, "starts", starts, n);
        return status == COSET_OK ? cut_set_ints(call, "ends", ends, n) : status;
    }
    for (int i = STARTS; i <= ENDS; i++) {
        const array *now = call->now[i].constant;
        if (now != NULL && shape_equal(&now->shape, &list) &&
            memcmp(now->i, values[i], (size_t)n * sizeof *values[i]) == 0)
            continue;
        coset_status status = cut_set_input(call, i, values[i], &list);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

static coset_status cut(op_cut *call)
{
    const op_node *at = &call->at;
    const shape *in = &call->in[0].shape;
    slice_params params;
    slice_box old, wanted;
    int64_t starts[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK];
    bool changes = false;
    for (int a = 0; a < in->rank; a++) changes = changes || call->keep_in[0].index[a] != NULL;
    if (!changes) return COSET_OK;
    coset_status status = read_facts(at, call->in, &params);
    if (status == COSET_OK) status = resolve(at, &params, in, &old);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < params.n; i++) {
        starts[i] = params.starts[i];
        ends[i] = params.ends[i];
    }
    changes = false;
    wanted = old;
    for (int a = 0; a < in->rank; a++) {
        int e = old.entry[a];
        if (e < 0 || call->keep_in[0].index[a] == NULL) continue;
        status = wanted_axis(call, &old, a, &wanted);
        if (status != COSET_OK) return status;
        /* A single index is reached by a step of either size, but its sign counts. */
        bool down = params.steps != NULL && params.steps[e] < 0;
        int64_t last = wanted.start[a] + (wanted.count[a] - 1) * wanted.step[a];
        starts[e] = wanted.start[a];
        ends[e] = down ? last - 1 : last + 1;
        if (ends[e] < 0) ends[e] = -call->keep_in[0].count[a] - 1;
        changes = true;
    }
    if (!changes || is_right(call, &wanted)) return COSET_OK;
    for (int a = 0; a < in->rank; a++) { /* bounds that were computed, but take everything */
        int e = old.entry[a];
        if (e < 0 || call->keep_in[0].index[a] != NULL || !takes_all(&old, in, a)) continue;
        starts[e] = 0;
        ends[e] = INT32_MAX;
    }
    return set_bounds(call, starts, ends, params.n);
}

const coset_op op_slice = {
    .type = "Slice",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};

const coset_op op_slice_10 = {
    .type = "Slice",
    .domain = "",
    .since = 10,
    .min_inputs = 3,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .cut = cut,
};
