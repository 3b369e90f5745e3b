/* Concat: joins tensors along one axis. Source: ONNX Concat-4, -11 (negative axes), -13. */
#include <string.h>

#include "base/size.h"
#include "ops/operand.h"

static coset_status misfit(const op_infer *call, int input, int first)
{
    char left[SHAPE_TEXT], right[SHAPE_TEXT];
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "input %d of shape %s does not continue input %d of shape %s", input,
                     shape_text(&call->in[input].shape, left, sizeof left), first,
                     shape_text(&call->in[first].shape, right, sizeof right));
}

static coset_status find_axis(const op_node *at, int rank, int *axis_out)
{
    if (node_attr(at->node, "axis") == NULL)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "attribute axis is missing");
    return axis_resolve(at, node_attr_int(at->node, "axis", 0), rank, axis_out);
}

/* Adds input `input` to the result. */
static coset_status join(const op_infer *call, int input, int first, int axis, shape *result)
{
    const shape *in = &call->in[input].shape;
    if (in->rank != result->rank) return misfit(call, input, first);
    for (int a = 0; a < in->rank; a++) {
        int64_t *dim = &result->dims[a];
        if (a == axis) {
            if (*dim < 0 || in->dims[a] < 0)
                *dim = -1;
            else if (!dim_add(*dim, in->dims[a], dim))
                return misfit(call, input, first);
        } else if (*dim < 0) {
            *dim = in->dims[a];
        } else if (in->dims[a] >= 0 && in->dims[a] != *dim) {
            return misfit(call, input, first);
        }
    }
    return COSET_OK;
}

static coset_status infer(op_infer *call)
{
    fact *out = &call->out[0];
    shape result = SHAPE_UNKNOWN;
    int axis = 0, first = 0;
    bool open = false;
    for (int i = 0; i < call->at.n_in; i++) {
        const shape *in = &call->in[i].shape;
        coset_status status = infer_same_type(call, 0, i);
        if (out->dtype == COSET_UNDEFINED) out->dtype = call->in[i].dtype;
        if (in->rank < 0) {
            open = true;
        } else if (result.rank < 0) {
            if (status == COSET_OK) status = find_axis(&call->at, in->rank, &axis);
            result = *in;
            first = i;
        } else if (status == COSET_OK) {
            status = join(call, i, first, axis, &result);
        }
        if (status != COSET_OK) return status;
    }
    if (open && result.rank >= 0) result.dims[axis] = -1;
    out->shape = result;
    return COSET_OK;
}

static coset_status forward(op_call *call)
{
    array *y = &call->out[0];
    int axis = 0, rank = y->shape.rank;
    coset_status status = call_same_kind(call, call->at.n_in);
    if (status == COSET_OK) status = find_axis(&call->at, rank, &axis);
    if (status != COSET_OK) return status;
    size_t size = array_element_size(y->dtype);
    int64_t outer = shape_product(&y->shape, 0, axis);
    size_t row = (size_t)shape_product(&y->shape, axis, rank) * size, offset = 0;
    for (int i = 0; i < call->at.n_in; i++) {
        const array *x = &call->in[i];
        size_t bytes = (size_t)shape_product(&x->shape, axis, rank) * size;
        for (int64_t o = 0; o < outer && bytes > 0; o++)
            memcpy((unsigned char *)y->data + (size_t)o * row + offset,
                   (const unsigned char *)x->data + (size_t)o * bytes, bytes);
        offset += bytes;
    }
    return COSET_OK;
}

/* Units on the joined axis follow each other. Units on another axis are the same units in every
 * input, so the inputs meet as in an elementwise operator. */
static coset_status labels(op_labels *call)
{
    int axis = 0;
    bool along = false, across = false;
    coset_status status = find_axis(&call->at, call->out[0].shape.rank, &axis);
    if (status != COSET_OK) return status;
    for (int i = 0; i < call->at.n_in; i++)
        for (int a = 0; a < call->labels[i].rank; a++)
            if (call->labels[i].dims[a] > 1) {
                along = along || a == axis;
                across = across || a != axis;
            }
    if (along && across)
        return labels_freeze_all(call, "it is joined along one axis of units of two");
    if (across) return labels_elementwise(call, SLOT_ADD);
    return labels_by_kernel(call, call->at.n_in, 1U << axis);
}

const coset_op op_concat = {
    .type = "Concat",
    .domain = "",
    .since = 4,
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
