/* Coarsest ordinary lumping of a graph with weights: the core of both exact equivalences. */
#ifndef COSET_ODE_LUMP_GRAPH_H
#define COSET_ODE_LUMP_GRAPH_H

#include "base/ctx.h"
#include "ode/number.h"

/* Edges by target. A weight is an element of the field of number.h, in [1, NUMBER_PRIME]:
 * the prime itself is 0, for edges whose parts cancel. */
typedef struct lump_graph {
    int64_t n;        /* nodes, <= INT32_MAX */
    int64_t *start;   /* [n + 1], owned: edges into node t are start[t] to start[t + 1] - 1 */
    int32_t *source;  /* [start[n]], owned */
    uint64_t *weight; /* [start[n]], owned */
} lump_graph;

/* The weight of an edge that has a residue. */
static inline uint64_t lump_weight(uint64_t residue)
{
    return residue != 0 ? residue : NUMBER_PRIME;
}

/* The coarsest refinement of a partition in which any two nodes of a block have the same sum of weights
 * into every block.
 *   block     [n] numbers of blocks in [0, n_blocks), each used; written, in an order that depends on the
 *             input alone
 * Errors: COSET_EMEMORY.
 * Cost: O(m log n) for m edges, as an edge is looked at only when the block of its target is at most
 * half of what it was the last time; 64 n bytes.
 * Source: Valmari and Franceschinis, Simple O(m log n) time Markov chain lumping, TACAS 2010. */
COSET_MUST_USE coset_status lump_graph_refine(coset_ctx *ctx, const lump_graph *graph,
                                              int64_t n_blocks, int32_t *block);

void lump_graph_free(coset_ctx *ctx, lump_graph *self); /* zero-initialised is allowed */

#endif
