/* Dense networks that can be trained: layers x W^T + b with one activation between them, parameters
 * in one vector, gradients of the mean squared error. */
#ifndef COSET_TRAIN_DENSE_H
#define COSET_TRAIN_DENSE_H

#include "base/rng.h"
#include "graph/ir.h"

typedef enum dense_activation { DENSE_RELU, DENSE_TANH } dense_activation;

enum { DENSE_MAX_LAYERS = 32 };

/* widths[0] inputs, widths[l + 1] outputs of layer l; every layer but the last has the activation.
 * Layer l has its weight (widths[l + 1], widths[l]) row-major at params[weight_at[l]], as Gemm with
 * transB = 1 reads it, and its bias (widths[l + 1]) at params[bias_at[l]]. */
typedef struct dense_net {
    dense_activation activation;
    int n_layers;
    int64_t widths[DENSE_MAX_LAYERS + 1];
    int64_t weight_at[DENSE_MAX_LAYERS], bias_at[DENSE_MAX_LAYERS];
    int64_t n_params;
    float *params;
} dense_net;

/* A network with random weights and biases of zero. Layers before a ReLU draw from a normal
 * distribution of variance 2 / inputs (He et al., ICCV 2015, equation 10), others uniformly from
 * +-sqrt(6 / (inputs + outputs)) (Glorot and Bengio, AISTATS 2010, equation 16).
 *   widths   [n_layers + 1], each >= 1; borrowed
 *   net_out  owned by the caller (dense_free); NULL on failure
 * Errors: COSET_EARGUMENT naming the width or the number of layers; COSET_ELIMIT; COSET_EMEMORY. */
COSET_MUST_USE coset_status dense_new(coset_ctx *ctx, const int64_t *widths, int n_layers,
                                      dense_activation activation, rng *random,
                                      dense_net **net_out);
void dense_free(coset_ctx *ctx, dense_net *net); /* NULL is allowed */

/* Room for what one batch leaves behind on its way through a network. */
typedef struct dense_pass {
    int64_t capacity;                 /* rows */
    float *outputs[DENSE_MAX_LAYERS]; /* [rows, widths[l + 1]] of layer l, after the activation */
    float *delta[2];                  /* [rows, widest]: gradients by what two layers give */
} dense_pass;

/* Errors: COSET_EMEMORY; then the pass is empty. */
COSET_MUST_USE coset_status dense_pass_init(coset_ctx *ctx, const dense_net *net, int64_t capacity,
                                            dense_pass *pass_out);
void dense_pass_free(coset_ctx *ctx, dense_pass *pass);

/* Outputs [rows, widths[n_layers]] for x [rows, widths[0]], rows <= capacity; lent by the pass until
 * its next use. Cost: 2 flops a weight and row. */
const float *dense_forward(coset_ctx *ctx, const dense_net *net, const float *x, int64_t rows,
                           dense_pass *pass);

/* Mean of (output - y)^2 over rows and outputs, and its gradient by every parameter.
 *   x, y      [rows, widths[0]], [rows, widths[n_layers]], 1 <= rows <= capacity; borrowed
 *   gradient  [n_params], in the order of net->params; written
 * The slope of ReLU at 0 is 0. Cost: 6 flops a weight and row. */
double dense_gradient(coset_ctx *ctx, const dense_net *net, const float *x, const float *y,
                      int64_t rows, dense_pass *pass, float *gradient);

/* The network as a checked graph of opset 13: Gemm (transB = 1) and Relu or Tanh nodes "fc1",
 * "relu1", "fc2", ..., constants "fc1.weight", "fc1.bias", ..., input "x" [batch, widths[0]], output
 * "y" [batch, widths[n_layers]] with a symbolic "batch".
 *   name       of the graph, for messages; copied
 *   graph_out  owned by the caller; holds copies of the parameters; NULL on failure
 * Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status dense_graph(coset_ctx *ctx, const dense_net *net, const char *name,
                                        coset_graph **graph_out);

#endif
