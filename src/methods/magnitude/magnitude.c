/* Weight magnitude, the baseline of pruning: single weights or whole units.
 * Source: Han et al., "Learning both weights and connections", NeurIPS 2015; Li et al., "Pruning
 * filters for efficient ConvNets", ICLR 2017. METHODS.md section 8. */
#include <math.h>

#include "methods/importance.h"
#include "methods/ranking.h"

enum { STRUCTURED, SCOPE, NORM };
enum { SCOPE_MODEL, SCOPE_LAYER };

static const method_param params[] = {
    {"structured", PARAM_FLAG, NULL, "false", 0, 0,
     "drop whole units by the norm of their incoming weights instead of single weights",
     "Li et al. 2017"},
    {"scope", PARAM_CHOICE, "model|layer", "model", 0, 0,
     "rank over the whole model (units: relative to their layer's mean) or keep the same share in\n"
     "      every layer",
     "Han et al. 2015; relative scores: ours"},
    {"norm", PARAM_CHOICE, "l1|l2", "l1", 0, 0, "norm of a unit's weights (structured)",
     "Li et al. 2017"},
};

static void configure(method_call *call)
{
    call->masks = call->values[STRUCTURED] == 0;
    bool layer = call->values[SCOPE] == (double)SCOPE_LAYER;
    call->ranking.scope = layer ? MASK_LAYER : MASK_MODEL;
    call->allocation = layer ? CUT_BY_SHARE : CUT_BY_HEIGHT;
}

static coset_status magnitude_path(const method_call *call, int64_t g, const coset_plan *so_far,
                                   path **path_out)
{
    (void)so_far;
    coset_status status = COSET_OK;
    int64_t n = call->groups->groups[g].n;
    importance norm = call->values[NORM] != 0 ? IMPORTANCE_L2 : IMPORTANCE_L1;
    double *score = NULL;
    TRY(ctx_alloc(call->ctx, n, sizeof *score, &score));
    TRY(importance_of(call, g, norm, score));
    TRY(ranking_path(call->ctx, "magnitude", score, n, path_out));
done:
    ctx_free(call->ctx, score);
    return status;
}

static coset_status magnitude_scores(const method_call *call, int64_t c, double *scores_out)
{
    const tensor *weight = call->graph->values[call->groups->contractions[c].weight].constant;
    for (int64_t i = 0, n = tensor_elements(weight); i < n; i++)
        scores_out[i] = fabs(tensor_value(weight, i));
    return COSET_OK;
}

const coset_method method_magnitude = {
    .name = "magnitude",
    .summary = "sets the smallest weights to zero, or drops the units with the smallest weights",
    .source = "Han et al. 2015; Li et al. 2017",
    .help =
        "The baseline that every paper compares with. Unstructured (the default) leaves shapes as\n"
        "they are and counts non-zeros: no runtime gets faster. Structured drops whole units.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .configure = configure,
    .path = magnitude_path,
    .scores = magnitude_scores,
};
