/* Reshape: the same elements under another shape. In the target 0 copies the input's dimension
 * (unless allowzero), one -1 takes what is left. Source: ONNX Reshape-5, -13, -14 (allowzero). */
#include <string.h>

#include "base/size.h"
#include "ops/elementwise.h"
#include "ops/operand.h"

static bool allows_zero(const op_node *at)
{
    return at->opset >= 14 && node_attr_int(at->node, "allowzero", 0) != 0;
}

/* Target shape with the zeros copied; -1 where a dimension is unknown or still to be found. */
static coset_status read_target(const op_infer *call, const array *target, shape *result_out,
                                int *free_axis_out)
{
    const op_node *at = &call->at;
    const shape *from = &call->in[0].shape;
    shape result = {.rank = (int)target->shape.dims[0]};
    int free_axis = -1;
    for (int a = 0; a < result.rank; a++) {
        int64_t dim = target->i[a];
        if (dim < -1)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "dimension %d of the target is %lld",
                             a, (long long)dim);
        if (dim == -1) {
            if (free_axis >= 0)
                return node_fail(at->ctx, at->node, COSET_EFORMAT,
                                 "the target has -1 at two places, %d and %d", free_axis, a);
            free_axis = a;
        }
        if (dim == 0 && !allows_zero(at)) {
            if (from->rank >= 0 && a >= from->rank)
                return node_fail(at->ctx, at->node, COSET_EFORMAT,
                                 "dimension %d of the target is 0, but the input has rank %d", a,
                                 from->rank);
            dim = fact_dim(&call->in[0], a);
        }
        result.dims[a] = dim;
    }
    *result_out = result;
    *free_axis_out = free_axis;
    return COSET_OK;
}

/* Product of all known dimensions but `skip`; false if one is unknown or the product is too
 * large. */
static bool product_without(const shape *self, int skip, int64_t *product_out)
{
    int64_t product = 1;
    for (int a = 0; a < self->rank; a++) {
        if (a == skip) continue;
        if (self->dims[a] < 0 || !dim_mul(product, self->dims[a], &product)) return false;
    }
    *product_out = product;
    return true;
}

static coset_status misfit(const op_infer *call, const shape *target)
{
    char from[SHAPE_TEXT], to[SHAPE_TEXT];
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT, "shape %s cannot become %s",
                     shape_text(&call->in[0].shape, from, sizeof from),
                     shape_text(target, to, sizeof to));
}

static coset_status resolve(const op_infer *call, const array *target, shape *result)
{
    int free_axis = -1;
    int64_t have = 0, rest = 0;
    coset_status status = read_target(call, target, result, &free_axis);
    if (status != COSET_OK) return status;
    if (!shape_known(&call->in[0].shape)) return COSET_OK;
    if (!product_without(&call->in[0].shape, -1, &have)) return COSET_OK;
    if (!product_without(result, free_axis, &rest)) return misfit(call, result);
    if (free_axis >= 0) {
        /* Beside a 0 any size would fit. */
        if (rest == 0 || have % rest != 0) return misfit(call, result);
        result->dims[free_axis] = have / rest;
    } else if (rest != have) {
        return misfit(call, result);
    }
    return COSET_OK;
}

static coset_status infer(op_infer *call)
{
    const op_node *at = &call->at;
    const fact *target = &call->in[1];
    fact *out = &call->out[0];
    out->dtype = call->in[0].dtype;
    if (target->dtype != COSET_UNDEFINED && !dtype_is_integer(target->dtype))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "the target must be int64, not %s",
                         coset_dtype_name(target->dtype));
    if (target->shape.rank < 0) return COSET_OK;
    if (target->shape.rank != 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "the target must have rank 1, not %d",
                         target->shape.rank);
    if (target->shape.dims[0] < 0) return COSET_OK;
    if (target->shape.dims[0] > TENSOR_MAX_RANK)
        return node_fail(at->ctx, at->node, COSET_ELIMIT, "the target has rank %lld, at most %d",
                         (long long)target->shape.dims[0], TENSOR_MAX_RANK);
    out->shape.rank = (int)target->shape.dims[0];
    for (int a = 0; a < out->shape.rank; a++) out->shape.dims[a] = -1;
    return target->constant != NULL ? resolve(call, target->constant, &out->shape) : COSET_OK;
}

/* ---- units ---------------------------------------------------------------------------------------- */

/* What a target that the model computes may be replaced with. */
typedef struct retarget {
    const op_node *at;
    const label_set *labels;
    const shape *from, *to;   /* of the whole graph */
    unsigned cut_in, cut_out; /* bit a: axis a loses indices */
    int64_t *target;          /* [to->rank] entries that are cut have their new values; written */
} retarget;

/* True if an entry is always the size of the same axis of the data, where the numbers say so. */
static bool is_copied(const retarget *self, int a)
{
    int axis = 0, value = size_axis(self->labels, self->at->node->inputs[1], a, &axis);
    if (allows_zero(self->at) || a >= self->from->rank || (self->cut_in >> a & 1)) return false;
    return self->from->dims[a] == self->to->dims[a] &&
           (value != self->at->node->inputs[0] || axis == a);
}

/* Entries that are not cut may depend on the sizes of the model's input, so they are said relative to
 * the data; false if that is not possible. */
static bool make_relative(const retarget *self)
{
    int open = -1;
    for (int a = 0; a < self->to->rank; a++)
        if (self->target[a] == -1) open = a;
    for (int a = 0; a < self->to->rank; a++) {
        if ((self->cut_out >> a & 1) || self->target[a] == -1) continue;
        if (size_is_stored(self->labels, self->at->node->inputs[1], a)) continue;
        if (is_copied(self, a)) {
            self->target[a] = 0;
        } else if (open < 0) {
            self->target[a] = -1;
            open = a;
        } else {
            return false;
        }
    }
    return true;
}

static unsigned units_along(const label_array *labels)
{
    unsigned axes = 0;
    for (int a = 0; a < labels->rank; a++) axes |= labels->dims[a] > 1 ? 1U << a : 0;
    return axes;
}

/* False for entries that leave the size to the data. */
static bool is_size(const op_node *at, int64_t entry)
{
    return entry > 0 || (entry == 0 && allows_zero(at));
}

/* Units pass if the target follows their cut by itself, or can be replaced. */
static coset_status labels(op_labels *call)
{
    const array *target = call->in[1].constant;
    const shape *to = &call->out[0].shape;
    int64_t entries[TENSOR_MAX_RANK];
    coset_status status = labels_reshape(call);
    if (status != COSET_OK || labels_fixed(call, 1)) return status;
    retarget change = {&call->at,
                       call->set,
                       &call->in[0].shape,
                       to,
                       units_along(&call->labels[0]),
                       units_along(&call->result[0]),
                       entries};
    if (change.cut_out == 0) return COSET_OK;
    if (target == NULL)
        return labels_freeze_all(call, "the shape that it is reshaped to is not known");
    bool follows = true;
    for (int a = 0; a < to->rank; a++) {
        entries[a] = target->i[a];
        if (!(change.cut_out >> a & 1) || !is_size(&call->at, entries[a])) continue;
        follows = labels_size(call, 1, a, a) == SIZE_FOLLOWS && follows;
    }
    if (follows || make_relative(&change)) return COSET_OK;
    return labels_freeze_all(call, "its target shape is computed from several dimensions");
}

/* True if what the node reads in the cut graph is right there. */
static bool is_right(const op_cut *call)
{
    const op_infer now = {call->at, call->now, NULL};
    shape result;
    if (call->now[1].constant == NULL || !shape_known(&call->now[0].shape)) return false;
    if (resolve(&now, call->now[1].constant, &result) != COSET_OK) return false;
    for (int a = 0; a < result.rank; a++) {
        bool cut = call->keep_out[0].index[a] != NULL;
        if (result.dims[a] != (cut ? call->keep_out[0].count[a] : call->out[0].shape.dims[a]))
            return false;
    }
    return true;
}

static coset_status cut(op_cut *call)
{
    const array *old = call->in[1].constant;
    const shape *to = &call->out[0].shape;
    int64_t target[TENSOR_MAX_RANK];
    retarget change = {&call->at, call->labels, &call->in[0].shape, to, 0, 0, target};
    if (old == NULL || to->rank < 0 || is_right(call)) return COSET_OK;
    for (int a = 0; a < to->rank; a++) {
        target[a] = old->i[a];
        if (call->keep_in[0].index[a] != NULL) change.cut_in |= 1U << a;
        if (call->keep_out[0].index[a] == NULL) continue;
        change.cut_out |= 1U << a;
        if (is_size(&call->at, target[a])) target[a] = call->keep_out[0].count[a];
    }
    if (memcmp(target, old->i, (size_t)to->rank * sizeof *target) == 0) return COSET_OK;
    bool stored = true;
    for (int a = 0; a < to->rank; a++)
        stored = stored && size_is_stored(call->labels, call->at.node->inputs[1], a);
    if (!stored && !make_relative(&change))
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "its target shape is computed from several dimensions");
    return cut_set_input(call, 1, target, &old->shape);
}

const coset_op op_reshape = {
    .type = "Reshape",
    .domain = "",
    .since = 5,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = copy_forward,
    .labels = labels,
    .cut = cut,
};
