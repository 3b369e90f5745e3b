#include "ops/resample.h"

#include <math.h>
#include <string.h>

#include "ops/box.h"
#include "ops/elementwise.h"

enum { MOST_TAPS = 4, PARALLEL_ELEMENTS = 1 << 14 };

/* What every index of an axis is made of: taps indices of the input with their weights. Index -1 as the
 * first tap: it lies outside of the region of interest. */
typedef struct tap_table {
    int taps;       /* 1 and no weights: the axis passes, or nearest */
    int64_t *index; /* [out, taps]; NULL: the axis passes */
    double *weight; /* [out, taps] */
} tap_table;

static int taps_of(resample_mode mode)
{
    return mode == RESAMPLE_NEAREST ? 1 : mode == RESAMPLE_LINEAR ? 2 : MOST_TAPS;
}

size_t resample_scratch(const resample *self, int threads)
{
    size_t bytes = 64, taps = (size_t)taps_of(self->mode);
    for (int a = 0; a < self->rank; a++)
        if (self->axes[a].active)
            bytes += (size_t)self->axes[a].out * taps * (sizeof(int64_t) + sizeof(double));
    if (self->rank > 0 && self->mode != RESAMPLE_NEAREST)
        bytes += (size_t)self->axes[self->rank - 1].out * (size_t)threads * sizeof(double);
    return bytes;
}

/* In f32, as others compute it: whether x + 1/2 is a whole number decides on a pixel. */
static float coordinate_of(const resample *self, const resample_axis *axis, int64_t index)
{
    const float x = (float)index, in = (float)axis->in, out = (float)axis->out, s = axis->scale;
    switch (self->coordinate) {
    case COORDINATE_HALF_PIXEL: return (x + 0.5F) / s - 0.5F;
    case COORDINATE_PYTORCH_HALF_PIXEL: return axis->out > 1 ? (x + 0.5F) / s - 0.5F : 0;
    case COORDINATE_HALF_PIXEL_SYMMETRIC: {
        const float adjustment = out / (s * in), centre = in / 2;
        return centre * (1 - adjustment) + (x + 0.5F) / s - 0.5F;
    }
    case COORDINATE_ALIGN_CORNERS: return axis->out > 1 ? x * (in - 1) / (out - 1) : 0;
    case COORDINATE_ASYMMETRIC: return x / s;
    case COORDINATE_TF_HALF_PIXEL_FOR_NN: return (x + 0.5F) / s;
    case COORDINATE_TF_CROP_AND_RESIZE: break;
    }
    if (axis->out <= 1) return 0.5F * (axis->roi_start + axis->roi_end) * (in - 1);
    return axis->roi_start * (in - 1) +
           x * (axis->roi_end - axis->roi_start) * (in - 1) / (out - 1);
}

static int64_t clamp(int64_t x, int64_t size)
{
    return x < 0 ? 0 : x >= size ? size - 1 : x;
}

static int64_t nearest(const resample *self, const resample_axis *axis, float x)
{
    switch (self->rounding) {
    case ROUND_PREFER_FLOOR: x = x == floorf(x) + 0.5F ? floorf(x) : roundf(x); break;
    case ROUND_PREFER_CEIL: x = x == floorf(x) + 0.5F ? ceilf(x) : roundf(x); break;
    case ROUND_FLOOR: x = floorf(x); break;
    case ROUND_CEIL: x = ceilf(x); break;
    case ROUND_SIMPLE: x = axis->scale < 1 ? ceilf(x) : floorf(x); break;
    }
    return clamp(int64_truncate((double)x), axis->in);
}

static double cubic_weight(double a, double distance)
{
    const double t = fabs(distance);
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static void cubic_taps(const resample *self, const resample_axis *axis, float x, int64_t *index,
                       double *weight)
{
    const int64_t first = int64_truncate((double)floorf(x)) - 1;
    double sum = 0;
    for (int t = 0; t < MOST_TAPS; t++) {
        const int64_t i = first + t;
        const bool outside = i < 0 || i >= axis->in;
        index[t] = clamp(i, axis->in);
        weight[t] = cubic_weight((double)self->cubic_a, (double)x - (double)i);
        if (outside && self->exclude_outside) weight[t] = 0;
        sum += weight[t];
    }
    for (int t = 0; t < MOST_TAPS && self->exclude_outside && sum != 0; t++) weight[t] /= sum;
}

static void fill_table(const resample *self, const resample_axis *axis, tap_table *table)
{
    for (int64_t o = 0; o < axis->out; o++) {
        int64_t *index = table->index + o * table->taps;
        double *weight = table->weight + o * table->taps;
        float x = coordinate_of(self, axis, o);
        bool outside = self->coordinate == COORDINATE_TF_CROP_AND_RESIZE &&
                       !(x >= 0 && x <= (float)(axis->in - 1));
        if (outside) {
            for (int t = 0; t < table->taps; t++) index[t] = -1;
        } else if (self->mode == RESAMPLE_NEAREST) {
            index[0] = nearest(self, axis, x);
        } else if (self->mode == RESAMPLE_CUBIC) {
            cubic_taps(self, axis, x, index, weight);
        } else {
            const float top = (float)(axis->in - 1);
            x = x < 0 ? 0 : x > top ? top : x;
            index[0] = clamp(int64_truncate((double)x), axis->in);
            index[1] = clamp(index[0] + 1, axis->in);
            weight[1] = (double)x - (double)index[0];
            weight[0] = 1 - weight[1];
        }
    }
}

typedef struct sampler {
    const resample *plan;
    const array *x;
    array *y;
    tap_table tables[TENSOR_MAX_RANK];
    int64_t steps[TENSOR_MAX_RANK]; /* of the input */
} sampler;

static bool is_outside(const sampler *self, const int64_t *position)
{
    for (int a = 0; a < self->plan->rank - 1; a++)
        if (self->tables[a].index != NULL &&
            self->tables[a].index[position[a] * self->tables[a].taps] < 0)
            return true;
    return false;
}

/* Tap number t[a] of every axis but the last: where it lies, and its weight. */
static double combine(const sampler *self, const int64_t *position, const int *t,
                      int64_t *offset_out)
{
    double weight = 1;
    int64_t offset = 0;
    for (int a = 0; a < self->plan->rank - 1; a++) {
        const tap_table *table = &self->tables[a];
        int64_t at = position[a] * table->taps + t[a];
        offset += (table->index != NULL ? table->index[at] : position[a]) * self->steps[a];
        if (table->index != NULL && self->plan->mode != RESAMPLE_NEAREST)
            weight *= table->weight[at];
    }
    *offset_out = offset;
    return weight;
}

#define ROW_KERNELS(type, copy_name, add_name, store_name)                                         \
    static void copy_name(const tap_table *table, const void *x, void *y, int64_t n, double fill)  \
    {                                                                                              \
        const type *in = x;                                                                        \
        type *out = y;                                                                             \
        if (in == NULL)                                                                            \
            for (int64_t i = 0; i < n; i++) out[i] = (type)fill;                                   \
        else if (table->index == NULL)                                                             \
            memcpy(out, in, (size_t)n * sizeof *out);                                              \
        else                                                                                       \
            for (int64_t i = 0; i < n; i++)                                                        \
                out[i] = table->index[i] < 0 ? (type)fill : in[table->index[i]];                   \
    }                                                                                              \
    static void add_name(const tap_table *table, const void *x, double w, double *sum, int64_t n)  \
    {                                                                                              \
        const type *in = x;                                                                        \
        const int taps = table->taps;                                                              \
        if (table->index == NULL) {                                                                \
            for (int64_t i = 0; i < n; i++) sum[i] += w * (double)in[i];                           \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            double own = 0;                                                                        \
            if (table->index[i * taps] < 0) continue;                                              \
            for (int t = 0; t < taps; t++)                                                         \
                own += table->weight[i * taps + t] * (double)in[table->index[i * taps + t]];       \
            sum[i] += w * own;                                                                     \
        }                                                                                          \
    }                                                                                              \
    static void store_name(const tap_table *table, const double *sum, void *y, int64_t n,          \
                           double fill)                                                            \
    {                                                                                              \
        type *out = y;                                                                             \
        for (int64_t i = 0; i < n; i++)                                                            \
            out[i] =                                                                               \
                (type)(table->index != NULL && table->index[i * table->taps] < 0 ? fill : sum[i]); \
    }

ROW_KERNELS(float, copy_f32, add_f32, store_f32)
ROW_KERNELS(int64_t, copy_i64, add_i64, store_i64)

/* One row of the output along its last axis. sum: its accumulator. */
static void sample_row(const sampler *self, int64_t row, double *sum)
{
    const resample *plan = self->plan;
    const int last = plan->rank - 1;
    const int64_t n = plan->axes[last].out;
    const bool real = dtype_is_float(self->y->dtype);
    const double fill = (double)plan->extrapolation;
    const tap_table *table = &self->tables[last];
    const size_t size = array_element_size(self->y->dtype);
    unsigned char *y = (unsigned char *)self->y->data + (size_t)(row * n) * size;
    int64_t position[TENSOR_MAX_RANK], offset = 0;
    int t[TENSOR_MAX_RANK] = {0};
    for (int a = last - 1; a >= 0; a--) {
        position[a] = row % plan->axes[a].out;
        row /= plan->axes[a].out;
    }
    const unsigned char *x = self->x->data;
    const bool outside = is_outside(self, position);
    if (outside || plan->mode == RESAMPLE_NEAREST) {
        combine(self, position, t, &offset);
        x = outside ? NULL : x + (size_t)offset * size;
        (real ? copy_f32 : copy_i64)(table, x, y, n, fill);
        return;
    }
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int a = 0; a >= 0;) { /* every combination of taps of the other axes */
        double w = combine(self, position, t, &offset);
        if (w != 0) (real ? add_f32 : add_i64)(table, x + (size_t)offset * size, w, sum, n);
        for (a = last - 1; a >= 0; a--) {
            if (++t[a] < self->tables[a].taps) break;
            t[a] = 0;
        }
    }
    (real ? store_f32 : store_i64)(table, sum, y, n, fill);
}

void resample_run(const resample *self, const array *x, array *y, void *scratch, int threads)
{
    sampler job = {.plan = self, .x = x, .y = y};
    double *memory = scratch;
    int64_t rows = 1;
    for (int a = 0; a < self->rank; a++) {
        const resample_axis *axis = &self->axes[a];
        const int64_t cells = axis->out * taps_of(self->mode);
        job.tables[a] = (tap_table){.taps = 1};
        if (axis->out == 0) return;
        if (a < self->rank - 1) rows *= axis->out;
        if (!axis->active) continue;
        job.tables[a].taps = taps_of(self->mode);
        job.tables[a].weight = memory;
        job.tables[a].index = (int64_t *)(void *)(memory + cells);
        memory += 2 * cells;
        fill_table(self, axis, &job.tables[a]);
    }
    const size_t size = array_element_size(y->dtype);
    if (self->rank == 0) {
        memcpy(y->data, x->data, size);
        return;
    }
    shape_strides(&x->shape, job.steps);
    const int64_t n = self->axes[self->rank - 1].out;
    const int parts = n * rows > PARALLEL_ELEMENTS && threads > 1 ? threads : 1;
#pragma omp parallel for if (parts > 1) num_threads(parts) schedule(static)
    for (int part = 0; part < parts; part++)
        for (int64_t row = rows * part / parts; row < rows * (part + 1) / parts; row++)
            sample_row(&job, row, memory + part * n);
    array_normalise(y);
}
