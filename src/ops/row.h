/* Sums and extremes over contiguous floats, in lanes that vectorise. Nothing depends on threads. */
#ifndef COSET_OPS_ROW_H
#define COSET_OPS_ROW_H

#include <stdint.h>

/* Sum of x[0..n). */
double row_sum(const float *x, int64_t n);
/* Sum of (x - mean)^2 over x[0..n). */
double row_deviation(const float *x, double mean, int64_t n);
/* Largest of x[0..n): NaN if there is one, -Inf if n is 0. */
float row_max(const float *x, int64_t n);
/* y = (x - mean) * scale + shift over n elements, each worked out in f64 and rounded once. */
void row_normalise(const float *x, double mean, double scale, double shift, float *y, int64_t n);

#endif
