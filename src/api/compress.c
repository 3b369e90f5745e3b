/* coset_compress: a job, its outcome, and the report on both. */
#include <math.h>

#include "api/branches.h"
#include "api/eval.h"
#include "api/job.h"
#include "report/report.h"

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
    TRY(branches_report(ctx, self->graph, root));
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

/* The plan says by which method and rule it came about. */
static coset_status sign_plan(const job *self, coset_plan *plan)
{
    coset_status status = COSET_OK;
    TRY(ctx_strdup(self->ctx, self->method->name, &plan->method));
    TRY(describe_rule(self, &plan->rule));
done:
    return status;
}

static bool any_allowed(const job *self)
{
    for (int64_t g = 0; g < self->groups->n; g++)
        if (self->allowed[g]) return true;
    return false;
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
    TRY(job_prepare(&self));
    if (self.options->plan_in != NULL) {
        best.reached = true;
        TRY(plan_load(ctx, self.options->plan_in, &best.plan));
        TRY(job_carry_out(&self, &best));
    } else {
        TRY(job_follow(&self, &best));
        TRY(sign_plan(&self, best.plan));
    }
    TRY(make_report(&self, &best, start, report_out));
    if (self.options->plan_out != NULL) TRY(plan_save(ctx, best.plan, self.options->plan_out));
    if (small_out != NULL) {
        *small_out = best.graph;
        best.graph = NULL;
    }
    if (!best.reached)
        status =
            ctx_fail(ctx, COSET_ETARGET, "%s: the target could not be reached%s", graph->name,
                     any_allowed(&self)   ? "; the closest model is kept"
                     : self.groups->n > 0 ? ": no unit group may be cut (the report says why)"
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
