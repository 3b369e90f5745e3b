/* The path of a bypass whose line is counted among its units, for auto.   Source: ours. */
#include <math.h>
#include <string.h>

#include "linalg/blas.h"
#include "linalg/solve.h"
#include "methods/data_paths.h"
#include "methods/linearity/linearity.h"

/* Ridge of the regression on x, relative to its mean variance. */
#define SKIP_RIDGE 1e-3

/* Whether the units on an axis of a weight can be cut, so that their number is not that of today. */
static bool is_cuttable(const method_call *call, int32_t slot)
{
    int64_t unit = 0;
    int32_t g = groups_at(call->groups, slot, 0, &unit);
    return g >= 0 && call->groups->groups[g].frozen == NULL;
}

/* stays[k] of path.h. With k of n units left, the layers around are taken to be cut to the same share: P inputs and
 * Q outputs become as much of it as can be cut, and the line P Q costs as much as P Q / (P + Q + 1) units. */
static void count_stays(const method_call *call, const bypass_line *line, int64_t n, int64_t *stays)
{
    const contraction *all = call->groups->contractions, *producer = &all[line->producer];
    double p = (double)contraction_weight(call->graph, call->groups, producer).n_in;
    double q[2] = {0, 0}; /* outputs of readers that stay, and that can be cut */
    for (int32_t r = 0; r < line->n_readers; r++) {
        const contraction *reader = &all[line->readers[r]];
        weight_view view = contraction_weight(call->graph, call->groups, reader);
        q[is_cuttable(call, reader->out_slot)] += (double)(view.n_out * view.n_taps);
    }
    for (int64_t k = 0; k <= n; k++) {
        double share = (double)k / (double)n;
        double inputs = is_cuttable(call, producer->in_slot) ? p * share : p;
        double outputs = q[0] + q[1] * share;
        stays[k] = k - (int64_t)ceil(inputs * outputs / (inputs + outputs + 1));
    }
}

/* gram (n, n): from the covariance of h to that of what a regression on x leaves, as it will be on other samples
 * (generalised cross-validation: Golub, Heath, Wahba 1979). */
static coset_status condition_on_inputs(coset_ctx *ctx, const skip_moments *skip, double *gram)
{
    coset_status status = COSET_OK;
    int64_t n = skip->of_units->n, p = skip->of_units->m;
    double *cross = NULL, *inputs = NULL, *fit = NULL, *shared = NULL;
    double count = (double)skip->of_units->count, left = 1 - (double)p / count;
    TRY(ctx_alloc_raw(ctx, n * p, sizeof *cross, &cross));
    TRY(ctx_alloc_raw(ctx, p * p, sizeof *inputs, &inputs));
    TRY(ctx_alloc_raw(ctx, n * p, sizeof *fit, &fit));
    TRY(ctx_alloc_raw(ctx, n * p, sizeof *shared, &shared));
    cross_moments_covariance(skip->of_units, cross);
    cross_moments_covariance(skip->of_inputs, inputs);
    for (int64_t u = 0; u < n; u++)
        for (int64_t i = 0; i < p; i++) shared[i * n + u] = cross[u * p + i];
    TRY(solve_ridge(ctx, inputs, shared, p, n, SKIP_RIDGE, fit)); /* (p, n): h ~ fit^T x */
    /* Cov(h - fit^T x) = G - C fit - (C fit)^T + fit^T X fit, whatever the fit */
    gemm_f64(ctx, false, false, p, n, p, 1, inputs, p, fit, n, 0, shared, n);
    gemm_f64(ctx, true, false, n, n, p, 1, fit, n, shared, n, 1, gram, n);
    gemm_f64(ctx, false, false, n, n, p, -1, cross, p, fit, n, 1, gram, n);
    gemm_f64(ctx, true, true, n, n, p, -1, fit, n, cross, p, 1, gram, n);
    for (int64_t u = 0; u < n; u++)
        for (int64_t v = 0; v <= u; v++) {
            double mean = (gram[u * n + v] + gram[v * n + u]) / 2 / (left * left);
            gram[u * n + v] = gram[v * n + u] = u == v ? fmax(mean, 0) : mean;
        }
done:
    ctx_free(ctx, cross);
    ctx_free(ctx, inputs);
    ctx_free(ctx, fit);
    ctx_free(ctx, shared);
    return status;
}

/* Brings order and errors to what recovery makes of a bypass: the kept units are those that say most of what x does
 * not. */
static coset_status select_beside_inputs(const method_call *call, int64_t g, double ridge,
                                         linear_fit *fit)
{
    coset_status status = COSET_OK;
    group_sites *sites = NULL;
    path *chosen = NULL;
    TRY(group_sites_new(call->ctx, call->graph, call->groups, call->stats, g, &sites));
    TRY(condition_on_inputs(call->ctx, &call->stats->skips[g], sites->sites[0].covariance));
    TRY(select_among(call, sites, ridge, &chosen));
    memcpy(fit->order, chosen->order, (size_t)fit->n * sizeof *fit->order);
    memcpy(fit->error, chosen->error, (size_t)(fit->n + 1) * sizeof *fit->error);
    for (int64_t k = 0; k <= fit->n; k++) fit->height[k] = sqrt(fit->error[k]);
done:
    path_free(call->ctx, chosen);
    group_sites_free(call->ctx, sites);
    return status;
}

coset_status bypass_path(const method_call *call, int64_t group, const bypass_lines *lines,
                         double ridge, path **path_out)
{
    coset_status status = COSET_OK;
    linearity_fits fits = {NULL, NULL};
    int64_t *stays = NULL, n = call->groups->groups[group].n;
    *path_out = NULL;
    if (lines->lines[group].producer < 0) return COSET_OK;
    TRY(ctx_alloc(call->ctx, n + 1, sizeof *stays, &stays));
    count_stays(call, &lines->lines[group], n, stays);
    TRY(linearity_fit_data(call, false, group, &fits));
    if (call->stats->skips != NULL && call->stats->skips[group].of_units != NULL)
        TRY(select_beside_inputs(call, group, ridge, fits.sloped));
    TRY(linear_fit_path(call->ctx, fits.sloped, "linearity", stays, path_out));
done:
    ctx_free(call->ctx, stays);
    linearity_fits_free(call->ctx, &fits);
    return status;
}
