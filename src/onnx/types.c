#include "base/size.h"
#include "onnx/model.h"

static coset_status declared_shape(coset_ctx *ctx, const Onnx__TensorShapeProto *proto,
                                   const char *name, shape *shape_out)
{
    int64_t known = 1;
    if (proto->n_dim > TENSOR_MAX_RANK)
        return ctx_fail(ctx, COSET_ELIMIT,
                        "'%.300s': declared with rank %zu, at most %d is "
                        "supported",
                        name, proto->n_dim, TENSOR_MAX_RANK);
    shape_out->rank = (int)proto->n_dim;
    for (size_t i = 0; i < proto->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = proto->dim[i];
        shape_out->dims[i] = -1;
        if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) continue;
        /* Some exporters write -1 for "unknown". */
        if (dim->dim_value < -1)
            return ctx_fail(ctx, COSET_EFORMAT, "'%.300s': dimension %zu is declared as %lld", name,
                            i, (long long)dim->dim_value);
        shape_out->dims[i] = dim->dim_value;
        if (dim->dim_value > 0 &&
            (!dim_mul(known, dim->dim_value, &known) || known > TENSOR_MAX_ELEMENTS))
            return ctx_fail(ctx, COSET_ELIMIT, "'%.300s': declared with more than 2^40 elements",
                            name);
    }
    return COSET_OK;
}

coset_status onnx_type(coset_ctx *ctx, const Onnx__TypeProto *type, const char *name,
                       coset_dtype *dtype_out, shape *shape_out)
{
    *dtype_out = COSET_UNDEFINED;
    *shape_out = SHAPE_UNKNOWN;
    if (type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        type->tensor_type == NULL)
        return COSET_OK;
    coset_dtype dtype = (coset_dtype)type->tensor_type->elem_type;
    if (dtype == COSET_STRING || coset_dtype_bits(dtype) > 0) *dtype_out = dtype;
    if (type->tensor_type->shape == NULL) return COSET_OK;
    return declared_shape(ctx, type->tensor_type->shape, name, shape_out);
}
