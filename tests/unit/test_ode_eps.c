/* The eps-refinement against the loop of METHODS.md 3.2 written out, and its ladder. */
#include "support/ode_polynomials.h"

static const eps_linkage LINKAGES[] = {EPS_SINGLE, EPS_COMPLETE};
static const equivalence KINDS[] = {EQUIVALENCE_FORWARD, EQUIVALENCE_BACKWARD};

static partition refined(const ode_system *system, equivalence kind, const partition *initial,
                         double eps, eps_linkage linkage, double *next_out)
{
    partition out = {0};
    assert_int_equal(partition_refine_eps(system, kind, initial, eps, linkage, &out, next_out),
                     COSET_OK);
    return out;
}

static partition random_partition(coset_ctx *ctx, rng *random, int64_t n)
{
    int64_t labels[64], n_labels = 1 + rng_below(random, 3);
    partition out = {0};
    assert_true(n <= 64);
    for (int64_t i = 0; i < n; i++) labels[i] = rng_below(random, n_labels);
    assert_int_equal(partition_from_labels(ctx, labels, n, &out), COSET_OK);
    return out;
}

/* ---- against the definition ---- */

/* Splits the block `block` of label into connected components of distances <= eps; the members' label
 * becomes the smallest member. */
static bool split_naively(const ode_system *system, equivalence kind, double eps, int64_t block,
                          int64_t *label)
{
    int64_t n = system->n, before[8], root[8];
    bool split = false;
    for (int64_t i = 0; i < n; i++) before[i] = label[i], root[i] = i;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = i + 1; j < n; j++) {
            if (before[i] != block || before[j] != block) continue;
            if (defined_distance(system, kind, before, i, j) > eps) continue;
            int64_t low = root[i] < root[j] ? root[i] : root[j];
            int64_t high = root[i] < root[j] ? root[j] : root[i];
            for (int64_t k = 0; k < n; k++)
                if (root[k] == high) root[k] = low;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        if (before[i] != block) continue;
        split = split || root[i] != block;
        label[i] = root[i];
    }
    return split;
}

/* The loop, blocks in random order. */
static void refine_naively(const ode_system *system, rng *random, equivalence kind, double eps,
                           int64_t *label)
{
    for (bool changed = true; changed;) {
        int64_t order[8];
        changed = false;
        rng_permutation(random, system->n, order);
        for (int64_t k = 0; k < system->n; k++)
            if (label[order[k]] == order[k] && split_naively(system, kind, eps, order[k], label))
                changed = true;
    }
}

static void first_members(const partition *blocks, int64_t *label)
{
    for (int64_t i = 0; i < blocks->n; i++)
        label[i] = blocks->members[blocks->start[blocks->block_of[i]]];
}

/* Single linkage is the definition, whatever the order of blocks. */
static void single_is_definition(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(11, 0);
    int64_t between = 0;
    (void)state;
    for (int trial = 0; trial < 400; trial++) {
        int64_t n = 3 + rng_below(&random, 5), label[8];
        equivalence kind = KINDS[trial % 2];
        ode_system *system =
            eighths_system(ctx, &random, n, n + rng_below(&random, 20), 1 + rng_below(&random, 3));
        partition initial = random_partition(ctx, &random, n), naive = {0};
        double eps = (double)rng_below(&random, 60) / 8, next = 0;
        partition out = refined(system, kind, &initial, eps, EPS_SINGLE, &next);
        first_members(&initial, label);
        refine_naively(system, &random, kind, eps, label);
        assert_int_equal(partition_from_labels(ctx, label, n, &naive), COSET_OK);
        assert_true(partition_equal(&naive, &out));
        between += out.n_blocks > initial.n_blocks && out.n_blocks < n;
        /* Nothing happens until next. */
        assert_true(next > eps);
        partition same =
            refined(system, kind, &initial, fmin(next * (1 - 1e-6), 1e6), EPS_SINGLE, NULL);
        assert_true(partition_equal(&same, &out));
        partition_free(ctx, &same);
        partition_free(ctx, &naive);
        partition_free(ctx, &out);
        partition_free(ctx, &initial);
        system_free(system);
    }
    assert_true(between > 40);
    counted_ctx_end(ctx, &memory);
}

/* No pair of a block is further apart than eps, measured against the result. */
static void complete_is_tight(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(12, 0);
    int64_t pairs = 0, differ = 0;
    (void)state;
    for (int trial = 0; trial < 400; trial++) {
        int64_t n = 3 + rng_below(&random, 5), label[8];
        equivalence kind = KINDS[trial % 2];
        ode_system *system =
            eighths_system(ctx, &random, n, n + rng_below(&random, 20), 1 + rng_below(&random, 3));
        partition initial = random_partition(ctx, &random, n);
        double eps = (double)rng_below(&random, 80) / 8;
        partition out = refined(system, kind, &initial, eps, EPS_COMPLETE, NULL);
        partition single = refined(system, kind, &initial, eps, EPS_SINGLE, NULL);
        partition again = refined(system, kind, &out, eps, EPS_COMPLETE, NULL);
        first_members(&out, label);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = i + 1; j < n; j++)
                if (label[i] == label[j]) {
                    assert_true(defined_distance(system, kind, label, i, j) <= eps);
                    pairs++;
                }
        assert_true(partition_refines(&out, &initial) && partition_refines(&out, &single));
        assert_true(partition_equal(&out, &again));
        differ += !partition_equal(&out, &single);
        partition_free(ctx, &again);
        partition_free(ctx, &single);
        partition_free(ctx, &out);
        partition_free(ctx, &initial);
        system_free(system);
    }
    assert_true(pairs > 200 && differ > 20);
    counted_ctx_end(ctx, &memory);
}

/* ---- eps 0, and coarser eps ---- */

static void zero_is_exact(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(13, 0);
    int64_t lumped = 0;
    (void)state;
    for (int trial = 0; trial < 400; trial++) {
        int64_t n = 2 + rng_below(&random, 14);
        ode_system *system = ode_system_random(ctx, &random, n, 1 + rng_below(&random, 12),
                                               (ode_symmetry)(trial % 4), NULL);
        partition initial = random_partition(ctx, &random, n);
        for (int k = 0; k < 4; k++) {
            partition exact = {0};
            partition out = refined(system, KINDS[k % 2], &initial, 0, LINKAGES[k / 2], NULL);
            assert_int_equal(partition_refine_exact(system, KINDS[k % 2], &initial, &exact),
                             COSET_OK);
            assert_true(partition_equal(&exact, &out));
            lumped += out.n_blocks < n && out.n_blocks > initial.n_blocks;
            partition_free(ctx, &exact);
            partition_free(ctx, &out);
        }
        partition_free(ctx, &initial);
        system_free(system);
    }
    assert_true(lumped > 200);
    counted_ctx_end(ctx, &memory);
}

static void coarser_with_eps(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(14, 0);
    (void)state;
    for (int trial = 0; trial < 200; trial++) {
        int64_t n = 2 + rng_below(&random, 14);
        equivalence kind = KINDS[trial % 2];
        ode_system *system = ode_system_random(ctx, &random, n, 1 + rng_below(&random, 12),
                                               (ode_symmetry)(trial % 4), NULL);
        partition one = {0}, finer = random_partition(ctx, &random, n);
        assert_int_equal(partition_one(ctx, n, &one), COSET_OK);
        partition last = refined(system, kind, &one, 0, EPS_SINGLE, NULL);
        for (double eps = 0.1; eps < 30; eps *= 2) {
            partition out = refined(system, kind, &one, eps, EPS_SINGLE, NULL);
            partition from_finer = refined(system, kind, &finer, eps, EPS_SINGLE, NULL);
            assert_true(partition_refines(&last, &out) && partition_refines(&from_finer, &out));
            partition_free(ctx, &from_finer);
            partition_free(ctx, &last);
            last = out;
        }
        partition all = refined(system, kind, &finer, INFINITY, EPS_COMPLETE, NULL);
        assert_true(partition_equal(&all, &finer));
        partition_free(ctx, &all);
        partition_free(ctx, &last);
        partition_free(ctx, &one);
        partition_free(ctx, &finer);
        system_free(system);
    }
    counted_ctx_end(ctx, &memory);
}

/* ---- ladder ---- */

static void ladder_is_scan(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(16, 0);
    int64_t most = 0;
    (void)state;
    for (int trial = 0; trial < 60; trial++) {
        int64_t n = 4 + rng_below(&random, 4), n_rungs = 0, n_few = 0;
        equivalence kind = KINDS[trial % 2];
        eps_linkage linkage = LINKAGES[trial / 2 % 2];
        ode_system *system = eighths_system(ctx, &random, n, 2 * n + rng_below(&random, 20), 3);
        partition initial = random_partition(ctx, &random, n);
        partition_rung *rungs = NULL, *few = NULL;
        assert_int_equal(partition_ladder(system, kind, &initial, linkage, 1000, &rungs, &n_rungs),
                         COSET_OK);
        assert_true(n_rungs >= 1 && rungs[0].eps == 0);
        assert_true(partition_equal(&rungs[n_rungs - 1].blocks, &initial));
        if (n_rungs > most) most = n_rungs;
        for (int64_t k = 1; k < n_rungs; k++) {
            assert_true(rungs[k].eps > rungs[k - 1].eps);
            assert_false(partition_equal(&rungs[k].blocks, &rungs[k - 1].blocks));
        }
        /* Distances are multiples of 1/8. */
        for (int64_t step = 0; step < 400; step++) {
            double eps = (double)step / 8;
            partition out = refined(system, kind, &initial, eps, linkage, NULL);
            int64_t at = 0;
            while (at + 1 < n_rungs && rungs[at + 1].eps <= eps) at++;
            assert_true(partition_equal(&out, &rungs[at].blocks));
            partition_free(ctx, &out);
        }
        assert_int_equal(partition_ladder(system, kind, &initial, linkage, 2, &few, &n_few),
                         COSET_OK);
        assert_int_equal(n_few, n_rungs < 2 ? n_rungs : 2);
        for (int64_t k = 0; k < n_few; k++)
            assert_true(partition_equal(&few[k].blocks, &rungs[k].blocks));
        partition_ladder_free(ctx, few, n_few);
        partition_ladder_free(ctx, rungs, n_rungs);
        partition_free(ctx, &initial);
        system_free(system);
    }
    assert_true(most >= 5);
    counted_ctx_end(ctx, &memory);
}

/* ---- refusals ---- */

static void refused(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    const int64_t n = PARTITION_MAX_APPROXIMATE + 1;
    ode_system *big = ode_system_of(ctx, n, &(ode_term){0, "1", {1}}, 1);
    ode_system *small = ODE_SYSTEM(ctx, 3, {0, "1", {1}}), *symbolic = NULL;
    partition one = {0}, three = {0}, out = {0};
    partition_rung *rungs = NULL;
    int64_t n_rungs = 0;
    (void)state;
    assert_int_equal(partition_one(ctx, n, &one), COSET_OK);
    assert_int_equal(partition_one(ctx, 3, &three), COSET_OK);
    const char *names[4] = {"a", "b", "c", "k"};
    number values[4] = {{0, 0}};
    system_builder *builder = NULL;
    assert_int_equal(system_builder_new(ctx, 3, 1, names, values, &builder), COSET_OK);
    ode_add(builder, 0, &(factor){3, 1}, 1, number_of(1));
    assert_int_equal(system_builder_finish(builder, &symbolic), COSET_OK);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(partition_refine_eps(big, KINDS[k], &one, 1, EPS_SINGLE, &out, NULL),
                         COSET_ELIMIT);
        assert_int_equal(partition_refine_eps(small, KINDS[k], &one, 1, EPS_SINGLE, &out, NULL),
                         COSET_EARGUMENT);
        assert_int_equal(partition_refine_eps(small, KINDS[k], &three, -1, EPS_SINGLE, &out, NULL),
                         COSET_EARGUMENT);
        assert_int_equal(partition_refine_eps(small, KINDS[k], &three, NAN, EPS_SINGLE, &out, NULL),
                         COSET_EARGUMENT);
        assert_int_equal(
            partition_refine_eps(symbolic, KINDS[k], &three, 0, EPS_SINGLE, &out, NULL),
            COSET_EARGUMENT);
        assert_int_equal(partition_ladder(small, KINDS[k], &three, EPS_SINGLE, 0, &rungs, &n_rungs),
                         COSET_EARGUMENT);
    }
    partition_free(ctx, &one);
    partition_free(ctx, &three);
    system_free(symbolic);
    system_free(small);
    system_free(big);
    counted_ctx_end(ctx, &memory);
}

/* Every allocation fails once, with all later ones. */
static void no_memory(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(17, 0);
    ode_system *system = eighths_system(ctx, &random, 6, 40, 4);
    partition one = {0}, out = {0};
    int64_t failures = 0;
    (void)state;
    assert_int_equal(partition_one(ctx, 6, &one), COSET_OK);
    for (int what = 0; what < 6; what++) {
        for (int64_t allowed = 0;; allowed++) {
            partition_rung *rungs = NULL;
            int64_t alive = memory.alive, n_rungs = 0;
            double distance = 0;
            memory.fail_from = memory.made + allowed;
            coset_status status =
                what < 2
                    ? partition_refine_eps(system, KINDS[what], &one, 1, EPS_SINGLE, &out, NULL)
                : what < 4 ? partition_ladder(system, KINDS[what - 2], &one, EPS_COMPLETE, 100,
                                              &rungs, &n_rungs)
                           : partition_distance(system, KINDS[what - 4], &one, 0, 1, &distance);
            memory.fail_from = -1;
            if (status != COSET_OK) {
                assert_int_equal(status, COSET_EMEMORY);
                assert_int_equal(memory.alive, alive);
                failures++;
                continue;
            }
            partition_free(ctx, &out);
            partition_ladder_free(ctx, rungs, n_rungs);
            break;
        }
    }
    assert_true(failures > 200);
    partition_free(ctx, &one);
    system_free(system);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_is_definition),
        cmocka_unit_test(complete_is_tight),
        cmocka_unit_test(zero_is_exact),
        cmocka_unit_test(coarser_with_eps),
        cmocka_unit_test(ladder_is_scan),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
