/* Data sets from ODE systems: what is in the file is what the system does. */
#include "support/files.h"

#include <math.h>

#include <coset/ode.h>

#include "api/ode.h"
#include "data/glycolysis.h"
#include "data/npz.h"
#include "ode/integrate.h"

static counted_memory memory;
static coset_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    files_start("ode_dataset");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* ---- reading it back --------------------------------------------------------------------------- */

/* A matrix as it was before it was standardised. */
typedef struct matrix {
    int64_t rows, columns;
    double *values;
    double *scaled; /* as in the file */
} matrix;

static tensor *read_array(const npz *file, const char *part, const char *which)
{
    char name[32];
    tensor *found = NULL;
    snprintf(name, sizeof name, "%s_%s", part, which);
    int64_t at = npz_find(file, name);
    assert_true(at >= 0);
    assert_int_equal(npz_read(ctx, file, at, &found), COSET_OK);
    return found;
}

static matrix read_matrix(const char *part, const char *which)
{
    npz *file = NULL;
    assert_int_equal(npz_open(ctx, "set/data.npz", &file), COSET_OK);
    tensor *scaled = read_array(file, part, which), *mean = read_array(file, part, "mean");
    tensor *std = read_array(file, part, "std");
    assert_int_equal(scaled->dtype, COSET_F32);
    assert_int_equal(mean->dtype, COSET_F64);
    assert_int_equal(std->dtype, COSET_F64);
    matrix found = {scaled->shape.dims[0], scaled->shape.dims[1], NULL, NULL};
    assert_int_equal(tensor_elements(mean), found.columns);
    assert_int_equal(tensor_elements(std), found.columns);
    found.values = doubles(found.rows * found.columns);
    found.scaled = doubles(found.rows * found.columns);
    for (int64_t r = 0; r < found.rows; r++)
        for (int64_t c = 0; c < found.columns; c++) {
            int64_t at = r * found.columns + c;
            found.scaled[at] = tensor_value(scaled, at);
            found.values[at] = found.scaled[at] * tensor_value(std, c) + tensor_value(mean, c);
        }
    tensor_release(ctx, scaled);
    tensor_release(ctx, mean);
    tensor_release(ctx, std);
    npz_close(ctx, file);
    return found;
}

static void matrix_free(matrix *self)
{
    free(self->values);
    free(self->scaled);
}

static coset_ode *parsed(const char *text)
{
    coset_ode *ode = NULL;
    if (coset_ode_parse(ctx, text, strlen(text), "test.ode", &ode) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    return ode;
}

static coset_ode *family(const char *name, int64_t size)
{
    coset_ode *ode = NULL;
    if (coset_ode_family(ctx, name, size, 0, &ode) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    return ode;
}

static coset_report *make(const coset_ode *ode, const coset_ode_dataset_options *options)
{
    coset_report *report = NULL;
    if (coset_ode_dataset(ctx, ode, options, "set", &report) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    return report;
}

/* Makes a set whose report is of no interest. */
static void make_set(const coset_ode *ode, const coset_ode_dataset_options *options)
{
    coset_report_free(ctx, make(ode, options));
}

static coset_ode_dataset_options small(int64_t trajectories, int64_t pairs)
{
    coset_ode_dataset_options options = COSET_ODE_DATASET_OPTIONS_INIT;
    options.trajectories = trajectories;
    options.pairs = pairs;
    return options;
}

/* ---- every system ------------------------------------------------------------------------------ */

/* Columns of the training part have mean 0 and deviation 1. */
static void assert_standardised(const matrix *self)
{
    for (int64_t c = 0; c < self->columns; c++) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < self->rows; r++) {
            double value = self->scaled[r * self->columns + c];
            sum += value;
            squares += value * value;
        }
        assert_true(fabs(sum / (double)self->rows) < 1e-5);
        assert_true(fabs(squares / (double)self->rows - 1) < 1e-5);
    }
}

/* |y - x| / |y| over all numbers. */
static double change(const matrix *x, const matrix *y)
{
    double moved = 0, all = 0;
    assert_int_equal(x->columns, y->columns);
    for (int64_t i = 0; i < x->rows * x->columns; i++) {
        moved += (y->values[i] - x->values[i]) * (y->values[i] - x->values[i]);
        all += y->values[i] * y->values[i];
    }
    return sqrt(moved / all);
}

static void test_every_system(void **state)
{
    (void)state;
    const char *const names[] = {NULL, "htree", "polymers", "phosphorylation"};
    const int64_t widths[] = {7, 7, 9, 18};
    for (int k = 0; k < 4; k++) {
        coset_ode *ode = names[k] != NULL ? family(names[k], 0) : NULL;
        const coset_ode_dataset_options options = small(60, 10);
        coset_report *report = make(ode, &options);
        coset_data *data = NULL;
        assert_int_equal(coset_data_load(ctx, "set/data.npz", NULL, &data), COSET_OK);
        assert_int_equal(coset_data_train_rows(data), 480);
        assert_int_equal(coset_data_test_rows(data), 120);
        assert_true(coset_report_number(report, "rows.train", 0) == 480);
        assert_true(coset_report_number(report, "rows.test", 0) == 120);
        assert_true(coset_report_number(report, "columns.x", 0) == (double)widths[k]);
        matrix x = read_matrix("x", "train"), y = read_matrix("y", "train");
        assert_int_equal(x.columns, widths[k]);
        assert_standardised(&x);
        assert_standardised(&y);
        assert_true(change(&x, &y) > 0.1);
        matrix_free(&x);
        matrix_free(&y);
        coset_data_free(ctx, data);
        coset_report_free(ctx, report);
        coset_ode_free(ctx, ode);
    }
}

/* ---- the numbers ------------------------------------------------------------------------------- */

/* y is where the system is dt after x, in both parts. */
static void test_next_state(void **state)
{
    (void)state;
    coset_ode *ode = family("htree", 3);
    ode_system *system = NULL;
    coset_ode_dataset_options options = small(10, 7);
    integrate_options integrate = INTEGRATE_OPTIONS_INIT;
    const double times[2] = {0, 0.9};
    options.dt = 0.9;
    make_set(ode, &options);
    assert_int_equal(system_from_model(ode->model, false, &system), COSET_OK);
    for (int part = 0; part < 2; part++) {
        matrix x = read_matrix("x", part == 0 ? "train" : "test");
        matrix y = read_matrix("y", part == 0 ? "train" : "test");
        assert_int_equal(x.rows, part == 0 ? 56 : 14);
        for (int64_t r = 0; r < x.rows; r++) {
            double out[14];
            assert_int_equal(
                integrate_system(system, x.values + 7 * r, times, 2, &integrate, NULL, out),
                COSET_OK);
            for (int i = 0; i < 7; i++) assert_true(fabs(out[7 + i] - y.values[7 * r + i]) < 1e-6);
        }
        matrix_free(&x);
        matrix_free(&y);
    }
    system_free(system);
    coset_ode_free(ctx, ode);
}

static void test_glycolysis(void **state)
{
    (void)state;
    const coset_ode_dataset_options options = small(10, 5);
    make_set(NULL, &options);
    assert_int_equal(access("set/model.ode", F_OK), -1);
    matrix x = read_matrix("x", "train"), y = read_matrix("y", "train");
    for (int64_t r = 0; r < x.rows; r++) {
        double at[GLYCOLYSIS_SPECIES];
        for (int i = 0; i < GLYCOLYSIS_SPECIES; i++) {
            at[i] = x.values[r * GLYCOLYSIS_SPECIES + i];
            if (r % 5 == 0)
                assert_true(at[i] > glycolysis_low[i] - 1e-6 && at[i] < glycolysis_high[i] + 1e-6);
        }
        glycolysis_advance(at, 0.1, 1000);
        for (int i = 0; i < GLYCOLYSIS_SPECIES; i++) {
            assert_true(fabs(at[i] - y.values[r * GLYCOLYSIS_SPECIES + i]) < 2e-5 * (1 + at[i]));
            /* By itself a pair starts where the last one ended. */
            if (r % 5 > 0)
                assert_true(fabs(x.values[r * GLYCOLYSIS_SPECIES + i] -
                                 y.values[(r - 1) * GLYCOLYSIS_SPECIES + i]) < 2e-6);
        }
    }
    matrix_free(&x);
    matrix_free(&y);
}

/* y is f(x). The clock's column moves, its derivative does not: it is only in x. */
static void test_derivative(void **state)
{
    (void)state;
    coset_ode *ode = parsed("begin model clock\nbegin init\nx = 1\ny = 2\nt\nk = 3\nend init\n"
                            "begin ODE\nd(x) = y - x*x\nd(y) = x - y\nd(t) = 1\nd(k) = 0\nend ODE\n"
                            "simulateODE(tEnd=2)\nend model\n");
    coset_ode_dataset_options options = small(40, 5);
    options.derivative = 1;
    coset_report *report = make(ode, &options);
    char *json = NULL;
    assert_int_equal(coset_report_json(ctx, report, &json), COSET_OK);
    assert_non_null(strstr(json, "\"target\": \"derivative\""));
    const char *left = strstr(json, "\"left_out\"");
    assert_non_null(left);
    const char *t = strstr(left, "\"t\""), *k = strstr(left, "\"k\""), *end = strstr(left, "]");
    assert_true(t != NULL && k != NULL && t < k && k < end);
    matrix x = read_matrix("x", "train"), y = read_matrix("y", "train");
    assert_int_equal(x.columns, 3);
    assert_int_equal(y.columns, 2);
    for (int64_t r = 0; r < x.rows; r++) {
        const double *at = x.values + 3 * r, *slope = y.values + 2 * r;
        assert_true(fabs(slope[0] - (at[1] - at[0] * at[0])) < 1e-5);
        assert_true(fabs(slope[1] - (at[0] - at[1])) < 1e-5);
        /* Evenly spread over [0, t_end]; the clock starts between 0 and spread * 2. */
        if (r % 5 > 0) assert_true(fabs(at[2] - x.values[3 * (r - 1) + 2] - 0.5) < 1e-5);
        if (r % 5 == 0) assert_true(at[2] > -1e-6 && at[2] < 1 + 1e-6);
    }
    matrix_free(&x);
    matrix_free(&y);
    coset_memory_free(ctx, json);
    coset_report_free(ctx, report);
    coset_ode_free(ctx, ode);
}

/* Initial values are drawn from x0 (1 +- spread), those that are 0 from [0, spread * largest x0], and what
 * is constant stays. */
static void test_initial_values(void **state)
{
    (void)state;
    coset_ode *ode = parsed("begin model start\nbegin init\na = 10\nb = 0 - 2\nc\nk = 7\nend init\n"
                            "begin ODE\nd(a) = 0 - k*a\nd(b) = 0 - b\nd(c) = a\nd(k) = 0\nend ODE\n"
                            "simulateODE(tEnd=1)\nend model\n");
    coset_ode_dataset_options options = small(400, 1);
    const double low[] = {7, -2.6, 0}, high[] = {13, -1.4, 3};
    options.spread = 0.3;
    make_set(ode, &options);
    matrix x = read_matrix("x", "train");
    assert_int_equal(x.columns, 3); /* k is left out */
    for (int c = 0; c < 3; c++) {
        double least = INFINITY, most = -INFINITY;
        for (int64_t r = 0; r < x.rows; r++) {
            least = fmin(least, x.values[3 * r + c]);
            most = fmax(most, x.values[3 * r + c]);
        }
        double width = high[c] - low[c];
        assert_true(least > low[c] - 1e-5 && least < low[c] + 0.1 * width);
        assert_true(most < high[c] + 1e-5 && most > high[c] - 0.1 * width);
    }
    matrix_free(&x);
    coset_ode_free(ctx, ode);
}

/* ---- files ------------------------------------------------------------------------------------- */

/* A context for several threads: the counting allocator is for one. */
static coset_ctx *plain_ctx(int threads, uint64_t seed)
{
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *plain = NULL;
    options.threads = threads;
    options.seed = seed;
    assert_int_equal(coset_ctx_new(&options, &plain), COSET_OK);
    return plain;
}

/* The same seed gives the same bytes on any number of threads, another seed others. */
static void test_threads_and_seed(void **state)
{
    (void)state;
    const coset_ode_dataset_options options = small(70, 3);
    coset_ctx *counted = ctx;
    size_t size[3];
    char *bytes[3];
    for (int k = 0; k < 3; k++) {
        ctx = plain_ctx(k == 1 ? 3 : 1, k == 2 ? 5 : 0);
        coset_ode *ode = family("polymers", 0);
        make_set(ode, &options);
        bytes[k] = files_get("set/data.npz", &size[k]);
        coset_ode_free(ctx, ode);
        coset_ctx_free(ctx);
    }
    ctx = counted;
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    assert_int_equal(size[0], size[2]);
    assert_memory_not_equal(bytes[0], bytes[2], size[0]);
    for (int k = 0; k < 3; k++) free(bytes[k]);
}

/* The model beside it is the one that made it. */
static void test_model_is_saved(void **state)
{
    (void)state;
    coset_ode *ode = family("polymers", 0), *back = NULL;
    coset_ode_dataset_options options = small(10, 2);
    assert_int_equal(coset_ode_set(ctx, ode, "r0", 4), COSET_OK);
    make_set(ode, &options);
    size_t size = 0, again_size = 0;
    char *data = files_get("set/data.npz", &size);
    assert_int_equal(coset_ode_load(ctx, "set/model.ode", &back), COSET_OK);
    make_set(back, &options);
    char *again = files_get("set/data.npz", &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(data, again, size);
    free(data);
    free(again);
    coset_ode_free(ctx, ode);
    coset_ode_free(ctx, back);
}

/* ---- what is refused --------------------------------------------------------------------------- */

static void assert_refused(const coset_ode *ode, const coset_ode_dataset_options *options,
                           coset_status expected, const char *words)
{
    coset_report *report = NULL;
    coset_status status = coset_ode_dataset(ctx, ode, options, "set", &report);
    if (status != expected || strstr(coset_ctx_error(ctx), words) == NULL)
        fail_msg("%s, not \"%s\": %s", coset_status_name(status), words, coset_ctx_error(ctx));
    assert_null(report);
    assert_int_equal(access("set", F_OK), -1);
}

static void test_options(void **state)
{
    (void)state;
    coset_ode *ode = family("htree", 2);
    coset_ode_dataset_options options = small(1, 1);
    assert_refused(ode, &options, COSET_EARGUMENT, "trajectories");
    options = small(10, 0);
    assert_refused(ode, &options, COSET_EARGUMENT, "pair");
    options = small(INT64_MAX, 10);
    assert_refused(ode, &options, COSET_ELIMIT, "too many");
    options = small(1 << 20, 1 << 20);
    assert_refused(ode, &options, COSET_ELIMIT, "too many");
    const double bad[] = {-1, NAN, INFINITY};
    for (int k = 0; k < 3; k++) {
        options = small(10, 2);
        options.spread = bad[k];
        assert_refused(ode, &options, COSET_EARGUMENT, "spread");
        options = small(10, 2);
        options.dt = bad[k];
        assert_refused(ode, &options, COSET_EARGUMENT, "dt");
        options = small(10, 2);
        options.test_share = bad[k];
        assert_refused(ode, &options, COSET_EARGUMENT, "test share");
        if (k == 1) continue; /* NaN asks for the file's */
        options = small(10, 2);
        options.t_end = bad[k];
        assert_refused(ode, &options, COSET_EARGUMENT, "t_end");
    }
    options = small(10, 2);
    options.t_end = 1;
    options.dt = 1.5;
    assert_refused(ode, &options, COSET_EARGUMENT, "dt");
    options.dt = 1; /* one pair only fits, twice */
    make_set(ode, &options);
    coset_ode_free(ctx, ode);
}

static void test_models(void **state)
{
    (void)state;
    const coset_ode_dataset_options options = small(20, 3);
    coset_ode *endless = parsed("begin model m\nbegin init\nx = 1\nend init\n"
                                "begin ODE\nd(x) = 0 - x\nend ODE\nend model\n");
    coset_ode *still = parsed("begin model m\nbegin init\nx\nend init\n"
                              "begin ODE\nd(x) = 0 - x\nend ODE\nsimulateODE(tEnd=1)\nend model\n");
    assert_refused(endless, &options, COSET_EARGUMENT, "give a time");
    assert_refused(still, &options, COSET_EARGUMENT, "changes");
    coset_ode_free(ctx, endless);
    coset_ode_free(ctx, still);
}

/* x' = x^2 is infinite at 1 / x(0), which is from .67 to 2: the first trajectory that ends there is named,
 * whatever the number of threads. */
static void test_blow_up(void **state)
{
    (void)state;
    const coset_ode_dataset_options options = small(20, 3);
    coset_ctx *counted = ctx;
    char first[1024] = "";
    for (int threads = 1; threads <= 3; threads += 2) {
        ctx = plain_ctx(threads, 0);
        coset_ode *ode =
            parsed("begin model m\nbegin init\nx = 1\nend init\n"
                   "begin ODE\nd(x) = x^2\nend ODE\nsimulateODE(tEnd=0.75)\nend model\n");
        assert_refused(ode, &options, COSET_ENUMERIC, "test.ode: trajectory ");
        if (threads > 1) assert_string_equal(first, coset_ctx_error(ctx));
        snprintf(first, sizeof first, "%s", coset_ctx_error(ctx));
        coset_ode_free(ctx, ode);
        coset_ctx_free(ctx);
    }
    ctx = counted;
}

static void test_families(void **state)
{
    (void)state;
    coset_ode *ode = NULL;
    assert_int_equal(coset_ode_family(ctx, "htre", 0, 0, &ode), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "'htree'"));
    assert_int_equal(coset_ode_family(ctx, "", 0, 0, &ode), COSET_EARGUMENT);
    assert_int_equal(coset_ode_family(ctx, "htree", 9, 0, &ode), COSET_EARGUMENT);
    assert_null(ode);
    ode = family("htree", 0);
    assert_int_equal(coset_ode_variables(ode), 7);
    coset_ode_free(ctx, ode);
    ode = family("phosphorylation", 3);
    assert_int_equal(coset_ode_variables(ode), 66);
    coset_ode_free(ctx, ode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_system, setup, teardown),
        cmocka_unit_test_setup_teardown(test_next_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_glycolysis, setup, teardown),
        cmocka_unit_test_setup_teardown(test_derivative, setup, teardown),
        cmocka_unit_test_setup_teardown(test_initial_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_and_seed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_model_is_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_models, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blow_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_families, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
