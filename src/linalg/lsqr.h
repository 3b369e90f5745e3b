/* Least-squares and least-norm solutions of sparse systems in f64. */
#ifndef COSET_LINALG_LSQR_H
#define COSET_LINALG_LSQR_H

#include "base/ctx.h"

/* A sparse (m, n) matrix by rows; borrowed. Entries of a row in any order; repeated ones add up. */
typedef struct sparse_rows {
    int64_t m, n;
    const int64_t *start;  /* [m + 1] */
    const int32_t *column; /* [start[m]] in [0, n) */
    const double *value;   /* [start[m]] */
} sparse_rows;

typedef struct lsqr_result {
    int64_t iterations; /* of all rounds */
    double residual;    /* |b - A x|_2, computed from x */
    double relative;    /* residual / |b|_2; 0 if b is 0 */
    double gradient; /* |A^T (b - A x)|_2 / (|A|_F residual), computed from x; 0 if that is 0 / 0 */
    bool converged;  /* false: the cap on iterations, 8 min(m, n) + 200, ended a round */
} lsqr_result;

/* The x of least norm among those of least |A x - b|_2.
 *   b      [m]; borrowed
 *   tolerance  0: to what f64 resolves, in several rounds, each for the residual that the last one left,
 *              so that small entries of x are not drowned by the rounding of large ones. > 0: one
 *              round, which ends at |b - A x| <= tolerance |b| or |A^T (b - A x)| <= tolerance |A|_F
 *              |b - A x|: directions in which A has singular values far below the tolerance, or b next
 *              to nothing, are left alone
 *   x_out  [n] written
 * An inconsistent system is no error: the residual stays and the gradient is small. Deterministic, one
 * thread.
 * Errors: COSET_ENUMERIC if an operand is not finite or |A|, |b| overflow; COSET_EMEMORY.
 * Cost: 2 entries of A each iteration; 16 bytes an entry, 40 a row and 56 a column. Connected components of
 * the matrix are solved one by one, and each iterates by the number of its distinct singular values
 * and their spread: scale the rows of a consistent system to one norm.
 * Source: LSQR, Paige and Saunders, ACM TOMS 8, 1982; the rounds are ordinary iterative refinement. */
COSET_MUST_USE coset_status lsqr_solve(coset_ctx *ctx, const sparse_rows *a, const double *b,
                                       double tolerance, double *x_out, lsqr_result *result_out);

/* y [m] += alpha A x. */
void sparse_times(const sparse_rows *a, double alpha, const double *x, double *y);

#endif
