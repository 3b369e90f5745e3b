#include "linalg/distance.h"

#include <math.h>
#include <string.h>

#include "linalg/blas.h"

static const double *point_at(const point_set *self, int64_t i)
{
    return self->values + (self->rows ? self->rows[i] : i) * self->d;
}

/* sum |x - y| over d entries. */
static double sum_absolute(const double *x, const double *y, int64_t d)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < d; i++) sum += fabs(x[i] - y[i]);
    return sum;
}

static double sum_squares(const double *x, const double *y, int64_t d)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < d; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum;
}

static double distance(const point_set *points, cluster_metric metric, int64_t i, int64_t j)
{
    const double *x = point_at(points, i), *y = point_at(points, j);
    return metric == CLUSTER_L1 ? sum_absolute(x, y, points->d)
                                : sqrt(sum_squares(x, y, points->d));
}

void distance_row(const coset_ctx *ctx, const point_set *points, cluster_metric metric, int64_t i,
                  const int64_t *others, int64_t count, double *out)
{
    /* Threads are worth waking for about a millisecond of work. */
    int threads = count * points->d > 1 << 20 ? ctx->threads : 1;
    (void)threads;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t j = 0; j < count; j++) out[j] = distance(points, metric, i, others[j]);
}

/* Points in tiles, so that a pair of tiles stays in cache while all its pairs are summed. */
enum { TILE = 16, STRIP = 512 };

static void absolute_tile(const point_set *points, int64_t i0, int64_t j0, double *condensed)
{
    double sums[TILE][TILE] = {{0}};
    int64_t n = points->n, rows = n - i0 < TILE ? n - i0 : TILE,
            columns = n - j0 < TILE ? n - j0 : TILE;
    for (int64_t s = 0; s < points->d; s += STRIP) {
        int64_t length = points->d - s < STRIP ? points->d - s : STRIP;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                sums[i][j] += sum_absolute(point_at(points, i0 + i) + s,
                                           point_at(points, j0 + j) + s, length);
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            if (i0 + i < j0 + j) condensed[pair_at(n, i0 + i, j0 + j)] = sums[i][j];
}

static void absolute_pairs(const coset_ctx *ctx, const point_set *points, double *condensed)
{
    (void)ctx;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic)
    for (int64_t i0 = 0; i0 < points->n; i0 += TILE)
        for (int64_t j0 = i0; j0 < points->n; j0 += TILE) absolute_tile(points, i0, j0, condensed);
}

/* Cancellation of more than this share of |x|^2 + |y|^2 is summed again term by term. */
static const double CANCELLED = 1e-3;

static void copy_rows(const point_set *points, int64_t from, int64_t count, double *rows_out)
{
    for (int64_t i = 0; i < count; i++)
        memcpy(rows_out + i * points->d, point_at(points, from + i),
               (size_t)points->d * sizeof *rows_out);
}

/* Inner products (rows, columns) of points from i0 and from j0 on become distances. */
static void finish_block(const coset_ctx *ctx, const point_set *points, const double *squares,
                         const double *inner, int64_t i0, int64_t rows, int64_t j0, int64_t columns,
                         double *condensed)
{
    (void)ctx;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic)
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            if (i0 + i >= j0 + j) continue;
            double both = squares[i0 + i] + squares[j0 + j],
                   square = both - 2 * inner[i * columns + j];
            /* Written so that an overflow takes the second way, too. */
            condensed[pair_at(points->n, i0 + i, j0 + j)] =
                square > CANCELLED * both && isfinite(square)
                    ? sqrt(square)
                    : distance(points, CLUSTER_L2, i0 + i, j0 + j);
        }
    }
}

static coset_status euclidean_pairs(coset_ctx *ctx, const point_set *points, double *condensed)
{
    enum { BLOCK = 256 };
    coset_status status = COSET_OK;
    int64_t n = points->n, d = points->d, block = n < BLOCK ? n : BLOCK;
    double *x = NULL, *y = NULL, *inner = NULL, *squares = NULL;
    TRY(ctx_alloc_raw(ctx, block * d, sizeof *x, &x));
    TRY(ctx_alloc_raw(ctx, block * d, sizeof *y, &y));
    TRY(ctx_alloc_raw(ctx, block * block, sizeof *inner, &inner));
    TRY(ctx_alloc_raw(ctx, n, sizeof *squares, &squares));
    for (int64_t i = 0; i < n; i++) {
        const double *row = point_at(points, i);
        squares[i] = 0;
        for (int64_t s = 0; s < d; s++) squares[i] += row[s] * row[s];
    }
    for (int64_t i0 = 0; i0 < n; i0 += BLOCK) {
        int64_t rows = n - i0 < BLOCK ? n - i0 : BLOCK;
        copy_rows(points, i0, rows, x);
        for (int64_t j0 = i0; j0 < n; j0 += BLOCK) {
            int64_t columns = n - j0 < BLOCK ? n - j0 : BLOCK;
            copy_rows(points, j0, columns, y);
            gemm_f64(ctx, false, true, rows, columns, d, 1, x, d, y, d, 0, inner, columns);
            finish_block(ctx, points, squares, inner, i0, rows, j0, columns, condensed);
        }
    }
done:
    ctx_free(ctx, x);
    ctx_free(ctx, y);
    ctx_free(ctx, inner);
    ctx_free(ctx, squares);
    return status;
}

coset_status distance_pairs(coset_ctx *ctx, const point_set *points, cluster_metric metric,
                            double *condensed_out)
{
    enum { SHORT = 32 }; /* dimensions for which the product saves nothing */
    if (metric == CLUSTER_L2 && points->d > SHORT)
        return euclidean_pairs(ctx, points, condensed_out);
    if (metric == CLUSTER_L1) {
        absolute_pairs(ctx, points, condensed_out);
        return COSET_OK;
    }
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic)
    for (int64_t i = 0; i < points->n; i++)
        for (int64_t j = i + 1; j < points->n; j++)
            condensed_out[pair_at(points->n, i, j)] = distance(points, CLUSTER_L2, i, j);
    return COSET_OK;
}
