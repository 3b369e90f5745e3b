/* Bounds of all values of a network whose inputs lie in a box: what is provably linear, or dead.
 * Source: interval arithmetic; Dobler, Lemmerich, arXiv 2506.21146 (METHODS.md section 6), who carry it through
 * dense layers with ReLU. */
#ifndef COSET_METHODS_LINEARITY_BOUNDS_H
#define COSET_METHODS_LINEARITY_BOUNDS_H

#include "graph/groups.h"
#include "methods/linearity/interval.h"

typedef struct value_bounds {
    int64_t n;          /* values */
    interval_array *of; /* [n] of every activation; low NULL: of a constant */
} value_bounds;

/* Bounds of what the stored weights give in exact arithmetic for every input with all elements in [low, high];
 * every bound is rounded outward in f64. Through contractions, activations that are monotone, sums, products and
 * quotients, Concat, Transpose, operators that keep the order of elements, and pooling; what other operators give
 * is unbounded.
 * Errors: COSET_EMEMORY. Cost: one pass over the weights. */
COSET_MUST_USE coset_status bounds_find(coset_ctx *ctx, const coset_graph *graph,
                                        const graph_groups *groups, double low, double high,
                                        value_bounds **bounds_out);
void bounds_free(coset_ctx *ctx, value_bounds *self);

#endif
