/* Wanda: weights by |w_ij| |x_j|_2, ranked within each output row; N:M patterns. Whole units by the sum of that over
 * the weights that read them, the same share in every layer ("Wanda-sp").
 * Source: Sun, Liu, Bair, Kolter, "A simple and effective pruning approach for large language models",
 * arXiv 2306.11695; for units An et al., AAAI 2024. METHODS.md section 8. */
#include <math.h>

#include "methods/importance.h"
#include "methods/ranking.h"

enum { PATTERN, STRUCTURED };

static const method_param params[] = {
    {"pattern", PARAM_PATTERN, NULL, "none", 0, 0,
     "of every M weights along the inputs keep N (the size is then N/M whatever the rule says)",
     "Sun et al. 2023, section 3"},
    {"structured", PARAM_FLAG, NULL, "false", 0, 0,
     "drop whole units by the sum of |weight| x |unit| over what reads them, the same share in\n"
     "      every layer, instead of single weights",
     "An et al. 2024, Wanda-sp"},
};

static void configure(method_call *call)
{
    call->masks = call->values[STRUCTURED] == 0;
    call->allocation = CUT_BY_SHARE;
    call->ranking.scope = MASK_ROW;
    call->ranking.pattern_n = (int)call->values[PATTERN] / PATTERN_BASE;
    call->ranking.pattern_m = (int)call->values[PATTERN] % PATTERN_BASE;
}

static coset_status wanda_path(const method_call *call, int64_t g, const coset_plan *so_far,
                               path **path_out)
{
    (void)so_far;
    coset_status status = COSET_OK;
    int64_t n = call->groups->groups[g].n;
    double *score = NULL;
    TRY(ctx_alloc(call->ctx, n, sizeof *score, &score));
    TRY(importance_of(call, g, IMPORTANCE_WANDA, score));
    TRY(ranking_path(call->ctx, "wanda", score, n, path_out));
done:
    ctx_free(call->ctx, score);
    return status;
}

static coset_status wanda_scores(const method_call *call, int64_t c, double *scores_out)
{
    const contraction *at = &call->groups->contractions[c];
    const label_slot *in = &call->groups->slots[at->in_slot];
    const tensor *weight = call->graph->values[at->weight].constant;
    const moments *inputs = call->stats->of_value[at->input];
    int64_t inner = shape_product(&weight->shape, in->axis + 1, weight->shape.rank);
    int64_t n = tensor_elements(weight), of_group = n / at->groups;
    for (int64_t i = 0; i < n; i++) {
        int64_t feature = i / of_group * in->size + i / inner % in->size;
        scores_out[i] = fabs(tensor_value(weight, i)) * sqrt(inputs->sum_square[feature]);
    }
    return COSET_OK;
}

const coset_method method_wanda = {
    .name = "wanda",
    .summary =
        "sets weights with the smallest |weight| x |input| to zero in every row, or drops units",
    .source = "Sun et al., arXiv 2306.11695; An et al., AAAI 2024",
    .help =
        "A baseline that looks at activations. Unstructured (the default) leaves shapes as they are\n"
        "and counts non-zeros; with --wanda.pattern 2:4 the zeros follow a hardware pattern.\n"
        "Structured drops whole units.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .needs_data = true,
    .configure = configure,
    .path = wanda_path,
    .scores = wanda_scores,
};
