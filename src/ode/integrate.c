#include "ode/integrate.h"

#include <math.h>
#include <string.h>

#include "ode/cvode.h"
#include "ode/system_flow.h"

coset_status integrate_flow(coset_ctx *ctx, const ode_flow *flow, const double *initial,
                            const double *times, int64_t n_times, const integrate_options *options,
                            const char *progress, double *out)
{
    coset_status status = COSET_OK;
    cvode run = {0};
    double *state = NULL;
    int64_t n = flow->n;
    size_t row = (size_t)n * sizeof *out;
    const char *stage = progress != NULL ? progress : "integrate";
    TRY(integrate_check(ctx, options, times, n_times, initial, n, stage));
    if (n == 0) goto done;
    TRY(ctx_alloc_raw(ctx, n, sizeof *state, &state));
    memcpy(state, initial, row);
    memcpy(out, initial, row);
    if (n_times == 1) goto done;
    TRY(cvode_open(&run, ctx, flow, state, times, n_times, options, stage));
    for (int64_t k = 1; k < n_times; k++) {
        if (progress != NULL) ctx_progress(ctx, progress, k - 1, n_times - 1);
        TRY(cvode_advance(&run, times[k]));
        memcpy(out + k * n, state, row);
    }
    if (progress != NULL) ctx_progress(ctx, progress, n_times - 1, n_times - 1);
done:
    cvode_close(&run);
    ctx_free(ctx, state);
    return status;
}

coset_status integrate_system(const ode_system *system, const double *initial, const double *times,
                              int64_t n_times, const integrate_options *options,
                              const char *progress, double *out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    system_flow flow = {0};
    TRY(system_flow_open(&flow, system, NULL));
    ode_flow as_flow = system_flow_of(&flow);
    /* integrate_flow copies what it starts from before it evaluates anything. */
    TRY(integrate_flow(ctx, &as_flow, initial != NULL ? initial : flow.values, times, n_times,
                       options, progress, out));
done:
    system_flow_close(&flow);
    return status;
}

/* Operations of one run from start to end; infinity: it did not arrive. */
static coset_status count_work(system_flow *flow, const double *initial, double t_end,
                               const integrate_options *options, double *work_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = flow->system->ctx;
    cvode run = {0};
    double *state = NULL, times[2] = {0, t_end};
    const ode_flow as_flow = system_flow_of(flow);
    const double terms = (double)flow->system->row_start[flow->system->n];
    *work_out = INFINITY;
    TRY(ctx_alloc_raw(ctx, as_flow.n, sizeof *state, &state));
    memcpy(state, initial, (size_t)as_flow.n * sizeof *state);
    TRY(cvode_open(&run, ctx, &as_flow, state, times, 2, options, "choose"));
    status = cvode_advance(&run, t_end);
    if (status == COSET_OK) *work_out = cvode_work(&run, terms);
    if (status == COSET_ENUMERIC) status = COSET_OK;
done:
    cvode_close(&run);
    ctx_free(ctx, state);
    return status;
}

coset_status integrate_choose(const ode_system *system, const double *initial, double t_end,
                              const integrate_options *options, integrate_method *method_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    integrate_options used = *options;
    system_flow flow = {0};
    double *start = NULL, bdf = 0, adams = 0, times[2] = {0, t_end};
    *method_out = INTEGRATE_BDF;
    TRY(system_flow_open(&flow, system, NULL));
    TRY(ctx_alloc_raw(ctx, system->n, sizeof *start, &start));
    /* flow.values changes with every evaluation. */
    memcpy(start, initial != NULL ? initial : flow.values, (size_t)system->n * sizeof *start);
    TRY(integrate_check(ctx, options, times, 2, start, system->n, "choose"));
    if (system->n == 0) goto done;
    used.method = INTEGRATE_BDF;
    TRY(count_work(&flow, start, t_end, &used, &bdf));
    used.method = INTEGRATE_ADAMS;
    /* With more steps it would have lost: each takes a slope at least. */
    double step = cvode_step_work(INTEGRATE_ADAMS, (double)system->n);
    double most = bdf / (step + 4 * (double)system->row_start[system->n]);
    if (most < (double)used.max_steps) used.max_steps = 1 + (int64_t)most;
    TRY(count_work(&flow, start, t_end, &used, &adams));
    if (adams < bdf) *method_out = INTEGRATE_ADAMS;
done:
    ctx_free(ctx, start);
    system_flow_close(&flow);
    return status;
}
