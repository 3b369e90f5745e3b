/* Intervals: lower and upper bounds of the elements of a value, with outward rounding. */
#ifndef COSET_METHODS_LINEARITY_INTERVAL_H
#define COSET_METHODS_LINEARITY_INTERVAL_H

#include "graph/tensor.h"

/* Bounds in f64 of an array, or of all samples of it: an axis along which they do not vary has size 1.
 * low <= high; infinite ones are unknown. */
typedef struct interval_array {
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    double *low, *high; /* one allocation, at low */
} interval_array;

/* More elements than this are not told apart: one interval holds all of them. */
#define INTERVAL_MAX_ELEMENTS ((int64_t)1 << 22)

/* An array of these sizes, to be written whole. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status interval_new(coset_ctx *ctx, int rank, const int64_t *dims,
                                         interval_array *made_out);
/* The same interval for every element. */
COSET_MUST_USE coset_status interval_same(coset_ctx *ctx, int rank, double low, double high,
                                          interval_array *made_out);
void interval_free(coset_ctx *ctx, interval_array *self);
int64_t interval_count(const interval_array *self);

/* The bounds of all elements together. */
void interval_hull(const interval_array *self, double *low_out, double *high_out);
/* Those of index i of an axis for all i in [0, n): low, high [n]. An array without the axis, or with another
 * size on it, gives every index the bounds of all elements. */
void interval_along(const interval_array *self, int axis, int64_t n, double *low, double *high);
/* The axes from `first` on are not told apart any more. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status interval_collapse(coset_ctx *ctx, const interval_array *self, int first,
                                              interval_array *made_out);
/* The array with every element of `dims` stored; all sizes of self are 1 or those of dims.
 * Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status interval_expand(coset_ctx *ctx, const interval_array *self, int rank,
                                            const int64_t *dims, interval_array *made_out);

/* The next f64 below / above the result of one operation; 0 is taken as exact, NaN as unknown. */
double round_down(double value);
double round_up(double value);

/* A function of two intervals; what it returns must enclose every result. */
typedef void (*interval_function)(const double *a, const double *b, double *low_out,
                                  double *high_out);
void interval_add(const double *a, const double *b, double *low_out, double *high_out);
void interval_subtract(const double *a, const double *b, double *low_out, double *high_out);
void interval_multiply(const double *a, const double *b, double *low_out, double *high_out);
void interval_divide(const double *a, const double *b, double *low_out, double *high_out);

/* Elementwise with broadcasting as NumPy. rank: of the result. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status interval_combine(coset_ctx *ctx, const interval_array *a,
                                             const interval_array *b, interval_function function,
                                             interval_array *made_out);

#endif
