/* Exact equivalences of systems whose blocks are known: files of the ERODE tool with the blocks that it
 * listed, and large systems with a planted structure. */
#include "ode/partition.h"
#include "ode/reduce.h"

#include "support/files.h"

/* ---- files ---- */

static ode_model *load(coset_ctx *ctx, const char *name)
{
    char path[64];
    ode_model *model = NULL;
    snprintf(path, sizeof path, "ode/%s.ode", name);
    const char *found = files_data(path);
    if (found == NULL) return NULL;
    if (model_load(ctx, found, &model) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    return model;
}

static ode_system *system_of(const ode_model *model)
{
    ode_system *system = NULL;
    if (system_from_model(model, false, &system) != COSET_OK)
        fail_msg("%s", coset_ctx_error(model->ctx));
    return system;
}

static int64_t variable(const ode_system *system, const char *name)
{
    int64_t v = 0;
    while (v < system->n && strcmp(system->names[v], name) != 0) v++;
    if (v == system->n) fail_msg("no variable %s", name);
    return v;
}

/* The blocks that a reduced file lists behind its body: "//S3:" and then lines "  // \tS3". */
static void listed_blocks(const ode_system *system, const char *name, partition *out)
{
    char path[64], line[256], word[256];
    snprintf(path, sizeof path, "ode/%s.ode", name);
    FILE *file = fopen(files_data(path), "r");
    assert_non_null(file);
    int64_t *labels = calloc((size_t)system->n, sizeof *labels);
    assert_non_null(labels);
    for (int64_t v = 0; v < system->n; v++) labels[v] = -1;
    int64_t listed = 0, of = -1;
    bool behind = false;
    while (fgets(line, sizeof line, file) != NULL) {
        behind = behind || strncmp(line, "//Comments", 10) == 0;
        if (!behind) continue;
        if (sscanf(line, "//%255[A-Za-z0-9]:", word) == 1 && strncmp(word, "Comments", 8) != 0) {
            of = variable(system, word);
        } else if (sscanf(line, " // \t%255[A-Za-z0-9]", word) == 1 && strlen(word) > 1 &&
                   strncmp(line, "  // \t", 6) == 0) {
            assert_true(of >= 0);
            labels[variable(system, word)] = of;
            listed++;
        }
    }
    fclose(file);
    assert_int_equal(listed, system->n);
    assert_int_equal(partition_from_labels(system->ctx, labels, system->n, out), COSET_OK);
    free(labels);
}

static void assert_equivalence(const ode_system *system, equivalence kind, const partition *blocks)
{
    double violation = 1;
    assert_int_equal(system_violation(system, kind, blocks, &violation, NULL), COSET_OK);
    assert_true(violation <= 1e-9);
}

static partition refine(const ode_system *system, equivalence kind, const partition *initial)
{
    partition found;
    assert_int_equal(partition_refine_exact(system, kind, initial, &found), COSET_OK);
    assert_equivalence(system, kind, &found);
    return found;
}

static partition refine_one(const ode_system *system, equivalence kind)
{
    partition one;
    assert_int_equal(partition_one(system->ctx, system->n, &one), COSET_OK);
    partition found = refine(system, kind, &one);
    partition_free(system->ctx, &one);
    return found;
}

static void assert_same(const partition *found, const partition *expected)
{
    assert_int_equal(found->n_blocks, expected->n_blocks);
    assert_true(partition_equal(found, expected));
}

/* e2 and e3 from the partition of their files ({S0}, {S1} and all others) and from one block. */
static void test_phosphorylation(void **state)
{
    (void)state;
    static const struct {
        const char *name, *reduced;
        int64_t n, n_blocks;
    } cases[] = {{"andrea_e2", "andrea_e2FE", 18, 12}, {"andrea_e3", "andrea_e3FE", 66, 22}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ode_model *model = load(ctx, cases[i].name);
        if (model == NULL) continue;
        ode_system *system = system_of(model);
        partition initial, expected;
        assert_int_equal(system->n, cases[i].n);
        assert_non_null(model->block_of);
        assert_int_equal(partition_from_labels(ctx, model->block_of, system->n, &initial),
                         COSET_OK);
        assert_int_equal(initial.n_blocks, 3);
        partition found = refine(system, EQUIVALENCE_FORWARD, &initial);
        partition from_one = refine_one(system, EQUIVALENCE_FORWARD);
        listed_blocks(system, cases[i].reduced, &expected);
        assert_int_equal(found.n_blocks, cases[i].n_blocks);
        assert_same(&found, &expected);
        assert_same(&from_one, &expected);
        partition_free(ctx, &initial);
        partition_free(ctx, &found);
        partition_free(ctx, &from_one);
        partition_free(ctx, &expected);
        system_free(system);
        model_free(model);
    }
    counted_ctx_end(ctx, &memory);
}

static void test_kaic(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = load(ctx, "andrea_kaic");
    if (model != NULL) {
        ode_system *system = system_of(model);
        partition found = refine_one(system, EQUIVALENCE_FORWARD);
        assert_int_equal(system->n, 4);
        assert_int_equal(found.n_blocks, 1);
        partition_free(ctx, &found);
        system_free(system);
        model_free(model);
    }
    counted_ctx_end(ctx, &memory);
}

/* The circuit of seven voltages with the parameters that the tool's reduced files have, with which the
 * branches of one level are equal. */
static void test_htree(void **state)
{
    (void)state;
    static const char *const reduced[] = {"andrea_htreeFE", "andrea_htreeBE"};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (equivalence kind = EQUIVALENCE_FORWARD; kind <= EQUIVALENCE_BACKWARD; kind++) {
        ode_model *model = load(ctx, "andrea_hTreeCircuit3_1RN"),
                  *values = load(ctx, reduced[kind]);
        if (model != NULL && values != NULL) {
            number *numbers = calloc((size_t)values->n_parameters, sizeof *numbers);
            assert_non_null(numbers);
            assert_int_equal(model_parameter_values(values, numbers), COSET_OK);
            for (int64_t p = 0; p < values->n_parameters; p++)
                assert_int_equal(model_set(model, values->parameters[p].name, numbers[p].value),
                                 COSET_OK);
            free(numbers);
            ode_system *system = system_of(model);
            partition expected, found = refine_one(system, kind);
            listed_blocks(system, reduced[kind], &expected);
            assert_int_equal(found.n_blocks, 3);
            assert_same(&found, &expected);
            partition_free(ctx, &expected);
            partition_free(ctx, &found);
            system_free(system);
        }
        model_free(model);
        model_free(values);
    }
    counted_ctx_end(ctx, &memory);
}

/* ---- large systems ---- */

static void add(system_builder *builder, int64_t row, int64_t a, int64_t b, int64_t coefficient)
{
    factor factors[2] = {{(int32_t)a, 1}, {(int32_t)b, 1}};
    assert_int_equal(
        system_builder_add(builder, row, factors, b < 0 ? 1 : 2, number_of((double)coefficient)),
        COSET_OK);
}

static system_builder *builder_of(coset_ctx *ctx, int64_t n)
{
    system_builder *builder = NULL;
    number *initial = calloc((size_t)n, sizeof *initial);
    assert_non_null(initial);
    assert_int_equal(system_builder_new(ctx, n, 0, NULL, initial, &builder), COSET_OK);
    free(initial);
    return builder;
}

/* Equal copies of a random network, all catalysed by the same hubs, which they feed:
 *     hub_k + x_j -> hub_k + x_j' + hub_k'       x_j -> nothing
 * with rates that do not depend on the copy. The copies of x_j are a block, forward and backward. */
enum { COPIES = 500, LOCAL = 50, HUBS = 4, ALL = COPIES * LOCAL + HUBS };

static int64_t copy_of(const int64_t *place, int64_t copy, int64_t j)
{
    return place[HUBS + copy * LOCAL + j];
}

static ode_system *copies(coset_ctx *ctx, rng *random, const int64_t *place)
{
    system_builder *builder = builder_of(ctx, ALL);
    ode_system *system = NULL;
    for (int64_t j = 0; j < LOCAL; j++) {
        int64_t decay = 1 + rng_below(random, 1000000);
        for (int64_t c = 0; c < COPIES; c++) {
            int64_t x = copy_of(place, c, j);
            add(builder, x, x, -1, -decay);
        }
        for (int64_t k = 0; k < HUBS; k++) {
            int64_t rate = 1 + rng_below(random, 1000000);
            int64_t to = rng_below(random, LOCAL), fed = place[rng_below(random, HUBS)];
            for (int64_t c = 0; c < COPIES; c++) {
                int64_t x = copy_of(place, c, j);
                add(builder, x, place[k], x, -rate);
                add(builder, copy_of(place, c, to), place[k], x, rate);
                add(builder, fed, place[k], x, rate);
            }
        }
    }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    return system;
}

static void test_copies(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(1, 0);
    int64_t *place = calloc(ALL, sizeof *place), *labels = calloc(ALL, sizeof *labels);
    assert_true(place != NULL && labels != NULL);
    rng_permutation(&random, ALL, place);
    ode_system *system = copies(ctx, &random, place);
    assert_true(system->n_monomials > 100000);
    for (int64_t i = 0; i < ALL; i++) labels[place[i]] = i < HUBS ? i : HUBS + (i - HUBS) % LOCAL;
    partition expected;
    assert_int_equal(partition_from_labels(ctx, labels, ALL, &expected), COSET_OK);
    for (equivalence kind = EQUIVALENCE_FORWARD; kind <= EQUIVALENCE_BACKWARD; kind++) {
        partition found = refine_one(system, kind);
        assert_same(&found, &expected);
        partition_free(ctx, &found);
    }
    partition_free(ctx, &expected);
    system_free(system);
    free(place);
    free(labels);
    counted_ctx_end(ctx, &memory);
}

/* A binary tree in which every voltage follows the one above: a level is a block, found level by
 * level. From the leaves up (forward) and from the root down (backward). */
static void test_tree(void **state)
{
    (void)state;
    enum { DEPTH = 16, N = (1 << DEPTH) - 1 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    int64_t *labels = calloc(N, sizeof *labels);
    assert_non_null(labels);
    system_builder *builder = builder_of(ctx, N);
    ode_system *system = NULL;
    for (int64_t i = 0; i < N; i++) {
        add(builder, i, i, -1, -2);
        if (i > 0) add(builder, i, (i - 1) / 2, -1, 2);
        while (i + 1 >= INT64_C(2) << labels[i]) labels[i]++;
    }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    partition expected;
    assert_int_equal(partition_from_labels(ctx, labels, N, &expected), COSET_OK);
    assert_int_equal(expected.n_blocks, DEPTH);
    for (equivalence kind = EQUIVALENCE_FORWARD; kind <= EQUIVALENCE_BACKWARD; kind++) {
        partition found = refine_one(system, kind);
        assert_same(&found, &expected);
        partition_free(ctx, &found);
    }
    partition_free(ctx, &expected);
    system_free(system);
    free(labels);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phosphorylation),
        cmocka_unit_test(test_kaic),
        cmocka_unit_test(test_htree),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
