/* Generated systems against the models that they generalise, and against what their structure implies. */
#include "support/files.h"
#include "support/ode_systems.h"

#include <math.h>

#include "ode/families.h"
#include "ode/integrate.h"
#include "ode/partition.h"

static counted_memory memory;
static coset_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

static ode_model *made(coset_status status, ode_model *model)
{
    if (status != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_non_null(model);
    return model;
}

static ode_model *htree(int64_t depth, double perturbation)
{
    ode_model *model = NULL;
    coset_status status = family_htree(ctx, depth, perturbation, &model);
    return made(status, model);
}

static ode_model *polymers(double perturbation)
{
    ode_model *model = NULL;
    coset_status status = family_polymers(ctx, perturbation, &model);
    return made(status, model);
}

static ode_model *phosphorylation(int64_t sites, double perturbation)
{
    ode_model *model = NULL;
    coset_status status = family_phosphorylation(ctx, sites, perturbation, &model);
    return made(status, model);
}

/* A model of the data folder; NULL: skipped. */
static ode_model *loaded(const char *name)
{
    ode_model *model = NULL;
    const char *path = files_data(name);
    if (path == NULL) return NULL;
    coset_status status = model_load(ctx, path, &model);
    return made(status, model);
}

static ode_system *system_of(const ode_model *model)
{
    ode_system *system = NULL;
    if (system_from_model(model, false, &system) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    return system;
}

/* Sizes of the blocks of the coarsest equivalence, ascending; freed by the caller. */
static int64_t *block_sizes(const ode_system *system, equivalence kind, const int64_t *labels,
                            int64_t *n_out)
{
    partition initial = {0}, found = {0};
    if (labels != NULL)
        assert_int_equal(partition_from_labels(ctx, labels, system->n, &initial), COSET_OK);
    else
        assert_int_equal(partition_one(ctx, system->n, &initial), COSET_OK);
    assert_int_equal(partition_refine_exact(system, kind, &initial, &found), COSET_OK);
    int64_t *sizes = calloc((size_t)found.n_blocks, sizeof *sizes);
    assert_non_null(sizes);
    for (int64_t b = 0; b < found.n_blocks; b++) {
        int64_t size = found.start[b + 1] - found.start[b], at = b;
        for (; at > 0 && sizes[at - 1] > size; at--) sizes[at] = sizes[at - 1];
        sizes[at] = size;
    }
    *n_out = found.n_blocks;
    partition_free(ctx, &initial);
    partition_free(ctx, &found);
    return sizes;
}

static void assert_blocks(const ode_model *model, equivalence kind, const int64_t *labels,
                          int64_t expected)
{
    int64_t n = 0;
    ode_system *system = system_of(model);
    free(block_sizes(system, kind, labels, &n));
    assert_int_equal(n, expected);
    system_free(system);
}

/* What is written is read back as the same system. */
static void assert_round_trip(const ode_model *model)
{
    char *text = NULL;
    size_t size = 0;
    ode_model *back = NULL;
    assert_int_equal(model_text(model, &text, &size), COSET_OK);
    if (model_parse(ctx, text, size, "text", &back) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    ode_system *before = system_of(model), *after = system_of(back);
    ode_systems_same(before, after, 0);
    assert_true(model->t_end == back->t_end);
    assert_int_equal(model->n_views, back->n_views);
    system_free(before);
    system_free(after);
    model_free(back);
    ctx_free(ctx, text);
}

/* ---- the H-tree -------------------------------------------------------------------------------- */

/* The published file has the nominal constants with noise in the fourth digit. */
static void test_htree_is_published(void **state)
{
    (void)state;
    ode_model *model = htree(3, 0), *file = loaded("ode/andrea_hTreeCircuit3_1.ode");
    number values[16];
    assert_int_equal(model->n_parameters, 9);
    assert_int_equal(model_parameter_values(model, values), COSET_OK);
    assert_string_equal(model->parameters[0].name, "b2");
    assert_true(fabs(values[0].value - 1 / (6.37 * .28)) < 1e-15);
    assert_true(number_equal(values[0], values[1]));
    assert_string_equal(model->parameters[2].name, "an1k1");
    assert_true(fabs(values[2].value - 1.11957) < 1e-5);
    assert_true(fabs(values[3].value - .5233) < 1e-4);
    assert_true(fabs(values[5].value - .6033) < 1e-4);
    if (file != NULL) {
        ode_system *ours = system_of(model), *theirs = system_of(file);
        ode_systems_same(ours, theirs, 2e-4);
        assert_true(model->t_end == file->t_end);
        system_free(ours);
        system_free(theirs);
    }
    model_free(model);
    model_free(file);
}

/* Branches of a level are equal, so there is one block for each level, in both directions; with other
 * resistances there is none. */
static void test_htree_blocks(void **state)
{
    (void)state;
    for (int64_t depth = 1; depth <= 8; depth++) {
        ode_model *model = htree(depth, 0);
        assert_int_equal(model->n_variables, ((int64_t)1 << depth) - 1);
        assert_blocks(model, EQUIVALENCE_BACKWARD, NULL, depth);
        assert_blocks(model, EQUIVALENCE_FORWARD, NULL, depth);
        assert_round_trip(model);
        model_free(model);
        model = htree(depth, 0.01);
        assert_blocks(model, EQUIVALENCE_BACKWARD, NULL, model->n_variables);
        assert_round_trip(model);
        model_free(model);
    }
}

/* Every voltage comes to rest at the source's. */
static void test_htree_rest(void **state)
{
    (void)state;
    const double times[] = {0, 1000};
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    for (int64_t depth = 1; depth <= 8; depth++) {
        ode_model *model = htree(depth, 0.2);
        ode_system *system = system_of(model);
        double *out = doubles(2 * system->n);
        assert_int_equal(integrate_system(system, NULL, times, 2, &options, NULL, out), COSET_OK);
        for (int64_t i = 0; i < system->n; i++) assert_true(fabs(out[system->n + i] - 2) < 1e-6);
        free(out);
        system_free(system);
        model_free(model);
    }
}

/* Constants stay within the perturbation, differ between branches and follow the seed. */
static void test_htree_perturbation(void **state)
{
    (void)state;
    number nominal[16], first[16], same[16], other[16];
    ode_model *model = htree(3, 0);
    assert_int_equal(model_parameter_values(model, nominal), COSET_OK);
    model_free(model);
    for (int k = 0; k < 3; k++) {
        ctx->seed = k == 2 ? 7 : 0;
        model = htree(3, 0.1);
        assert_int_equal(model_parameter_values(model, k == 0   ? first
                                                       : k == 1 ? same
                                                                : other),
                         COSET_OK);
        model_free(model);
    }
    for (int p = 0; p < 9; p++) {
        double ratio = nominal[p].value / first[p].value; /* of R C */
        assert_true(ratio > 0.9 * 0.9 && ratio < 1.1 * 1.1);
        assert_true(number_equal(first[p], same[p]));
        assert_false(number_equal(first[p], other[p]));
        assert_false(number_equal(first[p], nominal[p]));
    }
}

/* ---- polymers ---------------------------------------------------------------------------------- */

static void test_polymers_are_published(void **state)
{
    (void)state;
    ode_model *model = polymers(0.01), *file = loaded("ode/andrea_perturbedpolymers2.ode");
    assert_int_equal(model->n_reactions, 11);
    assert_round_trip(model);
    if (file != NULL) {
        ode_system *ours = system_of(model), *theirs = system_of(file);
        ode_systems_same(ours, theirs, 0);
        for (int64_t t = 0; t < ours->row_start[ours->n]; t++)
            assert_true(number_equal(ours->coefficient[t], theirs->coefficient[t]));
        assert_true(model->t_end == file->t_end);
        system_free(ours);
        system_free(theirs);
    }
    model_free(model);
    model_free(file);
}

/* With equal rates the ends may be swapped, forward: A1 with A2, A1p with A2p, A1CHCHp with A2CHCHp. */
static void test_polymers_swap(void **state)
{
    (void)state;
    const int64_t labels[10] = {0, 0, 1, 1, 2, 3, 4, 5, 5, 6};
    ode_model *model = polymers(0);
    assert_blocks(model, EQUIVALENCE_FORWARD, labels, 7);
    assert_round_trip(model);
    model_free(model);
    model = polymers(0.01);
    assert_blocks(model, EQUIVALENCE_FORWARD, labels, 10);
    model_free(model);
}

/* ---- phosphorylation --------------------------------------------------------------------------- */

/* Reactions with this rate, reagents and products. */
static int64_t count_reactions(const ode_model *model, double rate, int32_t n_reagents,
                               int32_t n_products)
{
    int64_t count = 0;
    number *values = calloc((size_t)model->n_parameters + 1, sizeof *values);
    double *parameters = doubles(model->n_parameters);
    assert_int_equal(model_parameter_values(model, values), COSET_OK);
    for (int64_t p = 0; p < model->n_parameters; p++) parameters[p] = values[p].value;
    for (int64_t r = 0; r < model->n_reactions; r++) {
        const model_reaction *at = &model->reactions[r];
        count += at->n_reagents == n_reagents && at->n_products == n_products &&
                 expression_value(at->rate, parameters, NULL) == rate;
    }
    free(values);
    free(parameters);
    return count;
}

/* e2 and e3 are the members with two and three sites: as many species, as many reactions of each kind,
 * the same initial values of E, F and the substrate, and blocks of the same sizes. */
static void test_phosphorylation_is_published(void **state)
{
    (void)state;
    const char *const files[] = {"ode/andrea_e2.ode", "ode/andrea_e3.ode"};
    const int64_t blocks[] = {12, 22};
    for (int k = 0; k < 2; k++) {
        int64_t n = 0, sites = k + 2, half = sites << (2 * (sites - 1)), m = 0;
        ode_model *model = phosphorylation(sites, 0), *file = loaded(files[k]);
        const ode_model *both[2] = {model, file};
        int64_t *sizes[2] = {NULL, NULL};
        for (int f = 0; f < (file != NULL ? 2 : 1); f++) {
            ode_system *system = system_of(both[f]);
            assert_int_equal(both[f]->n_variables, (1 << (2 * sites)) + 2);
            assert_int_equal(both[f]->n_reactions, 6 * half);
            /* Binding to E and to F; letting go of either; the two ways to be done. */
            assert_int_equal(count_reactions(both[f], 0.7, 2, 1), 2 * half);
            assert_int_equal(count_reactions(both[f], 3, 1, 2), 2 * half);
            assert_int_equal(count_reactions(both[f], 5, 1, 2), half);
            assert_int_equal(count_reactions(both[f], 5.1, 1, 2), half);
            sizes[f] = block_sizes(system, EQUIVALENCE_FORWARD, both[f]->block_of, &n);
            assert_int_equal(n, blocks[k]);
            system_free(system);
        }
        if (file != NULL) {
            ode_system *ours = system_of(model), *theirs = system_of(file);
            assert_memory_equal(sizes[0], sizes[1], (size_t)n * sizeof **sizes);
            for (m = 0; m < ours->n; m++)
                assert_true(ours->initial[m].value == theirs->initial[m].value);
            system_free(ours);
            system_free(theirs);
        }
        free(sizes[0]);
        free(sizes[1]);
        assert_round_trip(model);
        model_free(model);
        model_free(file);
    }
}

/* The number of sites in each of four states is what blocks are made of: multisets, of
 * (sites + 1)(sites + 2)(sites + 3) / 6 kinds, and E and F. */
static void test_phosphorylation_blocks(void **state)
{
    (void)state;
    for (int64_t sites = 1; sites <= 5; sites++) {
        ode_model *model = phosphorylation(sites, 0);
        int64_t kinds = (sites + 1) * (sites + 2) * (sites + 3) / 6;
        assert_blocks(model, EQUIVALENCE_FORWARD, model->block_of, kinds + 2);
        assert_blocks(model, EQUIVALENCE_BACKWARD, model->block_of, kinds + 2);
        model_free(model);
    }
    /* Sites with rates of their own are all different. */
    ode_model *model = phosphorylation(2, 0.05);
    assert_blocks(model, EQUIVALENCE_BACKWARD, model->block_of, model->n_variables);
    assert_int_equal(model->n_parameters, 3 + 12);
    assert_string_equal(model->parameters[6].name, "kOnE2");
    assert_round_trip(model);
    model_free(model);
}

/* As many reactions as ProteinPhosphorylation4, and enzymes and substrate are kept. */
static void test_phosphorylation_keeps_matter(void **state)
{
    (void)state;
    const double times[] = {0, 0.01, 0.1};
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    ode_model *model = phosphorylation(4, 0);
    assert_int_equal(model->n_variables, 258);
    assert_int_equal(model->n_reactions, 1536);
    ode_system *system = system_of(model);
    double *out = doubles(3 * system->n);
    assert_int_equal(integrate_system(system, NULL, times, 3, &options, NULL, out), COSET_OK);
    for (int k = 1; k < 3; k++) {
        const double *x = out + k * system->n;
        double enzyme[2] = {x[0], x[1]}, substrate = 0;
        for (int64_t w = 0; w < 256; w++) {
            substrate += x[w + 2];
            for (int64_t digits = w, site = 0; site < 4; site++, digits /= 4) {
                if (digits % 4 == 1) enzyme[0] += x[w + 2];
                if (digits % 4 == 3) enzyme[1] += x[w + 2];
            }
        }
        assert_true(fabs(enzyme[0] - 300) < 1e-5);
        assert_true(fabs(enzyme[1] - 300) < 1e-5);
        assert_true(fabs(substrate - 3000) < 1e-4);
        assert_true(x[0] < 100); /* most of E is bound at once */
    }
    free(out);
    system_free(system);
    model_free(model);
}

static void test_views(void **state)
{
    (void)state;
    ode_model *model = phosphorylation(1, 0); /* E, F, free, bound, phosphorylated, bound to F */
    const double variables[] = {1, 2, 4, 8, 16, 32};
    assert_int_equal(model->n_views, 3);
    assert_true(expression_value(model->views[0].value, NULL, variables) == 1);
    assert_true(expression_value(model->views[1].value, NULL, variables) == 2);
    assert_true(expression_value(model->views[2].value, NULL, variables) == 16 + 32);
    model_free(model);
}

/* ---- damage ------------------------------------------------------------------------------------ */

static void test_options(void **state)
{
    (void)state;
    ode_model *model = NULL;
    const double bad[] = {-0.1, 1, 2, NAN, INFINITY};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_int_equal(family_htree(ctx, 3, bad[k], &model), COSET_EARGUMENT);
        assert_int_equal(family_phosphorylation(ctx, 3, bad[k], &model), COSET_EARGUMENT);
        if (bad[k] == 1) continue;
        assert_int_equal(family_polymers(ctx, bad[k], &model), COSET_EARGUMENT);
        assert_null(model);
    }
    const int64_t sizes[] = {-1, 0, 9, INT64_MAX};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        assert_int_equal(family_htree(ctx, sizes[k], 0, &model), COSET_EARGUMENT);
        assert_int_equal(family_phosphorylation(ctx, sizes[k], 0, &model), COSET_EARGUMENT);
        assert_null(model);
    }
}

static coset_status make_one(int which, ode_model **model_out)
{
    switch (which) {
    case 0: return family_htree(ctx, 2, 0.1, model_out);
    case 1: return family_polymers(ctx, 0.1, model_out);
    default: return family_phosphorylation(ctx, 2, 0.1, model_out);
    }
}

static void test_memory(void **state)
{
    (void)state;
    for (int which = 0; which < 3; which++) {
        ode_model *model = NULL;
        int64_t alive = memory.alive, before = memory.made;
        assert_int_equal(make_one(which, &model), COSET_OK);
        int64_t total = memory.made - before;
        model_free(model);
        assert_true(total > 5);
        for (int64_t k = 0; k < total; k++) {
            memory.fail_from = memory.made + k;
            coset_status status = make_one(which, &model);
            memory.fail_from = -1;
            assert_int_equal(status, COSET_EMEMORY);
            assert_null(model);
            assert_int_equal(memory.alive, alive);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_htree_is_published, setup, teardown),
        cmocka_unit_test_setup_teardown(test_htree_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_htree_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_htree_perturbation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_polymers_are_published, setup, teardown),
        cmocka_unit_test_setup_teardown(test_polymers_swap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_phosphorylation_is_published, setup, teardown),
        cmocka_unit_test_setup_teardown(test_phosphorylation_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_phosphorylation_keeps_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_views, setup, teardown),
        cmocka_unit_test_setup_teardown(test_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
