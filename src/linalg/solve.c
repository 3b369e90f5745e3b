#include "linalg/solve.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#include "linalg/blas.h"

/* Left-over variance, relative to a unit's own, below which it depends on the others: moments are
 * sums of f32 products, good to about 1e-13 after accumulation in f64. */
static const double DEPENDENT = 1e-12;
/* Negative curvature up to this share of the largest diagonal element passes for rounding. */
static const double INDEFINITE = 1e-8;

/* A scaled factorisation: S A S = F F^T with S = diag(scale), F the lower triangle of l with rows
 * in the order of pivot (rank < n: trapezoid, and inner = Cholesky factor of F^T F). */
typedef struct factor {
    int64_t n, rank;
    double *l;         /* (n, n) row-major */
    double *scale;     /* (n) 1/sqrt(diag), 0 for rows without variance */
    lapack_int *pivot; /* (n) 1-based; NULL: identity */
    double *inner;     /* (rank, rank); NULL if pivot is NULL or rank is 0 */
    double slack;      /* absolute */
} factor;

static void factor_free(coset_ctx *ctx, factor *self)
{
    ctx_free(ctx, self->l);
    ctx_free(ctx, self->scale);
    ctx_free(ctx, self->pivot);
    ctx_free(ctx, self->inner);
}

static bool all_finite(const double *values, int64_t rows, int64_t columns, int64_t stride)
{
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0; /* x - x is 0, or NaN for Inf and NaN */
        for (int64_t j = 0; j < columns; j++)
            sum += values[i * stride + j] - values[i * stride + j];
        if (sum != 0) return false;
    }
    return true;
}

static coset_status not_semidefinite(coset_ctx *ctx)
{
    return ctx_fail(ctx, COSET_ENUMERIC, "a moment matrix is not positive semidefinite");
}

/* l (n, n; lower triangle: A without ridge) becomes the lower triangle of S (A + ridge) S. */
static coset_status equilibrate(coset_ctx *ctx, factor *self, double ridge)
{
    int64_t n = self->n;
    double *l = self->l, *scale = self->scale, largest = 0, mean = 0;
    for (int64_t i = 0; i < n; i++) mean += l[i * n + i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        l[i * n + i] += ridge * (mean > 0 ? mean : 0);
        if (!isfinite(l[i * n + i])) return ctx_fail(ctx, COSET_ENUMERIC, "a ridge overflows");
        if (fabs(l[i * n + i]) > largest) largest = fabs(l[i * n + i]);
    }
    double slack = self->slack = INDEFINITE * largest;
    for (int64_t i = 0; i < n; i++) {
        if (l[i * n + i] < -slack) return not_semidefinite(ctx);
        scale[i] = l[i * n + i] > 0 ? 1 / sqrt(l[i * n + i]) : 0;
    }
    for (int64_t i = 0; i < n; i++) {
        double own = fmax(l[i * n + i], 0);
        for (int64_t j = 0; j < i; j++) {
            double value = l[i * n + j];
            /* Cauchy-Schwarz; l[j, j] is scaled already, its root is 1 / scale. */
            double other = scale[j] > 0 ? 1 / scale[j] : 0;
            if (fabs(value) > sqrt(own + slack) * (other + sqrt(slack)))
                return not_semidefinite(ctx);
            l[i * n + j] = fmin(1, fmax(-1, value * scale[i] * scale[j]));
        }
        l[i * n + i] = scale[i] > 0 ? 1 : 0;
    }
    return COSET_OK;
}

/* Cholesky in place of the lower triangle; false if it is not positive definite. */
static bool cholesky_lapack(int64_t n, double *l)
{
    /* The lower triangle in rows is LAPACK's upper triangle in columns: no copy is made. */
    return LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, l, (lapack_int)n) == 0;
}

/* The same; false also if a pivot is not above DEPENDENT. */
static bool cholesky(int64_t n, double *l)
{
    if (!cholesky_lapack(n, l)) return false;
    for (int64_t i = 0; i < n; i++)
        if (!(l[i * n + i] * l[i * n + i] > DEPENDENT)) return false;
    return true;
}

/* Pivoted factor of `scaled`, S A S (n, n; lower triangle). */
static coset_status factor_pivoted(coset_ctx *ctx, factor *self, const double *scaled)
{
    coset_status status = COSET_OK;
    int64_t n = self->n;
    double *work = NULL;
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->pivot, &self->pivot));
    TRY(ctx_alloc_raw(ctx, 2 * n, sizeof *work, &work));
    /* A rank that leaves F^T F singular to rounding is lowered; rank 0 ends the loop at last. */
    for (double tolerance = DEPENDENT;; tolerance *= 100) {
        memcpy(self->l, scaled, (size_t)(n * n) * sizeof *self->l);
        lapack_int rank = 0;
        int info = LAPACKE_dpstrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, self->l, (lapack_int)n,
                                       self->pivot, &rank, tolerance, work);
        if (info < 0) FAIL(ctx, COSET_ENUMERIC, "a pivoted factorisation failed");
        int64_t r = self->rank = rank;
        if (r == 0) break;
        for (int64_t i = 0; i < r; i++)
            for (int64_t j = i + 1; j < r; j++) self->l[i * n + j] = 0;
        ctx_free(ctx, self->inner);
        self->inner = NULL;
        TRY(ctx_alloc_raw(ctx, r * r, sizeof *self->inner, &self->inner));
        syrk_f64(ctx, true, r, n, 1, self->l, n, 0, self->inner, r, false);
        if (cholesky_lapack(r, self->inner)) break;
    }
    for (int64_t i = self->rank; i < n; i++) {
        int64_t unit = self->pivot[i] - 1;
        double left = scaled[unit * n + unit];
        for (int64_t j = 0; j < self->rank; j++) left -= self->l[i * n + j] * self->l[i * n + j];
        double root = self->scale[unit];
        if (root > 0 && left / root / root < -self->slack) TRY(not_semidefinite(ctx));
    }
done:
    ctx_free(ctx, work);
    return status;
}

/* Factors the matrix whose lower triangle self->l holds, plus ridge; takes over self->l on success
 * and on failure (factor_free). */
static coset_status factor_make(coset_ctx *ctx, double ridge, factor *self)
{
    coset_status status = COSET_OK;
    double *scaled = NULL;
    int64_t n = self->n;
    blas_threads_for(ctx, (double)n, (double)n, (double)n / 3);
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->scale, &self->scale));
    TRY(equilibrate(ctx, self, ridge));
    /* Cholesky works in the lower triangle with the diagonal: the upper one keeps the matrix. */
    symmetric_mirror(n, self->l, n);
    self->rank = n;
    if (cholesky(n, self->l)) goto done;
    TRY(ctx_alloc_raw(ctx, n * n, sizeof *scaled, &scaled));
    for (int64_t i = 0; i < n; i++) {
        scaled[i * n + i] = self->scale[i] > 0 ? 1 : 0;
        for (int64_t j = 0; j < i; j++) scaled[i * n + j] = self->l[j * n + i];
    }
    TRY(factor_pivoted(ctx, self, scaled));
done:
    ctx_free(ctx, scaled);
    return status;
}

/* rows (m, n) <- rows (L L^T)^-1, L the lower triangle of l (n, stride). */
static void rows_divide(int64_t m, int64_t n, const double *l, int64_t stride, double *rows,
                        int64_t rows_stride)
{
    static const CBLAS_TRANSPOSE order[] = {CblasTrans, CblasNoTrans};
    for (int i = 0; i < 2; i++)
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, order[i], CblasNonUnit, (int)m, (int)n,
                    1, l, (int)stride, rows, (int)rows_stride);
}

/* The same with the pivoted factor: rows P F M^-2 F^T P^T, M = F^T F, the pseudoinverse of F F^T.
 *   permuted  (m, n), divided  (m, rank): scratch */
static void rows_divide_pivoted(coset_ctx *ctx, const factor *self, int64_t m, double *rows,
                                double *permuted, double *divided)
{
    int64_t n = self->n, r = self->rank;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) permuted[i * n + j] = rows[i * n + self->pivot[j] - 1];
    gemm_f64(ctx, false, false, m, r, n, 1, permuted, n, self->l, n, 0, divided, r);
    if (r > 0) rows_divide(m, r, self->inner, r, divided, r);
    if (r > 0) rows_divide(m, r, self->inner, r, divided, r);
    gemm_f64(ctx, false, true, m, n, r, 1, divided, r, self->l, n, 0, permuted, n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) rows[i * n + self->pivot[j] - 1] = permuted[i * n + j];
}

static void rows_scale(const factor *self, int64_t m, double *rows)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < self->n; j++) rows[i * self->n + j] *= self->scale[j];
}

/* rows (m, n) <- rows A^-1. */
static coset_status factor_divide(coset_ctx *ctx, const factor *self, int64_t m, double *rows)
{
    enum { BLOCK = 256 }; /* rows for which scratch is allocated */
    coset_status status = COSET_OK;
    int64_t n = self->n, block = m < BLOCK ? m : BLOCK;
    double *permuted = NULL, *divided = NULL;
    rows_scale(self, m, rows);
    if (self->pivot == NULL) {
        blas_threads_for(ctx, (double)n, (double)n, (double)m);
        rows_divide(m, n, self->l, n, rows, n);
    } else {
        TRY(ctx_alloc_raw(ctx, block * n, sizeof *permuted, &permuted));
        TRY(ctx_alloc_raw(ctx, block * self->rank, sizeof *divided, &divided));
        for (int64_t i = 0; i < m; i += BLOCK)
            rows_divide_pivoted(ctx, self, m - i < BLOCK ? m - i : BLOCK, rows + i * n, permuted,
                                divided);
    }
    rows_scale(self, m, rows);
    if (!all_finite(rows, m, n, n))
        FAIL(ctx, COSET_ENUMERIC, "a linear system has no finite solution");
done:
    ctx_free(ctx, permuted);
    ctx_free(ctx, divided);
    return status;
}

static coset_status check_system(coset_ctx *ctx, int64_t n, int64_t m, double ridge)
{
    if (n < 0 || m < 0 || n > INT32_MAX || m > INT32_MAX)
        return ctx_fail(ctx, COSET_ELIMIT, "a linear system of %lld x %lld is too large",
                        (long long)n, (long long)m);
    if (!(ridge >= 0) || isinf(ridge))
        return ctx_fail(ctx, COSET_EARGUMENT, "the ridge must be a number >= 0, not %g", ridge);
    return COSET_OK;
}

static void transpose(int64_t rows, int64_t columns, const double *from, double *to)
{
    enum { TILE = 32 };
    for (int64_t i0 = 0; i0 < rows; i0 += TILE)
        for (int64_t j0 = 0; j0 < columns; j0 += TILE)
            for (int64_t i = i0; i < rows && i < i0 + TILE; i++)
                for (int64_t j = j0; j < columns && j < j0 + TILE; j++)
                    to[j * rows + i] = from[i * columns + j];
}

coset_status solve_ridge(coset_ctx *ctx, const double *gram, const double *rhs, int64_t n,
                         int64_t m, double ridge, double *x_out)
{
    coset_status status = COSET_OK;
    factor system = {.n = n};
    double *rows = NULL;
    TRY(check_system(ctx, n, m, ridge));
    if (n == 0 || m == 0) goto done;
    if (!all_finite(rhs, n, m, m))
        FAIL(ctx, COSET_ENUMERIC, "NaN or Inf on the right of a linear system");
    TRY(ctx_alloc_raw(ctx, n * n, sizeof *system.l, &system.l));
    for (int64_t i = 0; i < n; i++) {
        if (!all_finite(gram + i * n, 1, i + 1, n))
            FAIL(ctx, COSET_ENUMERIC, "NaN or Inf in a moment matrix");
        memcpy(system.l + i * n, gram + i * n, (size_t)(i + 1) * sizeof *gram);
    }
    TRY(factor_make(ctx, ridge, &system));
    TRY(ctx_alloc_raw(ctx, n * m, sizeof *rows, &rows));
    transpose(n, m, rhs, rows);
    TRY(factor_divide(ctx, &system, m, rows));
    transpose(m, n, rows, x_out);
done:
    factor_free(ctx, &system);
    ctx_free(ctx, rows);
    return status;
}

coset_status lift_from_covariance(coset_ctx *ctx, const double *cov, int64_t n, const int64_t *keep,
                                  int64_t k, double ridge, double *lift)
{
    coset_status status = COSET_OK;
    factor block = {.n = k};
    TRY(check_system(ctx, k, n, ridge));
    if (k < 1 || k > n)
        FAIL(ctx, COSET_EARGUMENT, "a selection keeps %lld of %lld units", (long long)k,
             (long long)n);
    for (int64_t i = 0; i < k; i++)
        if (keep[i] < 0 || keep[i] >= n || (i > 0 && keep[i] <= keep[i - 1]))
            FAIL(ctx, COSET_EARGUMENT, "kept units must be ascending indices below %lld",
                 (long long)n);
    TRY(ctx_alloc_raw(ctx, k * k, sizeof *block.l, &block.l));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++) lift[i * k + j] = cov[i * n + keep[j]];
    if (!all_finite(lift, n, k, k)) FAIL(ctx, COSET_ENUMERIC, "NaN or Inf in a moment matrix");
    for (int64_t i = 0; i < k; i++)
        memcpy(block.l + i * k, lift + keep[i] * k, (size_t)k * sizeof *lift);
    TRY(factor_make(ctx, ridge, &block));
    TRY(factor_divide(ctx, &block, n, lift));
    for (int64_t i = 0; i < k; i++) {
        memset(lift + keep[i] * k, 0, (size_t)k * sizeof *lift);
        lift[keep[i] * k + i] = 1;
    }
done:
    factor_free(ctx, &block);
    return status;
}
