/* Flow: how the cost of errors goes back through the operators between contractions. Source: ours. */
#ifndef COSET_LUMP_FLOW_H
#define COSET_LUMP_FLOW_H

#include "lump/block.h"
#include "stats/moments.h"

typedef enum flow_kind {
    FLOW_STOP,     /* no rule: an error counts relative to the variance of the value that is read */
    FLOW_CONTRACT, /* W^T A W */
    FLOW_PASS,     /* the same units elsewhere: A */
    FLOW_SHARE, /* one of several operands that are put together: A times its share of the places */
    FLOW_FUNCTION, /* unit by unit: E[s s^T] o A, s the slopes */
    FLOW_SCALE,    /* times a constant for each unit: s s^T o A */
    FLOW_PRODUCT,  /* times another activation: E[h h^T] o A */
    FLOW_MEAN      /* a mean over places: as the units' own deviations shrink by it, so do errors */
} flow_kind;

/* How input k of a node goes to its first output. contracts: the contraction that it is, -1: none. */
flow_kind flow_of(const coset_graph *graph, const graph_groups *groups, int32_t contracts,
                  int32_t node, int32_t k);

/* The slope of a FLOW_FUNCTION node as a function of its result, with a parameter. */
moments_map flow_slope(const graph_node *node, float *parameter_out);

/* s s^T summed over taps for a FLOW_SCALE node, (n, n) of the units of a block of its output: written.
 * False if the constants cannot be read so. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status flow_scales(coset_ctx *ctx, const coset_graph *graph,
                                        const graph_node *node, const unit_block *out,
                                        double *products, bool *known_out);

#endif
