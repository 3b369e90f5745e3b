/* The public calls on ODE models: what they say of options, names, views, comments and files. */
#include "support/files.h"

#include <math.h>

#include <coset/ode.h>

static counted_memory memory;
static coset_ctx *ctx;
static coset_ode *ode;

/* Two species that decay into a third, which starts from a parameter that the closest system changes. */
static const char pair[] =
    "begin model pair\n"
    " begin parameters\n  ka = 1\n  kb = 1.1\n  twice = 2 * ka\n  under = 3\n end parameters\n"
    " begin init\n  a = 3\n  b = 1\n  c = ka\n end init\n"
    " begin partition\n  {a, b}, {c}\n end partition\n"
    " begin ODE\n"
    "  d(a) = -ka * a / under\n  d(b) = -kb * b / under\n  d(c) = (ka * a + kb * b) / under\n"
    " end ODE\n"
    " begin views\n"
    "  sum = a + b\n"
    "  nested = -(c - (a + b)) * 2 / (1 + 3)\n"
    "  parameters = twice * (kb * a + b * kb) + ka\n"
    "  cancelled = a - a + c\n"
    "  constant = 2 * 3 - under\n"
    "  uneven = a + 2 * b\n"
    "  lonely = a\n"
    "  product = a * b\n"
    "  ratio = c / (a + b)\n"
    " end views\n"
    "end model\n";

static void read_text(const char *text)
{
    coset_ode_free(ctx, ode);
    assert_int_equal(coset_ode_parse(ctx, text, strlen(text), "pair.ode", &ode), COSET_OK);
}

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    ode = NULL;
    read_text(pair);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    coset_ode_free(ctx, ode);
    counted_ctx_end(ctx, &memory);
    return 0;
}

static void expect_error(coset_status found, coset_status expected, const char *text)
{
    assert_int_equal(found, expected);
    if (strstr(coset_ctx_error(ctx), text) == NULL)
        fail_msg("'%s' does not say '%s'", coset_ctx_error(ctx), text);
}

/* Text of a model, freed with it. */
static char *text_of(coset_ode *from)
{
    char *text = NULL;
    assert_int_equal(coset_ode_text(ctx, from, &text), COSET_OK);
    coset_ode_free(ctx, from);
    return text;
}

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) fail_msg("no '%s' in\n%s", part, text);
}

static void says_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) fail_msg("'%s' in\n%s", part, text);
}

static void names_and_values(void **state)
{
    (void)state;
    assert_int_equal(coset_ode_variables(ode), 3);
    assert_string_equal(coset_ode_variable_name(ode, 2), "c");
    assert_null(coset_ode_variable_name(ode, 3));
    assert_null(coset_ode_variable_name(ode, -1));
    assert_int_equal(coset_ode_set(ctx, ode, "kb", 1), COSET_OK);
    assert_int_equal(coset_ode_set(ctx, ode, "c", 0.5), COSET_OK);
    expect_error(coset_ode_set(ctx, ode, "twise", 1), COSET_EARGUMENT, "twice");
    expect_error(coset_ode_set(ctx, ode, "kb", (double)NAN), COSET_EARGUMENT, "");
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    coset_report *report = NULL;
    assert_int_equal(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_OK);
    assert_true(coset_report_number(report, "set.kb", 0) == 1);
    assert_true(coset_report_number(report, "set.c", 0) == 0.5);
    assert_true(coset_report_number(report, "variables.reduced", 0) == 2);
    assert_true(coset_report_number(report, "violation", 1) <= 1e-15);
    coset_report_free(ctx, report);
}

/* Views that are sums over blocks, whatever they look like, come along; others do not. */
static void forward_views(void **state)
{
    (void)state;
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    coset_ode *reduced = NULL;
    assert_int_equal(coset_ode_set(ctx, ode, "kb", 1), COSET_OK);
    assert_int_equal(coset_ode_reduce(ctx, ode, &options, &reduced, NULL, NULL), COSET_OK);
    char *text = text_of(reduced);
    says(text, " sum = a\n");
    says(text, " nested = 0.5*a - 0.5*c\n");
    says(text, " parameters = 2*a + 1\n");
    says(text, " cancelled = c\n");
    says(text, " constant = 3\n");
    says_not(text, "uneven");
    says_not(text, "lonely");
    says_not(text, "product");
    says_not(text, "ratio");
    coset_memory_free(ctx, text);
}

/* Views that the reduced model has say what those of the original say. */
static void views_agree(void **state)
{
    (void)state;
    coset_ode_reduce_options reduce = COSET_ODE_REDUCE_OPTIONS_INIT;
    coset_ode_simulate_options options = COSET_ODE_SIMULATE_OPTIONS_INIT;
    coset_trajectory *trajectory = NULL;
    const double *values = NULL;
    int64_t compared = 0;
    options.t_end = 3;
    options.views = 1;
    options.reduce = &reduce;
    assert_int_equal(coset_ode_set(ctx, ode, "kb", 1), COSET_OK);
    assert_int_equal(coset_ode_set(ctx, ode, "b", 3), COSET_OK);
    for (int backward = 0; backward < 2; backward++) {
        reduce.equivalence = backward ? COSET_ODE_BACKWARD : COSET_ODE_FORWARD;
        assert_int_equal(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_OK);
        int64_t columns = coset_trajectory_columns(trajectory, &values);
        int64_t times = coset_trajectory_times(trajectory, NULL);
        assert_int_equal(columns, backward ? 18 : 14);
        for (int64_t c = 1; c < columns; c++) {
            if (strstr(coset_trajectory_name(trajectory, c), ".reduced") == NULL) continue;
            compared++;
            for (int64_t k = 0; k < times; k++) /* rtol 1e-8, added up over the steps */
                assert_true(fabs(values[k * columns + c] - values[k * columns + c - 1]) < 1e-6);
        }
        assert_null(coset_trajectory_name(trajectory, columns));
        coset_trajectory_free(ctx, trajectory);
    }
    assert_int_equal(compared, 5 + 9);
}

/* c starts from ka, which changes; where it starts from does not. */
static void closest_keeps_the_start(void **state)
{
    (void)state;
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    coset_ode *closest = NULL, *reduced = NULL;
    coset_report *report = NULL;
    options.eps = 0.3;
    options.t_end = 1;
    assert_int_equal(coset_ode_reduce(ctx, ode, &options, &reduced, &closest, &report), COSET_OK);
    assert_true(fabs(coset_report_number(report, "closest.change_max", 0) - 0.05) < 1e-12);
    double deviation = coset_report_number(report, "bound.deviation", -1);
    assert_true(deviation > 0);
    assert_true(deviation <= coset_report_number(report, "bound.aggregated_bound", 0));
    coset_report_free(ctx, report);
    char *text = text_of(closest);
    says(text, "ka = 1.05\n");
    says(text, "kb = 1.05\n");
    says(text, "twice = 2*ka\n");
    says(text, " c = 1\n");
    coset_memory_free(ctx, text);
    text = text_of(reduced);
    says(text, "ka = 1.05\n");
    says(text, " c = 1\n");
    says_not(text, "twice =");
    coset_memory_free(ctx, text);
}

/* 0.1 p - q falls to rounding, which is small beside p and q but not beside itself. */
static void what_cancels_is_nothing(void **state)
{
    (void)state;
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    coset_ode *closest = NULL, *reduced = NULL;
    options.equivalence = COSET_ODE_BACKWARD;
    options.eps = 3;
    char text[400];
    for (int i = 1; i <= 40; i++) {
        snprintf(text, sizeof text,
                 "begin model cancels\n"
                 " begin parameters\n  p = 1.%02d\n  q = 1.31\n  r = 1.28\n end parameters\n"
                 " begin init\n  x = 1\n  y = 1\n end init\n"
                 " begin ODE\n  d(x) = -0.9*r*x\n  d(y) = 0.1*p*y + 0.2*r*x*y - q*y\n end ODE\n"
                 "end model\n",
                 i);
        read_text(text);
        assert_int_equal(coset_ode_reduce(ctx, ode, &options, &reduced, &closest, NULL), COSET_OK);
        coset_ode_free(ctx, closest);
        coset_ode_free(ctx, reduced);
    }
}

static void free_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *perturb, *error;
    } cases[] = {{"kc", "there are ka, kb"},
                 {"c", "is a variable"},
                 {"ka,twice", "made from other parameters"},
                 {"under", "denominator"}};
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    options.eps = 0.3;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        options.perturb = cases[k].perturb;
        expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, NULL), COSET_EARGUMENT,
                     cases[k].error);
    }
    /* A rate that is written out is no parameter: then coefficients change, unless parameters were asked for. */
    const char fixed[] = "begin model m\nbegin init\na\nb\nend init\nbegin ODE\nd(a) = 1 - a\n"
                         "d(b) = 1 - 1.1 * b\nend ODE\nend model\n";
    read_text(fixed);
    options.equivalence = COSET_ODE_BACKWARD;
    options.perturb = "all";
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, NULL), COSET_ENUMERIC,
                 "'coefficients'");
    static const char *const freed[] = {NULL, "coefficients"};
    for (size_t k = 0; k < 2; k++) {
        coset_report *report = NULL;
        options.perturb = freed[k];
        assert_int_equal(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_OK);
        assert_true(coset_report_number(report, "closest.equations", 0) > 0);
        assert_true(coset_report_number(report, "closest.change_max", 0) > 0.04);
        coset_report_free(ctx, report);
    }
}

static void reduce_options(void **state)
{
    (void)state;
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    coset_report *report = NULL;
    options.eps = -1;
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_EARGUMENT, "eps");
    options.eps = (double)NAN;
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_EARGUMENT, "eps");
    options.eps = 0;
    options.t_end = -1;
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_EARGUMENT, "-1");
    options.t_end = (double)NAN;
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_EARGUMENT,
                 "simulateODE");
    options.t_end = 1;
    options.dt = 2;
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_EARGUMENT, "dt");
    options.dt = 1e-9;
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_EARGUMENT, "dt");
    assert_null(report);
    options.dt = 0.3; /* does not divide 1: the grid is made finer */
    assert_int_equal(coset_ode_reduce(ctx, ode, &options, NULL, NULL, &report), COSET_OK);
    assert_true(coset_report_number(report, "bound.dt", 0) == 0.25);
    coset_report_free(ctx, report);
    options = (coset_ode_reduce_options)COSET_ODE_REDUCE_OPTIONS_INIT;
    options.partition = "two";
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, NULL), COSET_EARGUMENT, "'two'");
    options.partition = "{a, z}";
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, NULL), COSET_EARGUMENT, "z");
}

static void simulate_options(void **state)
{
    (void)state;
    coset_ode_simulate_options options = COSET_ODE_SIMULATE_OPTIONS_INIT;
    coset_trajectory *trajectory = NULL;
    const double late[] = {1, 2}, twice[] = {0, 1, 1}, good[] = {0, 0.1, 7};
    expect_error(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_EARGUMENT,
                 "simulateODE");
    options.t_end = 0;
    expect_error(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_EARGUMENT,
                 "over 0");
    options.t_end = 1;
    options.steps = 0;
    expect_error(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_EARGUMENT,
                 "steps");
    options.steps = 5;
    options.rtol = 0;
    expect_error(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_EARGUMENT,
                 "rtol");
    options.rtol = 1e-8;
    options.times = late;
    options.n_times = 2;
    expect_error(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_EARGUMENT,
                 "times");
    options.times = twice;
    options.n_times = 3;
    expect_error(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_EARGUMENT,
                 "ascend");
    assert_null(trajectory);
    options.times = good;
    const double *times = NULL, *values = NULL;
    assert_int_equal(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_OK);
    assert_int_equal(coset_trajectory_times(trajectory, &times), 3);
    assert_memory_equal(times, good, sizeof good);
    assert_int_equal(coset_trajectory_columns(trajectory, &values), 3);
    /* a' = -a / 3, b' = -1.1 b / 3 */
    assert_true(fabs(values[6] - 3 * exp(-7.0 / 3)) < 1e-6);
    assert_true(fabs(values[7] - exp(-7.7 / 3)) < 1e-6);
    expect_error(coset_trajectory_save(ctx, trajectory, "t.txt"), COSET_EARGUMENT, ".csv");
    coset_trajectory_free(ctx, trajectory);
}

/* A variable called t leaves another name to the times. */
static void time_has_a_name(void **state)
{
    (void)state;
    coset_ode_simulate_options options = COSET_ODE_SIMULATE_OPTIONS_INIT;
    coset_trajectory *trajectory = NULL;
    options.t_end = 1;
    options.steps = 1;
    files_start("ode_api");
    read_text("begin model m\nbegin init\nt = 0.5\nend init\nbegin ODE\nd(t) = 0 * t\nend ODE\n"
              "end model\n");
    assert_int_equal(coset_ode_simulate(ctx, ode, &options, &trajectory, NULL), COSET_OK);
    assert_int_equal(coset_trajectory_save(ctx, trajectory, "t.csv"), COSET_OK);
    files_expect("t.csv", "time,t\n0,0.5\n1,0.5\n");
    assert_int_equal(coset_trajectory_save(ctx, trajectory, "t.npz"), COSET_OK);
    coset_array *arrays = NULL;
    int64_t n = 0;
    assert_int_equal(coset_arrays_load(ctx, "t.npz", &arrays, &n), COSET_OK);
    assert_int_equal(n, 2);
    assert_string_equal(arrays[0].name, "time");
    assert_string_equal(arrays[1].name, "t");
    assert_int_equal(arrays[1].dims[0], 2);
    coset_arrays_free(ctx, arrays, n);
    coset_trajectory_free(ctx, trajectory);
}

/* A block of hundreds is listed at the top, in lines of some length, and the file can be read. */
static void long_blocks(void **state)
{
    (void)state;
    enum { N = 400 };
    char *text = calloc(1, 100 * N);
    assert_non_null(text);
    strcpy(text, "begin model many\nbegin init\n");
    for (int i = 0; i < N; i++) sprintf(text + strlen(text), "species%d = %d\n", i, i);
    strcat(text, "end init\nbegin ODE\n");
    for (int i = 0; i < N; i++)
        sprintf(text + strlen(text), "d(species%d) = -1.5 * species%d\n", i, i);
    strcat(text, "end ODE\nend model\n");
    read_text(text);
    free(text);
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    coset_ode *reduced = NULL;
    assert_int_equal(coset_ode_reduce(ctx, ode, &options, &reduced, NULL, NULL), COSET_OK);
    assert_int_equal(coset_ode_variables(reduced), 1);
    text = text_of(reduced);
    says(text, "// species0: block of 400:\n");
    says(text, " species399\n");
    says(text, "species0 = 79800 // species0: block of 400, listed at the top\n");
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") < 130);
    read_text(text);
    coset_memory_free(ctx, text);
}

/* Errors in expressions that show late have the file's name and the place. */
static void places(void **state)
{
    (void)state;
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    read_text("begin model m\nbegin init\nx = 1\nend init\nbegin ODE\nd(x) = 1 / x\nend ODE\n"
              "end model\n");
    expect_error(coset_ode_reduce(ctx, ode, &options, NULL, NULL, NULL), COSET_EUNSUPPORTED,
                 "pair.ode:6:");
    coset_ode *none = NULL;
    expect_error(coset_ode_parse(ctx, NULL, 0, NULL, &none), COSET_EFORMAT, "text:1:1:");
    assert_null(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(names_and_values),
                                       TEST(forward_views),
                                       TEST(views_agree),
                                       TEST(closest_keeps_the_start),
                                       TEST(free_parameters),
                                       TEST(reduce_options),
                                       TEST(what_cancels_is_nothing),
                                       TEST(simulate_options),
                                       TEST(time_has_a_name),
                                       TEST(long_blocks),
                                       TEST(places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
