/* GatherElements: element by element, from the same place of `data` but for the axis, where `indices` names it.
 * Source: ONNX GatherElements-11, -13. */
#include "ops/box.h"
#include "ops/operand.h"
#include "ops/scatter.h"

static coset_status check_shapes(const op_node *at, const shape *data, const shape *indices,
                                 int *axis_out)
{
    if (data->rank < 0) return COSET_OK;
    coset_status status =
        axis_resolve(at, node_attr_int(at->node, "axis", 0), data->rank, axis_out);
    if (status != COSET_OK || indices->rank < 0) return status;
    bool fits = indices->rank == data->rank;
    for (int a = 0; fits && a < data->rank; a++)
        fits = a == *axis_out || indices->dims[a] < 0 || data->dims[a] < 0 ||
               indices->dims[a] <= data->dims[a];
    if (fits) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "indices do not fit data");
}

static coset_status infer(op_infer *call)
{
    int axis = 0;
    coset_dtype indices = call->in[1].dtype;
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = call->in[1].shape;
    if (indices != COSET_UNDEFINED && !dtype_is_integer(indices))
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                         "indices must be integers, not %s", coset_dtype_name(indices));
    return check_shapes(&call->at, &call->in[0].shape, &call->in[1].shape, &axis);
}

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0], *indices = &call->in[1];
    const shape *of = &indices->shape;
    array *y = &call->out[0];
    int axis = 0;
    int64_t steps[TENSOR_MAX_RANK], n = shape_product(of, 0, of->rank);
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = check_shapes(&call->at, &x->shape, of, &axis);
    if (status != COSET_OK) return status;
    if (indices->data == NULL || !dtype_is_integer(indices->dtype))
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot use indices of type %s", coset_dtype_name(indices->dtype));
    shape_strides(&x->shape, steps);
    for (int64_t e = 0; e < n; e++) {
        int64_t rest = e, offset = 0;
        for (int a = of->rank - 1; a >= 0; a--) {
            int64_t place = rest % of->dims[a];
            rest /= of->dims[a];
            if (a == axis) place = scatter_place(indices->i[e], x->shape.dims[a]);
            if (place < 0)
                return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                                 "index %lld is outside of axis %d", (long long)indices->i[e], a);
            offset += place * steps[a];
        }
        if (dtype_is_float(y->dtype))
            y->f[e] = x->f[offset];
        else
            y->i[e] = x->i[offset];
    }
    return COSET_OK;
}

const coset_op op_gatherelements = {
    .type = "GatherElements",
    .domain = "",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
};
