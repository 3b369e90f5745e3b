/* Error bounds against sensitivities that are known in closed form, and against what trajectories do. */
#include "support/files.h"
#include "support/ode_symbols.h"

#include "ode/reduce.h"

enum { STEPS = 300 };

/* STEPS + 1 times from 0 to t_end. */
static const double *grid(double t_end)
{
    static double times[STEPS + 1];
    for (int k = 0; k <= STEPS; k++) times[k] = t_end * k / STEPS;
    return times;
}

static error_bound bound_of(const ode_system *system, equivalence kind, const partition *blocks,
                            const double *p0, const double *p1, double t_end, double *reference)
{
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    error_bound bound;
    options.rtol = 1e-9;
    options.atol = 1e-12;
    coset_status status = system_error_bound(system, kind, blocks, p0, p1, grid(t_end), STEPS + 1,
                                             &options, reference, &bound);
    if (status != COSET_OK) fail_msg("%s", coset_ctx_error(system->ctx));
    return bound;
}

static void assert_near(double found, double expected, double relative)
{
    if (!(fabs(found - expected) <= relative * fabs(expected)))
        fail_msg("%.17g is not %.17g to %g", found, expected, relative);
}

/* x' = -p x, x(0) = 1: S = -t e^(-p t), largest at t = 1/p. */
static void test_decay(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double p0[] = {0.5}, p1[] = {0.51};
    static const int64_t labels[] = {0};
    ode_system *system = SYMBOLIC(ctx, 1, 1, p0, {0, -1, {1, 2}});
    partition blocks = blocks_of(ctx, 1, labels);
    double reference[STEPS + 1];
    error_bound b = bound_of(system, EQUIVALENCE_BACKWARD, &blocks, p0, p1, 3, reference);
    assert_near(b.lambda, 2 * exp(-1), 1e-6); /* t = 2 is on the grid */
    assert_near(b.jacobian, 0.5, 1e-14);
    assert_near(b.perturbation, 0.01, 1e-12);
    assert_near(b.bound, b.lambda * 0.01, 1e-12);
    assert_near(b.safe_bound, b.bound * exp(0.5 * 0.01), 1e-12);
    assert_true(b.aggregated_lambda == b.lambda && b.aggregated_bound == b.bound &&
                b.aggregated_safe_bound == b.safe_bound);
    for (int k = 0; k <= STEPS; k++) assert_near(reference[k], exp(-0.005 * k), 1e-6);
    /* The reference is that of p0, whatever the system's own values are. */
    b = bound_of(system, EQUIVALENCE_FORWARD, &blocks, p1, p0, 3, reference);
    assert_near(reference[STEPS], exp(-0.51 * 3), 1e-6);
    assert_near(b.lambda, exp(-1) / 0.51, 1e-4);
    assert_near(b.aggregated_lambda, b.lambda, 1e-14);
    /* Nothing differs: only the reference is left. */
    b = bound_of(system, EQUIVALENCE_FORWARD, &blocks, p0, p0, 3, reference);
    assert_true(b.lambda == 0 && b.bound == 0 && b.safe_bound == 0 && b.perturbation == 0 &&
                b.aggregated_bound == 0);
    assert_near(reference[STEPS], exp(-1.5), 1e-6);
    system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

/* x' = -a x + b y, y' = a x - b y, z' = c: the sum x + y stays whatever a and b are; rows of S add up
 * over symbols, columns over a block. With a = b the difference of x and y decays at 2 a. */
static void test_sums(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double p0[] = {1, 1, 0.25, 7}, p1[] = {1.1, 0.8, 0.25, 7}, p2[] = {1, 1, 0.3, 7};
    static const int64_t labels[] = {0, 0, 1};
    ode_system *system = SYMBOLIC(ctx, 3, 4, p0, {0, -1, {1, 4}}, {0, 1, {2, 5}}, {1, 1, {1, 4}},
                                  {1, -1, {2, 5}}, {2, 1, {6}});
    partition blocks = blocks_of(ctx, 3, labels);
    error_bound b = bound_of(system, EQUIVALENCE_FORWARD, &blocks, p0, p1, 2, NULL);
    /* x = y = 1 all along: S of x is -+ (1 - e^(-2 t)) / 2 for a and b. */
    assert_near(b.lambda, 1 - exp(-4), 1e-6);
    assert_near(b.perturbation, 0.2, 1e-12);
    assert_near(b.jacobian, 2, 1e-12);
    assert_true(b.aggregated_lambda < 1e-9);
    b = bound_of(system, EQUIVALENCE_BACKWARD, &blocks, p0, p1, 2, NULL);
    assert_near(b.aggregated_lambda, 1 - exp(-4), 1e-6);
    /* c alone: z = 1 + c t. */
    b = bound_of(system, EQUIVALENCE_FORWARD, &blocks, p0, p2, 2, NULL);
    assert_near(b.lambda, 2, 1e-6);
    assert_near(b.aggregated_lambda, 2, 1e-6);
    assert_near(b.bound, 0.1, 1e-6);
    system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

static void test_limits(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double p0[] = {1e4}, p1[] = {1e4 + 1}, blow0[] = {1}, blow1[] = {1.5};
    static const int64_t labels[] = {0};
    partition blocks = blocks_of(ctx, 1, labels);
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    error_bound bound;
    static const double far[] = {0, 1};
    /* exp(J dt) overflows. */
    ode_system *system = SYMBOLIC(ctx, 1, 1, p0, {0, -1, {1, 2}});
    assert_int_equal(system_error_bound(system, EQUIVALENCE_FORWARD, &blocks, p0, p1, far, 2,
                                        &options, NULL, &bound),
                     COSET_OK);
    assert_true(isfinite(bound.bound) && bound.safe_bound > 1e300 && isinf(bound.safe_bound));
    assert_int_equal(system_error_bound(system, EQUIVALENCE_FORWARD, &blocks, p0, p0, far, 2,
                                        &options, NULL, &bound),
                     COSET_OK);
    assert_true(bound.safe_bound == 0);
    assert_int_equal(system_error_bound(system, EQUIVALENCE_FORWARD, &blocks, p0, p1, far, 0,
                                        &options, NULL, &bound),
                     COSET_EARGUMENT);
    system_free(system);
    /* x' = p x^2 leaves for infinity at t = 1. */
    system = SYMBOLIC(ctx, 1, 1, blow0, {0, 1, {1, 1, 2}});
    static const double beyond[] = {0, 0.9, 1.8};
    assert_int_equal(system_error_bound(system, EQUIVALENCE_FORWARD, &blocks, blow0, blow1, beyond,
                                        3, &options, NULL, &bound),
                     COSET_ENUMERIC);
    assert_true(bound.lambda == 0);
    system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

/* n (1 + columns) unknowns: over the limit before anything large is allocated. */
static void test_too_large(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    enum { N = 3000, SYMBOLS = 1400 };
    const char **names = calloc(N + SYMBOLS, sizeof *names);
    number *initial = calloc(N + SYMBOLS, sizeof *initial);
    double *p0 = doubles(SYMBOLS), *p1 = doubles(SYMBOLS);
    system_builder *builder = NULL;
    ode_system *system = NULL;
    partition blocks = {0};
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    error_bound bound;
    assert_true(names != NULL && initial != NULL);
    for (int s = 0; s < SYMBOLS; s++) p1[s] = 1;
    assert_int_equal(system_builder_new(ctx, N, SYMBOLS, names, initial, &builder), COSET_OK);
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    assert_int_equal(partition_one(ctx, N, &blocks), COSET_OK);
    assert_int_equal(system_error_bound(system, EQUIVALENCE_FORWARD, &blocks, p0, p1, grid(1), 2,
                                        &options, NULL, &bound),
                     COSET_ELIMIT);
    assert_non_null(strstr(coset_ctx_error(ctx), "3000"));
    free(names), free(initial), free(p0), free(p1);
    system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

/* ---- models ---- */

/* A model's system with the named symbols free and all others numbers. */
static ode_system *model_system(coset_ctx *ctx, const char *path, const char *const *wanted)
{
    ode_model *model = NULL;
    ode_system *all = NULL, *system = NULL;
    bool free[64] = {false};
    if (model_load(ctx, path, &model) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    if (name_map_get(&model->names, "r0", -1) >= 0)
        assert_int_equal(model_set(model, "r0", 0), COSET_OK);
    assert_int_equal(system_from_model(model, true, &all), COSET_OK);
    assert_true(all->n_symbols <= 64);
    for (int64_t s = 0; s < all->n_symbols; s++)
        for (const char *const *name = wanted; *name != NULL; name++)
            free[s] = free[s] || strcmp(all->names[all->n + s], *name) == 0;
    assert_int_equal(system_substitute(all, NULL, free, &system), COSET_OK);
    system_free(all);
    model_free(model);
    return system;
}

/* Largest deviation of the trajectory of p1 from the reference, of variables and of sums over blocks. */
static void deviation(const ode_system *system, const partition *blocks, const double *p1,
                      const double *times, const double *reference, double *plain_out,
                      double *sums_out)
{
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    ode_system *moved = with_values(system, p1);
    int64_t n = system->n;
    double *x = doubles((STEPS + 1) * n);
    options.rtol = 1e-11;
    options.atol = 1e-13;
    assert_int_equal(integrate_system(moved, NULL, times, STEPS + 1, &options, NULL, x), COSET_OK);
    *plain_out = *sums_out = 0;
    for (int k = 0; k <= STEPS; k++) {
        double *sums = doubles(blocks->n_blocks);
        for (int64_t i = 0; i < n; i++) {
            double difference = x[k * n + i] - reference[k * n + i];
            *plain_out = fmax(*plain_out, fabs(difference));
            sums[blocks->block_of[i]] += difference;
        }
        for (int64_t b = 0; b < blocks->n_blocks; b++) *sums_out = fmax(*sums_out, fabs(sums[b]));
        free(sums);
    }
    free(x);
    system_free(moved);
}

/* The closest exact system's trajectory stays within the bounds, and the bounds say something: they are
 * at most `slack` times what happens. */
static void bound_holds(const char *file, const char *const *wanted, equivalence kind,
                        const char *text, double t_end, double slack)
{
    const char *path = files_data(file);
    if (path == NULL) return;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_system *system = model_system(ctx, path, wanted);
    int64_t symbols = 0;
    while (wanted[symbols] != NULL) symbols++;
    assert_int_equal(system->n_symbols, symbols);
    partition blocks = {0};
    closest_result result;
    double p0[64], p1[64], plain = 0, sums = 0, most = 0;
    double *reference = doubles((STEPS + 1) * system->n);
    for (int64_t s = 0; s < symbols; s++) p0[s] = system->initial[system->n + s].value;
    if (partition_parse(system, text, &blocks) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    if (system_closest(system, kind, &blocks, NULL, p1, &result) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    ode_system *moved = with_values(system, p1);
    assert_int_equal(system_violation(moved, kind, &blocks, &most, NULL), COSET_OK);
    assert_true(most < 1e-12);
    error_bound b = bound_of(system, kind, &blocks, p0, p1, t_end, reference);
    deviation(system, &blocks, p1, grid(t_end), reference, &plain, &sums);
    printf("%s: |p1 - p0|_2 %.3g, |p1 - p0|_inf %.3g, lambda %.4g, J %.4g: bound %.4g, safe %.4g, "
           "deviation %.4g; sums: lambda %.4g, bound %.4g, safe %.4g, deviation %.4g\n",
           file, result.change_l2, result.change_max, b.lambda, b.jacobian, b.bound, b.safe_bound,
           plain, b.aggregated_lambda, b.aggregated_bound, b.aggregated_safe_bound, sums);
    assert_true(plain > 0 && plain <= b.bound && b.bound <= b.safe_bound);
    assert_true(b.bound <= slack * plain);
    if (kind == EQUIVALENCE_FORWARD) {
        assert_true(sums <= b.aggregated_bound && b.aggregated_bound <= b.aggregated_safe_bound);
        assert_true(b.aggregated_lambda < b.lambda * (double)system->n);
    }
    free(reference);
    system_free(moved), system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

static void test_circuit(void **state)
{
    (void)state;
    static const char *const all[] = {"b2",    "b3",    "an1k1", "an2k1", "an2k2",
                                      "an3k1", "an3k2", "an3k3", "an3k4", NULL};
    bound_holds("ode/andrea_hTreeCircuit3_1.ode", all, EQUIVALENCE_BACKWARD,
                "{vn1k1}, {vn2k1, vn2k2}, {vn3k1, vn3k2, vn3k3, vn3k4}", 7, 20);
}

static void test_polymers(void **state)
{
    (void)state;
    static const char *const rates[] = {"a1", "a2", "b1", "b2", "g1", "g2", NULL};
    bound_holds("ode/andrea_perturbedpolymers2ODE.ode", rates, EQUIVALENCE_FORWARD,
                "{A1, A2}, {A1p, A2p}, {A1CHCHp, A2CHCHp}, {H}, {H2}, {C2H2}, {I}", 0.06, 20);
}

/* ---- memory ---- */

/* SUNDIALS allocates from the system; ours are the context's. */
static void test_memory(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const double p0[] = {1, 1}, p1[] = {1.1, 0.9};
    static const int64_t labels[] = {0, 0};
    static const double times[] = {0, 0.1, 0.2};
    ode_system *system = SYMBOLIC(ctx, 2, 2, p0, {0, -1, {1, 3}}, {1, -1, {2, 4}});
    partition blocks = blocks_of(ctx, 2, labels);
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    error_bound bound;
    int64_t alive = memory.alive;
    coset_status status = COSET_EMEMORY;
    for (int64_t at = 0; status != COSET_OK; at++) {
        memory.made = 0;
        memory.fail_from = at;
        status = system_error_bound(system, EQUIVALENCE_FORWARD, &blocks, p0, p1, times, 3,
                                    &options, NULL, &bound);
        memory.fail_from = -1;
        assert_int_equal(memory.alive, alive);
        assert_true(status == COSET_OK ? at > 8 : status == COSET_EMEMORY);
        assert_true((bound.lambda > 0) == (status == COSET_OK));
    }
    system_free(system);
    partition_free(ctx, &blocks);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decay),   cmocka_unit_test(test_sums),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_circuit), cmocka_unit_test(test_polymers),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
