/* Reduced systems against the definition of METHODS.md 3.1 and against the files that ERODE wrote, and
 * the check of a partition against the definition in f64. */
#include "support/files.h"
#include "support/ode_systems.h"

#include "ode/reduce.h"

static coset_ctx *ctx;
static counted_memory memory;

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

/* ---- the definition, at random points ---- */

static void slope_at(const ode_system *system, const double *x, double *slope)
{
    system_evaluator *evaluator = NULL;
    assert_int_equal(system_evaluator_new(system, &evaluator), COSET_OK);
    system_slope(evaluator, x, slope);
    system_evaluator_free(evaluator);
}

/* Forward: F_H(x) may change only with the sums over blocks. Backward: f_i = f_j where members are equal.
 * Largest difference that one random point shows. */
static double defect(const ode_system *system, equivalence kind, const partition *blocks,
                     rng *random)
{
    double x[32], other[32], share[32], slope[32], changed[32], sum[2][32] = {{0}}, worst = 0;
    for (int64_t i = 0; i < system->n; i++) x[i] = rng_uniform(random) + 0.5;
    for (int64_t b = 0; b < blocks->n_blocks; b++) {
        double total = 0, shares = 0;
        for (int64_t m = blocks->start[b]; m < blocks->start[b + 1]; m++) {
            share[m] = rng_uniform(random) - 0.3;
            total += x[blocks->members[m]];
            shares += share[m];
        }
        for (int64_t m = blocks->start[b]; m < blocks->start[b + 1]; m++) {
            int64_t i = blocks->members[m];
            other[i] = kind == EQUIVALENCE_FORWARD ? total * share[m] / shares
                                                   : x[blocks->members[blocks->start[b]]];
        }
    }
    slope_at(system, x, slope);
    slope_at(system, other, changed);
    for (int64_t i = 0; i < system->n; i++) {
        int64_t b = blocks->block_of[i];
        sum[0][b] += slope[i];
        sum[1][b] += changed[i];
        if (kind == EQUIVALENCE_BACKWARD)
            worst = fmax(worst, fabs(changed[i] - changed[blocks->members[blocks->start[b]]]));
    }
    for (int64_t b = 0; b < blocks->n_blocks && kind == EQUIVALENCE_FORWARD; b++)
        worst = fmax(worst, fabs(sum[0][b] - sum[1][b]));
    return worst;
}

/* Y' at the aggregated point against the aggregated slope. */
static void check_quotient(const ode_system *system, equivalence kind, const partition *blocks,
                           rng *random)
{
    ode_system *reduced = NULL;
    double x[32], slope[32], y[32] = {0}, wanted[32] = {0}, found[32];
    assert_int_equal(system_reduce(system, kind, blocks, &reduced), COSET_OK);
    assert_int_equal(reduced->n, blocks->n_blocks);
    for (int64_t b = 0; b < blocks->n_blocks; b++) y[b] = rng_uniform(random) + 0.5;
    double initial[32] = {0};
    for (int64_t i = 0; i < system->n; i++) {
        int64_t b = blocks->block_of[i];
        x[i] = kind == EQUIVALENCE_FORWARD ? rng_uniform(random) + 0.5 : y[b];
        initial[b] += system->initial[i].value;
    }
    slope_at(system, x, slope);
    for (int64_t b = 0; b < blocks->n_blocks; b++) {
        int64_t representative = blocks->members[blocks->start[b]];
        assert_string_equal(reduced->names[b], system->names[representative]);
        wanted[b] = slope[representative];
        double start = system->initial[representative].value;
        if (kind == EQUIVALENCE_FORWARD) {
            wanted[b] = y[b] = 0;
            for (int64_t m = blocks->start[b]; m < blocks->start[b + 1]; m++) {
                y[b] += x[blocks->members[m]];
                wanted[b] += slope[blocks->members[m]];
            }
            start = initial[b];
        }
        assert_true(fabs(reduced->initial[b].value - start) <= 1e-12);
    }
    slope_at(reduced, y, found);
    /* About a hundred products of numbers of order 1 to 100. */
    for (int64_t b = 0; b < blocks->n_blocks; b++)
        assert_true(fabs(found[b] - wanted[b]) <= 1e-10 * (1 + fabs(wanted[b])));
    system_free(reduced);
}

static double violation_of(const ode_system *system, equivalence kind, const partition *blocks,
                           int64_t *worst)
{
    double violation = -1;
    assert_int_equal(system_violation(system, kind, blocks, &violation, worst), COSET_OK);
    return violation;
}

static void planted(void **state)
{
    (void)state;
    rng random = rng_seed(2, 0);
    for (int round = 0; round < 600; round++) {
        partition blocks;
        ode_symmetry symmetry = (ode_symmetry)(1 + round % 3);
        int64_t n = 1 + rng_below(&random, 9), worst = 0;
        ode_system *system =
            ode_system_random(ctx, &random, n, 1 + rng_below(&random, 8), symmetry, &blocks);
        for (int k = 0; k < 2; k++) {
            equivalence kind = k == 0 ? EQUIVALENCE_FORWARD : EQUIVALENCE_BACKWARD;
            if (symmetry == (k == 0 ? ODE_BACKWARD : ODE_FORWARD)) continue;
            assert_true(violation_of(system, kind, &blocks, &worst) <= 1e-12);
            assert_true(defect(system, kind, &blocks, &random) <= 1e-9);
            check_quotient(system, kind, &blocks, &random);
        }
        partition_free(ctx, &blocks);
        system_free(system);
    }
}

/* The verdict about any partition is the definition's. */
static void any_partition(void **state)
{
    (void)state;
    rng random = rng_seed(3, 0);
    int equivalent = 0, broken = 0;
    for (int round = 0; round < 2000; round++) {
        int64_t n = 2 + rng_below(&random, 4), label[8], worst = 0;
        partition blocks;
        ode_system *system = ode_system_random(ctx, &random, n, 1 + rng_below(&random, 3),
                                               (ode_symmetry)(round % 4), NULL);
        for (int64_t i = 0; i < n; i++) label[i] = rng_below(&random, n);
        assert_int_equal(partition_from_labels(ctx, label, n, &blocks), COSET_OK);
        equivalence kind = round / 4 % 2 ? EQUIVALENCE_FORWARD : EQUIVALENCE_BACKWARD;
        double violation = violation_of(system, kind, &blocks, &worst);
        double seen = defect(system, kind, &blocks, &random);
        /* Coefficients are multiples of 0.01 up to 3 and few, so that a difference of polynomials shows. */
        if (violation <= 1e-12) {
            assert_true(seen <= 1e-9);
            equivalent++;
        } else {
            assert_true(violation >= 1e-4 && seen > 1e-9);
            assert_true(worst >= 0 && worst < n);
            int64_t block = blocks.block_of[worst];
            assert_true(blocks.start[block + 1] - blocks.start[block] > 1);
            assert_true(blocks.members[blocks.start[block]] != worst);
            broken++;
        }
        partition_free(ctx, &blocks);
        system_free(system);
    }
    assert_true(equivalent > 100 && broken > 100);
}

static void violation_by_hand(void **state)
{
    (void)state;
    /* x0' = 2 x0 + 3 x1, x1' = 0: one block, F = 2 x0 + 3 x1, so |3 - 2| of 5; f_0 - f_1 = 5 x0. */
    ode_system *system = ODE_SYSTEM(ctx, 2, {0, "2", {1}}, {0, "3", {2}});
    partition one;
    int64_t worst = 7;
    assert_int_equal(partition_one(ctx, 2, &one), COSET_OK);
    assert_true(fabs(violation_of(system, EQUIVALENCE_FORWARD, &one, &worst) - 0.2) < 1e-15);
    assert_int_equal(worst, 1);
    assert_true(violation_of(system, EQUIVALENCE_BACKWARD, &one, &worst) == 1);
    assert_int_equal(worst, 1);
    system_free(system);
    /* x0 x1 in both rows: backward equal. Forward d_0 = 2 x1, d_1 = 2 x0: nothing agrees. */
    system = ODE_SYSTEM(ctx, 2, {0, "1", {1, 2}}, {1, "1", {1, 2}});
    assert_true(violation_of(system, EQUIVALENCE_FORWARD, &one, &worst) == 1);
    assert_true(violation_of(system, EQUIVALENCE_BACKWARD, &one, &worst) == 0);
    assert_int_equal(worst, -1);
    system_free(system);
    /* (x0 + x1)^2 is forward; without its middle term it is not. */
    system = ODE_SYSTEM(ctx, 2, {0, "1", {1, 1}}, {1, "2", {1, 2}}, {0, "1", {2, 2}});
    assert_true(violation_of(system, EQUIVALENCE_FORWARD, &one, NULL) == 0);
    system_free(system);
    system = ODE_SYSTEM(ctx, 2, {0, "1", {1, 1}}, {0, "1", {2, 2}});
    assert_true(violation_of(system, EQUIVALENCE_FORWARD, &one, NULL) == 1);
    system_free(system);
    /* 0.1 + 0.2 beside 0.3: only rounding is left. */
    system = ODE_SYSTEM(ctx, 3, {0, "0.1", {3}}, {0, "0.2", {3}}, {1, "0.3", {3}});
    partition two;
    assert_int_equal(partition_parse(system, "{x0, x1}", &two), COSET_OK);
    assert_true(violation_of(system, EQUIVALENCE_BACKWARD, &two, NULL) <= 1e-15);
    partition_free(ctx, &two);
    partition_free(ctx, &one);
    system_free(system);
}

/* Symbols count with their values, term by term: 3 k - q is rounding of 3 k. */
static void violation_of_symbols(void **state)
{
    (void)state;
    static const char *const TEXT =
        "begin model m begin parameters k = 0.1 q = %s end parameters begin init a b end init "
        "begin ODE d(a) = 3*k^2*a - k*q*b d(b) = 0 end ODE end model";
    static const struct {
        const char *q;
        double forward, backward;
    } CASES[] = {{"0.30000000000000004", 1, 0}, {"-0.3", 0, 1}, {"0.1", 1, 1.0 / 2}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[256];
        partition one;
        snprintf(text, sizeof text, TEXT, CASES[i].q);
        ode_system *system = ode_system_text(ctx, text, true);
        assert_int_equal(system->n_symbols, 2);
        assert_int_equal(partition_one(ctx, 2, &one), COSET_OK);
        assert_true(fabs(violation_of(system, EQUIVALENCE_FORWARD, &one, NULL) - CASES[i].forward) <
                    1e-15);
        assert_true(fabs(violation_of(system, EQUIVALENCE_BACKWARD, &one, NULL) -
                         CASES[i].backward) < 1e-15);
        partition_free(ctx, &one);
        system_free(system);
    }
}

static void symbols_stay(void **state)
{
    (void)state;
    static const char *const TEXT =
        "begin model m begin parameters k = 2 h = 3 q = 5 end parameters begin init a = 1 b = 2 c = 4 "
        "end init begin ODE d(a) = k*b - h*a*c d(b) = k*a - h*b*c d(c) = q*h*(a + b) end ODE end model";
    ode_system *system = ode_system_text(ctx, TEXT, true), *reduced = NULL, *wanted = NULL;
    partition blocks;
    assert_int_equal(partition_parse(system, "{a, b}", &blocks), COSET_OK);
    assert_int_equal(system_reduce(system, EQUIVALENCE_FORWARD, &blocks, &reduced), COSET_OK);
    wanted = ode_system_text(
        ctx,
        "begin model m begin parameters k = 2 h = 3 q = 5 end parameters begin init a = 3 c = 4 "
        "end init begin ODE d(a) = k*a - h*a*c d(c) = q*h*a end ODE end model",
        true);
    ode_systems_same(reduced, wanted, 0);
    system_free(reduced);
    system_free(wanted);
    assert_int_equal(system_reduce(system, EQUIVALENCE_BACKWARD, &blocks, &reduced), COSET_OK);
    wanted = ode_system_text(
        ctx,
        "begin model m begin parameters k = 2 h = 3 q = 5 end parameters begin init a = 1 c = 4 "
        "end init begin ODE d(a) = k*a - h*a*c d(c) = 2*q*h*a end ODE end model",
        true);
    ode_systems_same(reduced, wanted, 0);
    system_free(reduced);
    system_free(wanted);
    partition_free(ctx, &blocks);
    system_free(system);
}

/* ---- files of ERODE ---- */

typedef struct setting {
    const char *name;
    double value;
} setting;

/* The system of a file with some values changed; NULL if the file is not there. */
static ode_system *load(const char *name, const setting *settings, size_t n_settings)
{
    char path[128];
    ode_model *model = NULL;
    ode_system *system = NULL;
    snprintf(path, sizeof path, "ode/%s.ode", name);
    const char *found = files_data(path);
    if (found == NULL) return NULL;
    if (model_load(ctx, found, &model) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    for (size_t i = 0; i < n_settings; i++)
        assert_int_equal(model_set(model, settings[i].name, settings[i].value), COSET_OK);
    if (system_from_model(model, false, &system) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    model_free(model);
    return system;
}

/* "{a, b}, {c}" of the comments that ERODE writes behind a reduced model: "//a:", a line that tells the
 * size, and a line "// <tab>name" for each member. Freed by the caller. */
static char *listed_blocks(const char *reduced_name)
{
    char path[128];
    snprintf(path, sizeof path, "ode/%s.ode", reduced_name);
    const char *found = files_data(path);
    assert_non_null(found);
    char *file = files_get(found, NULL), *blocks = calloc(1, 2 * strlen(file) + 1), *rest = NULL;
    char *comments = strstr(file, "//Comments associated");
    assert_true(blocks != NULL && comments != NULL);
    bool open = false;
    for (char *line = strtok_r(comments, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        line += strspn(line, " \t");
        if (strstr(line, "lock") != NULL) {
            strcat(blocks, *blocks == '\0' ? "" : "}, ");
            strcat(blocks, "{");
            open = false;
        } else if (strncmp(line, "// ", 3) == 0) {
            strcat(blocks, open ? ", " : "");
            strcat(blocks, line + 3 + strspn(line + 3, " \t"));
            open = true;
        }
    }
    strcat(blocks, "}");
    free(file);
    return blocks;
}

/* The system in y_b = size_b x_b. */
static ode_system *in_sums(const ode_system *system, const partition *blocks)
{
    system_builder *builder = NULL;
    ode_system *sums = NULL;
    assert_int_equal(
        system_builder_new(ctx, system->n, 0, system->names, system->initial, &builder), COSET_OK);
    for (int64_t row = 0; row < system->n; row++) {
        for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
            int64_t begin = system->factor_start[system->monomial[t]];
            int64_t end = system->factor_start[system->monomial[t] + 1];
            double scale = (double)(blocks->start[row + 1] - blocks->start[row]);
            for (int64_t f = begin; f < end; f++) {
                int32_t id = system->factors[f].id;
                scale /= pow((double)(blocks->start[id + 1] - blocks->start[id]),
                             system->factors[f].power);
            }
            ode_add(builder, row, system->factors + begin, end - begin,
                    number_mul(system->coefficient[t], number_of(scale)));
        }
    }
    assert_int_equal(system_builder_finish(builder, &sums), COSET_OK);
    return sums;
}

/* Reduces a file's system by the blocks that ERODE lists and compares with what ERODE made of it. Also
 * backward ERODE writes equations of sums, METHODS.md 3.1 those of representatives. */
static void check_file(const char *original, const setting *settings, size_t n_settings,
                       equivalence kind, const char *reduced_name, int64_t n_blocks)
{
    ode_system *system = load(original, settings, n_settings), *reduced = NULL, *sums = NULL;
    ode_system *wanted = load(reduced_name, NULL, 0);
    partition blocks = {0};
    if (system != NULL && wanted != NULL) {
        char *text = listed_blocks(reduced_name);
        if (partition_parse(system, text, &blocks) != COSET_OK)
            fail_msg("%s: %s", text, coset_ctx_error(ctx));
        assert_int_equal(blocks.n_blocks, n_blocks);
        assert_true(violation_of(system, kind, &blocks, NULL) <= 1e-12);
        assert_int_equal(system_reduce(system, kind, &blocks, &reduced), COSET_OK);
        if (kind == EQUIVALENCE_BACKWARD) sums = in_sums(reduced, &blocks);
        ode_systems_same(sums != NULL ? sums : reduced, wanted, 1e-12);
        free(text);
    }
    partition_free(ctx, &blocks);
    system_free(system);
    system_free(wanted);
    system_free(reduced);
    system_free(sums);
}

static void erode_files(void **state)
{
    (void)state;
    /* The tree with the constants of the reduced files: the same on both branches of every level. */
    static const setting TREE[] = {
        {"vn1k1", 0},
        {"b2", 0.5606494502496796},
        {"b3", 0.5606494502496796},
        {"an1k1", 1.1195700850873262},
        {"an2k1", 0.5233235724597057},
        {"an2k2", 0.5233235724597057},
        {"an3k1", 0.603301590244999},
        {"an3k2", 0.603301590244999},
        {"an3k3", 0.603301590244999},
        {"an3k4", 0.603301590244999},
    };
    size_t n = sizeof TREE / sizeof *TREE;
    check_file("andrea_e2", NULL, 0, EQUIVALENCE_FORWARD, "andrea_e2FE", 12);
    check_file("andrea_e3", NULL, 0, EQUIVALENCE_FORWARD, "andrea_e3FE", 22);
    check_file("andrea_hTreeCircuit3_1RN", TREE, n, EQUIVALENCE_FORWARD, "andrea_htreeFE", 3);
    check_file("andrea_hTreeCircuit3_1RN", TREE, n, EQUIVALENCE_BACKWARD, "andrea_htreeBE", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted),           cmocka_unit_test(any_partition),
        cmocka_unit_test(violation_by_hand), cmocka_unit_test(violation_of_symbols),
        cmocka_unit_test(symbols_stay),      cmocka_unit_test(erode_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
