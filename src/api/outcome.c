#include "api/outcome.h"

#include <math.h>

#include "api/eval.h"
#include "recover/reconstruct.h"
#include "report/report.h"

enum { DROP_TRIALS = 12 };

void outcome_free(coset_ctx *ctx, outcome *self)
{
    plan_free(ctx, self->plan);
    plan_free(ctx, self->whole);
    coset_graph_free(ctx, self->graph);
    coset_graph_free(ctx, self->unfitted);
    ctx_free(ctx, self->turns);
    *self = (outcome){.plan = NULL};
}

const coset_plan *outcome_plan(const outcome *self)
{
    return self->whole != NULL ? self->whole : self->plan;
}

/* ---- one turn after the other ------------------------------------------------------------------- */

/* The last turn's plan: what follows it goes there. */
static coset_plan **end_of(coset_plan **plan)
{
    while (*plan != NULL) plan = &(*plan)->next;
    return plan;
}

/* Adds a turn and takes plans and graph of its trial over. No subject may hold the graph of the turn before. */
static coset_status add_turn(coset_ctx *ctx, outcome *self, turn_result *result)
{
    trial *found = &result->found;
    coset_status status = coset_graph_measure(ctx, found->graph, &result->size);
    if (status != COSET_OK) return status;
    result->refits = !self->masked;
    self->masked = self->masked || found->plan->n_masks > 0;
    *end_of(&self->plan) = found->plan;
    plan_free(ctx, self->whole);
    self->whole = found->whole;
    coset_graph_free(ctx, self->graph);
    self->graph = found->graph;
    coset_graph_free(ctx, self->unfitted);
    self->unfitted = found->unfitted;
    self->ridge = found->ridge;
    found->plan = found->whole = NULL;
    found->graph = found->unfitted = NULL;
    self->turns[self->n++] = *result;
    return COSET_OK;
}

/* Runs of a chain. The first turn always works on the original: what it finds out serves all of them. */
typedef struct runner {
    job *job;
    turn first;
} runner;

static coset_status run_turn(runner *self, coset_rule rule, turn_result result, outcome *so_far)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->job->ctx;
    turn later = {.job = NULL};
    turn *now = so_far->n == 0 ? &self->first : &later;
    if (now == &later)
        TRY(turn_open(self->job, result.step, so_far->graph, outcome_plan(so_far), so_far->masked,
                      now));
    else if (now->job == NULL)
        TRY(turn_open(self->job, result.step, NULL, NULL, false, now));
    TRY(turn_follow(now, rule, result.value, &result.found));
    turn_close(&later);
    TRY(add_turn(ctx, so_far, &result));
done:
    turn_close(&later);
    trial_free(ctx, &result.found);
    return status;
}

/* values [n] of the rule, as chain_value takes them. */
static coset_status run(runner *self, coset_rule rule, const double *values, int64_t n,
                        outcome *out)
{
    coset_status status = COSET_OK;
    job *base = self->job;
    const chain *asked = &base->chain;
    *out = (outcome){.reached = true};
    TRY(ctx_alloc(base->ctx, PLAN_STEPS, sizeof *out->turns, &out->turns));
    for (int64_t s = 0; s < asked->n; s++) {
        const step *of = &asked->steps[s];
        for (int round = 1; round <= of->rounds; round++) {
            double value = chain_value(asked, rule, values, n, s, round);
            TRY(run_turn(self, rule, (turn_result){.step = of, .round = round, .value = value},
                         out));
        }
        bool counts = n > 1 || s + 1 == asked->n;
        if (counts && !out->turns[out->n - 1].found.reached) out->reached = false;
    }
done:
    return status;
}

/* Refits the result once more, with the ridge that was best, on the held-out rows as well: they have decided all that
 * they had to. Only where there were too few rows to calibrate with as many as the options allow. */
static coset_status refit_on_all(const job *base, outcome *best)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = base->ctx;
    const data_view *held = &base->held;
    recovery_targets *targets = NULL;
    coset_graph *refitted = NULL;
    double start = report_clock();
    int64_t rows = base->calib.samples + held->samples;
    if (best->unfitted == NULL || held->index == base->calib.index ||
        rows > base->options->calib_samples)
        return COSET_OK;
    data_view all = base->calib;
    all.samples = rows; /* the held-out rows follow in the order of draws */
    batch_source source = data_source(&all);
    TRY(recovery_targets_new(ctx, base->graph, base->original.groups, &source, &all.sample,
                             &targets));
    TRY(reconstruct(ctx, outcome_plan(best), targets, best->unfitted, best->ridge, &refitted));
    coset_graph_free(ctx, best->graph);
    best->graph = refitted;
    trial *last = &best->turns[best->n - 1].found;
    trial_add_stage(last, "all rows", (double)NAN, start);
done:
    recovery_targets_free(ctx, targets);
    return status;
}

/* ---- rules -------------------------------------------------------------------------------------- */

/* How far the metric falls on held-out rows: with labels that of the metric, else rel_l2. */
static coset_status measure_drop(const job *base, const outcome *at, double *drop_out)
{
    evaluation found;
    coset_status status = evaluate_view(base->ctx, at->graph, base->graph, &base->held, &found);
    if (status != COSET_OK) return status;
    *drop_out = found.metric != NULL ? found.against_value - found.value : found.rel_l2;
    return COSET_OK;
}

/* The smallest share of parameters whose drop stays within the limit, by bisection. */
static coset_status run_max_drop(runner *self, double limit, outcome *best)
{
    coset_status status = COSET_OK;
    const job *base = self->job;
    outcome other = {.plan = NULL};
    double low = 0, high = 1;
    const double all = 1;
    if (base->data == NULL)
        FAIL(base->ctx, COSET_EARGUMENT, "--max-drop needs data to measure on (--data)");
    for (int i = 0; i < DROP_TRIALS; i++) {
        double share = i == 0 ? 1 : (low + high) / 2, drop = 0;
        ctx_progress(base->ctx, "bisecting size", i, DROP_TRIALS);
        TRY(run(self, COSET_RULE_PARAMS, &share, 1, &other));
        TRY(measure_drop(base, &other, &drop));
        if (other.reached && drop <= limit) {
            outcome swap = *best;
            *best = other;
            other = swap;
            high = share;
        } else if (i > 0) {
            low = share;
        }
        outcome_free(base->ctx, &other);
        if (high - low < 0.002) break;
    }
    if (best->graph != NULL) goto done;
    TRY(run(self, COSET_RULE_PARAMS, &all, 1, best));
    best->reached = false;
done:
    outcome_free(base->ctx, &other);
    return status;
}

coset_status outcome_find(job *base, outcome *best)
{
    coset_status status = COSET_OK;
    const coset_compress_options *options = base->options;
    const double *values = options->n_values > 0 ? options->values : &options->value;
    runner self = {.job = base};
    *best = (outcome){.plan = NULL};
    if (options->rule == COSET_RULE_MAX_DROP)
        TRY(run_max_drop(&self, values[0], best));
    else
        TRY(run(&self, options->rule, values, options->n_values > 1 ? options->n_values : 1, best));
    TRY(refit_on_all(base, best));
done:
    turn_close(&self.first);
    return status;
}

/* ---- plans that were given ----------------------------------------------------------------------- */

static coset_status apply_one(job *base, coset_plan *plan, outcome *self)
{
    coset_status status = COSET_OK;
    turn now = {.job = NULL};
    turn_result result = {.round = 1, .found = {.plan = plan, .reached = true}};
    TRY(turn_open(base, NULL, self->graph, self->n > 0 ? outcome_plan(self) : NULL, self->masked,
                  &now));
    TRY(turn_carry_out(&now, &result.found));
    turn_close(&now);
    TRY(add_turn(base->ctx, self, &result));
done:
    turn_close(&now);
    trial_free(base->ctx, &result.found);
    return status;
}

coset_status outcome_apply(job *base, coset_plan *plan, outcome *self)
{
    coset_status status = COSET_OK;
    *self = (outcome){.reached = true};
    TRY(ctx_alloc(base->ctx, PLAN_STEPS, sizeof *self->turns, &self->turns));
    while (plan != NULL) {
        coset_plan *one = plan;
        plan = one->next;
        one->next = NULL;
        TRY(apply_one(base, one, self));
    }
    TRY(refit_on_all(base, self));
done:
    plan_free(base->ctx, plan);
    return status;
}
