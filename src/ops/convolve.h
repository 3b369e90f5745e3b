/* Convolution of f32 arrays without im2col. Source: ours.
 *
 * A block of output positions (some rows of one sample and group) first gets its input together: every
 * channel is copied once, with zeros where the padding is, into planes in which the elements that one
 * tap reads at neighbouring positions are neighbours. A stride s parts an axis into s planes of every
 * s-th element; one plane serves all taps. Then position j of the block reads x[offset[k] + j] for the
 * k-th pair of channel and tap: a product of matrices of which one is never written out. Rows of a plane
 * are longer than those of the output where taps reach over their ends (halo); what is computed there
 * is dropped. Where that is dearer than to copy an axis once for every tap, as for large dilations or
 * short rows, the axis is laid out so, without a halo. */
#ifndef COSET_OPS_CONVOLVE_H
#define COSET_OPS_CONVOLVE_H

#include "ops/window.h"

typedef struct convolution {
    window window;
    int64_t samples, groups;
    int64_t in_channels, out_channels; /* of one group */
} convolution;

/* Bytes of scratch: the packed weights, and a block (a megabyte at most, but for a window that covers
 * more) for each of `threads`. */
size_t convolve_scratch(const convolution *self, int threads);

/* y[n, g, m, p] = bias[g, m] + sum over c, t of weight[g, m, c, t] * x[n, g, c, position of tap t at p].
 *   x        [samples, groups, in_channels, window.in]
 *   weight   [groups, out_channels, in_channels, taps]
 *   bias     [groups, out_channels]; NULL: none
 *   y        [samples, groups, out_channels, window.out], written
 *   threads  >= 1; at most `limit`, the number that convolve_scratch was asked for
 * The sum runs in a fixed order: results do not depend on the number of threads.
 * Cost: samples groups out_channels in_channels taps positions multiply-adds. */
void convolve_f32(const convolution *self, const float *x, const float *weight, const float *bias,
                  float *y, void *scratch, int threads, int limit);

#endif
