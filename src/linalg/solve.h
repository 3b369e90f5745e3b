/* Solves with symmetric positive (semi)definite matrices in f64, and the lift that is one. */
#ifndef COSET_LINALG_SOLVE_H
#define COSET_LINALG_SOLVE_H

#include "base/ctx.h"

/* X = (gram + ridge mean(diag gram) I)^-1 rhs.
 *   gram   (n, n) f64, symmetric positive semidefinite to rounding; lower triangle read; borrowed
 *   rhs    (n, m) f64; borrowed
 *   ridge  dimensionless, >= 0
 *   x_out  (n, m) f64, written on success; may be rhs itself
 * A matrix that is singular to rounding (a unit's variance that is left after all others is below
 * 1e-12 of itself) is no error: of the least-squares solutions the one with the least
 * sum_i diag_i x_i^2 is taken, the limit of a vanishing ridge on the matrix scaled to unit
 * diagonal; a row with zero diagonal gets x = 0.
 * Errors: COSET_EARGUMENT for a ridge that is negative or not finite; COSET_ELIMIT if n or m does
 * not fit 31 bits; COSET_EMEMORY; COSET_ENUMERIC if an operand or the answer is not finite, or if
 * gram shows itself indefinite (a negative diagonal element or pivot, an element over
 * Cauchy-Schwarz) by more than 1e-8 of its largest diagonal element: there is no minimum then.
 * Cost: n^3/3 + 2 n^2 m flops, up to 3 n^3 + 4 n^2 m if singular; n^2 + n m doubles, up to
 * 2 n^2 + 512 n more if singular.
 * Source: Cholesky of the matrix scaled to unit diagonal (van der Sluis 1969); if singular,
 * diagonal pivoting (LAPACK xPSTRF; Higham, "Accuracy and Stability of Numerical Algorithms",
 * 10.3). */
COSET_MUST_USE coset_status solve_ridge(coset_ctx *ctx, const double *gram, const double *rhs,
                                        int64_t n, int64_t m, double ridge, double *x_out);

/* Least-squares lift of a selection: h ~ L h[keep] + c, L = cov[:, keep] cov[keep, keep]^-1.
 *   cov    (n, n) f64, covariance of h; borrowed
 *   keep   (k) ascending unit indices, 1 <= k <= n; borrowed
 *   ridge  relative to mean diag(cov[keep, keep]), dimensionless, >= 0
 *   lift   (n, k) f64, written; rows of kept units are rows of the identity, exactly
 * Singular blocks (dead or dependent units among keep) as in solve_ridge.
 * Errors: COSET_ENUMERIC if cov[keep, keep] + ridge is not positive semidefinite, or not finite;
 * COSET_EARGUMENT for keep or ridge; COSET_ELIMIT, COSET_EMEMORY.
 * Cost:   k^3/3 + 2 n k^2 flops, k^2 doubles.       Source: METHODS.md section 1. */
COSET_MUST_USE coset_status lift_from_covariance(coset_ctx *ctx, const double *cov, int64_t n,
                                                 const int64_t *keep, int64_t k, double ridge,
                                                 double *lift);

#endif
