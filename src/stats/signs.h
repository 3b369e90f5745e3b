/* Sign counts: for every unit and every place, on how many samples it is positive. */
#ifndef COSET_STATS_SIGNS_H
#define COSET_STATS_SIGNS_H

#include "graph/tensor.h"

/* Of a value with n features; `places` are all other elements of one sample (height x width of an image, 1 for a
 * dense unit). A monoid: zero, add, merge. Memory: n places counters, whatever the number of samples. */
typedef struct sign_counts {
    int64_t n, places, count; /* features; elements per sample and feature; samples */
    int64_t *positive;        /* (n, places) samples with x > 0 */
} sign_counts;

/* Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status sign_counts_new(coset_ctx *ctx, int64_t n, int64_t places,
                                            sign_counts **counts_out);
/* Adds the samples [0, samples) of an array whose features lie along `axis` (< 0: from the end). Its elements are those of
 * whole samples in a row: axis 0 holds samples, and features only where all of it is one sample.
 * Errors: COSET_EARGUMENT for other sizes; COSET_EUNSUPPORTED if it does not hold floats. NaN counts as not positive.
 * Cost: one comparison an element. */
COSET_MUST_USE coset_status sign_counts_add(coset_ctx *ctx, sign_counts *self, const array *values,
                                            int axis, int64_t samples);
/* self += other. Errors: COSET_EARGUMENT for other sizes. */
COSET_MUST_USE coset_status sign_counts_merge(coset_ctx *ctx, sign_counts *self,
                                              const sign_counts *other);
/* Share of the pairs of samples that a feature tells apart (positive on one, not on the other), the mean over
 * its places: 2 k (N - k) / (N (N - 1)), in [0, N / (2 (N - 1))]; 0 for fewer than two samples.
 * Source: METHODS.md section 7, after Mellor et al., ICML 2021. Cost: one pass over its counters. */
double sign_counts_apart(const sign_counts *self, int64_t feature);
void sign_counts_free(coset_ctx *ctx, sign_counts *self); /* NULL is allowed */

#endif
