/* Geometric median: drops the units whose weights the others can replace, those in the middle of their layer.
 * Source: He, Liu, Wang, Hu, Yang, "Filter pruning via geometric median for deep convolutional neural networks
 * acceleration", CVPR 2019, equation 8. */
#include "linalg/distance.h"
#include "methods/ranking.h"

enum { SCOPE };
enum { SCOPE_LAYER, SCOPE_MODEL };

static const method_param params[] = {
    {"scope", PARAM_CHOICE, "layer|model", "layer", 0, 0,
     "keep the same share in every layer or rank over the whole model, relative to each layer's mean",
     "layer: He et al. 2019; model: ours"},
};

static void configure(method_call *call)
{
    call->allocation = call->values[SCOPE] == (double)SCOPE_MODEL ? CUT_BY_HEIGHT : CUT_BY_SHARE;
}

/* score_u = sum over v of |w_u - w_v|_2, w the incoming weights and biases of all producers. */
static coset_status geometric_median_path(const method_call *call, int64_t g,
                                          const coset_plan *so_far, path **path_out)
{
    (void)so_far;
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->ctx;
    int64_t n = call->groups->groups[g].n, width = 0;
    double *rows = NULL, *distances = NULL, *score = NULL;
    TRY(group_incoming(ctx, call->graph, call->groups, g, &rows, &width));
    TRY(ctx_alloc(ctx, n * (n - 1) / 2, sizeof *distances, &distances));
    TRY(ctx_alloc(ctx, n, sizeof *score, &score));
    const point_set units = {.values = rows, .n = n, .d = width};
    TRY(distance_pairs(ctx, &units, CLUSTER_L2, distances));
    for (int64_t u = 0; u < n; u++)
        for (int64_t v = u + 1; v < n; v++) {
            double apart = distances[pair_at(n, u, v)];
            score[u] += apart;
            score[v] += apart;
        }
    TRY(ranking_path(ctx, "geometric-median", score, n, path_out));
done:
    ctx_free(ctx, rows);
    ctx_free(ctx, distances);
    ctx_free(ctx, score);
    return status;
}

const coset_method method_geometric_median = {
    .name = "geometric-median",
    .summary = "drops the units whose weights are nearest to all others of their layer",
    .source = "He et al., CVPR 2019",
    .help =
        "A structured baseline that looks at weights alone, but not at their size: the units in the\n"
        "middle of their layer go first, since the others can stand for them.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .configure = configure,
    .path = geometric_median_path,
};
