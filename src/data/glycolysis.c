#include "data/glycolysis.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"
#include "data/samples.h"

enum { SPECIES = GLYCOLYSIS_SPECIES };
/* Streams of the seed (base/rng.h). */
enum { STREAM_STATES = 0x61C0 };

const double glycolysis_low[SPECIES] = {0.15, 0.19, 0.04, 0.10, 0.08, 0.14, 0.05};
const double glycolysis_high[SPECIES] = {1.60, 2.16, 0.20, 0.35, 0.30, 2.67, 0.10};

/* ---- the system -------------------------------------------------------------------------------- */

void glycolysis_slope(const double *state, double *slope)
{
    const double J0 = 2.5, k1 = 100, k2 = 6, k3 = 16, k4 = 100, k5 = 1.28, k6 = 12, k = 1.8;
    const double kappa = 13, K1 = 0.52, psi = 0.1, N = 1, A = 4;
    const double S1 = state[0], S2 = state[1], S3 = state[2], S4 = state[3];
    const double S5 = state[4], S6 = state[5], S7 = state[6];
    const double ratio = S6 / K1, square = ratio * ratio; /* q = 4 */
    const double v1 = k1 * S1 * S6 / (1 + square * square);
    const double v2 = k2 * S2 * (N - S5);
    const double v3 = k3 * S3 * (A - S6);
    const double v4 = k4 * S4 * S5;
    const double v6 = k6 * S2 * S5;
    const double out = kappa * (S4 - S7);
    slope[0] = J0 - v1;
    slope[1] = 2 * v1 - v2 - v6;
    slope[2] = v2 - v3;
    slope[3] = v3 - v4 - out;
    slope[4] = v2 - v4 - v6;
    slope[5] = -2 * v1 + 2 * v3 - k5 * S6;
    slope[6] = psi * out - k * S7;
}

/* result = state + by * slope */
static void move(const double *state, double by, const double *slope, double *result)
{
    for (int i = 0; i < SPECIES; i++) result[i] = state[i] + by * slope[i];
}

void glycolysis_advance(double *state, double minutes, int64_t steps)
{
    double h = minutes / (double)steps, a[SPECIES], b[SPECIES], c[SPECIES], d[SPECIES];
    double at[SPECIES];
    for (int64_t s = 0; s < steps; s++) {
        glycolysis_slope(state, a);
        move(state, h / 2, a, at);
        glycolysis_slope(at, b);
        move(state, h / 2, b, at);
        glycolysis_slope(at, c);
        move(state, h, c, at);
        glycolysis_slope(at, d);
        for (int i = 0; i < SPECIES; i++) state[i] += h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]);
    }
}

/* ---- the data set ------------------------------------------------------------------------------ */

static coset_status check_options(coset_ctx *ctx, const glycolysis_options *options)
{
    int64_t numbers = 0;
    if (options->trajectories < 2 || options->pairs < 1 || options->steps < 1)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "the glycolysis data needs at least 2 trajectories, 1 pair and 1 step, not "
                        "%lld, %lld and %lld",
                        (long long)options->trajectories, (long long)options->pairs,
                        (long long)options->steps);
    if (!(options->minutes > 0 && isfinite(options->minutes)))
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "the states of a pair are %g minutes apart; it must be over 0",
                        options->minutes);
    if (!(options->test_share > 0 && options->test_share < 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "the test share is %g; it must be over 0 and below 1",
                        options->test_share);
    if (!dim_mul(options->trajectories, options->pairs, &numbers) ||
        !dim_mul(numbers, SPECIES, &numbers) || numbers > TENSOR_MAX_ELEMENTS)
        return ctx_fail(ctx, COSET_ELIMIT, "%lld trajectories of %lld pairs are too many",
                        (long long)options->trajectories, (long long)options->pairs);
    return COSET_OK;
}

/* `count` trajectories as x and y [count * pairs, 7] F64, one reference each. */
static coset_status make_pairs(coset_ctx *ctx, const glycolysis_options *options, int64_t count,
                               rng *random, tensor **x_out, tensor **y_out)
{
    coset_status status = COSET_OK;
    double *x = NULL, *y = NULL, state[SPECIES];
    const int64_t rows = count * options->pairs, n = rows * SPECIES;
    const shape dims = {.rank = 2, .dims = {rows, SPECIES}};
    TRY(ctx_alloc_raw(ctx, n, sizeof *x, &x));
    TRY(ctx_alloc_raw(ctx, n, sizeof *y, &y));
    for (int64_t r = 0; r < rows; r++) {
        for (int i = 0; i < SPECIES && r % options->pairs == 0; i++)
            state[i] =
                glycolysis_low[i] + (glycolysis_high[i] - glycolysis_low[i]) * rng_uniform(random);
        memcpy(x + r * SPECIES, state, sizeof state);
        glycolysis_advance(state, options->minutes, options->steps);
        memcpy(y + r * SPECIES, state, sizeof state);
    }
    TRY(tensor_new(ctx, COSET_F64, &dims, x, (size_t)n * sizeof *x, x_out));
    x = NULL;
    TRY(tensor_new(ctx, COSET_F64, &dims, y, (size_t)n * sizeof *y, y_out));
    y = NULL;
done:
    ctx_free(ctx, x);
    ctx_free(ctx, y);
    return status;
}

coset_status glycolysis_data(coset_ctx *ctx, const glycolysis_options *options,
                             coset_data **data_out)
{
    coset_status status = COSET_OK;
    samples found = {0};
    coset_data_options standardised = COSET_DATA_OPTIONS_INIT;
    rng random = rng_seed(ctx->seed, STREAM_STATES);
    *data_out = NULL;
    TRY(check_options(ctx, options));
    int64_t all = options->trajectories;
    int64_t n_test = (int64_t)floor((double)all * options->test_share + 0.5);
    n_test = n_test < 1 ? 1 : n_test > all - 1 ? all - 1 : n_test;
    TRY(make_pairs(ctx, options, all - n_test, &random, &found.x, &found.y));
    TRY(make_pairs(ctx, options, n_test, &random, &found.x_test, &found.y_test));
    standardised.standardise = 1;
    TRY(samples_build(ctx, &found, "glycolysis", &standardised, data_out));
done:
    samples_free(ctx, &found);
    return status;
}
