/* Selection and nested errors against a pseudoinverse judge and against plain deflation. */
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "linalg/select.h"

/* trace(M (G - G C pinv(C^T G C) C^T G)): least-squares error of the reduction C^T h, C (n, k). */
static double judge_site(const double *gram, const double *weight, const double *c, int64_t n,
                         int64_t k)
{
    double *gc = doubles(n * k), *inner = doubles(k * k), *v = doubles(k * k), *scale = doubles(k);
    double error = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            error += weight[i * n + j] * gram[i * n + j];
            for (int64_t b = 0; b < k; b++) gc[i * k + b] += gram[i * n + j] * c[j * k + b];
        }
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = 0; b < k; b++)
            for (int64_t i = 0; i < n; i++) inner[a * k + b] += c[i * k + a] * gc[i * k + b];
    for (int64_t a = 0; a < k; a++)
        scale[a] = inner[a * k + a] > 0 ? 1 / sqrt(inner[a * k + a]) : 0;
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = 0; b < k; b++) inner[a * k + b] *= scale[a] * scale[b];
    jacobi(k, inner, v);
    double *x = doubles(n);
    for (int64_t e = 0; e < k; e++) {
        if (inner[e * k + e] < 1e-11) continue;
        for (int64_t i = 0; i < n; i++) {
            x[i] = 0;
            for (int64_t b = 0; b < k; b++) x[i] += gc[i * k + b] * scale[b] * v[b * k + e];
        }
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                error -= x[i] * weight[i * n + j] * x[j] / inner[e * k + e];
    }
    free(gc), free(inner), free(v), free(scale), free(x);
    return error;
}

static double judge_error(const moment_site *sites, int64_t n_sites, const double *c, int64_t n,
                          int64_t k)
{
    double error = 0;
    for (int64_t s = 0; s < n_sites; s++)
        error += judge_site(sites[s].gram, sites[s].weight, c, n, k);
    return error;
}

static double judge_order(const moment_site *sites, int64_t n_sites, const int64_t *order,
                          int64_t n, int64_t k)
{
    double *c = doubles(n * k);
    for (int64_t b = 0; b < k; b++) c[order[b] * k + b] = 1;
    double error = judge_error(sites, n_sites, c, n, k);
    free(c);
    return error;
}

static void sites_new(rng *random, int64_t n_sites, int64_t n, int64_t rank, int64_t outputs,
                      moment_site *sites_out)
{
    for (int64_t s = 0; s < n_sites; s++) {
        sites_out[s].gram = random_gram(random, n, rank);
        sites_out[s].weight = random_gram(random, n, outputs);
    }
}

static void sites_free(const moment_site *sites, int64_t n_sites)
{
    for (int64_t s = 0; s < n_sites; s++)
        free((void *)sites[s].gram), free((void *)sites[s].weight);
}

static void assert_order(const int64_t *order, int64_t n)
{
    bool *seen = calloc((size_t)n + 1, sizeof *seen);
    for (int64_t i = 0; i < n; i++) {
        assert_true(order[i] >= 0 && order[i] < n && !seen[order[i]]);
        seen[order[i]] = true;
    }
    free(seen);
}

static void assert_errors(const double *error, int64_t n)
{
    for (int64_t k = 0; k <= n; k++) assert_true(error[k] >= 0 && isfinite(error[k]));
    for (int64_t k = 1; k <= n; k++) assert_true(error[k] <= error[k - 1]);
    assert_true(n == 0 || error[n] == 0);
}

/* Errors are differences of sums of order e^2(0); pseudoinverses cut at 1e-11. */
static const double TOLERANCE = 1e-9;

typedef struct select_case {
    int64_t n, n_sites, rank, outputs;
} select_case;

/* Every step is the best one, and its error the least-squares error. */
static void test_greedy(void **state)
{
    (void)state;
    static const select_case cases[] = {{1, 1, 3, 2},    {2, 1, 5, 1},   {11, 1, 40, 3},
                                        {11, 3, 40, 20}, {12, 1, 5, 20}, {12, 2, 4, 3},
                                        {9, 1, 30, 1},   {9, 1, 1, 9}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(1, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const select_case *c = &cases[i];
        moment_site sites[3];
        int64_t order[16], trial[16];
        double error[17];
        sites_new(&random, c->n_sites, c->n, c->rank, c->outputs, sites);
        assert_int_equal(selection_forward(ctx, sites, c->n_sites, c->n, order, error), COSET_OK);
        assert_order(order, c->n);
        assert_errors(error, c->n);
        for (int64_t k = 0; k <= c->n; k++) {
            double want = judge_order(sites, c->n_sites, order, c->n, k);
            assert_true(fabs(error[k] - want) <= TOLERANCE * error[0]);
            for (int64_t other = k; other < c->n; other++) {
                memcpy(trial, order, sizeof trial);
                trial[k] = order[other];
                double rival = judge_order(sites, c->n_sites, trial, c->n, k + 1);
                assert_true(rival >= error[k + 1] - TOLERANCE * error[0]);
            }
        }
        sites_free(sites, c->n_sites);
    }
    counted_ctx_end(ctx, &memory);
}

/* The same by deflating whole matrices, without downdated numerators. */
static void plain_selection(const moment_site *site, int64_t n, int64_t steps, int64_t *order_out)
{
    double *r = doubles(n * n);
    bool *kept = calloc((size_t)n, sizeof *kept);
    memcpy(r, site->gram, (size_t)(n * n) * sizeof *r);
    for (int64_t k = 0; k < steps; k++) {
        int64_t best = -1;
        double most = -1;
        for (int64_t j = 0; j < n; j++) {
            if (kept[j]) continue;
            double gain = 0;
            for (int64_t a = 0; a < n; a++)
                for (int64_t b = 0; b < n; b++)
                    gain += r[a * n + j] * site->weight[a * n + b] * r[b * n + j] / r[j * n + j];
            if (gain > most) most = gain, best = j;
        }
        kept[best] = true;
        order_out[k] = best;
        double pivot = r[best * n + best], *column = doubles(n);
        for (int64_t a = 0; a < n; a++) column[a] = r[a * n + best];
        for (int64_t a = 0; a < n; a++)
            for (int64_t b = 0; b < n; b++) r[a * n + b] -= column[a] * column[b] / pivot;
        free(column);
    }
    free(r), free(kept);
}

/* Several batches of downdates and several refreshes: the spectrum of G falls by 1e8. */
static void test_long_selection(void **state)
{
    (void)state;
    enum { N = 110, STEPS = 100 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(2, 0);
    double *root = random_doubles(&random, N * N), *gram = doubles(N * N);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++)
            for (int64_t s = 0; s < N; s++)
                gram[i * N + j] += root[i * N + s] * root[j * N + s] * pow(10, -8 * (double)s / N);
    moment_site site = {gram, random_gram(&random, N, 2 * N)};
    int64_t order[N], want[STEPS];
    double error[N + 1], again[N + 1];
    assert_int_equal(selection_forward(ctx, &site, 1, N, order, error), COSET_OK);
    assert_order(order, N);
    assert_errors(error, N);
    plain_selection(&site, N, STEPS, want);
    for (int64_t k = 0; k < STEPS; k++) assert_int_equal(order[k], want[k]);
    assert_int_equal(selection_errors(ctx, order, &site, 1, N, again), COSET_OK);
    for (int64_t k = 0; k <= N; k++) {
        assert_true(fabs(error[k] - again[k]) <= 1e-13 * error[0]);
        if (k % 20 == 0)
            assert_true(fabs(error[k] - judge_order(&site, 1, order, N, k)) <= 1e-9 * error[0]);
    }
    free(root);
    sites_free(&site, 1);
    counted_ctx_end(ctx, &memory);
}

static void test_selection_errors(void **state)
{
    (void)state;
    static const select_case cases[] = {
        {1, 1, 2, 1}, {20, 2, 60, 5}, {20, 1, 7, 30}, {70, 1, 50, 9}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(3, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const select_case *c = &cases[i];
        moment_site sites[2];
        int64_t order[70];
        double error[71];
        sites_new(&random, c->n_sites, c->n, c->rank, c->outputs, sites);
        rng_permutation(&random, c->n, order);
        assert_int_equal(selection_errors(ctx, order, sites, c->n_sites, c->n, error), COSET_OK);
        assert_errors(error, c->n);
        for (int64_t k = 0; k <= c->n; k += c->n > 20 ? 13 : 1)
            assert_true(fabs(error[k] - judge_order(sites, c->n_sites, order, c->n, k)) <=
                        TOLERANCE * error[0]);
        sites_free(sites, c->n_sites);
    }
    counted_ctx_end(ctx, &memory);
}

static void check_merge_errors(coset_ctx *ctx, const moment_site *sites, int64_t n_sites, int64_t n,
                               cluster_linkage linkage, int64_t stride)
{
    cluster_tree tree;
    double *distances = doubles(n * n), *error = doubles(n + 1), *c = doubles(n * n);
    int64_t *block_of = calloc((size_t)n + 1, sizeof *block_of);
    cluster_distances_from_gram(sites[0].gram, n, distances);
    assert_int_equal(cluster_build_distances(ctx, distances, n, NULL, linkage, &tree), COSET_OK);
    assert_int_equal(merge_errors(ctx, &tree, sites, n_sites, error), COSET_OK);
    assert_errors(error, n);
    for (int64_t k = 1; k <= n; k += stride) {
        cluster_cut_count(&tree, k, block_of);
        memset(c, 0, (size_t)(n * n) * sizeof *c);
        double *size = doubles(k);
        for (int64_t i = 0; i < n; i++) size[block_of[i]]++;
        for (int64_t i = 0; i < n; i++) c[i * k + block_of[i]] = 1 / size[block_of[i]];
        assert_true(fabs(error[k] - judge_error(sites, n_sites, c, n, k)) <= TOLERANCE * error[0]);
        free(size);
    }
    cluster_tree_free(ctx, &tree);
    free(distances), free(error), free(c), free(block_of);
}

static void test_merge_errors(void **state)
{
    (void)state;
    static const select_case cases[] = {{1, 1, 2, 1},   {2, 1, 2, 1},  {24, 1, 60, 5},
                                        {24, 3, 60, 5}, {24, 2, 6, 9}, {90, 1, 200, 30}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(4, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const select_case *c = &cases[i];
        for (int l = CLUSTER_SINGLE; l <= CLUSTER_WARD; l++) {
            moment_site sites[3];
            sites_new(&random, c->n_sites, c->n, c->rank, c->outputs, sites);
            check_merge_errors(ctx, sites, c->n_sites, c->n, (cluster_linkage)l,
                               c->n > 24 ? 17 : 1);
            sites_free(sites, c->n_sites);
        }
    }
    counted_ctx_end(ctx, &memory);
}

/* Units 0..2n-1 where n + i is a copy of i, and one dead unit: half of them explain everything. */
static void test_duplicates(void **state)
{
    (void)state;
    enum { HALF = 9, N = 2 * HALF + 1 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(5, 0);
    double *base = random_gram(&random, HALF, 40), *gram = doubles(N * N);
    for (int64_t i = 0; i < N - 1; i++)
        for (int64_t j = 0; j < N - 1; j++) gram[i * N + j] = base[i % HALF * HALF + j % HALF];
    moment_site site = {gram, random_gram(&random, N, 2 * N)};
    int64_t order[N];
    double error[N + 1];
    assert_int_equal(selection_forward(ctx, &site, 1, N, order, error), COSET_OK);
    assert_order(order, N);
    assert_errors(error, N);
    for (int64_t k = 0; k < HALF; k++) assert_true(order[k] < HALF); /* ties: the smaller index */
    assert_true(error[HALF - 1] > 1e-6 * error[0]);
    assert_true(error[HALF] <= 1e-12 * error[0]);
    assert_int_equal(order[N - 1], N - 1); /* the dead one has no weight at all */
    check_merge_errors(ctx, &site, 1, N, CLUSTER_WARD, 1);
    free(base);
    sites_free(&site, 1);
    counted_ctx_end(ctx, &memory);
}

static void test_degenerate(void **state)
{
    (void)state;
    enum { N = 6 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    double zero[N * N] = {0}, identity[N * N] = {0}, error[N + 1];
    int64_t order[N];
    for (int64_t i = 0; i < N; i++) identity[i * N + i] = 1;
    /* All units alike; no variance; no consumer; no site: smallest index first, errors known. */
    const moment_site sites[] = {{identity, identity}, {zero, identity}, {identity, zero}};
    for (int s = 0; s < 4; s++) {
        assert_int_equal(selection_forward(ctx, &sites[s % 3], s < 3, N, order, error), COSET_OK);
        for (int64_t i = 0; i < N; i++) assert_int_equal(order[i], i);
        for (int64_t k = 0; k <= N; k++)
            assert_true(fabs(error[k] - (s == 0 ? (double)(N - k) : 0)) < 1e-14);
    }
    /* One site is used up after a unit, the other goes on. */
    double ones[N * N];
    for (int64_t i = 0; i < N * N; i++) ones[i] = 1;
    const moment_site both[] = {{ones, identity}, {identity, identity}};
    assert_int_equal(selection_forward(ctx, both, 2, N, order, error), COSET_OK);
    assert_true(fabs(error[0] - 2 * N) < 1e-13);
    for (int64_t k = 1; k <= N; k++) assert_true(fabs(error[k] - (double)(N - k)) < 1e-13);
    assert_int_equal(selection_forward(ctx, both, 2, 0, NULL, error), COSET_OK);
    assert_true(error[0] == 0);
    assert_int_equal(selection_errors(ctx, NULL, both, 2, 0, error), COSET_OK);
    counted_ctx_end(ctx, &memory);
}

static void test_refused(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    double gram[4] = {1, 0, 0, 1}, weight[4] = {1, 0, 0, 1}, error[3];
    int64_t order[2] = {0, 1};
    const moment_site site = {gram, weight};
    cluster_merge merge = {0, 1, 0};
    const cluster_tree tree = {2, &merge};
    for (int i = 0; i < 6; i++) {
        double *matrix = i < 3 ? gram : weight;
        matrix[1] = bad[i % 3];
        assert_int_equal(selection_forward(ctx, &site, 1, 2, order, error), COSET_ENUMERIC);
        assert_int_equal(selection_errors(ctx, order, &site, 1, 2, error), COSET_ENUMERIC);
        assert_int_equal(merge_errors(ctx, &tree, &site, 1, error), COSET_ENUMERIC);
        matrix[1] = 0;
    }
    static const int64_t wrong[][2] = {{0, 0}, {1, 2}, {-1, 0}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(selection_errors(ctx, wrong[i], &site, 1, 2, error), COSET_EARGUMENT);
    counted_ctx_end(ctx, &memory);
}

static void test_no_memory(void **state)
{
    (void)state;
    enum { N = 8 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(6, 0);
    moment_site sites[2];
    sites_new(&random, 2, N, 30, 30, sites);
    int64_t order[N] = {0, 1, 2, 3, 4, 5, 6, 7};
    double error[N + 1], distances[N * N];
    cluster_tree tree;
    cluster_distances_from_gram(sites[0].gram, N, distances);
    assert_int_equal(cluster_build_distances(ctx, distances, N, NULL, CLUSTER_WARD, &tree),
                     COSET_OK);
    for (int call = 0; call < 3; call++) {
        coset_status status = COSET_EMEMORY;
        int64_t failures = 0, alive = memory.alive;
        for (int64_t n = 0; status != COSET_OK; n++, failures++) {
            memory.made = 0;
            memory.fail_from = n;
            status = call == 0   ? selection_forward(ctx, sites, 2, N, order, error)
                     : call == 1 ? selection_errors(ctx, order, sites, 2, N, error)
                                 : merge_errors(ctx, &tree, sites, 2, error);
            assert_true(status == COSET_OK || status == COSET_EMEMORY);
            assert_int_equal(memory.alive, alive);
        }
        assert_true(failures > 6);
    }
    cluster_tree_free(ctx, &tree);
    sites_free(sites, 2);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy),           cmocka_unit_test(test_long_selection),
        cmocka_unit_test(test_selection_errors), cmocka_unit_test(test_merge_errors),
        cmocka_unit_test(test_duplicates),       cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
