/* A calibration under way: what is collected, and the costs that come of it.
 * Shared by calibration.c, which asks for moments, and error_flow.c, which uses them. */
#ifndef COSET_LUMP_CALIBRATOR_H
#define COSET_LUMP_CALIBRATOR_H

#include "lump/flow.h"
#include "lump/sites.h"

/* What a moment is of: features of value v, units of block b, slopes at block b, one after the other. */
typedef struct calibrator {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_groups *groups;
    calibration *out;
    const graph_facts *facts;
    int32_t *contracts; /* [n_nodes] contraction of a node; -1: none */
    moments **slopes;   /* [blocks] of the activation that gives the value; NULL: not needed */
    double **cost;      /* [blocks] A; NULL: zero so far */
    bool *asked;        /* [values + 2 blocks] */
    int64_t *what;      /* [n_wanted] index into asked */
    stats_moments *wanted;
    int64_t n_wanted, what_capacity, wanted_capacity;
    int64_t matrices; /* bytes of (n, n) matrices */
    int64_t largest, largest_block;
} calibrator;

static inline const unit_block *block_at(const calibrator *self, int64_t b)
{
    return &self->out->blocks->of[b];
}

/* True if the block's group may be cut. */
static inline bool calibrator_cuts(const calibrator *self, int64_t b)
{
    return self->groups->groups[block_at(self, b)->group].frozen == NULL;
}

/* What node `node` makes of an error of its input k. */
flow_kind error_kind(const calibrator *self, int32_t node, int32_t k);
/* True if the cost of errors of a block is carried on to what lies in front; b -1: it is not there. */
bool error_carried(const calibrator *self, int64_t b);
/* The block of the same group in output o of a node, through which costs are carried; -1: none. */
int64_t error_block_behind(const calibrator *self, const graph_node *node, int64_t b, int32_t o);
/* True if costs are known for all features of a value. */
bool error_all_carried(const calibrator *self, int32_t value);
/* True if a node has such a block in any of its outputs. */
bool error_passes_on(const calibrator *self, const graph_node *node, int64_t b);

/* Fills the metrics of all contractions from the moments that have been collected.
 * Errors: COSET_EMEMORY. Cost: that of contraction_metric for every contraction, n^2 for other readers. */
COSET_MUST_USE coset_status error_flow(calibrator *self);

#endif
