/* FLAP: drops the units that fluctuate least, and puts their means into the biases of what reads them.
 * Source: An, Zhao, Yu, Tang, Wang, "Fluctuation-based adaptive structured pruning for large language models",
 * AAAI 2024, arXiv 2312.11983: the weighted input feature variance, its standardisation and the compensation. */
#include <math.h>

#include "methods/importance.h"
#include "methods/ranking.h"

enum { SCOPE };
enum { SCOPE_MODEL, SCOPE_LAYER };

static const method_param params[] = {
    {"scope", PARAM_CHOICE, "model|layer", "model", 0, 0,
     "rank standardised scores over the whole model or keep the same share in every layer",
     "An et al. 2024, AL-AM and UL-UM"},
};

static void configure(method_call *call)
{
    call->allocation = call->values[SCOPE] == (double)SCOPE_MODEL ? CUT_BY_HEIGHT : CUT_BY_SHARE;
}

/* score_u = sum over readings of Var h_u |W[:, u]|^2, and the constant c_u that is nearest to h_u's means at all of
 * them, each with that weight: for one reader the mean itself. */
static coset_status measure(const method_call *call, int64_t g, double *score, double *shift)
{
    coset_status status = COSET_OK;
    int64_t n = call->groups->groups[g].n, count = 0;
    unit_reading *readings = NULL;
    double *weight = NULL;
    TRY(unit_readings_find(call, g, &readings, &count));
    TRY(ctx_alloc(call->ctx, n, sizeof *weight, &weight));
    for (int64_t r = 0; r < count; r++) {
        const unit_reading *at = &readings[r];
        const moments *input =
            call->stats->of_value[call->groups->contractions[at->contraction].input];
        score[at->unit] += input->scatter[at->feature] / (double)input->count * at->squares;
        shift[at->unit] += input->mean[at->feature] * at->squares;
        weight[at->unit] += at->squares;
    }
    for (int64_t u = 0; u < n; u++) shift[u] = weight[u] > 0 ? shift[u] / weight[u] : 0;
done:
    ctx_free(call->ctx, readings);
    ctx_free(call->ctx, weight);
    return status;
}

/* Heights of the standardised scores z = (score - mean) / deviation of the group: 1 + z above the mean, 1 / (1 - z)
 * below. Any increasing function of z ranks the model's units alike; this one is positive, and 1 at the mean. */
static void standardise_heights(path *self)
{
    int64_t n = self->n;
    double largest = 0, mean = 0, square = 0;
    for (int64_t u = 0; u < n; u++) largest = fmax(largest, self->score[u]);
    if (!(largest > 0)) largest = 1; /* relative to it, so that squares do not overflow */
    for (int64_t u = 0; u < n; u++) mean += self->score[u] / largest / (double)n;
    for (int64_t u = 0; u < n; u++) square += pow(self->score[u] / largest - mean, 2);
    double deviation = n > 1 ? sqrt(square / (double)(n - 1)) : 0;
    for (int64_t k = 1; k < n; k++) {
        double above = self->score[self->order[k]] / largest - mean;
        double z = deviation > 0 ? above / deviation : 0;
        self->height[k] = z > 0 ? 1 + z : 1 / (1 - z);
    }
}

static coset_status flap_path(const method_call *call, int64_t g, const coset_plan *so_far,
                              path **path_out)
{
    (void)so_far;
    coset_status status = COSET_OK;
    int64_t n = call->groups->groups[g].n;
    double *score = NULL, *shift = NULL;
    TRY(ctx_alloc(call->ctx, n, sizeof *score, &score));
    TRY(ctx_alloc(call->ctx, n, sizeof *shift, &shift));
    TRY(measure(call, g, score, shift));
    TRY(ranking_path(call->ctx, "flap", score, n, path_out));
    standardise_heights(*path_out);
    (*path_out)->shift = shift;
    shift = NULL;
done:
    ctx_free(call->ctx, score);
    ctx_free(call->ctx, shift);
    return status;
}

const coset_method method_flap = {
    .name = "flap",
    .summary = "drops the units that fluctuate least; their means go into the next biases",
    .source = "An et al., AAAI 2024, arXiv 2312.11983",
    .help =
        "A structured baseline that looks at activations: a unit that hardly varies over the data, or\n"
        "that hardly counts in the next layers, is replaced by its mean. Works without recovery. eps\n"
        "is 1 + z for a score that lies z > 0 deviations above its layer's mean, 1 / (1 - z) below.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .needs_data = true,
    .configure = configure,
    .path = flap_path,
};
