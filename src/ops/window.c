#include "ops/window.h"

#include <string.h>

#include "base/size.h"

/* Copies an attribute of `count` integers, if it is there, to values. */
static coset_status read_ints(const op_node *at, const char *name, int64_t count, int64_t least,
                              int64_t *values)
{
    int64_t n = 0;
    const int64_t *given = node_attr_ints(at->node, name, &n);
    if (given == NULL || n == 0) return COSET_OK;
    if (n != count)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "expected %lld values of %s, one for each spatial axis%s, found %lld",
                         (long long)count, name, strcmp(name, "pads") == 0 ? " and end" : "",
                         (long long)n);
    for (int64_t i = 0; i < n; i++) {
        if (given[i] < least || given[i] > TENSOR_MAX_ELEMENTS)
            return node_fail(at->ctx, at->node, COSET_EFORMAT,
                             "expected %s of at least %lld and at most %lld, found %lld", name,
                             (long long)least, (long long)TENSOR_MAX_ELEMENTS, (long long)given[i]);
        values[i] = given[i];
    }
    return COSET_OK;
}

/* The size of the window, from kernel_shape and the weight. */
static coset_status read_kernel(const op_node *at, int n_axes, const shape *weight, int64_t *kernel)
{
    for (int a = 0; a < n_axes; a++) kernel[a] = -1;
    coset_status status = read_ints(at, "kernel_shape", n_axes, 1, kernel);
    if (status != COSET_OK || weight == NULL || weight->rank < 0) return status;
    char text[SHAPE_TEXT];
    for (int a = 0; a < n_axes; a++) {
        int64_t size = weight->dims[weight->rank - n_axes + a];
        if (size < 0) continue;
        if (size == 0 || (kernel[a] >= 0 && kernel[a] != size))
            return node_fail(at->ctx, at->node, COSET_EFORMAT,
                             "a weight of shape %s does not have the size of kernel_shape",
                             shape_text(weight, text, sizeof text));
        kernel[a] = size;
    }
    return COSET_OK;
}

static coset_status check_ranks(const op_node *at, const shape *x, const shape *weight)
{
    char text[SHAPE_TEXT];
    if (x->rank < 3)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "expected x of shape (N, C, D1, ...), found %s",
                         shape_text(x, text, sizeof text));
    if (x->rank - 2 > WINDOW_AXES)
        return node_fail(at->ctx, at->node, COSET_EUNSUPPORTED, "%d spatial axes, at most %d work",
                         x->rank - 2, WINDOW_AXES);
    if (weight != NULL && weight->rank >= 0 && weight->rank != x->rank)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "x has %d axes, a weight of shape %s does not fit it", x->rank,
                         shape_text(weight, text, sizeof text));
    return COSET_OK;
}

/* Everything that attributes say; `in` and `out` are left unknown. */
static coset_status read_axes(const op_node *at, const shape *x, const shape *weight,
                              window *window_out)
{
    coset_status status = COSET_OK;
    window made = {.n_axes = 0};
    int64_t kernel[WINDOW_AXES], stride[WINDOW_AXES], dilation[WINDOW_AXES], pads[2 * WINDOW_AXES];
    TRY(check_ranks(at, x, weight));
    made.n_axes = x->rank - 2;
    for (int a = 0; a < WINDOW_AXES; a++) {
        stride[a] = dilation[a] = 1;
        pads[a] = pads[a + WINDOW_AXES] = 0;
        made.axis[a] = (window_axis){.in = 1, .out = 1, .kernel = 1, .stride = 1, .dilation = 1};
    }
    TRY(read_kernel(at, made.n_axes, weight, kernel));
    TRY(read_ints(at, "strides", made.n_axes, 1, stride));
    TRY(read_ints(at, "dilations", made.n_axes, 1, dilation));
    TRY(read_ints(at, "pads", 2 * made.n_axes, 0, pads));
    for (int a = 0; a < made.n_axes; a++)
        made.axis[WINDOW_AXES - made.n_axes + a] = (window_axis){.in = -1,
                                                                 .out = -1,
                                                                 .kernel = kernel[a],
                                                                 .stride = stride[a],
                                                                 .dilation = dilation[a],
                                                                 .before = pads[a],
                                                                 .after = pads[made.n_axes + a]};
    *window_out = made;
done:
    return status;
}

typedef enum auto_pad { PAD_GIVEN, PAD_VALID, PAD_SAME_UPPER, PAD_SAME_LOWER } auto_pad;

static coset_status read_auto_pad(const op_node *at, auto_pad *mode_out)
{
    static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    const char *given = node_attr_string(at->node, "auto_pad", "NOTSET");
    for (int i = 0; i < 4; i++) {
        if (strcmp(given, names[i]) != 0) continue;
        *mode_out = (auto_pad)i;
        return COSET_OK;
    }
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "unknown auto_pad '%.40s'", given);
}

static coset_status too_large(const op_node *at)
{
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "its window is too large");
}

/* What the taps of a window cover; false if that is too large. */
static bool extent(const window_axis *self, int64_t *extent_out)
{
    int64_t steps = 0;
    return dim_mul(self->kernel - 1, self->dilation, &steps) && dim_add(steps, 1, extent_out) &&
           *extent_out <= TENSOR_MAX_ELEMENTS;
}

static void split_pads(window_axis *self, int64_t total, bool more_after)
{
    int64_t half = total > 0 ? total / 2 : 0, rest = total > 0 ? total - half : 0;
    self->before = more_after ? half : rest;
    self->after = more_after ? rest : half;
}

static coset_status size_axis(const op_node *at, window_axis *self, auto_pad mode, bool ceil_mode)
{
    if (mode != PAD_GIVEN) self->before = self->after = 0;
    if (self->kernel < 0 || self->in < 0) return COSET_OK;
    int64_t covered = 0, padded = 0;
    if (!extent(self, &covered)) return too_large(at);
    if (mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER) {
        int64_t out = self->in / self->stride + (self->in % self->stride != 0);
        if (out > 0)
            split_pads(self, (out - 1) * self->stride + covered - self->in, mode == PAD_SAME_UPPER);
        self->out = out;
        return COSET_OK;
    }
    if (!dim_add(self->in, self->before, &padded) || !dim_add(padded, self->after, &padded) ||
        padded > TENSOR_MAX_ELEMENTS)
        return too_large(at);
    if (padded < covered)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "a window that covers %lld does not fit into %lld positions with pads of "
                         "%lld and %lld",
                         (long long)covered, (long long)self->in, (long long)self->before,
                         (long long)self->after);
    int64_t room = padded - covered;
    self->out = room / self->stride + 1;
    if (ceil_mode && room % self->stride != 0 &&
        room / self->stride < (self->in + self->before - 1) / self->stride)
        self->out++;
    return COSET_OK;
}

coset_status window_read(const op_node *at, const shape *x, const shape *weight, bool ceil_mode,
                         window *window_out)
{
    coset_status status = COSET_OK;
    window made;
    auto_pad mode = PAD_GIVEN;
    TRY(read_axes(at, x, weight, &made));
    TRY(read_auto_pad(at, &mode));
    for (int a = 0; a < made.n_axes; a++) {
        window_axis *axis = &made.axis[WINDOW_AXES - made.n_axes + a];
        axis->in = x->dims[2 + a];
        TRY(size_axis(at, axis, mode, ceil_mode));
    }
    *window_out = made;
done:
    return status;
}

/*   extra   output_padding
 *   wanted  output_shape, -1: not given */
static coset_status size_transposed(const op_node *at, window_axis *self, auto_pad mode,
                                    int64_t extra, int64_t wanted)
{
    if (self->kernel < 0 || self->out < 0) return COSET_OK;
    if (mode != PAD_GIVEN) self->before = self->after = 0;
    int64_t covered = 0, size = 0;
    if (!extent(self, &covered) ||
        !dim_mul(self->out > 0 ? self->out - 1 : 0, self->stride, &size) ||
        !dim_add(size, covered, &size) || !dim_add(size, extra, &size) ||
        size > TENSOR_MAX_ELEMENTS)
        return too_large(at);
    if (self->out == 0) size = 0;
    if (wanted < 0 && mode >= PAD_SAME_UPPER) {
        if (!dim_mul(self->out, self->stride, &wanted)) return too_large(at);
        if (wanted > size) wanted = size; /* windows that leave gaps do not reach further */
    }
    if (wanted >= 0) {
        split_pads(self, size - wanted, mode == PAD_SAME_UPPER);
        self->in = wanted;
        return COSET_OK;
    }
    int64_t pads = 0;
    if (!dim_add(self->before, self->after, &pads) || (size > 0 && pads >= size))
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "pads of %lld and %lld leave nothing of the %lld positions of the result",
                         (long long)self->before, (long long)self->after, (long long)size);
    self->in = size > 0 ? size - pads : 0;
    return COSET_OK;
}

coset_status window_read_transposed(const op_node *at, const shape *x, const shape *weight,
                                    window *window_out)
{
    coset_status status = COSET_OK;
    window made;
    auto_pad mode = PAD_GIVEN;
    int64_t extra[WINDOW_AXES] = {0, 0, 0}, wanted[WINDOW_AXES + 2] = {-1, -1, -1, -1, -1};
    int64_t n_wanted = 0;
    TRY(read_axes(at, x, weight, &made));
    TRY(read_auto_pad(at, &mode));
    TRY(read_ints(at, "output_padding", made.n_axes, 0, extra));
    /* Some exporters list the batch and the channels, too. */
    (void)node_attr_ints(at->node, "output_shape", &n_wanted);
    int skip = n_wanted == made.n_axes + 2 ? 2 : 0;
    TRY(read_ints(at, "output_shape", made.n_axes + skip, 0, wanted));
    for (int a = 0; a < made.n_axes; a++) {
        window_axis *axis = &made.axis[WINDOW_AXES - made.n_axes + a];
        axis->out = x->dims[2 + a];
        TRY(size_transposed(at, axis, mode, extra[a], wanted[skip + a]));
    }
    *window_out = made;
done:
    return status;
}

coset_status window_global(const op_node *at, const shape *x, window *window_out)
{
    window made = {.n_axes = x->rank - 2};
    coset_status status = check_ranks(at, x, NULL);
    if (status != COSET_OK) return status;
    for (int a = 0; a < WINDOW_AXES; a++) {
        int own = a - (WINDOW_AXES - made.n_axes);
        int64_t size = own < 0 ? 1 : x->dims[2 + own];
        made.axis[a] =
            (window_axis){.in = size, .out = 1, .kernel = size, .stride = 1, .dilation = 1};
    }
    *window_out = made;
    return COSET_OK;
}

void window_out_dims(const window *self, int64_t *dims)
{
    for (int a = 0; a < self->n_axes; a++) dims[a] = self->axis[WINDOW_AXES - self->n_axes + a].out;
}

void window_in_dims(const window *self, int64_t *dims)
{
    for (int a = 0; a < self->n_axes; a++) dims[a] = self->axis[WINDOW_AXES - self->n_axes + a].in;
}

int64_t window_positions(const window *self)
{
    return self->axis[0].out * self->axis[1].out * self->axis[2].out;
}

int64_t window_taps(const window *self)
{
    return self->axis[0].kernel * self->axis[1].kernel * self->axis[2].kernel;
}

void window_inside(const window_axis *self, int64_t tap, int64_t *first_out, int64_t *end_out)
{
    /* 0 <= o * stride + shift < in */
    int64_t shift = tap * self->dilation - self->before;
    int64_t first = shift < 0 ? (-shift + self->stride - 1) / self->stride : 0;
    int64_t end = self->in > shift ? (self->in - shift + self->stride - 1) / self->stride : 0;
    *end_out = end < self->out ? end : self->out;
    *first_out = first < *end_out ? first : *end_out;
}
