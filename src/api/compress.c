/* coset_compress: a job, its outcome, and the report on both. */
#include <math.h>

#include "api/branches.h"
#include "api/eval.h"
#include "api/outcome.h"
#include "report/report.h"

/* ---- what was asked for ------------------------------------------------------------------------- */

static const char *const rule_names[] = {"eps", "ratio", "params", "macs", "max-drop"};

/* "params <= 50%, 25%". */
static coset_status describe_rule(coset_ctx *ctx, coset_rule rule, const double *values, int64_t n,
                                  char **text_out)
{
    coset_status status = COSET_OK;
    bool share = rule != COSET_RULE_EPS, most = share && rule != COSET_RULE_RATIO;
    char *text = NULL, *longer = NULL;
    *text_out = NULL;
    TRY(ctx_format(ctx, &text, "%s %s", rule_names[rule], most ? "<=" : "="));
    for (int64_t i = 0; i < n; i++) {
        TRY(ctx_format(ctx, &longer, "%s%s %g%s", text, i > 0 ? "," : "",
                       share ? 100 * values[i] : values[i], share ? "%" : ""));
        ctx_free(ctx, text);
        text = longer;
        longer = NULL;
    }
    *text_out = text;
    text = NULL;
done:
    ctx_free(ctx, text);
    return status;
}

static coset_status describe_all(const job *self, char **text_out)
{
    const coset_compress_options *options = self->options;
    if (options->plan_in != NULL)
        return ctx_format(self->ctx, text_out, "plan %s", options->plan_in);
    return describe_rule(self->ctx, options->rule,
                         options->n_values > 0 ? options->values : &options->value,
                         options->n_values > 0 ? options->n_values : 1, text_out);
}

/* Every plan says by which method and rule it came about. */
static coset_status sign_plans(const job *self, outcome *at)
{
    coset_status status = COSET_OK;
    coset_rule rule = self->options->rule;
    coset_plan *plan = at->plan;
    if (rule == COSET_RULE_MAX_DROP && at->n > 1) rule = COSET_RULE_PARAMS; /* that it came to */
    for (int64_t t = 0; t < at->n; t++, plan = plan->next) {
        const turn_result *one = &at->turns[t];
        TRY(ctx_strdup(self->ctx, one->step->method->name, &plan->method));
        if (at->n == 1)
            TRY(describe_all(self, &plan->rule));
        else
            TRY(describe_rule(self->ctx, rule, &one->value, 1, &plan->rule));
    }
done:
    return status;
}

/* "a+b": the methods of a plan that was given. */
static coset_status methods_of(coset_ctx *ctx, const coset_plan *plan, char **name_out)
{
    coset_status status = COSET_OK;
    char *name = NULL, *longer = NULL;
    *name_out = NULL;
    for (; plan != NULL; plan = plan->next) {
        const char *one = plan->method != NULL ? plan->method : "?";
        TRY(ctx_format(ctx, &longer, "%s%s%s", name != NULL ? name : "", name != NULL ? "+" : "",
                       one));
        ctx_free(ctx, name);
        name = longer;
        longer = NULL;
    }
    *name_out = name;
    name = NULL;
done:
    ctx_free(ctx, name);
    return status;
}

/* ---- the report --------------------------------------------------------------------------------- */

static coset_status report_groups(coset_ctx *ctx, report_node *at, const coset_plan *plan)
{
    coset_status status = COSET_OK;
    report_node *groups = NULL, *skipped = NULL, *entry = NULL;
    TRY(report_list(ctx, at, "groups", &groups));
    TRY(report_list(ctx, at, "skipped", &skipped));
    for (int64_t g = 0; g < plan->n_groups; g++) {
        const plan_group *of = &plan->groups[g];
        if (of->skipped != NULL) {
            TRY(report_add_object(ctx, skipped, &entry));
            TRY(report_text(ctx, entry, "name", of->name));
            TRY(report_text(ctx, entry, "reason", of->skipped));
            continue;
        }
        TRY(report_add_object(ctx, groups, &entry));
        TRY(report_text(ctx, entry, "name", of->name));
        TRY(report_count(ctx, entry, "units", of->units));
        TRY(report_count(ctx, entry, "kept", of->map != NULL ? of->map->k : of->units));
        TRY(report_text(ctx, entry, "method", of->method));
        TRY(report_real(ctx, entry, "height", of->height));
        TRY(report_real(ctx, entry, "error", of->error));
    }
done:
    return status;
}

/* Adds the stages of one turn to the list "stages" of an object.
 *   method  that they belong to; NULL: there is just one */
static coset_status report_stages(coset_ctx *ctx, report_node *at, const trial *found,
                                  const char *method)
{
    coset_status status = COSET_OK;
    report_node *stages = NULL, *entry = NULL;
    TRY(report_list(ctx, at, "stages", &stages));
    for (int s = 0; s < found->n_stages; s++) {
        TRY(report_add_object(ctx, stages, &entry));
        if (method != NULL) TRY(report_text(ctx, entry, "method", method));
        TRY(report_text(ctx, entry, "name", found->stages[s].name));
        TRY(report_real(ctx, entry, "rel_l2", found->stages[s].rel_l2));
        TRY(report_real(ctx, entry, "seconds", found->stages[s].seconds));
    }
done:
    return status;
}

static coset_status report_variant(coset_ctx *ctx, report_node *at, const turn_result *one)
{
    if (one->step == NULL || one->step->n_variants < 2) return COSET_OK;
    return report_text(ctx, at, "variant", one->step->method->variants[one->found.variant]);
}

/* One turn of a method: what it worked on, how far it went, and what that cost so far. */
static coset_status report_turn(const job *self, report_node *methods, const turn_result *one,
                                const coset_plan *plan)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    report_node *entry = NULL;
    TRY(report_add_object(ctx, methods, &entry));
    TRY(report_text(ctx, entry, "method", plan->method));
    if (one->step != NULL && one->step->rounds > 1) {
        TRY(report_count(ctx, entry, "round", one->round));
        TRY(report_count(ctx, entry, "rounds", one->step->rounds));
    }
    TRY(report_text(ctx, entry, "rule", plan->rule));
    TRY(report_flag(ctx, entry, "reached", one->found.reached));
    TRY(report_variant(ctx, entry, one));
    TRY(report_size(ctx, entry, "size", &one->size));
    TRY(report_real(ctx, entry, "rel_l2", one->found.rel_l2));
    TRY(report_groups(ctx, entry, plan));
    TRY(report_stages(ctx, entry, &one->found, NULL));
    if (!one->refits && (self->lift || self->reconstruct))
        TRY(report_text(ctx, entry, "note",
                        "weights that a method before set to zero stay zero: no lift, no "
                        "reconstruction"));
done:
    return status;
}

static coset_status report_turns(const job *self, report_node *root, const outcome *at)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    const coset_plan *plan = at->plan;
    report_node *methods = NULL;
    if (at->n == 1) {
        TRY(report_variant(ctx, root, &at->turns[0]));
        TRY(report_stages(ctx, root, &at->turns[0].found, NULL));
        goto done;
    }
    TRY(report_list(ctx, root, "methods", &methods));
    for (int64_t t = 0; t < at->n; t++, plan = plan->next) {
        TRY(report_turn(self, methods, &at->turns[t], plan));
        TRY(report_stages(ctx, root, &at->turns[t].found, plan->method));
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
    evaluation_warn(ctx, self->graph->name, self->data, &found, found.against_value);
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
    coset_graph_size after;
    char *rule = NULL, *method = NULL;
    TRY(report_new(ctx, REPORT_COMPRESS, &report));
    report_node *root = report_root(report);
    TRY(report_input(ctx, report, self->graph->name, self->graph->digest));
    if (self->data != NULL) TRY(report_input(ctx, report, self->data->name, self->data->digest));
    TRY(describe_all(self, &rule));
    if (self->chain.n > 0)
        TRY(chain_name(ctx, &self->chain, &method));
    else
        TRY(methods_of(ctx, at->plan, &method));
    TRY(report_text(ctx, root, "model", self->graph->name));
    TRY(report_text(ctx, root, "method", method));
    TRY(report_text(ctx, root, "rule", rule));
    if (self->drawn_shapes != NULL) TRY(report_text(ctx, root, "calib", "random"));
    TRY(report_size(ctx, root, "original", &self->before));
    TRY(coset_graph_measure(ctx, at->graph, &after));
    TRY(report_size(ctx, root, "compressed", &after));
    TRY(report_quality(self, report, at->graph));
    TRY(report_groups(ctx, root, outcome_plan(at)));
    TRY(branches_report(ctx, self->graph, root));
    TRY(report_turns(self, root, at));
    TRY(report_finish(ctx, report, start));
    *report_out = report;
    report = NULL;
done:
    ctx_free(ctx, rule);
    ctx_free(ctx, method);
    coset_report_free(ctx, report);
    return status;
}

/* ---- the job ------------------------------------------------------------------------------------ */

static bool any_allowed(const subject *on)
{
    for (int64_t g = 0; g < on->groups->n; g++)
        if (on->allowed[g]) return true;
    return false;
}

coset_status coset_compress(coset_ctx *ctx, const coset_graph *graph, const coset_data *data,
                            const coset_compress_options *options, coset_graph **small_out,
                            coset_report **report_out)
{
    static const coset_compress_options defaults = COSET_COMPRESS_OPTIONS_INIT;
    coset_status status = COSET_OK;
    job self = {.ctx = ctx, .graph = graph, .data = data};
    outcome best = {.plan = NULL};
    double start = report_clock();
    self.options = options != NULL ? options : &defaults;
    if (small_out != NULL) *small_out = NULL;
    *report_out = NULL;
    TRY(job_prepare(&self));
    if (self.options->plan_in != NULL) {
        coset_plan *plan = NULL;
        TRY(plan_load(ctx, self.options->plan_in, &plan));
        TRY(outcome_apply(&self, plan, &best));
    } else {
        TRY(outcome_find(&self, &best));
        TRY(sign_plans(&self, &best));
    }
    TRY(make_report(&self, &best, start, report_out));
    if (self.options->plan_out != NULL) TRY(plan_save(ctx, best.plan, self.options->plan_out));
    if (small_out != NULL) {
        *small_out = best.graph;
        best.graph = NULL;
    }
    if (!best.reached)
        status = ctx_fail(ctx, COSET_ETARGET, "%s: the target could not be reached%s", graph->name,
                          any_allowed(&self.original) ? "; the closest model is kept"
                          : self.original.groups->n > 0
                              ? ": no unit group may be cut (the report says why)"
                              : ": no weights of operators that have a rule for units");
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
