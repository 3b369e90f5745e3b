/* Wanda: weights by |w_ij| |x_j|_2, ranked within each output row; N:M patterns.
 * Source: Sun, Liu, Bair, Kolter, "A simple and effective pruning approach for large language models",
 * arXiv 2306.11695. METHODS.md section 8. */
#include <math.h>

#include "methods/ranking.h"

enum { PATTERN };

static const method_param params[] = {
    {"pattern", PARAM_PATTERN, NULL, "none", 0, 0,
     "of every M weights along the inputs keep N (the size is then N/M whatever the rule says)",
     "Sun et al. 2023, section 3"},
};

static void configure(method_call *call)
{
    call->masks = true;
    call->ranking.scope = MASK_ROW;
    call->ranking.pattern_n = (int)call->values[PATTERN] / PATTERN_BASE;
    call->ranking.pattern_m = (int)call->values[PATTERN] % PATTERN_BASE;
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
    .summary = "sets weights with the smallest |weight| x |input| to zero in every row",
    .source = "Sun et al., arXiv 2306.11695",
    .help =
        "An unstructured baseline that looks at activations: shapes stay as they are, non-zeros are\n"
        "counted. With --wanda.pattern 2:4 the zeros follow a hardware pattern.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .needs_data = true,
    .configure = configure,
    .scores = wanda_scores,
};
