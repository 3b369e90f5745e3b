/* The innermost loop of convolution: a few output channels at a run of positions, held in registers. */
#ifndef COSET_OPS_CONV_TILE_H
#define COSET_OPS_CONV_TILE_H

#include <stdint.h>

enum { CONV_TILE_ROWS = 8, CONV_TILE_FLOATS = 256 /* largest rows, rows * width */ };

typedef struct conv_tile {
    int least; /* output channels from which on it is worth its work */
    int rows, width;
    /* out[r * stride + j] = start[r] + sum over k < n of weights[k * rows + r] * x[offset[k] + j], in
     * order of k, for j < width */
    void (*run)(const float *x, const int64_t *offset, int64_t n, const float *weights,
                const float *start, float *out, int64_t stride);
} conv_tile;

/* Tiles of an instruction set, by falling `least`, the last of which is for one channel; NULL if this
 * machine does not have it. Level 0 is there always, higher ones are faster. */
enum { CONV_TILE_LEVELS = 3 };
const conv_tile *conv_tiles(int level);
/* The tile to use where so many output channels (>= 1) are left: what this machine runs fastest. */
const conv_tile *conv_tile_for(int64_t channels);
/* Floats per register, for estimates. */
int conv_tile_lanes(void);

#endif
