/* Sparse least-squares and least-norm solves against pseudo-inverses from eigenvalues. */
#include "support/linalg.h"

#include <string.h>

#include "linalg/lsqr.h"

/* A dense (m, n) matrix as rows, zeros left out; freed by sparse_end. */
static sparse_rows sparse_of(const double *dense, int64_t m, int64_t n)
{
    int64_t *start = calloc((size_t)m + 1, sizeof *start), used = 0;
    int32_t *column = calloc((size_t)(m * n) + 1, sizeof *column);
    double *value = doubles(m * n);
    assert_non_null(start);
    assert_non_null(column);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            if (dense[i * n + j] == 0) continue;
            column[used] = (int32_t)j;
            value[used++] = dense[i * n + j];
        }
        start[i + 1] = used;
    }
    return (sparse_rows){m, n, start, column, value};
}

static void sparse_end(sparse_rows *a)
{
    free((void *)(uintptr_t)a->start);
    free((void *)(uintptr_t)a->column);
    free((void *)(uintptr_t)a->value);
}

/* x = pinv(A) b through the eigenvectors of A^T A; singular values below `cut` count as 0. */
static double *judge_solve(const double *a, int64_t m, int64_t n, const double *b, double cut)
{
    double *gram = doubles(n * n), *v = doubles(n * n), *x = doubles(n), *right = doubles(n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            right[j] += a[i * n + j] * b[i];
            for (int64_t k = 0; k < n; k++) gram[j * n + k] += a[i * n + j] * a[i * n + k];
        }
    jacobi(n, gram, v);
    for (int64_t e = 0; e < n; e++) {
        double dot = 0;
        if (gram[e * n + e] < cut * cut) continue;
        for (int64_t j = 0; j < n; j++) dot += v[j * n + e] * right[j];
        for (int64_t j = 0; j < n; j++) x[j] += v[j * n + e] * dot / gram[e * n + e];
    }
    free(gram), free(v), free(right);
    return x;
}

static double residual(const double *a, int64_t m, int64_t n, const double *b, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < m; i++) {
        double r = b[i];
        for (int64_t j = 0; j < n; j++) r -= a[i * n + j] * x[j];
        sum += r * r;
    }
    return sqrt(sum);
}

/* A random matrix of a rank, with about `fill` of a full-rank one's entries. */
static double *random_matrix(rng *random, int64_t m, int64_t n, int64_t rank, double fill)
{
    double *a = doubles(m * n);
    if (rank < 0) {
        for (int64_t i = 0; i < m * n; i++)
            if (rng_uniform(random) < fill) a[i] = rng_normal(random);
        return a;
    }
    double *left = random_doubles(random, m * rank), *right = random_doubles(random, rank * n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t s = 0; s < rank; s++)
                a[i * n + j] += left[i * rank + s] * right[s * n + j];
    free(left), free(right);
    return a;
}

typedef struct lsqr_case {
    int64_t m, n, rank; /* rank -1: sparse and whatever it is */
    bool consistent;
} lsqr_case;

static void test_against_pseudo_inverse(void **state)
{
    (void)state;
    static const lsqr_case cases[] = {
        {1, 1, 1, true},    {5, 5, 5, true},    {3, 9, 3, true},     {9, 3, 3, true},
        {9, 3, 3, false},   {20, 12, 5, true},  {20, 12, 5, false},  {12, 20, 5, true},
        {12, 20, 5, false}, {40, 40, -1, true}, {60, 25, -1, false}, {25, 60, -1, true},
        {30, 30, 1, false}, {80, 10, 4, false},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(2, 0);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const lsqr_case *c = &cases[k];
        double *a = random_matrix(&random, c->m, c->n, c->rank, 0.2);
        double *b = random_doubles(&random, c->m), *x = doubles(c->n);
        if (c->consistent) {
            double *from = random_doubles(&random, c->n);
            for (int64_t i = 0; i < c->m; i++) {
                b[i] = 0;
                for (int64_t j = 0; j < c->n; j++) b[i] += a[i * c->n + j] * from[j];
            }
            free(from);
        }
        double *want = judge_solve(a, c->m, c->n, b, 1e-6);
        sparse_rows rows = sparse_of(a, c->m, c->n);
        lsqr_result result;
        assert_int_equal(lsqr_solve(ctx, &rows, b, 0, x, &result), COSET_OK);
        double most = 0;
        for (int64_t j = 0; j < c->n; j++) most = fmax(most, fabs(want[j]));
        /* The judge squares the condition number, which is up to some thousands here. */
        for (int64_t j = 0; j < c->n; j++)
            if (!(fabs(x[j] - want[j]) <= 1e-8 * most))
                fail_msg("case %zu, x%lld: %.17g, not %.17g", k, (long long)j, x[j], want[j]);
        double left = residual(a, c->m, c->n, b, x);
        assert_true(result.converged);
        assert_true(fabs(left - result.residual) <= 1e-12 * (1 + left));
        if (c->consistent) {
            assert_true(result.relative < 1e-14);
        } else {
            assert_true(result.relative > 0.01);
            assert_true(result.gradient < 1e-13);
        }
        sparse_end(&rows);
        free(a), free(b), free(x), free(want);
    }
    counted_ctx_end(ctx, &memory);
}

/* x0 = x1 = .. = x4, their sum free: nearest to b0 are means. Repeated entries and rows. */
static void test_means(void **state)
{
    (void)state;
    static const int64_t start[] = {0, 2, 4, 6, 8, 10, 13};
    static const int32_t column[] = {1, 0, 2, 0, 3, 0, 4, 0, 4, 0, 4, 4, 0};
    static const double value[] = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 0.25, 0.75, -1};
    static const double p0[] = {1, 2, 4, 8, 10};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    sparse_rows a = {6, 5, start, column, value};
    double b[6] = {0}, x[5];
    lsqr_result result;
    sparse_times(&a, -1, p0, b);
    assert_int_equal(lsqr_solve(ctx, &a, b, 0, x, &result), COSET_OK);
    for (int j = 0; j < 5; j++) assert_true(fabs(p0[j] + x[j] - 5) < 1e-14);
    assert_true(result.relative < 1e-15);
    counted_ctx_end(ctx, &memory);
}

/* Two systems side by side whose numbers differ by 1e12: the small one is solved to its own digits. */
static void test_small_beside_large(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(3, 0);
    enum { N = 12 };
    double *a = doubles(4 * N * N), *b = doubles(2 * N), *x = doubles(2 * N);
    double *from = random_doubles(&random, 2 * N);
    for (int i = 0; i < 2 * N; i++) {
        for (int j = 0; j < N; j++) {
            int column = i < N ? j : N + j;
            a[i * 2 * N + column] = rng_normal(&random) + 4 * (i % N == j);
        }
        from[i] *= i < N ? 1e6 : 1e-6;
    }
    for (int i = 0; i < 2 * N; i++)
        for (int j = 0; j < 2 * N; j++) b[i] += a[i * 2 * N + j] * from[j];
    sparse_rows rows = sparse_of(a, 2 * N, 2 * N);
    lsqr_result result;
    assert_int_equal(lsqr_solve(ctx, &rows, b, 0, x, &result), COSET_OK);
    for (int j = 0; j < 2 * N; j++) {
        double scale = j < N ? 1e6 : 1e-6;
        if (!(fabs(x[j] - from[j]) < 1e-12 * scale))
            fail_msg("x%d: %.17g, not %.17g", j, x[j], from[j]);
    }
    sparse_end(&rows);
    free(a), free(b), free(x), free(from);
    counted_ctx_end(ctx, &memory);
}

/* With a tolerance, what A hardly reaches is left alone; without, it is solved for. */
static void test_tolerance(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const int64_t start[] = {0, 2, 4};
    static const int32_t column[] = {0, 1, 0, 1};
    static const double value[] = {1, 1e-11, 1, -1e-11}, b[] = {1, 1 + 1e-12};
    sparse_rows a = {2, 2, start, column, value};
    double x[2];
    lsqr_result result;
    assert_int_equal(lsqr_solve(ctx, &a, b, 1e-8, x, &result), COSET_OK);
    assert_true(fabs(x[0] - 1) < 1e-11 && fabs(x[1]) < 1e-3 && result.relative < 1e-8);
    assert_int_equal(lsqr_solve(ctx, &a, b, 0, x, &result), COSET_OK);
    assert_true(fabs(x[1] + 0.05) < 1e-4 && result.relative < 1e-15);
    counted_ctx_end(ctx, &memory);
}

static void test_empty_and_zero(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const int64_t none[] = {0, 0, 0};
    double b[2] = {3, 4}, x[3] = {7, 7, 7};
    lsqr_result result;
    sparse_rows zero = {2, 3, none, NULL, NULL};
    assert_int_equal(lsqr_solve(ctx, &zero, b, 0, x, &result), COSET_OK);
    for (int j = 0; j < 3; j++) assert_true(x[j] == 0);
    assert_true(result.residual == 5 && result.relative == 1 && result.converged);
    sparse_rows empty = {0, 3, none, NULL, NULL};
    x[1] = 7;
    assert_int_equal(lsqr_solve(ctx, &empty, NULL, 0, x, &result), COSET_OK);
    assert_true(x[1] == 0 && result.residual == 0);
    static const int64_t start[] = {0, 1};
    static const int32_t column[] = {0};
    static const double value[] = {2};
    sparse_rows one = {1, 1, start, column, value};
    b[0] = 0;
    assert_int_equal(lsqr_solve(ctx, &one, b, 0, x, &result), COSET_OK);
    assert_true(x[0] == 0 && result.iterations == 0);
    /* Residuals whose squares underflow count. */
    b[0] = 1e-200;
    assert_int_equal(lsqr_solve(ctx, &one, b, 0, x, &result), COSET_OK);
    assert_true(fabs(x[0] - 5e-201) < 1e-215);
    counted_ctx_end(ctx, &memory);
}

static void test_refused(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const int64_t start[] = {0, 1};
    static const int32_t column[] = {0};
    const double values[] = {NAN, INFINITY, 1e200};
    double b = 1, x = 0;
    lsqr_result result;
    for (int i = 0; i < 3; i++) {
        sparse_rows a = {1, 1, start, column, &values[i]};
        assert_int_equal(lsqr_solve(ctx, &a, &b, 0, &x, &result), COSET_ENUMERIC);
    }
    const double one = 1;
    sparse_rows a = {1, 1, start, column, &one};
    b = NAN;
    assert_int_equal(lsqr_solve(ctx, &a, &b, 0, &x, &result), COSET_ENUMERIC);
    b = 1;
    memory.made = 0;
    assert_int_equal(lsqr_solve(ctx, &a, &b, 0, &x, &result), COSET_OK);
    int64_t total = memory.made;
    assert_true(total > 5);
    for (int64_t at = 0; at < total; at++) {
        memory.made = 0;
        memory.fail_from = at;
        assert_int_equal(lsqr_solve(ctx, &a, &b, 0, &x, &result), COSET_EMEMORY);
        memory.fail_from = -1;
    }
    assert_int_equal(lsqr_solve(ctx, &a, &b, 0, &x, &result), COSET_OK);
    assert_true(x == 1);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_pseudo_inverse), cmocka_unit_test(test_means),
        cmocka_unit_test(test_small_beside_large),     cmocka_unit_test(test_tolerance),
        cmocka_unit_test(test_empty_and_zero),         cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
