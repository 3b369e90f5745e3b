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
    if (self->patches) return window_positions(&self->window);
    return shape_product(values, axis_of(self, values) + 1, values->rank);
}

int64_t row_form_positions(const row_form *self, const shape *values)
{
    int axis = axis_of(self, values);
    if (axis < 0 || axis >= values->rank) return -1;
    int64_t outer = outer_of(self, values);
    return outer < 0 ? -1 : outer * inner_of(self, values);
}

int64_t row_form_width(const row_form *self, const shape *values)
{
    int64_t features = values->dims[axis_of(self, values)];
    return self->patches ? features * window_taps(&self->window) : features;
}

/* What the taps of a window read at one position of an image. */
static void read_patch(const window *at, const float *image, int64_t channels, int64_t position,
                       float *row)
{
    const window_axis *a = at->axis;
    int64_t plane = a[0].in * a[1].in * a[2].in;
    int64_t out[WINDOW_AXES] = {position / a[2].out / a[1].out, position / a[2].out % a[1].out,
                                position % a[2].out};
    int64_t from[WINDOW_AXES];
    for (int i = 0; i < WINDOW_AXES; i++) from[i] = out[i] * a[i].stride - a[i].before;
    for (int64_t t = 0; t < a[0].kernel; t++)
        for (int64_t u = 0; u < a[1].kernel; u++)
            for (int64_t v = 0; v < a[2].kernel; v++, row++) {
                int64_t d = from[0] + t * a[0].dilation, h = from[1] + u * a[1].dilation,
                        w = from[2] + v * a[2].dilation, taps = window_taps(at);
                bool inside =
                    d >= 0 && d < a[0].in && h >= 0 && h < a[1].in && w >= 0 && w < a[2].in;
                const float *element = inside ? image + (d * a[1].in + h) * a[2].in + w : NULL;
                for (int64_t c = 0; c < channels; c++)
                    row[c * taps] = inside ? element[c * plane] : 0;
            }
}

void rows_read(const row_form *self, const array *values, const row_choice *choice, int64_t first,
               int64_t count, float *rows_out)
{
    const shape *dims = &values->shape;
    int64_t outer = outer_of(self, dims), inner = inner_of(self, dims);
    int64_t features = dims->dims[axis_of(self, dims)], width = row_form_width(self, dims);
    int64_t step = shape_product(dims, axis_of(self, dims) + 1, dims->rank); /* between features */
    for (int64_t s = 0; s < count; s++) {
        int64_t row = row_choice_first(choice, first + s);
        int64_t taken = row_choice_first(choice, first + s + 1) - row;
        rng draw = rng_seed(choice->seed, choice->stream << 32 ^ (uint64_t)(first + s));
        for (int64_t i = 0; i < taken; i++) {
            int64_t p = position_of(choice, &draw, i, taken);
            const float *from = values->f + (s * outer + p / inner) * features * step;
            float *to = rows_out + (row + i) * width;
            if (self->patches) {
                read_patch(&self->window, from, features, p % inner, to);
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
