/* Singular value decompositions against what defines them. */
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "linalg/svd.h"

static double inner(const double *a, int64_t a_step, const double *b, int64_t b_step, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i * a_step] * b[i * b_step];
    return sum;
}

/* A = U S V^T, U^T U = V^T V = I, s descending; of a product of (m, rank) and (rank, n). */
static void check_product(coset_ctx *ctx, rng *random, int64_t m, int64_t n, int64_t rank)
{
    int64_t k = m < n ? m : n;
    double *left = random_doubles(random, m * rank), *right = random_doubles(random, rank * n);
    double *a = doubles(m * n), *copy = doubles(m * n);
    double *u = doubles(m * k), *s = doubles(k), *vt = doubles(k * n);
    for (int64_t i = 0; i < m * n; i++)
        a[i] = copy[i] = inner(left + i / n * rank, 1, right + i % n, n, rank);
    assert_int_equal(svd_thin(ctx, m, n, copy, u, s, vt), COSET_OK);
    double tolerance = 1e-13 * (double)(m + n) * (1 + s[0]); /* roundings of f64 */
    for (int64_t i = 0; i < k; i++) {
        assert_true(s[i] >= 0 && (i == 0 || s[i] <= s[i - 1]));
        if (i >= rank) assert_true(s[i] < tolerance);
        for (int64_t j = 0; j < k; j++) {
            assert_true(fabs(inner(u + i, k, u + j, k, m) - (i == j)) < 1e-12);
            assert_true(fabs(inner(vt + i * n, 1, vt + j * n, 1, n) - (i == j)) < 1e-12);
        }
    }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t b = 0; b < k; b++) sum += u[i * k + b] * s[b] * vt[b * n + j];
            assert_true(fabs(sum - a[i * n + j]) < tolerance);
        }
    free(left);
    free(right);
    free(a);
    free(copy);
    free(u);
    free(s);
    free(vt);
}

static void test_products(void **state)
{
    static const int64_t sizes[][3] = {{1, 1, 1},   {1, 7, 1},    {7, 1, 1},   {5, 5, 5},
                                       {12, 5, 5},  {5, 12, 3},   {40, 40, 7}, {90, 30, 30},
                                       {30, 90, 1}, {64, 64, 64}, {70, 33, 20}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(1, 0);
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_product(ctx, &random, sizes[i][0], sizes[i][1], sizes[i][2]);
    counted_ctx_end(ctx, &memory);
}

static void test_zero(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    double a[6] = {0}, u[4], s[2] = {1, 1}, vt[6];
    (void)state;
    assert_int_equal(svd_thin(ctx, 2, 3, a, u, s, vt), COSET_OK);
    assert_true(s[0] == 0 && s[1] == 0);
    counted_ctx_end(ctx, &memory);
}

static void test_refused(void **state)
{
    static const double bad[] = {(double)NAN, (double)INFINITY};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (int b = 0; b < 2; b++) {
        double a[6] = {1, 2, 3, 4, 5, 6}, u[4], s[2], vt[6];
        a[5] = bad[b];
        assert_int_equal(svd_thin(ctx, 2, 3, a, u, s, vt), COSET_ENUMERIC);
    }
    double one = 1, u, s, vt;
    assert_int_equal(svd_thin(ctx, (int64_t)1 << 31, 1, &one, &u, &s, &vt), COSET_ELIMIT);
    assert_int_equal(svd_thin(ctx, 1, (int64_t)1 << 31, &one, &u, &s, &vt), COSET_ELIMIT);
    for (int64_t from = 0; from < 2; from++) {
        double a[6] = {1, 2, 3, 4, 5, 6}, left[4], values[2], right[6];
        memory.fail_from = memory.made + from;
        assert_int_equal(svd_thin(ctx, 2, 3, a, left, values, right), COSET_EMEMORY);
        memory.fail_from = -1;
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
