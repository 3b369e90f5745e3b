/* Windows that slide over the spatial axes of x (N, C, D1 .. Dk), 1 <= k <= 3: sizes, strides, dilations
 * and pads of convolution and pooling. Source: ONNX Conv-22, ConvTranspose-22, MaxPool-22. */
#ifndef COSET_OPS_WINDOW_H
#define COSET_OPS_WINDOW_H

#include "graph/op.h"

enum { WINDOW_AXES = 3 };

/* One spatial axis. Output position o reads input positions o * stride - before + t * dilation for taps
 * t in [0, kernel); those outside [0, in) are padding. -1: not known. */
typedef struct window_axis {
    int64_t in, out;
    int64_t kernel, stride, dilation; /* >= 1; only kernel may be unknown */
    int64_t before, after; /* pads, >= 0; with ceil_mode the last window may reach further */
} window_axis;

/* Kernels loop over three axes always: the operator's own are the last n_axes of them, in front are
 * axes of size 1 with a window of 1. */
typedef struct window {
    int n_axes;
    window_axis axis[WINDOW_AXES];
} window;

/* Reads kernel_shape, strides, dilations, pads and auto_pad of a node and works out `in` and `out`.
 *   x          shape of known rank
 *   weight     shape of the weight, its last axes being the window; NULL or unknown rank: kernel_shape
 *              alone tells it
 *   ceil_mode  rounds `out` up; a window that would start behind the input and its front pad is left out
 * Sizes that depend on unknown dimensions are -1; where everything is known all fields are.
 * Errors: COSET_EFORMAT for a rank below 3, attributes of a wrong length, values out of range or
 * contradicting the weight, a window that does not fit into the padded input; COSET_EUNSUPPORTED for
 * more than three axes. */
COSET_MUST_USE coset_status window_read(const op_node *at, const shape *x, const shape *weight,
                                        bool ceil_mode, window *window_out);

/* The same for ConvTranspose, whose input is what a convolution puts out: `in` and `out` are those of
 * that convolution, so `out` is read from x and `in` is the size of the result. Reads output_padding
 * and output_shape, too. */
COSET_MUST_USE coset_status window_read_transposed(const op_node *at, const shape *x,
                                                   const shape *weight, window *window_out);

/* One window over everything, for global pooling: kernel and `in` are the sizes of x, `out` is 1. */
COSET_MUST_USE coset_status window_global(const op_node *at, const shape *x, window *window_out);

/* Writes the sizes of the operator's spatial axes to dims [n_axes]. */
void window_out_dims(const window *self, int64_t *dims);
void window_in_dims(const window *self, int64_t *dims);

/* Output positions / taps of one window, all axes together; every size is known. */
int64_t window_positions(const window *self);
int64_t window_taps(const window *self);

/* The output positions o in [*first_out, *end_out) of an axis whose tap t lies inside the input. */
void window_inside(const window_axis *self, int64_t tap, int64_t *first_out, int64_t *end_out);

#endif
