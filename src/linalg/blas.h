/* Dense products: OpenBLAS behind our names, row-major, sizes in int64_t. */
#ifndef COSET_LINALG_BLAS_H
#define COSET_LINALG_BLAS_H

#include "base/ctx.h"

/* OpenBLAS aborts the process when it cannot get its packing buffers. They are mapped once per
 * thread and kept, so a first small product early in a process makes later ones safe. None of these
 * functions allocates through the context, and none can fail.
 * Results depend on the context's number of threads, and on nothing else that varies between runs.
 * Matrices must not overlap. Where a size is 0 the other operands may be NULL. */

/* C = alpha op(A) op(B) + beta C, op(X) = X or X^T.
 *   a  op(A) is (m, k): stored [m, lda >= k], or [k, lda >= m] if trans_a
 *   b  op(B) is (k, n): stored [k, ldb >= n], or [n, ldb >= k] if trans_b
 *   c  [m, ldc >= n]; written without being read if beta is 0
 * k = 0 or alpha = 0 leaves beta C.
 *   ctx  NULL: with the number of threads that is set; for several products at once, each in a thread of
 *        the caller's between blas_serial and blas_threads
 * Cost: 2 m n k flops; products of less than about a thousand steps run as plain loops, vectors as
 * GEMV. Source: BLAS level 3, xGEMM. */
void gemm_f32(coset_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
              float alpha, const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
              float *c, int64_t ldc);
void gemm_f64(coset_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
              double alpha, const double *a, int64_t lda, const double *b, int64_t ldb, double beta,
              double *c, int64_t ldc);

/* Symmetric rank-k update C = alpha A A^T + beta C, or alpha A^T A + beta C if trans.
 *   a     [n, lda >= k], or [k, lda >= n] if trans
 *   c     [n, ldc >= n]; only the lower triangle (row >= column) is read and written
 *   full  also copies the lower triangle to the upper one
 * Cost: n^2 k flops. Source: BLAS level 3, DSYRK. */
void syrk_f64(coset_ctx *ctx, bool trans, int64_t n, int64_t k, double alpha, const double *a,
              int64_t lda, double beta, double *c, int64_t ldc, bool full);

/* Copies the lower triangle of c [n, ldc] to the upper one. */
void symmetric_mirror(int64_t n, double *c, int64_t ldc);

/* Gives OpenBLAS the context's thread count; for the other files of this folder that call it. */
void blas_threads(const coset_ctx *ctx);
/* The same for work of m n k steps: one thread where that is so little that waking others costs more. */
void blas_threads_for(const coset_ctx *ctx, double m, double n, double k);
/* Gives it one thread, until the next blas_threads, which must follow in the same function:
 * OpenMP's own count is lowered with it. For runs of small memory-bound calls, where waking threads
 * costs more than they bring, and for products in OpenMP threads of the caller's own. */
void blas_serial(void);

#endif
