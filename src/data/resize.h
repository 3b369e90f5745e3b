/* Resampling of images, and the order of their channels. */
#ifndef COSET_DATA_RESIZE_H
#define COSET_DATA_RESIZE_H

#include <coset/data.h>

#include "base/ctx.h"

/* Pixels wherever they lie: element (y, x, c) is at y * row + x * column + c * channel. Lent. */
typedef struct pixel_view {
    const uint8_t *bytes; /* one of bytes and floats is set */
    const float *floats;
    int64_t height, width, channels;
    int64_t row, column, channel;
} pixel_view;

/* The channels that `order` makes of `channels`; 0 if it cannot: BGR takes 3 channels, or 1 that becomes
 * three equal ones; GREY takes 3 or 1; RGB takes any number, as they are. */
int64_t channels_after(coset_channels order, int64_t channels);

/* Which part of a resized image is wanted. */
typedef struct resize_window {
    int64_t height, width; /* of the whole image after resizing */
    int64_t top, left;     /* of the part */
    int64_t rows, columns; /* of the part; it lies inside of the whole */
} resize_window;

/* Brings the channels into order, then resamples by a triangle filter, first along x, then along y. With
 * s = (size before) / (size after), output i is the mean of the inputs j weighted by
 * max(0, 1 - |j + 1/2 - (i + 1/2) s| / max(s, 1)): bilinear interpolation between pixel centres where an
 * image grows, an average over all pixels under the triangle where it shrinks. What lies outside of the
 * image has no weight. Bytes are rounded to the nearest integer once, at the end.
 *   out        channel c of output (y, x) goes to out[c * out_plane + y * out_row + x]
 * Errors: COSET_EMEMORY.
 * Cost: 2 max(s, 1) multiply-adds for each value of height-before x width-after, and the same again.
 * Memory: rows * columns * channels doubles, two rows, and the weights. */
COSET_MUST_USE coset_status resize(coset_ctx *ctx, const pixel_view *from, coset_channels order,
                                   const resize_window *window, float *out, int64_t out_row,
                                   int64_t out_plane);

#endif
