#include "methods/search.h"

#include <math.h>
#include <string.h>

#include "methods/mask.h"

enum { BISECTIONS = 40, DOUBLINGS = 60 };

struct search {
    search_request request;
    coset_ctx *ctx;
    int64_t n;       /* groups */
    int64_t *units;  /* [n] */
    path **paths;    /* [n] without a sweep or a cut of the method's own; NULL where not allowed */
    int64_t *widths; /* [n] of the last cut */
};

coset_status search_new(const search_request *request, search **search_out)
{
    coset_status status = COSET_OK;
    const method_call *call = request->call;
    const graph_groups *groups = call->groups;
    coset_ctx *ctx = call->ctx;
    search *self = NULL;
    *search_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    *self = (search){.request = *request, .ctx = ctx, .n = groups->n};
    TRY(ctx_alloc(ctx, groups->n, sizeof *self->units, &self->units));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self->widths, &self->widths));
    TRY(ctx_alloc(ctx, groups->n, sizeof *self->paths, &self->paths));
    for (int64_t g = 0; g < groups->n; g++) self->units[g] = groups->groups[g].n;
    bool along_paths = !call->masks && call->sweep == SWEEP_NONE && request->method->cut == NULL;
    for (int64_t g = 0; g < groups->n && along_paths; g++) {
        ctx_progress(ctx, "finding paths", g, groups->n);
        if (request->allowed[g]) TRY(request->method->path(call, g, NULL, &self->paths[g]));
    }
    *search_out = self;
    self = NULL;
done:
    search_free(ctx, self);
    return status;
}

void search_free(coset_ctx *ctx, search *self)
{
    if (self == NULL) return;
    for (int64_t g = 0; self->paths != NULL && g < self->n; g++) path_free(ctx, self->paths[g]);
    ctx_free(ctx, self->paths);
    ctx_free(ctx, self->units);
    ctx_free(ctx, self->widths);
    ctx_free(ctx, self);
}

path *search_path(search *self, int64_t group)
{
    return self->paths[group];
}

static cut_space space_of(const search *self)
{
    return (cut_space){.n = self->n,
                       .units = self->units,
                       .paths = (const path *const *)self->paths,
                       .cost = self->request.cost,
                       .steps = self->request.steps,
                       .allocation = self->request.call->allocation};
}

/* What an earlier cut has put into a plan. */
static void clear(const search *self, plan_group *entry)
{
    lumping_free(self->ctx, entry->map);
    ctx_free(self->ctx, entry->method);
    ctx_free(self->ctx, entry->score);
    entry->map = NULL;
    entry->method = NULL;
    entry->score = NULL;
    entry->height = entry->error = (double)NAN;
}

/* Puts the lumping of a path with k units into the plan. */
static coset_status take(const search *self, const path *of, int64_t k, plan_group *entry)
{
    coset_status status = COSET_OK;
    const path *taken = path_at(of, k);
    clear(self, entry);
    entry->height = of->height[k];
    entry->error = of->error != NULL ? of->error[k] : (double)NAN;
    if (taken->score != NULL) {
        TRY(ctx_alloc(self->ctx, of->n, sizeof *entry->score, &entry->score));
        memcpy(entry->score, taken->score, (size_t)of->n * sizeof *entry->score);
    }
    if (k >= of->n) return COSET_OK;
    TRY(path_lumping(self->ctx, of, k, &entry->map));
    TRY(ctx_strdup(self->ctx, taken->method, &entry->method));
done:
    return status;
}

/* ---- methods without a sweep -------------------------------------------------------------------- */

static coset_status cut_paths(search *self, coset_rule rule, double value, int64_t budget,
                              coset_plan *plan, bool *reached_out)
{
    coset_status status = COSET_OK;
    cut_space space = space_of(self);
    *reached_out = true;
    if (rule == COSET_RULE_EPS)
        cut_at_height(&space, value, self->widths);
    else if (rule == COSET_RULE_RATIO)
        cut_at_ratio(&space, value, self->widths);
    else
        TRY(cut_to_budget(self->ctx, &space, rule == COSET_RULE_MACS ? COST_MACS : COST_PARAMS,
                          budget, self->widths, reached_out));
    for (int64_t g = 0; g < self->n; g++)
        if (self->paths[g] != NULL)
            TRY(take(self, self->paths[g], self->widths[g], &plan->groups[g]));
done:
    return status;
}

/* ---- methods that sweep: each group's path depends on the cuts before it ------------------------- */

/* One sweep at height eps, or with a share of units (eps NaN). */
static coset_status sweep(search *self, double eps, double share, coset_plan *plan)
{
    coset_status status = COSET_OK;
    const method_call *call = self->request.call;
    path *of = NULL;
    for (int64_t g = 0; g < self->n; g++) {
        clear(self, &plan->groups[g]);
        self->widths[g] = self->units[g];
    }
    for (int64_t i = 0; i < self->n; i++) {
        int64_t g = call->sweep == SWEEP_BACKWARD ? self->n - 1 - i : i;
        if (!self->request.allowed[g]) continue;
        TRY(self->request.method->path(call, g, plan, &of));
        const path *one = of;
        cut_space space = space_of(self);
        space.n = 1;
        space.units = &self->units[g];
        space.paths = &one;
        if (space.steps != NULL) space.steps += g;
        if (isnan(eps))
            cut_at_ratio(&space, share, &self->widths[g]);
        else
            cut_at_height(&space, eps, &self->widths[g]);
        TRY(take(self, of, self->widths[g], &plan->groups[g]));
        path_free(self->ctx, of);
        of = NULL;
    }
done:
    path_free(self->ctx, of);
    return status;
}

static bool is_narrowest(const search *self)
{
    cut_space space = space_of(self);
    for (int64_t g = 0; g < self->n; g++)
        if (self->request.allowed[g] && self->widths[g] > cut_round_up(&space, g, 1)) return false;
    return true;
}

/* The eps whose sweep costs most within the budget. Cost need not fall monotonically with eps where
 * linkages other than single meet changing neighbours: the best of all trials is taken. */
static coset_status bisect(search *self, cost_kind kind, int64_t budget, coset_plan *plan,
                           bool *reached_out)
{
    coset_status status = COSET_OK;
    double low = 0, high = 1, best = (double)NAN;
    int64_t best_cost = -1;
    *reached_out = true;
    TRY(sweep(self, 0, 0, plan));
    if (cost_of(self->request.cost, kind, self->widths) <= budget) goto done;
    for (int step = 0; step < DOUBLINGS + BISECTIONS; step++) {
        bool doubling = isnan(best);
        double eps = doubling ? high : (low + high) / 2;
        if (!doubling && high - low < 1e-6 * high) break;
        ctx_progress(self->ctx, "bisecting eps", step, DOUBLINGS + BISECTIONS);
        TRY(sweep(self, eps, 0, plan));
        int64_t cost = cost_of(self->request.cost, kind, self->widths);
        if (cost <= budget) {
            high = eps;
            if (cost > best_cost) {
                best_cost = cost;
                best = eps;
            }
        } else {
            low = eps;
            if (doubling) high = 2 * eps;
        }
        if (isnan(best) && (step >= DOUBLINGS || is_narrowest(self))) break;
    }
    *reached_out = !isnan(best);
    TRY(sweep(self, isnan(best) ? high : best, 0, plan));
done:
    return status;
}

/* ---- masks --------------------------------------------------------------------------------------- */

static coset_status cut_masks(search *self, coset_rule rule, double value, int64_t budget,
                              coset_plan *plan, bool *reached_out)
{
    coset_status status = COSET_OK;
    const search_request *request = &self->request;
    const method_call *call = request->call;
    coset_graph_size size;
    int64_t weights = 0;
    bool *seen = NULL;
    *reached_out = true;
    if (rule == COSET_RULE_MACS)
        FAIL(self->ctx, COSET_EARGUMENT,
             "method %s sets single weights to zero, which saves no MACs in a dense model; use "
             "--params",
             request->method->name);
    if (rule == COSET_RULE_EPS) {
        TRY(mask_cut_height(request->method, call, request->allowed_weights, value, plan));
        goto done;
    }
    TRY(coset_graph_measure(self->ctx, call->graph, &size));
    TRY(ctx_alloc(self->ctx, call->graph->n_values, sizeof *seen, &seen));
    for (int64_t c = 0; c < call->groups->n_contractions; c++) {
        int32_t weight = call->groups->contractions[c].weight;
        if (request->allowed_weights[c] && !seen[weight])
            weights += tensor_elements(call->graph->values[weight].constant);
        seen[weight] = true;
    }
    int64_t others = size.params - weights;
    int64_t keep = rule == COSET_RULE_RATIO ? llround(value * (double)weights) : budget - others;
    if (keep < 0) {
        keep = 0;
        *reached_out = false;
    }
    if (keep > weights) keep = weights;
    double share = weights > 0 ? (double)keep / (double)weights : 1;
    TRY(mask_cut(request->method, call, request->allowed_weights, keep, share, plan));
done:
    ctx_free(self->ctx, seen);
    return status;
}

/* ---- methods with a rule of their own ------------------------------------------------------------- */

static coset_status cut_by_method(search *self, coset_rule rule, double value, int64_t budget,
                                  coset_plan *plan, bool *reached_out)
{
    const search_request *request = &self->request;
    const method_cut wanted = {.allowed = request->allowed,
                               .rule = rule,
                               .value = value,
                               .budget = budget,
                               .steps = request->steps};
    for (int64_t g = 0; g < self->n; g++) clear(self, &plan->groups[g]);
    return request->method->cut(request->call, &wanted, plan, reached_out);
}

coset_status search_cut(search *self, coset_rule rule, double value, int64_t budget,
                        coset_plan *plan, bool *reached_out)
{
    const method_call *call = self->request.call;
    *reached_out = true;
    if (call->masks) return cut_masks(self, rule, value, budget, plan, reached_out);
    if (self->request.method->cut != NULL)
        return cut_by_method(self, rule, value, budget, plan, reached_out);
    if (call->sweep == SWEEP_NONE) return cut_paths(self, rule, value, budget, plan, reached_out);
    if (rule == COSET_RULE_EPS) return sweep(self, value, 0, plan);
    if (rule == COSET_RULE_RATIO) return sweep(self, (double)NAN, value, plan);
    return bisect(self, rule == COSET_RULE_MACS ? COST_MACS : COST_PARAMS, budget, plan,
                  reached_out);
}
