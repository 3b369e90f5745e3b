/* Folding of weights: a weight that nodes compute from constants alone becomes a constant, so that it
 * can be cut like any other. */
#ifndef COSET_GRAPH_FOLD_H
#define COSET_GRAPH_FOLD_H

#include "graph/infer.h"

/* Folds every node with one floating result that depends on constants alone, unless the result would
 * take more bytes than what it is made of (a Cast of f16 weights to f32, an Expand).
 *   folded_out  a new checked graph, owned by the caller; NULL if there is nothing to fold
 * Errors: COSET_EMEMORY; those of the kernels. Cost: one run of the folded nodes. */
COSET_MUST_USE coset_status graph_fold(coset_ctx *ctx, const coset_graph *graph,
                                       coset_graph **folded_out);

#endif
