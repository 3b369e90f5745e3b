#include <cvodes/cvodes.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sunnonlinsol/sunnonlinsol_fixedpoint.h>

#include "base/size.h"
#include "ode/cvode.h"
#include "ode/system_flow.h"

/* Vectors of each sensitivity: up to 13 of history and a few to work with. */
enum { HISTORY = 24 };

/* cvode is first: SUNDIALS hands the address of `run` to every callback. */
typedef struct sensitivity_run {
    cvode run;
    system_flow flow;
    const int64_t *symbols;
    int64_t n, n_chosen;
    double *state, *sensitivity; /* [n], (n_chosen, n) */
    double *tolerance;           /* [n_chosen] absolute */
    double *by_symbol;           /* [n_symbols] entries of one row's symbols, spread out */
    N_Vector *vectors;           /* [n_chosen] rows of sensitivity */
} sensitivity_run;

/* S' = J S + df/dp for all chosen symbols at once, so that the Jacobian is evaluated once. */
static int sensitivity_slope(int count, realtype t, N_Vector x, N_Vector slope, N_Vector *s,
                             N_Vector *s_slope, void *user, N_Vector a, N_Vector b)
{
    (void)t, (void)slope, (void)a, (void)b;
    sensitivity_run *self = user;
    const system_pattern *at = &self->flow.pattern;
    const double *entries = self->flow.entries;
    int64_t n = self->n;
    self->run.not_finite = !system_flow_entries(&self->flow, N_VGetArrayPointer(x));
    if (self->run.not_finite) return 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t symbols_from = at->row_start[i + 1];
        while (symbols_from > at->row_start[i] && at->column[symbols_from - 1] >= n) symbols_from--;
        for (int64_t e = symbols_from; e < at->row_start[i + 1]; e++)
            self->by_symbol[at->column[e] - n] = entries[e];
        for (int c = 0; c < count; c++) {
            const double *row = N_VGetArrayPointer(s[c]);
            double sum = self->by_symbol[self->symbols[c]];
            for (int64_t e = at->row_start[i]; e < symbols_from; e++)
                sum += entries[e] * row[at->column[e]];
            N_VGetArrayPointer(s_slope[c])[i] = sum;
        }
        for (int64_t e = symbols_from; e < at->row_start[i + 1]; e++)
            self->by_symbol[at->column[e] - n] = 0;
    }
    return 0;
}

/* ---- preparation ------------------------------------------------------------------------------- */

static coset_status check_symbols(const ode_system *system, const int64_t *symbols,
                                  int64_t n_chosen)
{
    coset_ctx *ctx = system->ctx;
    int64_t bytes = 0;
    if (n_chosen < 0 || n_chosen > INT_MAX || !dim_mul(system->n, n_chosen, &bytes) ||
        !dim_mul(bytes, HISTORY * (int64_t)sizeof(double), &bytes))
        return ctx_fail(ctx, COSET_ELIMIT, "sensitivities of %lld variables to %lld parameters",
                        (long long)system->n, (long long)n_chosen);
    for (int64_t c = 0; c < n_chosen; c++)
        if (symbols[c] < 0 || symbols[c] >= system->n_symbols)
            return ctx_fail(ctx, COSET_EARGUMENT, "there is no symbol %lld; the system has %lld",
                            (long long)symbols[c], (long long)system->n_symbols);
    return COSET_OK;
}

static coset_status make_memory(sensitivity_run *self, coset_ctx *ctx, const double *values,
                                double atol)
{
    coset_status status = COSET_OK;
    const ode_system *system = self->flow.system;
    TRY(ctx_alloc(ctx, self->n, sizeof *self->state, &self->state));
    TRY(ctx_alloc(ctx, self->n * self->n_chosen, sizeof *self->sensitivity, &self->sensitivity));
    TRY(ctx_alloc(ctx, self->n_chosen, sizeof *self->tolerance, &self->tolerance));
    TRY(ctx_alloc(ctx, system->n_symbols, sizeof *self->by_symbol, &self->by_symbol));
    TRY(ctx_alloc(ctx, self->n_chosen, sizeof(N_Vector), &self->vectors));
    memcpy(self->state, values, (size_t)self->n * sizeof *values);
    /* p S has the units of x, so atol of x is atol / |p| of S. */
    for (int64_t c = 0; c < self->n_chosen; c++) {
        double scale = fabs(values[self->n + self->symbols[c]]);
        self->tolerance[c] = scale > 0 ? atol / scale : atol;
        if (!(self->tolerance[c] > 0 && isfinite(self->tolerance[c]))) self->tolerance[c] = atol;
    }
done:
    return status;
}

/* Joins the sensitivities to an open run. */
static coset_status join(sensitivity_run *whole, double rtol)
{
    coset_status status = COSET_OK;
    cvode *self = &whole->run;
    int count = (int)whole->n_chosen;
    TRY(cvode_expect_memory(self, HISTORY * whole->n_chosen, 0));
    for (int c = 0; c < count; c++) {
        whole->vectors[c] =
            N_VMake_Serial(whole->n, whole->sensitivity + c * whole->n, self->context);
        if (whole->vectors[c] == NULL) return cvode_failure(self, CV_MEM_FAIL);
    }
    CVODE_TRY(CVodeSensInit(self->memory, count, CV_STAGGERED, sensitivity_slope, whole->vectors));
    CVODE_TRY(CVodeSensSStolerances(self->memory, rtol, whole->tolerance));
    CVODE_TRY(CVodeSetSensErrCon(self->memory, SUNTRUE));
    if (self->method == INTEGRATE_ADAMS) {
        self->sensitivities = SUNNonlinSol_FixedPointSens(count, self->x, 0, self->context);
        if (self->sensitivities == NULL) return cvode_failure(self, CV_MEM_FAIL);
        CVODE_TRY(CVodeSetNonlinearSolverSensStg(self->memory, self->sensitivities));
    }
done:
    return status;
}

static void close_run(sensitivity_run *self, coset_ctx *ctx)
{
    for (int64_t c = 0; self->vectors != NULL && c < self->n_chosen; c++)
        if (self->vectors[c] != NULL) N_VDestroy(self->vectors[c]);
    cvode_close(&self->run);
    system_flow_close(&self->flow);
    ctx_free(ctx, self->state);
    ctx_free(ctx, self->sensitivity);
    ctx_free(ctx, self->tolerance);
    ctx_free(ctx, self->by_symbol);
    ctx_free(ctx, self->vectors);
}

static coset_status check_parameters(const ode_system *system, const double *values,
                                     const char *stage)
{
    for (int64_t s = 0; s < system->n_symbols; s++)
        if (!isfinite(values[system->n + s]))
            return ctx_fail(system->ctx, COSET_ENUMERIC, "%s: symbol %lld is not finite", stage,
                            (long long)s);
    return COSET_OK;
}

/* The run itself: x and S at times[k], k >= 1. */
static coset_status follow(sensitivity_run *self, const double *times, int64_t n_times,
                           const char *progress, integrate_sensitivity_fn at, void *user)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->run.ctx;
    for (int64_t k = 1; k < n_times; k++) {
        double t = 0;
        if (progress != NULL) ctx_progress(ctx, progress, k - 1, n_times - 1);
        TRY(cvode_advance(&self->run, times[k]));
        if (self->n_chosen > 0) {
            int flag = CVodeGetSens(self->run.memory, &t, self->vectors);
            if (flag < 0) return cvode_failure(&self->run, flag);
        }
        TRY(at(user, times[k], self->state, self->sensitivity));
    }
    if (progress != NULL) ctx_progress(ctx, progress, n_times - 1, n_times - 1);
done:
    return status;
}

coset_status integrate_sensitivity(const ode_system *system, const double *values,
                                   const int64_t *symbols, int64_t n_chosen, const double *times,
                                   int64_t n_times, const integrate_options *options,
                                   const char *progress, integrate_sensitivity_fn at, void *user)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    sensitivity_run self = {.symbols = symbols, .n = system->n, .n_chosen = n_chosen};
    const char *stage = progress != NULL ? progress : "sensitivity";
    TRY(check_symbols(system, symbols, n_chosen));
    TRY(system_flow_open(&self.flow, system, values));
    /* make_memory copies the values of the flow, which change with every evaluation. */
    values = self.flow.values;
    TRY(integrate_check(ctx, options, times, n_times, values, self.n, stage));
    TRY(check_parameters(system, values, stage));
    TRY(make_memory(&self, ctx, values, options->atol));
    TRY(at(user, times[0], self.state, self.sensitivity));
    if (n_times == 1) goto done;
    if (self.n == 0) {
        for (int64_t k = 1; k < n_times; k++) TRY(at(user, times[k], self.state, self.sensitivity));
        goto done;
    }
    ode_flow flow = system_flow_of(&self.flow);
    TRY(cvode_open(&self.run, ctx, &flow, self.state, times, n_times, options, stage));
    if (n_chosen > 0) TRY(join(&self, options->rtol));
    TRY(follow(&self, times, n_times, progress, at, user));
done:
    close_run(&self, ctx);
    return status;
}
