#include "graph/convert.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "constant data is used as the file stores it: little-endian");

/* ---- floats narrower than 32 bits -------------------------------------------------------------- */

/* A format of 1 sign, some exponent and `mantissa` fraction bits. Codes are without the sign bit. */
typedef struct narrow {
    int bits, mantissa, bias;
    uint32_t largest;  /* code of the largest finite value */
    uint32_t infinity; /* code of what an infinity becomes */
    uint32_t over;     /* code of what a finite value over the largest becomes */
    uint32_t nan;
    bool unsigned_zero; /* FNUZ: the code of -0 is the only NaN */
} narrow;

static const narrow *narrow_of(coset_dtype dtype)
{
    static const narrow f16 = {16, 10, 15, 0x7BFF, 0x7C00, 0x7C00, 0x7E00, false};
    static const narrow bf16 = {16, 7, 127, 0x7F7F, 0x7F80, 0x7F80, 0x7FC0, false};
    static const narrow e4m3fn = {8, 3, 7, 0x7E, 0x7E, 0x7E, 0x7F, false};
    static const narrow e4m3fnuz = {8, 3, 8, 0x7F, 0x80, 0x7F, 0x80, true};
    static const narrow e5m2 = {8, 2, 15, 0x7B, 0x7C, 0x7B, 0x7E, false};
    static const narrow e5m2fnuz = {8, 2, 16, 0x7F, 0x80, 0x7F, 0x80, true};
    static const narrow e2m1 = {4, 1, 1, 0x7, 0x7, 0x7, 0x7, false};
    switch (dtype) {
    case COSET_F16: return &f16;
    case COSET_BF16: return &bf16;
    case COSET_F8E4M3FN: return &e4m3fn;
    case COSET_F8E4M3FNUZ: return &e4m3fnuz;
    case COSET_F8E5M2: return &e5m2;
    case COSET_F8E5M2FNUZ: return &e5m2fnuz;
    case COSET_F4E2M1: return &e2m1;
    default: return NULL;
    }
}

static float float_of_bits(uint32_t bits)
{
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float narrow_decode(const narrow *f, uint32_t code)
{
    uint32_t sign_bit = 1u << (f->bits - 1);
    if (f->unsigned_zero && code == f->nan) return NAN;
    uint32_t sign = code & sign_bit ? 0x80000000u : 0;
    uint32_t magnitude = code & (sign_bit - 1);
    if (magnitude > f->largest) {
        bool infinite = magnitude == f->infinity;
        return float_of_bits(sign | (infinite ? 0x7F800000u : 0x7FC00000u));
    }
    uint32_t exponent = magnitude >> f->mantissa;
    uint32_t fraction = magnitude & ((1u << f->mantissa) - 1);
    if (f->bias == 127)
        return float_of_bits(sign | (magnitude << 16)); /* the upper half of an f32 */
    if (exponent == 0) {
        float value = ldexpf((float)fraction, 1 - f->bias - f->mantissa);
        return sign ? -value : value;
    }
    uint32_t wide = exponent + 127u - (uint32_t)f->bias;
    return float_of_bits(sign | (wide << 23) | (fraction << (23 - f->mantissa)));
}

/* Every f32 is a double, so that one rounding from f64 serves both compute types. */
static uint32_t narrow_encode(const narrow *f, double value)
{
    uint64_t u = 0;
    memcpy(&u, &value, sizeof u);
    uint32_t sign = (uint32_t)(u >> 63) << (f->bits - 1);
    u &= ~(UINT64_C(1) << 63);
    if (u > UINT64_C(0x7FF0000000000000)) return f->nan == sign ? f->nan : sign | f->nan;
    if (u == UINT64_C(0x7FF0000000000000))
        return f->infinity == f->nan ? f->nan : sign | f->infinity;

    /* value = significand 2^(exponent - 52), with the leading bit of normal doubles. f64 subnormals
     * are far below half of every format's smallest value: they need not be exact. */
    uint64_t significand = (u & 0xFFFFFFFFFFFFF) | UINT64_C(1) << 52;
    int exponent = (int)(u >> 52) - 1023, least = 1 - f->bias;
    int at = exponent < least ? least : exponent; /* exponent of the result's leading bit */
    int shift = 52 - f->mantissa + (at - exponent);
    uint64_t code = 0;
    if (shift < 64) {
        uint64_t rest = significand & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1)
                                                                           << (shift - 1);
        code = significand >> shift;
        if (rest > half || (rest == half && (code & 1))) code++;
        /* Normal numbers carry their leading bit into the exponent field, subnormals have none. */
        code += (uint64_t)(at - least) << f->mantissa;
    }
    if (code > f->largest) code = f->over;
    if (code == 0 && f->unsigned_zero) return 0;
    return sign | (uint32_t)code;
}

static uint32_t code_at(int bits, const uint8_t *data, int64_t i)
{
    if (bits == 4) return ((uint32_t)data[i / 2] >> (i % 2 * 4)) & 0xFu;
    if (bits == 8) return data[i];
    return (uint32_t)data[2 * i] | (uint32_t)data[2 * i + 1] << 8;
}

/* Elements are written in order, so the low half of a byte clears the high one. */
static void put_code(int bits, uint8_t *data, int64_t i, uint32_t code)
{
    if (bits == 16) {
        data[2 * i] = (uint8_t)code;
        data[2 * i + 1] = (uint8_t)(code >> 8);
    } else if (bits == 8) {
        data[i] = (uint8_t)code;
    } else if (i % 2 == 0) {
        data[i / 2] = (uint8_t)(code & 0xF);
    } else {
        data[i / 2] = (uint8_t)(data[i / 2] | (code & 0xF) << 4);
    }
}

/* ---- floats ------------------------------------------------------------------------------------ */

void convert_to_f32(coset_dtype dtype, const void *data, int64_t count, float *values_out)
{
    const narrow *f = narrow_of(dtype);
    if (count == 0) return;
    if (dtype == COSET_F32) {
        memcpy(values_out, data, (size_t)count * sizeof *values_out);
    } else if (f == NULL) {
        for (int64_t i = 0; i < count; i++) {
            double value = 0;
            memcpy(&value, (const uint8_t *)data + 8 * i, sizeof value);
            values_out[i] = (float)value;
        }
    } else {
        for (int64_t i = 0; i < count; i++)
            values_out[i] = narrow_decode(f, code_at(f->bits, data, i));
    }
}

void convert_to_f64(coset_dtype dtype, const void *data, int64_t count, double *values_out)
{
    const narrow *f = narrow_of(dtype);
    if (count == 0) return;
    if (dtype == COSET_F64) {
        memcpy(values_out, data, (size_t)count * sizeof *values_out);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        float value = 0;
        if (f != NULL)
            value = narrow_decode(f, code_at(f->bits, data, i));
        else
            memcpy(&value, (const uint8_t *)data + 4 * i, sizeof value);
        values_out[i] = (double)value;
    }
}

void convert_from_f32(coset_dtype dtype, const float *values, int64_t count, void *data_out)
{
    const narrow *f = narrow_of(dtype);
    if (count == 0) return;
    if (dtype == COSET_F32) {
        memcpy(data_out, values, (size_t)count * sizeof *values);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        double value = (double)values[i];
        if (f != NULL)
            put_code(f->bits, data_out, i, narrow_encode(f, value));
        else
            memcpy((uint8_t *)data_out + 8 * i, &value, sizeof value);
    }
}

void convert_from_f64(coset_dtype dtype, const double *values, int64_t count, void *data_out)
{
    const narrow *f = narrow_of(dtype);
    if (count == 0) return;
    if (dtype == COSET_F64) {
        memcpy(data_out, values, (size_t)count * sizeof *values);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        float value = (float)values[i];
        if (f != NULL)
            put_code(f->bits, data_out, i, narrow_encode(f, values[i]));
        else
            memcpy((uint8_t *)data_out + 4 * i, &value, sizeof value);
    }
}

float convert_round(coset_dtype dtype, float value)
{
    const narrow *f = narrow_of(dtype);
    return f == NULL ? value : narrow_decode(f, narrow_encode(f, (double)value));
}

/* ---- integers ---------------------------------------------------------------------------------- */

int64_t convert_wrap(coset_dtype dtype, int64_t value)
{
    uint64_t u = (uint64_t)value;
    switch (dtype) {
    case COSET_BOOL: return value != 0;
    case COSET_U4: return (int64_t)(u & 0xF);
    case COSET_U8: return (int64_t)(u & 0xFF);
    case COSET_U16: return (int64_t)(u & 0xFFFF);
    case COSET_U32: return (int64_t)(u & 0xFFFFFFFF);
    /* Flipping and subtracting the sign bit extends it. */
    case COSET_I4: return (int64_t)((u & 0xF) ^ 0x8) - 0x8;
    case COSET_I8: return (int64_t)((u & 0xFF) ^ 0x80) - 0x80;
    case COSET_I16: return (int64_t)((u & 0xFFFF) ^ 0x8000) - 0x8000;
    case COSET_I32: return (int64_t)((u & 0xFFFFFFFF) ^ 0x80000000) - INT64_C(0x80000000);
    default: return value;
    }
}

void convert_to_i64(coset_dtype dtype, const void *data, int64_t count, int64_t *values_out)
{
    size_t bits = coset_dtype_bits(dtype), width = bits / 8;
    if (count == 0) return;
    if (width == 8) {
        memcpy(values_out, data, (size_t)count * sizeof *values_out);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        uint32_t code = 0;
        if (bits == 4)
            code = code_at(4, data, i);
        else
            memcpy(&code, (const uint8_t *)data + (size_t)i * width, width);
        values_out[i] = convert_wrap(dtype, (int64_t)code);
    }
}

void convert_from_i64(coset_dtype dtype, const int64_t *values, int64_t count, void *data_out)
{
    size_t bits = coset_dtype_bits(dtype), width = bits / 8;
    if (count == 0) return;
    if (width == 8) {
        memcpy(data_out, values, (size_t)count * sizeof *values);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        uint32_t code = (uint32_t)(uint64_t)convert_wrap(dtype, values[i]);
        if (bits == 4)
            put_code(4, data_out, i, code);
        else
            memcpy((uint8_t *)data_out + (size_t)i * width, &code, width);
    }
}
