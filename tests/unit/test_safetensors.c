/* safetensors files: what is damaged, what is not, and the cap on the header. */
#include "support/files.h"
#include "support/tensors.h"

#include "base/digest.h"
#include "lump/safetensors.h"

static counted_memory memory;
static coset_ctx *ctx;

static int start(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    files_start("safetensors");
    return 0;
}

static int end(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

static void expect_error(coset_status status, coset_status expected, const char *text)
{
    if (status != expected || strstr(coset_ctx_error(ctx), text) == NULL)
        fail_msg("%s, \"%s\"; expected %s, \"%s\"", coset_status_name(status), coset_ctx_error(ctx),
                 coset_status_name(expected), text);
}

static void ok(coset_status status)
{
    if (status != COSET_OK) fail_msg("%s: %s", coset_status_name(status), coset_ctx_error(ctx));
}

/* ---- headers ------------------------------------------------------------------------------------ */

#define TENSOR(dtype, dims, from, to)                                                              \
    "{\"dtype\":\"" dtype "\",\"shape\":[" dims "],\"data_offsets\":[" from "," to "]}"

static const struct {
    const char *header;
    size_t data;
    coset_status status;
    const char *text;
} headers[] = {
    {"", 0, COSET_EFORMAT, "line 1"},
    {"[]", 0, COSET_EFORMAT, "object"},
    {"{\"a\":3}", 0, COSET_EFORMAT, "'a' has no dtype"},
    {"{\"a\":{\"dtype\":\"F64\"}}", 0, COSET_EFORMAT, "no shape"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1]}}", 8, COSET_EFORMAT, "data_offsets"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8,8]}}", 8, COSET_EFORMAT,
     "data_offsets"},
    {"{\"a\":" TENSOR("F65", "1", "0", "8") "}", 8, COSET_EUNSUPPORTED, "'F65'"},
    {"{\"a\":" TENSOR("F64", "1.0", "0", "8") "}", 8, COSET_EFORMAT, "dimension 0"},
    {"{\"a\":" TENSOR("F64", "1,-1", "0", "8") "}", 8, COSET_EFORMAT, "dimension 1"},
    {"{\"a\":" TENSOR("U8", "1,1,1,1,1,1,1,1,1", "0", "1") "}", 1, COSET_ELIMIT, "rank 9"},
    {"{\"a\":" TENSOR("F64", "2", "0", "8") "}", 8, COSET_EFORMAT, "needs 16 bytes, not 8"},
    {"{\"a\":" TENSOR("F64", "1", "0", "9") "}", 9, COSET_EFORMAT, "needs 8 bytes, not 9"},
    {"{\"a\":" TENSOR("F64", "4294967296,4294967296", "0", "0") "}", 0, COSET_ELIMIT, ""},
    {"{\"a\":" TENSOR("F64", "9223372036854775807,2", "0", "8") "}", 8, COSET_ELIMIT, ""},
    {"{\"a\":" TENSOR("U8", "8", "-8", "0") "}", 8, COSET_EFORMAT, "claims bytes -8"},
    {"{\"a\":" TENSOR("U8", "8", "8", "0") "}", 8, COSET_EFORMAT, "claims bytes 8 to 0"},
    {"{\"a\":" TENSOR("U8", "8", "1", "9") "}", 8, COSET_EFORMAT, "claims bytes 1 to 9"},
    {"{\"a\":" TENSOR("U8", "8", "0", "9223372036854775807") "}", 8, COSET_EFORMAT, "claims"},
    {"{\"a\":" TENSOR("U8", "8", "1", "9") "}", 9, COSET_EFORMAT, "begins at byte 1"},
    {"{\"a\":" TENSOR("U8", "8", "0", "8") "}", 9, COSET_EFORMAT, "1 bytes belong to no tensor"},
    {"{}", 1, COSET_EFORMAT, "1 bytes belong to no tensor"},
    {"{\"a\":" TENSOR("U8", "8", "0", "8") ",\"b\":" TENSOR("U8", "8", "4", "12") "}", 12,
     COSET_EFORMAT, "'b' begins at byte 4"},
    {"{\"b\":" TENSOR("U8", "8", "0", "8") ",\"a\":" TENSOR("U8", "8", "0", "8") "}", 8,
     COSET_EFORMAT, "begins at byte 0"},
    {"{\"a\":" TENSOR("U8", "4", "0", "4") ",\"b\":" TENSOR("U8", "4", "5", "9") "}", 9,
     COSET_EFORMAT, "'b' begins at byte 5"},
    {"{\"a\":" TENSOR("U8", "4", "0", "4") ",\"a\":" TENSOR("U8", "4", "4", "8") "}", 8,
     COSET_EFORMAT, "repeated key"},
};

static void damaged_safetensors_are_named(void **state)
{
    (void)state;
    safetensors *file = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char *bytes = tensors(headers[i].header, headers[i].data, &size);
        expect_error(safetensors_decode(ctx, bytes, size, "x.safetensors", &file),
                     headers[i].status, headers[i].text);
        assert_non_null(strstr(coset_ctx_error(ctx), "x.safetensors"));
        assert_null(file);
        free(bytes);
    }
    char *bytes = tensors("{}", 0, &size);
    for (size_t cut = 0; cut < 10; cut++)
        assert_int_not_equal(safetensors_decode(ctx, bytes, cut, "x", &file), COSET_OK);
    bytes[0] = 3;
    expect_error(safetensors_decode(ctx, bytes, size, "x", &file), COSET_EFORMAT, "3 bytes");
    free(bytes);
}

static void safetensors_in_any_order(void **state)
{
    (void)state;
    safetensors *file = NULL;
    size_t size = 0;
    char *bytes =
        tensors("{\"__metadata__\":{\"format\":\"pt\"},\"b\":" TENSOR(
                    "U8", "2,2", "2",
                    "6") ",\"empty\":" TENSOR("F64", "0,3", "2",
                                              "2") ",\"a\":" TENSOR("BF16", "", "0", "2") "}   \n",
                6, &size);
    ok(safetensors_decode(ctx, bytes, size, "x", &file));
    assert_int_equal(safetensors_count(file), 3);
    const safetensors_entry *a = safetensors_find(file, "a"), *b = safetensors_find(file, "b");
    assert_true(a->dtype == COSET_BF16 && a->shape.rank == 0 && a->bytes == 2);
    assert_true(a->data == bytes + size - 6 && b->data == bytes + size - 4);
    assert_string_equal(safetensors_at(file, 0)->name, "a");
    assert_int_equal(safetensors_find(file, "empty")->bytes, 0);
    assert_null(safetensors_find(file, "__metadata__"));
    assert_null(safetensors_find(file, "c"));
    safetensors_free(ctx, file);
    bytes = (free(bytes), tensors("{}", 0, &size));
    ok(safetensors_decode(ctx, bytes, size, "x", &file));
    assert_null(safetensors_find(file, "a"));
    safetensors_free(ctx, file);
    free(bytes);
}

static void safetensors_data_is_aligned(void **state)
{
    (void)state;
    const double values[3] = {1, -0.0, 5e-324};
    char digest_text[DIGEST_TEXT], found[DIGEST_TEXT];
    for (int length = 1; length <= 9; length++) {
        char name[10] = "aaaaaaaaa";
        name[length] = '\0';
        safetensors_entry entry = {name, COSET_F64, {1, {3}}, values, sizeof values};
        file_writer *writer = NULL;
        safetensors *file = NULL;
        ok(file_writer_open(ctx, "aligned", &writer));
        ok(safetensors_put(ctx, writer, &entry, 1, "test", digest_text));
        ok(file_writer_commit(writer));
        ok(file_digest_of(ctx, "aligned", found));
        assert_string_equal(digest_text, found);
        size_t size = 0;
        char *bytes = files_get("aligned", &size);
        ok(safetensors_decode(ctx, bytes, size, "aligned", &file));
        const safetensors_entry *back = safetensors_find(file, name);
        assert_int_equal(((const char *)back->data - bytes) % 8, 0);
        assert_memory_equal(back->data, values, sizeof values);
        safetensors_free(ctx, file);
        free(bytes);
    }
    safetensors_entry text = {(char[]){"t"}, COSET_STRING, {1, {0}}, values, 0};
    file_writer *writer = NULL;
    ok(file_writer_open(ctx, "text", &writer));
    expect_error(safetensors_put(ctx, writer, &text, 1, "test", digest_text), COSET_EUNSUPPORTED,
                 "'t'");
    file_writer_abort(writer);
}

static void headers_are_capped(void **state)
{
    (void)state;
    for (uint64_t length = SAFETENSORS_HEADER; length <= SAFETENSORS_HEADER + 1; length++) {
        char *bytes = malloc(8 + length);
        safetensors *file = NULL;
        assert_non_null(bytes);
        memset(bytes, ' ', 8 + length);
        memcpy(bytes, &length, 8);
        memcpy(bytes + 8, "{}", 2);
        coset_status status = safetensors_decode(ctx, bytes, 8 + length, "big", &file);
        assert_int_equal(status, length <= SAFETENSORS_HEADER ? COSET_OK : COSET_ELIMIT);
        safetensors_free(ctx, file);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_safetensors_are_named, start, end),
        cmocka_unit_test_setup_teardown(safetensors_in_any_order, start, end),
        cmocka_unit_test_setup_teardown(safetensors_data_is_aligned, start, end),
        cmocka_unit_test_setup_teardown(headers_are_capped, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
