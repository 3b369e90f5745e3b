#include "data/data.h"

#include <math.h>
#include <string.h>

#include "data/samples.h"
#include "graph/convert.h"

/* ---- loading ----------------------------------------------------------------------------------- */

static coset_status check_options(coset_ctx *ctx, const coset_data_options *options)
{
    if (!(options->test_share > 0 && options->test_share < 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "the test share is %g; it must be over 0 and below 1",
                        options->test_share);
    if (!isfinite(options->scale) || options->scale == 0)
        return ctx_fail(ctx, COSET_EARGUMENT, "the scale is %g; it must be finite and not 0",
                        options->scale);
    if ((options->mean != NULL || options->std != NULL) && options->n_channels < 1)
        return ctx_fail(ctx, COSET_EARGUMENT, "mean and std need at least one number");
    for (int64_t i = 0; i < options->n_channels; i++) {
        if (options->mean != NULL && !isfinite(options->mean[i]))
            return ctx_fail(ctx, COSET_EARGUMENT, "mean %lld is not finite", (long long)i);
        if (options->std != NULL && !(options->std[i] > 0 && isfinite(options->std[i])))
            return ctx_fail(ctx, COSET_EARGUMENT, "std %lld is %g; it must be over 0", (long long)i,
                            (double)options->std[i]);
    }
    bool scaled = options->scale != 1 || options->mean != NULL || options->std != NULL;
    if (options->standardise && scaled)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "standardised data cannot have a scale, mean or std beside it");
    return COSET_OK;
}

coset_status coset_data_load(coset_ctx *ctx, const char *path, const coset_data_options *options,
                             coset_data **data_out)
{
    static const coset_data_options defaults = COSET_DATA_OPTIONS_INIT;
    coset_status status = COSET_OK;
    samples found = {0};
    char digest[65];
    *data_out = NULL;
    if (options == NULL) options = &defaults;
    TRY(check_options(ctx, options));
    TRY(samples_load(ctx, path, options, &found, digest));
    TRY(samples_build(ctx, &found, path, options, data_out));
    memcpy((*data_out)->digest, digest, sizeof digest);
done:
    samples_free(ctx, &found);
    return status;
}

coset_status data_decode(coset_ctx *ctx, const void *bytes, size_t size, const char *name,
                         const coset_data_options *options, coset_data **data_out)
{
    static const coset_data_options defaults = COSET_DATA_OPTIONS_INIT;
    coset_status status = COSET_OK;
    samples found = {0};
    *data_out = NULL;
    if (options == NULL) options = &defaults;
    TRY(check_options(ctx, options));
    TRY(samples_decode(ctx, bytes, size, name, options, &found));
    TRY(samples_build(ctx, &found, name, options, data_out));
done:
    samples_free(ctx, &found);
    return status;
}

coset_status coset_data_from_rows(coset_ctx *ctx, const float *x, int64_t rows, int64_t width,
                                  coset_data **data_out)
{
    coset_status status = COSET_OK;
    coset_data *data = NULL;
    shape dims = {.rank = 2, .dims = {rows, width}};
    array values = {.dtype = COSET_F32, .shape = dims, .data = (void *)(uintptr_t)x};
    *data_out = NULL;
    if (rows < 1 || width < 1)
        FAIL(ctx, COSET_EARGUMENT, "data needs rows and columns, not [%lld, %lld]", (long long)rows,
             (long long)width);
    TRY(ctx_alloc(ctx, 1, sizeof *data, &data));
    TRY(ctx_strdup(ctx, "data in memory", &data->name));
    TRY(tensor_from_array(ctx, &values, &data->train.x));
    int64_t found = tensor_find_nonfinite(data->train.x);
    if (found >= 0)
        FAIL(ctx, COSET_ENUMERIC, "%s: row %lld, column %lld is not a finite number", data->name,
             (long long)(found / width), (long long)(found % width));
    data->train.rows = rows;
    data->sample = (shape){.rank = 1, .dims = {width}};
    data->scale = 1;
    *data_out = data;
    data = NULL;
done:
    coset_data_free(ctx, data);
    return status;
}

int64_t coset_data_train_rows(const coset_data *data)
{
    return data->train.rows;
}

int64_t coset_data_test_rows(const coset_data *data)
{
    return data->test.rows;
}

static void free_part(coset_ctx *ctx, data_part *part)
{
    tensor_release(ctx, part->x);
    ctx_free(ctx, part->y);
    ctx_free(ctx, part->label);
}

void coset_data_free(coset_ctx *ctx, coset_data *data)
{
    if (data == NULL) return;
    free_part(ctx, &data->train);
    free_part(ctx, &data->test);
    ctx_free(ctx, data->name);
    ctx_free(ctx, data->mean);
    ctx_free(ctx, data->std);
    ctx_free(ctx, data);
}

/* ---- samples ----------------------------------------------------------------------------------- */

/* One stored sample as f32; `integers` [width] is scratch for integer types. */
static void read_sample(const tensor *x, int64_t row, int64_t width, int64_t *integers, float *out)
{
    size_t bytes = coset_dtype_bits(x->dtype) / 8;
    const uint8_t *from = (const uint8_t *)x->data + (size_t)(row * width) * bytes;
    if (dtype_is_float(x->dtype)) {
        convert_to_f32(x->dtype, from, width, out);
    } else {
        convert_to_i64(x->dtype, from, width, integers);
        for (int64_t i = 0; i < width; i++) out[i] = (float)integers[i];
    }
}

/* [pixels, channels] -> [channels, pixels] */
static void split_channels(const float *from, int64_t channels, int64_t pixels, float *out)
{
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < channels; c++) out[c * pixels + p] = from[p * channels + c];
}

/* out [channels, width / channels] is scaled, then normalised with each channel's mean and std. */
static void normalise(const coset_data *data, int64_t width, float *out)
{
    int64_t channels = data->n_channels > 0 ? data->n_channels : 1, each = width / channels;
    for (int64_t i = 0; i < width; i++) {
        double value = (double)out[i] * data->scale;
        if (data->mean != NULL) value -= (double)data->mean[i / each];
        if (data->std != NULL) value /= (double)data->std[i / each];
        out[i] = (float)value;
    }
}

coset_status data_fill(coset_ctx *ctx, const coset_data *data, const data_part *part,
                       const int64_t *index, int64_t first, int64_t count, float *out)
{
    coset_status status = COSET_OK;
    int64_t width = shape_product(&data->sample, 0, data->sample.rank), *integers = NULL;
    int64_t channels = data->sample.dims[0];
    float *pixels = NULL;
    bool turned = data->layout == COSET_LAYOUT_NHWC && channels > 1;
    bool plain = data->scale == 1 && data->mean == NULL && data->std == NULL;
    if (!dtype_is_float(part->x->dtype))
        TRY(ctx_alloc_raw(ctx, width, sizeof *integers, &integers));
    if (turned) TRY(ctx_alloc_raw(ctx, width, sizeof *pixels, &pixels));
    for (int64_t i = 0; i < count; i++, out += width) {
        int64_t row = index != NULL ? index[i] : first + i;
        read_sample(part->x, row, width, integers, turned ? pixels : out);
        if (turned) split_channels(pixels, channels, width / channels, out);
        if (!plain) normalise(data, width, out);
    }
done:
    ctx_free(ctx, integers);
    ctx_free(ctx, pixels);
    return status;
}

static coset_status fill_view(coset_ctx *ctx, void *user, int64_t input, int64_t first,
                              int64_t count, void *out)
{
    const data_view *view = user;
    if (input != 0)
        return ctx_fail(ctx, COSET_EUNSUPPORTED,
                        "%s: the model has several inputs, the data is for one", view->data->name);
    const int64_t *index = view->index != NULL ? view->index + first : NULL;
    return data_fill(ctx, view->data, view->part, index, first, count, out);
}

batch_source data_source(data_view *view)
{
    return (batch_source){.samples = view->samples, .fill = fill_view, .user = view};
}
