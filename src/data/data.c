#include "data/data.h"

#include <math.h>
#include <string.h>

#include "data/image.h"
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
    if (options->height < 0 || options->width < 0 ||
        (options->height == 0) != (options->width == 0) || options->height > IMAGE_MAX_SIDE ||
        options->width > IMAGE_MAX_SIDE || options->height * options->width > IMAGE_MAX_PIXELS)
        return ctx_fail(ctx, COSET_EARGUMENT, "images cannot be resized to %lld x %lld",
                        (long long)options->height, (long long)options->width);
    if (!isfinite((float)options->pad_value))
        return ctx_fail(ctx, COSET_EARGUMENT, "the pad value is not finite");
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
    TRY(samples_load_images(ctx, path, options, data_out));
    if (*data_out != NULL) goto done;
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
    ctx_free(ctx, part->file);
    ctx_free(ctx, part->y);
    ctx_free(ctx, part->label);
}

void coset_data_free(coset_ctx *ctx, coset_data *data)
{
    if (data == NULL) return;
    free_part(ctx, &data->train);
    free_part(ctx, &data->test);
    image_files_free(ctx, data->files);
    ctx_free(ctx, data->name);
    ctx_free(ctx, data->mean);
    ctx_free(ctx, data->std);
    ctx_free(ctx, data);
}

/* ---- samples ----------------------------------------------------------------------------------- */

/* Where the samples of one data_fill pass through. */
typedef struct filler {
    coset_ctx *ctx;
    const coset_data *data;
    const data_part *part;
    int64_t width;     /* elements of a sample as it is given */
    int64_t raw;       /* elements of a stored row */
    int64_t *integers; /* [raw] of integer types */
    float *stored;     /* [raw] of a row that is turned or prepared */
    bool prepared, turned;
} filler;

/* One stored row as f32. */
static void read_row(const filler *self, int64_t row, float *out)
{
    const tensor *x = self->part->x;
    size_t bytes = coset_dtype_bits(x->dtype) / 8;
    const uint8_t *from = (const uint8_t *)x->data + (size_t)(row * self->raw) * bytes;
    if (dtype_is_float(x->dtype)) {
        convert_to_f32(x->dtype, from, self->raw, out);
    } else {
        convert_to_i64(x->dtype, from, self->raw, self->integers);
        for (int64_t i = 0; i < self->raw; i++) out[i] = (float)self->integers[i];
    }
}

/* A stored row as an image: bytes where they lie, other types as floats. */
static pixel_view view_row(const filler *self, int64_t row)
{
    const tensor *x = self->part->x;
    const int64_t *dims = x->shape.dims;
    bool last = self->data->layout == COSET_LAYOUT_NHWC && x->shape.rank == 4;
    bool flat = x->shape.rank == 3;
    pixel_view view = {.channels = flat   ? 1
                                   : last ? dims[3]
                                          : dims[1],
                       .height = flat || last ? dims[1] : dims[2],
                       .width = flat || last ? dims[2] : dims[3]};
    view.column = last ? view.channels : 1;
    view.row = view.column * view.width;
    view.channel = last ? 1 : view.row * view.height;
    if (x->dtype == COSET_U8) {
        view.bytes = (const uint8_t *)x->data + row * self->raw;
    } else {
        read_row(self, row, self->stored);
        view.floats = self->stored;
    }
    return view;
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

/* Sample `row` before it is scaled. */
static coset_status fill_raw(const filler *self, int64_t row, float *out)
{
    if (self->part->file != NULL)
        return image_files_read(self->ctx, self->data->files, self->part->file[row], out);
    if (self->prepared) {
        pixel_view view = view_row(self, row);
        return recipe_apply(self->ctx, &self->data->recipe, &view, out);
    }
    int64_t channels = self->data->sample.dims[0];
    read_row(self, row, self->turned ? self->stored : out);
    if (self->turned) split_channels(self->stored, channels, self->width / channels, out);
    return COSET_OK;
}

static coset_status filler_open(filler *self)
{
    coset_status status = COSET_OK;
    const coset_data *data = self->data;
    const tensor *x = self->part->x;
    self->width = shape_product(&data->sample, 0, data->sample.rank);
    if (x == NULL) return COSET_OK;
    self->raw = shape_product(&x->shape, 1, x->shape.rank);
    self->prepared = recipe_acts(&data->recipe);
    self->turned = !self->prepared && data->layout == COSET_LAYOUT_NHWC && data->sample.dims[0] > 1;
    if (!dtype_is_float(x->dtype))
        TRY(ctx_alloc_raw(self->ctx, self->raw, sizeof *self->integers, &self->integers));
    if (self->turned || self->prepared)
        TRY(ctx_alloc_raw(self->ctx, self->raw, sizeof *self->stored, &self->stored));
done:
    return status;
}

coset_status data_fill(coset_ctx *ctx, const coset_data *data, const data_part *part,
                       const int64_t *index, int64_t first, int64_t count, float *out)
{
    coset_status status = COSET_OK;
    filler self = {.ctx = ctx, .data = data, .part = part};
    bool plain = data->scale == 1 && data->mean == NULL && data->std == NULL;
    TRY(filler_open(&self));
    for (int64_t i = 0; i < count; i++, out += self.width) {
        TRY(fill_raw(&self, index != NULL ? index[i] : first + i, out));
        if (!plain) normalise(data, self.width, out);
    }
done:
    ctx_free(ctx, self.integers);
    ctx_free(ctx, self.stored);
    return status;
}

/* ---- views ------------------------------------------------------------------------------------- */

bool data_is_images(const coset_data *data)
{
    return data->layout != COSET_LAYOUT_AS_IS;
}

static bool fits(const shape *declared, int64_t a, int64_t b, int64_t c)
{
    const int64_t *dims = declared->dims;
    return (dims[1] < 0 || dims[1] == a) && (dims[2] < 0 || dims[2] == b) &&
           (dims[3] < 0 || dims[3] == c);
}

data_view data_view_for(const coset_data *data, const data_part *part, const coset_graph *graph,
                        const int64_t *index, int64_t count)
{
    data_view view = {
        .data = data, .part = part, .index = index, .samples = count, .sample = data->sample};
    if (!data_is_images(data) || graph->n_inputs < 1) return view;
    const shape *declared = &graph->values[graph->inputs[0]].shape;
    const int64_t *dims = data->sample.dims;
    if (declared->rank != 4 || fits(declared, dims[0], dims[1], dims[2]) ||
        !fits(declared, dims[1], dims[2], dims[0]))
        return view;
    view.channels_last = true;
    view.sample = (shape){.rank = 3, .dims = {dims[1], dims[2], dims[0]}};
    return view;
}

/* [channels, pixels] -> [pixels, channels] of each sample, through `planes`. */
static void join_channels(float *values, int64_t count, int64_t channels, int64_t pixels,
                          float *planes)
{
    for (int64_t s = 0; s < count; s++, values += channels * pixels) {
        memcpy(planes, values, (size_t)(channels * pixels) * sizeof *planes);
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t c = 0; c < channels; c++)
                values[p * channels + c] = planes[c * pixels + p];
    }
}

static coset_status fill_view(coset_ctx *ctx, void *user, int64_t input, int64_t first,
                              int64_t count, void *out)
{
    const data_view *view = user;
    if (input != 0)
        return ctx_fail(ctx, COSET_EUNSUPPORTED,
                        "%s: the model has several inputs, the data is for one", view->data->name);
    const int64_t *index = view->index != NULL ? view->index + first : NULL;
    int64_t width = shape_product(&view->sample, 0, view->sample.rank);
    float *planes = NULL;
    coset_status status = data_fill(ctx, view->data, view->part, index, first, count, out);
    if (status != COSET_OK || !view->channels_last) return status;
    status = ctx_alloc_raw(ctx, width, sizeof *planes, &planes);
    if (status != COSET_OK) return status;
    join_channels(out, count, view->sample.dims[2], width / view->sample.dims[2], planes);
    ctx_free(ctx, planes);
    return COSET_OK;
}

batch_source data_source(data_view *view)
{
    return (batch_source){.samples = view->samples, .fill = fill_view, .user = view};
}
