/* Blocks of samples in f64: what both kinds of moments gather, centre and merge. */
#ifndef COSET_STATS_ROWS_H
#define COSET_STATS_ROWS_H

#include "stats/moments.h"

/* Samples [first, first + count) of a view -> rows (count, features). */
void rows_fill(const moments_view *view, int64_t first, int64_t count, double *rows_out);
/* Mean of rows (count >= 1, n) -> (n), by columns.
 * Errors: COSET_ENUMERIC naming sample first + row and the feature where a value is not finite. */
COSET_MUST_USE coset_status rows_mean(coset_ctx *ctx, const double *rows, int64_t count, int64_t n,
                                      int64_t first, double *mean_out);
/* rows -= mean */
void rows_centre(double *rows, int64_t count, int64_t n, const double *mean);
/* mean becomes the mean of `count` samples with mean `mean` and `added` samples with mean `mean_added`,
 * which becomes the difference of the two. count + added >= 1. */
void mean_merge(double *mean, int64_t count, double *mean_added, int64_t added, int64_t n);
/* Weight of the outer product of such differences in the merged scatter: count added / (count + added). */
double merge_weight(int64_t count, int64_t added);

#endif
