#include "ops/operand.h"

coset_status axis_resolve(const op_node *at, int64_t axis, int rank, int *axis_out)
{
    if (axis < -(int64_t)rank || axis >= rank)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "axis %lld is not in [%d, %d) of an input of rank %d", (long long)axis,
                         -rank, rank, rank);
    *axis_out = (int)(axis < 0 ? axis + rank : axis);
    return COSET_OK;
}

axes_list axes_read(const op_node *at, int64_t moved, const array *input)
{
    axes_list axes = {.given = false, .known = true};
    if (at->opset < moved) {
        axes.values = node_attr_ints(at->node, "axes", &axes.n);
        axes.given = node_attr(at->node, "axes") != NULL;
    } else if (at->n_in > 1 && at->node->inputs[1] >= 0) {
        axes.given = true;
        axes.known = input != NULL && input->data != NULL;
        if (axes.known) {
            axes.values = input->i;
            axes.n = shape_product(&input->shape, 0, input->shape.rank);
        }
    }
    return axes;
}

coset_status axes_infer(const op_infer *call, int64_t moved, axes_list *axes_out)
{
    const fact *input = call->at.opset >= moved && call->at.n_in > 1 ? &call->in[1] : NULL;
    if (input != NULL && input->dtype != COSET_UNDEFINED && !dtype_is_integer(input->dtype))
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT, "axes must be int64, not %s",
                         coset_dtype_name(input->dtype));
    *axes_out = axes_read(&call->at, moved, input != NULL ? input->constant : NULL);
    return COSET_OK;
}

coset_status axes_mask(const op_node *at, const axes_list *axes, int rank, unsigned *mask_out)
{
    unsigned mask = 0;
    for (int64_t i = 0; i < axes->n; i++) {
        int axis = 0;
        coset_status status = axis_resolve(at, axes->values[i], rank, &axis);
        if (status != COSET_OK) return status;
        if (mask >> axis & 1)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "axis %lld is listed twice",
                             (long long)axes->values[i]);
        mask |= 1U << axis;
    }
    *mask_out = mask;
    return COSET_OK;
}

int64_t fact_dim(const fact *self, int axis)
{
    return self->shape.rank < 0 ? -1 : self->shape.dims[axis];
}

coset_status infer_same_type(const op_infer *call, int a, int b)
{
    coset_dtype left = call->in[a].dtype, right = call->in[b].dtype;
    if (left == right || left == COSET_UNDEFINED || right == COSET_UNDEFINED) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "inputs %d and %d must have one element type, not %s and %s", a, b,
                     coset_dtype_name(left), coset_dtype_name(right));
}

coset_status call_same_kind(const op_call *call, int n)
{
    size_t size = array_element_size(call->out[0].dtype);
    bool same = size > 0;
    for (int i = 0; i < n && i < call->at.n_in; i++)
        if (call->at.node->inputs[i] >= 0)
            same = same && call->in[i].data != NULL &&
                   dtype_is_float(call->in[i].dtype) == dtype_is_float(call->out[0].dtype) &&
                   array_element_size(call->in[i].dtype) == size;
    if (same) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                     "cannot compute with element type %s", coset_dtype_name(call->out[0].dtype));
}

bool labels_none(const label_array *labels)
{
    int64_t count = 1;
    for (int a = 0; a < labels->rank; a++) count *= labels->dims[a];
    for (int64_t i = 0; i < count; i++)
        if (labels->ids[i] != LABEL_NONE) return false;
    return true;
}
