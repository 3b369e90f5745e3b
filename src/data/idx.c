#include "data/idx.h"

#include <string.h>

static coset_dtype type_of(uint8_t code)
{
    switch (code) {
    case 0x08: return COSET_U8;
    case 0x09: return COSET_I8;
    case 0x0B: return COSET_I16;
    case 0x0C: return COSET_I32;
    case 0x0D: return COSET_F32;
    case 0x0E: return COSET_F64;
    default: return COSET_UNDEFINED;
    }
}

bool idx_is(const uint8_t *bytes, size_t size)
{
    return size >= 4 && bytes[0] == 0 && bytes[1] == 0 && type_of(bytes[2]) != COSET_UNDEFINED &&
           bytes[3] > 0;
}

coset_status idx_decode(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *source,
                        tensor **tensor_out)
{
    coset_status status = COSET_OK;
    uint8_t *data = NULL;
    size_t need = 0;
    *tensor_out = NULL;
    if (!idx_is(bytes, size)) FAIL(ctx, COSET_EFORMAT, "%s: is not an idx file", source);
    coset_dtype dtype = type_of(bytes[2]);
    shape dims = {.rank = bytes[3]};
    if (dims.rank > TENSOR_MAX_RANK)
        FAIL(ctx, COSET_ELIMIT, "%s: more than %d dimensions", source, TENSOR_MAX_RANK);
    size_t begin = 4 + 4 * (size_t)dims.rank;
    if (size < begin) FAIL(ctx, COSET_EFORMAT, "%s: is cut off in its header", source);
    for (int i = 0; i < dims.rank; i++) {
        const uint8_t *at = bytes + 4 + 4 * i;
        dims.dims[i] = (int64_t)at[0] << 24 | (int64_t)at[1] << 16 | (int64_t)at[2] << 8 | at[3];
    }
    status = tensor_bytes(ctx, dtype, &dims, &need);
    if (status != COSET_OK) {
        status = ctx_fail_in(ctx, status, "%s", source);
        goto done;
    }
    if (size - begin != need)
        FAIL(ctx, COSET_EFORMAT, "%s: holds %zu bytes of data, its header asks for %zu", source,
             size - begin, need);
    TRY(ctx_alloc_raw(ctx, (int64_t)need, 1, &data));
    size_t width = coset_dtype_bits(dtype) / 8;
    for (size_t at = 0; at < need; at += width)
        for (size_t i = 0; i < width; i++) data[at + i] = bytes[begin + at + width - 1 - i];
    TRY(tensor_new(ctx, dtype, &dims, data, need, tensor_out));
    data = NULL;
done:
    ctx_free(ctx, data);
    return status;
}
