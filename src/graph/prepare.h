/* The graph that is cut instead of the one that was loaded. */
#ifndef COSET_GRAPH_PREPARE_H
#define COSET_GRAPH_PREPARE_H

#include "graph/ir.h"

/* The same function with fewer obstacles: computed weights are constants (fold.h), BatchNormalizations part of
 * the layers in front of them (fold_batchnorm.h), and channel shuffles are selections (fold_shuffle.h).
 *   prepared_out  a new checked graph, owned by the caller; NULL if there is nothing to do
 * Errors: those of these. */
COSET_MUST_USE coset_status graph_prepare(coset_ctx *ctx, const coset_graph *graph,
                                          coset_graph **prepared_out);

#endif
