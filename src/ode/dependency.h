/* Which blocks of a partition the distances within a block depend on, and an order that respects it. */
#ifndef COSET_ODE_DEPENDENCY_H
#define COSET_ODE_DEPENDENCY_H

#include "ode/partition.h"

/* Block b depends on blocks on[start[b]] to on[start[b + 1] - 1]: backward those that its equations read,
 * forward those whose equations read it. A block may depend on itself. */
typedef struct block_graph {
    int64_t n;
    int64_t *start; /* [n + 1], owned */
    int64_t *on;    /* [start[n]], owned */
} block_graph;

/* Cost: the factors of all terms. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status dependency_graph(const ode_system *system, equivalence kind,
                                             const partition *blocks, block_graph *out);
void dependency_graph_free(coset_ctx *ctx, block_graph *self); /* zero-initialised is allowed */

/* Every block after those that it depends on, as far as there are no cycles: strongly connected components
 * by level, a level being 1 + the highest level of the components that one depends on; in a component, as a
 * search from its first block leaves them, so that around a ring every block but one follows the block that
 * it depends on.
 *   order_out  [n] written
 * Cost: linear. Source: Tarjan, SIAM J. Comput. 1, 1972, with a stack of its own. */
COSET_MUST_USE coset_status dependency_order(coset_ctx *ctx, const block_graph *graph,
                                             int64_t *order_out);

#endif
