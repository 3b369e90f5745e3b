/* Folding of channel shuffles into one Gather. Source: ours. */
#ifndef COSET_GRAPH_FOLD_SHUFFLE_H
#define COSET_GRAPH_FOLD_SHUFFLE_H

#include "graph/infer.h"

/* A Reshape that splits an axis behind the batch in two, a Transpose that swaps these, and a Reshape that
 * joins them again only permute the indices of that axis. In between, the indices of a unit's neighbours are
 * tied to its own, so that none could be cut alone; a Gather with the permutation as a constant says the
 * same without that. Folds each such chain whose inner values nobody else reads, and whose shapes are known
 * and leave the batch as it is. Values keep their names, but for the two inside.
 *   folded_out  a new checked graph, owned by the caller; NULL if there is nothing to fold
 * Errors: COSET_EMEMORY; those of graph_infer. Cost: one pass over the graph. */
COSET_MUST_USE coset_status graph_fold_shuffles(coset_ctx *ctx, const coset_graph *graph,
                                                coset_graph **folded_out);

#endif
