#include "linalg/blas.h"

#include <cblas.h>

/* BLAS integers have 32 bits: longer sizes are cut into pieces of this length. */
enum { BLAS_CHUNK = 1 << 30 };
/* Below this many steps calling OpenBLAS costs more than the product itself. */
enum { PLAIN_STEPS = 1024 };
/* Below this many steps (about a millisecond) one thread is as fast, and does not stall where other
 * programs share the cores: a parallel region waits for its slowest thread. */
#define THREADED_STEPS 3e7

static void set_threads(int threads)
{
    /* OpenMP keeps its own count per thread, OpenBLAS one per process: both must be ours. */
    static _Thread_local int set_here = 0;
    if (set_here == threads && openblas_get_num_threads() == threads) return;
    openblas_set_num_threads(threads);
    set_here = threads;
}

void blas_threads(const coset_ctx *ctx)
{
    set_threads(ctx->threads);
}

void blas_threads_for(const coset_ctx *ctx, double m, double n, double k)
{
    set_threads(m * n * k < THREADED_STEPS ? 1 : ctx->threads);
}

void blas_serial(void)
{
    if (openblas_get_num_threads() != 1) openblas_set_num_threads(1);
}

static bool fits(int64_t size)
{
    return size <= INT32_MAX;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* True if m n k <= PLAIN_STEPS, for sizes of which the product may overflow. */
static bool tiny(int64_t m, int64_t n, int64_t k)
{
    return m <= PLAIN_STEPS && n <= PLAIN_STEPS && k <= PLAIN_STEPS && m * n * k <= PLAIN_STEPS;
}

static CBLAS_TRANSPOSE op(bool trans)
{
    return trans ? CblasTrans : CblasNoTrans;
}

/* One text for both element types: plain is the definition, blas calls the library on sizes that
 * fit its integers, and gemm splits what does not. */
#define DEFINE_GEMM(type, suffix, gemm_call, gemv_call)                                            \
    static void scale_##suffix(int64_t m, int64_t n, type beta, type *c, int64_t ldc)              \
    {                                                                                              \
        for (int64_t i = 0; i < m; i++)                                                            \
            for (int64_t j = 0; j < n; j++)                                                        \
                c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];                            \
    }                                                                                              \
                                                                                                   \
    static void plain_##suffix(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,        \
                               type alpha, const type *a, int64_t lda, const type *b, int64_t ldb, \
                               type beta, type *c, int64_t ldc)                                    \
    {                                                                                              \
        int64_t a_row = trans_a ? 1 : lda, a_step = trans_a ? lda : 1;                             \
        int64_t b_step = trans_b ? 1 : ldb, b_column = trans_b ? ldb : 1;                          \
        for (int64_t i = 0; i < m; i++) {                                                          \
            for (int64_t j = 0; j < n; j++) {                                                      \
                double sum = 0;                                                                    \
                for (int64_t s = 0; s < k; s++)                                                    \
                    sum +=                                                                         \
                        (double)a[i * a_row + s * a_step] * (double)b[s * b_step + j * b_column];  \
                type product = alpha * (type)sum;                                                  \
                type *to = &c[i * ldc + j];                                                        \
                *to = beta == 0 ? product : product + beta * *to;                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    static void blas_##suffix(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,         \
                              type alpha, const type *a, int64_t lda, const type *b, int64_t ldb,  \
                              type beta, type *c, int64_t ldc)                                     \
    {                                                                                              \
        if (n == 1) {                                                                              \
            gemv_call(CblasRowMajor, op(trans_a), (int)(trans_a ? k : m), (int)(trans_a ? m : k),  \
                      alpha, a, (int)lda, b, trans_b ? 1 : (int)ldb, beta, c, (int)ldc);           \
        } else if (m == 1) {                                                                       \
            /* c^T = op(B)^T a^T */                                                                \
            gemv_call(CblasRowMajor, op(!trans_b), (int)(trans_b ? n : k), (int)(trans_b ? k : n), \
                      alpha, b, (int)ldb, a, trans_a ? (int)lda : 1, beta, c, 1);                  \
        } else {                                                                                   \
            gemm_call(CblasRowMajor, op(trans_a), op(trans_b), (int)m, (int)n, (int)k, alpha, a,   \
                      (int)lda, b, (int)ldb, beta, c, (int)ldc);                                   \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    void gemm_##suffix(coset_ctx *ctx, bool trans_a, bool trans_b, int64_t m, int64_t n,           \
                       int64_t k, type alpha, const type *a, int64_t lda, const type *b,           \
                       int64_t ldb, type beta, type *c, int64_t ldc)                               \
    {                                                                                              \
        if (m <= 0 || n <= 0) return;                                                              \
        if (k <= 0 || alpha == 0) {                                                                \
            scale_##suffix(m, n, beta, c, ldc);                                                    \
            return;                                                                                \
        }                                                                                          \
        if (tiny(m, n, k) || !fits(lda) || !fits(ldb) || !fits(ldc)) {                             \
            plain_##suffix(trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);        \
            return;                                                                                \
        }                                                                                          \
        if (ctx != NULL) blas_threads_for(ctx, (double)m, (double)n, (double)k);                   \
        /* BLAS defines beta = 0 as overwriting; some kernels multiply all the same. */            \
        if (beta == 0 && (m == 1 || n == 1)) scale_##suffix(m, n, 0, c, ldc);                      \
        for (int64_t i = 0; i < m; i += BLAS_CHUNK) {                                              \
            for (int64_t j = 0; j < n; j += BLAS_CHUNK) {                                          \
                for (int64_t s = 0; s < k; s += BLAS_CHUNK) {                                      \
                    blas_##suffix(trans_a, trans_b, smaller(m - i, BLAS_CHUNK),                    \
                                  smaller(n - j, BLAS_CHUNK), smaller(k - s, BLAS_CHUNK), alpha,   \
                                  a + (trans_a ? s * lda + i : i * lda + s), lda,                  \
                                  b + (trans_b ? j * ldb + s : s * ldb + j), ldb,                  \
                                  s == 0 ? beta : 1, c + i * ldc + j, ldc);                        \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_GEMM(float, f32, cblas_sgemm, cblas_sgemv)
DEFINE_GEMM(double, f64, cblas_dgemm, cblas_dgemv)

void symmetric_mirror(int64_t n, double *c, int64_t ldc)
{
    enum { TILE = 32 }; /* both triangles stay in cache */
    for (int64_t i0 = 0; i0 < n; i0 += TILE)
        for (int64_t j0 = 0; j0 <= i0; j0 += TILE)
            for (int64_t i = i0; i < smaller(i0 + TILE, n); i++)
                for (int64_t j = j0; j < smaller(j0 + TILE, i); j++)
                    c[j * ldc + i] = c[i * ldc + j];
}

static void syrk_plain(bool trans, int64_t n, int64_t k, double alpha, const double *a, int64_t lda,
                       double beta, double *c, int64_t ldc)
{
    for (int64_t i = 0; i < n; i++)
        plain_f64(trans, !trans, 1, i + 1, k, alpha, a + (trans ? i : i * lda), lda, a, lda, beta,
                  c + i * ldc, ldc);
}

void syrk_f64(coset_ctx *ctx, bool trans, int64_t n, int64_t k, double alpha, const double *a,
              int64_t lda, double beta, double *c, int64_t ldc, bool full)
{
    if (n <= 0) return;
    if (k <= 0 || alpha == 0) {
        for (int64_t i = 0; i < n; i++) scale_f64(1, i + 1, beta, c + i * ldc, ldc);
    } else if (tiny(n, n, k) || !fits(lda) || !fits(ldc)) {
        syrk_plain(trans, n, k, alpha, a, lda, beta, c, ldc);
    } else {
        blas_threads_for(ctx, (double)n, (double)n, (double)k / 2);
        /* ldc >= n fits, so only k can be too long. */
        for (int64_t s = 0; s < k; s += BLAS_CHUNK)
            cblas_dsyrk(CblasRowMajor, CblasLower, op(trans), (int)n,
                        (int)smaller(k - s, BLAS_CHUNK), alpha, a + (trans ? s * lda : s), (int)lda,
                        s == 0 ? beta : 1, c, (int)ldc);
    }
    if (full) symmetric_mirror(n, c, ldc);
}
