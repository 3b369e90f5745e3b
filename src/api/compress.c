/* coset_compress: from a model to a smaller one, stage by stage. */
#include <coset/compress.h>

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "api/eval.h"
#include "base/rng.h"
#include "graph/fold.h"
#include "methods/search.h"
#include "recover/reconstruct.h"
#include "report/report.h"

/* Ridge of the lift, relative to the mean variance of the kept units (as in the selection). */
#define LIFT_RIDGE 1e-3
/* Ridges of the reconstruction, of which the best on held-out rows is taken. */
static const double RECONSTRUCT_RIDGES[] = {1e-3, 1e-2, 1e-1};
enum { N_RIDGES = sizeof RECONSTRUCT_RIDGES / sizeof *RECONSTRUCT_RIDGES };
enum { BUDGET_TRIALS = 6, DROP_TRIALS = 12 };

/* Everything that is known of one job. */
typedef struct job {
    coset_ctx *ctx;
    const coset_graph *graph; /* what is cut: the original, or it with computed weights folded */
    coset_graph *folded;      /* the latter; NULL: there was nothing to fold */
    const coset_data *data;
    const coset_compress_options *options;
    const coset_method *method;
    method_call *calls; /* [n_variants] */
    search **paths;     /* [n_variants] */
    int n_variants;
    graph_facts *facts;
    graph_groups *groups;
    cost_model *cost;
    calibration *stats;
    bool *allowed, *allowed_weights;
    char **refused; /* [groups] why a cuttable group may not be cut; NULL */
    bool lift, reconstruct;
    int64_t *order; /* training rows: calibration first, then held out */
    data_view calib, held;
    batch_source source;
    coset_graph_size before;
} job;

/* One trial: a plan carried out. */
typedef struct outcome {
    coset_plan *plan;
    coset_graph *graph;
    bool reached;
    int variant;
    double rel_l2; /* on held-out rows after recovery; NaN without data */
    struct {
        const char *name;
        double rel_l2, seconds;
    } stages[8];
    int n_stages;
} outcome;

static void outcome_free(coset_ctx *ctx, outcome *self)
{
    plan_free(ctx, self->plan);
    coset_graph_free(ctx, self->graph);
    *self = (outcome){0};
}

static void job_free(job *self)
{
    coset_ctx *ctx = self->ctx;
    for (int v = 0; self->paths != NULL && v < self->n_variants; v++)
        search_free(ctx, self->paths[v]);
    ctx_free(ctx, self->paths);
    ctx_free(ctx, self->calls);
    calibration_free(ctx, self->stats);
    cost_model_free(ctx, self->cost);
    for (int64_t g = 0; self->refused != NULL && g < self->groups->n; g++)
        ctx_free(ctx, self->refused[g]);
    ctx_free(ctx, self->refused);
    ctx_free(ctx, self->allowed);
    ctx_free(ctx, self->allowed_weights);
    groups_free(ctx, self->groups);
    graph_facts_free(ctx, self->facts);
    ctx_free(ctx, self->order);
    coset_graph_free(ctx, self->folded);
}

/* ---- options ------------------------------------------------------------------------------------ */

static coset_status check_options(coset_ctx *ctx, const coset_compress_options *options)
{
    double value = options->value;
    if (options->calib_samples < 1)
        return ctx_fail(ctx, COSET_EARGUMENT, "--calib-samples must be at least 1");
    if (options->round_to < 0)
        return ctx_fail(ctx, COSET_EARGUMENT, "--round-to must be at least 1");
    if (options->plan_in != NULL) return COSET_OK;
    if (options->rule == COSET_RULE_EPS && !(value >= 0 && isfinite(value)))
        return ctx_fail(ctx, COSET_EARGUMENT, "--eps must be a number >= 0, not %g", value);
    if (options->rule == COSET_RULE_MAX_DROP && !(value >= 0 && value < 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "--max-drop must lie in [0, 1), not %g", value);
    bool share = options->rule == COSET_RULE_RATIO || options->rule == COSET_RULE_PARAMS ||
                 options->rule == COSET_RULE_MACS;
    if (share && !(value > 0 && value <= 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "the share to keep must lie in (0, 1], not %g",
                        value);
    return COSET_OK;
}

static coset_status read_recover(job *self)
{
    const char *text = self->options->recover;
    self->lift = self->reconstruct = self->data != NULL && text == NULL;
    if (text == NULL || strcmp(text, "none") == 0) return COSET_OK;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        if (length == 4 && strncmp(text, "lift", 4) == 0)
            self->lift = true;
        else if (length == 11 && strncmp(text, "reconstruct", 11) == 0)
            self->reconstruct = true;
        else
            return ctx_fail(self->ctx, COSET_EARGUMENT,
                            "--recover takes none, lift or reconstruct (a comma list), not '%.*s'",
                            (int)length, text);
        text += length;
        if (*text == ',') text++;
    }
    if (self->data == NULL && (self->lift || self->reconstruct))
        return ctx_fail(self->ctx, COSET_EARGUMENT, "--recover %s needs calibration data (--data)",
                        self->options->recover);
    return COSET_OK;
}

static coset_status compile(coset_ctx *ctx, const char *flag, const char *pattern, regex_t *out)
{
    char reason[128];
    int code = regcomp(out, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == 0) return COSET_OK;
    regerror(code, out, reason, sizeof reason);
    return ctx_fail(ctx, COSET_EARGUMENT, "--%s '%s': %s", flag, pattern, reason);
}

/* True if a producing node of the group matches. */
static bool matches(const job *self, const unit_group *group, const regex_t *pattern)
{
    for (int32_t s = 0; s < group->n_slots; s++) {
        if (group->slots[s].role != SLOT_PRODUCER) continue;
        int32_t node = self->groups->slots[group->slots[s].slot].node;
        if (regexec(pattern, self->graph->nodes[node].name, 0, NULL, 0) == 0) return true;
    }
    return false;
}

/* Which groups and weights --only and --ignore leave. */
static coset_status read_filters(job *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    regex_t only, ignore;
    bool has_only = false, has_ignore = false;
    TRY(ctx_alloc(ctx, self->groups->n, sizeof *self->allowed, &self->allowed));
    TRY(ctx_alloc(ctx, self->groups->n, sizeof *self->refused, &self->refused));
    TRY(ctx_alloc(ctx, self->groups->n_contractions, 1, &self->allowed_weights));
    if (self->options->only != NULL) {
        TRY(compile(ctx, "only", self->options->only, &only));
        has_only = true;
    }
    if (self->options->ignore != NULL) {
        TRY(compile(ctx, "ignore", self->options->ignore, &ignore));
        has_ignore = true;
    }
    for (int64_t g = 0; g < self->groups->n; g++) {
        const unit_group *group = &self->groups->groups[g];
        if (group->frozen != NULL) continue;
        if (has_only && !matches(self, group, &only))
            TRY(ctx_strdup(ctx, "no producer matches --only", &self->refused[g]));
        else if (has_ignore && matches(self, group, &ignore))
            TRY(ctx_strdup(ctx, "a producer matches --ignore", &self->refused[g]));
        self->allowed[g] = self->refused[g] == NULL;
    }
    for (int64_t c = 0; c < self->groups->n_contractions; c++) {
        const char *name = self->graph->nodes[self->groups->contractions[c].node].name;
        self->allowed_weights[c] = !(has_only && regexec(&only, name, 0, NULL, 0) != 0) &&
                                   !(has_ignore && regexec(&ignore, name, 0, NULL, 0) == 0);
    }
done:
    if (has_only) regfree(&only);
    if (has_ignore) regfree(&ignore);
    return status;
}

/* ---- data --------------------------------------------------------------------------------------- */

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* Calibration and held-out rows: disjoint, drawn with the context's seed from the training part. Where
 * there are too few rows for both, every fourth is held out. */
static coset_status draw_rows(job *self)
{
    coset_status status = COSET_OK;
    const data_part *train = &self->data->train;
    rng draw = rng_seed(self->ctx->seed, 0);
    int64_t n = train->rows, calib = self->options->calib_samples;
    if (n < 1)
        FAIL(self->ctx, COSET_EARGUMENT, "%s: there are no training rows to calibrate with",
             self->data->name);
    TRY(ctx_alloc(self->ctx, n, sizeof *self->order, &self->order));
    rng_permutation(&draw, n, self->order);
    int64_t held = calib / 2 > 1 ? calib / 2 : 1;
    if (calib + held > n) {
        held = n / 4;
        calib = n - held;
    }
    qsort(self->order, (size_t)calib, sizeof *self->order, ascending);
    qsort(self->order + calib, (size_t)held, sizeof *self->order, ascending);
    self->calib = (data_view){self->data, train, self->order, calib};
    self->held = held > 0 ? (data_view){self->data, train, self->order + calib, held} : self->calib;
    self->source = data_source(&self->calib);
done:
    return status;
}

static coset_status collect_stats(job *self)
{
    if (self->data == NULL) {
        if (self->method != NULL && self->method->needs_data)
            return ctx_fail(self->ctx, COSET_EARGUMENT, "method %s needs data (--data)",
                            self->method->name);
        return COSET_OK;
    }
    coset_status status = draw_rows(self);
    if (status != COSET_OK) return status;
    /* Methods that look at weights alone need no statistics unless something is lifted. */
    status = calibration_collect(self->ctx, self->graph, self->groups, &self->source,
                                 &self->data->sample, &self->stats);
    if (status != COSET_EARGUMENT) return status;
    return ctx_fail_in(self->ctx, status, "%s with data %s", self->graph->name, self->data->name);
}

/* ---- one trial ---------------------------------------------------------------------------------- */

static coset_status add_stage(job *self, outcome *at, const coset_graph *graph, const char *name,
                              double start, double *rel_l2_out)
{
    evaluation found = {.rel_l2 = (double)NAN};
    if (self->data != NULL) {
        coset_status status = evaluate_view(self->ctx, graph, self->graph, &self->held, &found);
        if (status != COSET_OK) return status;
    }
    at->stages[at->n_stages].name = name;
    at->stages[at->n_stages].rel_l2 = found.rel_l2;
    at->stages[at->n_stages++].seconds = report_clock() - start;
    *rel_l2_out = found.rel_l2;
    return COSET_OK;
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
    TRY(add_stage(self, at, lifted, "lift", start, &found));
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

static coset_status held_out_error(job *self, const coset_graph *graph, double *rel_l2_out)
{
    evaluation found;
    coset_status status = evaluate_view(self->ctx, graph, self->graph, &self->held, &found);
    *rel_l2_out = found.rel_l2;
    return status;
}

static coset_status try_reconstruct(job *self, outcome *at, double *rel_l2)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    coset_graph *refitted = NULL, *best = NULL;
    double found = 0, least = (double)INFINITY, start = report_clock();
    for (int r = 0; r < N_RIDGES; r++) {
        TRY(graph_clone(ctx, at->graph, &refitted));
        TRY(graph_check(ctx, refitted));
        TRY(reconstruct(ctx, self->graph, self->groups, at->plan, &self->source,
                        &self->data->sample, RECONSTRUCT_RIDGES[r], &refitted));
        TRY(held_out_error(self, refitted, &found));
        if (found < least) {
            least = found;
            coset_graph_free(ctx, best);
            best = refitted;
            refitted = NULL;
        }
        coset_graph_free(ctx, refitted);
        refitted = NULL;
    }
    if (best == NULL) goto done;
    TRY(add_stage(self, at, best, "reconstruct", start, &found));
    if (found < *rel_l2) {
        coset_graph_free(ctx, at->graph);
        at->graph = best;
        best = NULL;
        *rel_l2 = found;
    }
done:
    coset_graph_free(ctx, refitted);
    coset_graph_free(ctx, best);
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
static coset_status carry_out(job *self, outcome *at)
{
    coset_status status = COSET_OK;
    double rel_l2 = 0, start = report_clock();
    at->n_stages = 0;
    TRY(plan_apply(self->ctx, self->graph, self->facts, self->groups, at->plan, &at->graph));
    TRY(add_stage(self, at, at->graph, "cut", start, &rel_l2));
    if (self->lift && plan_cuts(at->plan) && self->options->plan_in == NULL)
        TRY(try_lift(self, at, &rel_l2));
    if (self->reconstruct && plan_cuts(at->plan)) TRY(try_reconstruct(self, at, &rel_l2));
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
        TRY(carry_out(self, at));
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

/* ---- report ------------------------------------------------------------------------------------- */

static coset_status describe_rule(const job *self, char **text_out)
{
    static const char *const names[] = {"eps", "ratio", "params", "macs", "max-drop"};
    const coset_compress_options *options = self->options;
    if (options->plan_in != NULL)
        return ctx_format(self->ctx, text_out, "plan %s", options->plan_in);
    if (options->rule == COSET_RULE_EPS)
        return ctx_format(self->ctx, text_out, "eps = %g", options->value);
    return ctx_format(self->ctx, text_out, "%s %s %g%%", names[options->rule],
                      options->rule == COSET_RULE_RATIO ? "=" : "<=", 100 * options->value);
}

static coset_status report_groups(job *self, coset_report *report, const coset_plan *plan)
{
    coset_status status = COSET_OK;
    report_node *groups = NULL, *skipped = NULL, *entry = NULL;
    TRY(report_list(self->ctx, report_root(report), "groups", &groups));
    TRY(report_list(self->ctx, report_root(report), "skipped", &skipped));
    for (int64_t g = 0; g < plan->n_groups; g++) {
        const plan_group *at = &plan->groups[g];
        if (at->skipped != NULL) {
            TRY(report_add_object(self->ctx, skipped, &entry));
            TRY(report_text(self->ctx, entry, "name", at->name));
            TRY(report_text(self->ctx, entry, "reason", at->skipped));
            continue;
        }
        TRY(report_add_object(self->ctx, groups, &entry));
        TRY(report_text(self->ctx, entry, "name", at->name));
        TRY(report_count(self->ctx, entry, "units", at->units));
        TRY(report_count(self->ctx, entry, "kept", at->map != NULL ? at->map->k : at->units));
        TRY(report_text(self->ctx, entry, "method", at->method));
        TRY(report_real(self->ctx, entry, "height", at->height));
        TRY(report_real(self->ctx, entry, "error", at->error));
    }
done:
    return status;
}

static coset_status report_quality(job *self, coset_report *report, const coset_graph *small)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    report_node *root = report_root(report), *entry = NULL;
    evaluation found;
    if (self->data == NULL) {
        TRY(report_null(ctx, root, "metric"));
        TRY(report_null(ctx, root, "deviation"));
        goto done;
    }
    TRY(evaluate(ctx, small, self->graph, self->data, evaluation_part(self->data), &found));
    if (found.metric != NULL) {
        TRY(report_object(ctx, root, "metric", &entry));
        TRY(report_text(ctx, entry, "name", found.metric));
        TRY(report_real(ctx, entry, "original", found.against_value));
        TRY(report_real(ctx, entry, "compressed", found.value));
    } else {
        TRY(report_null(ctx, root, "metric"));
    }
    TRY(report_count(ctx, root, "samples", found.samples));
    TRY(report_object(ctx, root, "deviation", &entry));
    TRY(report_real(ctx, entry, "rel_l2", found.rel_l2));
    TRY(report_real(ctx, entry, "max_abs", found.max_abs));
    TRY(report_real(ctx, entry, "agreement", found.agreement));
done:
    return status;
}

static coset_status make_report(job *self, const outcome *at, double start,
                                coset_report **report_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    coset_report *report = NULL;
    report_node *stages = NULL, *entry = NULL;
    coset_graph_size after;
    char *rule = NULL;
    TRY(report_new(ctx, REPORT_COMPRESS, &report));
    report_node *root = report_root(report);
    TRY(report_input(ctx, report, self->graph->name, self->graph->digest));
    if (self->data != NULL) TRY(report_input(ctx, report, self->data->name, self->data->digest));
    TRY(describe_rule(self, &rule));
    TRY(report_text(ctx, root, "model", self->graph->name));
    TRY(report_text(ctx, root, "method", self->method ? self->method->name : at->plan->method));
    TRY(report_text(ctx, root, "rule", rule));
    TRY(report_size(ctx, root, "original", &self->before));
    TRY(coset_graph_measure(ctx, at->graph, &after));
    TRY(report_size(ctx, root, "compressed", &after));
    TRY(report_quality(self, report, at->graph));
    TRY(report_groups(self, report, at->plan));
    if (self->n_variants > 1)
        TRY(report_text(ctx, root, "variant", self->method->variants[at->variant]));
    TRY(report_list(ctx, root, "stages", &stages));
    for (int s = 0; s < at->n_stages; s++) {
        TRY(report_add_object(ctx, stages, &entry));
        TRY(report_text(ctx, entry, "name", at->stages[s].name));
        TRY(report_real(ctx, entry, "rel_l2", at->stages[s].rel_l2));
        TRY(report_real(ctx, entry, "seconds", at->stages[s].seconds));
    }
    TRY(report_finish(ctx, report, start));
    *report_out = report;
    report = NULL;
done:
    ctx_free(ctx, rule);
    coset_report_free(ctx, report);
    return status;
}

/* ---- the verb ------------------------------------------------------------------------------------ */

static coset_status prepare(job *self)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    TRY(check_options(ctx, self->options));
    if (self->options->plan_in == NULL) {
        TRY(method_require(ctx, self->options->method, &self->method));
        self->n_variants =
            self->data != NULL && self->method->n_variants > 1 ? self->method->n_variants : 1;
        TRY(ctx_alloc(ctx, self->n_variants, sizeof *self->calls, &self->calls));
        TRY(ctx_alloc(ctx, self->n_variants, sizeof *self->paths, &self->paths));
        for (int v = 0; v < self->n_variants; v++) {
            self->calls[v] = (method_call){.ctx = ctx, .variant = v};
            TRY(method_configure(self->method, &self->calls[v], self->options->settings,
                                 self->options->n_settings));
        }
    }
    TRY(read_recover(self));
    TRY(coset_graph_measure(ctx, self->graph, &self->before));
    TRY(graph_fold(ctx, self->graph, &self->folded));
    if (self->folded != NULL) self->graph = self->folded;
    TRY(graph_infer(ctx, self->graph, NULL, &self->facts));
    TRY(groups_find(ctx, self->graph, self->facts, &self->groups));
    TRY(cost_model_new(ctx, self->graph, self->facts, self->groups, &self->cost));
    TRY(read_filters(self));
    TRY(collect_stats(self));
    for (int v = 0; v < self->n_variants; v++) {
        self->calls[v].graph = self->graph;
        self->calls[v].groups = self->groups;
        self->calls[v].stats = self->stats;
    }
done:
    return status;
}

static coset_status find_plan(job *self, outcome *at)
{
    coset_status status = COSET_OK;
    const coset_compress_options *options = self->options;
    char *rule = NULL;
    for (int v = 0; v < self->n_variants; v++) {
        search_request request = {.method = self->method,
                                  .call = &self->calls[v],
                                  .cost = self->cost,
                                  .round_to = options->round_to,
                                  .allowed = self->allowed,
                                  .allowed_weights = self->allowed_weights};
        TRY(search_new(&request, &self->paths[v]));
    }
    if (options->rule == COSET_RULE_MAX_DROP)
        TRY(follow_max_drop(self, options->value, at));
    else
        TRY(follow_rule(self, options->rule, options->value, at));
    TRY(describe_rule(self, &rule));
    TRY(ctx_strdup(self->ctx, self->method->name, &at->plan->method));
    at->plan->rule = rule;
    rule = NULL;
done:
    ctx_free(self->ctx, rule);
    return status;
}

coset_status coset_compress(coset_ctx *ctx, const coset_graph *graph, const coset_data *data,
                            const coset_compress_options *options, coset_graph **small_out,
                            coset_report **report_out)
{
    static const coset_compress_options defaults = COSET_COMPRESS_OPTIONS_INIT;
    coset_status status = COSET_OK;
    job self = {.ctx = ctx, .graph = graph, .data = data};
    outcome best = {0};
    double start = report_clock();
    self.options = options != NULL ? options : &defaults;
    if (small_out != NULL) *small_out = NULL;
    *report_out = NULL;
    TRY(prepare(&self));
    if (self.options->plan_in != NULL) {
        best.reached = true;
        TRY(plan_load(ctx, self.options->plan_in, &best.plan));
        TRY(carry_out(&self, &best));
    } else {
        TRY(find_plan(&self, &best));
    }
    TRY(make_report(&self, &best, start, report_out));
    if (self.options->plan_out != NULL) TRY(plan_save(ctx, best.plan, self.options->plan_out));
    if (small_out != NULL) {
        *small_out = best.graph;
        best.graph = NULL;
    }
    if (!best.reached)
        status = ctx_fail(ctx, COSET_ETARGET,
                          "the target could not be reached; the closest model is kept");
done:
    if (status != COSET_OK && status != COSET_ETARGET) {
        coset_report_free(ctx, *report_out);
        *report_out = NULL;
        if (small_out != NULL && *small_out != NULL) {
            coset_graph_free(ctx, *small_out);
            *small_out = NULL;
        }
    }
    outcome_free(ctx, &best);
    job_free(&self);
    return status;
}
