/* Tensor messages to tensors. */
#include <stdio.h>
#include <string.h>

#include "onnx/model.h"
#include "onnx/onnx.h"

/* The typed field in which an element type keeps its data. */
typedef struct typed_field {
    const char *name;
    void **slot;        /* the field's pointer in the message */
    size_t count, size; /* entries that are there, bytes of one */
} typed_field;

static typed_field field_of(coset_dtype dtype, Onnx__TensorProto *proto)
{
    switch (dtype) {
    case COSET_F32:
    case COSET_C64:
        return (typed_field){"float_data", (void **)&proto->float_data, proto->n_float_data, 4};
    case COSET_F64:
    case COSET_C128:
        return (typed_field){"double_data", (void **)&proto->double_data, proto->n_double_data, 8};
    case COSET_I64:
        return (typed_field){"int64_data", (void **)&proto->int64_data, proto->n_int64_data, 8};
    case COSET_U32:
    case COSET_U64:
        return (typed_field){"uint64_data", (void **)&proto->uint64_data, proto->n_uint64_data, 8};
    default:
        return (typed_field){"int32_data", (void **)&proto->int32_data, proto->n_int32_data, 4};
    }
}

static size_t typed_entries(const Onnx__TensorProto *proto)
{
    return proto->n_float_data + proto->n_int32_data + proto->n_string_data + proto->n_int64_data +
           proto->n_double_data + proto->n_uint64_data;
}

coset_status onnx_tensor_type(coset_ctx *ctx, const Onnx__TensorProto *proto,
                              coset_dtype *dtype_out, shape *shape_out)
{
    int64_t count = 0;
    if (proto->n_dims > TENSOR_MAX_RANK)
        return ctx_fail(ctx, COSET_ELIMIT, "rank %zu: at most %d is supported", proto->n_dims,
                        TENSOR_MAX_RANK);
    *shape_out = (shape){.rank = (int)proto->n_dims};
    for (size_t i = 0; i < proto->n_dims; i++) {
        if (proto->dims[i] < 0)
            return ctx_fail(ctx, COSET_EFORMAT, "dimension %zu is %lld: expected 0 or more", i,
                            (long long)proto->dims[i]);
        shape_out->dims[i] = proto->dims[i];
    }
    *dtype_out = (coset_dtype)proto->data_type;
    if (!proto->has_data_type || proto->data_type == COSET_UNDEFINED)
        return ctx_fail(ctx, COSET_EFORMAT, "its element type is missing");
    if (*dtype_out != COSET_STRING && coset_dtype_bits(*dtype_out) == 0)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "element type %d is unknown", proto->data_type);
    return shape_elements(ctx, shape_out, &count);
}

/* Takes over a large buffer of the message as the data of a tensor. */
static coset_status take(coset_ctx *ctx, onnx_model *model, void **slot, size_t bytes,
                         coset_dtype dtype, const shape *dims, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    TRY(ctx_reserve(ctx, &model->loans, &model->loans_capacity, model->n_loans + 1,
                    sizeof *model->loans));
    TRY(tensor_new(ctx, dtype, dims, *slot, bytes, tensor_out));
    model->loans[model->n_loans++] = (heap_loan){slot, tensor_retain(*tensor_out)};
done:
    return status;
}

/* `bytes` fits dtype and shape. */
static coset_status take_or_copy(coset_ctx *ctx, onnx_model *model, void **slot, size_t bytes,
                                 coset_dtype dtype, const shape *dims, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    void *data = NULL;
    if (bytes > 0 && heap_is_large(*slot))
        return take(ctx, model, slot, bytes, dtype, dims, tensor_out);
    TRY(ctx_alloc_raw(ctx, (int64_t)bytes, 1, &data));
    if (bytes > 0) memcpy(data, *slot, bytes);
    TRY(tensor_new(ctx, dtype, dims, data, bytes, tensor_out));
    data = NULL;
done:
    ctx_free(ctx, data);
    return status;
}

static coset_status from_raw(coset_ctx *ctx, onnx_model *model, Onnx__TensorProto *proto,
                             coset_dtype dtype, const shape *dims, tensor **tensor_out)
{
    size_t need = 0;
    char text[SHAPE_TEXT];
    if (dtype == COSET_STRING)
        return ctx_fail(ctx, COSET_EFORMAT, "strings cannot be stored in raw_data");
    if (typed_entries(proto) > 0)
        return ctx_fail(ctx, COSET_EFORMAT, "has both raw_data and typed data");
    coset_status status = tensor_bytes(ctx, dtype, dims, &need);
    if (status != COSET_OK) return status;
    if (proto->raw_data.len != need)
        return ctx_fail(ctx, COSET_EFORMAT, "raw_data has %zu bytes; %s of shape %s needs %zu",
                        proto->raw_data.len, coset_dtype_name(dtype),
                        shape_text(dims, text, sizeof text), need);
    return take_or_copy(ctx, model, (void **)&proto->raw_data.data, need, dtype, dims, tensor_out);
}

/* The low bytes of each entry. Little-endian, as raw_data is. */
static coset_status narrow(coset_ctx *ctx, const typed_field *field, size_t width,
                           coset_dtype dtype, const shape *dims, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    uint8_t *data = NULL;
    TRY(ctx_alloc_raw(ctx, (int64_t)field->count, width, &data));
    const uint8_t *from = *field->slot;
    for (size_t i = 0; i < field->count; i++)
        memcpy(data + i * width, from + i * field->size, width);
    TRY(tensor_new(ctx, dtype, dims, data, field->count * width, tensor_out));
    data = NULL;
done:
    ctx_free(ctx, data);
    return status;
}

static coset_status from_typed(coset_ctx *ctx, onnx_model *model, Onnx__TensorProto *proto,
                               coset_dtype dtype, const shape *dims, tensor **tensor_out)
{
    typed_field field = field_of(dtype, proto);
    size_t bits = coset_dtype_bits(dtype), need = 0;
    char text[SHAPE_TEXT];
    coset_status status = tensor_bytes(ctx, dtype, dims, &need);
    if (status != COSET_OK) return status;
    /* An entry is an element, half a complex number, or a byte of packed 4-bit elements. */
    size_t width = bits < 8 ? 1 : dtype == COSET_C64 || dtype == COSET_C128 ? bits / 16 : bits / 8;
    if (typed_entries(proto) != field.count)
        return ctx_fail(ctx, COSET_EFORMAT, "has data in another field than %s, where %s belongs",
                        field.name, coset_dtype_name(dtype));
    if (field.count != need / width)
        return ctx_fail(ctx, COSET_EFORMAT, "%s has %zu entries; %s of shape %s needs %zu",
                        field.name, field.count, coset_dtype_name(dtype),
                        shape_text(dims, text, sizeof text), need / width);
    if (width == field.size)
        return take_or_copy(ctx, model, field.slot, need, dtype, dims, tensor_out);
    return narrow(ctx, &field, width, dtype, dims, tensor_out);
}

/* Pointers to the elements, then the elements themselves, in one allocation. */
static coset_status from_strings(coset_ctx *ctx, const Onnx__TensorProto *proto, const shape *dims,
                                 tensor **tensor_out)
{
    coset_status status = COSET_OK;
    tensor *made = NULL;
    char **strings = NULL;
    size_t n = proto->n_string_data, total = n * sizeof *strings;
    if (typed_entries(proto) != n)
        FAIL(ctx, COSET_EFORMAT, "has data in another field than string_data");
    int64_t elements = shape_product(dims, 0, dims->rank);
    if ((int64_t)n != elements)
        FAIL(ctx, COSET_EFORMAT, "string_data has %zu entries, expected %lld", n,
             (long long)elements);
    for (size_t i = 0; i < n; i++) total += proto->string_data[i].len + 1;
    TRY(ctx_alloc(ctx, (int64_t)total, 1, &strings));
    char *at = (char *)(strings + n);
    for (size_t i = 0; i < n; i++) {
        size_t length = proto->string_data[i].len;
        strings[i] = at;
        if (length > 0) memcpy(at, proto->string_data[i].data, length);
        at += length + 1;
    }
    TRY(tensor_new(ctx, COSET_STRING, dims, NULL, 0, &made));
    made->strings = strings;
    strings = NULL;
    *tensor_out = made;
done:
    ctx_free(ctx, strings);
    return status;
}

coset_status onnx_tensor(coset_ctx *ctx, onnx_model *model, Onnx__TensorProto *proto,
                         tensor **tensor_out)
{
    coset_status status = COSET_OK;
    coset_dtype dtype = COSET_UNDEFINED;
    shape dims = SHAPE_UNKNOWN;
    *tensor_out = NULL;
    TRY(onnx_tensor_type(ctx, proto, &dtype, &dims));
    if (proto->segment != NULL) FAIL(ctx, COSET_EUNSUPPORTED, "is split into segments");
    if (proto->has_data_location &&
        proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        FAIL(ctx, COSET_EFORMAT, "its data is in another file, which cannot be read here");
    if (proto->has_raw_data && (proto->raw_data.len > 0 || typed_entries(proto) == 0))
        TRY(from_raw(ctx, model, proto, dtype, &dims, tensor_out));
    else if (dtype == COSET_STRING)
        TRY(from_strings(ctx, proto, &dims, tensor_out));
    else
        TRY(from_typed(ctx, model, proto, dtype, &dims, tensor_out));
done:
    if (status != COSET_OK && proto->name != NULL && proto->name[0] != '\0')
        return ctx_fail_in(ctx, status, "tensor '%.300s'", proto->name);
    return status;
}

coset_status onnx_decode_tensor(coset_ctx *ctx, const void *bytes, size_t size, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    onnx_model *model = NULL;
    *tensor_out = NULL;
    TRY(onnx_unpack(ctx, &onnx__tensor_proto__descriptor, bytes, size, &model));
    TRY(onnx_tensor(ctx, model, (Onnx__TensorProto *)model->root, tensor_out));
done:
    onnx_model_free(ctx, model);
    return status;
}
