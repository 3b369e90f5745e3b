/* Declared types of graph inputs, outputs and inner values of a changed graph. */
#include <string.h>

#include "onnx/rewrite.h"

static coset_status set_dim(rewrite *self, const graph_value *value, int axis,
                            Onnx__TensorShapeProto__Dimension *dim)
{
    int64_t size = value->shape.dims[axis];
    const char *name = value->dim_names != NULL ? value->dim_names[axis] : NULL;
    if (size >= 0) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = size;
    } else if (name != NULL) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        return rewrite_text(self, name, &dim->dim_param);
    } else {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
    }
    return COSET_OK;
}

/* Dimensions that still hold stay the file's own, with their denotation. */
static coset_status new_shape(rewrite *self, const Onnx__TensorShapeProto *source,
                              const shape *declared, const graph_value *value,
                              Onnx__TensorShapeProto **shape_out)
{
    coset_status status = COSET_OK;
    Onnx__TensorShapeProto *made = NULL;
    int rank = value->shape.rank;
    bool same_rank = source != NULL && declared->rank == rank;
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *made, &made));
    onnx__tensor_shape_proto__init(made);
    if (source != NULL) made->base = source->base;
    TRY(arena_alloc(self->ctx, &self->arena, rank, sizeof *made->dim, &made->dim));
    made->n_dim = (size_t)rank;
    for (int i = 0; i < rank; i++) {
        if (same_rank && declared->dims[i] == value->shape.dims[i]) {
            made->dim[i] = source->dim[i];
            continue;
        }
        TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *made->dim[i], &made->dim[i]));
        onnx__tensor_shape_proto__dimension__init(made->dim[i]);
        if (same_rank) *made->dim[i] = *source->dim[i];
        TRY(set_dim(self, value, i, made->dim[i]));
    }
    *shape_out = made;
done:
    return status;
}

/* Inputs and outputs must have a shape: if it is no longer known, the declared rank is kept, with
 * every dimension open. (Entries of inner values are dropped by the caller instead.) */
static graph_value with_rank(const graph_value *value, const shape *declared)
{
    graph_value open = *value;
    if (value->shape.rank >= 0 || declared->rank < 0) return open;
    open.shape.rank = declared->rank;
    for (int i = 0; i < declared->rank; i++) open.shape.dims[i] = -1;
    open.dim_names = NULL;
    return open;
}

static coset_status new_info(rewrite *self, const Onnx__ValueInfoProto *source,
                             const shape *declared, const graph_value *value,
                             Onnx__ValueInfoProto **info_out)
{
    coset_status status = COSET_OK;
    Onnx__ValueInfoProto *info = NULL;
    Onnx__TypeProto *type = NULL;
    Onnx__TypeProto__Tensor *dense = NULL;
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *info, &info));
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *type, &type));
    TRY(arena_alloc(self->ctx, &self->arena, 1, sizeof *dense, &dense));
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(dense);
    if (source != NULL)
        *info = *source;
    else
        TRY(rewrite_text(self, value->name, &info->name));
    const Onnx__TypeProto *old = source != NULL ? source->type : NULL;
    if (old != NULL) *type = *old;
    if (old != NULL && old->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        *dense = *old->tensor_type;
    const Onnx__TensorShapeProto *old_shape = dense->shape;
    if (value->dtype != COSET_UNDEFINED) {
        dense->has_elem_type = 1;
        dense->elem_type = (int32_t)value->dtype;
    }
    graph_value open = with_rank(value, declared);
    dense->shape = NULL;
    if (open.shape.rank >= 0) TRY(new_shape(self, old_shape, declared, &open, &dense->shape));
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = dense;
    info->type = type;
    *info_out = info;
done:
    return status;
}

coset_status rewrite_value(rewrite *self, Onnx__ValueInfoProto *source, const graph_value *value,
                           Onnx__ValueInfoProto **info_out)
{
    coset_dtype dtype = COSET_UNDEFINED;
    shape declared = SHAPE_UNKNOWN;
    if (source != NULL) {
        coset_status status = onnx_type(self->ctx, source->type, value->name, &dtype, &declared);
        if (status != COSET_OK) return status;
        bool same_type = value->dtype == COSET_UNDEFINED || value->dtype == dtype;
        /* Sequences and the like are not modelled, and so they do not change. */
        bool dense =
            source->type != NULL && source->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        bool modelled = dense || value->dtype != COSET_UNDEFINED || value->shape.rank >= 0;
        if (!modelled || (same_type && shape_equal(&declared, &value->shape))) {
            *info_out = source;
            return COSET_OK;
        }
    }
    return new_info(self, source, &declared, value, info_out);
}
