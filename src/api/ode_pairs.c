#include "api/ode_pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"
#include "data/glycolysis.h"

/* Streams of the seed (base/rng.h): this one and the trajectory's number. */
#define STREAM_TRAJECTORY (UINT64_C(0x0DE5) << 40)
/* Numbers of x and of y: 4 GiB each. */
#define MAX_NUMBERS (INT64_C(1) << 29)
/* Times that are closer than this share of t_end are one. */
#define SAME_TIME 1e-11
/* Between two times; initial values that make a system so stiff that Adams needs more are left to BDF. */
enum { ADAMS_STEPS = 20000 };
/* Trajectories between two reports of progress, for each thread. */
enum { CHUNK = 16, LARGE = 1000 };

/* ---- options ----------------------------------------------------------------------------------- */

static coset_status check_counts(coset_ctx *ctx, const coset_ode_dataset_options *options,
                                 int64_t n)
{
    int64_t numbers = 0;
    if (options->trajectories < 2 || options->pairs < 1)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "a data set needs 2 trajectories and 1 pair of each, not %lld and %lld",
                        (long long)options->trajectories, (long long)options->pairs);
    if (!(options->spread >= 0 && isfinite(options->spread)))
        return ctx_fail(ctx, COSET_EARGUMENT, "the spread is %g; it must not be below 0",
                        options->spread);
    if (!(options->test_share > 0 && options->test_share < 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "the test share is %g; it must be over 0 and below 1",
                        options->test_share);
    if (!dim_mul(options->trajectories, options->pairs, &numbers) ||
        !dim_mul(numbers, n > 0 ? n : 1, &numbers) || numbers > MAX_NUMBERS)
        return ctx_fail(ctx, COSET_ELIMIT,
                        "%lld pairs of each of %lld trajectories of %lld variables are too many "
                        "numbers",
                        (long long)options->pairs, (long long)options->trajectories, (long long)n);
    if (n == 0) return ctx_fail(ctx, COSET_EARGUMENT, "the model has no variables");
    return COSET_OK;
}

/* Glycolysis has a step of its own, and by itself its pairs follow each other. */
static coset_status choose_times(pair_plan *self, double t_end,
                                 const coset_ode_dataset_options *options)
{
    coset_ctx *ctx = self->ctx;
    const glycolysis_options own = GLYCOLYSIS_OPTIONS_INIT;
    self->dt = options->dt;
    self->t_end = isnan(options->t_end) ? t_end : options->t_end;
    if (self->system == NULL) {
        if (self->dt == 0) self->dt = own.minutes;
        if (isnan(self->t_end)) self->t_end = self->dt * (double)self->pairs;
    }
    if (isnan(self->t_end))
        return ctx_fail(
            ctx, COSET_EARGUMENT,
            "the model does not say up to which time it is simulated; give a time (--t-end)");
    if (!(self->t_end > 0 && isfinite(self->t_end)))
        return ctx_fail(ctx, COSET_EARGUMENT, "t_end is %g; it must be over 0", self->t_end);
    if (self->dt == 0) self->dt = self->t_end / 10;
    if (!(self->dt >= 1e-9 * self->t_end && self->dt <= self->t_end * (1 + SAME_TIME)))
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "dt is %g; it must be over 0 and at most t_end, which is %g", self->dt,
                        self->t_end);
    return COSET_OK;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Index of the last time <= t, give or take rounding. */
static int64_t find_time(const pair_plan *self, double t)
{
    int64_t low = 0, high = self->n_times;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (self->times[middle] <= t + SAME_TIME * self->t_end)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Start of pair k: evenly spread, so that the last pair ends at t_end. */
static double pair_start(const pair_plan *self, int64_t k)
{
    double room = fmax(self->derivative ? self->t_end : self->t_end - self->dt, 0);
    return self->pairs > 1 ? room * (double)k / (double)(self->pairs - 1) : 0;
}

static coset_status set_times(pair_plan *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    int64_t n = 0, kept = 0;
    TRY(ctx_alloc(ctx, 2 * self->pairs, sizeof *self->times, &self->times));
    TRY(ctx_alloc(ctx, self->pairs, sizeof *self->from, &self->from));
    TRY(ctx_alloc(ctx, self->pairs, sizeof *self->to, &self->to));
    for (int64_t k = 0; k < self->pairs; k++) {
        self->times[n++] = pair_start(self, k);
        if (!self->derivative) self->times[n++] = pair_start(self, k) + self->dt;
    }
    qsort(self->times, (size_t)n, sizeof *self->times, compare_times);
    for (int64_t i = 1; i < n; i++)
        if (self->times[i] - self->times[kept] > SAME_TIME * self->t_end)
            self->times[++kept] = self->times[i];
    self->n_times = kept + 1;
    for (int64_t k = 0; k < self->pairs; k++) {
        self->from[k] = find_time(self, pair_start(self, k));
        self->to[k] =
            self->derivative ? self->from[k] : find_time(self, pair_start(self, k) + self->dt);
    }
done:
    return status;
}

/* ---- initial values ---------------------------------------------------------------------------- */

static bool is_constant(const ode_system *system, int64_t i)
{
    return system->row_start[i] == system->row_start[i + 1];
}

/* The largest |value| among states [rows, n] of what is not constant. */
static double largest(const ode_system *system, const double *states, int64_t rows)
{
    double most = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < system->n; i++)
            if (!is_constant(system, i)) most = fmax(most, fabs(states[r * system->n + i]));
    return most;
}

/* What variables that start at 0 are measured by: the largest initial value, or, if all are 0, the
 * largest value that the model reaches from there. */
static coset_status find_scale(const pair_plan *self, const double *initial, double *scale_out)
{
    coset_status status = COSET_OK;
    enum { STEPS = 50 };
    double times[STEPS + 1], *states = NULL;
    *scale_out = largest(self->system, initial, 1);
    if (*scale_out > 0) return COSET_OK;
    for (int k = 0; k <= STEPS; k++) times[k] = self->t_end * k / STEPS;
    TRY(ctx_alloc_raw(self->ctx, (STEPS + 1) * self->n, sizeof *states, &states));
    TRY(integrate_system(self->system, initial, times, STEPS + 1, &self->integrate, NULL, states));
    *scale_out = largest(self->system, states, STEPS + 1);
done:
    ctx_free(self->ctx, states);
    return status;
}

static coset_status set_ranges(pair_plan *self, double spread)
{
    coset_status status = COSET_OK;
    const ode_system *system = self->system;
    double scale = 0, *middle = NULL;
    TRY(ctx_alloc(self->ctx, self->n, sizeof *middle, &middle));
    for (int64_t i = 0; i < self->n; i++) middle[i] = system->initial[i].value;
    TRY(find_scale(self, middle, &scale));
    /* Absolute tolerances are in units of the variables. */
    if (scale > 0 && scale < 1) self->integrate.atol *= scale;
    for (int64_t i = 0; i < self->n; i++) {
        double x0 = middle[i], width = is_constant(system, i) ? 0 : spread * fabs(x0);
        self->low[i] = x0 - width;
        self->high[i] = x0 + width;
        if (x0 == 0 && !is_constant(system, i)) self->high[i] = spread * scale;
        middle[i] = (self->low[i] + self->high[i]) / 2;
    }
    TRY(integrate_choose(system, middle, self->t_end, &self->integrate, &self->integrate.method));
done:
    ctx_free(self->ctx, middle);
    return status;
}

coset_status pair_plan_make(pair_plan *self, coset_ctx *ctx, const ode_system *system, double t_end,
                            const coset_ode_dataset_options *options)
{
    coset_status status = COSET_OK;
    const integrate_options integrate = INTEGRATE_OPTIONS_INIT;
    *self = (pair_plan){.ctx = ctx, .system = system, .integrate = integrate};
    self->n = system != NULL ? system->n : GLYCOLYSIS_SPECIES;
    self->trajectories = options->trajectories;
    self->pairs = options->pairs;
    self->derivative = options->derivative != 0;
    TRY(check_counts(ctx, options, self->n));
    TRY(choose_times(self, t_end, options));
    TRY(set_times(self));
    TRY(ctx_alloc(ctx, self->n, sizeof *self->low, &self->low));
    TRY(ctx_alloc(ctx, self->n, sizeof *self->high, &self->high));
    if (system != NULL) {
        TRY(set_ranges(self, options->spread));
    } else {
        memcpy(self->low, glycolysis_low, sizeof glycolysis_low);
        memcpy(self->high, glycolysis_high, sizeof glycolysis_high);
    }
done:
    return status;
}

void pair_plan_free(pair_plan *self)
{
    if (self->ctx == NULL) return;
    ctx_free(self->ctx, self->low);
    ctx_free(self->ctx, self->high);
    ctx_free(self->ctx, self->times);
    ctx_free(self->ctx, self->from);
    ctx_free(self->ctx, self->to);
    *self = (pair_plan){0};
}

/* ---- trajectories ------------------------------------------------------------------------------ */

static bool glycolysis_flow(void *user, double t, const double *x, double *slope)
{
    (void)user, (void)t;
    glycolysis_slope(x, slope);
    return true;
}

static coset_status integrate_once(const pair_plan *self, const ode_system *system,
                                   const integrate_options *options, const double *initial,
                                   coset_ctx *ctx, double *states)
{
    const ode_flow flow = {.n = self->n, .slope = glycolysis_flow};
    if (system != NULL)
        return integrate_system(system, initial, self->times, self->n_times, options, NULL, states);
    return integrate_flow(ctx, &flow, initial, self->times, self->n_times, options, NULL, states);
}

/* By the method that was chosen for all; where that does not arrive, by the other. */
static coset_status integrate_one(const pair_plan *self, const ode_system *system,
                                  const double *initial, coset_ctx *ctx, double *states)
{
    integrate_options options = self->integrate;
    if (options.method == INTEGRATE_ADAMS) options.max_steps = ADAMS_STEPS;
    coset_status status = integrate_once(self, system, &options, initial, ctx, states);
    if (status != COSET_ENUMERIC) return status;
    options.max_steps = self->integrate.max_steps;
    options.method = options.method == INTEGRATE_BDF ? INTEGRATE_ADAMS : INTEGRATE_BDF;
    return integrate_once(self, system, &options, initial, ctx, states);
}

static coset_status fill_derivatives(const pair_plan *self, const ode_system *system,
                                     coset_ctx *ctx, const double *x, double *y)
{
    coset_status status = COSET_OK;
    system_evaluator *evaluator = NULL;
    double *values = NULL;
    size_t row = (size_t)self->n * sizeof *x;
    if (system != NULL) {
        TRY(system_evaluator_new(system, &evaluator));
        TRY(ctx_alloc(ctx, self->n + system->n_symbols, sizeof *values, &values));
    }
    for (int64_t k = 0; k < self->pairs; k++) {
        if (system != NULL) {
            memcpy(values, x + k * self->n, row);
            system_slope(evaluator, values, y + k * self->n);
        } else {
            glycolysis_slope(x + k * self->n, y + k * self->n);
        }
        for (int64_t i = 0; i < self->n; i++)
            if (!isfinite(y[k * self->n + i]))
                FAIL(ctx, COSET_ENUMERIC, "at t = %.6g: the derivative is not finite",
                     self->times[self->from[k]]);
    }
done:
    system_evaluator_free(evaluator);
    ctx_free(ctx, values);
    return status;
}

/* The pairs of one trajectory; `ctx` is this thread's own. */
static coset_status make_trajectory(const pair_plan *self, coset_ctx *ctx, int64_t which, double *x,
                                    double *y)
{
    coset_status status = COSET_OK;
    int64_t n = self->n;
    size_t row = (size_t)n * sizeof *x;
    double *states = NULL, *initial = NULL;
    rng random = rng_seed(ctx->seed, STREAM_TRAJECTORY + (uint64_t)which);
    ode_system own = {0};
    if (self->system != NULL) {
        own = *self->system;
        own.ctx = ctx;
    }
    const ode_system *system = self->system != NULL ? &own : NULL;
    TRY(ctx_alloc_raw(ctx, self->n_times * n, sizeof *states, &states));
    TRY(ctx_alloc_raw(ctx, n, sizeof *initial, &initial));
    for (int64_t i = 0; i < n; i++)
        initial[i] = self->low[i] + (self->high[i] - self->low[i]) * rng_uniform(&random);
    TRY(integrate_one(self, system, initial, ctx, states));
    for (int64_t k = 0; k < self->pairs; k++) {
        memcpy(x + k * n, states + self->from[k] * n, row);
        memcpy(y + k * n, states + self->to[k] * n, row);
    }
    if (self->derivative) TRY(fill_derivatives(self, system, ctx, x, y));
done:
    ctx_free(ctx, states);
    ctx_free(ctx, initial);
    return status;
}

/* The first trajectory that failed, and why. */
typedef struct failure {
    int64_t number;
    coset_status status;
    char text[sizeof((coset_ctx *)NULL)->error];
} failure;

static void make_range(const pair_plan *self, int64_t first, int64_t end, double *x, double *y,
                       failure *failed)
{
    coset_ctx *ctx = self->ctx;
    const int64_t size = self->pairs * self->n;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic)
    for (int64_t k = first; k < end; k++) {
        coset_ctx own = *ctx;
        own.log = NULL;
        own.progress = NULL;
        own.threads = 1;
        coset_status status = make_trajectory(self, &own, k, x + k * size, y + k * size);
        if (status == COSET_OK) continue;
/* Without a name: a named section would be a symbol that the library exports. */
#pragma omp critical
        if (k < failed->number) {
            failed->number = k;
            failed->status = status;
            memcpy(failed->text, own.error, sizeof failed->text);
        }
    }
}

coset_status pair_plan_run(const pair_plan *self, double *x, double *y)
{
    coset_ctx *ctx = self->ctx;
    failure failed = {.number = INT64_MAX};
    /* Progress is told between chunks; a trajectory of a large system takes seconds. */
    int64_t all = self->trajectories, chunk = (self->n > LARGE ? 1 : CHUNK) * ctx->threads;
    for (int64_t k = 0; k < all && failed.status == COSET_OK; k += chunk) {
        ctx_progress(ctx, "dataset", k, all);
        make_range(self, k, k + chunk < all ? k + chunk : all, x, y, &failed);
    }
    if (failed.status != COSET_OK)
        return ctx_fail(ctx, failed.status, "trajectory %lld: %s", (long long)failed.number,
                        failed.text);
    ctx_progress(ctx, "dataset", all, all);
    return COSET_OK;
}
