/* Clustering against the definition of each linkage: random, tied, duplicate and damaged input. */
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "linalg/cluster.h"
#include "linalg/linkage.h"

typedef struct sample {
    int64_t n, d;
    double *points, *multiplicity;
} sample;

static double distance(const sample *s, cluster_metric metric, int64_t i, int64_t j)
{
    double sum = 0;
    for (int64_t c = 0; c < s->d; c++) {
        double gap = fabs(s->points[i * s->d + c] - s->points[j * s->d + c]);
        sum += metric == CLUSTER_L1 ? gap : gap * gap;
    }
    return metric == CLUSTER_L1 ? sum : sqrt(sum);
}

static double ward(const sample *s, const int64_t *of, int64_t a, int64_t b)
{
    double size[2] = {0, 0}, square = 0;
    for (int64_t i = 0; i < s->n; i++)
        if (of[i] == a || of[i] == b) size[of[i] == b] += s->multiplicity[i];
    for (int64_t c = 0; c < s->d; c++) {
        double centre[2] = {0, 0};
        for (int64_t i = 0; i < s->n; i++)
            if (of[i] == a || of[i] == b)
                centre[of[i] == b] +=
                    s->multiplicity[i] * s->points[i * s->d + c] / size[of[i] == b];
        square += (centre[0] - centre[1]) * (centre[0] - centre[1]);
    }
    return sqrt(2 * size[0] * size[1] / (size[0] + size[1]) * square);
}

/* Linkage distance of the clusters {i : of[i] = a} and {i : of[i] = b}, from the definition. */
static double linkage_distance(const sample *s, cluster_metric metric, cluster_linkage linkage,
                               const int64_t *of, int64_t a, int64_t b)
{
    if (linkage == CLUSTER_WARD) return ward(s, of, a, b);
    double least = INFINITY, most = 0, sum = 0, pairs = 0;
    for (int64_t i = 0; i < s->n; i++) {
        for (int64_t j = 0; j < s->n; j++) {
            if (of[i] != a || of[j] != b) continue;
            double value = distance(s, metric, i, j);
            double weight = s->multiplicity[i] * s->multiplicity[j];
            least = fmin(least, value);
            most = fmax(most, value);
            sum += weight * value;
            pairs += weight;
        }
    }
    return linkage == CLUSTER_SINGLE ? least : linkage == CLUSTER_COMPLETE ? most : sum / pairs;
}

/* The closest pair of the clusters of `of` (each named by its smallest member). */
static double closest_pair(const sample *s, cluster_metric metric, cluster_linkage linkage,
                           const int64_t *of, int64_t *a_out, int64_t *b_out)
{
    double least = INFINITY;
    for (int64_t a = 0; a < s->n; a++) {
        for (int64_t b = a + 1; b < s->n; b++) {
            if (of[a] != a || of[b] != b) continue;
            double value = linkage_distance(s, metric, linkage, of, a, b);
            if (value < least) least = value, *a_out = a, *b_out = b;
        }
    }
    return least;
}

static void join(int64_t *of, int64_t n, int64_t a, int64_t b)
{
    for (int64_t i = 0; i < n; i++)
        if (of[i] == b) of[i] = a;
}

/* Heights are sums of at most d + n terms of order 1, updated n times. */
static const double TOLERANCE = 1e-11;

/* The tree equals the one that always merges the closest pair; for samples without ties. */
static void check_tree(const sample *s, cluster_metric metric, cluster_linkage linkage,
                       const cluster_tree *tree)
{
    int64_t *of = calloc((size_t)s->n + 1, sizeof *of);
    assert_int_equal(tree->n, s->n);
    for (int64_t i = 0; i < s->n; i++) of[i] = i;
    for (int64_t t = 0; t < s->n - 1; t++) {
        int64_t a = -1, b = -1;
        double height = closest_pair(s, metric, linkage, of, &a, &b);
        assert_int_equal(tree->merges[t].a, a);
        assert_int_equal(tree->merges[t].b, b);
        assert_true(fabs(tree->merges[t].height - height) <= TOLERANCE * (1 + height));
        if (t > 0) assert_true(tree->merges[t].height >= tree->merges[t - 1].height);
        join(of, s->n, a, b);
    }
    free(of);
}

/* With ties the tree is not unique, but whenever the height rises nothing closer may be left, and
 * two clusters that meet alone at one height must be that far apart. */
static void check_tied_tree(const sample *s, cluster_metric metric, cluster_linkage linkage,
                            const cluster_tree *tree)
{
    int64_t *of = calloc((size_t)s->n + 1, sizeof *of);
    for (int64_t i = 0; i < s->n; i++) of[i] = i;
    for (int64_t t = 0; t < s->n - 1; t++) {
        const cluster_merge *merge = &tree->merges[t];
        bool rises = t == 0 || merge->height > merge[-1].height;
        bool alone = rises && (t == s->n - 2 || merge[1].height > merge->height);
        int64_t a = -1, b = -1;
        assert_true(rises || merge->height == merge[-1].height);
        assert_true(merge->a < merge->b && of[merge->a] == merge->a && of[merge->b] == merge->b);
        if (rises) {
            double least = closest_pair(s, metric, linkage, of, &a, &b);
            assert_true(fabs(least - merge->height) <= TOLERANCE * (1 + least));
        }
        if (alone) {
            double own = linkage_distance(s, metric, linkage, of, merge->a, merge->b);
            assert_true(fabs(own - merge->height) <= TOLERANCE * (1 + own));
        }
        join(of, s->n, merge->a, merge->b);
    }
    for (int64_t i = 0; i < s->n; i++) assert_int_equal(of[i], 0);
    free(of);
}

static sample random_sample(rng *random, int64_t n, int64_t d, bool weighted)
{
    sample s = {n, d, random_doubles(random, n * d), doubles(n)};
    for (int64_t i = 0; i < n; i++)
        s.multiplicity[i] = weighted ? 0.5 + 3 * rng_uniform(random) : 1;
    return s;
}

static void sample_free(sample *s)
{
    free(s->points), free(s->multiplicity);
}

static double *all_distances(const sample *s, cluster_metric metric)
{
    double *distances = doubles(s->n * s->n);
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t j = 0; j < s->n; j++)
            distances[i * s->n + j] = j > i ? distance(s, metric, i, j) : NAN; /* not read */
    return distances;
}

static const cluster_linkage LINKAGES[] = {CLUSTER_SINGLE, CLUSTER_COMPLETE, CLUSTER_AVERAGE,
                                           CLUSTER_WARD};

static void test_random(void **state)
{
    (void)state;
    /* d = 40 and 700 take the way through inner products and several strips. */
    static const int64_t sizes[][2] = {{1, 3},   {2, 1},    {3, 2}, {40, 3},
                                       {33, 40}, {18, 700}, {5, 0}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(1, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int flags = 0; flags < 16; flags++) {
            cluster_linkage linkage = LINKAGES[flags & 3];
            cluster_metric metric = flags & 4 ? CLUSTER_L1 : CLUSTER_L2;
            bool weighted = (flags & 8) != 0;
            if (linkage == CLUSTER_WARD && metric == CLUSTER_L1) continue;
            sample s = random_sample(&random, sizes[i][0], sizes[i][1], weighted);
            cluster_tree tree;
            assert_int_equal(cluster_build(ctx, s.points, s.n, s.d,
                                           weighted ? s.multiplicity : NULL, metric, linkage,
                                           &tree),
                             COSET_OK);
            (s.d == 0 ? check_tied_tree : check_tree)(&s, metric, linkage, &tree);
            cluster_tree_free(ctx, &tree);
            double *distances = all_distances(&s, metric);
            assert_int_equal(cluster_build_distances(ctx, distances, s.n,
                                                     weighted ? s.multiplicity : NULL, linkage,
                                                     &tree),
                             COSET_OK);
            (s.d == 0 ? check_tied_tree : check_tree)(&s, metric, linkage, &tree);
            cluster_tree_free(ctx, &tree);
            free(distances);
            sample_free(&s);
        }
    }
    counted_ctx_end(ctx, &memory);
}

/* Points on a coarse grid: many ties, and many rows that are equal (0 and -0 included). */
static void test_ties_and_duplicates(void **state)
{
    (void)state;
    enum { N = 36 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(2, 0);
    for (int round = 0; round < 24; round++) {
        cluster_linkage linkage = LINKAGES[round & 3];
        cluster_metric metric = round & 4 && linkage != CLUSTER_WARD ? CLUSTER_L1 : CLUSTER_L2;
        sample s = random_sample(&random, N, round % 3 + 1, round >= 12);
        for (int64_t i = 0; i < s.n * s.d; i++)
            s.points[i] = (double)rng_below(&random, 4) * (i % 2 ? 1 : -1);
        cluster_tree tree, again;
        assert_int_equal(
            cluster_build(ctx, s.points, N, s.d, s.multiplicity, metric, linkage, &tree), COSET_OK);
        check_tied_tree(&s, metric, linkage, &tree);
        /* Equal rows, and nothing else, merge at height 0. */
        int64_t block_of[N];
        cluster_cut_height(&tree, 0, block_of);
        for (int64_t i = 0; i < N; i++)
            for (int64_t j = 0; j < N; j++)
                assert_int_equal(block_of[i] == block_of[j], distance(&s, metric, i, j) == 0);
        if (linkage == CLUSTER_SINGLE) {
            double *distances = all_distances(&s, metric);
            assert_int_equal(cluster_build_distances(ctx, distances, N, NULL, linkage, &again),
                             COSET_OK);
            check_tied_tree(&s, metric, linkage, &again);
            for (int64_t i = 0; i < N - 1; i++) {
                assert_int_equal(tree.merges[i].a, again.merges[i].a);
                assert_int_equal(tree.merges[i].b, again.merges[i].b);
            }
            cluster_tree_free(ctx, &again);
            free(distances);
        }
        cluster_tree_free(ctx, &tree);
        sample_free(&s);
    }
    counted_ctx_end(ctx, &memory);
}

/* A row that stands for three is three rows. */
static void test_multiplicity_is_repetition(void **state)
{
    (void)state;
    enum { N = 12, D = 2, COPIES = 3 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(3, 0);
    sample s = random_sample(&random, N, D, false);
    double repeated[N * COPIES * D], times[N];
    int64_t rows = 0, first[N];
    for (int64_t i = 0; i < N; i++) {
        times[i] = (double)(i % COPIES) + 1;
        first[i] = rows;
        for (int64_t c = 0; c <= i % COPIES; c++, rows++)
            memcpy(repeated + rows * D, s.points + i * D, D * sizeof *repeated);
    }
    for (int l = 0; l < 4; l++) {
        cluster_tree few, many;
        assert_int_equal(cluster_build(ctx, s.points, N, D, times, CLUSTER_L2, LINKAGES[l], &few),
                         COSET_OK);
        assert_int_equal(
            cluster_build(ctx, repeated, rows, D, NULL, CLUSTER_L2, LINKAGES[l], &many), COSET_OK);
        for (int64_t i = 0; i < N - 1; i++) {
            const cluster_merge *want = &few.merges[i], *got = &many.merges[rows - N + i];
            assert_int_equal(got->a, first[want->a]);
            assert_int_equal(got->b, first[want->b]);
            assert_true(got->height == want->height);
        }
        cluster_tree_free(ctx, &few);
        cluster_tree_free(ctx, &many);
    }
    sample_free(&s);
    counted_ctx_end(ctx, &memory);
}

static void test_cuts(void **state)
{
    (void)state;
    enum { N = 60 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(4, 0);
    sample s = random_sample(&random, N, 2, false);
    for (int64_t i = 40; i < N; i++)
        memcpy(s.points + 2 * i, s.points + 2 * (i - 40), 2 * sizeof *s.points);
    for (int l = 0; l < 4; l++) {
        cluster_tree tree;
        int64_t block_of[N], coarser[N], representative[N];
        assert_int_equal(cluster_build(ctx, s.points, N, 2, NULL, CLUSTER_L2, LINKAGES[l], &tree),
                         COSET_OK);
        for (int64_t k = N; k >= 1; k--) {
            assert_int_equal(cluster_cut_count(&tree, k, block_of), k);
            cluster_representatives(block_of, N, representative);
            int64_t seen = 0;
            for (int64_t i = 0; i < N; i++) {
                assert_true(block_of[i] <= seen); /* numbered by smallest member */
                if (block_of[i] == seen) assert_int_equal(representative[seen++], i);
            }
            assert_int_equal(seen, k);
            if (k > 1) cluster_cut_count(&tree, k - 1, coarser);
            for (int64_t i = 0; k > 1 && i < N; i++) /* nested */
                assert_int_equal(coarser[i], coarser[representative[block_of[i]]]);
            /* At a merge's height it has happened, just below it has not. */
            if (k < N) {
                double height = tree.merges[N - 1 - k].height;
                assert_true(cluster_cut_height(&tree, height, coarser) <= k);
                assert_true(cluster_cut_height(&tree, nextafter(height, -1), coarser) > k);
            }
        }
        assert_int_equal(cluster_cut_count(&tree, 0, block_of), 1);
        assert_int_equal(cluster_cut_count(&tree, N + 5, block_of), N);
        assert_int_equal(cluster_cut_height(&tree, -1, block_of), N);
        assert_int_equal(cluster_cut_height(&tree, 0, block_of), 40);
        assert_int_equal(cluster_cut_height(&tree, NAN, block_of), N);
        assert_int_equal(cluster_cut_height(&tree, INFINITY, block_of), 1);
        cluster_tree_free(ctx, &tree);
    }
    sample_free(&s);
    counted_ctx_end(ctx, &memory);
}

/* Ward on vectors of which only the inner products are known. */
static void test_gram(void **state)
{
    (void)state;
    enum { N = 30, D = 50 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(5, 0);
    sample s = random_sample(&random, N, D, false);
    memcpy(s.points + 7 * D, s.points + 3 * D, D * sizeof *s.points);
    double *gram = doubles(N * N), *distances = doubles(N * N);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++)
            for (int64_t c = 0; c < D; c++)
                gram[i * N + j] += s.points[i * D + c] * s.points[j * D + c];
    gram[3 * N + 7] *= 1 - 1e-15; /* what moments leave of a duplicate */
    cluster_distances_from_gram(gram, N, distances);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++)
            assert_true(fabs(distances[i * N + j] - distance(&s, CLUSTER_L2, i, j)) <= 1e-12);
    cluster_tree tree;
    assert_int_equal(cluster_build_distances(ctx, distances, N, NULL, CLUSTER_WARD, &tree),
                     COSET_OK);
    check_tree(&s, CLUSTER_L2, CLUSTER_WARD, &tree);
    assert_true(tree.merges[0].a == 3 && tree.merges[0].b == 7 && tree.merges[0].height == 0);
    cluster_tree_free(ctx, &tree);
    free(gram), free(distances);
    sample_free(&s);
    counted_ctx_end(ctx, &memory);
}

/* Far from the origin the inner products cancel: the distances must not. */
static void test_cancellation(void **state)
{
    (void)state;
    enum { N = 24, D = 64 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(6, 0);
    sample s = random_sample(&random, N, D, false);
    double *shifted = doubles(N * D);
    for (int64_t i = 0; i < N * D; i++) {
        shifted[i] = 1e7 + (i / D < 12 ? 1 : 1e5) * s.points[i];
        s.points[i] = shifted[i] - 1e7; /* exact; the judge's centres stay near the origin */
    }
    for (int l = 0; l < 4; l++) {
        cluster_tree tree;
        assert_int_equal(cluster_build(ctx, shifted, N, D, NULL, CLUSTER_L2, LINKAGES[l], &tree),
                         COSET_OK);
        check_tree(&s, CLUSTER_L2, LINKAGES[l], &tree);
        cluster_tree_free(ctx, &tree);
    }
    free(shifted);
    sample_free(&s);
    counted_ctx_end(ctx, &memory);
}

/* Many points, few of them different: linear time and memory, which 2^17 points else have not. */
static void test_many_duplicates(void **state)
{
    (void)state;
    enum { N = 1 << 17, D = 3, KINDS = 10 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    double *points = doubles(N * D);
    int64_t *block_of = calloc(N, sizeof *block_of);
    for (int64_t i = 0; i < N; i++)
        for (int64_t c = 0; c < D; c++) points[i * D + c] = (double)((i * i) % KINDS * (c + 1));
    for (int l = 0; l < 4; l++) {
        cluster_tree tree;
        assert_int_equal(cluster_build(ctx, points, N, D, NULL, CLUSTER_L2, LINKAGES[l], &tree),
                         COSET_OK);
        assert_int_equal(cluster_cut_height(&tree, 0, block_of), 6); /* squares modulo 10 */
        cluster_tree_free(ctx, &tree);
    }
    for (int64_t i = 0; i < N * D; i++) points[i] = (double)i;
    cluster_tree tree;
    assert_int_equal(cluster_build(ctx, points, N, D, NULL, CLUSTER_L2, CLUSTER_WARD, &tree),
                     COSET_ELIMIT);
    free(points), free(block_of);
    counted_ctx_end(ctx, &memory);
}

static void test_refused(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    cluster_tree tree;
    double points[2] = {1, 2}, weights[2] = {1, 0}, matrix[4] = {0, 1, 1, 0};
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    assert_int_equal(cluster_build(ctx, points, 2, 1, NULL, CLUSTER_L1, CLUSTER_WARD, &tree),
                     COSET_EARGUMENT);
    for (int l = 0; l < 4; l++) {
        assert_int_equal(cluster_build(ctx, points, 2, 1, weights, CLUSTER_L2, LINKAGES[l], &tree),
                         COSET_EARGUMENT);
        matrix[1] = -1;
        assert_int_equal(cluster_build_distances(ctx, matrix, 2, NULL, LINKAGES[l], &tree),
                         COSET_EARGUMENT);
        for (int i = 0; i < 3; i++) {
            points[1] = bad[i];
            assert_int_equal(cluster_build(ctx, points, 2, 1, NULL, CLUSTER_L2, LINKAGES[l], &tree),
                             COSET_ENUMERIC);
            matrix[1] = fabs(bad[i]);
            assert_int_equal(cluster_build_distances(ctx, matrix, 2, NULL, LINKAGES[l], &tree),
                             COSET_ENUMERIC);
        }
        points[1] = 1e300; /* finite, but its square is not */
        assert_int_equal(cluster_build(ctx, points, 2, 1, NULL, CLUSTER_L2, LINKAGES[l], &tree),
                         COSET_ENUMERIC);
        points[1] = 2;
        assert_null(tree.merges);
    }
    assert_int_equal(cluster_build(ctx, NULL, 0, 3, NULL, CLUSTER_L2, CLUSTER_WARD, &tree),
                     COSET_OK);
    assert_int_equal(cluster_cut_count(&tree, 1, NULL), 0);
    assert_int_equal(cluster_cut_height(&tree, 1, NULL), 0);
    cluster_tree_free(ctx, &tree);
    counted_ctx_end(ctx, &memory);
}

static void test_no_memory(void **state)
{
    (void)state;
    enum { N = 20, D = 40 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(7, 0);
    sample s = random_sample(&random, N, D, false);
    double *distances = all_distances(&s, CLUSTER_L2);
    for (int call = 0; call < 8; call++) {
        coset_status status = COSET_EMEMORY;
        int64_t failures = 0;
        for (int64_t n = 0; status != COSET_OK; n++, failures++) {
            cluster_tree tree;
            int64_t alive = memory.alive;
            memory.made = 0;
            memory.fail_from = n;
            status =
                call < 4
                    ? cluster_build(ctx, s.points, N, D, NULL, CLUSTER_L2, LINKAGES[call], &tree)
                    : cluster_build_distances(ctx, distances, N, NULL, LINKAGES[call - 4], &tree);
            assert_true(status == COSET_OK || status == COSET_EMEMORY);
            cluster_tree_free(ctx, &tree);
            assert_int_equal(memory.alive, alive);
        }
        assert_true(failures > 5);
    }
    free(distances);
    sample_free(&s);
    counted_ctx_end(ctx, &memory);
}

/* Beyond a size single linkage takes points instead of a matrix: the same spanning tree. */
static void test_spanning_tree(void **state)
{
    (void)state;
    enum { N = 70, D = 5 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(9, 0);
    sample s = random_sample(&random, N, D, false);
    double *condensed = doubles(N * (N - 1) / 2);
    point_set points = {s.points, NULL, N, D};
    for (int metric = CLUSTER_L1; metric <= CLUSTER_L2; metric++) {
        cluster_merge a[N - 1], b[N - 1];
        assert_int_equal(distance_pairs(ctx, &points, (cluster_metric)metric, condensed), COSET_OK);
        assert_int_equal(linkage_tree(ctx, N, condensed, NULL, CLUSTER_L2, a), COSET_OK);
        assert_int_equal(linkage_tree(ctx, N, NULL, &points, (cluster_metric)metric, b), COSET_OK);
        for (int64_t i = 0; i < N - 1; i++) {
            assert_int_equal(a[i].a, b[i].a);
            assert_int_equal(a[i].b, b[i].b);
            assert_true(a[i].height == b[i].height);
        }
    }
    free(condensed);
    sample_free(&s);
    counted_ctx_end(ctx, &memory);
}

/* The tree does not depend on threads, save L2 distances that go through OpenBLAS. */
static void test_deterministic(void **state)
{
    (void)state;
    enum { N = 150, D = 20 };
    counted_memory memory[2];
    coset_ctx *one = counted_ctx(&memory[0], 1), *two = counted_ctx(&memory[1], 2);
    rng random = rng_seed(8, 0);
    sample s = random_sample(&random, N, D, false);
    for (int l = 0; l < 4; l++) {
        cluster_metric metric = LINKAGES[l] == CLUSTER_WARD ? CLUSTER_L2 : CLUSTER_L1;
        cluster_tree a, b;
        assert_int_equal(cluster_build(one, s.points, N, D, NULL, metric, LINKAGES[l], &a),
                         COSET_OK);
        assert_int_equal(cluster_build(two, s.points, N, D, NULL, metric, LINKAGES[l], &b),
                         COSET_OK);
        assert_memory_equal(a.merges, b.merges, (N - 1) * sizeof *a.merges);
        cluster_tree_free(one, &a);
        cluster_tree_free(two, &b);
    }
    sample_free(&s);
    counted_ctx_end(one, &memory[0]);
    counted_ctx_end(two, &memory[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_ties_and_duplicates),
        cmocka_unit_test(test_multiplicity_is_repetition),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_gram),
        cmocka_unit_test(test_cancellation),
        cmocka_unit_test(test_many_duplicates),
        cmocka_unit_test(test_spanning_tree),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
