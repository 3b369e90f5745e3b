/* ScatterElements: single elements of a copy of `data` are replaced by or reduced with those of `updates`, at
 * their own place but for the axis, where `indices` names it.
 * Source: ONNX Scatter-9, ScatterElements-11, -13, -16 (add, mul), -18 (max, min). */
#include "ops/box.h"
#include "ops/operand.h"
#include "ops/scatter.h"

static coset_status check_shapes(const op_node *at, const shape *data, const shape *indices,
                                 const shape *updates, int *axis_out)
{
    if (data->rank < 0) return COSET_OK;
    coset_status status =
        axis_resolve(at, node_attr_int(at->node, "axis", 0), data->rank, axis_out);
    if (status != COSET_OK || indices->rank < 0) return status;
    bool fits = indices->rank == data->rank && (updates->rank < 0 || updates->rank == data->rank);
    for (int a = 0; fits && a < data->rank; a++) {
        int64_t n = indices->dims[a];
        fits = n < 0 || updates->rank < 0 || updates->dims[a] < 0 || updates->dims[a] == n;
        fits = fits && (a == *axis_out || n < 0 || data->dims[a] < 0 || n <= data->dims[a]);
    }
    if (fits) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT,
                     "data, indices and updates have shapes that do not fit");
}

static coset_status infer(op_infer *call)
{
    int axis = 0;
    coset_status status = scatter_infer(call);
    if (status != COSET_OK) return status;
    return check_shapes(&call->at, &call->in[0].shape, &call->in[1].shape, &call->in[2].shape,
                        &axis);
}

static coset_status forward(op_call *call)
{
    const array *indices = &call->in[1], *updates = &call->in[2];
    const shape *of = &indices->shape;
    array *y = &call->out[0];
    scatter_reduction reduction = SCATTER_NONE;
    int axis = 0;
    int64_t steps[TENSOR_MAX_RANK], n = shape_product(of, 0, of->rank);
    size_t size = array_element_size(y->dtype);
    coset_status status = scatter_find(&call->at, &reduction);
    if (status == COSET_OK) status = scatter_start(call);
    if (status == COSET_OK) status = check_shapes(&call->at, &y->shape, of, &updates->shape, &axis);
    if (status != COSET_OK) return status;
    shape_strides(&y->shape, steps);
    for (int64_t e = 0; e < n; e++) {
        int64_t rest = e, offset = 0;
        for (int a = of->rank - 1; a >= 0; a--) {
            int64_t place = rest % of->dims[a];
            rest /= of->dims[a];
            if (a == axis) place = scatter_place(indices->i[e], y->shape.dims[a]);
            if (place < 0)
                return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                                 "index %lld is outside of axis %d", (long long)indices->i[e], a);
            offset += place * steps[a];
        }
        scatter_apply(reduction, y->dtype, (const unsigned char *)updates->data + (size_t)e * size,
                      (unsigned char *)y->data + (size_t)offset * size, 1);
    }
    array_normalise(y);
    return COSET_OK;
}

const coset_op op_scatter = {
    .type = "Scatter",
    .domain = "",
    .since = 9,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
};

const coset_op op_scatterelements = {
    .type = "ScatterElements",
    .domain = "",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
};
