/* select: orthogonal forward selection of the units that predict the model's output best.
 * Source: ours (METHODS.md section 5); Chen, Cowan, Grant 1991 for orthogonal least squares. */
#include <math.h>
#include <string.h>

#include "linalg/select.h"
#include "methods/data_paths.h"

enum { RIDGE };

static const method_param params[] = {
    {"ridge", PARAM_NUMBER, NULL, "0.001", 0, 1,
     "variance that every unit is taken to have of its own, relative to the mean variance: keeps\n"
     "      the lift from leaning on differences that calibration cannot resolve",
     "ours"},
};

/* Without data nothing is rebuilt from the kept units: what a dropped one carried is lost, however
 * well they would predict it. */
static void forget_correlations(double *gram, int64_t n)
{
    for (int64_t i = 0; i < n * n; i++)
        if (i % (n + 1) != 0) gram[i] = 0;
}

coset_status select_among(const method_call *call, group_sites *sites, double ridge,
                          path **path_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->ctx;
    int64_t n = sites->n;
    moment_site *views = NULL;
    double *added = NULL; /* what the ridge put on each diagonal */
    path *made = NULL;
    *path_out = NULL;
    TRY(path_new(ctx, "select", n, &made));
    TRY(ctx_alloc(ctx, n, sizeof *made->order, &made->order));
    TRY(ctx_alloc(ctx, sites->count, sizeof *views, &views));
    TRY(ctx_alloc(ctx, sites->count, sizeof *added, &added));
    for (int64_t s = 0; s < sites->count; s++) {
        double *gram = sites->sites[s].covariance, trace = 0;
        if (call->stats == NULL) forget_correlations(gram, n);
        for (int64_t i = 0; i < n; i++) trace += gram[i * n + i];
        added[s] = ridge * trace / (double)n;
        for (int64_t i = 0; i < n; i++) gram[i * n + i] += added[s];
        views[s] = (moment_site){gram, sites->sites[s].weight};
    }
    TRY(selection_forward(ctx, views, sites->count, n, made->order, made->error));
    for (int64_t s = 0; s < sites->count; s++) /* errors are of the moments as they are */
        for (int64_t i = 0; i < n; i++) sites->sites[s].covariance[i * n + i] -= added[s];
    TRY(selection_errors(ctx, made->order, views, sites->count, n, made->error));
    for (int64_t k = 1; k < n; k++) made->height[k] = sqrt(made->error[k]);
    path_smooth(made);
    *path_out = made;
    made = NULL;
done:
    ctx_free(ctx, views);
    ctx_free(ctx, added);
    path_free(ctx, made);
    return status;
}

coset_status select_path(const method_call *call, int64_t g, double ridge, path **path_out)
{
    group_sites *sites = NULL;
    *path_out = NULL;
    coset_status status =
        group_sites_new(call->ctx, call->graph, call->groups, call->stats, g, &sites);
    if (status == COSET_OK) status = select_among(call, sites, ridge, path_out);
    group_sites_free(call->ctx, sites);
    return status;
}

static coset_status own_path(const method_call *call, int64_t g, const coset_plan *so_far,
                             path **path_out)
{
    (void)so_far;
    return select_path(call, g, call->values[RIDGE], path_out);
}

const coset_method method_select = {
    .name = "select",
    .summary =
        "keeps the units from which the others can be predicted, and rebuilds these from them",
    .source = "ours, on the orthogonal forward selection of Chen, Cowan and Grant 1991",
    .help =
        "Chooses units one by one, each time the one that removes most of the error that is left at\n"
        "the model's output; what the others carried is rebuilt from the kept ones by least squares\n"
        "(--recover lift). eps is the relative output error. Without data the weights stand in for\n"
        "activations.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .path = own_path,
};
