/* Moments of activations: accumulators that start at zero, take samples in batches, and merge.
 *
 * Samples are gathered into blocks of MOMENTS_BLOCK rows in f64; a full block is centred on its own
 * mean and merged. So nothing cancels where the mean is large against the deviation, and the result
 * is the same to the bit however the same rows were cut into calls of *_add (with the same number of
 * threads). Merging accumulators agrees with accumulating all rows in one up to rounding; the same
 * parts merged in the same order give the same bits.
 * Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
 * variances", 1979. */
#ifndef COSET_STATS_MOMENTS_H
#define COSET_STATS_MOMENTS_H

#include "graph/tensor.h"

enum { MOMENTS_BLOCK = 256 };

/* A function of one value, such as an activation's slope as a function of its result. */
typedef float (*moments_map)(float value, float parameter);

/* A tensor seen as samples x features: element (o, j, i) of [outer, features, inner] is feature j of
 * sample o * inner + i. Values are borrowed.
 * With an index, features are units that lie at `repeats` places of an axis of `width` each: element
 * (o, index[j * repeats + p], i) of [outer, width, inner] is unit j of sample (o * inner + i) * repeats + p. */
typedef struct moments_view {
    const float *values;
    int64_t outer, features, inner;
    const int64_t *index;   /* [features, repeats]; NULL: none */
    int64_t repeats, width; /* of the index */
    moments_map map;        /* applied to every value first; NULL: none */
    float parameter;        /* of map */
} moments_view;

/* The view of an array whose features lie along `axis` (negative: from the end); every other axis
 * counts as samples, so that [N, C, H, W] over axis 1 has N H W samples of C features.
 * Errors: COSET_EARGUMENT for an axis that the array does not have; COSET_EUNSUPPORTED if it does
 * not hold floats. */
COSET_MUST_USE coset_status moments_view_of(coset_ctx *ctx, const array *values, int axis,
                                            moments_view *view_out);
int64_t moments_view_samples(const moments_view *self);

/* Of one value with n features. Fields are valid after moments_finish. */
typedef struct moments {
    int64_t n, count;   /* features; samples */
    double *mean;       /* (n) */
    double *scatter;    /* (n) sum of (x - mean)^2 */
    double *sum_square; /* (n) sum of x^2 */
    double *sum_abs;    /* (n) sum of |x| */
    int64_t *positive;  /* (n) samples with x > 0 */
    double *second;     /* (n, n) sum of (x - mean)(x - mean)^T, symmetric; NULL: not collected */
    double *rows;       /* (MOMENTS_BLOCK, n) samples that are not folded in yet */
    double *work;       /* (n) */
    int64_t buffered;
} moments;

/* An accumulator at zero. second: whether to collect the matrix, too.
 * Errors: COSET_EMEMORY. Memory: n^2 + 261 n doubles. */
COSET_MUST_USE coset_status moments_new(coset_ctx *ctx, int64_t n, bool second,
                                        moments **moments_out);
/* Adds the samples of a view with n features.
 * Errors: COSET_EARGUMENT for another number of features; COSET_ENUMERIC naming sample and feature
 * where a value is NaN or Inf (the accumulator is of no use then).
 * Cost: n^2 flops a sample with `second`, else a few n. */
COSET_MUST_USE coset_status moments_add(coset_ctx *ctx, moments *self, const moments_view *view);
/* Folds in what is buffered. More may be added afterwards. Errors: COSET_ENUMERIC. */
COSET_MUST_USE coset_status moments_finish(coset_ctx *ctx, moments *self);
/* self += other. Both finished, with the same n and kinds. Errors: COSET_EARGUMENT. */
COSET_MUST_USE coset_status moments_merge(coset_ctx *ctx, moments *self, const moments *other);
/* Covariance E (x - mean)(x - mean)^T, the mean over samples: (n, n) written; zeros if there are no
 * samples. `second` was collected. */
void moments_covariance(const moments *self, double *covariance_out);
void moments_free(coset_ctx *ctx, moments *self); /* NULL is allowed */

/* Of two values x (n features) and y (m) of the same samples. Valid after cross_moments_finish. */
typedef struct cross_moments {
    int64_t n, m, count;
    double *mean_x;          /* (n) */
    double *mean_y;          /* (m) */
    double *second;          /* (n, m) sum of (x - mean_x)(y - mean_y)^T */
    double *rows_x, *rows_y; /* (MOMENTS_BLOCK, n), (MOMENTS_BLOCK, m) */
    double *work_x, *work_y; /* (n), (m) */
    int64_t buffered;
} cross_moments;

COSET_MUST_USE coset_status cross_moments_new(coset_ctx *ctx, int64_t n, int64_t m,
                                              cross_moments **moments_out);
/* Errors: COSET_EARGUMENT for another number of features, or different numbers of samples;
 * COSET_ENUMERIC. Cost: 2 n m flops a sample. */
COSET_MUST_USE coset_status cross_moments_add(coset_ctx *ctx, cross_moments *self,
                                              const moments_view *x, const moments_view *y);
COSET_MUST_USE coset_status cross_moments_finish(coset_ctx *ctx, cross_moments *self);
COSET_MUST_USE coset_status cross_moments_merge(coset_ctx *ctx, cross_moments *self,
                                                const cross_moments *other);
/* E (x - mean_x)(y - mean_y)^T: (n, m) written; zeros if there are no samples. */
void cross_moments_covariance(const cross_moments *self, double *covariance_out);
void cross_moments_free(coset_ctx *ctx, cross_moments *self);

#endif
