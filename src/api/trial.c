/* Trials: a plan is made, carried out and measured, until the rule is met. */
#include <math.h>
#include <string.h>

#include "api/eval.h"
#include "api/job.h"
#include "recover/batchnorm.h"
#include "recover/reconstruct.h"
#include "report/report.h"

/* Ridge of the lift, relative to the mean variance of the kept units (as in the selection). */
#define LIFT_RIDGE 1e-3
/* Ridges of the reconstruction, of which the best on held-out rows is taken. */
static const double RECONSTRUCT_RIDGES[] = {1e-3, 1e-2};
enum { N_RIDGES = sizeof RECONSTRUCT_RIDGES / sizeof *RECONSTRUCT_RIDGES };
enum { BUDGET_TRIALS = 6, DROP_TRIALS = 12 };

void outcome_free(coset_ctx *ctx, outcome *self)
{
    plan_free(ctx, self->plan);
    coset_graph_free(ctx, self->graph);
    *self = (outcome){0};
}

/* ---- one trial ---------------------------------------------------------------------------------- */

/* Deviation from the original on held-out rows; NaN without data. */
static coset_status held_out_error(job *self, const coset_graph *graph, double *rel_l2_out)
{
    evaluation found = {.rel_l2 = (double)NAN};
    coset_status status = COSET_OK;
    if (self->data != NULL)
        status = evaluate_view(self->ctx, graph, self->graph, &self->held, &found);
    *rel_l2_out = found.rel_l2;
    return status;
}

static void add_stage(outcome *at, const char *name, double rel_l2, double start)
{
    at->stages[at->n_stages].name = name;
    at->stages[at->n_stages].rel_l2 = rel_l2;
    at->stages[at->n_stages++].seconds = report_clock() - start;
}

static coset_status lift_maps(job *self, coset_plan *plan)
{
    coset_status status = COSET_OK;
    group_sites *sites = NULL;
    for (int64_t g = 0; g < plan->n_groups; g++) {
        lumping *map = plan->groups[g].map;
        if (map == NULL || map->k == map->n) continue;
        TRY(group_sites_new(self->ctx, self->graph, self->groups, self->stats, g, &sites));
        TRY(group_sites_lift(self->ctx, sites, LIFT_RIDGE, map));
        group_sites_free(self->ctx, sites);
        sites = NULL;
    }
done:
    group_sites_free(self->ctx, sites);
    return status;
}

/* Takes the lifts away again: they did worse on held-out data. */
static void drop_lifts(coset_ctx *ctx, coset_plan *plan, double *const *shifts)
{
    for (int64_t g = 0; g < plan->n_groups; g++) {
        lumping *map = plan->groups[g].map;
        if (map == NULL) continue;
        ctx_free(ctx, map->lift);
        ctx_free(ctx, map->shift);
        map->lift = NULL;
        map->shift = shifts[g];
    }
}

/* Lifts every lumping and keeps the result if the model gets better by it on held-out data. */
static coset_status try_lift(job *self, outcome *at, double *rel_l2)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    coset_graph *lifted = NULL;
    double **shifts = NULL, found = 0, start = report_clock();
    bool dropped = false;
    TRY(ctx_alloc(ctx, at->plan->n_groups, sizeof *shifts, &shifts));
    for (int64_t g = 0; g < at->plan->n_groups; g++) /* set aside the method's own shifts */
        if (at->plan->groups[g].map != NULL) {
            shifts[g] = at->plan->groups[g].map->shift;
            at->plan->groups[g].map->shift = NULL;
        }
    TRY(lift_maps(self, at->plan));
    TRY(plan_apply(ctx, self->graph, self->facts, self->groups, at->plan, &lifted));
    TRY(held_out_error(self, lifted, &found));
    add_stage(at, "lift", found, start);
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

static coset_status need_targets(job *self)
{
    if (self->targets != NULL) return COSET_OK;
    return recovery_targets_new(self->ctx, self->graph, self->groups, &self->source,
                                &self->calib.sample, &self->targets);
}

/* Keeps `graph` if it is better on held-out data; else, and after a failure, it is released. */
static void keep_better(job *self, outcome *at, coset_graph *graph, double found, double *rel_l2)
{
    if (graph != NULL && found < *rel_l2) {
        coset_graph *worse = at->graph;
        at->graph = graph;
        graph = worse;
        *rel_l2 = found;
    }
    coset_graph_free(self->ctx, graph);
}

static coset_status try_reconstruct(job *self, outcome *at, double *rel_l2)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    coset_graph *refitted = NULL, *best = NULL;
    double found = 0, least = (double)INFINITY, start = report_clock();
    TRY(need_targets(self));
    for (int r = 0; r < N_RIDGES; r++) {
        TRY(reconstruct(ctx, at->plan, self->targets, at->graph, RECONSTRUCT_RIDGES[r], &refitted));
        TRY(held_out_error(self, refitted, &found));
        if (found < least) {
            coset_graph *worse = best;
            least = found;
            best = refitted;
            refitted = worse;
        }
        coset_graph_free(ctx, refitted);
        refitted = NULL;
    }
    if (best != NULL) add_stage(at, "reconstruct", least, start);
done:
    coset_graph_free(ctx, refitted);
    keep_better(self, at, best, status == COSET_OK ? least : (double)INFINITY, rel_l2);
    return status;
}

static coset_status try_batchnorm(job *self, outcome *at, double *rel_l2)
{
    coset_status status = COSET_OK;
    coset_graph *matched = NULL;
    double found = (double)INFINITY, start = report_clock();
    TRY(need_targets(self));
    TRY(match_statistics(self->ctx, at->plan, self->targets, at->graph, &matched));
    TRY(held_out_error(self, matched, &found));
    add_stage(at, "batchnorm", found, start);
done:
    keep_better(self, at, matched, status == COSET_OK ? found : (double)INFINITY, rel_l2);
    return status;
}

static bool plan_cuts(const coset_plan *plan)
{
    for (int64_t g = 0; g < plan->n_groups; g++)
        if (plan->groups[g].map != NULL && plan->groups[g].map->k < plan->groups[g].map->n)
            return true;
    return false;
}

/* Applies at->plan and recovers. */
coset_status job_carry_out(job *self, outcome *at)
{
    coset_status status = COSET_OK;
    double rel_l2 = 0, start = report_clock();
    at->n_stages = 0;
    TRY(plan_apply(self->ctx, self->graph, self->facts, self->groups, at->plan, &at->graph));
    TRY(held_out_error(self, at->graph, &rel_l2));
    add_stage(at, "cut", rel_l2, start);
    if (self->lift && plan_cuts(at->plan) && self->options->plan_in == NULL)
        TRY(try_lift(self, at, &rel_l2));
    if (self->reconstruct && plan_cuts(at->plan)) TRY(try_reconstruct(self, at, &rel_l2));
    if (self->batchnorm && plan_cuts(at->plan)) TRY(try_batchnorm(self, at, &rel_l2));
    at->rel_l2 = rel_l2;
done:
    return status;
}

/* A plan for the rule; what the user filtered out carries its reason. */
static coset_status make_plan(job *self, int variant, coset_rule rule, double value, int64_t budget,
                              outcome *at)
{
    coset_status status = COSET_OK;
    TRY(plan_new(self->ctx, self->graph, self->groups, &at->plan));
    for (int64_t g = 0; g < self->groups->n; g++)
        if (self->refused[g] != NULL)
            TRY(ctx_strdup(self->ctx, self->refused[g], &at->plan->groups[g].skipped));
    at->variant = variant;
    TRY(search_cut(self->paths[variant], rule, value, budget, at->plan, &at->reached));
done:
    return status;
}

/* Measured cost of a trial against the rule's budget. */
static coset_status measured(job *self, const coset_graph *graph, coset_rule rule,
                             int64_t *cost_out)
{
    coset_graph_size size;
    coset_status status = coset_graph_measure(self->ctx, graph, &size);
    if (status != COSET_OK) return status;
    *cost_out =
        rule == COSET_RULE_MACS ? size.macs : (self->calls[0].masks ? size.nonzero : size.params);
    return COSET_OK;
}

/* Follows a rule with a budget: biases that recovery adds are not in the cost model, so the result is
 * measured and the budget tightened until it holds. */
static coset_status follow_with(job *self, int variant, coset_rule rule, double value, outcome *at)
{
    coset_status status = COSET_OK;
    int64_t total = rule == COSET_RULE_MACS ? self->before.macs : self->before.params;
    int64_t target = (int64_t)(value * (double)total), budget = target;
    for (int trial = 0; trial < BUDGET_TRIALS; trial++) {
        int64_t cost = 0;
        outcome_free(self->ctx, at);
        TRY(make_plan(self, variant, rule, value, budget, at));
        TRY(job_carry_out(self, at));
        if (rule != COSET_RULE_PARAMS && rule != COSET_RULE_MACS) break;
        TRY(measured(self, at->graph, rule, &cost));
        if (cost <= target) break;
        bool last = trial + 1 == BUDGET_TRIALS;
        if (!at->reached || last) {
            at->reached = false;
            break;
        }
        budget -= cost - target;
    }
done:
    return status;
}

/* The same with every variant of the method that can be compared: all keep the same share. */
static coset_status follow_rule(job *self, coset_rule rule, double value, outcome *best)
{
    coset_status status = COSET_OK;
    outcome trial = {0};
    outcome_free(self->ctx, best);
    TRY(follow_with(self, 0, rule, value, best));
    for (int v = 1; v < self->n_variants && rule != COSET_RULE_EPS; v++) {
        TRY(follow_with(self, v, rule, value, &trial));
        if (trial.reached >= best->reached && trial.rel_l2 < best->rel_l2) {
            outcome swap = *best;
            *best = trial;
            trial = swap;
        }
        outcome_free(self->ctx, &trial);
    }
done:
    outcome_free(self->ctx, &trial);
    return status;
}

/* How far the metric falls on held-out rows: with labels that of the metric, else rel_l2. */
static coset_status measure_drop(job *self, const outcome *at, double *drop_out)
{
    evaluation found;
    coset_status status = evaluate_view(self->ctx, at->graph, self->graph, &self->held, &found);
    if (status != COSET_OK) return status;
    *drop_out = found.metric != NULL ? found.against_value - found.value : found.rel_l2;
    return COSET_OK;
}

/* The smallest share of parameters whose drop stays within the limit, by bisection. */
static coset_status follow_max_drop(job *self, double limit, outcome *best)
{
    coset_status status = COSET_OK;
    outcome trial = {0};
    double low = 0, high = 1;
    if (self->data == NULL)
        FAIL(self->ctx, COSET_EARGUMENT, "--max-drop needs data to measure on (--data)");
    for (int i = 0; i < DROP_TRIALS; i++) {
        double share = i == 0 ? 1 : (low + high) / 2, drop = 0;
        ctx_progress(self->ctx, "bisecting size", i, DROP_TRIALS);
        TRY(follow_rule(self, COSET_RULE_PARAMS, share, &trial));
        TRY(measure_drop(self, &trial, &drop));
        if (trial.reached && drop <= limit) {
            outcome swap = *best;
            *best = trial;
            trial = swap;
            high = share;
        } else if (i > 0) {
            low = share;
        }
        outcome_free(self->ctx, &trial);
        if (high - low < 0.002) break;
    }
    best->reached = best->graph != NULL;
    if (best->graph == NULL) TRY(follow_rule(self, COSET_RULE_PARAMS, 1, best));
done:
    outcome_free(self->ctx, &trial);
    return status;
}

coset_status job_follow(job *self, outcome *best)
{
    coset_status status = COSET_OK;
    const coset_compress_options *options = self->options;
    for (int v = 0; v < self->n_variants; v++) {
        search_request request = {.method = self->method,
                                  .call = &self->calls[v],
                                  .cost = self->cost,
                                  .steps = self->steps,
                                  .allowed = self->allowed,
                                  .allowed_weights = self->allowed_weights};
        TRY(search_new(&request, &self->paths[v]));
    }
    if (options->rule == COSET_RULE_MAX_DROP)
        TRY(follow_max_drop(self, options->value, best));
    else
        TRY(follow_rule(self, options->rule, options->value, best));
done:
    return status;
}
