/* Blocks: where the units of one group lie in one value. */
#ifndef COSET_LUMP_BLOCK_H
#define COSET_LUMP_BLOCK_H

#include "graph/groups.h"

/* Unit u lies at index[u * repeats + p] of an axis of `width`: a flattened channel has one place for every
 * position, in ascending order; what matters of it is the sum or mean over them. */
typedef struct unit_block {
    int32_t value, group;
    int axis;
    int64_t n, repeats, width;
    int64_t *index; /* [n, repeats] */
} unit_block;

typedef struct unit_blocks {
    int64_t n;
    unit_block *of; /* ordered by value */
    int64_t *first; /* [n_values + 1] blocks of value v are first[v] .. first[v + 1] - 1 */
    arena arena;
} unit_blocks;

/* The blocks of every activation whose units lie on one axis, each unit of the group at as many places.
 * Borrows nothing. Errors: COSET_EMEMORY. Cost: linear in the labels of the values. */
COSET_MUST_USE coset_status unit_blocks_find(coset_ctx *ctx, const coset_graph *graph,
                                             const graph_groups *groups, unit_blocks **blocks_out);
void unit_blocks_free(coset_ctx *ctx, unit_blocks *self);
/* Index of the block of a group in a value; -1: there is none. */
int64_t unit_block_find(const unit_blocks *self, int32_t value, int32_t group);
/* True if the blocks of a value take up its whole axis. */
bool unit_blocks_cover(const unit_blocks *self, int32_t value);

#endif
