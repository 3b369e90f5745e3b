/* Ridge solves and lifts against an eigenvalue judge: regular, singular, empty, damaged cases. */
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "linalg/solve.h"

/* S pinv(S A S) S rhs with S = 1/sqrt(diag A), A = gram + ridge mean diag: what solve_ridge
 * promises. */
static double *judge_solve(const double *gram, const double *rhs, int64_t n, int64_t m,
                           double ridge)
{
    double *a = doubles(n * n), *v = doubles(n * n), *scale = doubles(n), *x = doubles(n * m);
    double mean = 0;
    for (int64_t i = 0; i < n; i++) mean += gram[i * n + i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double diagonal = gram[i * n + i] + ridge * mean;
        scale[i] = diagonal > 0 ? 1 / sqrt(diagonal) : 0;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            a[i * n + j] = (gram[i * n + j] + (i == j ? ridge * mean : 0)) * scale[i] * scale[j];
    jacobi(n, a, v);
    for (int64_t e = 0; e < n; e++) {
        if (a[e * n + e] < 1e-10) continue;
        for (int64_t c = 0; c < m; c++) {
            double dot = 0;
            for (int64_t i = 0; i < n; i++) dot += v[i * n + e] * scale[i] * rhs[i * m + c];
            for (int64_t i = 0; i < n; i++)
                x[i * m + c] += scale[i] * v[i * n + e] * dot / a[e * n + e];
        }
    }
    free(a), free(v), free(scale);
    return x;
}

static double largest(const double *values, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++) most = fmax(most, fabs(values[i]));
    return most;
}

static void assert_close(const double *got, const double *want, int64_t count, double relative)
{
    double scale = largest(want, count);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(got[i] - want[i]) <= relative * (scale + 1e-300)))
            fail_msg("entry %lld is %.17g instead of %.17g", (long long)i, got[i], want[i]);
}

typedef struct solve_case {
    int64_t n, m, rank;
    double ridge, tolerance; /* tolerance: condition number times eps, with margin */
} solve_case;

static void test_against_eigenvalues(void **state)
{
    (void)state;
    static const solve_case cases[] = {
        {1, 1, 1, 0, 1e-12},      {1, 3, 1, 0.5, 1e-12},  {7, 4, 40, 0, 1e-9},
        {40, 9, 400, 1e-3, 1e-9}, {40, 300, 60, 0, 1e-6}, {33, 5, 12, 0, 1e-8},
        {33, 5, 12, 1e-2, 1e-9},  {64, 1, 63, 0, 1e-5},   {20, 2, 1, 0, 1e-9},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(1, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const solve_case *c = &cases[i];
        double *gram = random_gram(&random, c->n, c->rank);
        double *rhs = doubles(c->n * c->m), *mix = random_doubles(&random, c->n * c->m);
        /* In the range of gram, as moments of the same samples are. */
        for (int64_t a = 0; a < c->n; a++)
            for (int64_t b = 0; b < c->m; b++)
                for (int64_t s = 0; s < c->n; s++)
                    rhs[a * c->m + b] += gram[a * c->n + s] * mix[s * c->m + b];
        double *want = judge_solve(gram, rhs, c->n, c->m, c->ridge), *x = doubles(c->n * c->m);
        assert_int_equal(solve_ridge(ctx, gram, rhs, c->n, c->m, c->ridge, x), COSET_OK);
        assert_close(x, want, c->n * c->m, c->tolerance);
        /* In place, and with an upper triangle that is not there. */
        for (int64_t a = 0; a < c->n; a++)
            for (int64_t b = a + 1; b < c->n; b++) gram[a * c->n + b] = NAN;
        assert_int_equal(solve_ridge(ctx, gram, rhs, c->n, c->m, c->ridge, rhs), COSET_OK);
        assert_memory_equal(rhs, x, (size_t)(c->n * c->m) * sizeof *x);
        free(gram), free(rhs), free(mix), free(want), free(x);
    }
    counted_ctx_end(ctx, &memory);
}

/* A right-hand side out of the range, and units on scales from 1e-9 to 1e9. */
static void test_singular_scales(void **state)
{
    (void)state;
    enum { N = 24, M = 3 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(2, 0);
    double *gram = random_gram(&random, N, 10), *rhs = random_doubles(&random, N * M), x[N * M];
    for (int64_t i = 0; i < N; i++) {
        double scale = pow(10, (double)(i % 10) * 2 - 9);
        for (int64_t j = 0; j < N; j++) gram[i * N + j] *= scale, gram[j * N + i] *= scale;
        for (int64_t j = 0; j < M; j++) rhs[i * M + j] *= scale;
    }
    double *want = judge_solve(gram, rhs, N, M, 0);
    assert_int_equal(solve_ridge(ctx, gram, rhs, N, M, 0, x), COSET_OK);
    /* Each row has its own scale. */
    for (int64_t i = 0; i < N; i++) {
        double scale = sqrt(gram[i * N + i]);
        for (int64_t j = 0; j < M; j++)
            assert_true(fabs(x[i * M + j] - want[i * M + j]) * scale <= 1e-6);
    }
    free(gram), free(rhs), free(want);
    counted_ctx_end(ctx, &memory);
}

static void test_degenerate(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    double x[4] = {7, 7, 7, 7};
    const double zero[4] = {0, 0, 0, 0}, ones[2] = {1, 1};
    assert_int_equal(solve_ridge(ctx, zero, ones, 2, 1, 0.1, x), COSET_OK);
    assert_true(x[0] == 0 && x[1] == 0);
    /* Two copies of one unit share its weight. */
    const double copies[4] = {2, 2, 2, 2};
    const double sum[2] = {4, 4};
    assert_int_equal(solve_ridge(ctx, copies, sum, 2, 1, 0, x), COSET_OK);
    assert_true(fabs(x[0] - 1) < 1e-14 && fabs(x[1] - 1) < 1e-14);
    /* A dead unit beside a live one. */
    const double dead[4] = {0, 0, 0, 4};
    assert_int_equal(solve_ridge(ctx, dead, sum, 2, 1, 0, x), COSET_OK);
    assert_true(x[0] == 0 && x[1] == 1);
    assert_int_equal(solve_ridge(ctx, NULL, NULL, 0, 3, 0, NULL), COSET_OK);
    counted_ctx_end(ctx, &memory);
}

static void test_refused(void **state)
{
    (void)state;
    static const double indefinite[][4] = {
        {1, 2, 2, 1}, {0, 1, 1, 0}, {-1, 0, 0, 1}, {1, 0, 0, -1}};
    const double triple[9] = {1, -.9, -.9, -.9, 1, -.9, -.9, -.9, 1};
    const double bad[] = {NAN, INFINITY, -INFINITY};
    const double ones[3] = {1, 1, 1}, identity[4] = {1, 0, 0, 1};
    double x[9];
    int64_t keep[3] = {0, 1, 2};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(solve_ridge(ctx, indefinite[i], ones, 2, 1, 0, x), COSET_ENUMERIC);
        assert_int_equal(lift_from_covariance(ctx, indefinite[i], 2, keep, 2, 0, x),
                         COSET_ENUMERIC);
    }
    assert_int_equal(solve_ridge(ctx, triple, ones, 3, 1, 0, x), COSET_ENUMERIC);
    for (int i = 0; i < 3; i++) {
        double matrix[4] = {1, 0, 0, bad[i]}, right[2] = {1, bad[i]};
        assert_int_equal(solve_ridge(ctx, matrix, ones, 2, 1, 0, x), COSET_ENUMERIC);
        assert_int_equal(solve_ridge(ctx, identity, right, 2, 1, 0, x), COSET_ENUMERIC);
        assert_int_equal(lift_from_covariance(ctx, matrix, 2, keep, 2, 0, x), COSET_ENUMERIC);
        assert_int_equal(solve_ridge(ctx, identity, ones, 2, 1, -fabs(bad[i]), x), COSET_EARGUMENT);
    }
    const double tiny[1] = {1e-300}, huge[1] = {1e300};
    assert_int_equal(solve_ridge(ctx, tiny, huge, 1, 1, 0, x), COSET_ENUMERIC);
    assert_int_equal(solve_ridge(ctx, identity, ones, 2, (int64_t)1 << 40, 0, x), COSET_ELIMIT);
    assert_int_equal(lift_from_covariance(ctx, identity, 2, keep, 0, 0, x), COSET_EARGUMENT);
    assert_int_equal(lift_from_covariance(ctx, identity, 2, keep, 3, 0, x), COSET_EARGUMENT);
    keep[0] = 1;
    assert_int_equal(lift_from_covariance(ctx, identity, 2, keep, 2, 0, x), COSET_EARGUMENT);
    keep[0] = -1;
    assert_int_equal(lift_from_covariance(ctx, identity, 2, keep, 1, 0, x), COSET_EARGUMENT);
    assert_string_not_equal(coset_ctx_error(ctx), "");
    counted_ctx_end(ctx, &memory);
}

static void check_lift(coset_ctx *ctx, const double *cov, int64_t n, const int64_t *keep, int64_t k,
                       double ridge, double tolerance)
{
    double *block = doubles(k * k), *cross = doubles(k * n), *lift = doubles(n * k);
    for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j < k; j++) block[i * k + j] = cov[keep[i] * n + keep[j]];
        for (int64_t j = 0; j < n; j++) cross[i * n + j] = cov[keep[i] * n + j];
    }
    double *solved = judge_solve(block, cross, k, n, ridge), *want = doubles(n * k);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++) want[i * k + j] = solved[j * n + i];
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++) want[keep[i] * k + j] = i == j;
    assert_int_equal(lift_from_covariance(ctx, cov, n, keep, k, ridge, lift), COSET_OK);
    assert_close(lift, want, n * k, tolerance);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++) assert_true(lift[keep[i] * k + j] == (i == j));
    free(block), free(cross), free(lift), free(solved), free(want);
}

static void test_lift(void **state)
{
    (void)state;
    enum { N = 30 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(5, 0);
    int64_t keep[N];
    for (int64_t rank = 1; rank <= 90; rank += rank < 32 ? 8 : 57) {
        double *cov = random_gram(&random, N, rank);
        for (int64_t j = 0; j < N; j++) cov[4 * N + j] = cov[j * N + 4] = 0; /* a dead unit */
        for (int64_t k = 1; k <= N; k += k < 4 ? 1 : 13) {
            for (int64_t i = 0; i < k; i++) keep[i] = i * N / k;
            /* Blocks are up to 30 wide: condition numbers up to 1e6 when rank is near k. */
            check_lift(ctx, cov, N, keep, k, 0, 1e-7);
            check_lift(ctx, cov, N, keep, k, 1e-4, 1e-9);
        }
        free(cov);
    }
    counted_ctx_end(ctx, &memory);
}

static void test_no_memory(void **state)
{
    (void)state;
    enum { N = 12 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(6, 0);
    double x[N * N];
    int64_t keep[] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int64_t rank = 4; rank <= 40; rank += 36) {
        double *gram = random_gram(&random, N, rank);
        for (int call = 0; call < 2; call++) {
            coset_status status = COSET_EMEMORY;
            int64_t failures = 0;
            for (int64_t n = 0; status != COSET_OK; n++, failures++) {
                int64_t alive = memory.alive;
                memory.made = 0;
                memory.fail_from = n;
                status = call ? lift_from_covariance(ctx, gram, N, keep, 8, 0, x)
                              : solve_ridge(ctx, gram, gram, N, N, 0, x);
                assert_true(status == COSET_OK || status == COSET_EMEMORY);
                assert_int_equal(memory.alive, alive);
            }
            /* The singular path asks for scaled, pivot, work, inner and its two blocks of rows. */
            assert_true(failures > (rank == 4 ? 7 : 2));
        }
        free(gram);
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_eigenvalues),
        cmocka_unit_test(test_singular_scales),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lift),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
