#include "api/ode_reduction.h"

#include <math.h>

enum { STEPS = 300, MOST_STEPS = 1000000 };

/* 0, dt, 2 dt, ... up to t_end. */
static coset_status make_times(coset_ctx *ctx, double t_end, double *dt, double **times_out,
                               int64_t *n_out)
{
    coset_status status = COSET_OK;
    double *times = NULL;
    if (!(t_end > 0) || !isfinite(t_end))
        return ctx_fail(ctx, COSET_EARGUMENT, "the bound needs an end over 0, not %g", t_end);
    if (!(*dt >= 0) || *dt > t_end)
        return ctx_fail(ctx, COSET_EARGUMENT, "the bound's dt must be over 0 and at most %g",
                        t_end);
    double steps = *dt > 0 ? ceil(t_end / *dt - 1e-9) : STEPS;
    if (!(steps <= MOST_STEPS))
        return ctx_fail(ctx, COSET_EARGUMENT, "dt = %g makes more than %d steps to t = %g", *dt,
                        MOST_STEPS, t_end);
    int64_t n = (int64_t)steps + 1;
    TRY(ctx_alloc(ctx, n, sizeof *times, &times));
    for (int64_t k = 0; k < n; k++) times[k] = t_end * (double)k / steps;
    *dt = t_end / steps;
    *times_out = times;
    *n_out = n;
done:
    return status;
}

/* Every variable against what stands for it: forward the sum over its block, backward itself. */
static void deviate(const ode_reduction *self, const double *states, const double *reduced,
                    const double *times, int64_t n_times, ode_bound *out)
{
    const partition *blocks = &self->blocks;
    for (int64_t t = 0; t < n_times; t++) {
        const double *x = states + t * blocks->n, *y = reduced + t * blocks->n_blocks;
        for (int64_t b = 0; b < blocks->n_blocks; b++) {
            double sum = 0;
            for (int64_t k = blocks->start[b]; k < blocks->start[b + 1]; k++) {
                int64_t v = blocks->members[k];
                sum += x[v];
                bool last = k + 1 == blocks->start[b + 1];
                if (self->kind == EQUIVALENCE_FORWARD && !last) continue;
                double found = self->kind == EQUIVALENCE_FORWARD ? sum : x[v];
                if (fabs(found - y[b]) > out->deviation || out->deviation_of == NULL) {
                    out->deviation = fabs(found - y[b]);
                    out->deviation_at = times[t];
                    out->deviation_of = self->numeric->names[self->kind == EQUIVALENCE_FORWARD
                                                                 ? blocks->members[blocks->start[b]]
                                                                 : v];
                }
            }
        }
    }
}

coset_status ode_reduction_bound(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                                 double t_end, double dt, ode_bound *out)
{
    coset_status status = COSET_OK;
    const integrate_options options = INTEGRATE_OPTIONS_INIT;
    double *times = NULL, *states = NULL, *reduced = NULL;
    int64_t n_times = 0;
    *out = (ode_bound){.t_end = isnan(t_end) ? ode->model->t_end : t_end, .dt = dt};
    if (isnan(out->t_end))
        return ctx_fail(
            ctx, COSET_EARGUMENT,
            "%s: no simulateODE command says when the bound ends; give a time (--bound)",
            ode_source(ode));
    TRY(make_times(ctx, out->t_end, &out->dt, &times, &n_times));
    TRY(ctx_alloc(ctx, n_times * self->blocks.n, sizeof *states, &states));
    TRY(ctx_alloc(ctx, n_times * self->blocks.n_blocks, sizeof *reduced, &reduced));
    TRY(system_error_bound(self->original, self->kind, &self->blocks, self->p0, self->p1, times,
                           n_times, &options, states, &out->bound));
    TRY(ode_reduction_simulate(self, times, n_times, &options, "reduced system", reduced));
    deviate(self, states, reduced, times, n_times, out);
done:
    ctx_free(ctx, times);
    ctx_free(ctx, states);
    ctx_free(ctx, reduced);
    return ode_fail(ctx, status, ode);
}

coset_status ode_reduction_simulate(const ode_reduction *self, const double *times, int64_t n_times,
                                    const integrate_options *options, const char *progress,
                                    double *values_out)
{
    coset_status status = COSET_OK;
    ode_system *numeric = NULL;
    TRY(system_substitute(self->reduced, NULL, NULL, &numeric));
    TRY(integrate_system(numeric, NULL, times, n_times, options, progress, values_out));
done:
    system_free(numeric);
    return status;
}
