/* Folding of BatchNormalization into the layer in front of it. Source: METHODS.md section 2. */
#ifndef COSET_GRAPH_FOLD_BATCHNORM_H
#define COSET_GRAPH_FOLD_BATCHNORM_H

#include "graph/infer.h"

/* Folds each BatchNormalization
 *   - that is in inference, has constant parameters and is the only reader of its input,
 *   - behind a Conv, ConvTranspose, Gemm or MatMul with a constant weight, or behind such a node and an Add
 *     of a constant with one element for each channel (or for all of them),
 * into the constants there:
 *   w' = a w,   b' = a b + c,   a = scale / sqrt(var + epsilon),   c = bias - a mean
 * worked out in f64 and rounded once to each constant's own type: the same function up to that rounding. A
 * layer without a bias gets one; behind a MatMul the BatchNormalization becomes an Add. Constants that others
 * read, too, are copied. Values keep their names, but for the one between the two nodes, which is gone. A
 * BatchNormalization for which any of this does not hold, or whose result would not be finite, stays.
 *   folded_out  a new checked graph, owned by the caller, without what only the folded nodes read (an encoder
 *               writes no initialiser without readers); NULL if there is nothing to fold. Ids of values are
 *               those of `graph`, ids of nodes are not
 * Errors: COSET_EMEMORY; those of graph_infer, which tells the rank behind a MatMul.
 * Cost: one pass over the graph and over the folded constants. */
COSET_MUST_USE coset_status graph_fold_batchnorm(coset_ctx *ctx, const coset_graph *graph,
                                                 coset_graph **folded_out);

#endif
