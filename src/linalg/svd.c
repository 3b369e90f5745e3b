#include "linalg/svd.h"

#include <lapacke.h>
#include <math.h>

#include "linalg/blas.h"

coset_status svd_thin(coset_ctx *ctx, int64_t m, int64_t n, double *a, double *u, double *s,
                      double *vt)
{
    coset_status status = COSET_OK;
    int64_t k = m < n ? m : n;
    double *work = NULL, need = 0;
    lapack_int *iwork = NULL;
    if (m > INT32_MAX || n > INT32_MAX || m > INT64_MAX / 8 / n)
        FAIL(ctx, COSET_ELIMIT, "a matrix of %lld x %lld is too large to be decomposed",
             (long long)m, (long long)n);
    for (int64_t i = 0; i < m * n; i++)
        if (!isfinite(a[i])) FAIL(ctx, COSET_ENUMERIC, "a matrix to be decomposed is not finite");
    TRY(ctx_alloc(ctx, 8 * k, sizeof *iwork, &iwork));
    /* Rows of ours are LAPACK's columns: it sees A^T = V diag(s) U^T, and no copy is made. */
    const lapack_int rows = (lapack_int)n, columns = (lapack_int)m, thin = (lapack_int)k;
    int info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', rows, columns, a, rows, s, vt, rows, u,
                                   thin, &need, -1, iwork);
    if (info != 0 || !(need >= 1) || need > INT32_MAX)
        FAIL(ctx, COSET_ELIMIT, "a matrix of %lld x %lld is too large to be decomposed",
             (long long)m, (long long)n);
    TRY(ctx_alloc_raw(ctx, (int64_t)need, sizeof *work, &work));
    blas_threads_for(ctx, (double)m, (double)n, (double)k);
    info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', rows, columns, a, rows, s, vt, rows, u, thin,
                               work, (lapack_int)need, iwork);
    if (info != 0) FAIL(ctx, COSET_ENUMERIC, "a singular value decomposition did not converge");
done:
    ctx_free(ctx, work);
    ctx_free(ctx, iwork);
    return status;
}
