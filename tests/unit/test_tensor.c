/* Tensors and conversions: every narrow float is checked against its definition, code by code. */
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "graph/convert.h"
#include "graph/tensor.h"

/* ---- element types ----------------------------------------------------------------------------- */

static void test_dtypes(void **state)
{
    static const struct {
        coset_dtype dtype;
        const char *name;
        size_t bits, compute;
    } rows[] = {{COSET_UNDEFINED, "undefined", 0, 0},
                {COSET_F32, "float", 32, 4},
                {COSET_U8, "uint8", 8, 8},
                {COSET_I8, "int8", 8, 8},
                {COSET_U16, "uint16", 16, 8},
                {COSET_I16, "int16", 16, 8},
                {COSET_I32, "int32", 32, 8},
                {COSET_I64, "int64", 64, 8},
                {COSET_STRING, "string", 0, 0},
                {COSET_BOOL, "bool", 8, 8},
                {COSET_F16, "float16", 16, 4},
                {COSET_F64, "double", 64, 4},
                {COSET_U32, "uint32", 32, 8},
                {COSET_U64, "uint64", 64, 8},
                {COSET_C64, "complex64", 64, 0},
                {COSET_C128, "complex128", 128, 0},
                {COSET_BF16, "bfloat16", 16, 4},
                {COSET_F8E4M3FN, "float8e4m3fn", 8, 4},
                {COSET_F8E4M3FNUZ, "float8e4m3fnuz", 8, 4},
                {COSET_F8E5M2, "float8e5m2", 8, 4},
                {COSET_F8E5M2FNUZ, "float8e5m2fnuz", 8, 4},
                {COSET_U4, "uint4", 4, 8},
                {COSET_I4, "int4", 4, 8},
                {COSET_F4E2M1, "float4e2m1", 4, 4},
                {(coset_dtype)24, "undefined", 0, 0},
                {(coset_dtype)1000000, "undefined", 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(coset_dtype_name(rows[i].dtype), rows[i].name);
        assert_int_equal(coset_dtype_bits(rows[i].dtype), rows[i].bits);
        assert_int_equal(array_element_size(rows[i].dtype), rows[i].compute);
        assert_int_equal(dtype_is_float(rows[i].dtype), rows[i].compute == 4);
        assert_int_equal(dtype_is_integer(rows[i].dtype), rows[i].compute == 8);
    }
}

/* ---- narrow floats ----------------------------------------------------------------------------- */

/* What the specifications say: IEEE 754-2019 (f16), bfloat16, OCP 8-bit and 4-bit formats, and the
 * FNUZ variants of Noune et al. (2022), as ONNX lists them. */
typedef struct narrow_spec {
    coset_dtype dtype;
    int bits, mantissa, bias;
    uint32_t infinity, first_nan, last_nan; /* codes without sign; 0: none */
    uint32_t only_nan;                      /* with sign; 0: none */
    double largest;
    bool saturates;
} narrow_spec;

static const narrow_spec specs[] = {
    {COSET_F16, 16, 10, 15, 0x7C00, 0x7C01, 0x7FFF, 0, 65504, false},
    {COSET_BF16, 16, 7, 127, 0x7F80, 0x7F81, 0x7FFF, 0, 0x1.FEp127, false},
    {COSET_F8E4M3FN, 8, 3, 7, 0, 0x7F, 0x7F, 0, 448, true},
    {COSET_F8E4M3FNUZ, 8, 3, 8, 0, 0, 0, 0x80, 240, true},
    {COSET_F8E5M2, 8, 2, 15, 0x7C, 0x7D, 0x7F, 0, 57344, true},
    {COSET_F8E5M2FNUZ, 8, 2, 16, 0, 0, 0, 0x80, 57344, true},
    {COSET_F4E2M1, 4, 1, 1, 0, 0, 0, 0, 6, true},
};
enum { SPECS = sizeof specs / sizeof specs[0] };

/* Value of a code, straight from the definition. */
static double value_of(const narrow_spec *s, uint32_t code)
{
    uint32_t sign = code >> (s->bits - 1), rest = code & ((1u << (s->bits - 1)) - 1);
    if (s->only_nan != 0 && code == s->only_nan) return NAN;
    if (s->first_nan != 0 && rest >= s->first_nan && rest <= s->last_nan) return NAN;
    double value = 0;
    if (s->infinity != 0 && rest == s->infinity) {
        value = INFINITY;
    } else {
        int exponent = (int)(rest >> s->mantissa);
        double fraction = (double)(rest & ((1u << s->mantissa) - 1)) / (1 << s->mantissa);
        value =
            exponent == 0 ? ldexp(fraction, 1 - s->bias) : ldexp(1 + fraction, exponent - s->bias);
    }
    return sign ? -value : value;
}

static uint32_t encode_f64(const narrow_spec *s, double value)
{
    uint8_t bytes[2] = {0xAA, 0xAA};
    convert_from_f64(s->dtype, &value, 1, bytes);
    return s->bits == 16 ? (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 : bytes[0];
}

static uint32_t encode_f32(const narrow_spec *s, float value)
{
    uint8_t bytes[2] = {0xAA, 0xAA};
    convert_from_f32(s->dtype, &value, 1, bytes);
    return s->bits == 16 ? (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 : bytes[0];
}

static float decode(const narrow_spec *s, uint32_t code)
{
    uint8_t bytes[2] = {(uint8_t)code, (uint8_t)(code >> 8)};
    float value = 0;
    double wide = 0;
    convert_to_f32(s->dtype, bytes, 1, &value);
    convert_to_f64(s->dtype, bytes, 1, &wide);
    assert_true(isnan(value) ? isnan(wide) : wide == (double)value);
    return value;
}

static void test_narrow_decode(void **state)
{
    (void)state;
    for (int k = 0; k < SPECS; k++) {
        const narrow_spec *s = &specs[k];
        double largest = 0;
        for (uint32_t code = 0; code < 1u << s->bits; code++) {
            double expected = value_of(s, code);
            float found = decode(s, code);
            if (isnan(expected)) {
                assert_true(isnan(found));
                continue;
            }
            assert_true((double)found == expected && !signbit(found) == !signbit(expected));
            if (isfinite(expected)) largest = fmax(largest, expected);
            /* Back to the same code, from both compute types. */
            assert_int_equal(encode_f32(s, found), code);
            assert_int_equal(encode_f64(s, expected), code);
            assert_true(convert_round(s->dtype, found) == found);
        }
        assert_true(largest == s->largest);
    }
}

/* Every pair of neighbours: the middle goes to the even code, whatever lies beside it to the nearer. */
static void test_narrow_rounding(void **state)
{
    (void)state;
    for (int k = 0; k < SPECS; k++) {
        const narrow_spec *s = &specs[k];
        for (uint32_t code = 0; value_of(s, code) < s->largest; code++) {
            double low = value_of(s, code), high = value_of(s, code + 1), middle = (low + high) / 2;
            uint32_t even = code % 2 == 0 ? code : code + 1;
            uint32_t sign = 1u << (s->bits - 1);
            bool zero = even == 0 && s->only_nan != 0; /* these have no -0 */
            assert_int_equal(encode_f64(s, middle), even);
            assert_int_equal(encode_f64(s, -middle), zero ? 0 : even | sign);
            assert_int_equal(encode_f64(s, nextafter(middle, -1)), code);
            assert_int_equal(encode_f64(s, nextafter(middle, 1e300)), code + 1);
            if ((double)(float)middle != middle) continue;
            assert_int_equal(encode_f32(s, (float)middle), even);
            assert_int_equal(encode_f32(s, nextafterf((float)middle, -1)), code);
            assert_int_equal(encode_f32(s, nextafterf((float)middle, INFINITY)), code + 1);
        }
    }
}

static void test_narrow_extremes(void **state)
{
    (void)state;
    for (int k = 0; k < SPECS; k++) {
        const narrow_spec *s = &specs[k];
        uint32_t sign = 1u << (s->bits - 1), top = encode_f64(s, s->largest);
        uint32_t before = top - 1;
        double step = s->largest - value_of(s, before);
        /* Up to half a step over the largest value rounds down to it. */
        assert_int_equal(encode_f64(s, nextafter(s->largest + step / 2, 0)), top);
        double over = s->saturates ? s->largest : INFINITY;
        static const double amounts[] = {1e30, 1e300};
        for (int i = 0; i < 2; i++) {
            if (amounts[i] < s->largest) continue;
            assert_true((double)decode(s, encode_f64(s, amounts[i])) == over);
            assert_true((double)decode(s, encode_f64(s, -amounts[i])) == -over);
        }
        double infinite = (double)decode(s, encode_f64(s, INFINITY));
        if (s->infinity != 0)
            assert_int_equal(encode_f64(s, -INFINITY), s->infinity | sign);
        else if (s->only_nan != 0)
            assert_true(isnan(infinite));
        else
            assert_true(infinite == s->largest);
        float nan = decode(s, encode_f64(s, NAN));
        assert_true(s->dtype == COSET_F4E2M1 ? (double)nan == 6 : isnan(nan));
        assert_int_equal(encode_f64(s, -0.0), s->only_nan != 0 ? 0 : sign);
        assert_int_equal(encode_f64(s, 5e-324), 0);
        assert_int_equal(encode_f32(s, 1e-45f), 0);
    }
}

/* Two roundings would go wrong here: 1 + 2^-11 + 2^-40 is over the middle, but as f32 it is the middle. */
static void test_single_rounding(void **state)
{
    (void)state;
    assert_int_equal(encode_f64(&specs[0], 1 + 0x1p-11 + 0x1p-40), 0x3C01);
    assert_int_equal(encode_f64(&specs[0], 1 + 0x1p-11), 0x3C00);
    float single = 0;
    double value = 1 + 0x1p-24 + 0x1p-50;
    convert_to_f32(COSET_F64, &value, 1, &single);
    assert_true(single == 1 + 0x1p-23f);
}

/* ---- packing and integers ---------------------------------------------------------------------- */

static void test_packed(void **state)
{
    const int64_t values[5] = {1, -2, 7, -8, 3};
    int64_t back[5] = {0};
    uint8_t bytes[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    float floats[3] = {0.5f, -6, 1.5f}, floats_back[3] = {0};
    (void)state;
    convert_from_i64(COSET_I4, values, 5, bytes);
    assert_memory_equal(bytes, "\xE1\x87\x03\xFF", 4);
    convert_to_i64(COSET_I4, bytes, 5, back);
    assert_memory_equal(back, values, sizeof values);
    convert_to_i64(COSET_U4, bytes, 5, back);
    const int64_t positive[5] = {1, 14, 7, 8, 3};
    assert_memory_equal(back, positive, sizeof positive);
    convert_from_f32(COSET_F4E2M1, floats, 3, bytes);
    assert_memory_equal(bytes, "\xF1\x03", 2);
    convert_to_f32(COSET_F4E2M1, bytes, 3, floats_back);
    assert_memory_equal(floats_back, floats, sizeof floats);
}

static void test_integers(void **state)
{
    static const struct {
        coset_dtype dtype;
        int64_t value, wrapped;
    } rows[] = {{COSET_U8, 256, 0},          {COSET_U8, -1, 255},
                {COSET_I8, 128, -128},       {COSET_I8, -129, 127},
                {COSET_U16, -1, 65535},      {COSET_I16, 32768, -32768},
                {COSET_U32, -1, 4294967295}, {COSET_I32, INT64_C(1) << 31, -(INT64_C(1) << 31)},
                {COSET_I32, INT64_MIN, 0},   {COSET_I64, INT64_MIN, INT64_MIN},
                {COSET_U64, -1, -1},         {COSET_BOOL, -5, 1},
                {COSET_BOOL, 256, 1},        {COSET_BOOL, 0, 0},
                {COSET_U4, 17, 1},           {COSET_I4, 8, -8}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[8] = {0};
        int64_t back = 77;
        assert_int_equal(convert_wrap(rows[i].dtype, rows[i].value), rows[i].wrapped);
        convert_from_i64(rows[i].dtype, &rows[i].value, 1, bytes);
        convert_to_i64(rows[i].dtype, bytes, 1, &back);
        assert_int_equal(back, rows[i].wrapped);
    }
    /* Any other byte than 0 is true. */
    int64_t flag = 0;
    convert_to_i64(COSET_BOOL, "\x80", 1, &flag);
    assert_int_equal(flag, 1);
}

/* ---- shapes and tensors ------------------------------------------------------------------------ */

static void test_shapes(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    char text[SHAPE_TEXT];
    int64_t count = -1;
    shape scalar = {.rank = 0}, unknown = SHAPE_UNKNOWN, open = {.rank = 2, .dims = {2, -1}};
    shape some = {.rank = 3, .dims = {2, 3, 4}}, none = {.rank = 2, .dims = {0, 3}};
    shape limit = {.rank = 2, .dims = {1 << 20, 1 << 20}},
          over = {.rank = 2, .dims = {1 << 20, (1 << 20) + 1}};
    shape hidden = {.rank = 3, .dims = {INT64_MAX, INT64_MAX, 0}}, deep = {.rank = 9};
    shape widest = {.rank = 8};
    (void)state;
    for (int i = 0; i < 8; i++) widest.dims[i] = INT64_MAX;
    assert_string_equal(shape_text(&scalar, text, sizeof text), "[]");
    assert_string_equal(shape_text(&open, text, sizeof text), "[2, ?]");
    assert_string_equal(shape_text(&some, text, sizeof text), "[2, 3, 4]");
    assert_non_null(strstr(shape_text(&unknown, text, sizeof text), "unknown"));
    assert_int_equal(strlen(shape_text(&widest, text, sizeof text)), 8 * 19 + 7 * 2 + 2);
    assert_string_equal(shape_text(&some, text, 6), "[2, 3");
    assert_true(shape_known(&scalar) && shape_known(&none) && shape_known(&some));
    assert_false(shape_known(&unknown) || shape_known(&open));
    assert_true(shape_equal(&some, &some) && shape_equal(&unknown, &unknown));
    assert_false(shape_equal(&some, &open) || shape_equal(&none, &open));
    assert_int_equal(shape_elements(ctx, &scalar, &count), COSET_OK);
    assert_int_equal(count, 1);
    assert_int_equal(shape_elements(ctx, &none, &count), COSET_OK);
    assert_int_equal(count, 0);
    assert_int_equal(shape_elements(ctx, &limit, &count), COSET_OK);
    assert_true(count == TENSOR_MAX_ELEMENTS);
    assert_int_equal(shape_elements(ctx, &over, &count), COSET_ELIMIT);
    assert_int_equal(shape_elements(ctx, &hidden, &count), COSET_ELIMIT);
    assert_int_equal(shape_elements(ctx, &deep, &count), COSET_ELIMIT);
    assert_int_equal(shape_elements(ctx, &unknown, &count), COSET_EARGUMENT);
    assert_int_equal(shape_elements(ctx, &open, &count), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "[2, ?]"));
    assert_int_equal(shape_product(&some, 1, 3), 12);
    assert_int_equal(shape_product(&some, 1, 1), 1);
    counted_ctx_end(ctx, &memory);
}

static void test_tensor_new(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    shape dims = {.rank = 2, .dims = {3, 5}};
    tensor *made = NULL;
    void *data = NULL;
    size_t bytes = 0;
    (void)state;
    assert_int_equal(tensor_bytes(ctx, COSET_I4, &dims, &bytes), COSET_OK);
    assert_int_equal(bytes, 8);
    assert_int_equal(tensor_bytes(ctx, COSET_UNDEFINED, &dims, &bytes), COSET_EFORMAT);
    assert_int_equal(tensor_bytes(ctx, (coset_dtype)-3, &dims, &bytes), COSET_EFORMAT);
    assert_int_equal(ctx_alloc(ctx, 60, 1, &data), COSET_OK);
    assert_int_equal(tensor_new(ctx, COSET_F32, &dims, data, 59, &made), COSET_EFORMAT);
    assert_null(made);
    assert_non_null(strstr(coset_ctx_error(ctx), "60 bytes, not 59"));
    assert_int_equal(tensor_new(ctx, COSET_F32, &dims, data, 60, &made), COSET_OK);
    assert_ptr_equal(made->data, data);
    assert_int_equal(tensor_elements(made), 15);
    assert_ptr_equal(tensor_retain(made), made);
    tensor_release(ctx, made);
    assert_int_equal(memory.alive, 3);
    tensor_release(ctx, made);
    tensor_release(ctx, NULL);
    assert_null(tensor_retain(NULL));
    assert_int_equal(tensor_new(ctx, COSET_F64, &dims, NULL, 0, &made), COSET_OK);
    assert_int_equal(made->bytes, 120);
    for (int i = 0; i < 15; i++) assert_true(((const double *)made->data)[i] == 0);
    assert_int_equal((uintptr_t)made->data % 64, 0);
    tensor_release(ctx, made);
    assert_int_equal(tensor_new(ctx, COSET_STRING, &dims, NULL, 0, &made), COSET_OK);
    assert_null(made->data);
    array values;
    void *lent = NULL;
    assert_int_equal(tensor_to_array(ctx, made, &values, &lent), COSET_EUNSUPPORTED);
    assert_null(values.data);
    double *doubles_out = NULL;
    assert_int_equal(tensor_to_f64(ctx, made, &doubles_out), COSET_EUNSUPPORTED);
    assert_int_equal(tensor_find_nonfinite(made), -1);
    tensor_release(ctx, made);
    memory.fail_from = memory.made;
    assert_int_equal(tensor_new(ctx, COSET_F64, &dims, NULL, 0, &made), COSET_EMEMORY);
    memory.fail_from = memory.made + 1;
    assert_int_equal(tensor_new(ctx, COSET_F64, &dims, NULL, 0, &made), COSET_EMEMORY);
    counted_ctx_end(ctx, &memory);
}

/* Every type there and back; f32, i64 and u64 are lent. */
static void test_arrays(void **state)
{
    static const coset_dtype all[] = {
        COSET_F32,    COSET_U8,         COSET_I8,   COSET_U16,      COSET_I16,
        COSET_I32,    COSET_I64,        COSET_BOOL, COSET_F16,      COSET_F64,
        COSET_U32,    COSET_U64,        COSET_BF16, COSET_F8E4M3FN, COSET_F8E4M3FNUZ,
        COSET_F8E5M2, COSET_F8E5M2FNUZ, COSET_U4,   COSET_I4,       COSET_F4E2M1};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    shape dims = {.rank = 1, .dims = {7}};
    (void)state;
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) {
        const float floats[7] = {0, 1, -1.5f, 2, 0.5f, 3, -0.5f};
        const int64_t integers[7] = {0, 1, 1, 1, 0, 1, 0};
        bool number = dtype_is_float(all[k]);
        array values = {.dtype = all[k], .shape = dims};
        values.data = number ? (void *)(uintptr_t)floats : (void *)(uintptr_t)integers;
        tensor *made = NULL, *again = NULL;
        array back;
        void *owned = NULL;
        assert_int_equal(tensor_from_array(ctx, &values, &made), COSET_OK);
        assert_int_equal(tensor_to_array(ctx, made, &back, &owned), COSET_OK);
        bool lends = all[k] == COSET_F32 || all[k] == COSET_I64 || all[k] == COSET_U64;
        assert_int_equal(owned == NULL, lends);
        assert_true(lends ? back.data == made->data : back.data == owned);
        assert_memory_equal(back.data, values.data, 7 * array_element_size(all[k]));
        assert_int_equal(back.dtype, all[k]);
        assert_int_equal(tensor_find_nonfinite(made), -1);
        if (number) {
            double *wide = NULL;
            assert_int_equal(tensor_to_f64(ctx, made, &wide), COSET_OK);
            for (int i = 0; i < 7; i++) assert_true(wide[i] == (double)floats[i]);
            assert_int_equal(tensor_from_f64(ctx, all[k], &dims, wide, &again), COSET_OK);
            assert_memory_equal(again->data, made->data, made->bytes);
            tensor_release(ctx, again);
            ctx_free(ctx, wide);
        }
        ctx_free(ctx, owned);
        tensor_release(ctx, made);
    }
    array strings = {.dtype = COSET_STRING, .shape = dims};
    tensor *made = NULL;
    const double zero = 0;
    assert_int_equal(tensor_from_array(ctx, &strings, &made), COSET_EUNSUPPORTED);
    assert_int_equal(tensor_from_f64(ctx, COSET_I32, &dims, &zero, &made), COSET_EUNSUPPORTED);
    counted_ctx_end(ctx, &memory);
}

static void test_normalise(void **state)
{
    float floats[3] = {1 + 0x1p-12f, 70000, -0x1p-26f};
    int64_t integers[3] = {300, -1, 5};
    shape dims = {.rank = 1, .dims = {3}};
    array values = {.dtype = COSET_F32, .shape = dims, .f = floats};
    (void)state;
    array_normalise(&values);
    assert_true(floats[0] == 1 + 0x1p-12f);
    values.dtype = COSET_F16;
    array_normalise(&values);
    assert_true(floats[0] == 1 && isinf(floats[1]) && floats[2] == 0 && signbit(floats[2]));
    values = (array){.dtype = COSET_I64, .shape = dims, .i = integers};
    array_normalise(&values);
    assert_int_equal(integers[0], 300);
    values.dtype = COSET_U8;
    array_normalise(&values);
    assert_int_equal(integers[0], 44);
    assert_int_equal(integers[1], 255);
    values.dtype = COSET_BOOL;
    array_normalise(&values);
    assert_int_equal(integers[2], 1);
    array absent = {.dtype = COSET_STRING, .shape = dims};
    array_normalise(&absent);
}

/* Each position around the block borders, each kind of non-finite value. */
static void test_nonfinite(void **state)
{
    static const coset_dtype types[] = {COSET_F32, COSET_F64, COSET_F16, COSET_F8E5M2};
    static const int64_t positions[] = {0, 1, 1023, 1024, 1025, 2999};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    shape dims = {.rank = 1, .dims = {3000}};
    double *values = calloc(3000, sizeof *values);
    (void)state;
    assert_non_null(values);
    for (size_t t = 0; t < 4; t++)
        for (size_t p = 0; p < 6; p++)
            for (int kind = 0; kind < 3; kind++) {
                tensor *made = NULL;
                values[2999] = values[positions[p]] = kind == 0   ? NAN
                                                      : kind == 1 ? INFINITY
                                                                  : -INFINITY;
                assert_int_equal(tensor_from_f64(ctx, types[t], &dims, values, &made), COSET_OK);
                assert_int_equal(tensor_find_nonfinite(made), positions[p]);
                tensor_release(ctx, made);
                values[2999] = values[positions[p]] = 1e-300;
            }
    free(values);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes),          cmocka_unit_test(test_narrow_decode),
        cmocka_unit_test(test_narrow_rounding), cmocka_unit_test(test_narrow_extremes),
        cmocka_unit_test(test_single_rounding), cmocka_unit_test(test_packed),
        cmocka_unit_test(test_integers),        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_tensor_new),      cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_normalise),       cmocka_unit_test(test_nonfinite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
