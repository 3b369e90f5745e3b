/* From samples to a data set: checks, the split, standardisation, labels and layout. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "data/samples.h"
#include "graph/convert.h"

/* Labels are indices of outputs; larger ones are amounts that should be stored as floats. */
enum { MAX_CLASSES = 1000000 };

void samples_free(coset_ctx *ctx, samples *self)
{
    tensor_release(ctx, self->x);
    tensor_release(ctx, self->y);
    tensor_release(ctx, self->x_test);
    tensor_release(ctx, self->y_test);
    *self = (samples){0};
}

/* Elements of one row. */
static int64_t row_elements(const tensor *self)
{
    return shape_product(&self->shape, 1, self->shape.rank);
}

coset_status samples_rows(coset_ctx *ctx, const tensor *from, const int64_t *index, int64_t first,
                          int64_t count, tensor **rows_out)
{
    coset_status status = COSET_OK;
    uint8_t *data = NULL;
    size_t row = (size_t)row_elements(from) * coset_dtype_bits(from->dtype) / 8;
    shape dims = from->shape;
    dims.dims[0] = count;
    *rows_out = NULL;
    TRY(ctx_alloc_raw(ctx, count, row, &data));
    for (int64_t i = 0; i < count; i++) {
        int64_t at = index != NULL ? index[first + i] : first + i;
        memcpy(data + (size_t)i * row, (const uint8_t *)from->data + (size_t)at * row, row);
    }
    TRY(tensor_new(ctx, from->dtype, &dims, data, (size_t)count * row, rows_out));
    data = NULL;
done:
    ctx_free(ctx, data);
    return status;
}

/* ---- checks ------------------------------------------------------------------------------------ */

static coset_status check_finite(coset_ctx *ctx, const tensor *self, const char *name,
                                 const char *what)
{
    int64_t found = tensor_find_nonfinite(self), width = row_elements(self);
    if (found < 0) return COSET_OK;
    return ctx_fail(ctx, COSET_EFORMAT, "%s: %s: row %lld, element %lld is not a finite number",
                    name, what, (long long)(found / width), (long long)(found % width));
}

static coset_status check_x(coset_ctx *ctx, const tensor *x, const char *name, const char *what)
{
    char text[SHAPE_TEXT];
    if (array_element_size(x->dtype) == 0)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s: %s is of type %s", name, what,
                        coset_dtype_name(x->dtype));
    if (x->shape.rank == 0 || x->shape.dims[0] == 0)
        return ctx_fail(ctx, COSET_EFORMAT, "%s: %s has no rows", name, what);
    if (row_elements(x) == 0)
        return ctx_fail(ctx, COSET_EFORMAT, "%s: %s has shape %s: its rows are empty", name, what,
                        shape_text(&x->shape, text, sizeof text));
    return check_finite(ctx, x, name, what);
}

/* x and y of one part. */
static coset_status check_pair(coset_ctx *ctx, const tensor *x, const tensor *y, const char *name,
                               const char *part)
{
    coset_status status = COSET_OK;
    char x_name[32] = "x", y_name[32] = "y";
    strncat(x_name, part, sizeof x_name - 2);
    strncat(y_name, part, sizeof y_name - 2);
    TRY(check_x(ctx, x, name, x_name));
    if (y == NULL) goto done;
    TRY(check_x(ctx, y, name, y_name));
    if (x->shape.dims[0] != y->shape.dims[0])
        FAIL(ctx, COSET_EFORMAT, "%s: %s has %lld rows, but %s has %lld", name, x_name,
             (long long)x->shape.dims[0], y_name, (long long)y->shape.dims[0]);
done:
    return status;
}

static bool is_labels(const tensor *y)
{
    return dtype_is_integer(y->dtype) && row_elements(y) == 1;
}

static coset_status check_samples(coset_ctx *ctx, const samples *self, const char *name)
{
    coset_status status = COSET_OK;
    const tensor *x = self->x, *t = self->x_test;
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    TRY(check_pair(ctx, x, self->y, name, t != NULL ? " of the training part" : ""));
    if (t == NULL && self->y_test != NULL)
        FAIL(ctx, COSET_EFORMAT, "%s: has y_test, but no x_test", name);
    if (t == NULL) goto done;
    TRY(check_pair(ctx, t, self->y_test, name, " of the test part"));
    if ((self->y == NULL) != (self->y_test == NULL))
        FAIL(ctx, COSET_EFORMAT, "%s: only the %s part has y", name, self->y ? "training" : "test");
    if (x->shape.rank != t->shape.rank ||
        memcmp(x->shape.dims + 1, t->shape.dims + 1,
               (size_t)(x->shape.rank - 1) * sizeof x->shape.dims[0]) != 0)
        FAIL(ctx, COSET_EFORMAT,
             "%s: samples of the training part %s and of the test part %s differ", name,
             shape_text(&x->shape, a, sizeof a), shape_text(&t->shape, b, sizeof b));
    if (self->y != NULL && (is_labels(self->y) != is_labels(self->y_test) ||
                            row_elements(self->y) != row_elements(self->y_test)))
        FAIL(ctx, COSET_EFORMAT, "%s: y of the training part and of the test part differ in kind",
             name);
done:
    return status;
}

/* ---- the split --------------------------------------------------------------------------------- */

int64_t samples_test_rows(int64_t rows, double share)
{
    int64_t n = (int64_t)floor((double)rows * share + 0.5);
    return n < 1 ? 1 : n > rows - 1 ? rows - 1 : n;
}

static coset_status split(coset_ctx *ctx, samples *self, double share)
{
    coset_status status = COSET_OK;
    int64_t rows = self->x->shape.dims[0], *order = NULL;
    samples parts = {.n_classes = self->n_classes};
    rng random = rng_seed(ctx->seed, STREAM_SPLIT);
    if (rows < 2) return COSET_OK;
    int64_t n_test = samples_test_rows(rows, share);
    TRY(ctx_alloc_raw(ctx, rows, sizeof *order, &order));
    rng_permutation(&random, rows, order);
    TRY(samples_rows(ctx, self->x, order, 0, n_test, &parts.x_test));
    TRY(samples_rows(ctx, self->x, order, n_test, rows - n_test, &parts.x));
    if (self->y != NULL) {
        TRY(samples_rows(ctx, self->y, order, 0, n_test, &parts.y_test));
        TRY(samples_rows(ctx, self->y, order, n_test, rows - n_test, &parts.y));
    }
    samples_free(ctx, self);
    *self = parts;
    parts = (samples){0};
done:
    samples_free(ctx, &parts);
    ctx_free(ctx, order);
    return status;
}

/* ---- standardisation --------------------------------------------------------------------------- */

static coset_status to_doubles(coset_ctx *ctx, const tensor *from, double **values_out)
{
    array integers = {0};
    void *memory = NULL;
    if (dtype_is_float(from->dtype)) return tensor_to_f64(ctx, from, values_out);
    int64_t count = tensor_elements(from);
    coset_status status = COSET_OK;
    *values_out = NULL;
    TRY(tensor_to_array(ctx, from, &integers, &memory));
    TRY(ctx_alloc_raw(ctx, count, sizeof **values_out, values_out));
    for (int64_t i = 0; i < count; i++) (*values_out)[i] = (double)integers.i[i];
done:
    ctx_free(ctx, memory);
    return status;
}

/* Mean and deviation (of the population) of column c of values [rows, width]; a constant column has
 * deviation 1, so that it becomes 0. */
static void moments(const double *values, int64_t rows, int64_t width, int64_t c, double *mean_out,
                    double *deviation_out)
{
    double sum = 0, squares = 0;
    bool constant = true;
    for (int64_t r = 0; r < rows; r++) {
        sum += values[r * width + c];
        constant = constant && values[r * width + c] == values[c];
    }
    double mean = constant ? values[c] : sum / (double)rows;
    for (int64_t r = 0; r < rows; r++) {
        double d = values[r * width + c] - mean;
        squares += d * d;
    }
    double deviation = sqrt(squares / (double)rows);
    *mean_out = mean;
    *deviation_out = deviation > 0 && isfinite(deviation) ? deviation : 1;
}

/* Brings every column of a training tensor, and of a test tensor by the same numbers, to mean 0 and
 * deviation 1, as F32. test may point to NULL. */
static coset_status standardise(coset_ctx *ctx, tensor **train, tensor **test)
{
    coset_status status = COSET_OK;
    tensor **parts[2] = {train, test}, *fresh[2] = {NULL, NULL};
    double *values[2] = {NULL, NULL};
    int64_t rows = (*train)->shape.dims[0], width = row_elements(*train);
    for (int i = 0; i < 2; i++)
        if (*parts[i] != NULL) TRY(to_doubles(ctx, *parts[i], &values[i]));
    for (int64_t c = 0; c < width; c++) {
        double mean = 0, deviation = 1;
        moments(values[0], rows, width, c, &mean, &deviation);
        for (int i = 0; i < 2; i++)
            for (int64_t r = 0; *parts[i] != NULL && r < (*parts[i])->shape.dims[0]; r++) {
                double *value = &values[i][r * width + c];
                *value = (*value - mean) / deviation;
            }
    }
    for (int i = 0; i < 2; i++)
        if (*parts[i] != NULL)
            TRY(tensor_from_f64(ctx, COSET_F32, &(*parts[i])->shape, values[i], &fresh[i]));
    for (int i = 0; i < 2; i++) {
        tensor_release(ctx, *parts[i]);
        *parts[i] = fresh[i];
        fresh[i] = NULL;
    }
done:
    for (int i = 0; i < 2; i++) {
        tensor_release(ctx, fresh[i]);
        ctx_free(ctx, values[i]);
    }
    return status;
}

static coset_status standardise_samples(coset_ctx *ctx, samples *self, const char *name)
{
    coset_status status = COSET_OK;
    if (self->x->shape.rank > 2)
        FAIL(ctx, COSET_EARGUMENT, "%s: only columns can be standardised, not images", name);
    TRY(standardise(ctx, &self->x, &self->x_test));
    if (self->y != NULL && !is_labels(self->y)) TRY(standardise(ctx, &self->y, &self->y_test));
done:
    return status;
}

/* ---- parts ------------------------------------------------------------------------------------- */

/* Doubles in x are halved: whatever is computed from them is f32. */
static coset_status narrow_x(coset_ctx *ctx, tensor **x, const char *name)
{
    coset_status status = COSET_OK;
    array values = {0};
    void *memory = NULL;
    tensor *fresh = NULL;
    if (*x == NULL || (*x)->dtype != COSET_F64) return COSET_OK;
    TRY(tensor_to_array(ctx, *x, &values, &memory));
    TRY(tensor_new(ctx, COSET_F32, &(*x)->shape, memory,
                   (size_t)tensor_elements(*x) * sizeof(float), &fresh));
    memory = NULL;
    tensor_release(ctx, *x);
    *x = fresh;
    TRY(check_finite(ctx, fresh, name, "x as 32-bit floating-point numbers"));
done:
    ctx_free(ctx, memory);
    return status;
}

static coset_status read_labels(coset_ctx *ctx, const tensor *y, const char *name,
                                int64_t **labels_out, int64_t *n_classes)
{
    coset_status status = COSET_OK;
    int64_t rows = y->shape.dims[0], *labels = NULL;
    TRY(ctx_alloc_raw(ctx, rows, sizeof *labels, &labels));
    convert_to_i64(y->dtype, y->data, rows, labels);
    for (int64_t r = 0; r < rows; r++) {
        if (labels[r] < 0 || labels[r] >= MAX_CLASSES)
            FAIL(
                ctx, COSET_EFORMAT,
                "%s: y: row %lld is %lld; integers are class labels from 0 to %d (store amounts as "
                "floating-point numbers)",
                name, (long long)r, (long long)labels[r], MAX_CLASSES - 1);
        if (labels[r] >= *n_classes) *n_classes = labels[r] + 1;
    }
    *labels_out = labels;
    labels = NULL;
done:
    ctx_free(ctx, labels);
    return status;
}

static coset_status read_amounts(coset_ctx *ctx, const tensor *y, const char *name, float **y_out)
{
    coset_status status = COSET_OK;
    double *values = NULL;
    float *amounts = NULL;
    int64_t count = tensor_elements(y), width = row_elements(y);
    TRY(to_doubles(ctx, y, &values));
    TRY(ctx_alloc_raw(ctx, count, sizeof *amounts, &amounts));
    for (int64_t i = 0; i < count; i++) {
        amounts[i] = (float)values[i];
        if (!isfinite(amounts[i]))
            FAIL(ctx, COSET_EFORMAT, "%s: y: row %lld is not a finite 32-bit floating-point number",
                 name, (long long)(i / width));
    }
    *y_out = amounts;
    amounts = NULL;
done:
    ctx_free(ctx, values);
    ctx_free(ctx, amounts);
    return status;
}

/* Takes over x. */
static coset_status make_part(coset_ctx *ctx, coset_data *data, tensor **x, const tensor *y,
                              data_part *part)
{
    if (*x == NULL) return COSET_OK;
    part->x = *x;
    part->rows = (*x)->shape.dims[0];
    *x = NULL;
    if (y == NULL) return COSET_OK;
    if (is_labels(y)) return read_labels(ctx, y, data->name, &part->label, &data->n_classes);
    data->y_width = row_elements(y);
    return read_amounts(ctx, y, data->name, &part->y);
}

/* A recipe needs to know where the channels are. Of four dimensions only one may look like them. */
static coset_status find_layout(coset_ctx *ctx, coset_data *data, const shape *x)
{
    char text[SHAPE_TEXT];
    if (data->layout != COSET_LAYOUT_AS_IS || !recipe_acts(&data->recipe)) return COSET_OK;
    if (x->rank != 3 && x->rank != 4)
        return ctx_fail(
            ctx, COSET_EARGUMENT,
            "%s: only images are resized and have channels to order, but x has shape %s",
            data->name, shape_text(x, text, sizeof text));
    bool four = x->rank == 4;
    bool last = four && (x->dims[3] == 1 || x->dims[3] == 3);
    bool first = four && (x->dims[1] == 1 || x->dims[1] == 3);
    if (four && first == last)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "%s: x has shape %s: say by the layout where its channels are (--layout)",
                        data->name, shape_text(x, text, sizeof text));
    data->layout = last ? COSET_LAYOUT_NHWC : COSET_LAYOUT_NCHW;
    return COSET_OK;
}

/* Images of arrays as the recipe makes them; sample is their shape before. */
static coset_status prepare_images(coset_ctx *ctx, coset_data *data, const shape *x)
{
    char text[SHAPE_TEXT];
    shape *sample = &data->sample;
    *sample = recipe_shape(&data->recipe, sample->dims[1], sample->dims[2], sample->dims[0]);
    if (sample->dims[0] > 0) return COSET_OK;
    return ctx_fail(ctx, COSET_EARGUMENT,
                    "%s: x has shape %s: only 3 channels, or 1, can be brought into another order",
                    data->name, shape_text(x, text, sizeof text));
}

/* Shape of one sample as data_fill gives it. */
static coset_status set_sample(coset_ctx *ctx, coset_data *data, const shape *x)
{
    char text[SHAPE_TEXT];
    shape *sample = &data->sample;
    coset_status status = find_layout(ctx, data, x);
    if (status != COSET_OK) return status;
    bool nhwc = data->layout == COSET_LAYOUT_NHWC;
    *sample = (shape){.rank = x->rank - 1};
    for (int i = 1; i < x->rank; i++) sample->dims[i - 1] = x->dims[i];
    if (x->rank == 1) *sample = (shape){.rank = 1, .dims = {1}};
    if (data->layout == COSET_LAYOUT_AS_IS) return COSET_OK;
    if (x->rank != 3 && x->rank != 4)
        return ctx_fail(
            ctx, COSET_EARGUMENT,
            "%s: the layout says images, but x has shape %s; it needs 3 or 4 dimensions",
            data->name, shape_text(x, text, sizeof text));
    /* Images of rank 3 have one channel that is not written down. */
    if (x->rank == 3)
        *sample = (shape){.rank = 3, .dims = {1, x->dims[1], x->dims[2]}};
    else if (nhwc)
        *sample = (shape){.rank = 3, .dims = {x->dims[3], x->dims[1], x->dims[2]}};
    return recipe_acts(&data->recipe) ? prepare_images(ctx, data, x) : COSET_OK;
}

static coset_status copy_floats(coset_ctx *ctx, const float *from, int64_t n, float **copy_out)
{
    if (from == NULL) return COSET_OK;
    coset_status status = ctx_alloc_raw(ctx, n, sizeof **copy_out, copy_out);
    if (status == COSET_OK) memcpy(*copy_out, from, (size_t)n * sizeof *from);
    return status;
}

/* mean and std hold one number for each channel of an image, for each feature, or for all. */
coset_status samples_set_channels(coset_ctx *ctx, coset_data *data,
                                  const coset_data_options *options)
{
    coset_status status = COSET_OK;
    const shape *sample = &data->sample;
    bool image = data->layout != COSET_LAYOUT_AS_IS;
    int64_t n = options->n_channels;
    int64_t wanted = image ? sample->dims[0] : shape_product(sample, 0, sample->rank);
    data->scale = options->scale;
    if (options->mean == NULL && options->std == NULL) goto done;
    if (n != 1 && n != wanted)
        FAIL(ctx, COSET_EARGUMENT, "%s: mean and std have %lld numbers; x has %lld %s", data->name,
             (long long)n, (long long)wanted, image ? "channels" : "features");
    data->n_channels = n;
    TRY(copy_floats(ctx, options->mean, n, &data->mean));
    TRY(copy_floats(ctx, options->std, n, &data->std));
done:
    return status;
}

coset_status samples_build(coset_ctx *ctx, samples *self, const char *name,
                           const coset_data_options *options, coset_data **data_out)
{
    coset_status status = COSET_OK;
    coset_data *data = NULL;
    *data_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *data, &data));
    TRY(ctx_strdup(ctx, name, &data->name));
    data->layout = options->layout;
    data->recipe = recipe_of(options);
    data->n_classes = self->n_classes;
    TRY(check_samples(ctx, self, name));
    TRY(set_sample(ctx, data, &self->x->shape));
    TRY(samples_set_channels(ctx, data, options));
    if (self->x_test == NULL) TRY(split(ctx, self, options->test_share));
    if (options->standardise) TRY(standardise_samples(ctx, self, name));
    TRY(narrow_x(ctx, &self->x, name));
    TRY(narrow_x(ctx, &self->x_test, name));
    TRY(make_part(ctx, data, &self->x, self->y, &data->train));
    TRY(make_part(ctx, data, &self->x_test, self->y_test, &data->test));
    *data_out = data;
    data = NULL;
done:
    coset_data_free(ctx, data);
    return status;
}
