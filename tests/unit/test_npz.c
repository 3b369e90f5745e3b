/* .npy and .npz: arrays that NumPy wrote (fuzz/corpus/npz), ours read back, and damage. */
#include "support/files.h"

#include <math.h>

#include "base/file.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/zip.h"

static const char *corpus(const char *name)
{
    static char path[4096];
    const char *source = getenv("COSET_SOURCE");
    snprintf(path, sizeof path, "%s/fuzz/corpus/npz/%s", source != NULL ? source : ".", name);
    return path;
}

static tensor *read_named(coset_ctx *ctx, const npz *archive, const char *name)
{
    tensor *found = NULL;
    int64_t index = npz_find(archive, name);
    if (index < 0) fail_msg("no array %s", name);
    coset_status status = npz_read(ctx, archive, index, &found);
    if (status != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    return found;
}

/* Type, shape and bytes of an array. */
static void expect_array(coset_ctx *ctx, const npz *archive, const char *name, coset_dtype dtype,
                         const char *dims, const void *bytes, size_t size)
{
    char text[SHAPE_TEXT];
    tensor *found = read_named(ctx, archive, name);
    assert_string_equal(coset_dtype_name(found->dtype), coset_dtype_name(dtype));
    assert_string_equal(shape_text(&found->shape, text, sizeof text), dims);
    assert_int_equal(found->bytes, size);
    assert_memory_equal(found->data, bytes, size);
    tensor_release(ctx, found);
}

/* Runs a program in the current folder that asserts. */
static void ask_judge(const char *code)
{
    const char *judge = getenv("COSET_JUDGE");
    if (judge == NULL) {
        printf("SKIP: reading back with NumPy: no COSET_JUDGE\n");
        return;
    }
    char command[4096];
    files_put_text("judge.py", code);
    snprintf(command, sizeof command, "'%s' judge.py", judge);
    assert_int_equal(system(command), 0);
}

#define EXPECT(name, dtype, dims, type, ...)                                                       \
    do {                                                                                           \
        const type wanted[] = {__VA_ARGS__};                                                       \
        expect_array(ctx, archive, name, dtype, dims, wanted, sizeof wanted);                      \
    } while (0)

static void test_numpy_types(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    npz *archive = NULL;
    (void)state;
    assert_int_equal(npz_open(ctx, corpus("types.npz"), &archive), COSET_OK);
    assert_int_equal(npz_count(archive), 19);
    assert_string_equal(npz_name(archive, 0), "b");
    assert_int_equal(npz_find(archive, "FORTRAN"), 18);
    assert_int_equal(npz_find(archive, "absent"), -1);
    EXPECT("b", COSET_BOOL, "[2]", uint8_t, 1, 0);
    EXPECT("u1", COSET_U8, "[1]", uint8_t, 255);
    EXPECT("u2", COSET_U16, "[1]", uint16_t, 65535);
    EXPECT("u4", COSET_U32, "[1]", uint32_t, UINT32_MAX);
    EXPECT("u8", COSET_U64, "[1]", uint64_t, (UINT64_C(1) << 63) + 1);
    EXPECT("i1", COSET_I8, "[1]", int8_t, -128);
    EXPECT("i2", COSET_I16, "[1]", int16_t, -2);
    EXPECT("i4", COSET_I32, "[1]", int32_t, -3);
    EXPECT("i8", COSET_I64, "[1]", int64_t, INT64_MIN);
    EXPECT("f2", COSET_F16, "[2]", uint16_t, 0x3E00, 0xFBFF);
    EXPECT("f4", COSET_F32, "[2]", float, 1e-45f, 3);
    EXPECT("f8", COSET_F64, "[1]", double, 3.141592653589793);
    EXPECT("c8", COSET_C64, "[1]", float, 1, 2);
    EXPECT("c16", COSET_C128, "[1]", double, 3, -4);
    EXPECT("scalar", COSET_F32, "[]", float, 7);
    EXPECT("big", COSET_I32, "[2, 3]", int32_t, 1, 2, 3, 4, 5, 6);
    EXPECT("bigf", COSET_F64, "[2]", double, 0.5, -2.25);
    EXPECT("fortran", COSET_I16, "[2, 3, 4]", int16_t, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
           14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
    expect_array(ctx, archive, "empty", COSET_F32, "[0, 3]", "", 0);
    npz_close(ctx, archive);
    counted_ctx_end(ctx, &memory);
}

static void test_numpy_deflate(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    npz *archive = NULL;
    (void)state;
    assert_int_equal(npz_open(ctx, corpus("deflate.npz"), &archive), COSET_OK);
    EXPECT("x", COSET_F32, "[6, 2]", float, -1, -.75f, -.5f, -.25f, 0, .25f, .5f, .75f, 1, 1.25f,
           1.5f, 1.75f);
    EXPECT("y", COSET_I64, "[6]", int64_t, 0, 1, 2, 0, 1, 2);
    npz_close(ctx, archive);
    counted_ctx_end(ctx, &memory);
}

static void test_numpy_refused(void **state)
{
    static const char *const cases[][2] = {
        {"s", "strings"}, {"o", "objects"}, {"t", "dates"}, {"r", "records"}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    npz *archive = NULL;
    (void)state;
    assert_int_equal(npz_open(ctx, corpus("refused.npz"), &archive), COSET_OK);
    for (size_t i = 0; i < 4; i++) {
        tensor *found = NULL;
        int64_t index = npz_find(archive, cases[i][0]);
        assert_true(index >= 0);
        assert_int_equal(npz_read(ctx, archive, index, &found), COSET_EUNSUPPORTED);
        assert_null(found);
        assert_non_null(strstr(coset_ctx_error(ctx), cases[i][1]));
        assert_non_null(strstr(coset_ctx_error(ctx), "refused.npz: '"));
    }
    npz_close(ctx, archive);
    assert_int_equal(npz_open(ctx, "absent.npz", &archive), COSET_EIO);
    assert_null(archive);
    counted_ctx_end(ctx, &memory);
}

/* The three header versions; x is Fortran-ordered in the second and big-endian f64 in the third. */
static void test_npy_versions(void **state)
{
    static const char *const names[] = {"plain.npy", "version2.npy", "version3.npy"};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        size_t size = 0;
        char *bytes = files_get(corpus(names[k]), &size);
        tensor *found = NULL;
        double *values = NULL;
        assert_int_equal(npy_decode(ctx, (uint8_t *)bytes, size, names[k], &found), COSET_OK);
        assert_int_equal(tensor_to_f64(ctx, found, &values), COSET_OK);
        assert_int_equal(tensor_elements(found), 12);
        for (int i = 0; i < 12; i++) assert_true(values[i] == i / 4.0 - 1);
        ctx_free(ctx, values);
        tensor_release(ctx, found);
        free(bytes);
    }
    counted_ctx_end(ctx, &memory);
}

/* Headers written by hand: what is allowed, and what is not. */
static void test_npy_headers(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        coset_status status;
        const char *says;
    } cases[] = {
        {"{'shape': (2,), \"descr\": '<f4','fortran_order':False}", 8, COSET_OK, ""},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (2L, 1L), }  \n", 2, COSET_OK, ""},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, COSET_EFORMAT,
         "asks for 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, COSET_EFORMAT,
         "asks for 8"},
        {"{'descr': '<f4', 'fortran_order': False}", 8, COSET_EFORMAT, "a key is missing"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': ()}", 4, COSET_EFORMAT, "its keys"},
        {"{'descr': '<f4', 'other': 1, 'shape': ()}", 4, COSET_EFORMAT, "its keys"},
        {"{'descr': '<f4', 'fortran_order': Yes, 'shape': ()}", 4, COSET_EFORMAT, "its order"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, COSET_EFORMAT, "its shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", 8, COSET_EFORMAT, "its shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 3}", 12, COSET_EFORMAT, "no shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 0,
         COSET_EFORMAT, "its shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627777,)}", 0, COSET_ELIMIT,
         "2^40"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4, 0)}", 0,
         COSET_ELIMIT, "2^40"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4, COSET_ELIMIT,
         "dimensions"},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': ()}", 4, COSET_EUNSUPPORTED, "'<f3'"},
        {"{'descr': 'f4', 'fortran_order': False, 'shape': ()}", 4, COSET_EUNSUPPORTED, "'f4'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", 4, COSET_EFORMAT,
         "text behind"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()", 4, COSET_EFORMAT, "no '}'"},
        {"{'descr': '<f4", 4, COSET_EFORMAT, "element type"},
        {"{'descr' '<f4'}", 4, COSET_EFORMAT, "its keys"},
        {"", 4, COSET_EFORMAT, "no '{'"},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        size_t length = strlen(cases[k].header), size = 10 + length + cases[k].data;
        uint8_t *bytes = calloc(1, size);
        tensor *found = NULL;
        assert_non_null(bytes);
        memcpy(bytes, "\x93NUMPY\x01\x00", 8);
        bytes[8] = (uint8_t)length;
        memcpy(bytes + 10, cases[k].header, length);
        coset_status status = npy_decode(ctx, bytes, size, "some.npy", &found);
        if (status != cases[k].status) fail_msg("case %zu: %s", k, coset_ctx_error(ctx));
        assert_int_equal(found != NULL, status == COSET_OK);
        if (status != COSET_OK && strstr(coset_ctx_error(ctx), cases[k].says) == NULL)
            fail_msg("case %zu: %s", k, coset_ctx_error(ctx));
        if (status != COSET_OK) assert_non_null(strstr(coset_ctx_error(ctx), "some.npy"));
        tensor_release(ctx, found);
        free(bytes);
    }
    tensor *found = NULL;
    assert_int_equal(
        npy_decode(ctx, (const uint8_t *)"\x93NUMPY\x04\x00\x00\x00\x00\x00", 12, "v", &found),
        COSET_EUNSUPPORTED);
    assert_int_equal(
        npy_decode(ctx, (const uint8_t *)"\x93NUMPY\x02\x00\x00\x00\x00", 11, "v", &found),
        COSET_EFORMAT);
    assert_int_equal(npy_decode(ctx, (const uint8_t *)"\x93NUMPY\x01\x00\xFF\xFF", 10, "v", &found),
                     COSET_EFORMAT);
    assert_int_equal(npy_decode(ctx, (const uint8_t *)"numpy", 5, "v", &found), COSET_EFORMAT);
    counted_ctx_end(ctx, &memory);
}

/* Whatever byte is cut off or changed: an error, or the same arrays (a byte that means nothing). */
static void test_damage(void **state)
{
    static const char *const names[] = {"deflate.npz", "stored.npz", "zip64.npz"};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        size_t size = 0;
        uint8_t *bytes = (uint8_t *)files_get(corpus(names[k]), &size);
        npz *archive = NULL;
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *part = malloc(cut > 0 ? cut : 1);
            assert_non_null(part);
            memcpy(part, bytes, cut);
            assert_int_not_equal(npz_decode(ctx, part, cut, "cut", &archive), COSET_OK);
            assert_null(archive);
            free(part);
        }
        int64_t refused = 0;
        for (size_t at = 0; at < size; at++) {
            bytes[at] ^= 0x11;
            coset_status status = npz_decode(ctx, bytes, size, "flipped", &archive);
            for (int64_t i = 0; status == COSET_OK && i < npz_count(archive); i++) {
                tensor *found = NULL;
                status = npz_read(ctx, archive, i, &found);
                tensor_release(ctx, found);
            }
            refused += status != COSET_OK;
            npz_close(ctx, archive);
            archive = NULL;
            bytes[at] ^= 0x11;
        }
        /* Dates, versions and attributes are free; the contents, checksums and sizes are not. */
        assert_true(refused > (int64_t)size / 2);
        free(bytes);
    }
    counted_ctx_end(ctx, &memory);
}

/* Hand-made directories: what a small file must not claim. */
static void test_hostile_directories(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    size_t size = 0;
    uint8_t *bytes = (uint8_t *)files_get(corpus("deflate.npz"), &size);
    npz *archive = NULL;
    (void)state;
    size_t end = size - 22;
    assert_memory_equal(bytes + end, "PK\5\6", 4);
    size_t central = (size_t)bytes[end + 16] | (size_t)bytes[end + 17] << 8;
    assert_memory_equal(bytes + central, "PK\1\2", 4);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    static const struct {
        size_t at; /* in the first directory record */
        uint8_t value;
        coset_status status;
        const char *says;
    } cases[] = {{8, 1, COSET_EUNSUPPORTED, "encrypted"},
                 {10, 12, COSET_EUNSUPPORTED, "method 12"},
                 {10, 0, COSET_EFORMAT, "two sizes differ"},
                 {16, 0xAA, COSET_EFORMAT, "checksum"},
                 {23, 0x7F, COSET_EFORMAT, "larger than the archive"},
                 {27, 0x7F, COSET_EFORMAT, "declares"},
                 {24, 0, COSET_EFORMAT, "length"},
                 {45, 0x7F, COSET_EFORMAT, "no local header"},
                 {46, 0, COSET_EFORMAT, "zero byte"},
                 {46, 'y', COSET_EFORMAT, "there twice"}};
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        memcpy(copy, bytes, size);
        copy[central + cases[k].at] = cases[k].value;
        tensor *found = NULL;
        int64_t made = memory.made;
        coset_status status = npz_decode(ctx, copy, size, "some.npz", &archive);
        if (status == COSET_OK) status = npz_read(ctx, archive, 0, &found);
        if (status != cases[k].status || strstr(coset_ctx_error(ctx), cases[k].says) == NULL)
            fail_msg("case %zu: %s", k, coset_ctx_error(ctx));
        assert_non_null(strstr(coset_ctx_error(ctx), "some.npz"));
        assert_true(memory.made < made + 64);
        assert_null(found);
        npz_close(ctx, archive);
        archive = NULL;
    }
    free(copy);
    free(bytes);
    counted_ctx_end(ctx, &memory);
}

/* The large fields, with numbers that would not need them. */
static void test_zip64(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    npz *archive = NULL;
    file_writer *file = NULL;
    file_view view;
    zip read = {0};
    (void)state;
    assert_int_equal(npz_open(ctx, corpus("zip64.npz"), &archive), COSET_OK);
    EXPECT("y", COSET_U8, "[6]", uint8_t, 0, 1, 2, 0, 1, 2);
    npz_close(ctx, archive);
    files_start("zip64");
    assert_int_equal(file_writer_open(ctx, "out.zip", &file), COSET_OK);
    zip_writer writer = {.file = file, .limit = 10};
    assert_int_equal(zip_writer_put(ctx, &writer, "small", "ab", 2, "cd", 2), COSET_OK);
    assert_int_equal(zip_writer_put(ctx, &writer, "large", "01234", 5, "56789", 5), COSET_OK);
    assert_int_equal(zip_writer_put(ctx, &writer, "none", "", 0, "", 0), COSET_OK);
    assert_int_equal(zip_writer_finish(&writer), COSET_OK);
    zip_writer_free(ctx, &writer);
    assert_int_equal(file_writer_commit(file), COSET_OK);
    assert_int_equal(file_map(ctx, "out.zip", &view), COSET_OK);
    assert_int_equal(zip_open(ctx, view.bytes, view.size, "out.zip", &read), COSET_OK);
    assert_int_equal(read.n, 3);
    for (int64_t i = 0; i < 3; i++) {
        static const char *const wanted[] = {"abcd", "0123456789", ""};
        const uint8_t *bytes = NULL;
        void *unpacked = NULL;
        assert_int_equal(zip_read(ctx, &read, &read.entries[i], &bytes, &unpacked), COSET_OK);
        assert_null(unpacked);
        assert_int_equal(read.entries[i].size, strlen(wanted[i]));
        assert_memory_equal(bytes, wanted[i], strlen(wanted[i]));
    }
    zip_close(ctx, &read);
    file_unmap(&view);
    ask_judge("import zipfile\n"
              "z = zipfile.ZipFile('out.zip')\n"
              "assert z.testzip() is None\n"
              "assert [z.read(n) for n in z.namelist()] == [b'abcd', b'0123456789', b'']\n");
    counted_ctx_end(ctx, &memory);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static tensor *made_of(coset_ctx *ctx, coset_dtype dtype, const shape *dims, const void *bytes)
{
    size_t size = 0;
    void *copy = NULL;
    tensor *made = NULL;
    assert_int_equal(tensor_bytes(ctx, dtype, dims, &size), COSET_OK);
    assert_int_equal(ctx_alloc(ctx, (int64_t)size, 1, &copy), COSET_OK);
    if (size > 0) memcpy(copy, bytes, size);
    assert_int_equal(tensor_new(ctx, dtype, dims, copy, size, &made), COSET_OK);
    return made;
}

static void test_write(void **state)
{
    static const float floats[6] = {1.5f, -2, 0, 3e38f, 1e-40f, -0.0f};
    static const uint8_t bytes[6] = {0x80, 0x3F, 0x00, 0xC0, 0x21, 0x43};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    shape matrix = {.rank = 2, .dims = {2, 3}}, scalar = {.rank = 0},
          row = {.rank = 1, .dims = {3}};
    shape none = {.rank = 2, .dims = {0, 4}}, pair = {.rank = 1, .dims = {2}};
    tensor *data[] = {made_of(ctx, COSET_F32, &matrix, floats),
                      made_of(ctx, COSET_F64, &scalar, "12345678"),
                      made_of(ctx, COSET_F16, &row, bytes),
                      made_of(ctx, COSET_I64, &none, ""),
                      made_of(ctx, COSET_BF16, &row, bytes),
                      made_of(ctx, COSET_U4, &row, bytes + 4),
                      made_of(ctx, COSET_BOOL, &pair, "\0\1"),
                      made_of(ctx, COSET_C64, &row, "01234567890123456789abcd")};
    npz_array arrays[] = {{"matrix", data[0]}, {"a/b c", data[1]},  {"half", data[2]},
                          {"none", data[3]},   {"brain", data[4]},  {"nibbles", data[5]},
                          {"flags", data[6]},  {"complex", data[7]}};
    npz *archive = NULL;
    (void)state;
    files_start("npz");
    assert_int_equal(npz_write(ctx, "out.npz", arrays, 8), COSET_OK);
    assert_int_equal(npz_open(ctx, "out.npz", &archive), COSET_OK);
    assert_int_equal(npz_count(archive), 8);
    expect_array(ctx, archive, "matrix", COSET_F32, "[2, 3]", floats, sizeof floats);
    expect_array(ctx, archive, "a/b c", COSET_F64, "[]", "12345678", 8);
    expect_array(ctx, archive, "half", COSET_F16, "[3]", bytes, 6);
    expect_array(ctx, archive, "none", COSET_I64, "[0, 4]", "", 0);
    EXPECT("brain", COSET_F32, "[3]", float, 1, -2, 161);
    EXPECT("nibbles", COSET_U8, "[3]", uint8_t, 1, 2, 3);
    EXPECT("flags", COSET_BOOL, "[2]", uint8_t, 0, 1);
    expect_array(ctx, archive, "complex", COSET_C64, "[3]", "01234567890123456789abcd", 24);
    npz_close(ctx, archive);
    /* The same arrays give the same bytes. */
    char first[65], second[65];
    assert_int_equal(file_digest_of(ctx, "out.npz", first), COSET_OK);
    assert_int_equal(npz_write(ctx, "again.npz", arrays, 8), COSET_OK);
    assert_int_equal(file_digest_of(ctx, "again.npz", second), COSET_OK);
    assert_string_equal(first, second);
    ask_judge(
        "import sys, zipfile, numpy as np\n"
        "assert zipfile.ZipFile('out.npz').testzip() is None\n"
        "z = np.load('out.npz')\n"
        "assert z.files == ['matrix', 'a/b c', 'half', 'none', 'brain', 'nibbles', 'flags', 'complex']\n"
        "m = z['matrix']\n"
        "assert m.dtype == np.float32 and m.shape == (2, 3) and m[1, 0] == np.float32(3e38)\n"
        "assert z['a/b c'].shape == () and z['none'].shape == (0, 4)\n"
        "assert z['half'].dtype == np.float16 and z['complex'].dtype == np.complex64\n"
        "assert z['brain'].tolist() == [1, -2, 161] and z['flags'].tolist() == [False, True]\n");
    npz_array twice[] = {{"x", data[0]}, {"x", data[1]}}, unnamed[] = {{"", data[0]}};
    assert_int_equal(npz_write(ctx, "out.npz", twice, 2), COSET_EARGUMENT);
    assert_int_equal(npz_write(ctx, "out.npz", unnamed, 1), COSET_EARGUMENT);
    tensor *strings = NULL;
    assert_int_equal(tensor_new(ctx, COSET_STRING, &row, NULL, 0, &strings), COSET_OK);
    npz_array refused[] = {{"x", data[0]}, {"words", strings}};
    assert_int_equal(npz_write(ctx, "out.npz", refused, 2), COSET_EUNSUPPORTED);
    assert_non_null(strstr(coset_ctx_error(ctx), "out.npz: array 'words'"));
    assert_int_equal(file_digest_of(ctx, "out.npz", second), COSET_OK);
    assert_string_equal(first, second);
    /* Every allocation fails once. */
    for (int64_t n = 0;; n++) {
        int64_t alive = memory.alive;
        memory.made = 0;
        memory.fail_from = n;
        coset_status status = npz_write(ctx, "memory.npz", arrays, 8);
        if (status == COSET_OK) status = npz_open(ctx, "memory.npz", &archive);
        memory.fail_from = -1;
        if (status == COSET_OK) npz_close(ctx, archive);
        assert_int_equal(memory.alive, alive);
        if (status == COSET_OK) break;
        assert_int_equal(status, COSET_EMEMORY);
    }
    tensor_release(ctx, strings);
    for (int i = 0; i < 8; i++) tensor_release(ctx, data[i]);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numpy_types),
        cmocka_unit_test(test_numpy_deflate),
        cmocka_unit_test(test_numpy_refused),
        cmocka_unit_test(test_npy_versions),
        cmocka_unit_test(test_npy_headers),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_hostile_directories),
        cmocka_unit_test(test_zip64),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
