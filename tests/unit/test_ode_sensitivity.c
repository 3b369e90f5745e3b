/* Integration of polynomial systems, and the sensitivities of their solutions to symbols. */
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "ode/integrate.h"

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

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", found, tolerance, expected);
}

static integrate_options tolerance(integrate_method method, double rtol, double atol)
{
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    options.method = method;
    options.rtol = rtol;
    options.atol = atol;
    return options;
}

/* ---- polynomial systems ------------------------------------------------------------------------ */

/* Lotka and Volterra with all rates as symbols: x' = a x - b x y, y' = d x y - c y. */
static ode_system *predators(void)
{
    const double values[6] = {2, 1, 1.1, 0.4, 0.8, 0.1};
    number initial[6];
    system_builder *builder = NULL;
    ode_system *made = NULL;
    enum { X, Y, A, B, C, D };
    for (int i = 0; i < 6; i++) initial[i] = number_of(values[i]);
    const number one = number_of(1), minus = number_of(-1);
    const factor birth[] = {{X, 1}, {A, 1}}, eaten[] = {{X, 1}, {Y, 1}, {B, 1}};
    const factor death[] = {{Y, 1}, {C, 1}}, fed[] = {{X, 1}, {Y, 1}, {D, 1}};
    assert_int_equal(system_builder_new(ctx, 2, 4, NULL, initial, &builder), COSET_OK);
    assert_int_equal(system_builder_add(builder, 0, birth, 2, one), COSET_OK);
    assert_int_equal(system_builder_add(builder, 0, eaten, 3, minus), COSET_OK);
    assert_int_equal(system_builder_add(builder, 1, death, 2, minus), COSET_OK);
    assert_int_equal(system_builder_add(builder, 1, fed, 3, one), COSET_OK);
    assert_int_equal(system_builder_finish(builder, &made), COSET_OK);
    return made;
}

static bool predators_slope(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = 1.1 * x[0] - 0.4 * x[0] * x[1];
    out[1] = 0.1 * x[0] * x[1] - 0.8 * x[1];
    return true;
}

static void test_system(void **state)
{
    (void)state;
    const ode_flow flow = {.n = 2, .slope = predators_slope};
    const double initial[2] = {2, 1}, other[2] = {5, 3}, times[] = {0, 3, 10};
    ode_system *system = predators();
    double expected[6], out[6];
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        integrate_options options = tolerance((integrate_method)method, 1e-10, 1e-12);
        assert_int_equal(integrate_flow(ctx, &flow, initial, times, 3, &options, NULL, expected),
                         COSET_OK);
        assert_int_equal(integrate_system(system, NULL, times, 3, &options, NULL, out), COSET_OK);
        for (int i = 0; i < 6; i++) assert_near(out[i], expected[i], 1e-7);
        assert_int_equal(integrate_flow(ctx, &flow, other, times, 3, &options, NULL, expected),
                         COSET_OK);
        assert_int_equal(integrate_system(system, other, times, 3, &options, NULL, out), COSET_OK);
        for (int i = 0; i < 6; i++) assert_near(out[i], expected[i], 1e-7);
    }
    system_free(system);
}

/* Neighbours' diffusion x_i' = r (x_{i-1} - 2 x_i + x_{i+1}) over more variables than LU is used for. */
static void test_large_system(void **state)
{
    (void)state;
    enum { N = 1500 };
    const double times[2] = {0, 50}, wave = M_PI / (N + 1);
    number *initial = calloc(N, sizeof *initial);
    double *out = doubles(2 * N);
    system_builder *builder = NULL;
    ode_system *system = NULL;
    for (int i = 0; i < N; i++) initial[i] = number_of(sin(wave * (i + 1)));
    assert_int_equal(system_builder_new(ctx, N, 0, NULL, initial, &builder), COSET_OK);
    for (int i = 0; i < N; i++)
        for (int j = i - 1; j <= i + 1; j++) {
            const factor neighbour = {j, 1};
            if (j < 0 || j >= N) continue;
            assert_int_equal(
                system_builder_add(builder, i, &neighbour, 1, number_of(j == i ? -2000 : 1000)),
                COSET_OK);
        }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    integrate_options options = tolerance(INTEGRATE_BDF, 1e-7, 1e-9);
    assert_int_equal(integrate_system(system, NULL, times, 2, &options, NULL, out), COSET_OK);
    double left = exp(-4e3 * pow(sin(wave / 2), 2) * times[1]);
    for (int i = 0; i < N; i++) assert_near(out[N + i], left * sin(wave * (i + 1)), 2e-5);
    system_free(system);
    free(initial);
    free(out);
}

/* ---- sensitivities ----------------------------------------------------------------------------- */

typedef struct sensitivities {
    int64_t n, n_chosen, rows;
    double *times, *x, *s; /* of every call, one after the other */
    int64_t stop;          /* the row that ends it; -1: none */
} sensitivities;

static coset_status keep_row(void *user, double t, const double *x, const double *s)
{
    sensitivities *self = user;
    if (self->rows == self->stop) return ctx_fail(ctx, COSET_EIO, "stopped");
    self->times[self->rows] = t;
    memcpy(self->x + self->rows * self->n, x, (size_t)self->n * sizeof *x);
    memcpy(self->s + self->rows * self->n * self->n_chosen, s,
           (size_t)(self->n * self->n_chosen) * sizeof *s);
    self->rows++;
    return COSET_OK;
}

/* Against central differences of whole integrations, with both methods and for symbols in any order. */
static void test_sensitivity(void **state)
{
    (void)state;
    enum { ROWS = 5, CHOSEN = 3 };
    const int64_t symbols[CHOSEN] = {3, 0, 1};
    const double times[ROWS] = {0, 1, 4, 7, 12};
    double values[6] = {2, 1, 1.1, 0.4, 0.8, 0.1}, at[ROWS], x[ROWS * 2], s[ROWS * 2 * CHOSEN];
    ode_system *system = predators();
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        sensitivities kept = {2, CHOSEN, 0, at, x, s, -1};
        integrate_options options = tolerance((integrate_method)method, 1e-10, 1e-12);
        if (integrate_sensitivity(system, values, symbols, CHOSEN, times, ROWS, &options, NULL,
                                  keep_row, &kept) != COSET_OK)
            fail_msg("%s", coset_ctx_error(ctx));
        assert_int_equal(kept.rows, ROWS);
        assert_memory_equal(at, times, sizeof at);
        for (int c = 0; c < CHOSEN; c++) {
            double high[ROWS * 2], low[ROWS * 2], h = 1e-4 * values[2 + symbols[c]];
            number changed = system->initial[2 + symbols[c]];
            for (int side = 0; side < 2; side++) {
                system->initial[2 + symbols[c]].value = changed.value + (side == 0 ? h : -h);
                assert_int_equal(integrate_system(system, NULL, times, ROWS, &options, NULL,
                                                  side == 0 ? high : low),
                                 COSET_OK);
            }
            system->initial[2 + symbols[c]] = changed;
            for (int r = 0; r < ROWS; r++)
                for (int i = 0; i < 2; i++) {
                    double expected = (high[2 * r + i] - low[2 * r + i]) / (2 * h);
                    double found = s[(r * CHOSEN + c) * 2 + i];
                    /* Differences are good to h^2 of the third derivative and 1e-10 / h. */
                    assert_near(found, expected, 2e-4 * (1 + fabs(expected)));
                    if (r == 0) assert_true(found == 0);
                }
        }
    }
    system_free(system);
}

/* x' = -k x: dx/dk = -t x; and the states are those of the plain integration. */
static void test_sensitivity_exact(void **state)
{
    (void)state;
    const number initial[2] = {number_of(3), number_of(0.5)};
    const factor term[] = {{0, 1}, {1, 1}};
    const double times[] = {0, 1, 6};
    const int64_t symbol = 0;
    double at[3], x[3], s[3];
    system_builder *builder = NULL;
    ode_system *system = NULL;
    assert_int_equal(system_builder_new(ctx, 1, 1, NULL, initial, &builder), COSET_OK);
    assert_int_equal(system_builder_add(builder, 0, term, 2, number_of(-1)), COSET_OK);
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        sensitivities kept = {1, 1, 0, at, x, s, -1};
        integrate_options options = tolerance((integrate_method)method, 1e-10, 1e-12);
        assert_int_equal(integrate_sensitivity(system, NULL, &symbol, 1, times, 3, &options, NULL,
                                               keep_row, &kept),
                         COSET_OK);
        for (int k = 0; k < 3; k++) {
            assert_near(x[k], 3 * exp(-0.5 * times[k]), 1e-8);
            assert_near(s[k], -times[k] * 3 * exp(-0.5 * times[k]), 1e-7);
        }
    }
    system_free(system);
}

static void test_sensitivity_edges(void **state)
{
    (void)state;
    const int64_t wrong = 4, right = 1;
    const double times[] = {0, 1, 2}, late[] = {0, 1e4};
    double at[3], x[6], s[6];
    ode_system *system = predators();
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    sensitivities kept = {2, 1, 0, at, x, s, -1};
    assert_int_equal(
        integrate_sensitivity(system, NULL, &wrong, 1, times, 3, &options, NULL, keep_row, &kept),
        COSET_EARGUMENT);
    assert_int_equal(kept.rows, 0);
    /* A failure of the callback ends it. */
    kept.stop = 1;
    assert_int_equal(
        integrate_sensitivity(system, NULL, &right, 1, times, 3, &options, NULL, keep_row, &kept),
        COSET_EIO);
    assert_int_equal(kept.rows, 1);
    /* One time; no symbols. */
    kept = (sensitivities){2, 1, 0, at, x, s, -1};
    assert_int_equal(
        integrate_sensitivity(system, NULL, &right, 1, times, 1, &options, NULL, keep_row, &kept),
        COSET_OK);
    assert_int_equal(kept.rows, 1);
    kept = (sensitivities){2, 0, 0, at, x, s, -1};
    assert_int_equal(
        integrate_sensitivity(system, NULL, NULL, 0, times, 3, &options, NULL, keep_row, &kept),
        COSET_OK);
    assert_int_equal(kept.rows, 3);
    options.max_steps = 20;
    kept = (sensitivities){2, 1, 0, at, x, s, -1};
    assert_int_equal(
        integrate_sensitivity(system, NULL, &right, 1, late, 2, &options, "bound", keep_row, &kept),
        COSET_ENUMERIC);
    assert_non_null(strstr(coset_ctx_error(ctx), "bound: at t = "));
    system_free(system);
}

static void test_sensitivity_memory(void **state)
{
    (void)state;
    const int64_t symbols[] = {0, 3};
    const double times[] = {0, 1};
    double at[2], x[4], s[8];
    ode_system *system = predators();
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        options.method = (integrate_method)method;
        sensitivities kept = {2, 2, 0, at, x, s, -1};
        int64_t alive = memory.alive, before = memory.made;
        assert_int_equal(integrate_sensitivity(system, NULL, symbols, 2, times, 2, &options, NULL,
                                               keep_row, &kept),
                         COSET_OK);
        int64_t total = memory.made - before;
        assert_true(total > 5);
        for (int64_t k = 0; k < total; k++) {
            kept.rows = 0;
            memory.fail_from = memory.made + k;
            coset_status status = integrate_sensitivity(system, NULL, symbols, 2, times, 2,
                                                        &options, NULL, keep_row, &kept);
            memory.fail_from = -1;
            assert_int_equal(status, COSET_EMEMORY);
            assert_int_equal(memory.alive, alive);
        }
    }
    system_free(system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_system, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_system, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sensitivity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sensitivity_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sensitivity_edges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sensitivity_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
