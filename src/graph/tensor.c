#include "graph/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "graph/convert.h"

/* ---- element types ----------------------------------------------------------------------------- */

typedef enum kind { KIND_NONE, KIND_FLOAT, KIND_INTEGER } kind;

typedef struct dtype_row {
    const char *name;
    size_t bits;
    kind kind;
} dtype_row;

static const dtype_row *row_of(coset_dtype dtype)
{
    static const dtype_row rows[] = {
        [COSET_UNDEFINED] = {"undefined", 0, KIND_NONE},
        [COSET_F32] = {"float", 32, KIND_FLOAT},
        [COSET_U8] = {"uint8", 8, KIND_INTEGER},
        [COSET_I8] = {"int8", 8, KIND_INTEGER},
        [COSET_U16] = {"uint16", 16, KIND_INTEGER},
        [COSET_I16] = {"int16", 16, KIND_INTEGER},
        [COSET_I32] = {"int32", 32, KIND_INTEGER},
        [COSET_I64] = {"int64", 64, KIND_INTEGER},
        [COSET_STRING] = {"string", 0, KIND_NONE},
        [COSET_BOOL] = {"bool", 8, KIND_INTEGER},
        [COSET_F16] = {"float16", 16, KIND_FLOAT},
        [COSET_F64] = {"double", 64, KIND_FLOAT},
        [COSET_U32] = {"uint32", 32, KIND_INTEGER},
        [COSET_U64] = {"uint64", 64, KIND_INTEGER},
        [COSET_C64] = {"complex64", 64, KIND_NONE},
        [COSET_C128] = {"complex128", 128, KIND_NONE},
        [COSET_BF16] = {"bfloat16", 16, KIND_FLOAT},
        [COSET_F8E4M3FN] = {"float8e4m3fn", 8, KIND_FLOAT},
        [COSET_F8E4M3FNUZ] = {"float8e4m3fnuz", 8, KIND_FLOAT},
        [COSET_F8E5M2] = {"float8e5m2", 8, KIND_FLOAT},
        [COSET_F8E5M2FNUZ] = {"float8e5m2fnuz", 8, KIND_FLOAT},
        [COSET_U4] = {"uint4", 4, KIND_INTEGER},
        [COSET_I4] = {"int4", 4, KIND_INTEGER},
        [COSET_F4E2M1] = {"float4e2m1", 4, KIND_FLOAT},
    };
    /* Numbers outside the enum come from files. */
    size_t index = (size_t)dtype;
    return index < sizeof rows / sizeof rows[0] ? &rows[index] : &rows[COSET_UNDEFINED];
}

const char *coset_dtype_name(coset_dtype dtype)
{
    return row_of(dtype)->name;
}

size_t coset_dtype_bits(coset_dtype dtype)
{
    return row_of(dtype)->bits;
}

bool dtype_is_float(coset_dtype dtype)
{
    return row_of(dtype)->kind == KIND_FLOAT;
}

bool dtype_is_integer(coset_dtype dtype)
{
    return row_of(dtype)->kind == KIND_INTEGER;
}

size_t array_element_size(coset_dtype dtype)
{
    if (dtype_is_float(dtype)) return sizeof(float);
    return dtype_is_integer(dtype) ? sizeof(int64_t) : 0;
}

/* ---- shapes ------------------------------------------------------------------------------------ */

bool shape_known(const shape *self)
{
    if (self->rank < 0) return false;
    for (int i = 0; i < self->rank; i++)
        if (self->dims[i] < 0) return false;
    return true;
}

bool shape_equal(const shape *a, const shape *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

coset_status shape_elements(coset_ctx *ctx, const shape *self, int64_t *count_out)
{
    char text[SHAPE_TEXT];
    *count_out = 0;
    if (self->rank > TENSOR_MAX_RANK)
        return ctx_fail(ctx, COSET_ELIMIT, "a tensor of rank %d: at most %d is supported",
                        self->rank, TENSOR_MAX_RANK);
    if (!shape_known(self))
        return ctx_fail(ctx, COSET_EARGUMENT, "shape %s is not fully known",
                        shape_text(self, text, sizeof text));
    /* A dimension of 0 does not excuse the others: partial products must fit as well. */
    int64_t bound = 1, count = 1;
    for (int i = 0; i < self->rank; i++) {
        int64_t dim = self->dims[i];
        if (!dim_mul(bound, dim > 0 ? dim : 1, &bound) || bound > TENSOR_MAX_ELEMENTS)
            return ctx_fail(ctx, COSET_ELIMIT, "shape %s has more than 2^40 elements",
                            shape_text(self, text, sizeof text));
        count *= dim;
    }
    *count_out = count;
    return COSET_OK;
}

int64_t shape_product(const shape *self, int from, int to)
{
    int64_t product = 1;
    for (int i = from; i < to; i++) product *= self->dims[i];
    return product;
}

const char *shape_text(const shape *self, char *text, size_t size)
{
    if (self->rank < 0) {
        snprintf(text, size, "of unknown rank");
        return text;
    }
    size_t used = 0;
    for (int i = 0; i < self->rank && i < TENSOR_MAX_RANK && used < size; i++) {
        const char *before = i == 0 ? "[" : ", ";
        int n = self->dims[i] < 0 ? snprintf(text + used, size - used, "%s?", before)
                                  : snprintf(text + used, size - used, "%s%lld", before,
                                             (long long)self->dims[i]);
        used += (size_t)n;
    }
    if (used < size) snprintf(text + used, size - used, "%s", self->rank == 0 ? "[]" : "]");
    return text;
}

/* ---- tensors ----------------------------------------------------------------------------------- */

coset_status tensor_bytes(coset_ctx *ctx, coset_dtype dtype, const shape *dims, size_t *bytes_out)
{
    int64_t count = 0;
    *bytes_out = 0;
    coset_status status = shape_elements(ctx, dims, &count);
    if (status != COSET_OK) return status;
    size_t bits = coset_dtype_bits(dtype);
    if (bits == 0 && dtype != COSET_STRING)
        return ctx_fail(ctx, COSET_EFORMAT, "element type %d is unknown", (int)dtype);
    /* 2^40 elements of 128 bits fit into a size. */
    *bytes_out = ((size_t)count * bits + 7) / 8;
    return COSET_OK;
}

coset_status tensor_new(coset_ctx *ctx, coset_dtype dtype, const shape *dims, void *data,
                        size_t bytes, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    tensor *self = NULL;
    void *fresh = NULL;
    size_t need = 0;
    char text[SHAPE_TEXT];
    *tensor_out = NULL;
    TRY(tensor_bytes(ctx, dtype, dims, &need));
    if (data != NULL && bytes != need)
        FAIL(ctx, COSET_EFORMAT, "%s data of shape %s needs %zu bytes, not %zu",
             coset_dtype_name(dtype), shape_text(dims, text, sizeof text), need, bytes);
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    if (data == NULL && dtype != COSET_STRING) TRY(ctx_alloc(ctx, (int64_t)need, 1, &fresh));
    *self = (tensor){.references = 1, .dtype = dtype, .shape = *dims, .bytes = need};
    self->data = data != NULL ? data : fresh;
    *tensor_out = self;
    self = NULL;
done:
    ctx_free(ctx, self);
    return status;
}

tensor *tensor_retain(tensor *self)
{
    if (self != NULL) __atomic_add_fetch(&self->references, 1, __ATOMIC_RELAXED);
    return self;
}

void tensor_release(coset_ctx *ctx, tensor *self)
{
    if (self == NULL || __atomic_sub_fetch(&self->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    ctx_free(ctx, (void *)(uintptr_t)self->data);
    ctx_free(ctx, self->strings);
    ctx_free(ctx, self);
}

int64_t tensor_elements(const tensor *self)
{
    return shape_product(&self->shape, 0, self->shape.rank);
}

/* ---- compute types ----------------------------------------------------------------------------- */

static coset_status fail_compute(coset_ctx *ctx, coset_dtype dtype)
{
    return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s data cannot be computed with",
                    coset_dtype_name(dtype));
}

coset_status tensor_to_array(coset_ctx *ctx, const tensor *self, array *array_out,
                             void **memory_out)
{
    int64_t count = tensor_elements(self);
    size_t size = array_element_size(self->dtype);
    *array_out = (array){.dtype = self->dtype, .shape = self->shape};
    *memory_out = NULL;
    if (size == 0) return fail_compute(ctx, self->dtype);
    if (self->dtype == COSET_F32 || self->dtype == COSET_I64 || self->dtype == COSET_U64) {
        array_out->data = (void *)(uintptr_t)self->data;
        return COSET_OK;
    }
    coset_status status = ctx_alloc_raw(ctx, count, size, memory_out);
    if (status != COSET_OK) return status;
    array_out->data = *memory_out;
    if (dtype_is_float(self->dtype))
        convert_to_f32(self->dtype, self->data, count, array_out->f);
    else
        convert_to_i64(self->dtype, self->data, count, array_out->i);
    return COSET_OK;
}

coset_status tensor_from_array(coset_ctx *ctx, const array *values, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    void *data = NULL;
    size_t bytes = 0;
    *tensor_out = NULL;
    if (array_element_size(values->dtype) == 0) return fail_compute(ctx, values->dtype);
    TRY(tensor_bytes(ctx, values->dtype, &values->shape, &bytes));
    TRY(ctx_alloc_raw(ctx, (int64_t)bytes, 1, &data));
    int64_t count = shape_product(&values->shape, 0, values->shape.rank);
    if (dtype_is_float(values->dtype))
        convert_from_f32(values->dtype, values->f, count, data);
    else
        convert_from_i64(values->dtype, values->i, count, data);
    TRY(tensor_new(ctx, values->dtype, &values->shape, data, bytes, tensor_out));
    data = NULL;
done:
    ctx_free(ctx, data);
    return status;
}

coset_status tensor_to_f64(coset_ctx *ctx, const tensor *self, double **values_out)
{
    int64_t count = tensor_elements(self);
    *values_out = NULL;
    if (!dtype_is_float(self->dtype))
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s data where floating-point data is needed",
                        coset_dtype_name(self->dtype));
    coset_status status = ctx_alloc_raw(ctx, count, sizeof **values_out, values_out);
    if (status == COSET_OK) convert_to_f64(self->dtype, self->data, count, *values_out);
    return status;
}

coset_status tensor_from_f64(coset_ctx *ctx, coset_dtype dtype, const shape *dims,
                             const double *values, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    void *data = NULL;
    size_t bytes = 0;
    *tensor_out = NULL;
    if (!dtype_is_float(dtype))
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s data where floating-point data is needed",
                        coset_dtype_name(dtype));
    TRY(tensor_bytes(ctx, dtype, dims, &bytes));
    TRY(ctx_alloc_raw(ctx, (int64_t)bytes, 1, &data));
    convert_from_f64(dtype, values, shape_product(dims, 0, dims->rank), data);
    TRY(tensor_new(ctx, dtype, dims, data, bytes, tensor_out));
    data = NULL;
done:
    ctx_free(ctx, data);
    return status;
}

void array_normalise(array *self)
{
    int64_t count = shape_product(&self->shape, 0, self->shape.rank);
    if (self->data == NULL || self->dtype == COSET_F32 || self->dtype == COSET_F64) return;
    if (dtype_is_float(self->dtype))
        for (int64_t i = 0; i < count; i++) self->f[i] = convert_round(self->dtype, self->f[i]);
    else if (coset_dtype_bits(self->dtype) < 64)
        for (int64_t i = 0; i < count; i++) self->i[i] = convert_wrap(self->dtype, self->i[i]);
}

/* Blocks without an early exit let the compiler use vector instructions. */
enum { SCAN_BLOCK = 1024 };

static int64_t find_nonfinite_f32(const uint32_t *bits, int64_t count)
{
    const uint32_t mask = 0x7F800000;
    for (int64_t at = 0; at < count; at += SCAN_BLOCK) {
        int64_t end = count - at < SCAN_BLOCK ? count : at + SCAN_BLOCK;
        uint32_t found = 0;
        for (int64_t i = at; i < end; i++) found |= (bits[i] & mask) == mask;
        for (int64_t i = at; found && i < end; i++)
            if ((bits[i] & mask) == mask) return i;
    }
    return -1;
}

int64_t tensor_find_nonfinite(const tensor *self)
{
    int64_t count = tensor_elements(self);
    if (!dtype_is_float(self->dtype)) return -1;
    if (self->dtype == COSET_F32) return find_nonfinite_f32(self->data, count);
    double values[SCAN_BLOCK];
    size_t bits = coset_dtype_bits(self->dtype);
    for (int64_t at = 0; at < count; at += SCAN_BLOCK) {
        int64_t n = count - at < SCAN_BLOCK ? count - at : SCAN_BLOCK;
        /* A block is even, so that 4-bit elements start at a byte. */
        const uint8_t *from = (const uint8_t *)self->data + (size_t)at * bits / 8;
        convert_to_f64(self->dtype, from, n, values);
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(values[i])) return at + i;
    }
    return -1;
}

double tensor_value(const tensor *self, int64_t index)
{
    if (self->dtype == COSET_F32) return (double)((const float *)self->data)[index];
    double value = 0;
    size_t bytes = coset_dtype_bits(self->dtype) / 8;
    convert_to_f64(self->dtype, (const char *)self->data + (size_t)index * bytes, 1, &value);
    return value;
}
