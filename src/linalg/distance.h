/* Distances between points: a condensed matrix, and rows of it on demand. */
#ifndef COSET_LINALG_DISTANCE_H
#define COSET_LINALG_DISTANCE_H

#include "linalg/cluster.h"

/* Place of the pair i < j of n points in a condensed matrix [n (n - 1) / 2]. */
static inline int64_t pair_at(int64_t n, int64_t i, int64_t j)
{
    return i * n - i * (i + 1) / 2 + j - i - 1;
}

/* Chosen rows of (stride, d) points: point i is row rows[i]. */
typedef struct point_set {
    const double *values;
    const int64_t *rows; /* [n]; NULL: all */
    int64_t n, d;
} point_set;

/* All distances; condensed_out [n (n - 1) / 2] written. L2 through inner products in blocks, and
 * again term by term where more than 3 of the 16 digits would cancel. Every pair is summed in one
 * thread in one order. Errors: COSET_EMEMORY. Cost: n^2 d flops. */
COSET_MUST_USE coset_status distance_pairs(coset_ctx *ctx, const point_set *points,
                                           cluster_metric metric, double *condensed_out);

/* Distances of point i to others[0..count); out [count] written. Cost: count d. */
void distance_row(const coset_ctx *ctx, const point_set *points, cluster_metric metric, int64_t i,
                  const int64_t *others, int64_t count, double *out);

#endif
