/* What a plan does to one labelled axis of a constant. */
#ifndef COSET_LUMP_AXIS_H
#define COSET_LUMP_AXIS_H

#include "lump/plan.h"

/* The new place of every index of a label slot, and the groups whose units lie on the axis. */
typedef struct axis_map {
    const graph_groups *groups;
    const coset_plan *plan;
    int32_t slot;
    int64_t size, new_size;
    int64_t *position; /* [size] new index of index i if it stays, else -1 */
    int64_t *target;   /* [size] new index that i is added to by R; -1: none */
    double *weight;    /* [size] with this factor */
    int32_t n_members; /* distinct cut groups on the axis */
    const group_slot **members;
    const lumping **maps; /* their lumpings */
    bool identity;
} axis_map;

/* Errors: COSET_EMEMORY. Freed by axis_map_free, also after failure. */
COSET_MUST_USE coset_status axis_map_new(coset_ctx *ctx, const graph_groups *groups,
                                         const coset_plan *plan, int32_t slot, axis_map *map_out);
void axis_map_free(coset_ctx *ctx, axis_map *self);

/* A dense f64 view (outer, size, inner) of a tensor around one axis. */
typedef struct axis_block {
    int64_t outer, size, inner;
    double *values;
} axis_block;

/* R along the axis, read straight from the stored tensor: new producers and additive constants.
 * mean = true: the mean over each block instead (parameters that are not linear in the unit). */
COSET_MUST_USE coset_status axis_reduce(coset_ctx *ctx, const axis_map *self, const tensor *data,
                                        int axis, bool mean, axis_block *block_out);
/* L along the axis of a block: columns of new consumers. */
COSET_MUST_USE coset_status axis_lift(coset_ctx *ctx, const axis_map *self, const axis_block *in,
                                      axis_block *block_out);
/* sum over the axis of shift_u * block: what the shifts add to every (outer, inner) element;
 * sums_out [outer, inner]. False if no group on the axis has a shift. */
bool axis_shift(const axis_map *self, const axis_block *in, double *sums_out);

#endif
