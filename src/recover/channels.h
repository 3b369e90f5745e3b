/* Channels: what a layer reads at one place, for layers whose inputs x taps are too many for a refit. */
#ifndef COSET_RECOVER_CHANNELS_H
#define COSET_RECOVER_CHANNELS_H

#include "lump/axis.h"
#include "lump/block.h"

/* The channels of a contraction's input: the units of all groups on that axis, those of one group in a row.
 * Behind a Flatten a channel lies at as many places as the image had. n is 0 if there are none, if some lie at
 * more places than others, and for convolutions of several groups. Inputs that belong to no group are no
 * channels. block.group is -1; block.index is owned by the caller. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status channels_find(coset_ctx *ctx, const graph_groups *groups,
                                          const contraction *at, unit_block *channels_out);

/* What a plan does to all of them, as one lumping: its lift is dense, I where nothing is cut; it has a shift.
 * Owned by the caller. Errors: COSET_EMEMORY. Memory: n k doubles. */
COSET_MUST_USE coset_status channels_lumping(coset_ctx *ctx, const graph_groups *groups,
                                             const coset_plan *plan, const contraction *at,
                                             const unit_block *channels, lumping **map_out);

/* Where the channels that are left lie in the compressed model's input. in_map: the plan's, of the weight's
 * input axis. channels_out->index is owned by the caller. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status channels_cut(coset_ctx *ctx, const unit_block *channels,
                                         const lumping *map, const axis_map *in_map,
                                         unit_block *channels_out);

#endif
