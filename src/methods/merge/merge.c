/* merge: clusters units that do the same on the data.   Source: ours (METHODS.md sections 4.4, 5).
 *
 * Units are points: canonical activations h^ = (h - offset) / gain, at a distance of
 * (E(h^_i - h^_j)^2)^(1/2), with the mass gain_i^2 M_ii: what an error of the unit costs. Ward's
 * criterion is then the growth of the cost when a block is replaced by its weighted mean. */
#include <math.h>
#include <string.h>

#include "linalg/select.h"
#include "methods/data_paths.h"

enum { CANONICAL };

static const method_param params[] = {
    {"canonical", PARAM_FLAG, NULL, "true", 0, 0,
     "compare units after removing the symmetry of their activation (scale for ReLU, sign for tanh\n"
     "      and sigmoid)",
     "ours"},
};

/* Masses below this share of the largest would make Ward's criterion degenerate. */
#define LEAST_MASS 1e-9

/* Of a step that joins other units than duplicates: --eps 0 stops in front of it. */
#define LEAST_HEIGHT 1e-12

/* Sums over sites of E h h^T (about zero, since a block shares one bias) and of M. */
static coset_status pool_sites(coset_ctx *ctx, const group_sites *sites, double **gram_out,
                               double **mass_out)
{
    coset_status status = COSET_OK;
    int64_t n = sites->n;
    TRY(ctx_alloc(ctx, n * n, sizeof **gram_out, gram_out));
    TRY(ctx_alloc(ctx, n, sizeof **mass_out, mass_out));
    for (int64_t s = 0; s < sites->count; s++) {
        const site *at = &sites->sites[s];
        for (int64_t i = 0; i < n; i++) {
            for (int64_t j = 0; j < n; j++)
                (*gram_out)[i * n + j] += at->covariance[i * n + j] + at->mean[i] * at->mean[j];
            (*mass_out)[i] += at->weight[i * n + i];
        }
    }
done:
    return status;
}

/* Gram matrix of canonical units: E (h_i - o_i)(h_j - o_j) / (g_i g_j). Without data units are their
 * incoming weights, which have no offset. */
static void canonical_gram(const path *self, const group_sites *sites, bool data, double *gram,
                           double *mass)
{
    int64_t n = self->n;
    if (self->gain == NULL) return;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double value = gram[i * n + j];
            if (data && self->offset != NULL)
                for (int64_t s = 0; s < sites->count; s++)
                    value += self->offset[i] * self->offset[j] -
                             self->offset[i] * sites->sites[s].mean[j] -
                             self->offset[j] * sites->sites[s].mean[i];
            gram[i * n + j] = value / (self->gain[i] * self->gain[j]);
        }
    for (int64_t i = 0; i < n; i++) mass[i] *= self->gain[i] * self->gain[i];
}

static void floor_masses(double *mass, int64_t n)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, mass[i]);
    for (int64_t i = 0; i < n; i++) mass[i] = largest > 0 ? fmax(mass[i], LEAST_MASS * largest) : 1;
}

/* e^2 for every number of blocks, with the lift in terms of canonical units. */
static coset_status estimate_errors(coset_ctx *ctx, path *self, const group_sites *sites)
{
    coset_status status = COSET_OK;
    int64_t n = self->n;
    moment_site *views = NULL;
    double *scaled = NULL;
    TRY(ctx_alloc(ctx, sites->count, sizeof *views, &views));
    TRY(ctx_alloc(ctx, 2 * sites->count * n * n, sizeof *scaled, &scaled));
    for (int64_t s = 0; s < sites->count; s++) {
        double *gram = scaled + 2 * s * n * n, *weight = gram + n * n;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double both = self->gain != NULL ? self->gain[i] * self->gain[j] : 1;
                gram[i * n + j] = sites->sites[s].covariance[i * n + j] / both;
                weight[i * n + j] = sites->sites[s].weight[i * n + j] * both;
            }
        views[s] = (moment_site){gram, weight};
    }
    TRY(merge_errors(ctx, &self->tree, views, sites->count, self->error));
done:
    ctx_free(ctx, views);
    ctx_free(ctx, scaled);
    return status;
}

/* e^2 where nothing can be lifted: what replacing every block by its mean costs, M taken as diagonal.
 * A merge adds half the square of its Ward height. */
static void estimate_without_lift(path *self)
{
    double sum = 0;
    for (int64_t m = 0; m < self->n - 1; m++) {
        double height = self->tree.merges[m].height;
        sum += height * height / 2;
        self->error[self->n - 1 - m] = sum;
    }
    self->error[0] = fmax(self->error[0], sum);
}

coset_status merge_path(const method_call *call, int64_t g, bool canonical, path **path_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->ctx;
    const unit_group *group = &call->groups->groups[g];
    int64_t n = group->n, width = 0;
    group_sites *sites = NULL;
    path *made = NULL;
    double *gram = NULL, *mass = NULL, *rows = NULL, *distances = NULL;
    *path_out = NULL;
    TRY(path_new(ctx, "merge", n, &made));
    TRY(group_sites_new(ctx, call->graph, call->groups, call->stats, g, &sites));
    if (canonical && group->function != UNIT_OTHER) {
        TRY(group_incoming(ctx, call->graph, call->groups, g, &rows, &width));
        TRY(path_canonicalise(ctx, made, group->function, rows, width));
    }
    TRY(pool_sites(ctx, sites, &gram, &mass));
    canonical_gram(made, sites, call->stats != NULL, gram, mass);
    floor_masses(mass, n);
    TRY(ctx_alloc_raw(ctx, n * n, sizeof *distances, &distances));
    cluster_distances_from_gram(gram, n, distances);
    TRY(cluster_build_distances(ctx, distances, n, mass, CLUSTER_WARD, &made->tree));
    TRY(estimate_errors(ctx, made, sites));
    /* Without data the least-squares lift is not there, and units behind few inputs would seem to be
     * linear functions of each other. */
    if (call->stats == NULL) estimate_without_lift(made);
    made->mass = mass;
    mass = NULL;
    /* Duplicates are found exactly by their distance; e^2 of other steps is an estimate, which is 0 for
     * units that do not vary: a mean of weights is not the mean of what they give. */
    path_heights_from_tree(made, 0);
    for (int64_t k = 1; k < n; k++)
        made->height[k] = made->height[k] > 0 ? fmax(sqrt(made->error[k]), LEAST_HEIGHT) : 0;
    path_smooth(made);
    *path_out = made;
    made = NULL;
done:
    group_sites_free(ctx, sites);
    ctx_free(ctx, gram);
    ctx_free(ctx, mass);
    ctx_free(ctx, rows);
    ctx_free(ctx, distances);
    path_free(ctx, made);
    return status;
}

static coset_status own_path(const method_call *call, int64_t g, const coset_plan *so_far,
                             path **path_out)
{
    (void)so_far;
    return merge_path(call, g, call->values[CANONICAL] != 0, path_out);
}

const coset_method method_merge = {
    .name = "merge",
    .summary = "clusters units that do the same on the data and replaces each block by one unit",
    .source = "ours; clustering after Ward 1963",
    .help =
        "Ward clustering of the units' activations, weighted by what an error of the unit costs at\n"
        "the model's output. eps is the relative output error; exact duplicates, also scaled or\n"
        "mirrored ones, merge at eps 0. Without data units are compared by their incoming weights.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .path = own_path,
};
