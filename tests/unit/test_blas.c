/* Products against their definition: every transposition, odd sizes, strides, alpha and beta. */
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "linalg/blas.h"

typedef struct product {
    bool trans_a, trans_b;
    int64_t m, n, k, lda, ldb, ldc;
    double alpha, beta;
} product;

static double judge(const product *p, const double *a, const double *b, double c, int64_t i,
                    int64_t j)
{
    double sum = 0;
    for (int64_t s = 0; s < p->k; s++)
        sum += (p->trans_a ? a[s * p->lda + i] : a[i * p->lda + s]) *
               (p->trans_b ? b[j * p->ldb + s] : b[s * p->ldb + j]);
    return p->alpha * sum + (p->beta == 0 ? 0 : p->beta * c);
}

static void check_product(coset_ctx *ctx, rng *random, const product *p)
{
    int64_t a_size = (p->trans_a ? p->k : p->m) * p->lda,
            b_size = (p->trans_b ? p->n : p->k) * p->ldb, c_size = p->m * p->ldc;
    double *a = random_doubles(random, a_size), *b = random_doubles(random, b_size),
           *c = random_doubles(random, c_size), *before = doubles(c_size);
    float *a32 = calloc((size_t)a_size + 1, sizeof *a32),
          *b32 = calloc((size_t)b_size + 1, sizeof *b32),
          *c32 = calloc((size_t)c_size + 1, sizeof *c32);
    /* Values that f32 holds exactly serve both element types. */
    for (int64_t i = 0; i < a_size; i++) a[i] = a32[i] = (float)a[i];
    for (int64_t i = 0; i < b_size; i++) b[i] = b32[i] = (float)b[i];
    for (int64_t i = 0; i < c_size; i++) {
        before[i] = c[i] = c32[i] = (float)c[i];
        /* beta = 0 must not read C. */
        if (p->beta == 0 && i % p->ldc < p->n) c[i] = c32[i] = NAN;
    }
    gemm_f64(ctx, p->trans_a, p->trans_b, p->m, p->n, p->k, p->alpha, a, p->lda, b, p->ldb, p->beta,
             c, p->ldc);
    gemm_f32(ctx, p->trans_a, p->trans_b, p->m, p->n, p->k, (float)p->alpha, a32, p->lda, b32,
             p->ldb, (float)p->beta, c32, p->ldc);
    /* |sum of k products of normals| with rounding k eps: 40 bounds products and alpha by far. */
    double slack = 40 * (double)(p->k + 2);
    for (int64_t i = 0; i < p->m; i++) {
        for (int64_t j = 0; j < p->ldc; j++) {
            int64_t at = i * p->ldc + j;
            double want = j < p->n ? judge(p, a, b, before[at], i, j) : before[at];
            assert_true(fabs(c[at] - want) <= slack * 0x1p-52);
            assert_true(fabs(c32[at] - want) <= slack * 0x1p-23);
            if (j >= p->n) assert_true(c[at] == before[at]);
        }
    }
    free(a), free(b), free(c), free(before), free(a32), free(b32), free(c32);
}

static void test_gemm(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {
        {1, 1, 1},   {2, 3, 4}, {1, 70, 33}, {70, 1, 33}, {33, 70, 1}, {17, 19, 23},  {64, 65, 66},
        {3, 400, 2}, {5, 4, 0}, {0, 4, 5},   {5, 0, 4},   {0, 0, 0},   {129, 97, 131}};
    static const double scales[][2] = {{1, 0}, {-0.5, 1}, {2, -0.25}, {0, 0.5}, {0, 0}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(1, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (int flags = 0; flags < 8; flags++) {
            for (size_t v = 0; v < sizeof scales / sizeof *scales; v++) {
                int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
                int64_t extra = flags & 4 ? 3 : 0;
                product p = {flags & 1, (flags & 2) != 0, m,           n, k, 0, 0,
                             n + extra, scales[v][0],     scales[v][1]};
                p.lda = (p.trans_a ? m : k) + extra + 1;
                p.ldb = (p.trans_b ? k : n) + extra + 1;
                if (p.ldc == 0) p.ldc = 1;
                check_product(ctx, &random, &p);
            }
        }
    }
    counted_ctx_end(ctx, &memory);
}

/* Leading dimensions over 2^31 do not fit BLAS integers; with one row they are never reached. */
static void test_wide_stride(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(2, 0);
    enum { N = 40, K = 50 };
    double *a = random_doubles(&random, K), *b = random_doubles(&random, K * N), c[N], want[N];
    gemm_f64(ctx, false, false, 1, N, K, 1, a, K, b, N, 0, want, N);
    gemm_f64(ctx, false, false, 1, N, K, 1, a, (int64_t)1 << 40, b, N, 0, c, (int64_t)1 << 41);
    for (int j = 0; j < N; j++) assert_true(fabs(c[j] - want[j]) <= 1e-13);
    free(a), free(b);
    counted_ctx_end(ctx, &memory);
}

static void check_syrk(coset_ctx *ctx, rng *random, bool trans, int64_t n, int64_t k, double alpha,
                       double beta, bool full)
{
    int64_t lda = (trans ? n : k) + 2, ldc = n + 1;
    double *a = random_doubles(random, (trans ? k : n) * lda), *c = random_doubles(random, n * ldc),
           *before = doubles(n * ldc);
    memcpy(before, c, (size_t)(n * ldc) * sizeof *c);
    syrk_f64(ctx, trans, n, k, alpha, a, lda, beta, c, ldc, full);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= n; j++) {
            int64_t row = j > i ? j : i, column = j > i ? i : j;
            double want = before[i * ldc + j];
            if (j < n && (full || j <= i)) {
                double sum = 0;
                for (int64_t s = 0; s < k; s++)
                    sum += trans ? a[s * lda + row] * a[s * lda + column]
                                 : a[row * lda + s] * a[column * lda + s];
                want = alpha * sum + beta * before[row * ldc + column];
            }
            assert_true(fabs(c[i * ldc + j] - want) <= 40 * (double)(k + 2) * 0x1p-52);
            if (full && j < n) assert_true(c[i * ldc + j] == c[j * ldc + i]);
        }
    }
    free(a), free(c), free(before);
}

static void test_syrk(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{1, 1},   {3, 2},    {40, 0}, {0, 5},
                                       {65, 33}, {33, 200}, {70, 1}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(3, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int flags = 0; flags < 4; flags++)
            for (int v = 0; v < 3; v++)
                check_syrk(ctx, &random, flags & 1, sizes[s][0], sizes[s][1], v == 2 ? 0 : 0.5,
                           v == 0 ? 0 : -1, (flags & 2) != 0);
    counted_ctx_end(ctx, &memory);
}

/* The thread count of OpenBLAS belongs to the process; every call brings its context's. */
static void test_deterministic(void **state)
{
    (void)state;
    enum { N = 160 };
    counted_memory memory[2];
    coset_ctx *one = counted_ctx(&memory[0], 1), *two = counted_ctx(&memory[1], 2);
    rng random = rng_seed(4, 0);
    double *a = random_doubles(&random, N * N), *results[4];
    for (int i = 0; i < 4; i++) {
        results[i] = doubles(N * N);
        gemm_f64(i % 2 ? two : one, false, true, N, N, N, 1, a, N, a, N, 0, results[i], N);
    }
    assert_memory_equal(results[0], results[2], N * N * sizeof(double));
    assert_memory_equal(results[1], results[3], N * N * sizeof(double));
    for (int i = 0; i < 4; i++) free(results[i]);
    free(a);
    counted_ctx_end(one, &memory[0]);
    counted_ctx_end(two, &memory[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_wide_stride),
        cmocka_unit_test(test_syrk),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
