/* coset_run on named arrays, and .npz and .npy files through the public calls. */
#include "support/build.h"

#include <coset/run.h>

/* ---- running ----------------------------------------------------------------------------------- */

static coset_array f32(const char *name, const char *dims, const float *data)
{
    shape known = build_shape(dims);
    coset_array made = {.name = name, .dtype = COSET_F32, .rank = known.rank, .data = data};
    memcpy(made.dims, known.dims, sizeof made.dims);
    made.bytes = (size_t)shape_product(&known, 0, known.rank) * sizeof(float);
    return made;
}

static coset_array typed(const char *name, coset_dtype dtype, const char *dims, const void *data,
                         size_t bytes)
{
    coset_array made = f32(name, dims, data);
    made.dtype = dtype;
    made.bytes = bytes;
    return made;
}

static void assert_f32(const coset_array *found, const char *name, const char *dims,
                       const float *expected)
{
    shape known = build_shape(dims);
    assert_string_equal(found->name, name);
    assert_int_equal(found->dtype, COSET_F32);
    assert_int_equal(found->rank, known.rank);
    for (int a = 0; a < known.rank; a++) assert_int_equal(found->dims[a], known.dims[a]);
    size_t count = (size_t)shape_product(&known, 0, known.rank);
    assert_int_equal(found->bytes, count * sizeof(float));
    for (size_t k = 0; k < count; k++) assert_true(((const float *)found->data)[k] == expected[k]);
}

/* a (float) and b (float) -> difference a - b, and a alone; c (int32) -> passed on. */
static builder model(coset_ctx *ctx, const char *dims, const char *dims_c)
{
    builder build = build_start(ctx, 13);
    int32_t a = build_input(&build, "a", COSET_F32, dims);
    int32_t b = build_input(&build, "b", COSET_F32, dims);
    int32_t c = build_input(&build, "c", COSET_I32, dims_c);
    build_output(&build, build_op(&build, "Sub", a, b, "difference"));
    build_output(&build, build_op(&build, "Identity", c, -1, "passed"));
    build_finish(&build);
    return build;
}

/* Arrays in any order; the shapes of the file, symbolic ones, and more samples than it declares. */
static void runs(void **state)
{
    (void)state;
    static const char *const dims[] = {"3 2", "? 2", "1 2", "2 2"};
    static const char *const dims_c[] = {"3 1", "? 1", "1 1", "2 1"};
    static const float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 1, 1, 2, 2, 2};
    static const float difference[6] = {0, 1, 2, 2, 3, 4};
    static const int32_t c[3] = {7, -8, 9};
    for (int variant = 0; variant < 4; variant++) {
        counted_memory memory;
        coset_ctx *ctx = counted_ctx(&memory, 1);
        builder build = model(ctx, dims[variant], dims_c[variant]);
        coset_array inputs[3] = {typed("c", COSET_I32, "3 1", c, sizeof c), f32("b", "3 2", b),
                                 f32("a", "3 2", a)};
        coset_array *outputs = NULL;
        int64_t n = 0;
        if (coset_run(ctx, build.graph, inputs, 3, &outputs, &n) != COSET_OK)
            fail_msg("%s", coset_ctx_error(ctx));
        assert_int_equal(n, 2);
        assert_f32(&outputs[0], "difference", "3 2", difference);
        assert_string_equal(outputs[1].name, "passed");
        assert_int_equal(outputs[1].dtype, COSET_I32);
        assert_int_equal(outputs[1].bytes, sizeof c);
        assert_memory_equal(outputs[1].data, c, sizeof c);
        coset_arrays_free(ctx, outputs, n);
        coset_graph_free(ctx, build.graph);
        counted_ctx_end(ctx, &memory);
    }
}

/* One scalar for each sample of a model that takes one at a time gives a vector of them. */
static void scalar_outputs(void **state)
{
    (void)state;
    static const int64_t none[1] = {0};
    static const float x[3] = {5, 6, 7}, expected[3] = {-5, -6, -7};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 13);
    int32_t value = build_input(&build, "x", COSET_F32, "1");
    int32_t scalar = build_constant(&build, "scalar", COSET_I64, "0", none);
    build_output(&build,
                 build_op(&build, "Reshape", build_op(&build, "Neg", value, -1, "n"), scalar, "y"));
    build_finish(&build);
    coset_array input = f32(NULL, "3", x), *outputs = NULL;
    int64_t n = 0;
    if (coset_run(ctx, build.graph, &input, 1, &outputs, &n) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    assert_f32(&outputs[0], "y", "3", expected);
    coset_arrays_free(ctx, outputs, n);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

/* Other floating types are rounded to the declared one, integers must fit; an array without a name
 * is the only input's; arrays without elements are fine. */
static void conversions(void **state)
{
    (void)state;
    static const float fine[2] = {1.0f / 3, -2};
    static const double doubles_in[2] = {0.1, -3};
    static const int64_t wide[2] = {-128, 127}, too_wide[2] = {0, 128};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_array *outputs = NULL;
    int64_t n = 0;
    struct {
        coset_dtype declared;
        coset_array given;
    } cases[] = {
        {COSET_F16, f32("x", "2", fine)},
        {COSET_F32, typed("", COSET_F64, "2", doubles_in, sizeof doubles_in)},
        {COSET_I8, typed(NULL, COSET_I64, "2", wide, sizeof wide)},
        {COSET_I8, typed(NULL, COSET_I64, "2", too_wide, sizeof too_wide)},
        {COSET_F16, f32("x", "0", NULL)},
        {COSET_F32, f32("x", "0", NULL)},
    };
    for (int k = 0; k < 6; k++) {
        builder build = build_start(ctx, 14);
        int32_t x = build_input(&build, "x", cases[k].declared, "?");
        build_output(&build, build_op(&build, "Identity", x, -1, "y"));
        build_finish(&build);
        coset_status status = coset_run(ctx, build.graph, &cases[k].given, 1, &outputs, &n);
        assert_int_equal(status, k == 3 ? COSET_EARGUMENT : COSET_OK);
        if (k != 3) assert_int_equal(outputs[0].dtype, cases[k].declared);
        if (k == 0) assert_int_equal(((const uint16_t *)outputs[0].data)[0], 0x3555);
        if (k == 0) assert_int_equal(((const uint16_t *)outputs[0].data)[1], 0xc000);
        if (k == 1) assert_true(((const float *)outputs[0].data)[0] == 0.1f);
        if (k == 2) assert_memory_equal(outputs[0].data, ((int8_t[]){-128, 127}), 2);
        if (k == 3) {
            assert_null(outputs);
            assert_string_equal(coset_ctx_error(ctx),
                                "input 'x': element 1, 128, does not fit int8");
        }
        if (k > 3) assert_int_equal(outputs[0].bytes, 0);
        coset_arrays_free(ctx, outputs, n);
        coset_graph_free(ctx, build.graph);
    }
    counted_ctx_end(ctx, &memory);
}

static void refuses(coset_ctx *ctx, const coset_graph *graph, const coset_array *inputs, int64_t n,
                    coset_status expected, const char *text)
{
    coset_array *outputs = NULL;
    int64_t n_outputs = 0;
    assert_int_equal(coset_run(ctx, graph, inputs, n, &outputs, &n_outputs), expected);
    assert_null(outputs);
    if (strstr(coset_ctx_error(ctx), text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", coset_ctx_error(ctx), text);
}

static void refusals(void **state)
{
    (void)state;
    static const float x[12] = {0};
    static const int32_t c[6] = {0};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = model(ctx, "2 3", "2");
    coset_array good[3] = {f32("a", "2 3", x), f32("b", "2 3", x),
                           typed("c", COSET_I32, "2", c, 8)};
    coset_array bad[3], twice[4];
    refuses(ctx, build.graph, good, 2, COSET_EARGUMENT, "no array for input 'c'");
    memcpy(bad, good, sizeof bad);
    bad[1].name = "d";
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT,
            "built.onnx: the model has no input 'd'; its inputs: 'a', 'b', 'c'");
    bad[1].name = NULL;
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "no input ''");
    memcpy(twice, good, sizeof good);
    twice[3] = good[0];
    refuses(ctx, build.graph, twice, 4, COSET_EARGUMENT, "two arrays are named 'a'");
    memcpy(bad, good, sizeof bad);
    bad[1] = f32("b", "2 4", x);
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT,
            "input 'b' must have shape [2, 3], not [2, 4]");
    bad[1] = f32("b", "6", x);
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "input 'b' must have shape [2, 3], not [6]");
    bad[1] = f32("b", "4 3", x);
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "same number of samples");
    bad[0] = f32("a", "0 3", NULL);
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "at least one");
    memcpy(bad, good, sizeof bad);
    bad[0] = typed("a", COSET_I32, "2 3", c, sizeof c);
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "input 'a' must be float, not int32");
    bad[0] = f32("a", "2 3", x);
    bad[0].bytes--;
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "needs 24 bytes, not 23");
    bad[0] = f32("a", "2 3", NULL);
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "needs 24 bytes, not 0");
    bad[0].rank = 9;
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "array 'a' has rank 9");
    bad[0] = f32("a", "-2 3", x);
    refuses(ctx, build.graph, bad, 3, COSET_EARGUMENT, "array 'a' has a negative dimension");
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

/* ---- files ------------------------------------------------------------------------------------- */

static const char *temporary(const char *name)
{
    static char path[4096];
    const char *folder = getenv("COSET_TMP");
    snprintf(path, sizeof path, "%s/coset_run_%s", folder != NULL ? folder : "/tmp", name);
    return path;
}

static void files(void **state)
{
    (void)state;
    static const float x[6] = {1, 2, 3, 4, 5, 6.5f};
    static const int64_t k[1] = {-9};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_array arrays[2] = {f32("x", "2 3", x), typed("k", COSET_I64, "", k, sizeof k)};
    coset_array *read = NULL;
    int64_t n = 0;
    const char *path = temporary("two.npz");
    if (coset_arrays_save(ctx, path, arrays, 2) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    if (coset_arrays_load(ctx, path, &read, &n) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_int_equal(n, 2);
    assert_f32(&read[0], "x", "2 3", x);
    assert_string_equal(read[1].name, "k");
    assert_int_equal(read[1].rank, 0);
    assert_memory_equal(read[1].data, k, sizeof k);
    coset_arrays_free(ctx, read, n);
    remove(path);
    path = temporary("one.npy");
    assert_int_equal(coset_arrays_save(ctx, path, arrays, 1), COSET_OK);
    assert_int_equal(coset_arrays_load(ctx, path, &read, &n), COSET_OK);
    assert_int_equal(n, 1);
    assert_f32(&read[0], "", "2 3", x);
    coset_arrays_free(ctx, read, n);
    remove(path);
    assert_int_equal(coset_arrays_load(ctx, path, &read, &n), COSET_EIO);
    assert_null(read);
    assert_int_equal(coset_arrays_load(ctx, temporary("none.npz"), &read, &n), COSET_EIO);
    assert_int_equal(coset_arrays_load(ctx, temporary("x.txt"), &read, &n), COSET_EARGUMENT);
    assert_int_equal(coset_arrays_save(ctx, temporary("x.txt"), arrays, 1), COSET_EARGUMENT);
    assert_int_equal(coset_arrays_save(ctx, temporary("x.npy"), arrays, 2), COSET_EARGUMENT);
    arrays[1].name = "x";
    assert_int_equal(coset_arrays_save(ctx, temporary("x.npz"), arrays, 2), COSET_EARGUMENT);
    assert_int_equal(coset_arrays_load(ctx, temporary("x.npz"), &read, &n), COSET_EIO);
    coset_arrays_free(ctx, NULL, 0);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),     cmocka_unit_test(scalar_outputs), cmocka_unit_test(conversions),
        cmocka_unit_test(refusals), cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
