#include "recover/sample_rows.h"

#include <string.h>

#include "base/rng.h"

/* ---- which ------------------------------------------------------------------------------------- */

/* a * b / c without overflow for 0 <= a <= c, b < 2^40. */
static int64_t share(int64_t a, int64_t b, int64_t c)
{
    return c > 0 ? b / c * a + b % c * a / c : 0;
}

int64_t row_choice_first(const row_choice *self, int64_t sample)
{
    return share(sample, self->rows, self->samples);
}

static int64_t position_of(const row_choice *self, rng *draw, int64_t i, int64_t taken)
{
    int64_t low = share(i, self->positions, taken), high = share(i + 1, self->positions, taken);
    return low + (high - low > 1 ? rng_below(draw, high - low) : 0);
}

/* ---- how --------------------------------------------------------------------------------------- */

static int axis_of(const row_form *self, const shape *values)
{
    return self->axis < 0 ? self->axis + values->rank : self->axis;
}

/* Runs over the axes in front of the features that belong to one sample. */
static int64_t outer_of(const row_form *self, const shape *values)
{
    int axis = axis_of(self, values);
    int64_t outer = shape_product(values, 0, axis);
    if (axis == 0 && self->batch == 1) return 1;
    return axis < 1 || outer % self->batch != 0 ? -1 : outer / self->batch;
}

static int64_t inner_of(const row_form *self, const shape *values)
{
    const window_axis *a = self->window.axis;
    if (self->patches && self->transposed) return a[0].in * a[1].in * a[2].in;
    if (self->patches) return window_positions(&self->window);
    return shape_product(values, axis_of(self, values) + 1, values->rank);
}

static int64_t places_of(const row_form *self)
{
    return self->units != NULL ? self->units->repeats : 1;
}

int64_t row_form_positions(const row_form *self, const shape *values)
{
    int axis = axis_of(self, values);
    if (axis < 0 || axis >= values->rank) return -1;
    if (self->units != NULL && self->units->width != values->dims[axis]) return -1;
    int64_t outer = outer_of(self, values);
    return outer < 0 ? -1 : outer * inner_of(self, values) * places_of(self);
}

int64_t row_form_width(const row_form *self, const shape *values)
{
    int64_t features = values->dims[axis_of(self, values)];
    if (self->units != NULL) return self->units->n;
    return self->patches ? features * window_taps(&self->window) : features;
}

/* The input that tap t reads for position p of the result; -1: none. */
static int64_t read_by(const window_axis *a, bool transposed, int64_t p, int64_t t)
{
    int64_t from = p * a->stride - a->before + t * a->dilation, size = a->in;
    if (transposed) {
        from = p + a->before - t * a->dilation;
        if (from % a->stride != 0) return -1;
        from /= a->stride;
        size = a->out;
    }
    return from >= 0 && from < size ? from : -1;
}

/* What the taps of a window read at one position of an image; zeros where there is nothing. */
static void read_patch(const row_form *self, const float *image, int64_t channels, int64_t position,
                       float *row)
{
    const window_axis *a = self->window.axis;
    int64_t taps = window_taps(&self->window), in[WINDOW_AXES], out[WINDOW_AXES];
    for (int i = 0; i < WINDOW_AXES; i++) {
        in[i] = self->transposed ? a[i].out : a[i].in;
        out[i] = self->transposed ? a[i].in : a[i].out;
    }
    int64_t plane = in[0] * in[1] * in[2];
    int64_t at[WINDOW_AXES] = {position / out[2] / out[1], position / out[2] % out[1],
                               position % out[2]};
    for (int64_t t = 0; t < a[0].kernel; t++)
        for (int64_t u = 0; u < a[1].kernel; u++)
            for (int64_t v = 0; v < a[2].kernel; v++, row++) {
                int64_t d = read_by(&a[0], self->transposed, at[0], t);
                int64_t h = read_by(&a[1], self->transposed, at[1], u);
                int64_t w = read_by(&a[2], self->transposed, at[2], v);
                bool inside = d >= 0 && h >= 0 && w >= 0;
                const float *element = inside ? image + (d * in[1] + h) * in[2] + w : NULL;
                for (int64_t c = 0; c < channels; c++)
                    row[c * taps] = inside ? element[c * plane] : 0;
            }
}

/* The features at place `place` of one position, `step` elements from index to index. */
static void read_units(const unit_block *units, const float *from, int64_t step, int64_t place,
                       float *row)
{
    for (int64_t u = 0; u < units->n; u++)
        row[u] = from[units->index[u * units->repeats + place] * step];
}

void rows_read(const row_form *self, const array *values, const row_choice *choice, int64_t first,
               int64_t count, float *rows_out)
{
    const shape *dims = &values->shape;
    int64_t outer = outer_of(self, dims), inner = inner_of(self, dims);
    int64_t features = dims->dims[axis_of(self, dims)], width = row_form_width(self, dims);
    int64_t places = places_of(self);
    int64_t step = shape_product(dims, axis_of(self, dims) + 1, dims->rank); /* between features */
    for (int64_t s = 0; s < count; s++) {
        int64_t row = row_choice_first(choice, first + s);
        int64_t taken = row_choice_first(choice, first + s + 1) - row;
        rng draw = rng_seed(choice->seed, choice->stream << 32 ^ (uint64_t)(first + s));
        for (int64_t i = 0; i < taken; i++) {
            int64_t at = position_of(choice, &draw, i, taken), p = at / places;
            const float *from = values->f + (s * outer + p / inner) * features * step;
            float *to = rows_out + (row + i) * width;
            if (self->patches) {
                read_patch(self, from, features, p % inner, to);
                continue;
            }
            if (self->units != NULL) {
                read_units(self->units, from + p % inner, step, at % places, to);
                continue;
            }
            for (int64_t j = 0; j < features; j++) to[j] = from[j * step + p % inner];
        }
    }
}

/* ---- a thinner source ---------------------------------------------------------------------------- */

static coset_status thin_fill(coset_ctx *ctx, void *user, int64_t input, int64_t first,
                              int64_t count, void *out)
{
    const thin_source *self = user;
    const shape *one = &self->sample_shapes[input];
    coset_dtype dtype = self->graph->values[self->graph->inputs[input]].dtype;
    size_t bytes = (size_t)shape_product(one, 0, one->rank) * array_element_size(dtype);
    for (int64_t s = 0; s < count; s++) {
        int64_t from = share(first + s, self->of->samples, self->samples);
        coset_status status =
            self->of->fill(ctx, self->of->user, input, from, 1, (char *)out + (size_t)s * bytes);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

batch_source thin_source_of(thin_source *self)
{
    if (self->samples == self->of->samples) return *self->of;
    return (batch_source){self->samples, thin_fill, self};
}
