#include "ode/integrate.h"

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
