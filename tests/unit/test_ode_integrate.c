/* Integration against exact solutions, published values and itself; what cannot be integrated ends with
 * an error that names the time. */
#include "support/files.h"

#include <math.h>
#include <string.h>

#include "data/glycolysis.h"
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

static void integrate(const ode_flow *flow, const double *initial, const double *times,
                      int64_t n_times, const integrate_options *options, double *out)
{
    coset_status status = integrate_flow(ctx, flow, initial, times, n_times, options, NULL, out);
    if (status != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
}

/* ---- flows ------------------------------------------------------------------------------------- */

/* x' = -3 x */
static bool decay(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = -3 * x[0];
    return true;
}

/* (x, y)' = (y, -x) */
static bool rotation(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = x[1];
    out[1] = -x[0];
    return true;
}

/* x' = x (1 - x) */
static bool logistic(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = x[0] * (1 - x[0]);
    return true;
}

static bool logistic_jacobian(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = 1 - 2 * x[0];
    return true;
}

/* x' = cos t */
static bool forced(void *user, double t, const double *x, double *out)
{
    (void)user, (void)x;
    out[0] = cos(t);
    return true;
}

/* Robertson's reactions: rates .04, 3e7 and 1e4. */
static bool robertson(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    double a = 0.04 * x[0], b = 1e4 * x[1] * x[2], c = 3e7 * x[1] * x[1];
    out[0] = b - a;
    out[1] = a - b - c;
    out[2] = c;
    return true;
}

static bool robertson_jacobian(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = -0.04, out[1] = 1e4 * x[2], out[2] = 1e4 * x[1];
    out[3] = 0.04, out[4] = -1e4 * x[2] - 6e7 * x[1], out[5] = -1e4 * x[1];
    out[7] = 6e7 * x[1];
    return true;
}

/* x' = x^2 is infinite at t = 1 / x(0). */
static bool explosion(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = x[0] * x[0];
    return true;
}

/* x' = -1, not defined where x is negative. */
static bool until_zero(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = -1;
    return x[0] >= 0;
}

/* x' = 1, not defined after *user. */
static bool until_time(void *user, double t, const double *x, double *out)
{
    (void)x;
    out[0] = 1;
    return t <= *(const double *)user;
}

static bool not_a_number(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    out[0] = (x[0] - x[0]) / (x[0] - x[0]);
    return true;
}

static bool glycolysis(void *user, double t, const double *x, double *out)
{
    (void)user, (void)t;
    glycolysis_slope(x, out);
    return true;
}

/* ---- exact solutions --------------------------------------------------------------------------- */

/* Worst error of a flow at 40 times that no step meets, over the rotation's circle. */
static double rotation_error(const integrate_options *options)
{
    const ode_flow flow = {.n = 2, .slope = rotation};
    const double initial[2] = {0, 1};
    double times[41], out[82], worst = 0;
    for (int k = 0; k <= 40; k++) times[k] = 0.1234567 * k;
    integrate(&flow, initial, times, 41, options, out);
    for (int k = 0; k <= 40; k++) {
        worst = fmax(worst, fabs(out[2 * k] - sin(times[k])));
        worst = fmax(worst, fabs(out[2 * k + 1] - cos(times[k])));
    }
    return worst;
}

/* The error follows the tolerance, between steps as well: CVODES controls the error of a step, and some
 * hundred steps add up. */
static void test_error_follows_rtol(void **state)
{
    (void)state;
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        double last = INFINITY;
        for (int digits = 4; digits <= 12; digits += 2) {
            double rtol = pow(10, -digits);
            integrate_options options = tolerance((integrate_method)method, rtol, rtol);
            double error = rotation_error(&options);
            assert_true(error <= 200 * rtol);
            /* Two more digits asked for bring at least one. */
            assert_true(error <= last / 10);
            last = error;
        }
    }
}

static void test_decay(void **state)
{
    (void)state;
    const ode_flow flow = {.n = 1, .slope = decay};
    const double initial = 2, times[] = {1, 1.5, 4};
    double out[3];
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        integrate_options options = tolerance((integrate_method)method, 1e-10, 1e-14);
        integrate(&flow, &initial, times, 3, &options, out);
        assert_true(out[0] == 2);
        assert_near(out[1], 2 * exp(-1.5), 1e-8);
        assert_near(out[2], 2 * exp(-9.0), 1e-11);
    }
}

/* With our Jacobian and with differences. */
static void test_logistic(void **state)
{
    (void)state;
    const double initial = 0.01, times[] = {0, 2, 5, 12};
    integrate_options options = tolerance(INTEGRATE_BDF, 1e-10, 1e-14);
    double out[4];
    for (int given = 0; given < 2; given++) {
        const ode_flow flow = {
            .n = 1, .slope = logistic, .jacobian = given ? logistic_jacobian : NULL};
        integrate(&flow, &initial, times, 4, &options, out);
        for (int k = 0; k < 4; k++) assert_near(out[k], 1 / (1 + 99 * exp(-times[k])), 1e-8);
    }
}

static void test_explicit_time(void **state)
{
    (void)state;
    const ode_flow flow = {.n = 1, .slope = forced};
    const double initial = 0, times[] = {0, 1, 10};
    integrate_options options = tolerance(INTEGRATE_ADAMS, 1e-10, 1e-12);
    double out[3];
    integrate(&flow, &initial, times, 3, &options, out);
    assert_near(out[1], sin(1), 1e-8);
    assert_near(out[2], sin(10), 1e-8);
}

/* Over eleven decades. Up to 4e7 by Radau IIA of order 5 at a tolerance of 1e-12; the last row is the
 * solution that the Test Set for IVP Solvers (CWI and Bari, problem ROBER) publishes. */
static void test_robertson(void **state)
{
    (void)state;
    const ode_flow flow = {.n = 3, .slope = robertson, .jacobian = robertson_jacobian};
    const double initial[3] = {1, 0, 0};
    const double times[] = {0, 0.4, 40, 4e5, 4e7, 1e11};
    const double expected[][3] = {
        {9.8517211386e-01, 3.3863953790e-05, 1.4794022185e-02},
        {7.1582706872e-01, 9.1855347646e-06, 2.8416374575e-01},
        {4.9382745210e-03, 1.9849940880e-08, 9.9506170563e-01},
        {5.2030718441e-05, 2.0813357319e-10, 9.9994796907e-01},
        {0.2083340149701255e-07, 0.8333360770334713e-13, 0.9999999791665050}};
    integrate_options options = tolerance(INTEGRATE_BDF, 1e-10, 1e-18);
    double out[18];
    integrate(&flow, initial, times, 6, &options, out);
    for (int k = 0; k < 5; k++)
        for (int i = 0; i < 3; i++)
            assert_near(out[3 * k + 3 + i], expected[k][i], 1e-6 * expected[k][i]);
}

/* The same trajectory as the Runge-Kutta steps that the data set takes. */
static void test_glycolysis(void **state)
{
    (void)state;
    const ode_flow flow = {.n = GLYCOLYSIS_SPECIES, .slope = glycolysis};
    const double times[] = {0, 0.1, 1, 5};
    double x[GLYCOLYSIS_SPECIES] = {1, 1, 0.1, 0.2, 0.2, 1, 0.075}, out[2][4 * GLYCOLYSIS_SPECIES];
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        integrate_options options = tolerance((integrate_method)method, 1e-11, 1e-13);
        integrate(&flow, x, times, 4, &options, out[method]);
    }
    for (int k = 1; k < 4; k++) {
        glycolysis_advance(x, times[k] - times[k - 1],
                           (int64_t)(10000 * (times[k] - times[k - 1])));
        for (int i = 0; i < GLYCOLYSIS_SPECIES; i++)
            for (int method = 0; method < 2; method++)
                assert_near(out[method][k * GLYCOLYSIS_SPECIES + i], x[i], 1e-6 * x[i]);
    }
}

/* ---- GMRES ------------------------------------------------------------------------------------- */

typedef struct chain {
    double rate;
    int64_t slopes, products;
} chain;

static bool chain_slope(void *user, double t, const double *x, double *out)
{
    (void)t;
    chain *self = user;
    enum { N = 1500 };
    for (int i = 0; i < N; i++) {
        double left = i > 0 ? x[i - 1] : 0, right = i < N - 1 ? x[i + 1] : 0;
        out[i] = self->rate * (left - 2 * x[i] + right);
    }
    self->slopes++;
    return true;
}

static bool chain_times(void *user, double t, const double *x, const double *v, double *out)
{
    (void)x;
    chain *self = user;
    self->slopes--;
    self->products++;
    return chain_slope(user, t, v, out);
}

/* Diffusion along 1500 cells: more variables than a dense matrix is made for. Two waves decay at their
 * own rates, 4 r sin^2(pi m / (2 (n + 1))). */
static void test_chain(void **state)
{
    (void)state;
    enum { N = 1500 };
    chain self = {.rate = 1000};
    ode_flow flow = {.n = N, .slope = chain_slope, .jacobian_times = chain_times, .user = &self};
    const double times[] = {0, 20, 100}, wave = M_PI / (N + 1);
    double *initial = doubles(N), *out = doubles(3 * N);
    integrate_options options = tolerance(INTEGRATE_BDF, 1e-7, 1e-9);
    for (int i = 0; i < N; i++) initial[i] = sin(wave * (i + 1)) + sin(7 * wave * (i + 1));
    for (int given = 0; given < 2; given++) {
        if (!given) flow.jacobian_times = NULL;
        self.products = 0;
        integrate(&flow, initial, times, 3, &options, out);
        assert_true((self.products > 0) == (given == 1));
        for (int k = 1; k < 3; k++) {
            double slow = exp(-4e3 * pow(sin(wave / 2), 2) * times[k]);
            double fast = exp(-4e3 * pow(sin(7 * wave / 2), 2) * times[k]);
            for (int i = 0; i < N; i++)
                assert_near(out[k * N + i],
                            slow * sin(wave * (i + 1)) + fast * sin(7 * wave * (i + 1)), 2e-5);
        }
        flow.jacobian_times = chain_times;
    }
    free(initial);
    free(out);
}

/* ---- what cannot be integrated ----------------------------------------------------------------- */

/* Integrates x from 1 over [0, end]; the error text must hold all of `words`. */
static void assert_fails(const ode_flow *flow, double end, const integrate_options *options,
                         coset_status expected, const char *const *words)
{
    const double initial = 1, times[2] = {0, end};
    double out[2];
    coset_status status = integrate_flow(ctx, flow, &initial, times, 2, options, "simulate", out);
    if (status != expected) fail_msg("%s: %s", coset_status_name(status), coset_ctx_error(ctx));
    for (; *words != NULL; words++)
        if (strstr(coset_ctx_error(ctx), *words) == NULL)
            fail_msg("no \"%s\" in: %s", *words, coset_ctx_error(ctx));
}

static void test_blow_up(void **state)
{
    (void)state;
    const ode_flow flow = {.n = 1, .slope = explosion};
    const char *const words[] = {"simulate: at t = 1", "without bound", "CVODES", NULL};
    const char *const early[] = {"simulate: at t = 0.9", "too many steps", "CVODES", NULL};
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        integrate_options options = tolerance((integrate_method)method, 1e-8, 1e-10);
        assert_fails(&flow, 2, &options, COSET_ENUMERIC, words);
        options.max_steps = 300;
        assert_fails(&flow, 2, &options, COSET_ENUMERIC, early);
    }
}

static void test_undefined(void **state)
{
    (void)state;
    double end = 1;
    const ode_flow below = {.n = 1, .slope = until_zero}, nan = {.n = 1, .slope = not_a_number};
    const ode_flow late = {.n = 1, .slope = until_time, .user = &end};
    const char *const reached[] = {"simulate: at t = ", NULL};
    const char *const start[] = {"at t = 0", "initial values", NULL};
    const double initial = 1, times[2] = {0, 1};
    double out[2];
    for (int method = INTEGRATE_BDF; method <= INTEGRATE_ADAMS; method++) {
        integrate_options options = tolerance((integrate_method)method, 1e-8, 1e-10);
        assert_fails(&below, 2, &options, COSET_ENUMERIC, reached);
        assert_fails(&nan, 2, &options, COSET_ENUMERIC, start);
        /* Nothing is asked behind the last time. */
        integrate(&late, &initial, times, 2, &options, out);
        assert_near(out[1], 2, 1e-8);
    }
}

static void test_options(void **state)
{
    (void)state;
    const ode_flow flow = {.n = 1, .slope = decay};
    const char *const rtol[] = {"rtol", NULL}, *const atol[] = {"atol", NULL};
    const char *const steps[] = {"steps", NULL}, *const times[] = {"ascend", NULL};
    const double bad[] = {0, -1, 1, 1e-15, NAN, INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        integrate_options options = tolerance(INTEGRATE_BDF, bad[i], 1e-10);
        assert_fails(&flow, 1, &options, COSET_EARGUMENT, rtol);
        if (i == 2 || i == 3) continue; /* fine as absolute tolerances */
        options = tolerance(INTEGRATE_BDF, 1e-8, bad[i]);
        assert_fails(&flow, 1, &options, COSET_EARGUMENT, atol);
    }
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    assert_fails(&flow, 0, &options, COSET_EARGUMENT, times);
    assert_fails(&flow, NAN, &options, COSET_EARGUMENT, times);
    options.max_steps = 0;
    assert_fails(&flow, 1, &options, COSET_EARGUMENT, steps);
    options = (integrate_options)INTEGRATE_OPTIONS_INIT;
    options.method = (integrate_method)7;
    assert_fails(&flow, 1, &options, COSET_EARGUMENT, (const char *const[]){"method", NULL});
}

/* The smallest tolerances give what is possible or an error; never a hang. */
static void test_least_tolerance(void **state)
{
    (void)state;
    integrate_options options = tolerance(INTEGRATE_BDF, 1e-13, 1e-15);
    assert_true(rotation_error(&options) < 1e-10);
    options.method = INTEGRATE_ADAMS;
    assert_true(rotation_error(&options) < 1e-10);
}

static void test_few(void **state)
{
    (void)state;
    const ode_flow flow = {.n = 1, .slope = decay}, none = {.n = 0, .slope = decay};
    const double initial = 5, times[3] = {0, 1, 2}, bad = NAN;
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    double out = 0;
    integrate(&flow, &initial, times, 1, &options, &out);
    assert_true(out == 5);
    integrate(&none, NULL, times, 3, &options, NULL);
    assert_int_equal(integrate_flow(ctx, &flow, &initial, times, 0, &options, NULL, &out),
                     COSET_EARGUMENT);
    assert_int_equal(integrate_flow(ctx, &flow, &bad, times, 1, &options, NULL, &out),
                     COSET_ENUMERIC);
}

/* SUNDIALS keeps its messages to itself. */
static void test_nothing_is_printed(void **state)
{
    (void)state;
    files_start("ode_integrate");
    fflush(NULL);
    int out = dup(1), err = dup(2);
    assert_non_null(freopen("printed", "w", stderr));
    assert_true(dup2(2, 1) == 1);
    const ode_flow flow = {.n = 1, .slope = explosion};
    const double initial = 1, times[2] = {0, 2};
    double x[2];
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    coset_status status = integrate_flow(ctx, &flow, &initial, times, 2, &options, NULL, x);
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    assert_int_equal(status, COSET_ENUMERIC);
    files_expect("printed", "");
}

static void test_same_bytes(void **state)
{
    (void)state;
    const ode_flow flow = {.n = GLYCOLYSIS_SPECIES, .slope = glycolysis};
    const double x[GLYCOLYSIS_SPECIES] = {1, 1, 0.1, 0.2, 0.2, 1, 0.075}, times[] = {0, 1, 2};
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    double a[3 * GLYCOLYSIS_SPECIES], b[3 * GLYCOLYSIS_SPECIES];
    integrate(&flow, x, times, 3, &options, a);
    integrate(&flow, x, times, 3, &options, b);
    assert_memory_equal(a, b, sizeof a);
}

/* Every allocation of ours fails once. */
static void test_memory(void **state)
{
    (void)state;
    const ode_flow flow = {.n = 3, .slope = robertson, .jacobian = robertson_jacobian};
    const double initial[3] = {1, 0, 0}, times[] = {0, 0.4};
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    double out[6];
    int64_t alive = memory.alive, before = memory.made;
    integrate(&flow, initial, times, 2, &options, out);
    int64_t total = memory.made - before;
    assert_true(total > 0);
    for (int64_t at = 0; at < total; at++) {
        memory.fail_from = memory.made + at;
        coset_status status = integrate_flow(ctx, &flow, initial, times, 2, &options, NULL, out);
        memory.fail_from = -1;
        assert_int_equal(status, COSET_EMEMORY);
        assert_int_equal(memory.alive, alive);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_error_follows_rtol, setup, teardown),
        cmocka_unit_test_setup_teardown(test_decay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_logistic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_explicit_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_robertson, setup, teardown),
        cmocka_unit_test_setup_teardown(test_glycolysis, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blow_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_undefined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_least_tolerance, setup, teardown),
        cmocka_unit_test_setup_teardown(test_few, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_printed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
