/* Data sets: splits, standardisation, layouts, arrays and idx files, the real files, and failed
 * allocations. */
#include "support/samples.h"

#include <math.h>

#include "data/npz.h"

/* An idx file of images, as bytes. */
static size_t idx_of(uint8_t *out, int rank, const int *dims, size_t count)
{
    size_t used = 0;
    out[used++] = 0, out[used++] = 0, out[used++] = 8, out[used++] = (uint8_t)rank;
    for (int i = 0; i < rank; i++)
        for (int b = 3; b >= 0; b--) out[used++] = (uint8_t)(dims[i] >> (8 * b));
    for (size_t i = 0; i < count; i++) out[used++] = (uint8_t)i;
    return used;
}

/* ---- split, standardisation, filling ----------------------------------------------------------- */

/* Every row is in exactly one part, whole; the same seed gives the same parts. */
static void test_split(void **state)
{
    enum { ROWS = 1003 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    char *text = malloc(100000);
    size_t used = 0;
    float first = -1;
    int moved = 0;
    (void)state;
    assert_non_null(text);
    for (int i = 0; i < ROWS; i++)
        used += (size_t)snprintf(text + used, 100000 - used, "%d,%d\n", i, -i);
    options.test_share = 0.3;
    for (int round = 0; round < 3; round++) {
        coset_data *data = NULL;
        int seen[ROWS] = {0};
        ctx->seed = round == 2 ? 5 : 0;
        assert_int_equal(data_decode(ctx, text, used, "a.csv", &options, &data), COSET_OK);
        assert_int_equal(coset_data_test_rows(data), 301);
        assert_int_equal(coset_data_train_rows(data), ROWS - 301);
        const data_part *parts[] = {&data->train, &data->test};
        for (int p = 0; p < 2; p++) {
            float *x = filled(ctx, data, parts[p]);
            for (int64_t r = 0; r < parts[p]->rows; r++) {
                assert_true(x[r] == -parts[p]->y[r]);
                seen[(int)x[r]]++;
                moved += p == 0 && x[r] != (float)r;
            }
            if (p == 0 && round == 0) first = x[0];
            if (p == 0 && round == 1) assert_true(x[0] == first);
            if (p == 0 && round == 2) assert_true(x[0] != first);
            free(x);
        }
        for (int i = 0; i < ROWS; i++) assert_int_equal(seen[i], 1);
        coset_data_free(ctx, data);
    }
    assert_true(moved > ROWS);
    free(text);
    /* One row cannot be split; two always are. */
    coset_data *data = NULL;
    assert_int_equal(data_decode(ctx, "1,2\n", 4, "a.csv", NULL, &data), COSET_OK);
    assert_int_equal(coset_data_train_rows(data), 1);
    assert_int_equal(coset_data_test_rows(data), 0);
    coset_data_free(ctx, data);
    options.test_share = 1e-9;
    assert_int_equal(data_decode(ctx, "1,2\n3,4\n", 8, "a.csv", &options, &data), COSET_OK);
    assert_int_equal(coset_data_test_rows(data), 1);
    coset_data_free(ctx, data);
    counted_ctx_end(ctx, &memory);
}

static void test_standardise(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    (void)state;
    files_start("standardise");
    /* Far from 0, so that f32 sums would lose it; the third column is constant, y has a spread of 2. */
    files_put_text(
        "train.csv",
        "a,b,k,y\n1000000001,1,7,1\n1000000003,5,7,5\n1000000001,1,7,1\n1000000003,5,7,5\n");
    files_put_text("test.csv", "a,b,k,y\n1000000005,3,8,3\n");
    options.standardise = 1;
    options.test = "test.csv";
    coset_data *data = load(ctx, "train.csv", &options);
    assert_string_equal(shown(ctx, data),
                        "-1 -1 0 | -1\n1 1 0 | 1\n-1 -1 0 | -1\n1 1 0 | 1\n3 0 1 | 0\n");
    coset_data_free(ctx, data);
    options.scale = 2;
    assert_int_equal(coset_data_load(ctx, "train.csv", &options, &data), COSET_EARGUMENT);
    /* Classes stay. */
    options.scale = 1;
    files_put_text("train.csv", "a,y\n1,u\n3,v\n");
    options.test = "train.csv";
    data = load(ctx, "train.csv", &options);
    assert_string_equal(shown(ctx, data), "-1 | class 0\n1 | class 1\n-1 | class 0\n1 | class 1\n");
    coset_data_free(ctx, data);
    counted_ctx_end(ctx, &memory);
}

static void test_layouts(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    coset_data *data = NULL;
    uint8_t bytes[100];
    const int dims[] = {1, 2, 2, 3}, grey[] = {1, 2, 2}, vector[] = {1, 4};
    const float mean[] = {1, 2, 3, 4}, deviation[] = {2, 2, 4, 8};
    (void)state;
    size_t size = idx_of(bytes, 4, dims, 12);
    options.layout = COSET_LAYOUT_NHWC;
    assert_int_equal(data_decode(ctx, bytes, size, "a-ubyte", &options, &data), COSET_OK);
    assert_string_equal(shown(ctx, data), "0 3 6 9 1 4 7 10 2 5 8 11 \n");
    assert_int_equal(data->sample.rank, 3);
    assert_int_equal(data->sample.dims[0], 3);
    assert_int_equal(data->sample.dims[2], 2);
    coset_data_free(ctx, data);
    options.scale = 0.5;
    options.mean = mean;
    options.std = deviation;
    options.n_channels = 3;
    assert_int_equal(data_decode(ctx, bytes, size, "a-ubyte", &options, &data), COSET_OK);
    assert_string_equal(shown(ctx, data),
                        "-0.5 0.25 1 1.75 -0.75 0 0.75 1.5 -0.5 -0.125 0.25 0.625 \n");
    coset_data_free(ctx, data);
    options.n_channels = 2;
    assert_int_equal(data_decode(ctx, bytes, size, "a-ubyte", &options, &data), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "mean and std have 2 numbers; x has 3 channels"));
    /* One number is for all. */
    options.n_channels = 1;
    options.std = NULL;
    options.layout = COSET_LAYOUT_NCHW;
    size = idx_of(bytes, 3, grey, 4);
    assert_int_equal(data_decode(ctx, bytes, size, "a-ubyte", &options, &data), COSET_OK);
    assert_string_equal(shown(ctx, data), "-1 -0.5 0 0.5 \n");
    assert_int_equal(data->sample.dims[0], 1);
    coset_data_free(ctx, data);
    /* A number for each feature of a vector. */
    options = (coset_data_options)COSET_DATA_OPTIONS_INIT;
    options.mean = mean;
    options.std = deviation;
    options.n_channels = 4;
    size = idx_of(bytes, 2, vector, 4);
    assert_int_equal(data_decode(ctx, bytes, size, "a-ubyte", &options, &data), COSET_OK);
    assert_string_equal(shown(ctx, data), "-0.5 -0.5 -0.25 -0.125 \n");
    coset_data_free(ctx, data);
    options.layout = COSET_LAYOUT_NHWC;
    assert_int_equal(data_decode(ctx, bytes, size, "a-ubyte", &options, &data), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "[1, 4]"));
    counted_ctx_end(ctx, &memory);
}

static void test_options(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double shares[] = {0, 1, -1, 2, NAN};
    static const double scales[] = {0, NAN, INFINITY};
    static const float zero[] = {0}, nothing[] = {NAN};
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    (void)state;
    for (int i = 0; i < 5; i++) {
        options.test_share = shares[i];
        expect_refused(ctx, "a.csv", "1,2\n", &options, COSET_EARGUMENT, "test share");
    }
    options.test_share = .5;
    for (int i = 0; i < 3; i++) {
        options.scale = scales[i];
        expect_refused(ctx, "a.csv", "1,2\n", &options, COSET_EARGUMENT, "scale");
    }
    options.scale = 1;
    options.mean = nothing;
    expect_refused(ctx, "a.csv", "1,2\n", &options, COSET_EARGUMENT, "at least one number");
    options.n_channels = 1;
    expect_refused(ctx, "a.csv", "1,2\n", &options, COSET_EARGUMENT, "mean 0 is not finite");
    options.mean = NULL;
    options.std = zero;
    expect_refused(ctx, "a.csv", "1,2\n", &options, COSET_EARGUMENT, "std 0 is 0");
    options.std = NULL;
    options.test = "b.csv";
    expect_refused(ctx, "a.csv", "1,2\n", &options, COSET_EARGUMENT, "in memory");
    counted_ctx_end(ctx, &memory);
}

static void test_from_rows(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    float x[6] = {1, 2, 3, 4, 5, 6}, out[4] = {0};
    const int64_t order[2] = {2, 0};
    coset_data *data = NULL;
    (void)state;
    assert_int_equal(coset_data_from_rows(ctx, x, 3, 2, &data), COSET_OK);
    x[0] = 9; /* copied */
    assert_string_equal(shown(ctx, data), "1 2 \n3 4 \n5 6 \n");
    assert_int_equal(coset_data_test_rows(data), 0);
    data_view view = {
        .data = data, .part = &data->train, .index = order, .samples = 2, .sample = data->sample};
    batch_source source = data_source(&view);
    assert_int_equal(source.samples, 2);
    assert_int_equal(source.fill(ctx, source.user, 0, 0, 2, out), COSET_OK);
    const float both[4] = {5, 6, 1, 2};
    assert_memory_equal(out, both, sizeof both);
    assert_int_equal(source.fill(ctx, source.user, 0, 1, 1, out), COSET_OK);
    assert_true(out[0] == 1 && out[1] == 2);
    assert_int_equal(source.fill(ctx, source.user, 1, 0, 1, out), COSET_EUNSUPPORTED);
    view.index = NULL;
    assert_int_equal(source.fill(ctx, source.user, 0, 1, 1, out), COSET_OK);
    assert_true(out[0] == 3 && out[1] == 4);
    coset_data_free(ctx, data);
    assert_int_equal(coset_data_from_rows(ctx, x, 0, 2, &data), COSET_EARGUMENT);
    assert_int_equal(coset_data_from_rows(ctx, x, 2, 0, &data), COSET_EARGUMENT);
    assert_int_equal(coset_data_from_rows(ctx, x, INT64_MAX, 2, &data), COSET_ELIMIT);
    x[3] = NAN;
    assert_int_equal(coset_data_from_rows(ctx, x, 3, 2, &data), COSET_ENUMERIC);
    assert_non_null(strstr(coset_ctx_error(ctx), "row 1, column 1"));
    assert_null(data);
    counted_ctx_end(ctx, &memory);
}

/* ---- arrays ------------------------------------------------------------------------------------ */

static tensor *array_of(coset_ctx *ctx, coset_dtype dtype, const char *dims, const double *values)
{
    shape known = {.rank = 0};
    double plain[64];
    for (char *end = NULL; *dims != '\0'; dims = end)
        known.dims[known.rank++] = strtoll(dims, &end, 10);
    for (int i = 0; i < 64; i++) plain[i] = values != NULL ? values[i] : i;
    tensor *made = NULL;
    if (dtype_is_float(dtype)) {
        assert_int_equal(tensor_from_f64(ctx, dtype, &known, plain, &made), COSET_OK);
        return made;
    }
    int64_t integers[64];
    for (int i = 0; i < 64; i++) integers[i] = (int64_t)plain[i];
    array values_in = {.dtype = dtype, .shape = known, .i = integers};
    assert_int_equal(tensor_from_array(ctx, &values_in, &made), COSET_OK);
    return made;
}

/* One archive: names, types and shapes of up to four arrays that count 0, 1, 2, ... */
typedef struct archive_case {
    struct {
        const char *name;
        coset_dtype dtype;
        const char *dims;
    } arrays[4];
    coset_status status;
    const char *says; /* the error, or the rows */
} archive_case;

static void write_archive(coset_ctx *ctx, const char *path, const archive_case *from)
{
    npz_array arrays[4];
    tensor *made[4] = {NULL};
    int n = 0;
    for (; n < 4 && from->arrays[n].name != NULL; n++) {
        made[n] = array_of(ctx, from->arrays[n].dtype, from->arrays[n].dims, NULL);
        arrays[n] = (npz_array){from->arrays[n].name, made[n]};
    }
    assert_int_equal(npz_write(ctx, path, arrays, n), COSET_OK);
    for (int i = 0; i < n; i++) tensor_release(ctx, made[i]);
}

static void test_archives(void **state)
{
    static const archive_case cases[] = {
        {{{"x_train", COSET_F32, "2 2"},
          {"y_train", COSET_F32, "2"},
          {"x_test", COSET_F32, "1 2"},
          {"y_test", COSET_F32, "1"}},
         COSET_OK,
         "0 1 | 0\n2 3 | 1\n0 1 | 0\n"},
        {{{"X_train", COSET_U8, "2 2"},
          {"Y_train", COSET_I32, "2 1"},
          {"X_test", COSET_U8, "1 2"},
          {"Y_test", COSET_I32, "1 1"}},
         COSET_OK,
         "0 1 | class 0\n2 3 | class 1\n0 1 | class 0\n"},
        {{{"x_train", COSET_F16, "3"},
          {"y_train", COSET_F64, "3 2"},
          {"x_test", COSET_F16, "1"},
          {"y_test", COSET_F64, "1 2"}},
         COSET_OK,
         "0 | 0| 1\n1 | 2| 3\n2 | 4| 5\n0 | 0| 1\n"},
        {{{"x_train", COSET_F64, "1 2"}, {"x_test", COSET_F64, "1 2"}}, COSET_OK, "0 1 \n0 1 \n"},
        /* Several integers a row are amounts. */
        {{{"x_train", COSET_I64, "1 1"},
          {"y_train", COSET_I64, "1 3"},
          {"x_test", COSET_I64, "1 1"},
          {"y_test", COSET_I64, "1 3"}},
         COSET_OK,
         "0 | 0| 1| 2\n0 | 0| 1| 2\n"},
        {{{"x", COSET_F32, "3 2"}, {"y", COSET_F32, "2"}},
         COSET_EFORMAT,
         "x has 3 rows, but y has 2"},
        {{{"x_train", COSET_F32, "2 2"}, {"x_test", COSET_F32, "2 3"}}, COSET_EFORMAT, "differ"},
        {{{"x_train", COSET_F32, "2 2"}, {"x_test", COSET_F32, "2 2 1"}}, COSET_EFORMAT, "differ"},
        {{{"x_train", COSET_F32, "2 2"}, {"y_train", COSET_F32, "2"}, {"x_test", COSET_F32, "2 2"}},
         COSET_EFORMAT,
         "only the training part has y"},
        {{{"x_train", COSET_F32, "2 2"}, {"y_test", COSET_F32, "2"}},
         COSET_EFORMAT,
         "has y_test, but no x_test"},
        {{{"x_train", COSET_F32, "2 2"},
          {"y_train", COSET_F32, "2"},
          {"x_test", COSET_F32, "2 2"},
          {"y_test", COSET_I64, "2"}},
         COSET_EFORMAT,
         "differ in kind"},
        {{{"inputs", COSET_F32, "2 2"}, {"y", COSET_F32, "2"}},
         COSET_EFORMAT,
         "has no array x_train or x; it has: inputs, y"},
        {{{"x", COSET_F32, "0 2"}}, COSET_EFORMAT, "x has no rows"},
        {{{"x", COSET_F32, ""}}, COSET_EFORMAT, "x has no rows"},
        {{{"x", COSET_F32, "2 0"}}, COSET_EFORMAT, "rows are empty"},
        {{{"x", COSET_C64, "0"}}, COSET_EUNSUPPORTED, "x is of type complex64"},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("archives");
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        coset_data *data = NULL;
        if (cases[k].arrays[0].dtype == COSET_C64) {
            shape none = {.rank = 1, .dims = {0}};
            tensor *made = NULL;
            assert_int_equal(tensor_new(ctx, COSET_C64, &none, NULL, 0, &made), COSET_OK);
            npz_array only = {"x", made};
            assert_int_equal(npz_write(ctx, "a.npz", &only, 1), COSET_OK);
            tensor_release(ctx, made);
        } else {
            write_archive(ctx, "a.npz", &cases[k]);
        }
        coset_status status = coset_data_load(ctx, "a.npz", NULL, &data);
        if (status != cases[k].status) fail_msg("case %zu: %s", k, coset_ctx_error(ctx));
        if (status == COSET_OK)
            assert_string_equal(shown(ctx, data), cases[k].says);
        else if (strstr(coset_ctx_error(ctx), cases[k].says) == NULL)
            fail_msg("case %zu: %s", k, coset_ctx_error(ctx));
        coset_data_free(ctx, data);
    }
    counted_ctx_end(ctx, &memory);
}

static void test_bad_values(void **state)
{
    static const struct {
        double x, y;
        coset_dtype x_type, y_type;
        const char *says;
    } cases[] = {{NAN, 0, COSET_F32, COSET_F32, "x: row 1, element 1 is not a finite number"},
                 {0, INFINITY, COSET_F16, COSET_F64, "y: row 3, element 0 is not a finite number"},
                 {1e300, 0, COSET_F64, COSET_F32, "as 32-bit"},
                 {0, 1e300, COSET_F32, COSET_F64, "row"},
                 {0, -1, COSET_F32, COSET_I64, "is -1; integers are class labels"},
                 {0, 1000000, COSET_F32, COSET_I32,
                  "is 1000000; integers are class labels from 0 to 999999"}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("values");
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        double x[64] = {0}, y[64] = {0};
        x[3] = cases[k].x;
        y[3] = cases[k].y;
        tensor *made[2] = {array_of(ctx, cases[k].x_type, "4 2", x),
                           array_of(ctx, cases[k].y_type, "4", y)};
        npz_array arrays[2] = {{"x", made[0]}, {"y", made[1]}};
        coset_data *data = NULL;
        assert_int_equal(npz_write(ctx, "a.npz", arrays, 2), COSET_OK);
        assert_int_equal(coset_data_load(ctx, "a.npz", NULL, &data), COSET_EFORMAT);
        if (strstr(coset_ctx_error(ctx), cases[k].says) == NULL)
            fail_msg("%s", coset_ctx_error(ctx));
        assert_null(data);
        tensor_release(ctx, made[0]);
        tensor_release(ctx, made[1]);
    }
    counted_ctx_end(ctx, &memory);
}

/* Files that come in pairs, and second files of the wrong kind. */
static void test_pairs(void **state)
{
    static const archive_case train = {
        {{"x", COSET_F32, "2 1"}, {"y", COSET_F32, "2"}}, COSET_OK, ""};
    static const archive_case test = {
        {{"x_test", COSET_F32, "1 1"}, {"y_test", COSET_F32, "1"}}, COSET_OK, ""};
    static const archive_case wrong = {{{"a", COSET_F32, "1 1"}}, COSET_OK, ""};
    const int images[] = {4, 2, 2}, labels[] = {4};
    uint8_t bytes[100];
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    coset_data *data = NULL;
    (void)state;
    files_start("pairs");
    write_archive(ctx, "train.npz", &train);
    write_archive(ctx, "test.npz", &test);
    write_archive(ctx, "wrong.npz", &wrong);
    files_put_text("a.csv", "1,2\n");
    files_put("x-ubyte", bytes, idx_of(bytes, 3, images, 16));
    files_put("y-ubyte", bytes, idx_of(bytes, 1, labels, 4));
    options.test = "test.npz";
    data = load(ctx, "train.npz", &options);
    assert_string_equal(shown(ctx, data), "0 | 0\n1 | 1\n0 | 0\n");
    coset_data_free(ctx, data);
    options.target = "none";
    data = load(ctx, "train.npz", &options);
    assert_string_equal(shown(ctx, data), "0 \n1 \n0 \n");
    coset_data_free(ctx, data);
    options.target = NULL;
    options.test = "wrong.npz";
    assert_int_equal(coset_data_load(ctx, "train.npz", &options, &data), COSET_EFORMAT);
    assert_non_null(strstr(coset_ctx_error(ctx), "wrong.npz: has no array x_test or x"));
    options.test = "a.csv";
    assert_int_equal(coset_data_load(ctx, "train.npz", &options, &data), COSET_EARGUMENT);
    options.test = "test.npz";
    assert_int_equal(coset_data_load(ctx, "a.csv", &options, &data), COSET_EARGUMENT);
    options.test = NULL;
    options.target = "y";
    assert_int_equal(coset_data_load(ctx, "train.npz", &options, &data), COSET_EARGUMENT);
    /* idx: y from a second file; a test file only without y. */
    options.target = "y-ubyte";
    data = load(ctx, "x-ubyte", &options);
    assert_int_equal(data->n_classes, 4);
    assert_int_equal(data->train.rows, 3);
    for (int64_t r = 0; r < 3; r++) {
        float row[4];
        assert_int_equal(data_fill(ctx, data, &data->train, NULL, r, 1, row), COSET_OK);
        assert_true(row[0] == (float)(4 * data->train.label[r]));
    }
    coset_data_free(ctx, data);
    options.test = "x-ubyte";
    assert_int_equal(coset_data_load(ctx, "x-ubyte", &options, &data), COSET_EARGUMENT);
    options.target = NULL;
    data = load(ctx, "x-ubyte", &options);
    assert_int_equal(data->test.rows, 4);
    assert_null(data->train.label);
    coset_data_free(ctx, data);
    options.test = "a.csv";
    assert_int_equal(coset_data_load(ctx, "x-ubyte", &options, &data), COSET_EUNSUPPORTED);
    options.test = NULL;
    options.target = "absent-ubyte";
    assert_int_equal(coset_data_load(ctx, "x-ubyte", &options, &data), COSET_EIO);
    /* Folders. */
    options.target = NULL;
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(coset_data_load(ctx, "folder", &options, &data), COSET_EUNSUPPORTED);
    files_put("folder/train-images-idx3-ubyte", bytes, idx_of(bytes, 3, images, 16));
    assert_int_equal(coset_data_load(ctx, "folder", &options, &data), COSET_EFORMAT);
    assert_non_null(strstr(coset_ctx_error(ctx), "train-labels"));
    options.target = "none";
    data = load(ctx, "folder", &options);
    assert_int_equal(data->train.rows + data->test.rows, 4);
    coset_data_free(ctx, data);
    options.target = "y-ubyte";
    assert_int_equal(coset_data_load(ctx, "folder", &options, &data), COSET_EARGUMENT);
    counted_ctx_end(ctx, &memory);
}

/* Every element type, big-endian. */
static void test_idx_types(void **state)
{
    static const struct {
        uint8_t code;
        size_t width;
        uint8_t bytes[8];
        float value;
    } cases[] = {{0x08, 1, {200}, 200},
                 {0x09, 1, {200}, -56},
                 {0x0B, 2, {0xFF, 0x01}, -255},
                 {0x0C, 4, {0, 1, 0, 2}, 65538},
                 {0x0D, 4, {0xC0, 0x20, 0, 0}, -2.5f},
                 {0x0E, 8, {0x3F, 0xE8}, 0.75f}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        uint8_t bytes[20] = {0, 0, cases[k].code, 2, 0, 0, 0, 1, 0, 0, 0, 1};
        coset_data *data = NULL;
        float value = 0;
        memcpy(bytes + 12, cases[k].bytes, cases[k].width);
        assert_int_equal(data_decode(ctx, bytes, 12 + cases[k].width, "a-ubyte", NULL, &data),
                         COSET_OK);
        assert_int_equal(data_fill(ctx, data, &data->train, NULL, 0, 1, &value), COSET_OK);
        assert_true(value == cases[k].value);
        coset_data_free(ctx, data);
    }
    counted_ctx_end(ctx, &memory);
}

/* Headers and bodies of idx files that do not fit each other, and damaged gzip. */
static void test_idx_refused(void **state)
{
    const int dims[] = {2, 3}, huge[] = {0x7FFFFFFF, 0x7FFFFFFF},
              deep[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data *data = NULL;
    uint8_t bytes[100];
    (void)state;
    size_t size = idx_of(bytes, 2, dims, 6);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(data_decode(ctx, bytes, cut, "a-ubyte", NULL, &data), COSET_EFORMAT);
    assert_int_equal(data_decode(ctx, bytes, size + 1, "a-ubyte", NULL, &data), COSET_EFORMAT);
    size = idx_of(bytes, 2, huge, 6);
    assert_int_equal(data_decode(ctx, bytes, size, "a-ubyte", NULL, &data), COSET_ELIMIT);
    size = idx_of(bytes, 9, deep, 1);
    assert_int_equal(data_decode(ctx, bytes, size, "a-ubyte", NULL, &data), COSET_ELIMIT);
    files_start("idx");
    char source[4096];
    const char *root = getenv("COSET_SOURCE");
    snprintf(source, sizeof source, "%s/fuzz/corpus/idx/images-ubyte.gz",
             root != NULL ? root : ".");
    uint8_t *packed = (uint8_t *)files_get(source, &size);
    assert_int_equal(data_decode(ctx, packed, size, "a-ubyte.gz", NULL, &data), COSET_OK);
    assert_int_equal(width_of(data), 4);
    coset_data_free(ctx, data);
    for (size_t cut = 2; cut < size; cut++)
        assert_int_not_equal(data_decode(ctx, packed, cut, "a-ubyte.gz", NULL, &data), COSET_OK);
    for (int at = 1; at <= 8; at++) { /* the checksum and the length behind it */
        packed[size - (size_t)at] ^= 0x40;
        assert_int_equal(data_decode(ctx, packed, size, "a-ubyte.gz", NULL, &data), COSET_EFORMAT);
        packed[size - (size_t)at] ^= 0x40;
    }
    free(packed);
    counted_ctx_end(ctx, &memory);
}

/* ---- real files -------------------------------------------------------------------------------- */

/* Sums that NumPy gives for hepc_data.npz. */
static void test_real_npz(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    const char *path = files_data("models/pytorch_mlp/hepc_data.npz");
    (void)state;
    if (path != NULL) {
        coset_data *data = load(ctx, path, NULL);
        assert_int_equal(coset_data_train_rows(data), 27670);
        assert_int_equal(coset_data_test_rows(data), 6918);
        assert_int_equal(data->sample.rank, 1);
        assert_int_equal(data->sample.dims[0], 8);
        assert_int_equal(data->y_width, 1);
        assert_int_equal(data->n_classes, 0);
        assert_int_equal(strlen(data->digest), 64);
        float *train = filled(ctx, data, &data->train), *test = filled(ctx, data, &data->test);
        assert_true(fabs(sum_of(train, 27670 * 8) + 56.81777395608697) < 1e-6);
        assert_true(fabs(sum_of(test, 6918 * 8) - 57.22406846224294) < 1e-6);
        assert_true(fabs(sum_of(data->train.y, 27670) - 46.197458694223315) < 1e-6);
        assert_true(fabs(sum_of(data->test.y, 6918) + 46.194201610953314) < 1e-6);
        uint32_t last = 0;
        memcpy(&last, &test[6918 * 8 - 1], sizeof last);
        assert_int_equal(last, 3205563409u);
        free(train);
        free(test);
        coset_data_free(ctx, data);
    }
    path = files_data("vision/cifar10/test.npz");
    if (path != NULL) {
        coset_data_options options = COSET_DATA_OPTIONS_INIT;
        options.layout = COSET_LAYOUT_NHWC;
        coset_data *data = load(ctx, path, &options);
        assert_int_equal(data->train.rows + data->test.rows, 5000);
        assert_int_equal(data->n_classes, 10);
        assert_int_equal(data->sample.dims[0], 3);
        assert_int_equal(data->train.x->dtype, COSET_U8);
        coset_data_free(ctx, data);
    }
    counted_ctx_end(ctx, &memory);
}

static void test_real_mnist(void **state)
{
    static const int64_t counts[10] = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    const char *path = files_data("vision/mnist");
    (void)state;
    if (path != NULL) {
        int64_t found[10] = {0};
        coset_data *data = load(ctx, path, NULL);
        assert_int_equal(coset_data_train_rows(data), 60000);
        assert_int_equal(coset_data_test_rows(data), 10000);
        assert_int_equal(data->sample.rank, 2);
        assert_int_equal(width_of(data), 784);
        assert_int_equal(data->n_classes, 10);
        for (int64_t i = 0; i < 60000; i++) found[data->train.label[i]]++;
        assert_memory_equal(found, counts, sizeof counts);
        float *test = filled(ctx, data, &data->test);
        assert_true(sum_of(test, 7840000) == 264923200);
        free(test);
        coset_data_free(ctx, data);
    }
    counted_ctx_end(ctx, &memory);
}

/* ---- failed allocations ------------------------------------------------------------------------ */

static const char *corpus(const char *name)
{
    static char path[4096];
    const char *source = getenv("COSET_SOURCE");
    snprintf(path, sizeof path, "%s/fuzz/corpus/%s", source != NULL ? source : ".", name);
    return path;
}

static void test_no_memory(void **state)
{
    static const char *const files[] = {
        "npz/deflate.npz", "npz/stored.npz", "npz/version3.npy", "idx/images-ubyte.gz", "a.csv",
        "a.arff",          "folder"};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("memory");
    files_put_text("a.csv", "c,\"q\"\"\",y\nred,1,a\nblue,2,b\nred,3,a\n");
    files_put_text("a.arff", "@attribute 'a\\'' {x,y}\n@attribute b real\n@data\nx,1\ny,2\n");
    assert_int_equal(mkdir("folder", 0700), 0);
    size_t size = 0;
    char *images = files_get(corpus("idx/images-ubyte.gz"), &size);
    files_put("folder/train-images-idx3-ubyte.gz", images, size);
    files_put("folder/t10k-images.idx3-ubyte.gz", images, size);
    free(images);
    char *labels = files_get(corpus("idx/labels-ubyte"), &size);
    files_put("folder/train-labels-idx1-ubyte", labels, size);
    files_put("folder/t10k-labels-idx1-ubyte", labels, size);
    free(labels);
    for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
        char path[4096];
        coset_data_options options = COSET_DATA_OPTIONS_INIT;
        snprintf(path, sizeof path, "%s", strchr(files[k], '/') ? corpus(files[k]) : files[k]);
        options.standardise = k < 2 || k == 4;
        int64_t failures = 0;
        for (coset_status status = COSET_EMEMORY; status != COSET_OK; failures++) {
            int64_t alive = memory.alive;
            coset_data *data = NULL;
            float row[16];
            memory.made = 0;
            memory.fail_from = failures;
            status = coset_data_load(ctx, path, &options, &data);
            if (status == COSET_OK) {
                assert_true(width_of(data) <= 16);
                status = data_fill(ctx, data, &data->train, NULL, 0, 1, row);
            }
            coset_data_free(ctx, data);
            assert_true(status == COSET_OK || status == COSET_EMEMORY);
            assert_int_equal(memory.alive, alive);
        }
        assert_true(failures > 6);
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),      cmocka_unit_test(test_standardise),
        cmocka_unit_test(test_layouts),    cmocka_unit_test(test_options),
        cmocka_unit_test(test_from_rows),  cmocka_unit_test(test_archives),
        cmocka_unit_test(test_bad_values), cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_idx_types),  cmocka_unit_test(test_idx_refused),
        cmocka_unit_test(test_real_npz),   cmocka_unit_test(test_real_mnist),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
