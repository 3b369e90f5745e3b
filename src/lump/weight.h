/* What a plan does to the weight of a contraction. */
#ifndef COSET_LUMP_WEIGHT_H
#define COSET_LUMP_WEIGHT_H

#include "lump/axis.h"

/* W' = R W L, tap by tap.
 *   out_map, in_map  of the slots of the weight's two axes
 *   weight_out       as it is stored, in its dtype; owned by the caller
 *   shift_out        [out_map->new_size] R W c, summed over taps: what the shifts c of the lifts add to the
 *                    outputs; owned by the caller; NULL: nothing has a shift. Where taps reach into zero
 *                    padding it is too much, and with strides of a transposed convolution right on the
 *                    average only.
 * Errors: COSET_EMEMORY; COSET_ELIMIT for a weight of too many elements.
 * Memory: R W and R W L in f64. Cost: one pass over the weight, 2 n k products for each of its other elements
 * with a dense lift (n, k). */
COSET_MUST_USE coset_status weight_cut(coset_ctx *ctx, const coset_graph *graph,
                                       const contraction *at, const axis_map *out_map,
                                       const axis_map *in_map, tensor **weight_out,
                                       double **shift_out);

#endif
