/* Least-squares polynomials of functions of one variable. */
#ifndef COSET_LINALG_CHEBYSHEV_H
#define COSET_LINALG_CHEBYSHEV_H

#include "base/ctx.h"

enum { CHEBYSHEV_MAX_DEGREE = 16 };

typedef double (*chebyshev_function)(const void *user, double x);

/* What is fitted where. */
typedef struct chebyshev_problem {
    chebyshev_function at;
    const void *user;
    double low, high;    /* finite, low < high */
    const double *kinks; /* [n_kinks] where the function is not smooth; NULL if n_kinks is 0 */
    int n_kinks;
} chebyshev_problem;

/* f(x) ~ sum_k powers[k] (x - centre)^k on [low, high]: the polynomial of least squares in the
 * Chebyshev weight, by discrete orthogonality at 1024 Chebyshev nodes.
 *   degree      in [0, CHEBYSHEV_MAX_DEGREE]
 *   powers_out  [degree + 1] written
 *   centre_out  the middle of the range
 *   error_out   largest |f - fit| found on a grid of 8192 points and the kinks, each large local
 *               maximum refined between its neighbours
 * Errors: COSET_EARGUMENT for degree or range; COSET_ENUMERIC naming a point where f, or the fit, is not
 * finite; COSET_EMEMORY. Cost: about 10^4 (degree + f).
 * Source: Trefethen, "Approximation Theory and Approximation Practice", 2013, chapters 3 and 4. */
COSET_MUST_USE coset_status chebyshev_fit(coset_ctx *ctx, const chebyshev_problem *problem,
                                          int degree, double *powers_out, double *centre_out,
                                          double *error_out);

/* sum_k powers[k] x^k, k = 0 .. degree, by Horner's rule. */
double polynomial_value(const double *powers, int degree, double x);

#endif
