/* Tiles of every instruction set that this machine has, against the sum that they stand for. */
#include "support/linalg.h"

#include "ops/conv_tile.h"

enum { STEPS = 37, REACH = 200 };

static void try_tile(const conv_tile *tile, int64_t n, int64_t stride)
{
    rng random = rng_seed(4, (uint64_t)(tile->rows * tile->width));
    float x[REACH + CONV_TILE_FLOATS], weights[STEPS * CONV_TILE_ROWS], start[CONV_TILE_ROWS];
    int64_t offset[STEPS];
    float *out = calloc((size_t)(tile->rows * stride + 1), sizeof *out);
    assert_non_null(out);
    for (int i = 0; i < REACH + CONV_TILE_FLOATS; i++) x[i] = (float)rng_normal(&random);
    for (int i = 0; i < STEPS * CONV_TILE_ROWS; i++) weights[i] = (float)rng_normal(&random);
    for (int i = 0; i < STEPS; i++) offset[i] = rng_below(&random, REACH);
    for (int i = 0; i < CONV_TILE_ROWS; i++) start[i] = (float)rng_normal(&random);
    for (int64_t i = 0; i <= tile->rows * stride; i++) out[i] = 1234;
    tile->run(x, offset, n, weights, start, out, stride);
    for (int64_t r = 0; r < tile->rows; r++)
        for (int64_t j = 0; j < stride; j++) {
            double sum = (double)start[r], size = fabs(sum);
            for (int64_t k = 0; k < n; k++) {
                double term = (double)weights[k * tile->rows + r] * (double)x[offset[k] + j];
                sum += term;
                size += fabs(term);
            }
            if (j < tile->width) /* each of n steps rounds once or twice */
                assert_true(fabs((double)out[r * stride + j] - sum) <=
                            1.2e-7 * (double)(n + 1) * size);
            else
                assert_true(out[r * stride + j] == 1234);
        }
    assert_true(out[tile->rows * stride] == 1234);
    free(out);
}

static void tiles_are_sums(void **state)
{
    (void)state;
    int tried = 0;
    for (int level = 0; level < CONV_TILE_LEVELS; level++) {
        const conv_tile *tile = conv_tiles(level);
        for (int more = tile != NULL; more; tile++) {
            assert_true(tile->rows <= CONV_TILE_ROWS &&
                        tile->rows * tile->width <= CONV_TILE_FLOATS);
            try_tile(tile, STEPS, tile->width);
            try_tile(tile, 1, tile->width + 3);
            try_tile(tile, 0, tile->width);
            tried++;
            more = tile->least > 1;
        }
    }
    assert_true(tried >= 2);
}

static void channels_get_tiles(void **state)
{
    (void)state;
    for (int64_t channels = 1; channels < 40; channels++) {
        const conv_tile *tile = conv_tile_for(channels);
        assert_true(tile->least <= channels);
        assert_true(channels > 1 || tile->rows == 1);
    }
    assert_true(conv_tile_lanes() * 4 == conv_tile_for(1)->width);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiles_are_sums),
                                       cmocka_unit_test(channels_get_tiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
