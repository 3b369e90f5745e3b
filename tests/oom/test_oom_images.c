/* Every allocation of loading and reading images fails, and every one after it: an error comes back,
 * nothing leaks, and the next call works. The jpeg decoder has memory of its own. */
#include "support/images.h"

#include "data/data.h"
#include "data/npz.h"

static coset_status read_all(coset_ctx *ctx, const char *path, const coset_data_options *options)
{
    coset_status status = COSET_OK;
    coset_data *data = NULL;
    float *out = NULL;
    TRY(coset_data_load(ctx, path, options, &data));
    int64_t width = shape_product(&data->sample, 0, data->sample.rank);
    TRY(ctx_alloc(ctx, width * (data->train.rows + data->test.rows), sizeof *out, &out));
    TRY(data_fill(ctx, data, &data->train, NULL, 0, data->train.rows, out));
    TRY(data_fill(ctx, data, &data->test, NULL, 0, data->test.rows, out));
    TRY(data_fill(ctx, data, &data->train, NULL, 0, data->train.rows, out));
done:
    ctx_free(ctx, out);
    coset_data_free(ctx, data);
    return status;
}

static void survives(const char *path, const coset_data_options *options, int least)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_status status = COSET_EMEMORY;
    int failures = 0;
    int64_t before = memory.alive;
    for (int64_t at = 0; status != COSET_OK; at++) {
        memory.made = 0;
        memory.fail_from = at;
        status = read_all(ctx, path, options);
        memory.fail_from = -1;
        assert_int_equal(memory.alive, before);
        if (status != COSET_OK && status != COSET_EMEMORY)
            fail_msg("allocation %d: %s", (int)at, coset_ctx_error(ctx));
        failures += status != COSET_OK;
        assert_true(at < 10000);
    }
    assert_true(failures >= least);
    assert_int_equal(read_all(ctx, path, options), COSET_OK);
    counted_ctx_end(ctx, &memory);
}

static void folders(void **state)
{
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    uint8_t pixels[8 * 8 * 4];
    (void)state;
    files_start("oom");
    assert_int_equal(mkdir("d", 0700) | mkdir("d/a", 0700) | mkdir("d/b", 0700), 0);
    put_plain_png("d/a/1.png", 8, 8, 1, 2, 3);
    put_plain_png("d/b/1.png", 8, 8, 3, 2, 1);
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)i;
    made_file file = made_jpeg_of(pixels, 8, 8, TJPF_CMYK, TJSAMP_444, 0);
    files_put("d/b/2.jpg", file.bytes, file.size);
    free(file.bytes);
    survives("d", NULL, 30);
    options.height = 5, options.width = 7;
    options.fit = COSET_FIT_CROP;
    options.channels = COSET_CHANNELS_BGR;
    survives("d", &options, 30);
    assert_int_equal(rename("d/a", "train") | rename("d/b", "test") | rmdir("d"), 0);
    assert_int_equal(mkdir("d", 0700) | rename("train", "d/train") | rename("test", "d/test"), 0);
    survives("d", &options, 30);
}

static void arrays(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    shape size = {.rank = 4, .dims = {4, 6, 6, 3}};
    (void)state;
    files_start("oom");
    for (int kind = 0; kind < 2; kind++) {
        tensor *made = NULL;
        size_t bytes = 4 * 6 * 6 * 3 * (kind ? sizeof(float) : 1);
        assert_int_equal(tensor_new(ctx, kind ? COSET_F32 : COSET_U8, &size, NULL, bytes, &made),
                         COSET_OK);
        npz_array only = {"x", made};
        assert_int_equal(npz_write(ctx, "a.npz", &only, 1), COSET_OK);
        tensor_release(ctx, made);
        options.height = options.width = 4;
        options.fit = COSET_FIT_LETTERBOX;
        survives("a.npz", &options, 10);
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders), cmocka_unit_test(arrays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
