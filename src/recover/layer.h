/* Layers: contractions, depthwise convolutions and BatchNormalizations as recovery sees them. */
#ifndef COSET_RECOVER_LAYER_H
#define COSET_RECOVER_LAYER_H

#include "graph/groups.h"
#include "ops/window.h"

typedef struct layer {
    int32_t node;
    int32_t input;  /* activation; features along input_axis */
    int32_t result; /* pre-activations, bias included; features along output_axis */
    int input_axis, output_axis;
    int32_t weight, bias; /* constants; bias -1: none */
    double bias_scale;    /* b is this times the constant */
    int32_t out_slot;     /* label slot of the results' units */
    int64_t groups;       /* >= 1: output o reads the inputs of group o / (n_out / groups) */
    bool windows;         /* a convolution, transposed or not: reads patches */
    bool transposed;      /* a transposed one */
    bool normalises;      /* BatchNormalization: weight and bias are its scale and bias */
    weight_view view;     /* n_out outputs, n_in inputs of one group */
} layer;

/* The layers of a graph that can be changed, in topological order: matrices, convolutions, transposed or not,
 * and inference BatchNormalizations whose weight and bias are constants that nobody else reads. Depthwise
 * transposed convolutions are none.
 * layers_out is owned by the caller. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status layers_list(coset_ctx *ctx, const coset_graph *graph,
                                        const graph_groups *groups, layer **layers_out,
                                        int64_t *count_out);

/* The window of a convolution that reads an array of this shape. Errors: those of window_read or
 * window_read_transposed. */
COSET_MUST_USE coset_status layer_window(coset_ctx *ctx, const coset_graph *graph,
                                         const layer *self, const shape *x, window *window_out);

/* Inputs of one output: columns of a refit. */
int64_t layer_columns(const layer *self);

/* Weights of outputs [first, first + count) as (count, columns), biases as [count] (0 without one). */
void layer_read(const coset_graph *graph, const layer *self, int64_t first, int64_t count,
                double *weight_out, double *bias_out);
double layer_bias(const coset_graph *graph, const layer *self, int64_t output);
/* Weights (n_out, columns) as the graph stores them; owned by the caller. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status layer_store(coset_ctx *ctx, const coset_graph *graph, const layer *self,
                                        const double *weight, tensor **stored_out);
/* Sets the stored weights (retained), of the same shape, and all biases, [n_out]. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status layer_set(coset_ctx *ctx, coset_graph *graph, const layer *self,
                                      tensor *stored, const double *bias);

#endif
