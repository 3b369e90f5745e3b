#include "ops/convolve.h"

#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "ops/conv_tile.h"

enum {
    BLOCK_FLOATS = 1 << 17, /* of a block's input: half a megabyte, for the second level of cache */
    PANEL_STEPS = 768, /* channels times taps of one pass: a panel of weights stays in the first */
    MIN_WIDTH = 64,    /* rows are not split below that */
    PARALLEL_STEPS = 1 << 17 /* multiply-adds below which a second thread does not pay */
};

/* How one axis is laid out in a block. */
typedef struct axis_layout {
    bool by_phase;  /* planes of every stride-th element, with a halo; else a plane for every tap */
    int64_t planes; /* taps t and u share a plane if (t - u) * dilation is a multiple of stride */
    int64_t halo;   /* elements of a plane behind the last position */
    int64_t phase_step; /* plane i starts at element i * phase_step (by_phase) of the window */
} axis_layout;

typedef struct block_plan {
    const convolution *of;
    axis_layout axis[WINDOW_AXES];
    int64_t taps, positions, inputs; /* of a sample and channel */
    int64_t channels;                /* of one pass */
    int64_t rows, columns;           /* output positions of a block, at most */
    int64_t row_blocks, column_blocks;
    int64_t plane_rows, plane_columns, channel_floats;
    int64_t block_floats;    /* of one thread's block, with what tiles read behind it */
    int64_t packed_channels; /* out_channels as the tiles round them up */
} block_plan;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

static axis_layout layout_by_tap(const window_axis *axis)
{
    return (axis_layout){.planes = axis->kernel};
}

/* Dilations that have a common factor f with the stride reach only every f-th phase. */
static axis_layout layout_by_phase(const window_axis *axis)
{
    int64_t a = axis->stride, b = axis->dilation;
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return (axis_layout){.by_phase = true,
                         .planes = axis->stride / a,
                         .halo = (axis->kernel - 1) * axis->dilation / axis->stride,
                         .phase_step = a};
}

static void size_planes(block_plan *self)
{
    self->plane_rows = self->rows + self->axis[1].halo;
    self->plane_columns = self->columns + self->axis[2].halo;
    self->channel_floats = self->axis[0].planes * self->axis[1].planes * self->axis[2].planes *
                           self->plane_rows * self->plane_columns;
}

/* channel_floats of a block that may be too large for integers. */
static double channel_size(const block_plan *self)
{
    return (double)self->axis[0].planes * (double)self->axis[1].planes *
           (double)self->axis[2].planes * (double)(self->rows + self->axis[1].halo) *
           (double)(self->columns + self->axis[2].halo);
}

/* The cheaper layout of an axis that is `size` positions long in a block. */
static axis_layout choose_layout(const window_axis *axis, int64_t size, double dearer)
{
    axis_layout phase = layout_by_phase(axis), tap = layout_by_tap(axis);
    double by_phase =
        (double)phase.planes * (double)(size + phase.halo) + dearer * (double)phase.halo;
    double by_tap = (double)tap.planes * (double)size;
    return by_phase < by_tap ? phase : tap;
}

/* What an element of halo costs in copies: it is computed for every tap and output channel. */
static double halo_price(const block_plan *self)
{
    double lanes = (double)conv_tile_lanes();
    return (double)self->taps * (double)self->of->out_channels / lanes;
}

static void choose_block(block_plan *self)
{
    const window_axis *axis = self->of->window.axis;
    int64_t in_channels = self->of->in_channels;
    int64_t most = self->taps < PANEL_STEPS ? PANEL_STEPS / self->taps : 1;
    int64_t passes = divide_up(in_channels > 0 ? in_channels : 1, most);
    self->channels = divide_up(in_channels > 0 ? in_channels : 1, passes);
    self->rows = axis[1].out;
    self->columns = axis[2].out;
    self->axis[0] = layout_by_tap(&axis[0]);
    for (;;) {
        self->axis[1] = choose_layout(&axis[1], self->rows, 0);
        self->axis[2] = choose_layout(&axis[2], self->columns, halo_price(self));
        if ((double)self->channels * channel_size(self) <= BLOCK_FLOATS) break;
        if (self->rows > 1)
            self->rows = divide_up(self->rows, 2);
        else if (self->columns > MIN_WIDTH)
            self->columns = divide_up(self->columns, 2);
        else if (self->channels > 1)
            self->channels = divide_up(self->channels, 2);
        else
            break;
    }
}

/* Enough blocks for every thread to have work. Their layout stays, so that results do. */
static void share_rows(block_plan *self, int threads)
{
    int64_t slices = self->of->samples * self->of->groups * self->of->window.axis[0].out;
    self->column_blocks = divide_up(self->of->window.axis[2].out, self->columns);
    while (self->rows > 1 &&
           slices * divide_up(self->of->window.axis[1].out, self->rows) * self->column_blocks <
               2 * (int64_t)threads)
        self->rows = divide_up(self->rows, 2);
    self->row_blocks = divide_up(self->of->window.axis[1].out, self->rows);
    size_planes(self);
}

static int64_t packed_rows(int64_t channels)
{
    int64_t rows = 0;
    while (rows < channels) rows += conv_tile_for(channels - rows)->rows;
    return rows;
}

static block_plan plan_blocks(const convolution *of, int threads)
{
    block_plan self = {.of = of,
                       .taps = window_taps(&of->window),
                       .positions = window_positions(&of->window),
                       .packed_channels = packed_rows(of->out_channels)};
    self.inputs = of->window.axis[0].in * of->window.axis[1].in * of->window.axis[2].in;
    choose_block(&self);
    share_rows(&self, threads);
    self.block_floats = self.channels * self.channel_floats + CONV_TILE_FLOATS;
    return self;
}

static bool is_empty(const convolution *self)
{
    return self->samples == 0 || self->groups == 0 || self->out_channels == 0 ||
           window_positions(&self->window) == 0;
}

/* Scratch in a row: offsets, packed weights, blocks; each a multiple of 64 bytes. */
static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t offset_bytes(const block_plan *self)
{
    return aligned((size_t)(self->channels * self->taps) * sizeof(int64_t));
}

static size_t packed_bytes(const block_plan *self)
{
    return aligned(
        (size_t)(self->of->groups * self->packed_channels * self->of->in_channels * self->taps) *
        sizeof(float));
}

static size_t block_bytes(const block_plan *self)
{
    return aligned((size_t)self->block_floats * sizeof(float));
}

size_t convolve_scratch(const convolution *self, int threads)
{
    if (is_empty(self)) return 0;
    block_plan plan = plan_blocks(self, threads);
    return offset_bytes(&plan) + packed_bytes(&plan) + (size_t)threads * block_bytes(&plan);
}

/* ---- weights ---------------------------------------------------------------------------------- */

static void pack_panel(const float *weight, int64_t steps, int64_t used, int64_t rows,
                       float *packed)
{
    for (int64_t k = 0; k < steps; k++, packed += rows) {
        for (int64_t r = 0; r < used; r++) packed[r] = weight[r * steps + k];
        for (int64_t r = used; r < rows; r++) packed[r] = 0;
    }
}

/* Panels of as many output channels as their tile has rows, [in_channels * taps, rows]; rows behind the
 * last channel are zero. Member `me` of a team packs every team-th panel. */
static void pack_weights(const block_plan *self, const float *weight, float *packed, int me,
                         int team)
{
    int64_t steps = self->of->in_channels * self->taps, channels = self->of->out_channels, i = 0;
    for (int64_t g = 0; g < self->of->groups; g++, weight += channels * steps)
        for (int64_t m = 0, rows = 0; m < channels; m += rows, i++, packed += rows * steps) {
            rows = conv_tile_for(channels - m)->rows;
            if (i % team == me)
                pack_panel(weight + m * steps, steps, smaller(rows, channels - m), rows, packed);
        }
}

/* Where in a plane's axis the first position reads tap t. */
static int64_t tap_place(const axis_layout *layout, const window_axis *axis, int64_t tap,
                         int64_t *plane_out)
{
    if (!layout->by_phase) {
        *plane_out = tap;
        return 0;
    }
    *plane_out = tap * axis->dilation % axis->stride / layout->phase_step;
    return tap * axis->dilation / axis->stride;
}

static void fill_offsets(const block_plan *self, int64_t *offset)
{
    const window_axis *axis = self->of->window.axis;
    for (int64_t c = 0; c < self->channels; c++)
        for (int64_t z = 0; z < axis[0].kernel; z++)
            for (int64_t y = 0; y < axis[1].kernel; y++)
                for (int64_t x = 0; x < axis[2].kernel; x++) {
                    int64_t plane_y = 0, plane_x = 0;
                    int64_t row = tap_place(&self->axis[1], &axis[1], y, &plane_y);
                    int64_t column = tap_place(&self->axis[2], &axis[2], x, &plane_x);
                    int64_t plane =
                        (z * self->axis[1].planes + plane_y) * self->axis[2].planes + plane_x;
                    *offset++ = c * self->channel_floats +
                                (plane * self->plane_rows + row) * self->plane_columns + column;
                }
}

/* ---- a block's input -------------------------------------------------------------------------- */

typedef struct block {
    int64_t z, first_row, rows, first_column, columns; /* output positions */
} block;

/* The input position that element 0 of a plane holds. */
static int64_t plane_start(const axis_layout *layout, const window_axis *axis, int64_t plane,
                           int64_t first)
{
    int64_t into = layout->by_phase ? plane * layout->phase_step : plane * axis->dilation;
    return first * axis->stride - axis->before + into;
}

/* Which elements [0, n) of a row of a plane are not padding. */
static void inside_row(int64_t in, int64_t start, int64_t stride, int64_t n, int64_t *first_out,
                       int64_t *end_out)
{
    int64_t first = start < 0 ? smaller(divide_up(-start, stride), n) : 0;
    int64_t end = start < in ? smaller(divide_up(in - start, stride), n) : 0;
    *first_out = first;
    *end_out = end > first ? end : first;
}

/* to[j] = from[j * stride] for j < count, 0 for the others of [0, n). */
static void fill_row(const float *restrict from, int64_t stride, int64_t count, int64_t n,
                     float *restrict to)
{
    if (stride == 1)
        for (int64_t j = 0; j < count; j++) to[j] = from[j];
    else
        for (int64_t j = 0; j < count; j++) to[j] = from[j * stride];
    for (int64_t j = count; j < n; j++) to[j] = 0;
}

/* One plane: rows of every stride-th input row from `row` on, columns from `column` on.
 *   x  rows of the input at one place of axis 0; NULL: that is padding */
static void fill_plane(const block_plan *self, const float *x, int64_t row, int64_t column,
                       int64_t rows, float *to)
{
    const window_axis *axis = self->of->window.axis;
    int64_t first = 0, end = 0, first_row = 0, end_row = 0, width = self->plane_columns;
    inside_row(axis[2].in, column, axis[2].stride, width, &first, &end);
    inside_row(axis[1].in, row, axis[1].stride, rows, &first_row, &end_row);
    if (x == NULL || first == end) end_row = first_row = rows;
    if (first_row > 0) memset(to, 0, (size_t)(first_row * width) * sizeof *to);
    for (int64_t r = first_row; r < end_row; r++) {
        const float *from =
            x + ((row + r * axis[1].stride) * axis[2].in + column + first * axis[2].stride);
        for (int64_t j = 0; j < first; j++) to[r * width + j] = 0;
        fill_row(from, axis[2].stride, end - first, width - first, to + r * width + first);
    }
    if (rows > end_row)
        memset(to + end_row * width, 0, (size_t)((rows - end_row) * width) * sizeof *to);
}

/*   x  one channel */
static void fill_channel(const block_plan *self, const block *at, const float *x, float *to)
{
    const window_axis *axis = self->of->window.axis;
    const axis_layout *layout = self->axis;
    for (int64_t pz = 0; pz < layout[0].planes; pz++) {
        int64_t z = plane_start(&layout[0], &axis[0], pz, at->z);
        bool inside = z >= 0 && z < axis[0].in;
        for (int64_t py = 0; py < layout[1].planes; py++) {
            int64_t row = plane_start(&layout[1], &axis[1], py, at->first_row);
            for (int64_t px = 0; px < layout[2].planes; px++) {
                int64_t column = plane_start(&layout[2], &axis[2], px, at->first_column);
                fill_plane(self, inside ? x + z * axis[1].in * axis[2].in : NULL, row, column,
                           at->rows + layout[1].halo, to);
                to += self->plane_rows * self->plane_columns;
            }
        }
    }
}

/* ---- a block's output ------------------------------------------------------------------------- */

/* One pass over a block. */
typedef struct pass {
    const block_plan *plan;
    const block *at;
    const int64_t *offset;
    const float *planes;
    int64_t steps; /* channels times taps */
    bool adds;     /* to what earlier passes left */
} pass;

/* Adds channels [0, rows) of a tile, which begins at place `first` of the block's planes, to y, or puts
 * them there.
 *   y  first of these channels at the block's first position */
static void keep_tile(const pass *self, int64_t first, const float *tile, int64_t width,
                      int64_t rows, float *y)
{
    const block_plan *plan = self->plan;
    int64_t row = first / plan->plane_columns, column = first % plan->plane_columns, j = 0;
    while (j < width && row < self->at->rows) {
        int64_t count = smaller(self->at->columns - column, width - j);
        float *to = y + row * plan->of->window.axis[2].out + column;
        for (int64_t r = 0; r < rows && count > 0; r++) {
            const float *restrict from = tile + r * width + j;
            float *restrict out = to + r * plan->positions;
            if (self->adds)
                for (int64_t i = 0; i < count; i++) out[i] += from[i];
            else
                for (int64_t i = 0; i < count; i++) out[i] = from[i];
        }
        j += plan->plane_columns - column;
        column = 0;
        row++;
    }
}

/* Places [first, first + width): straight to y where every element belongs there, else by a copy. */
static void run_tile(const pass *self, const conv_tile *kernel, int64_t rows, int64_t first,
                     bool straight, const float *weights, const float *start, float *y)
{
    const block_plan *plan = self->plan;
    _Alignas(64) float tile[CONV_TILE_FLOATS];
    const float *x = self->planes + first;
    if (straight && rows == kernel->rows && !self->adds) {
        int64_t row = first / plan->plane_columns, column = first % plan->plane_columns;
        kernel->run(x, self->offset, self->steps, weights, start,
                    y + row * plan->of->window.axis[2].out + column, plan->positions);
        return;
    }
    kernel->run(x, self->offset, self->steps, weights, start, tile, kernel->width);
    keep_tile(self, first, tile, kernel->width, rows, y);
}

/* A panel of output channels at all places. Where rows are wide, every row has tiles of its own, the
 * last of which begins early enough to end with it; else they run over the ends of rows. */
static void run_panel(const pass *self, const conv_tile *kernel, int64_t rows, const float *weights,
                      const float *start, float *y)
{
    const block *at = self->at;
    int64_t width = kernel->width, pitch = self->plan->plane_columns;
    int64_t places = (at->rows - 1) * pitch + at->columns;
    int64_t by_row = at->rows * divide_up(at->columns, width);
    bool dense = pitch == at->columns && pitch == self->plan->of->window.axis[2].out;
    if (at->columns >= width && !dense && !self->adds && 10 * by_row * width <= 11 * places) {
        for (int64_t r = 0; r < at->rows; r++)
            for (int64_t c = 0; c < at->columns; c += width)
                run_tile(self, kernel, rows, r * pitch + smaller(c, at->columns - width), true,
                         weights, start, y);
        return;
    }
    for (int64_t p = 0; p < places; p += width)
        run_tile(self, kernel, rows, p,
                 (dense && p + width <= places) || p % pitch + width <= at->columns, weights, start,
                 y);
}

static void run_pass(const pass *self, int64_t first_channel, const float *packed,
                     const float *bias, float *y)
{
    const convolution *of = self->plan->of;
    int64_t all_steps = of->in_channels * self->plan->taps, m = 0;
    while (m < of->out_channels) {
        const conv_tile *kernel = conv_tile_for(of->out_channels - m);
        int64_t rows = smaller(kernel->rows, of->out_channels - m);
        float start[CONV_TILE_ROWS] = {0};
        for (int64_t r = 0; r < rows && bias != NULL && !self->adds; r++) start[r] = bias[m + r];
        run_panel(self, kernel, rows, packed + first_channel * self->plan->taps * kernel->rows,
                  start, y + m * self->plan->positions);
        packed += kernel->rows * all_steps;
        m += kernel->rows;
    }
}

/* All passes of one block.
 *   x, packed, bias, y  of the block's sample and group */
static void run_block(const block_plan *self, const block *at, const int64_t *offset,
                      const float *x, const float *packed, const float *bias, float *y,
                      float *planes)
{
    const window_axis *axis = self->of->window.axis;
    int64_t in_channels = self->of->in_channels, first_channel = 0;
    y += (at->z * axis[1].out + at->first_row) * axis[2].out + at->first_column;
    do { /* once at least: without channels there is the bias */
        int64_t channels = smaller(self->channels, in_channels - first_channel);
        for (int64_t c = 0; c < channels; c++)
            fill_channel(self, at, x + (first_channel + c) * self->inputs,
                         planes + c * self->channel_floats);
        const pass now = {self, at, offset, planes, channels * self->taps, first_channel > 0};
        run_pass(&now, first_channel, packed, bias, y);
        first_channel += channels;
    } while (first_channel < in_channels);
}

/* Block `task` of all, and its sample and group. */
static block find_block(const block_plan *self, int64_t task, int64_t *sample_out,
                        int64_t *group_out)
{
    const window_axis *axis = self->of->window.axis;
    block at;
    at.first_column = task % self->column_blocks * self->columns;
    at.columns = smaller(self->columns, axis[2].out - at.first_column);
    task /= self->column_blocks;
    at.first_row = task % self->row_blocks * self->rows;
    at.rows = smaller(self->rows, axis[1].out - at.first_row);
    task /= self->row_blocks;
    at.z = task % axis[0].out;
    task /= axis[0].out;
    *group_out = task % self->of->groups;
    *sample_out = task / self->of->groups;
    return at;
}

void convolve_f32(const convolution *self, const float *x, const float *weight, const float *bias,
                  float *y, void *scratch, int threads, int limit)
{
    if (is_empty(self)) return;
    const block_plan plan = plan_blocks(self, limit);
    int64_t *offset = scratch;
    float *packed = (float *)((char *)scratch + offset_bytes(&plan));
    char *blocks = (char *)packed + packed_bytes(&plan);
    int64_t steps = self->in_channels * plan.taps;
    int64_t packed_group = plan.packed_channels * steps, groups = self->groups;
    int64_t tasks =
        self->samples * groups * self->window.axis[0].out * plan.row_blocks * plan.column_blocks;
    double work = (double)self->samples * (double)groups * (double)self->out_channels *
                  (double)plan.positions * (double)(steps > 0 ? steps : 1);
    int team = threads < limit ? threads : limit;
    if (work < PARALLEL_STEPS) team = 1;
    /* Shares of a thread that another program holds up are taken by the others. */
    int64_t chunk = tasks / (8 * (int64_t)team) + 1;
    fill_offsets(&plan, offset);
#pragma omp parallel num_threads(team)
    {
        int me = 0, members = 1;
#ifdef _OPENMP
        me = omp_get_thread_num();
        members = omp_get_num_threads();
#endif
        float *planes = (float *)(blocks + (size_t)me * block_bytes(&plan));
        /* Tiles read behind the last plane, and drop what that gives. */
        memset(planes + plan.block_floats - CONV_TILE_FLOATS, 0, CONV_TILE_FLOATS * sizeof *planes);
        pack_weights(&plan, weight, packed, me, members);
#pragma omp barrier
#pragma omp for schedule(dynamic, chunk)
        for (int64_t task = 0; task < tasks; task++) {
            int64_t sample = 0, group = 0;
            const block at = find_block(&plan, task, &sample, &group);
            int64_t slice = sample * groups + group;
            run_block(&plan, &at, offset, x + slice * self->in_channels * plan.inputs,
                      packed + group * packed_group,
                      bias ? bias + group * self->out_channels : NULL,
                      y + slice * self->out_channels * plan.positions, planes);
        }
    }
}
