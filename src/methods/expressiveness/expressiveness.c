/* expressiveness: drops the units whose signs tell the fewest pairs of samples apart.
 * Source: after Maroudis, Xydis, arXiv 2512.06440, whose formula is not public to us; the score is the overlap of
 * activation patterns of Mellor et al., "Neural architecture search without training", ICML 2021, taken unit by
 * unit. METHODS.md section 7. */
#include "methods/importance.h"
#include "methods/ranking.h"

enum { SCOPE, ALPHA, IMPORTANCE, ROUNDS };
enum { SCOPE_GROUP, SCOPE_GLOBAL };

static const method_param params[] = {
    {"scope", PARAM_CHOICE, "group|global", "group", 0, 0,
     "keep the same share of every group, or rank all units by their score relative to the mean of\n"
     "      their group",
     "Maroudis & Xydis 2025; relative scores: ours"},
    {"alpha", PARAM_NUMBER, NULL, "1", 0, 1,
     "weight of expressiveness; the rest, 1 - alpha, goes to the importance", "ours"},
    {"importance", PARAM_CHOICE, "l1|l2|wanda", "l1", 0, 0,
     "the other part of the score: norm of the incoming weights, or |outgoing weight| x |unit|",
     "Li et al. 2017; Sun et al. 2023"},
    {"rounds", PARAM_COUNT, NULL, "1", 1, 50,
     "go to the target in so many steps, with new scores in each", "Maroudis & Xydis 2025"},
};

static void configure(method_call *call)
{
    bool signs = call->values[ALPHA] > 0;
    bool inputs = call->values[ALPHA] < 1 && call->values[IMPORTANCE] == (double)IMPORTANCE_WANDA;
    call->allocation = call->values[SCOPE] == (double)SCOPE_GLOBAL ? CUT_BY_HEIGHT : CUT_BY_SHARE;
    call->kinds = signs ? CALIBRATION_SIGNS : 0;
    call->needs_data = signs || inputs;
    call->rounds = (int)call->values[ROUNDS];
}

/* score [n] += E of the units in the result of one contraction: the mean over a unit's places. */
static void add_layer(const sign_counts *signs, const unit_block *block, double *score)
{
    for (int64_t u = 0; u < block->n; u++)
        for (int64_t p = 0; p < block->repeats; p++)
            score[u] += sign_counts_apart(signs, block->index[u * block->repeats + p]) /
                        (double)block->repeats;
}

/* score [n] written: the mean of E over the contractions that give units of a group; 1 for all where none does
 * (the columns of an embedding), so that none is above the average. */
static void pairs_told_apart(const method_call *call, int64_t g, double *score)
{
    const graph_groups *groups = call->groups;
    const unit_blocks *blocks = call->stats->blocks;
    int64_t n = groups->groups[g].n, layers = 0;
    for (int64_t u = 0; u < n; u++) score[u] = 0;
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        const sign_counts *signs = call->stats->signs[c];
        int64_t block = unit_block_find(blocks, groups->contractions[c].result, (int32_t)g);
        if (signs == NULL || block < 0) continue;
        add_layer(signs, &blocks->of[block], score);
        layers++;
    }
    for (int64_t u = 0; u < n; u++) score[u] = layers > 0 ? score[u] / (double)layers : 1;
}

/* score [n] += weight times `part` relative to its mean; a part of zeros adds nothing. */
static void add_part(double *score, const double *part, int64_t n, double weight)
{
    double mean = 0;
    for (int64_t u = 0; u < n; u++) mean += part[u] / (double)n;
    for (int64_t u = 0; u < n && mean > 0; u++) score[u] += weight * part[u] / mean;
}

static coset_status expressiveness_path(const method_call *call, int64_t g,
                                        const coset_plan *so_far, path **path_out)
{
    (void)so_far;
    coset_status status = COSET_OK;
    int64_t n = call->groups->groups[g].n;
    double alpha = call->values[ALPHA], *score = NULL, *part = NULL;
    TRY(ctx_alloc(call->ctx, n, sizeof *score, &score));
    TRY(ctx_alloc(call->ctx, n, sizeof *part, &part));
    if (alpha > 0) {
        pairs_told_apart(call, g, part);
        add_part(score, part, n, alpha);
    }
    if (alpha < 1) {
        TRY(importance_of(call, g, (importance)call->values[IMPORTANCE], part));
        add_part(score, part, n, 1 - alpha);
    }
    TRY(ranking_path(call->ctx, "expressiveness", score, n, path_out));
done:
    ctx_free(call->ctx, score);
    ctx_free(call->ctx, part);
    return status;
}

const coset_method method_expressiveness = {
    .name = "expressiveness",
    .summary = "drops units whose signs tell the fewest pairs of samples apart",
    .source =
        "after Maroudis & Xydis, arXiv 2512.06440, and Mellor et al. 2021; score per unit: ours",
    .help =
        "A unit is on where what goes into its activation is above 0, else off. Its score is the share\n"
        "of pairs of samples of which one switches it on and the other does not, the mean over all\n"
        "places of an image: units that are always on, or never, score 0 and go first. It needs inputs,\n"
        "but no labels, and works on untrained networks.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .needs_data = true,
    .configure = configure,
    .path = expressiveness_path,
};
