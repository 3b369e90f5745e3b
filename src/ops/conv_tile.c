/* Every product reads one vector of x and one weight for all its lanes. With R rows and V vectors of x
 * there are R V sums in registers, and V + R loads for R V multiply-adds: as many rows and vectors as the
 * registers hold, and at least as many sums as a multiply-add takes steps. */
#include "ops/conv_tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* The statement for every row of a tile. */
#define ROWS_1(statement) statement(0)
#define ROWS_4(statement) statement(0) statement(1) statement(2) statement(3)
#define ROWS_8(statement) ROWS_4(statement) statement(4) statement(5) statement(6) statement(7)

/* LANES, LOAD, STORE, SPLAT and FMA are those of the instruction set. */
#define ZERO_2(r) VECTOR a##r = SPLAT(start[r]), b##r = a##r;
#define ZERO_3(r) ZERO_2(r) VECTOR c##r = a##r;
#define ZERO_4(r) ZERO_3(r) VECTOR d##r = a##r;
#define ADD_2(r)                                                                                   \
    const VECTOR w##r = SPLAT(weights[r]);                                                         \
    a##r = FMA(w##r, xa, a##r);                                                                    \
    b##r = FMA(w##r, xb, b##r);
#define ADD_3(r) ADD_2(r) c##r = FMA(w##r, xc, c##r);
#define ADD_4(r) ADD_3(r) d##r = FMA(w##r, xd, d##r);
#define KEEP_2(r)                                                                                  \
    STORE(out + r * stride, a##r);                                                                 \
    STORE(out + r * stride + LANES, b##r);
#define KEEP_3(r) KEEP_2(r) STORE(out + r * stride + 2 * LANES, c##r);
#define KEEP_4(r) KEEP_3(r) STORE(out + r * stride + 3 * LANES, d##r);
#define LOAD_2                                                                                     \
    const float *from = x + offset[k];                                                             \
    const VECTOR xa = LOAD(from), xb = LOAD(from + LANES);
#define LOAD_3 LOAD_2 const VECTOR xc = LOAD(from + 2 * LANES);
#define LOAD_4 LOAD_3 const VECTOR xd = LOAD(from + 3 * LANES);

#define DEFINE_TILE(name, target, n_rows, vectors)                                                 \
    target static void name(const float *x, const int64_t *offset, int64_t n,                      \
                            const float *weights, const float *start, float *out, int64_t stride)  \
    {                                                                                              \
        ROWS_##n_rows(ZERO_##vectors) for (int64_t k = 0; k < n; k++, weights += n_rows){          \
            LOAD_##vectors ROWS_##n_rows(ADD_##vectors)} ROWS_##n_rows(KEEP_##vectors)             \
    }

/* Whatever the compiler was told to use: four lanes everywhere. */
typedef float vector4 __attribute__((vector_size(16), aligned(4), may_alias));

#define PLAIN
#define VECTOR vector4
#define LANES 4
#define LOAD(from) (*(const vector4 *)(from))
#define STORE(to, value) (*(vector4 *)(to) = (value))
#define SPLAT(w) ((vector4){(w), (w), (w), (w)})
#define FMA(w, v, sum) ((w) * (v) + (sum))
DEFINE_TILE(tile_plain_4x2, PLAIN, 4, 2)
DEFINE_TILE(tile_plain_1x4, PLAIN, 1, 4)
#undef VECTOR
#undef LANES
#undef LOAD
#undef STORE
#undef SPLAT
#undef FMA

static const conv_tile plain_tiles[] = {{2, 4, 8, tile_plain_4x2}, {1, 1, 16, tile_plain_1x4}};

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma")))
#define VECTOR __m256
#define LANES 8
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define SPLAT _mm256_set1_ps
#define FMA _mm256_fmadd_ps
DEFINE_TILE(tile_avx2_4x3, AVX2, 4, 3)
DEFINE_TILE(tile_avx2_1x4, AVX2, 1, 4)
#undef VECTOR
#undef LANES
#undef LOAD
#undef STORE
#undef SPLAT
#undef FMA

static const conv_tile avx2_tiles[] = {{2, 4, 24, tile_avx2_4x3}, {1, 1, 32, tile_avx2_1x4}};

#define AVX512 __attribute__((target("avx512f")))
#define VECTOR __m512
#define LANES 16
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define SPLAT _mm512_set1_ps
#define FMA _mm512_fmadd_ps
DEFINE_TILE(tile_avx512_8x2, AVX512, 8, 2)
DEFINE_TILE(tile_avx512_4x4, AVX512, 4, 4)
DEFINE_TILE(tile_avx512_1x4, AVX512, 1, 4)

static const conv_tile avx512_tiles[] = {
    {6, 8, 32, tile_avx512_8x2}, {2, 4, 64, tile_avx512_4x4}, {1, 1, 64, tile_avx512_1x4}};
#endif

const conv_tile *conv_tiles(int level)
{
    if (level == 0) return plain_tiles;
#if defined(__x86_64__)
    if (level == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return avx2_tiles;
    if (level == 2 && __builtin_cpu_supports("avx512f")) return avx512_tiles;
#endif
    return NULL;
}

static const conv_tile *machine_tiles(void)
{
    int level = CONV_TILE_LEVELS - 1;
    while (conv_tiles(level) == NULL) level--;
    return conv_tiles(level);
}

const conv_tile *conv_tile_for(int64_t channels)
{
    const conv_tile *tile = machine_tiles();
    while (tile->least > channels) tile++;
    return tile;
}

int conv_tile_lanes(void)
{
    return conv_tile_for(1)->width / 4; /* a single row has four vectors */
}
