/* What MaxPool, AveragePool and LpPool share: windows over the spatial axes of (N, C, D1 .. Dk), and the
 * loops over them. Source: ONNX MaxPool-22, AveragePool-22, LpPool-22. */
#ifndef COSET_OPS_POOL_H
#define COSET_OPS_POOL_H

#include "graph/labels.h"
#include "ops/window.h"

/* How one kind of pooling treats the taps of neighbouring outputs. An accumulator takes 8 bytes, or 4. */
typedef struct pool_kernel {
    size_t x_size, sum_size; /* bytes of an element of x and y, and of an accumulator */
    void (*start)(void *sums, int64_t n);
    /* Takes x[i * stride] into sums[i], i in [0, n). */
    void (*take)(const void *x, int64_t stride, void *sums, int64_t n, double param);
    /* y[i] from sums[i], into which `counts[i]` taps went (not set unless needs_counts). */
    void (*finish)(const void *sums, const int64_t *counts, void *y, int64_t n, double param);
    bool needs_counts, counts_pads; /* counts_pads: taps on given pads count, too */
    double param;
} pool_kernel;

/* Type and shape of output 0, and of MaxPool's indices where output 1 is there.
 *   takes  element types (elementwise.h)
 * Errors: COSET_EFORMAT if kernel_shape is missing; those of window_read. */
COSET_MUST_USE coset_status pool_infer(op_infer *call, unsigned takes);
/* The window of a node; `ceil_mode` is read from it. Errors: those of pool_infer. */
COSET_MUST_USE coset_status pool_window(const op_node *at, const shape *x, window *window_out);
/* Runs a kernel over every plane. Cost: taps that lie inside the input. */
COSET_MUST_USE coset_status pool_forward(op_call *call, const pool_kernel *kernel);
/* Units pass along axes that no window spans. */
COSET_MUST_USE coset_status pool_labels(op_labels *call);
/* Taps that pool_forward may take. */
int64_t pool_work(const op_infer *call);

/* The taps [*first_out, *end_out) of output position o that read positions in [low, high). */
void pool_taps(const window_axis *axis, int64_t o, int64_t low, int64_t high, int64_t *first_out,
               int64_t *end_out);

/* Output of global pooling: every spatial axis becomes 1. Errors: COSET_EFORMAT below rank 3. */
COSET_MUST_USE coset_status pool_infer_global(op_infer *call);
COSET_MUST_USE coset_status pool_labels_global(op_labels *call);

#endif
