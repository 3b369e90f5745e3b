/* Distances between variables: the closed forms, and random systems against the definition. */
#include "support/ode_polynomials.h"

#include "ode/distance.h"

static double distance_of(const ode_system *system, equivalence kind, const partition *blocks,
                          int64_t i, int64_t j)
{
    double distance = NAN;
    assert_int_equal(partition_distance(system, kind, blocks, i, j, &distance), COSET_OK);
    return distance;
}

/* dist_F of x0 and x1 in one block. */
static double forward_pair(coset_ctx *ctx, ode_system *system)
{
    int64_t labels[3] = {0, 0, 1};
    partition blocks = {0};
    assert_int_equal(partition_from_labels(ctx, labels, system->n, &blocks), COSET_OK);
    double distance = distance_of(system, EQUIVALENCE_FORWARD, &blocks, 0, 1);
    assert_true(distance == distance_of(system, EQUIVALENCE_FORWARD, &blocks, 1, 0));
    partition_free(ctx, &blocks);
    system_free(system);
    return distance;
}

static void closed_forms(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(1, 0);
    (void)state;
    /* a x0 + c x1, alone and beside another variable: 3 |a - c| each time. */
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 3, {2, "5", {1}}, {2, "3", {2}})) == 6);
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 3, {2, "5", {1, 3}}, {2, "3", {2, 3}},
                                             {2, "1", {1}})) == 9);
    /* The block {x0, x1} is one equation, x2 another. */
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 3, {0, "-1", {1}}, {1, "-1", {2}})) == 0);
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 3, {0, "-1", {1}}, {2, "-1", {2}})) == 6);
    /* x0^2 + 2 x0 x1 + x1^2 is a function of the sum, x0^2 + x1^2 is not. */
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 2, {0, "1", {1, 1}}, {0, "1", {2, 2}},
                                             {1, "2", {1, 2}})) == 0);
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 2, {0, "1", {1, 1}}, {0, "1", {2, 2}})) == 18);
    /* p x0^2 + r x1^2 + t x0 x1: |p - r| + 5 |t - 2r| + 4 |t - p - r|. */
    for (int trial = 0; trial < 50; trial++) {
        double value[3];
        int ids[3][2] = {{0, 0}, {1, 1}, {0, 1}};
        number initial[2] = {{0, 0}};
        const char *names[2] = {NULL};
        system_builder *builder = NULL;
        ode_system *system = NULL;
        assert_int_equal(system_builder_new(ctx, 2, 0, names, initial, &builder), COSET_OK);
        for (int k = 0; k < 3; k++) {
            factor factors[2] = {{ids[k][0], 1}, {ids[k][1], 1}};
            value[k] = (double)(rng_below(&random, 65) - 32) / 8;
            ode_add(builder, rng_below(&random, 2), factors, 2, number_of(value[k]));
        }
        assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
        double p = value[0], r = value[1], t = value[2];
        assert_true(forward_pair(ctx, system) ==
                    fabs(p - r) + 5 * fabs(t - 2 * r) + 4 * fabs(t - p - r));
    }
    counted_ctx_end(ctx, &memory);
}

static void backward_by_hand(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    int64_t labels[4] = {0, 0, 2, 2};
    partition blocks = {0};
    (void)state;
    /* x0' = 2 x2 x3 - x0 + 1, x1' = 1.5 x2^2 - x1 + 3 x2: |2 - 1.5| + 3 + 1. */
    ode_system *system =
        ODE_SYSTEM(ctx, 4, {0, "2", {3, 4}}, {0, "-1", {1}}, {0, "1", {0}}, {1, "1.5", {3, 3}},
                   {1, "-1", {2}}, {1, "3", {3}}, {2, "7", {1}}, {3, "4", {1}}, {3, "3", {2}});
    assert_int_equal(partition_from_labels(ctx, labels, 4, &blocks), COSET_OK);
    assert_true(distance_of(system, EQUIVALENCE_BACKWARD, &blocks, 0, 1) == 4.5);
    assert_true(distance_of(system, EQUIVALENCE_BACKWARD, &blocks, 2, 3) == 0);
    assert_true(distance_of(system, EQUIVALENCE_BACKWARD, &blocks, 2, 2) == 0);
    double unused = 0;
    assert_int_equal(partition_distance(system, EQUIVALENCE_BACKWARD, &blocks, 0, 2, &unused),
                     COSET_EARGUMENT);
    assert_int_equal(partition_distance(system, EQUIVALENCE_BACKWARD, &blocks, 0, 4, &unused),
                     COSET_EARGUMENT);
    partition_free(ctx, &blocks);
    system_free(system);
    counted_ctx_end(ctx, &memory);
}

/* Every pair of every block of a random partition; and the last merge of complete linkage, which is at the
 * largest distance of the block. */
static void definition(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(2, 0);
    int64_t pairs = 0, apart = 0;
    (void)state;
    for (int trial = 0; trial < 400; trial++) {
        int64_t n = 2 + rng_below(&random, 5);
        ode_system *system = eighths_system(ctx, &random, n, 3 + rng_below(&random, 40), 4);
        int64_t labels[8], n_labels = 1 + rng_below(&random, 3);
        partition blocks = {0};
        for (int64_t i = 0; i < n; i++) labels[i] = rng_below(&random, n_labels);
        assert_int_equal(partition_from_labels(ctx, labels, n, &blocks), COSET_OK);
        for (int kind = EQUIVALENCE_FORWARD; kind <= EQUIVALENCE_BACKWARD; kind++) {
            double largest[8] = {0};
            for (int64_t i = 0; i < n; i++) {
                for (int64_t j = i + 1; j < n; j++) {
                    if (labels[i] != labels[j]) continue;
                    double defined = defined_distance(system, (equivalence)kind, labels, i, j);
                    assert_true(defined == distance_of(system, (equivalence)kind, &blocks, i, j));
                    largest[blocks.block_of[i]] = fmax(largest[blocks.block_of[i]], defined);
                    pairs++;
                    apart += defined > 0;
                }
            }
            vector_source source = {0};
            int64_t first[8];
            for (int64_t i = 0; i < n; i++)
                first[i] = blocks.members[blocks.start[blocks.block_of[i]]];
            assert_int_equal(vector_source_init(system, (equivalence)kind, &source), COSET_OK);
            for (int64_t b = 0; b < blocks.n_blocks; b++) {
                cluster_tree tree = {0};
                int64_t count = blocks.start[b + 1] - blocks.start[b];
                assert_int_equal(distance_tree(&source, first, blocks.members + blocks.start[b],
                                               count, CLUSTER_COMPLETE, &tree),
                                 COSET_OK);
                if (count > 1) assert_true(tree.merges[count - 2].height == largest[b]);
                cluster_tree_free(ctx, &tree);
            }
            vector_source_free(&source);
        }
        partition_free(ctx, &blocks);
        system_free(system);
    }
    assert_true(pairs > 3000 && apart > pairs / 2 && apart < pairs);
    counted_ctx_end(ctx, &memory);
}

/* Degree 64: binomials are beyond f64, and a function of the sum is still at distance 0. */
static void high_degree(void **state)
{
    enum { D = 64 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (int change = 0; change < 2; change++) {
        number initial[2] = {{0, 0}}, row[D + 1], one = number_of(1);
        const char *names[2] = {"a", "b"};
        system_builder *builder = NULL;
        ode_system *system = NULL;
        row[0] = one;
        for (int d = 1; d <= D; d++) {
            row[d] = one;
            for (int k = d - 1; k > 0; k--) row[k] = number_add(row[k], row[k - 1]);
        }
        assert_int_equal(system_builder_new(ctx, 2, 0, names, initial, &builder), COSET_OK);
        for (int k = 0; k <= D; k++) {
            factor factors[2] = {{0, D - k}, {1, k}};
            ode_add(builder, k % 2,
                    k == 0   ? factors
                    : k == D ? factors + 1
                             : factors,
                    k == 0 || k == D ? 1 : 2, row[k]);
        }
        /* One more of about 2^60: f64 does not see it, the residue does. */
        if (change) ode_add(builder, 0, (factor[]){{0, 32}, {1, 32}}, 2, one);
        assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
        double distance = forward_pair(ctx, system);
        assert_true(change ? distance > 0 : distance == 0);
    }
    counted_ctx_end(ctx, &memory);
}

/* Equality is that of numbers: 0.1 + 0.2 is 0.3, and decimals that f64 does not tell apart differ. */
static void exact_zero(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 3, {0, "0.1", {1}}, {1, "0.2", {1}},
                                             {0, "0.3", {2}})) == 0);
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 3, {0, "0.1", {1, 2}}, {1, "0.2", {1, 2}},
                                             {0, "0.15", {1, 1}}, {1, "0.15", {2, 2}})) == 0);
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 3, {0, "0.1", {1}},
                                             {0, "0.1000000000000000000001", {2}})) > 0);
    assert_true(forward_pair(ctx, ODE_SYSTEM(ctx, 3, {0, "1e16", {1}}, {1, "1", {1}},
                                             {0, "1e16", {2}})) > 0);
    counted_ctx_end(ctx, &memory);
}

static void not_finite(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    partition one = {0}, out = {0};
    double unused = 0;
    (void)state;
    assert_int_equal(partition_one(ctx, 3, &one), COSET_OK);
    for (int which = 0; which < 2; which++) {
        ode_system *system =
            which == 0
                ? ODE_SYSTEM(ctx, 3, {0, "1.5e308", {1}}, {1, "1.5e308", {1}}, {0, "1", {2}})
                : ODE_SYSTEM(ctx, 3, {0, "1.5e308", {1}}, {1, "-1.5e308", {2}}, {0, "1", {3}});
        assert_int_equal(partition_distance(system, EQUIVALENCE_FORWARD, &one, 0, 1, &unused),
                         COSET_ENUMERIC);
        assert_int_equal(
            partition_refine_eps(system, EQUIVALENCE_FORWARD, &one, 1, EPS_SINGLE, &out, NULL),
            COSET_ENUMERIC);
        assert_non_null(strstr(coset_ctx_error(ctx), "x0"));
        assert_null(out.block_of);
        system_free(system);
    }
    partition_free(ctx, &one);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_forms), cmocka_unit_test(backward_by_hand),
        cmocka_unit_test(definition),   cmocka_unit_test(high_degree),
        cmocka_unit_test(exact_zero),   cmocka_unit_test(not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
