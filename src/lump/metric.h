/* What an error of a group's units costs where a contraction reads them. */
#ifndef COSET_LUMP_METRIC_H
#define COSET_LUMP_METRIC_H

#include "lump/block.h"

/* The cost d^T A d of an error d of a contraction's outputs: one matrix for each block, the mean over its
 * places being what counts; or no blocks: |d|^2 / variance. */
typedef struct output_cost {
    int64_t n;
    const unit_block *blocks;
    double *const *cost; /* [n] each (units, units), symmetric; NULL: errors there cost nothing */
    double variance;     /* > 0 */
} output_cost;

/* M = sum over taps and places of W^T A W for the units of one block of a contraction's input: an error of
 * the units with covariance C (the mean over places) costs trace(M C) if its taps are independent.
 *   metric  (n, n) of the block's units; added to
 * Errors: COSET_EMEMORY. Memory: the weight in f64 and two slices of it.
 * Cost: q n (q + n) flops for every tap and place, with q outputs. */
COSET_MUST_USE coset_status contraction_metric(coset_ctx *ctx, const coset_graph *graph,
                                               const graph_groups *groups, int64_t index,
                                               const unit_block *in, const output_cost *behind,
                                               double *metric);

#endif
