#include "ops/row.h"

#include <math.h>

enum { LANES = 8 };

double row_sum(const float *x, int64_t n)
{
    double lanes[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lanes[l] += (double)x[i + l];
    for (; i < n; i++) sum += (double)x[i];
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

double row_deviation(const float *x, double mean, int64_t n)
{
    double lanes[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            const double d = (double)x[i + l] - mean;
            lanes[l] += d * d;
        }
    for (; i < n; i++) sum += ((double)x[i] - mean) * ((double)x[i] - mean);
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

/* Once there is a NaN nothing compares greater than it. Both comparisons are made always: that vectorises. */
static inline float larger(float top, float x)
{
    return ((x > top) | (x != x)) ? x : top;
}

float row_max(const float *x, int64_t n)
{
    float lanes[LANES], top = -INFINITY;
    int64_t i = 0;
    for (int l = 0; l < LANES; l++) lanes[l] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lanes[l] = larger(lanes[l], x[i + l]);
    for (; i < n; i++) top = larger(top, x[i]);
    for (int l = 0; l < LANES; l++) top = larger(top, lanes[l]);
    return top;
}

void row_normalise(const float *x, double mean, double scale, double shift, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = (float)(((double)x[i] - mean) * scale + shift);
}
