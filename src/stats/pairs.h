/* Pair moments: what two values of the same shape do together, feature by feature. */
#ifndef COSET_STATS_PAIRS_H
#define COSET_STATS_PAIRS_H

#include "stats/moments.h"

/* Of x and y with n features each; every element of a feature (place of an image) is a sample. Fields are valid after
 * pair_moments_finish. Sums are kept about a running mean, in blocks as in moments.h, so that nothing cancels. */
typedef struct pair_moments {
    int64_t n, count;
    double *mean_x, *mean_y; /* (n) */
    double *xx, *yy, *xy; /* (n) sums of (x - mean_x)^2, (y - mean_y)^2, (x - mean_x)(y - mean_y) */
    int64_t *positive;    /* (n) samples with x > 0 */
    double *rows_x, *rows_y; /* (MOMENTS_BLOCK, n) samples that are not folded in yet */
    double *work_x, *work_y; /* (n) */
    int64_t buffered;
} pair_moments;

COSET_MUST_USE coset_status pair_moments_new(coset_ctx *ctx, int64_t n, pair_moments **moments_out);
/* Errors: COSET_EARGUMENT for another number of features, or different numbers of samples; COSET_ENUMERIC naming
 * sample and feature where a value is not finite. Cost: a few n flops a sample. */
COSET_MUST_USE coset_status pair_moments_add(coset_ctx *ctx, pair_moments *self,
                                             const moments_view *x, const moments_view *y);
COSET_MUST_USE coset_status pair_moments_finish(coset_ctx *ctx, pair_moments *self);
/* self += other. Both finished. Errors: COSET_EARGUMENT. */
COSET_MUST_USE coset_status pair_moments_merge(coset_ctx *ctx, pair_moments *self,
                                               const pair_moments *other);
void pair_moments_free(coset_ctx *ctx, pair_moments *self); /* NULL is allowed */

#endif
