/* Singular values in f64. */
#ifndef COSET_LINALG_SVD_H
#define COSET_LINALG_SVD_H

#include "base/ctx.h"

/* Thin singular value decomposition A = U diag(s) V^T, k = min(m, n).
 *   a   (m, n) f64, m and n at least 1; overwritten
 *   u   (m, k), s (k) descending, vt (k, n); written
 * Errors: COSET_ENUMERIC if a is not finite, or for the rare matrix for which the iteration does not converge;
 * COSET_ELIMIT if a size or the workspace does not fit 31 bits; COSET_EMEMORY.
 * Cost: about 6 m n k + 20 k^3 flops; about 4 k^2 + 7 k doubles besides the operands.
 * Source: LAPACK DGESDD (divide and conquer). */
COSET_MUST_USE coset_status svd_thin(coset_ctx *ctx, int64_t m, int64_t n, double *a, double *u,
                                     double *s, double *vt);

#endif
