/* The glycolysis system and the data set made from it. */
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "data/glycolysis.h"

enum { SPECIES = GLYCOLYSIS_SPECIES };

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
        fail_msg("%.12g is not within %g of %.12g", found, tolerance, expected);
}

static void draw(rng *random, double *state)
{
    for (int i = 0; i < SPECIES; i++)
        state[i] =
            glycolysis_low[i] + (glycolysis_high[i] - glycolysis_low[i]) * rng_uniform(random);
}

/* ---- the system -------------------------------------------------------------------------------- */

/* S6 = K1 makes v1 = k1 S1 S6 / 2 = 26; v2 = .6, v3 = 5.568, v4 = 5, v6 = 1.2, outflow .65. */
static void test_slope_by_hand(void **state)
{
    (void)state;
    const double at[SPECIES] = {1, 0.2, 0.1, 0.1, 0.5, 0.52, 0.05};
    const double expected[SPECIES] = {2.5 - 26,                   /* J0 - v1 */
                                      52 - 0.6 - 1.2,             /* 2 v1 - v2 - v6 */
                                      0.6 - 5.568,                /* v2 - v3 */
                                      5.568 - 5 - 0.65,           /* v3 - v4 - outflow */
                                      0.6 - 5 - 1.2,              /* v2 - v4 - v6 */
                                      -52 + 11.136 - 1.28 * 0.52, /* -2 v1 + 2 v3 - k5 S6 */
                                      0.1 * 0.65 - 1.8 * 0.05};   /* psi outflow - k S7 */
    double slope[SPECIES];
    glycolysis_slope(at, slope);
    for (int i = 0; i < SPECIES; i++) assert_near(slope[i], expected[i], 1e-12);
}

/* Three-carbon units come in as glucose (two each) and leave as glycerol, ethanol and what is broken
 * down outside, whatever happens between. */
static void test_carbon_is_kept(void **state)
{
    (void)state;
    rng random = rng_seed(1, 1);
    for (int trial = 0; trial < 100; trial++) {
        double s[SPECIES], d[SPECIES];
        draw(&random, s);
        glycolysis_slope(s, d);
        double inside = 2 * d[0] + d[1] + d[2] + d[3] + d[6] / 0.1;
        double glycerol = 12 * s[1] * s[4], ethanol = 100 * s[3] * s[4], outside = 18 * s[6];
        assert_near(inside, 2 * 2.5 - glycerol - ethanol - outside, 1e-10);
    }
}

/* Against an integrator of order 8 with error control: SciPy's DOP853 at a tolerance of 1e-13. */
static void test_state_after_a_minute(void **state)
{
    (void)state;
    double s[SPECIES] = {1, 1, 0.1, 0.2, 0.2, 1, 0.075};
    const double expected[SPECIES] = {1.39138467613,  0.628831605811, 0.0721528124706,
                                      0.123567686945, 0.149131715365, 1.40720087804,
                                      0.0551505053831};
    glycolysis_advance(s, 1, 1000);
    for (int i = 0; i < SPECIES; i++) assert_near(s[i], expected[i], 1e-7 * expected[i]);
}

/* The cell oscillates for ever with one period: 1.16812296 minutes by the integrator above. */
static void test_oscillation(void **state)
{
    (void)state;
    const double h = 0.001, period = 1.16812296;
    double s[SPECIES] = {1, 1, 0.1, 0.2, 0.2, 1, 0.075}, last = 0;
    int crossings = 0;
    glycolysis_advance(s, 30, 30000);
    for (int step = 0; step < 6000; step++) {
        double before = s[5];
        glycolysis_advance(s, h, 1);
        if (!(before < 1 && s[5] >= 1)) continue; /* ATP rises through 1 mM */
        double at = h * (step + (1 - before) / (s[5] - before));
        /* The crossing is interpolated linearly within a step, which is good to about h^2. */
        if (crossings > 0) assert_near(at - last, period, 1e-5);
        last = at;
        crossings++;
    }
    assert_int_equal(crossings, 5);
}

/* The step of the data set is small enough. */
static void test_half_the_step(void **state)
{
    (void)state;
    const glycolysis_options options = GLYCOLYSIS_OPTIONS_INIT;
    rng random = rng_seed(2, 2);
    for (int trial = 0; trial < 200; trial++) {
        double coarse[SPECIES], fine[SPECIES];
        draw(&random, coarse);
        memcpy(fine, coarse, sizeof fine);
        for (int64_t p = 0; p < options.pairs; p++) {
            glycolysis_advance(coarse, options.minutes, options.steps);
            glycolysis_advance(fine, options.minutes, 2 * options.steps);
        }
        for (int i = 0; i < SPECIES; i++)
            assert_true(fabs(coarse[i] - fine[i]) <= 1e-6 * fabs(fine[i]));
    }
}

/* Half the step leaves a sixteenth of the error. */
static void test_order_four(void **state)
{
    (void)state;
    double error[2] = {0, 0}, exact[SPECIES] = {1, 1, 0.1, 0.2, 0.2, 1, 0.075};
    glycolysis_advance(exact, 0.5, 20000);
    for (int k = 0; k < 2; k++) {
        double s[SPECIES] = {1, 1, 0.1, 0.2, 0.2, 1, 0.075};
        glycolysis_advance(s, 0.5, k == 0 ? 200 : 400);
        for (int i = 0; i < SPECIES; i++) error[k] += fabs(s[i] - exact[i]);
    }
    /* Terms of the next order: within a quarter of 16. */
    assert_true(error[1] > 1e-13);
    assert_near(error[0] / error[1], 16, 4);
}

/* ---- the data set ------------------------------------------------------------------------------ */

static glycolysis_options small_options(void)
{
    glycolysis_options options = GLYCOLYSIS_OPTIONS_INIT;
    options.trajectories = 50;
    options.pairs = 4;
    options.steps = 20;
    return options;
}

static coset_data *make(const glycolysis_options *options)
{
    coset_data *data = NULL;
    coset_status status = glycolysis_data(ctx, options, &data);
    if (status != COSET_OK) fail_msg("glycolysis_data: %s", coset_ctx_error(ctx));
    return data;
}

static const float *x_of(const data_part *part)
{
    assert_int_equal(part->x->dtype, COSET_F32);
    return part->x->data;
}

static void assert_standardised(const float *values, int64_t rows)
{
    for (int i = 0; i < SPECIES; i++) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < rows; r++) {
            double v = (double)values[r * SPECIES + i];
            sum += v;
            squares += v * v;
        }
        /* Rounding to f32: 2^-24 a value of order 1. */
        assert_near(sum / (double)rows, 0, 1e-6);
        assert_near(squares / (double)rows, 1, 1e-6);
    }
}

/* y of a pair is x of the next one of its trajectory, up to the two scales. */
static void assert_chained(const data_part *part, int64_t pairs, double *slope, double *offset,
                           bool fit)
{
    const float *x = x_of(part);
    for (int i = 0; i < SPECIES; i++) {
        if (fit) {
            double y0 = (double)part->y[i], y1 = (double)part->y[SPECIES + i];
            double x0 = (double)x[SPECIES + i], x1 = (double)x[2 * SPECIES + i];
            slope[i] = (x1 - x0) / (y1 - y0);
            offset[i] = x0 - slope[i] * y0;
        }
        for (int64_t r = 0; r + 1 < part->rows; r++) {
            if ((r + 1) % pairs == 0) continue;
            double next = slope[i] * (double)part->y[r * SPECIES + i] + offset[i];
            /* The line is fitted through two rounded points that may be near each other. */
            assert_near(next, (double)x[(r + 1) * SPECIES + i], 1e-3);
        }
    }
}

static void test_pairs(void **state)
{
    (void)state;
    const glycolysis_options options = small_options();
    double slope[SPECIES], offset[SPECIES];
    coset_data *data = make(&options);
    assert_int_equal(data->train.rows, 160);
    assert_int_equal(data->test.rows, 40);
    assert_int_equal(data->sample.rank, 1);
    assert_int_equal(data->sample.dims[0], SPECIES);
    assert_int_equal(data->y_width, SPECIES);
    assert_null(data->train.label);
    assert_standardised(x_of(&data->train), data->train.rows);
    assert_standardised(data->train.y, data->train.rows);
    assert_chained(&data->train, options.pairs, slope, offset, true);
    assert_chained(&data->test, options.pairs, slope, offset, false);
    coset_data_free(ctx, data);
}

/* No state is in both parts, as x or as y. */
static void test_parts_share_nothing(void **state)
{
    (void)state;
    const glycolysis_options options = small_options();
    coset_data *data = make(&options);
    const size_t row = SPECIES * sizeof(float);
    for (int64_t a = 0; a < data->train.rows; a++)
        for (int64_t b = 0; b < data->test.rows; b++) {
            assert_memory_not_equal(x_of(&data->train) + a * SPECIES,
                                    x_of(&data->test) + b * SPECIES, row);
            assert_memory_not_equal(data->train.y + a * SPECIES, data->test.y + b * SPECIES, row);
        }
    coset_data_free(ctx, data);
}

static void test_seed_decides(void **state)
{
    (void)state;
    const glycolysis_options options = small_options();
    coset_data *first = make(&options), *again = make(&options);
    size_t bytes = (size_t)first->train.rows * SPECIES * sizeof(float);
    assert_memory_equal(x_of(&first->train), x_of(&again->train), bytes);
    assert_memory_equal(first->train.y, again->train.y, bytes);
    coset_data_free(ctx, again);
    ctx->seed = 1;
    again = make(&options);
    assert_memory_not_equal(x_of(&first->train), x_of(&again->train), bytes);
    coset_data_free(ctx, again);
    coset_data_free(ctx, first);
}

static void test_options_out_of_range(void **state)
{
    (void)state;
    coset_data *data = NULL;
    glycolysis_options wrong[8];
    for (int i = 0; i < 8; i++) wrong[i] = small_options();
    wrong[0].trajectories = 1;
    wrong[1].pairs = 0;
    wrong[2].steps = 0;
    wrong[3].minutes = 0;
    wrong[4].minutes = (double)INFINITY;
    wrong[5].test_share = 0;
    wrong[6].test_share = (double)NAN;
    for (int i = 0; i < 7; i++) {
        assert_int_equal(glycolysis_data(ctx, &wrong[i], &data), COSET_EARGUMENT);
        assert_null(data);
    }
    wrong[7].trajectories = INT64_MAX / 16;
    assert_int_equal(glycolysis_data(ctx, &wrong[7], &data), COSET_ELIMIT);
}

/* However few trajectories there are, each part gets one. */
static void test_two_trajectories(void **state)
{
    (void)state;
    glycolysis_options options = small_options();
    options.trajectories = 2;
    for (int k = 0; k < 2; k++) {
        options.test_share = k == 0 ? 1e-6 : 1 - 1e-6;
        coset_data *data = make(&options);
        assert_int_equal(data->train.rows, options.pairs);
        assert_int_equal(data->test.rows, options.pairs);
        coset_data_free(ctx, data);
    }
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    const glycolysis_options options = small_options();
    coset_status status = COSET_EMEMORY;
    int64_t alive = memory.alive;
    for (int64_t n = 0; status != COSET_OK; n++) {
        coset_data *data = NULL;
        memory.fail_from = memory.made + n;
        status = glycolysis_data(ctx, &options, &data);
        memory.fail_from = -1;
        assert_true(status == COSET_OK || status == COSET_EMEMORY);
        assert_true((data != NULL) == (status == COSET_OK));
        coset_data_free(ctx, data);
        assert_int_equal(memory.alive, alive);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slope_by_hand),
        cmocka_unit_test(test_carbon_is_kept),
        cmocka_unit_test(test_state_after_a_minute),
        cmocka_unit_test(test_oscillation),
        cmocka_unit_test(test_half_the_step),
        cmocka_unit_test(test_order_four),
        cmocka_unit_test_setup_teardown(test_pairs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parts_share_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seed_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_options_out_of_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_trajectories, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_runs_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
