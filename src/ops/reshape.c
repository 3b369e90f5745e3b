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

/* True if the target tensor is in the file, so that its entries are the same for every input. */
static bool is_stored(const op_cut *call)
{
    return call->graph->values[call->at.node->inputs[1]].constant != NULL;
}

static coset_status unsupported(const op_cut *call, const char *why)
{
    return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED, "%s", why);
}

/* Which entries of a computed target are the same for every input (bit a: entry a): those that a Concat
 * takes from stored constants. Its other inputs are single dimensions, if the numbers add up so. */
static unsigned fixed_entries(const op_cut *call, int rank)
{
    const coset_graph *graph = call->graph;
    int32_t producer = graph->values[call->at.node->inputs[1]].producer;
    if (producer < 0 || strcmp(graph->nodes[producer].op_type, "Concat") != 0) return 0;
    const graph_node *joint = &graph->nodes[producer];
    unsigned fixed = 0;
    int64_t at = 0;
    for (int32_t i = 0; i < joint->n_inputs && at < rank; i++) {
        const tensor *stored =
            joint->inputs[i] >= 0 ? graph->values[joint->inputs[i]].constant : NULL;
        int64_t n = stored != NULL ? tensor_elements(stored) : 1;
        for (int64_t e = at; stored != NULL && e < at + n && e < rank; e++) fixed |= 1U << e;
        at += n;
    }
    return at == rank ? fixed : 0;
}

/* The target of a cut whose entries the model computes: entries that are not cut may depend on the
 * batch, so they are said relative to the input where possible. */
static coset_status relative_target(const op_cut *call, int64_t *target, int rank)
{
    const shape *from = &call->in[0].shape, *to = &call->out[0].shape;
    const unsigned fixed = fixed_entries(call, rank);
    int open = -1;
    for (int a = 0; a < rank; a++)
        if (target[a] == -1) open = a;
    for (int a = 0; a < rank; a++) {
        if (call->keep_out[0].index[a] != NULL || target[a] == -1 || (fixed >> a & 1)) continue;
        bool copied = !allows_zero(&call->at) && a < from->rank && from->dims[a] == to->dims[a] &&
                      call->keep_in[0].index[a] == NULL;
        if (copied) {
            target[a] = 0;
        } else if (open < 0) {
            target[a] = -1;
            open = a;
        } else {
            return unsupported(call, "its target shape is computed from several dimensions");
        }
    }
    return COSET_OK;
}

static coset_status cut(op_cut *call)
{
    const array *old = call->in[1].constant;
    int rank = call->out[0].shape.rank;
    int64_t target[TENSOR_MAX_RANK];
    bool changes = false;
    if (rank < 0 || old == NULL || old->shape.dims[0] != rank) {
        for (int a = 0; a < TENSOR_MAX_RANK; a++)
            changes = changes || call->keep_out[0].index[a] != NULL;
        return changes ? unsupported(call, "its target shape is not known") : COSET_OK;
    }
    memcpy(target, old->i, (size_t)rank * sizeof *target);
    for (int a = 0; a < rank; a++) {
        if (call->keep_out[0].index[a] == NULL || target[a] == -1) continue;
        if (target[a] == 0 && !allows_zero(&call->at)) continue;
        target[a] = call->keep_out[0].count[a];
        changes = true;
    }
    if (!changes) return COSET_OK;
    if (!is_stored(call)) {
        coset_status status = relative_target(call, target, rank);
        if (status != COSET_OK) return status;
    }
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
    .labels = labels_reshape,
    .cut = cut,
};
