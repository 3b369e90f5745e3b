#include "data/resize.h"

#include <math.h>

/* Output i of an axis is sum_k weight[i * most + k] * input[first[i] + k], k < count[i]. */
typedef struct taps {
    int64_t *first, *count;
    double *weight;
    int64_t most;
} taps;

static void taps_free(coset_ctx *ctx, taps *self)
{
    ctx_free(ctx, self->first);
    ctx_free(ctx, self->count);
    ctx_free(ctx, self->weight);
}

/* Outputs [from, from + n) of an axis of `after`, which comes from one of `before`. */
static coset_status taps_make(coset_ctx *ctx, int64_t before, int64_t after, int64_t from,
                              int64_t n, taps *self)
{
    coset_status status = COSET_OK;
    double scale = (double)before / (double)after, reach = scale > 1 ? scale : 1;
    self->most = (int64_t)ceil(2 * reach) + 1;
    if (self->most > before) self->most = before;
    TRY(ctx_alloc(ctx, n, sizeof *self->first, &self->first));
    TRY(ctx_alloc(ctx, n, sizeof *self->count, &self->count));
    TRY(ctx_alloc(ctx, n * self->most, sizeof *self->weight, &self->weight));
    for (int64_t i = 0; i < n; i++) {
        double centre = ((double)(from + i) + 0.5) * scale, sum = 0;
        double *weight = self->weight + i * self->most;
        int64_t low = (int64_t)floor(centre - reach), count = 0;
        for (int64_t j = low < 0 ? 0 : low; j < before && count < self->most; j++) {
            double w = 1 - fabs((double)j + 0.5 - centre) / reach;
            if (w <= 0 && count > 0) break;
            if (w <= 0) continue;
            if (count == 0) self->first[i] = j;
            weight[count++] = w;
            sum += w;
        }
        self->count[i] = count;
        for (int64_t k = 0; k < count; k++) weight[k] /= sum;
    }
done:
    return status;
}

/* ---- rows -------------------------------------------------------------------------------------- */

int64_t channels_after(coset_channels order, int64_t channels)
{
    switch (order) {
    case COSET_CHANNELS_RGB: return channels;
    case COSET_CHANNELS_BGR: return channels == 1 || channels == 3 ? 3 : 0;
    case COSET_CHANNELS_GREY: return channels == 1 || channels == 3 ? 1 : 0;
    }
    return 0;
}

static void read_plane(const pixel_view *from, int64_t at, float *out)
{
    for (int64_t x = 0; x < from->width; x++, at += from->column)
        out[x] = from->bytes != NULL ? (float)from->bytes[at] : from->floats[at];
}

/* Luma of ITU-R BT.601; of bytes in 16 bits after the point, rounded. */
static void read_grey(const pixel_view *from, int64_t at, float *out)
{
    int64_t step = from->channel;
    for (int64_t x = 0; x < from->width; x++, at += from->column) {
        if (from->bytes != NULL) {
            const uint8_t *p = from->bytes + at;
            unsigned luma = 19595u * p[0] + 38470u * p[step] + 7471u * p[2 * step];
            out[x] = (float)((luma + 0x8000) >> 16);
        } else {
            const float *p = from->floats + at;
            out[x] = (float)(0.299 * (double)p[0] + 0.587 * (double)p[step] +
                             0.114 * (double)p[2 * step]);
        }
    }
}

/* Row y with its channels in order, as planes [channels_after][width]. */
static void read_row(const pixel_view *from, coset_channels order, int64_t y, float *out)
{
    int64_t channels = channels_after(order, from->channels), at = y * from->row;
    if (order == COSET_CHANNELS_GREY && from->channels == 3) {
        read_grey(from, at, out);
        return;
    }
    for (int64_t c = 0; c < channels; c++) {
        int64_t which = order == COSET_CHANNELS_BGR ? channels - 1 - c : c;
        if (which >= from->channels) which = 0;
        read_plane(from, at + which * from->channel, out + c * from->width);
    }
}

static void narrow_row(const taps *across, const float *row, int64_t columns, double *out)
{
    for (int64_t x = 0; x < columns; x++) {
        const double *weight = across->weight + x * across->most;
        const float *in = row + across->first[x];
        double sum = 0;
        for (int64_t k = 0; k < across->count[x]; k++) sum += weight[k] * (double)in[k];
        out[x] = sum;
    }
}

/* ---- the whole --------------------------------------------------------------------------------- */

typedef struct resizer {
    const pixel_view *from;
    coset_channels order;
    const resize_window *window;
    int64_t channels;
    taps across, down;
    float *row;     /* [channels, width before] */
    double *narrow; /* [channels, columns] */
    double *sums;   /* [channels, rows, columns] */
} resizer;

/* Adds input row y to every output row that it has a weight in. Rows come in order, and so do the
 * outputs: *begin is the first one that is not yet complete. */
static void add_row(resizer *self, int64_t y, int64_t *begin)
{
    const resize_window *window = self->window;
    const taps *down = &self->down;
    int64_t columns = window->columns;
    while (*begin < window->rows && down->first[*begin] + down->count[*begin] <= y) ++*begin;
    if (*begin == window->rows || down->first[*begin] > y) return;
    read_row(self->from, self->order, y, self->row);
    for (int64_t c = 0; c < self->channels; c++)
        narrow_row(&self->across, self->row + c * self->from->width, columns,
                   self->narrow + c * columns);
    for (int64_t i = *begin; i < window->rows && down->first[i] <= y; i++) {
        int64_t k = y - down->first[i];
        if (k >= down->count[i]) continue;
        double weight = down->weight[i * down->most + k];
        for (int64_t c = 0; c < self->channels; c++) {
            double *sum = self->sums + (c * window->rows + i) * columns;
            const double *narrow = self->narrow + c * columns;
            for (int64_t x = 0; x < columns; x++) sum[x] += weight * narrow[x];
        }
    }
}

static void write_out(const resizer *self, float *out, int64_t out_row, int64_t out_plane)
{
    const resize_window *window = self->window;
    const double *sum = self->sums;
    bool bytes = self->from->bytes != NULL;
    for (int64_t c = 0; c < self->channels; c++)
        for (int64_t y = 0; y < window->rows; y++)
            for (int64_t x = 0; x < window->columns; x++, sum++)
                out[c * out_plane + y * out_row + x] = (float)(bytes ? floor(*sum + 0.5) : *sum);
}

/* Nothing to resample: rows go where they belong. */
static coset_status copy(coset_ctx *ctx, const pixel_view *from, coset_channels order,
                         const resize_window *window, float *out, int64_t out_row,
                         int64_t out_plane)
{
    int64_t channels = channels_after(order, from->channels);
    float *row = NULL;
    coset_status status = ctx_alloc_raw(ctx, channels * from->width, sizeof *row, &row);
    if (status != COSET_OK) return status;
    for (int64_t y = 0; y < window->rows; y++) {
        read_row(from, order, window->top + y, row);
        for (int64_t c = 0; c < channels; c++)
            for (int64_t x = 0; x < window->columns; x++)
                out[c * out_plane + y * out_row + x] = row[c * from->width + window->left + x];
    }
    ctx_free(ctx, row);
    return COSET_OK;
}

coset_status resize(coset_ctx *ctx, const pixel_view *from, coset_channels order,
                    const resize_window *window, float *out, int64_t out_row, int64_t out_plane)
{
    coset_status status = COSET_OK;
    resizer self = {.from = from, .order = order, .window = window};
    int64_t begin = 0, values = 0;
    if (from->height == window->height && from->width == window->width)
        return copy(ctx, from, order, window, out, out_row, out_plane);
    self.channels = channels_after(order, from->channels);
    values = self.channels * window->columns;
    TRY(taps_make(ctx, from->width, window->width, window->left, window->columns, &self.across));
    TRY(taps_make(ctx, from->height, window->height, window->top, window->rows, &self.down));
    TRY(ctx_alloc_raw(ctx, self.channels * from->width, sizeof *self.row, &self.row));
    TRY(ctx_alloc_raw(ctx, values, sizeof *self.narrow, &self.narrow));
    TRY(ctx_alloc(ctx, values * window->rows, sizeof *self.sums, &self.sums));
    for (int64_t y = 0; y < from->height; y++) add_row(&self, y, &begin);
    write_out(&self, out, out_row, out_plane);
done:
    taps_free(ctx, &self.across);
    taps_free(ctx, &self.down);
    ctx_free(ctx, self.row);
    ctx_free(ctx, self.narrow);
    ctx_free(ctx, self.sums);
    return status;
}
