#include "api/trial.h"

#include <math.h>

#include "api/eval.h"
#include "api/probe.h"
#include "recover/batchnorm.h"
#include "recover/reconstruct.h"
#include "report/report.h"

/* Ridge of the lift, relative to the mean variance of the kept units (as in the selection). */
#define LIFT_RIDGE 1e-3
/* Ridges of the reconstruction, of which the best on held-out rows is taken: the next one is tried as long as each is
 * better than the one before. */
static const double RECONSTRUCT_RIDGES[] = {1e-1, 1e-2, 1e-3};
enum { N_RIDGES = sizeof RECONSTRUCT_RIDGES / sizeof *RECONSTRUCT_RIDGES };
enum { BUDGET_TRIALS = 6 };

void trial_free(coset_ctx *ctx, trial *self)
{
    plan_free(ctx, self->plan);
    plan_free(ctx, self->whole);
    coset_graph_free(ctx, self->graph);
    coset_graph_free(ctx, self->unfitted);
    *self = (trial){.plan = NULL};
}

void turn_close(turn *self)
{
    if (self->job == NULL) return;
    coset_ctx *ctx = self->job->ctx;
    for (int v = 0; self->paths != NULL && v < self->step->n_variants; v++)
        search_free(ctx, self->paths[v]);
    ctx_free(ctx, self->paths);
    ctx_free(ctx, self->calls);
    if (self->on == &self->own) subject_close(ctx, &self->own);
    *self = (turn){.job = NULL};
}

/* Searches of all variants on the subject. */
static coset_status open_searches(turn *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->job->ctx;
    const step *of = self->step;
    const subject *on = self->on;
    TRY(ctx_alloc(ctx, of->n_variants, sizeof *self->calls, &self->calls));
    TRY(ctx_alloc(ctx, of->n_variants, sizeof *self->paths, &self->paths));
    for (int v = 0; v < of->n_variants; v++) {
        self->calls[v] = of->calls[v];
        self->calls[v].graph = on->graph;
        self->calls[v].groups = on->groups;
        self->calls[v].stats = subject_statistics(on);
        search_request request = {.method = of->method,
                                  .call = &self->calls[v],
                                  .cost = on->cost,
                                  .steps = on->steps,
                                  .allowed = on->allowed,
                                  .allowed_weights = on->allowed_weights};
        TRY(search_new(&request, &self->paths[v]));
    }
done:
    return status;
}

coset_status turn_open(job *base, const step *of, const coset_graph *graph,
                       const coset_plan *before, bool masked, turn *turn_out)
{
    coset_status status = COSET_OK;
    turn *self = turn_out;
    *self = (turn){.job = base, .step = of, .before = before, .masked = masked};
    self->on = graph != NULL ? &self->own : &base->original;
    if (graph != NULL) TRY(job_open(base, graph, of, base->lift && !masked, &self->own));
    if (of != NULL) TRY(open_searches(self));
done:
    return status;
}

/* ---- one trial ---------------------------------------------------------------------------------- */

/* Deviation from the original on held-out rows; NaN without data. */
static coset_status held_out_error(turn *self, const coset_graph *graph, double *rel_l2_out)
{
    evaluation found = {.rel_l2 = (double)NAN};
    const job *base = self->job;
    coset_status status = COSET_OK;
    if (base->data != NULL)
        status = evaluate_view(base->ctx, graph, base->graph, &base->held, &found);
    *rel_l2_out = found.rel_l2;
    return status;
}

void trial_add_stage(trial *at, const char *name, double rel_l2, double start)
{
    at->stages[at->n_stages].name = name;
    at->stages[at->n_stages].rel_l2 = rel_l2;
    at->stages[at->n_stages++].seconds = report_clock() - start;
}

/* A lift says what units that are left stand for; a bypass leaves no question open. */
static bool is_lifted(const lumping *map)
{
    return map != NULL && map->k < map->n && map->slope == NULL;
}

coset_status turn_lift(const turn *self, coset_plan *plan)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->job->ctx;
    const subject *on = self->on;
    group_sites *sites = NULL;
    for (int64_t g = 0; g < plan->n_groups; g++) {
        lumping *map = plan->groups[g].map;
        if (!is_lifted(map)) continue;
        TRY(group_sites_new(ctx, on->graph, on->groups, on->stats, g, &sites));
        TRY(group_sites_lift(ctx, sites, LIFT_RIDGE, map));
        group_sites_free(ctx, sites);
        sites = NULL;
    }
done:
    group_sites_free(ctx, sites);
    return status;
}

/* Takes the lifts away again: they did worse on held-out data. */
static void drop_lifts(coset_ctx *ctx, coset_plan *plan, double *const *shifts)
{
    for (int64_t g = 0; g < plan->n_groups; g++) {
        lumping *map = plan->groups[g].map;
        if (!is_lifted(map)) continue;
        ctx_free(ctx, map->lift);
        ctx_free(ctx, map->shift);
        map->lift = NULL;
        map->shift = shifts[g];
    }
}

static coset_status apply(turn *self, const coset_plan *plan, coset_graph **graph_out)
{
    const subject *on = self->on;
    return plan_apply(self->job->ctx, on->graph, on->facts, on->groups, plan, graph_out);
}

/* Lifts every lumping and keeps the result if the model gets better by it on held-out data. */
static coset_status try_lift(turn *self, trial *at, double *rel_l2)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->job->ctx;
    coset_graph *lifted = NULL;
    double **shifts = NULL, found = 0, start = report_clock();
    bool dropped = false;
    TRY(ctx_alloc(ctx, at->plan->n_groups, sizeof *shifts, &shifts));
    for (int64_t g = 0; g < at->plan->n_groups; g++) /* set aside the method's own shifts */
        if (is_lifted(at->plan->groups[g].map)) {
            shifts[g] = at->plan->groups[g].map->shift;
            at->plan->groups[g].map->shift = NULL;
        }
    TRY(turn_lift(self, at->plan));
    TRY(apply(self, at->plan, &lifted));
    TRY(held_out_error(self, lifted, &found));
    trial_add_stage(at, "lift", found, start);
    if (found < *rel_l2) {
        coset_graph_free(ctx, at->graph);
        at->graph = lifted;
        lifted = NULL;
        *rel_l2 = found;
    } else {
        drop_lifts(ctx, at->plan, shifts);
        dropped = true;
    }
done:
    for (int64_t g = 0; shifts != NULL && !dropped && g < at->plan->n_groups; g++)
        ctx_free(ctx, shifts[g]);
    ctx_free(ctx, shifts);
    coset_graph_free(ctx, lifted);
    return status;
}

/* What layers are refitted to is what the original does, whatever turn it is. */
static coset_status need_targets(job *base)
{
    if (base->targets != NULL) return COSET_OK;
    return recovery_targets_new(base->ctx, base->graph, base->original.groups, &base->source,
                                &base->calib.sample, &base->targets);
}

static const coset_plan *from_original(const trial *at)
{
    return at->whole != NULL ? at->whole : at->plan;
}

/* Takes `graph` if it is better on held-out data and returns the worse of the two. */
static coset_graph *keep_better(trial *at, coset_graph *graph, double found, double *rel_l2)
{
    if (graph == NULL || !(found < *rel_l2)) return graph;
    coset_graph *worse = at->graph;
    at->graph = graph;
    *rel_l2 = found;
    return worse;
}

static coset_status try_reconstruct(turn *self, trial *at, double *rel_l2)
{
    coset_status status = COSET_OK;
    job *base = self->job;
    coset_ctx *ctx = base->ctx;
    coset_graph *refitted = NULL, *best = NULL;
    double found = 0, least = (double)INFINITY, start = report_clock();
    TRY(need_targets(base));
    for (int r = 0; r < N_RIDGES && !(found > least); r++) {
        TRY(reconstruct(ctx, from_original(at), base->targets, at->graph, RECONSTRUCT_RIDGES[r],
                        &refitted));
        TRY(held_out_error(self, refitted, &found));
        if (found < least) {
            coset_graph *worse = best;
            least = found;
            best = refitted;
            refitted = worse;
            at->ridge = RECONSTRUCT_RIDGES[r];
        }
        coset_graph_free(ctx, refitted);
        refitted = NULL;
    }
    if (best == NULL) goto done;
    trial_add_stage(at, "reconstruct", least, start);
    coset_graph *refit = best;
    best = keep_better(at, best, least, rel_l2);
    if (at->graph == refit) {
        at->unfitted = best;
        best = NULL;
    }
done:
    coset_graph_free(ctx, refitted);
    coset_graph_free(ctx, best);
    return status;
}

static coset_status try_batchnorm(turn *self, trial *at, double *rel_l2)
{
    coset_status status = COSET_OK;
    job *base = self->job;
    coset_graph *matched = NULL;
    double found = (double)INFINITY, start = report_clock();
    TRY(need_targets(base));
    TRY(match_statistics(base->ctx, from_original(at), base->targets, at->graph, &matched));
    TRY(held_out_error(self, matched, &found));
    trial_add_stage(at, "batchnorm", found, start);
    coset_graph *better = matched;
    matched = keep_better(at, matched, found, rel_l2);
    if (at->graph == better) { /* another refit would have to be matched again */
        coset_graph_free(base->ctx, at->unfitted);
        at->unfitted = NULL;
    }
done:
    coset_graph_free(base->ctx, matched);
    return status;
}

static bool plan_has(const coset_plan *plan, bool (*of)(const lumping *map))
{
    for (int64_t g = 0; g < plan->n_groups; g++)
        if (of(plan->groups[g].map)) return true;
    return false;
}

static bool is_cut(const lumping *map)
{
    return map != NULL && map->k < map->n;
}

/* False: weights were set to zero, which must stay so. */
static bool may_refit(const turn *self, const trial *at)
{
    return !self->masked && at->plan->n_masks == 0;
}

/* Applies at->plan and lifts: what comes after does not change sizes. */
static coset_status cut(turn *self, trial *at)
{
    coset_status status = COSET_OK;
    const job *base = self->job;
    const subject *on = self->on;
    double start = report_clock();
    at->n_stages = 0;
    TRY(apply(self, at->plan, &at->graph));
    if (self->before != NULL)
        TRY(plan_compose(base->ctx, base->graph, base->original.groups, self->before, on->graph,
                         on->groups, at->plan, &at->whole));
    TRY(held_out_error(self, at->graph, &at->rel_l2));
    trial_add_stage(at, "cut", at->rel_l2, start);
    if (base->lift && may_refit(self, at) && self->step != NULL && plan_has(at->plan, is_lifted))
        TRY(try_lift(self, at, &at->rel_l2));
done:
    return status;
}

static coset_status refit_layers(turn *self, trial *at)
{
    coset_status status = COSET_OK;
    const job *base = self->job;
    if (!plan_has(at->plan, is_cut)) return COSET_OK;
    if (base->reconstruct && may_refit(self, at)) TRY(try_reconstruct(self, at, &at->rel_l2));
    if (base->batchnorm) TRY(try_batchnorm(self, at, &at->rel_l2));
done:
    return status;
}

coset_status turn_carry_out(turn *self, trial *at)
{
    coset_status status = cut(self, at);
    return status == COSET_OK ? refit_layers(self, at) : status;
}

/* ---- until the rule is met ---------------------------------------------------------------------- */

/* A plan for the rule; what the user filtered out carries its reason. */
static coset_status make_plan(turn *self, int variant, coset_rule rule, double value,
                              int64_t budget, trial *at)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->job->ctx;
    const subject *on = self->on;
    TRY(plan_new(ctx, on->graph, on->groups, &at->plan));
    for (int64_t g = 0; g < on->groups->n; g++)
        if (on->refused[g] != NULL)
            TRY(ctx_strdup(ctx, on->refused[g], &at->plan->groups[g].skipped));
    at->variant = variant;
    TRY(search_cut(self->paths[variant], rule, value, budget, at->plan, &at->reached));
done:
    return status;
}

/* Measured cost of a trial against the rule's budget: a mask saves non-zeros, everything else parameters. */
static coset_status measured(turn *self, const coset_graph *graph, coset_rule rule,
                             int64_t *cost_out)
{
    coset_graph_size size;
    coset_status status = coset_graph_measure(self->job->ctx, graph, &size);
    if (status != COSET_OK) return status;
    *cost_out =
        rule == COSET_RULE_MACS ? size.macs : (self->calls[0].masks ? size.nonzero : size.params);
    return COSET_OK;
}

/* Carries out one variant, unless its plan is that of one before: then there is no graph.
 * Follows a rule with a budget: biases that recovery adds are not in the cost model, so the result is
 * measured and the budget tightened until it holds. */
static coset_status follow_with(turn *self, int variant, coset_rule rule, double value, trial *at)
{
    coset_status status = COSET_OK;
    const coset_graph_size *before = &self->job->before;
    const coset_method *method = self->step->method;
    int64_t total = rule == COSET_RULE_MACS ? before->macs : before->params;
    int64_t target = (int64_t)(value * (double)total), budget = target;
    for (int i = 0; i < BUDGET_TRIALS; i++) {
        int64_t cost = 0;
        trial_free(self->job->ctx, at);
        TRY(make_plan(self, variant, rule, value, budget, at));
        if (i == 0 && method->is_new != NULL && !method->is_new(&self->calls[variant], at->plan))
            break;
        TRY(cut(self, at));
        if (rule != COSET_RULE_PARAMS && rule != COSET_RULE_MACS) break;
        TRY(measured(self, at->graph, rule, &cost));
        if (cost <= target) break;
        bool last = i + 1 == BUDGET_TRIALS;
        if (!at->reached || last) {
            at->reached = false;
            break;
        }
        budget -= cost - target;
    }
    if (at->graph != NULL) TRY(refit_layers(self, at));
done:
    return status;
}

/* The variant's paths are scaled once for all that is tried with them. */
static coset_status need_probes(turn *self, int variant)
{
    if (self->probed) return COSET_OK;
    self->probed = true;
    return turn_probe(self, variant);
}

coset_status turn_follow(turn *self, coset_rule rule, double value, trial *best)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->job->ctx;
    trial other = {.plan = NULL};
    *best = other;
    TRY(follow_with(self, 0, rule, value, best));
    /* Variants can be compared where all keep the same share; under RATIO errors do not matter for the widths. */
    for (int v = 1; v < self->step->n_variants && rule != COSET_RULE_EPS; v++) {
        bool probed = v == self->step->method->probed;
        if (probed && rule == COSET_RULE_RATIO) continue;
        if (probed) TRY(need_probes(self, v));
        TRY(follow_with(self, v, rule, value, &other));
        if (other.graph != NULL && other.reached >= best->reached && other.rel_l2 < best->rel_l2) {
            trial swap = *best;
            *best = other;
            other = swap;
        }
        trial_free(ctx, &other);
    }
done:
    trial_free(ctx, &other);
    return status;
}
