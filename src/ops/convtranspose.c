/* ConvTranspose, the gradient of a convolution by its input: every element x[n, c, p] adds
 * w[c, m, t] x[n, c, p] to y[n, m, q] where a window at p has its tap t at q. A product with the weight
 * makes all taps of some positions at once (m, t) x p; they are then added up in y.
 * Source: ONNX ConvTranspose-1, -11, -22. */
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "linalg/blas.h"
#include "ops/conv_rules.h"
#include "ops/operand.h"
#include "ops/window.h"

enum {
    PRODUCT_FLOATS = 1 << 17, /* of one thread's product: half a megabyte */
    MIN_POSITIONS = 64,       /* of a block */
    PARALLEL_STEPS = 1 << 17  /* multiply-adds below which a second thread does not pay */
};

static const conv_axes weight_axes = {.w_in = 0, .w_out = 1};

/* Channels are those of one group; positions are those of x. */
typedef struct transposed {
    window window;
    int64_t samples, groups, in_channels, out_channels;
    int64_t taps, positions, outputs;
    int64_t channels, columns; /* of y and of x in one block */
} transposed;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[CONV_X].shape;
    int64_t channels = -1;
    window sizes;
    TRY(conv_check(call, weight_axes, &channels));
    if (x->rank >= 0) TRY(window_read_transposed(&call->at, x, &call->in[CONV_W].shape, &sizes));
    conv_set_output(call, channels);
    if (x->rank >= 0) window_in_dims(&sizes, &call->out[0].shape.dims[2]);
done:
    return status;
}

/* Shapes are known, and infer has checked them. */
static coset_status describe(const op_node *at, const shape *x, const shape *w,
                             transposed *self_out)
{
    transposed self = {.samples = x->dims[0],
                       .groups = node_attr_int(at->node, "group", 1),
                       .out_channels = w->dims[1]};
    coset_status status = window_read_transposed(at, x, w, &self.window);
    if (status != COSET_OK) return status;
    const window_axis *axis = self.window.axis;
    self.in_channels = w->dims[0] / self.groups;
    self.taps = window_taps(&self.window);
    self.positions = window_positions(&self.window);
    self.outputs = axis[0].in * axis[1].in * axis[2].in;
    self.columns = smaller(self.positions, PRODUCT_FLOATS / 32);
    while (self.columns > MIN_POSITIONS && self.taps > PRODUCT_FLOATS / self.columns)
        self.columns /= 2;
    int64_t room = self.columns > 0 ? PRODUCT_FLOATS / self.columns / self.taps : 1;
    self.channels = smaller(self.out_channels, room > 0 ? room : 1);
    *self_out = self;
    return COSET_OK;
}

static size_t product_bytes(const transposed *self)
{
    size_t bytes = (size_t)(self->channels * self->taps * self->columns) * sizeof(float);
    return (bytes + 63) / 64 * 64;
}

static size_t scratch(const op_infer *call)
{
    transposed self;
    if (describe(&call->at, &call->in[CONV_X].shape, &call->in[CONV_W].shape, &self) != COSET_OK)
        return 0;
    return (size_t)call->at.ctx->threads * product_bytes(&self);
}

/* Adds the values of one tap at positions [first, first + count) of x to one channel of y.
 *   tap  of each axis */
static void add_tap(const transposed *self, const int64_t tap[WINDOW_AXES], int64_t first,
                    int64_t count, const float *values, float *y)
{
    const window_axis *axis = self->window.axis;
    int64_t shift[WINDOW_AXES], begin = 0, end = 0;
    for (int a = 0; a < WINDOW_AXES; a++) shift[a] = tap[a] * axis[a].dilation - axis[a].before;
    window_inside(&axis[2], tap[2], &begin, &end);
    for (int64_t p = first, next = 0; p < first + count; p = next) {
        int64_t column = p % axis[2].out, row = p / axis[2].out;
        next = smaller(p - column + axis[2].out, first + count);
        int64_t y0 = row / axis[1].out * axis[0].stride + shift[0];
        int64_t y1 = row % axis[1].out * axis[1].stride + shift[1];
        if (y0 < 0 || y0 >= axis[0].in || y1 < 0 || y1 >= axis[1].in) continue;
        float *to = y + (y0 * axis[1].in + y1) * axis[2].in;
        int64_t from = column > begin ? column : begin;
        int64_t until = smaller(column + next - p, end), stride = axis[2].stride;
        for (int64_t c = from; c < until; c++)
            to[c * stride + shift[2]] += values[p - first + c - column];
    }
}

/* All taps of channels [0, channels) at positions [first, first + count). */
static void add_block(const transposed *self, int64_t channels, int64_t first, int64_t count,
                      const float *product, float *y)
{
    const window_axis *axis = self->window.axis;
    int64_t tap[WINDOW_AXES];
    for (int64_t m = 0; m < channels; m++)
        for (tap[0] = 0; tap[0] < axis[0].kernel; tap[0]++)
            for (tap[1] = 0; tap[1] < axis[1].kernel; tap[1]++)
                for (tap[2] = 0; tap[2] < axis[2].kernel; tap[2]++, product += count)
                    add_tap(self, tap, first, count, product, y + m * self->outputs);
}

/* Channels [first, first + channels) of y of one sample and group.
 *   x     of the sample and group
 *   w     of the group
 *   y     first of these channels */
static void run_channels(const transposed *self, int64_t first, int64_t channels, const float *x,
                         const float *w, const float *bias, float *y, float *product)
{
    for (int64_t m = 0; m < channels; m++)
        for (int64_t q = 0; q < self->outputs; q++)
            y[m * self->outputs + q] = bias ? bias[m] : 0.0F;
    if (self->in_channels == 0) return;
    int64_t rows = channels * self->taps, width = self->out_channels * self->taps;
    for (int64_t p = 0; p < self->positions; p += self->columns) {
        int64_t count = smaller(self->columns, self->positions - p);
        gemm_f32(NULL, true, false, rows, count, self->in_channels, 1.0F, w + first * self->taps,
                 width, x + p, self->positions, 0.0F, product, count);
        add_block(self, channels, p, count, product, y);
    }
}

static void run_all(op_call *call, const transposed *self)
{
    coset_ctx *ctx = call->at.ctx;
    const float *x = call->in[CONV_X].f, *w = call->in[CONV_W].f;
    const float *bias = call->at.n_in > CONV_B ? call->in[CONV_B].f : NULL;
    float *y = call->out[0].f;
    int64_t pieces =
        self->out_channels / self->channels + (self->out_channels % self->channels != 0);
    int64_t tasks = self->samples * self->groups * pieces;
    int team = call->threads < ctx->threads ? call->threads : ctx->threads;
    double work = (double)self->samples * (double)self->groups * (double)self->in_channels *
                  (double)self->out_channels * (double)self->taps * (double)self->positions;
    if (work < PARALLEL_STEPS) team = 1;
    blas_serial();
#pragma omp parallel for num_threads(team) schedule(static)
    for (int64_t task = 0; task < tasks; task++) {
        size_t me = 0;
#ifdef _OPENMP
        me = (size_t)omp_get_thread_num();
#endif
        float *product = (float *)((char *)call->scratch + me * product_bytes(self));
        int64_t first = task % pieces * self->channels, slice = task / pieces;
        int64_t group = slice % self->groups;
        run_channels(self, first, smaller(self->channels, self->out_channels - first),
                     x + slice * self->in_channels * self->positions,
                     w + group * self->in_channels * self->out_channels * self->taps,
                     bias ? bias + group * self->out_channels + first : NULL,
                     y + (slice * self->out_channels + first) * self->outputs, product);
    }
    blas_threads(ctx);
}

static coset_status forward(op_call *call)
{
    coset_status status = COSET_OK;
    transposed self;
    TRY(call_same_kind(call, 3));
    TRY(describe(&call->at, &call->in[CONV_X].shape, &call->in[CONV_W].shape, &self));
    if (self.outputs == 0 || self.out_channels == 0) goto done;
    run_all(call, &self);
    array_normalise(&call->out[0]);
done:
    return status;
}

static coset_status labels(op_labels *call)
{
    return conv_labels(call, weight_axes);
}

static int64_t macs(const op_infer *call)
{
    const shape *x = &call->in[CONV_X].shape;
    return conv_macs(&call->in[CONV_W].shape, x->dims[0], shape_product(x, 2, x->rank));
}

const coset_op op_convtranspose = {
    .type = "ConvTranspose",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = labels,
    .cut = conv_cut,
    .macs = macs,
};
