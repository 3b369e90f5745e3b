#include <coset/eval.h>

#include <math.h>
#include <string.h>

#include "api/eval.h"
#include "exec/batch.h"
#include "report/report.h"

/* Everything that one evaluation adds up. */
typedef struct scorer {
    coset_ctx *ctx;
    const coset_graph *graph, *against;
    const data_view *view;
    batch_runner *runner, *other; /* other: NULL without `against` */
    bool classes;                 /* the metric is an accuracy */
    bool numbers;                 /* the metric is r2 */
    bool agrees;                  /* output 0 has something to agree about */
    int64_t width;                /* elements of output 0 per sample */
    double total;                 /* SST */
    double error, other_error;    /* SSE */
    int64_t right, other_right;
    double difference, norm; /* sums of squares over all outputs */
    double max_abs;
    int64_t agreed;
} scorer;

static int64_t row_of(const data_view *view, int64_t sample)
{
    return view->index != NULL ? view->index[sample] : sample;
}

/* What element j of output 0 should be for a sample. */
static double target(const scorer *self, int64_t sample, int64_t j)
{
    const data_part *part = self->view->part;
    int64_t row = row_of(self->view, sample);
    if (part->y != NULL) return (double)part->y[row * self->width + j];
    return (double)part->label[row];
}

static double element(const array *values, int64_t index)
{
    return array_element_size(values->dtype) == 4 ? (double)values->f[index]
                                                  : (double)values->i[index];
}

/* The class that a sample's outputs name: the index of the largest, the first of several, -1 if none
 * is a number; of a single integer its value. */
static int64_t class_of(const array *values, int64_t from, int64_t width)
{
    if (width == 1 && dtype_is_integer(values->dtype)) return values->i[from];
    int64_t best = -1;
    for (int64_t j = 0; j < width; j++) {
        double value = element(values, from + j);
        if (!isnan(value) && (best < 0 || value > element(values, from + best))) best = j;
    }
    return best;
}

/* ---- before the run ---------------------------------------------------------------------------- */

static coset_status make_runner(scorer *self, const coset_graph *graph, batch_runner **runner_out)
{
    const coset_data *data = self->view->data;
    if (graph->n_inputs != 1)
        return ctx_fail(self->ctx, COSET_EUNSUPPORTED,
                        "%s: has %lld inputs, and data is for models of one", graph->name,
                        (long long)graph->n_inputs);
    if (graph->n_outputs < 1)
        return ctx_fail(self->ctx, COSET_EUNSUPPORTED, "%s: has no outputs", graph->name);
    coset_status status =
        batch_runner_new(self->ctx, graph, &self->view->sample, 0, NULL, 0, runner_out);
    if (status != COSET_EARGUMENT) return status;
    return ctx_fail_in(self->ctx, status, "%s with data %s", graph->name, data->name);
}

static coset_status check_outputs(const scorer *self)
{
    const coset_graph *a = self->graph, *b = self->against;
    if (a->n_outputs != b->n_outputs)
        return ctx_fail(self->ctx, COSET_EARGUMENT,
                        "%s has %lld outputs and %s has %lld: they cannot be compared", a->name,
                        (long long)a->n_outputs, b->name, (long long)b->n_outputs);
    for (int64_t k = 0; k < a->n_outputs; k++) {
        int64_t n = batch_sample_elements(self->runner, a->outputs[k]);
        int64_t m = batch_sample_elements(self->other, b->outputs[k]);
        if (n != m)
            return ctx_fail(self->ctx, COSET_EARGUMENT,
                            "output '%s' of %s has %lld elements per sample, that of %s has %lld: "
                            "they cannot be compared",
                            a->values[a->outputs[k]].name, a->name, (long long)n, b->name,
                            (long long)m);
    }
    return COSET_OK;
}

/* Sum of squares of y about each column's mean. */
static coset_status add_total(scorer *self)
{
    double *mean = NULL;
    int64_t samples = self->view->samples;
    coset_status status = ctx_alloc(self->ctx, self->width, sizeof *mean, &mean);
    if (status != COSET_OK) return status;
    for (int64_t s = 0; s < samples; s++)
        for (int64_t j = 0; j < self->width; j++) mean[j] += target(self, s, j);
    for (int64_t j = 0; j < self->width; j++) mean[j] /= (double)samples;
    for (int64_t s = 0; s < samples; s++)
        for (int64_t j = 0; j < self->width; j++) {
            double away = target(self, s, j) - mean[j];
            self->total += away * away;
        }
    ctx_free(self->ctx, mean);
    return COSET_OK;
}

static coset_status check_labels(const scorer *self)
{
    const data_view *view = self->view;
    for (int64_t s = 0; s < view->samples; s++) {
        int64_t label = view->part->label[row_of(view, s)];
        if (label < 0 || label >= self->width)
            return ctx_fail(self->ctx, COSET_EARGUMENT,
                            "%s: has the label %lld, but output '%s' of %s has %lld elements",
                            view->data->name, (long long)label,
                            self->graph->values[self->graph->outputs[0]].name, self->graph->name,
                            (long long)self->width);
    }
    return COSET_OK;
}

/* Decides which metric there is and whether the data's y fits output 0. */
static coset_status choose_metric(scorer *self)
{
    coset_status status = COSET_OK;
    const coset_data *data = self->view->data;
    const data_part *part = self->view->part;
    bool integer = dtype_is_integer(self->graph->values[self->graph->outputs[0]].dtype);
    self->agrees = self->width > 1 || integer;
    if (part->label != NULL && (self->width > 1 || integer)) {
        self->classes = true;
        if (self->width > 1) TRY(check_labels(self));
    } else if (part->label != NULL || part->y != NULL) {
        if (part->y != NULL && data->y_width != self->width)
            FAIL(self->ctx, COSET_EARGUMENT,
                 "%s: has %lld targets per sample, but output '%s' of %s has %lld elements",
                 data->name, (long long)data->y_width,
                 self->graph->values[self->graph->outputs[0]].name, self->graph->name,
                 (long long)self->width);
        TRY(add_total(self));
        self->numbers = self->total > 0;
    }
done:
    return status;
}

/* ---- one batch --------------------------------------------------------------------------------- */

static coset_status add_metric(scorer *self, const coset_graph *graph, const array *values,
                               int64_t first, int64_t count, double *error, int64_t *right)
{
    int64_t width = self->width;
    for (int64_t s = 0; self->classes && s < count; s++)
        *right += class_of(values, s * width, width) ==
                  self->view->part->label[row_of(self->view, first + s)];
    for (int64_t s = 0; self->numbers && s < count; s++)
        for (int64_t j = 0; j < width; j++) {
            double value = element(values, s * width + j);
            if (!isfinite(value))
                return ctx_fail(self->ctx, COSET_ENUMERIC, "%s: output '%s' is %g for sample %lld",
                                graph->name, graph->values[graph->outputs[0]].name, value,
                                (long long)(first + s));
            double miss = value - target(self, first + s, j);
            *error += miss * miss;
        }
    return COSET_OK;
}

static coset_status add_difference(scorer *self, int64_t output, const array *a, const array *b,
                                   int64_t first, int64_t count)
{
    int64_t width = batch_sample_elements(self->runner, self->graph->outputs[output]);
    for (int64_t i = 0; i < count * width; i++) {
        double value = element(a, i), other = element(b, i);
        if (isfinite(value) && isfinite(other)) {
            double away = value - other;
            self->difference += away * away;
            self->norm += other * other;
            if (fabs(away) > self->max_abs) self->max_abs = fabs(away);
        } else if (!(isnan(value) && isnan(other)) && value != other) {
            return ctx_fail(
                self->ctx, COSET_ENUMERIC, "output '%s' is %g in %s and %g in %s for sample %lld",
                self->graph->values[self->graph->outputs[output]].name, value, self->graph->name,
                other, self->against->name, (long long)(first + i / width));
        }
    }
    for (int64_t s = 0; output == 0 && self->agrees && s < count; s++)
        self->agreed += class_of(a, s * width, width) == class_of(b, s * width, width);
    return COSET_OK;
}

static coset_status add_batch(scorer *self, const executor *values, const executor *other,
                              int64_t first, int64_t count)
{
    coset_status status = COSET_OK;
    const coset_graph *a = self->graph, *b = self->against;
    TRY(add_metric(self, a, executor_value(values, a->outputs[0]), first, count, &self->error,
                   &self->right));
    if (other == NULL) goto done;
    TRY(add_metric(self, b, executor_value(other, b->outputs[0]), first, count, &self->other_error,
                   &self->other_right));
    for (int64_t k = 0; k < a->n_outputs; k++)
        TRY(add_difference(self, k, executor_value(values, a->outputs[k]),
                           executor_value(other, b->outputs[k]), first, count));
done:
    return status;
}

static coset_status run_all(scorer *self)
{
    coset_status status = COSET_OK;
    data_view view = *self->view;
    batch_source source = data_source(&view);
    int64_t step = batch_size(self->runner);
    if (self->other != NULL && batch_size(self->other) < step) step = batch_size(self->other);
    for (int64_t first = 0; first < view.samples;) {
        int64_t count = view.samples - first < step ? view.samples - first : step;
        const executor *values = NULL, *other = NULL;
        TRY(batch_step(self->ctx, self->runner, &source, first, count, &values));
        if (self->other != NULL)
            TRY(batch_step(self->ctx, self->other, &source, first, count, &other));
        TRY(add_batch(self, values, other, first, count));
        first += count;
        ctx_progress(self->ctx, "evaluate", first, view.samples);
    }
done:
    return status;
}

/* ---- the result -------------------------------------------------------------------------------- */

static double metric_of(const scorer *self, double error, int64_t right)
{
    if (self->classes) return (double)right / (double)self->view->samples;
    return self->numbers ? 1 - error / self->total : (double)NAN;
}

static double relative(double difference, double norm)
{
    if (norm > 0) return sqrt(difference / norm);
    return difference > 0 ? (double)INFINITY : 0;
}

static evaluation finish(const scorer *self)
{
    evaluation result = {.samples = self->view->samples,
                         .metric = self->classes   ? "accuracy"
                                   : self->numbers ? "r2"
                                                   : NULL,
                         .value = metric_of(self, self->error, self->right),
                         .against_value = (double)NAN,
                         .agreement = (double)NAN,
                         .rel_l2 = (double)NAN,
                         .max_abs = (double)NAN};
    if (self->against == NULL) return result;
    result.compared = true;
    result.against_value = metric_of(self, self->other_error, self->other_right);
    result.rel_l2 = relative(self->difference, self->norm);
    result.max_abs = self->max_abs;
    if (self->agrees) result.agreement = (double)self->agreed / (double)self->view->samples;
    return result;
}

coset_status evaluate_view(coset_ctx *ctx, const coset_graph *graph, const coset_graph *against,
                           const data_view *view, evaluation *out)
{
    coset_status status = COSET_OK;
    scorer self = {.ctx = ctx, .graph = graph, .against = against, .view = view};
    if (view->samples < 1)
        FAIL(ctx, COSET_EARGUMENT, "%s: has no samples to evaluate on", view->data->name);
    TRY(make_runner(&self, graph, &self.runner));
    self.width = batch_sample_elements(self.runner, graph->outputs[0]);
    if (against != NULL) {
        TRY(make_runner(&self, against, &self.other));
        TRY(check_outputs(&self));
    }
    TRY(choose_metric(&self));
    TRY(run_all(&self));
    *out = finish(&self);
done:
    batch_runner_free(ctx, self.runner);
    batch_runner_free(ctx, self.other);
    return status;
}

coset_status evaluate(coset_ctx *ctx, const coset_graph *graph, const coset_graph *against,
                      const coset_data *data, const data_part *part, evaluation *out)
{
    data_view view = data_view_for(data, part, graph, NULL, part->rows);
    return evaluate_view(ctx, graph, against, &view, out);
}

const data_part *evaluation_part(const coset_data *data)
{
    return data->test.rows > 0 ? &data->test : &data->train;
}

void evaluation_warn(coset_ctx *ctx, const char *model, const coset_data *data,
                     const evaluation *result, double value)
{
    const data_part *part = evaluation_part(data);
    if (result->metric == NULL) {
        if (part->y != NULL || part->label != NULL)
            ctx_log(ctx, COSET_LOG_WARNING, "%s: all targets are equal, so there is no metric",
                    data->name);
    } else if (strcmp(result->metric, "r2") == 0 && value < 0) {
        ctx_log(
            ctx, COSET_LOG_WARNING,
            "%s: worse on %s than a constant (R2 below 0): are inputs, target and scaling those "
            "of its training?",
            model, data->name);
    }
}

/* ---- the verb ---------------------------------------------------------------------------------- */

static coset_status add_results(coset_ctx *ctx, report_node *root, const evaluation *result)
{
    coset_status status = COSET_OK;
    report_node *object = NULL;
    TRY(report_count(ctx, root, "samples", result->samples));
    if (result->metric != NULL) {
        TRY(report_object(ctx, root, "metric", &object));
        TRY(report_text(ctx, object, "name", result->metric));
        TRY(report_real(ctx, object, "value", result->value));
        if (result->compared) TRY(report_real(ctx, object, "against", result->against_value));
    } else {
        TRY(report_null(ctx, root, "metric"));
    }
    if (result->compared) {
        TRY(report_object(ctx, root, "deviation", &object));
        TRY(report_real(ctx, object, "rel_l2", result->rel_l2));
        TRY(report_real(ctx, object, "max_abs", result->max_abs));
        TRY(report_real(ctx, object, "agreement", result->agreement));
    }
done:
    return status;
}

coset_status coset_eval(coset_ctx *ctx, const coset_graph *graph, const coset_graph *against,
                        const coset_data *data, coset_report **report_out)
{
    coset_status status = COSET_OK;
    coset_report *report = NULL;
    evaluation result = {0};
    double start = report_clock();
    const data_part *part = evaluation_part(data);
    *report_out = NULL;
    TRY(evaluate(ctx, graph, against, data, part, &result));
    evaluation_warn(ctx, graph->name, data, &result, result.value);
    TRY(report_new(ctx, REPORT_EVAL, &report));
    TRY(report_input(ctx, report, graph->name, graph->digest));
    if (against != NULL) TRY(report_input(ctx, report, against->name, against->digest));
    TRY(report_input(ctx, report, data->name, data->digest));
    TRY(report_text(ctx, report_root(report), "model", graph->name));
    if (against != NULL) TRY(report_text(ctx, report_root(report), "against", against->name));
    TRY(report_text(ctx, report_root(report), "data", data->name));
    TRY(report_text(ctx, report_root(report), "part", part == &data->test ? "test" : "training"));
    TRY(add_results(ctx, report_root(report), &result));
    TRY(report_finish(ctx, report, start));
    *report_out = report;
    report = NULL;
done:
    coset_report_free(ctx, report);
    return status;
}
