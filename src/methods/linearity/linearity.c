/* linearity: units that act linearly are bypassed.
 * Source: Dobler, Lemmerich, "Linearity-based neural network compression", arXiv 2506.21146 (modes rate and
 * provable, the counting rule, greedy over layers); the affine fit is ours (METHODS.md section 6). */
#include "methods/linearity/linearity.h"

#include <math.h>

/* Elements of an input beyond this are no bound: largest of f32, rounded. */
#define UNBOUNDED 3.4e38

static const method_param params[] = {
    [LINEARITY_MODE] =
        {"mode", PARAM_CHOICE, "rate|provable|affine", "affine", 0, 0,
         "what tells that a unit is linear: how often it is active, bounds for all inputs in\n"
         "      a box, or how well a line fits it on the data",
         "arXiv 2506.21146; affine: ours"},
    [LINEARITY_TAU] =
        {"tau", PARAM_NUMBER, NULL, "1", 0, 1,
         "mode rate: units active on at least this share of samples leave in any case; others\n"
         "      only where --eps or a budget asks for it",
         "arXiv 2506.21146"},
    [LINEARITY_DEAD] =
        {"dead", PARAM_NUMBER, NULL, "0", 0, 1,
         "mode rate: units active on at most this share of samples count as dead; their mean\n"
         "      stays",
         "arXiv 2506.21146, where it is 0"},
    [LINEARITY_LOW] = {"low", PARAM_NUMBER, NULL, "-3.4e38", -UNBOUNDED, UNBOUNDED,
                       "mode provable: no element of an input is smaller", "arXiv 2506.21146"},
    [LINEARITY_HIGH] = {"high", PARAM_NUMBER, NULL, "3.4e38", -UNBOUNDED, UNBOUNDED,
                        "mode provable: no element of an input is larger", "arXiv 2506.21146"},
};

static linearity_mode mode_of(const method_call *call)
{
    return (linearity_mode)(int)call->values[LINEARITY_MODE];
}

double linearity_tolerance(const method_call *call)
{
    return mode_of(call) == LINEARITY_RATE ? 1 - call->values[LINEARITY_TAU] : 0;
}

bool linearity_estimates(const method_call *call)
{
    return mode_of(call) == LINEARITY_AFFINE;
}

coset_status linearity_bounds(const method_call *call, value_bounds **bounds_out)
{
    double low = call->values[LINEARITY_LOW], high = call->values[LINEARITY_HIGH];
    *bounds_out = NULL;
    if (mode_of(call) != LINEARITY_PROVABLE) return COSET_OK;
    if (low > high)
        return ctx_fail(call->ctx, COSET_EARGUMENT,
                        "--linearity.low %g is above --linearity.high %g: no input lies between",
                        low, high);
    if (low <= -UNBOUNDED) low = -(double)INFINITY;
    if (high >= UNBOUNDED) high = (double)INFINITY;
    return bounds_find(call->ctx, call->graph, call->groups, low, high, bounds_out);
}

/* Where readers reach into padding, a bypass is exact only if it has no constant part. */
static void mind_padding(const method_call *call, const bypass_line *line, const unit_group *group,
                         double *low, double *high)
{
    const contraction *producer = &call->groups->contractions[line->producer];
    if (!line->padded || producer->bias < 0) return;
    const tensor *bias = call->graph->values[producer->bias].constant;
    for (int64_t u = 0; u < group->n; u++) {
        if (tensor_value(bias, u) == 0) continue;
        low[u] = -(double)INFINITY;
        if (group->function == UNIT_IDENTITY || group->leak != 0) high[u] = (double)INFINITY;
    }
}

static coset_status fit_provable(const method_call *call, const bypass_line *line, int64_t g,
                                 const value_bounds *bounds, linear_fit **fit_out)
{
    const contraction *producer = &call->groups->contractions[line->producer];
    const unit_group *group = &call->groups->groups[g];
    double *low = NULL;
    coset_status status = ctx_alloc(call->ctx, 2 * group->n, sizeof *low, &low);
    if (status != COSET_OK) return status;
    double *high = low + group->n;
    /* The identity is a line wherever z lies: [0, 0] will do. */
    if (group->function != UNIT_IDENTITY)
        interval_along(&bounds->of[line->z], producer->output_axis, group->n, low, high);
    mind_padding(call, line, group, low, high);
    status = fit_bounds(call->ctx, group, low, high, fit_out);
    ctx_free(call->ctx, low);
    return status;
}

/* M_uu of every unit of a group, summed over where it is read. */
static coset_status unit_weights(const method_call *call, int64_t g, double **weight_out)
{
    coset_status status = COSET_OK;
    int64_t n = call->groups->groups[g].n;
    group_sites *sites = NULL;
    TRY(ctx_alloc(call->ctx, n, sizeof **weight_out, weight_out));
    TRY(group_sites_new(call->ctx, call->graph, call->groups, call->stats, g, &sites));
    for (int64_t s = 0; s < sites->count; s++)
        for (int64_t u = 0; u < n; u++) (*weight_out)[u] += sites->sites[s].weight[u * n + u];
done:
    group_sites_free(call->ctx, sites);
    return status;
}

coset_status linearity_fit_data(const method_call *call, bool by_rate, int64_t g,
                                linearity_fits *fits_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->ctx;
    double *weight = NULL;
    if (call->stats == NULL || call->stats->pairs == NULL || call->stats->pairs[g] == NULL)
        FAIL(ctx, COSET_EARGUMENT, "nothing is known of the pre-activations of group '%s'",
             call->groups->groups[g].name);
    const pair_moments *pairs = call->stats->pairs[g];
    TRY(unit_weights(call, g, &weight));
    if (by_rate) {
        TRY(fit_rate(ctx, &call->groups->groups[g], pairs, weight, call->values[LINEARITY_DEAD],
                     &fits_out->sloped));
        TRY(fit_idle(ctx, fits_out->sloped, &fits_out->still));
    } else {
        TRY(fit_affine(ctx, pairs, weight, &fits_out->sloped));
        TRY(fit_constant(ctx, pairs, weight, &fits_out->still));
    }
done:
    ctx_free(ctx, weight);
    return status;
}

coset_status linearity_fit(const method_call *call, const bypass_line *line, int64_t g,
                           const value_bounds *bounds, linearity_fits *fits_out)
{
    coset_status status = COSET_OK;
    linearity_fits made = {NULL, NULL};
    *fits_out = made;
    if (mode_of(call) == LINEARITY_PROVABLE) {
        TRY(fit_provable(call, line, g, bounds, &made.sloped));
        TRY(fit_idle(call->ctx, made.sloped, &made.still));
    } else {
        TRY(linearity_fit_data(call, mode_of(call) == LINEARITY_RATE, g, &made));
    }
    *fits_out = made;
    made = (linearity_fits){NULL, NULL};
done:
    linearity_fits_free(call->ctx, &made);
    return status;
}

void linearity_fits_free(coset_ctx *ctx, linearity_fits *self)
{
    linear_fit_free(ctx, self->sloped);
    linear_fit_free(ctx, self->still);
    self->sloped = self->still = NULL;
}

static coset_status linearity_path(const method_call *call, int64_t g, const coset_plan *so_far,
                                   path **path_out)
{
    (void)so_far;
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->ctx;
    bypass_lines *lines = NULL;
    value_bounds *bounds = NULL;
    linearity_fits fits = {NULL, NULL};
    *path_out = NULL;
    TRY(bypass_lines_find(ctx, call->graph, call->groups->facts, call->groups, &lines));
    TRY(linearity_bounds(call, &bounds));
    if (lines->lines[g].producer >= 0)
        TRY(linearity_fit(call, &lines->lines[g], g, bounds, &fits));
    else
        TRY(fit_none(ctx, call->groups->groups[g].n, &fits.sloped));
    TRY(linear_fit_path(ctx, fits.sloped, "linearity", NULL, path_out));
done:
    linearity_fits_free(ctx, &fits);
    bounds_free(ctx, bounds);
    bypass_lines_free(ctx, lines);
    return status;
}

static void configure(method_call *call)
{
    call->needs_data = mode_of(call) != LINEARITY_PROVABLE;
    if (call->needs_data) call->kinds = CALIBRATION_PAIRS;
}

const coset_method method_linearity = {
    .name = "linearity",
    .summary = "bypasses units that act linearly: a line past the layer takes their place",
    .source = "Dobler and Lemmerich, arXiv 2506.21146; the affine fit is ours",
    .help =
        "A unit that acts linearly needs no activation: what it does goes from the layer's input\n"
        "straight to its readers, as one more matrix past all units of the layer that leave. Layer by\n"
        "layer, the one that saves most first, as long as anything is saved. eps is the relative output\n"
        "error in mode affine, and the share of samples on which a unit is not active in mode rate.\n"
        "Mode provable needs no data and changes no output; it merges linear layers in a row.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .configure = configure,
    .path = linearity_path,
    .cut = linearity_cut,
};
