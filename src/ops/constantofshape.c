/* ConstantOfShape: a tensor of one value, float 0 if none is given. Source: ONNX ConstantOfShape-9, -20,
 * -21. */
#include "graph/convert.h"
#include "ops/operand.h"

static const tensor *value_of(const op_node *at)
{
    const graph_attr *attr = node_attr(at->node, "value");
    return attr != NULL && attr->kind == ATTR_TENSOR ? attr->t : NULL;
}

static coset_status infer(op_infer *call)
{
    const op_node *at = &call->at;
    const shape *of = &call->in[0].shape;
    const array *dims = call->in[0].constant;
    const tensor *value = value_of(at);
    shape *out = &call->out[0].shape;
    if (value != NULL && tensor_elements(value) != 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "value has %lld elements, not one",
                         (long long)tensor_elements(value));
    call->out[0].dtype = value != NULL ? value->dtype : COSET_F32;
    if (call->in[0].dtype != COSET_UNDEFINED && !dtype_is_integer(call->in[0].dtype))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "the shape must be int64, not %s",
                         coset_dtype_name(call->in[0].dtype));
    if (of->rank < 0) return COSET_OK;
    if (of->rank != 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "the shape must have rank 1, not %d",
                         of->rank);
    if (of->dims[0] < 0) return COSET_OK;
    if (of->dims[0] > TENSOR_MAX_RANK)
        return node_fail(at->ctx, at->node, COSET_ELIMIT, "the shape has rank %lld, at most %d",
                         (long long)of->dims[0], TENSOR_MAX_RANK);
    out->rank = (int)of->dims[0];
    for (int a = 0; a < out->rank; a++) {
        out->dims[a] = dims != NULL ? dims->i[a] : -1;
        if (dims != NULL && dims->i[a] < 0)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "dimension %d of the shape is %lld",
                             a, (long long)dims->i[a]);
    }
    return COSET_OK;
}

static coset_status forward(op_call *call)
{
    array *y = &call->out[0];
    const tensor *value = value_of(&call->at);
    float real = 0;
    int64_t whole = 0, n = shape_product(&y->shape, 0, y->shape.rank);
    if (array_element_size(y->dtype) == 0)
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot compute with element type %s", coset_dtype_name(y->dtype));
    if (value != NULL && dtype_is_float(y->dtype))
        convert_to_f32(value->dtype, value->data, 1, &real);
    if (value != NULL && !dtype_is_float(y->dtype))
        convert_to_i64(value->dtype, value->data, 1, &whole);
    if (dtype_is_float(y->dtype))
        for (int64_t i = 0; i < n; i++) y->f[i] = real;
    else
        for (int64_t i = 0; i < n; i++) y->i[i] = whole;
    return COSET_OK;
}

const coset_op op_constantofshape = {
    .type = "ConstantOfShape",
    .domain = "",
    .since = 9,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
};
