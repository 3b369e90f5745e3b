/* Folders of images as data sets, arrays of images, and the order of axes that a model declares. */
#include "support/build.h"
#include "support/images.h"
#include "support/samples.h"

#include "data/npz.h"

static void folder(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

/* A file whose first pixel says which one it is. */
static void put(const char *path, int red)
{
    put_plain_png(path, 3, 2, red, 2, 3);
}

static void refuses(coset_ctx *ctx, const char *path, const coset_data_options *options,
                    coset_status status, const char *says)
{
    coset_data *data = NULL;
    coset_status found = coset_data_load(ctx, path, options, &data);
    if (found != status || strstr(coset_ctx_error(ctx), says) == NULL)
        fail_msg("%s gave %s: %s", path, coset_status_name(found), coset_ctx_error(ctx));
    assert_null(data);
    assert_null(strchr(coset_ctx_error(ctx), '\n'));
}

/* First values and labels, in order of the rows: "10/0 20/1 ". */
static const char *heads(coset_ctx *ctx, const coset_data *data, const data_part *part)
{
    static char text[1000];
    size_t used = 0;
    float *x = filled(ctx, data, part);
    text[0] = '\0';
    for (int64_t r = 0; r < part->rows; r++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%g/%lld ",
                                 (double)x[r * width_of(data)],
                                 part->label != NULL ? (long long)part->label[r] : -1LL);
    free(x);
    return text;
}

/* ---- folders ----------------------------------------------------------------------------------- */

static void class_folders(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    (void)state;
    files_start("classes");
    folder("d"), folder("d/b"), folder("d/a"), folder("d/Z"), folder("d/.hidden");
    put("d/b/2.png", 20), put("d/b/1.PNG", 21), put("d/a/x.png", 10), put("d/Z/x.png", 30);
    put("d/.hidden/x.png", 99);
    files_put_text("d/b/notes.txt", "no image");
    files_put_text("d/labels.csv", "no image");
    folder("d/b/deeper");
    put("d/b/deeper/x.png", 99);
    options.test_share = 0.5;
    coset_data *data = load(ctx, "d", &options);
    assert_int_equal(data->n_classes, 3);
    assert_int_equal(coset_data_train_rows(data), 2);
    assert_int_equal(coset_data_test_rows(data), 2);
    assert_true(data->sample.rank == 3 && data->sample.dims[0] == 3 && data->sample.dims[1] == 2 &&
                data->sample.dims[2] == 3);
    /* Every image is in one part, with the label of its folder: Z, a, b. */
    char all[200];
    snprintf(all, sizeof all, "%s", heads(ctx, data, &data->train));
    strcat(all, heads(ctx, data, &data->test));
    const char *const wanted[] = {"30/0 ", "10/1 ", "21/2 ", "20/2 "};
    for (int i = 0; i < 4; i++) assert_non_null(strstr(all, wanted[i]));
    assert_int_equal(strlen(all), 20);
    /* The same seed gives the same split, a second look the same values (from memory). */
    coset_data *again = load(ctx, "d", &options);
    assert_string_equal(heads(ctx, again, &again->test), all + 10);
    assert_string_equal(heads(ctx, again, &again->test), all + 10);
    assert_string_equal(again->digest, data->digest);
    coset_data_free(ctx, again);
    coset_data_free(ctx, data);
    /* Without labels; and the digest tells that a file has come. */
    char digest[65];
    options.target = "none";
    data = load(ctx, "d", &options);
    assert_true(data->train.label == NULL && data->n_classes == 0);
    memcpy(digest, data->digest, 65);
    coset_data_free(ctx, data);
    put("d/a/y.png", 11);
    data = load(ctx, "d", &options);
    assert_string_not_equal(data->digest, digest);
    coset_data_free(ctx, data);
    counted_ctx_end(ctx, &memory);
}

static void parts(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    (void)state;
    files_start("parts");
    folder("d"), folder("d/train"), folder("d/val"), folder("d/train/a"), folder("d/train/b");
    folder("d/train/c"), folder("d/val/a"), folder("d/val/c"), folder("d/other");
    put("d/train/a/1.png", 10), put("d/train/b/1.png", 20), put("d/train/c/1.png", 30);
    put("d/train/c/2.png", 31), put("d/val/c/1.png", 32), put("d/val/a/1.png", 12);
    coset_data *data = load(ctx, "d", NULL);
    assert_string_equal(heads(ctx, data, &data->train), "10/0 20/1 30/2 31/2 ");
    assert_string_equal(heads(ctx, data, &data->test), "12/0 32/2 ");
    coset_data_free(ctx, data);
    /* A second folder does the same. */
    options.test = "d/val";
    data = load(ctx, "d/train", &options);
    assert_string_equal(heads(ctx, data, &data->test), "12/0 32/2 ");
    coset_data_free(ctx, data);
    refuses(ctx, "d", &options, COSET_EARGUMENT, "has a test part, val");
    /* A class that the training part lacks, and a part without classes. */
    folder("d/val/zebra");
    put("d/val/zebra/1.png", 40);
    refuses(ctx, "d", NULL, COSET_EFORMAT, "no class 'zebra'");
    folder("flat");
    put("flat/2.png", 2), put("flat/1.png", 1);
    options.test = "flat";
    refuses(ctx, "d/train", &options, COSET_EFORMAT, "only one has a folder for each class");
    options.test = "d/val";
    refuses(ctx, "flat", &options, COSET_EFORMAT, "no class 'a'");
    options.test = "d/other";
    refuses(ctx, "flat", &options, COSET_EFORMAT, "d/other: has no images");
    options.test = "nowhere";
    refuses(ctx, "flat", &options, COSET_EIO, "nowhere");
    /* Flat parts have no labels; a single class is none. */
    options.test = "flat";
    data = load(ctx, "flat", &options);
    assert_string_equal(heads(ctx, data, &data->test), "1/-1 2/-1 ");
    assert_string_equal(heads(ctx, data, &data->train), "1/-1 2/-1 ");
    coset_data_free(ctx, data);
    folder("one"), folder("one/a");
    put("one/a/1.png", 7);
    data = load(ctx, "one", NULL);
    assert_string_equal(heads(ctx, data, &data->train), "7/-1 ");
    assert_int_equal(coset_data_test_rows(data), 0);
    coset_data_free(ctx, data);
    counted_ctx_end(ctx, &memory);
}

static void bad_folders(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    (void)state;
    files_start("bad");
    folder("none"), folder("d"), folder("d/a"), folder("d/b");
    refuses(ctx, "none", NULL, COSET_EUNSUPPORTED, "none: is a folder without images");
    refuses(ctx, "nowhere", NULL, COSET_EIO, "nowhere");
    put("d/a/1.png", 1);
    refuses(ctx, "d", NULL, COSET_EFORMAT, "d/b: has no images");
    put("d/b/1.png", 1), put("d/1.png", 1);
    refuses(ctx, "d", NULL, COSET_EFORMAT, "d: has images both in it and in its folders");
    assert_int_equal(unlink("d/1.png"), 0);
    options.target = "y";
    refuses(ctx, "d", &options, COSET_EARGUMENT, "'none'");
    options.target = NULL;
    options.standardise = 1;
    refuses(ctx, "d", &options, COSET_EARGUMENT, "standardised");
    options.standardise = 0;
    options.layout = COSET_LAYOUT_NHWC;
    refuses(ctx, "d", &options, COSET_EARGUMENT, "layout");
    options.layout = COSET_LAYOUT_AS_IS;
    options.height = 5;
    refuses(ctx, "d", &options, COSET_EARGUMENT, "5 x 0");
    options.width = 16385;
    refuses(ctx, "d", &options, COSET_EARGUMENT, "5 x 16385");
    options.height = 16384, options.width = 4097;
    refuses(ctx, "d", &options, COSET_EARGUMENT, "16384 x 4097");
    options.height = -1, options.width = -1;
    refuses(ctx, "d", &options, COSET_EARGUMENT, "-1 x -1");
    options.height = 0, options.width = 0;
    options.pad_value = NAN;
    refuses(ctx, "d", &options, COSET_EARGUMENT, "pad value");

    /* Files are looked at when their turn comes: the one at fault is named. */
    float x[3 * 8 * 8];
    put_plain_png("d/b/2.png", 4, 2, 1, 1, 1);
    folder("same"), folder("same/train"), folder("same/test");
    put("same/train/1.png", 1), put("same/train/2.png", 2), put("same/test/1.png", 3);
    files_put_text("same/train/3.png", "no image");
    put_plain_png("same/train/4.png", 4, 2, 1, 1, 1);
    coset_data *data = load(ctx, "same", NULL);
    assert_int_equal(data_fill(ctx, data, &data->train, NULL, 0, 2, x), COSET_OK);
    assert_int_equal(data_fill(ctx, data, &data->train, NULL, 2, 1, x), COSET_EUNSUPPORTED);
    assert_non_null(strstr(coset_ctx_error(ctx), "same/train/3.png: is neither"));
    assert_int_equal(data_fill(ctx, data, &data->train, NULL, 3, 1, x), COSET_EFORMAT);
    assert_non_null(
        strstr(coset_ctx_error(ctx), "same/train/4.png: is 2 x 4, but the first image"));
    coset_data_free(ctx, data);
    options = (coset_data_options)COSET_DATA_OPTIONS_INIT;
    options.height = options.width = 8;
    data = load(ctx, "same", &options);
    assert_int_equal(data_fill(ctx, data, &data->train, NULL, 3, 1, x), COSET_OK);
    assert_true(x[0] == 1 && x[191] == 1);
    coset_data_free(ctx, data);
    counted_ctx_end(ctx, &memory);
}

/* Channels, size, scale, mean, std, in this order. */
static void preprocessing(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    const float mean[] = {1, 2, 3}, deviation[] = {2, 4, 8};
    (void)state;
    files_start("steps");
    folder("d");
    put_plain_png("d/1.png", 4, 2, 100, 50, 10);
    options.channels = COSET_CHANNELS_BGR;
    options.height = options.width = 2;
    options.fit = COSET_FIT_LETTERBOX;
    options.pad_value = 20;
    options.scale = 0.5;
    options.mean = mean, options.std = deviation, options.n_channels = 3;
    /* blue (10 / 2 - 1) / 2, below it padding (20 / 2 - 1) / 2; green (25 - 2) / 4, (10 - 2) / 4; red */
    for (int kept = 0; kept < 2; kept++) {
        coset_data *data = load(ctx, "d", &options);
        for (int round = 0; round < 2; round++)
            assert_string_equal(shown(ctx, data), kept == 0
                                                      ? "2 2 4.5 4.5 5.75 5.75 2 2 5.875 5.875 "
                                                        "0.875 0.875 \n"
                                                      : "2 2 4.625 4.625 5.75 5.75 2.0625 "
                                                        "2.0625 5.875 5.875 0.90625 0.90625 "
                                                        "\n");
        coset_data_free(ctx, data);
        options.pad_value = 20.5; /* no byte, so it is prepared each time */
    }
    options.n_channels = 2;
    refuses(ctx, "d", &options, COSET_EARGUMENT, "mean and std have 2 numbers; x has 3 channels");
    options.channels = COSET_CHANNELS_GREY;
    options.n_channels = 1;
    options.fit = COSET_FIT_STRETCH;
    coset_data *data = load(ctx, "d", &options);
    /* .299 * 100 + .587 * 50 + .114 * 10 = 60.39 */
    assert_string_equal(shown(ctx, data), "14.5 14.5 14.5 14.5 \n");
    coset_data_free(ctx, data);
    counted_ctx_end(ctx, &memory);
}

/* ---- arrays ------------------------------------------------------------------------------------ */

static void put_array(coset_ctx *ctx, coset_dtype dtype, const char *dims, double from)
{
    double values[200];
    uint8_t bytes[200];
    shape size = build_shape(dims);
    int64_t n = shape_product(&size, 0, size.rank);
    tensor *made = NULL;
    for (int64_t i = 0; i < n; i++) {
        values[i] = from + (double)i;
        bytes[i] = (uint8_t)values[i];
    }
    if (dtype == COSET_U8) {
        void *copy = NULL;
        assert_int_equal(ctx_alloc(ctx, n, 1, &copy), COSET_OK);
        memcpy(copy, bytes, (size_t)n);
        assert_int_equal(tensor_new(ctx, COSET_U8, &size, copy, (size_t)n, &made), COSET_OK);
    } else {
        assert_int_equal(tensor_from_f64(ctx, dtype, &size, values, &made), COSET_OK);
    }
    npz_array only = {"x", made};
    assert_int_equal(npz_write(ctx, "a.npz", &only, 1), COSET_OK);
    tensor_release(ctx, made);
}

static void arrays(void **state)
{
    static const struct {
        coset_dtype dtype;
        const char *dims;
        coset_layout layout;
        coset_channels channels;
        int height, width;
        const char *says;
    } cases[] = {
        {COSET_U8, "1 1 2 3", COSET_LAYOUT_NHWC, COSET_CHANNELS_BGR, 0, 0, "2 5 1 4 0 3 \n"},
        {COSET_U8, "1 1 2 3", COSET_LAYOUT_AS_IS, COSET_CHANNELS_BGR, 0, 0, NULL}, /* which? */
        {COSET_U8, "1 2 2 3", COSET_LAYOUT_AS_IS, COSET_CHANNELS_BGR, 0, 0,
         "2 5 8 11 1 4 7 10 0 3 6 9 \n"},
        {COSET_F32, "1 3 1 2", COSET_LAYOUT_AS_IS, COSET_CHANNELS_BGR, 0, 0, "4 5 2 3 0 1 \n"},
        {COSET_F16, "1 3 1 2", COSET_LAYOUT_NCHW, COSET_CHANNELS_RGB, 1, 1, "0.5 2.5 4.5 \n"},
        {COSET_U8, "1 3 1 2", COSET_LAYOUT_NCHW, COSET_CHANNELS_RGB, 1, 1,
         "1 3 5 \n"}, /* rounded */
        {COSET_F32, "1 2 2", COSET_LAYOUT_AS_IS, COSET_CHANNELS_RGB, 1, 1, "1.5 \n"},
        {COSET_F64, "1 2 2", COSET_LAYOUT_NHWC, COSET_CHANNELS_GREY, 2, 1, "0.5 2.5 \n"},
        {COSET_F32, "1 1 1 3", COSET_LAYOUT_NHWC, COSET_CHANNELS_GREY, 0, 0, "0.815 \n"},
        {COSET_F32, "1 1 1 5", COSET_LAYOUT_NHWC, COSET_CHANNELS_RGB, 1, 1, "0 1 2 3 4 \n"},
        {COSET_F32, "1 2 2 5", COSET_LAYOUT_NHWC, COSET_CHANNELS_BGR, 0, 0, NULL},
        {COSET_F32, "2 4", COSET_LAYOUT_AS_IS, COSET_CHANNELS_RGB, 2, 2, NULL},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    files_start("arrays");
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        coset_data_options options = COSET_DATA_OPTIONS_INIT;
        options.layout = cases[k].layout;
        options.channels = cases[k].channels;
        options.height = cases[k].height;
        options.width = cases[k].width;
        put_array(ctx, cases[k].dtype, cases[k].dims, 0);
        if (cases[k].says == NULL) {
            refuses(ctx, "a.npz", &options, COSET_EARGUMENT, "x has shape");
            continue;
        }
        coset_data *data = load(ctx, "a.npz", &options);
        if (strcmp(shown(ctx, data), cases[k].says) != 0)
            fail_msg("case %zu: %s", k, shown(ctx, data));
        coset_data_free(ctx, data);
    }
    counted_ctx_end(ctx, &memory);
}

/* The same images as files and as an array of bytes give the same samples. */
static void files_as_arrays(void **state)
{
    enum { N = 3, H = 9, W = 7 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    uint8_t pixels[N * H * W * 3];
    rng random = rng_seed(2, 2);
    void *copy = NULL;
    tensor *made = NULL;
    shape size = build_shape("3 9 7 3");
    (void)state;
    files_start("same");
    folder("d"), folder("d/train"), folder("d/test");
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)rng_below(&random, 256);
    for (int i = 0; i < N; i++) {
        char path[40];
        snprintf(path, sizeof path, "d/%s/%d.png", i < 2 ? "train" : "test", i);
        made_file file = made_png_of(pixels + i * H * W * 3, W, H, 3);
        files_put(path, file.bytes, file.size);
        free(file.bytes);
    }
    assert_int_equal(ctx_alloc(ctx, N * H * W * 3, 1, &copy), COSET_OK);
    memcpy(copy, pixels, sizeof pixels);
    assert_int_equal(tensor_new(ctx, COSET_U8, &size, copy, sizeof pixels, &made), COSET_OK);
    npz_array both[2] = {{"x_train", made}, {"x_test", made}};
    assert_int_equal(npz_write(ctx, "a.npz", both, 2), COSET_OK);
    tensor_release(ctx, made);
    for (int fit = 0; fit < 3; fit++)
        for (int channels = 0; channels < 3; channels++) {
            options.fit = (coset_fit)fit;
            options.channels = (coset_channels)channels;
            options.height = 4, options.width = 5;
            options.layout = COSET_LAYOUT_AS_IS;
            coset_data *data = load(ctx, "d", &options);
            options.layout = COSET_LAYOUT_NHWC;
            coset_data *other = load(ctx, "a.npz", &options);
            int64_t width = width_of(data);
            assert_int_equal(width_of(other), width);
            float *train = filled(ctx, data, &data->train), *test = filled(ctx, data, &data->test);
            float *all = filled(ctx, other, &other->test);
            assert_memory_equal(train, all, (size_t)(2 * width) * sizeof *all);
            assert_memory_equal(test, all + 2 * width, (size_t)width * sizeof *all);
            free(train), free(test), free(all);
            coset_data_free(ctx, other);
            coset_data_free(ctx, data);
        }
    counted_ctx_end(ctx, &memory);
}

/* ---- models ------------------------------------------------------------------------------------ */

static data_view view_of(coset_ctx *ctx, const coset_data *data, const char *declared)
{
    builder build = build_start(ctx, 17);
    build_input(&build, "x", COSET_F32, declared);
    data_view view = data_view_for(data, &data->train, build.graph, NULL, 1);
    coset_graph_free(ctx, build.graph);
    return view;
}

static void channels_last(void **state)
{
    static const struct {
        const char *declared;
        bool last;
    } cases[] = {{"? 2 3 3", true},  {"? 3 2 3", false}, {"1 ? ? 3", false}, {"? 2 ? 3", true},
                 {"? ? ? ?", false}, {"? 18", false},    {"? 5 5 3", false}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    float out[18];
    (void)state;
    files_start("last");
    put_array(ctx, COSET_U8, "1 2 3 3", 0);
    options.layout = COSET_LAYOUT_NHWC;
    coset_data *data = load(ctx, "a.npz", &options);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        data_view view = view_of(ctx, data, cases[k].declared);
        if (view.channels_last != cases[k].last) fail_msg("case %zu", k);
        batch_source source = data_source(&view);
        assert_int_equal(source.fill(ctx, source.user, 0, 0, 1, out), COSET_OK);
        /* As stored, or red of every pixel first. */
        for (int i = 0; i < 18; i++)
            assert_true(out[i] == (float)(cases[k].last ? i : i % 6 * 3 + i / 6));
        shape wanted = cases[k].last ? build_shape("2 3 3") : build_shape("3 2 3");
        assert_true(shape_equal(&view.sample, &wanted));
    }
    coset_data_free(ctx, data);
    counted_ctx_end(ctx, &memory);
}

/* ---- the real folders -------------------------------------------------------------------------- */

static void real_folders(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    (void)state;
    const char *path = files_data("vision/cifar10/folder");
    if (path != NULL) {
        coset_data *data = load(ctx, path, NULL);
        assert_int_equal(data->n_classes, 10);
        assert_int_equal(coset_data_train_rows(data), 160);
        assert_int_equal(coset_data_test_rows(data), 40);
        assert_true(data->sample.dims[0] == 3 && data->sample.dims[1] == 32);
        coset_data_free(ctx, data);
    }
    path = files_data("vision/imagenet300");
    if (path != NULL) {
        float *x = malloc(sizeof *x * 3 * 227 * 227);
        assert_non_null(x);
        options.height = options.width = 227;
        options.fit = COSET_FIT_CROP;
        options.channels = COSET_CHANNELS_BGR;
        coset_data *data = load(ctx, path, &options);
        assert_int_equal(coset_data_train_rows(data) + coset_data_test_rows(data), 300);
        assert_null(data->train.label);
        assert_int_equal(data_fill(ctx, data, &data->train, NULL, 7, 1, x), COSET_OK);
        coset_data_free(ctx, data);
        free(x);
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_folders), cmocka_unit_test(parts),
        cmocka_unit_test(bad_folders),   cmocka_unit_test(preprocessing),
        cmocka_unit_test(arrays),        cmocka_unit_test(files_as_arrays),
        cmocka_unit_test(channels_last), cmocka_unit_test(real_folders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
