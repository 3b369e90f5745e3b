/* Ranges of pre-activations over calibration data. */
#include <math.h>

#include "api/encode.h"
#include "data/data.h"

/* Ranges are a little wider than what was seen: the ODE computes in f64, the run in f32. No range is
 * narrower than this share of its magnitude or of 1, so that a fit exists. */
static const double MARGIN = 1e-6, NARROWEST = 1e-3;

typedef struct collection {
    encoder *of;
    const batch_runner *runner;
    const int32_t *taps;
    int64_t n_taps;
} collection;

static coset_status collect(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                            const executor *values)
{
    collection *self = user;
    for (int64_t t = 0; t < self->n_taps; t++) {
        int32_t value = self->taps[t];
        const array *found = executor_value(values, value);
        double *low = &self->of->low[value], *high = &self->of->high[value];
        int64_t n = count * batch_sample_elements(self->runner, value);
        for (int64_t i = 0; found != NULL && dtype_is_float(found->dtype) && i < n; i++) {
            double z = (double)found->f[i];
            if (!isfinite(z))
                return ctx_fail(ctx, COSET_ENUMERIC,
                                "'%s' is not finite for a sample among %lld..%lld",
                                self->of->graph->values[value].name, (long long)first,
                                (long long)(first + count - 1));
            *low = fmin(*low, z);
            *high = fmax(*high, z);
        }
    }
    return COSET_OK;
}

/* Whether a node has a law that may have to be fitted. */
static bool is_fitted(const encoder *self, const graph_node *node)
{
    unit_law law;
    return node->op != NULL && node->n_inputs > 0 && node->inputs[0] >= 0 &&
           node->outputs[0] >= 0 && self->needed[node->outputs[0]] &&
           !encode_is_constant(self, node->outputs[0]) &&
           unit_law_of(node, self->graph->opset, &law);
}

static void widen(encoder *self, int32_t value)
{
    double *low = &self->low[value], *high = &self->high[value];
    double least = NARROWEST * fmax(1, fmax(fabs(*low), fabs(*high)));
    double by = MARGIN * (*high - *low);
    if (*high - *low < least) by = (least - (*high - *low)) / 2;
    *low -= by;
    *high += by;
}

static coset_status run_data(encoder *self, const coset_data *data, const int32_t *taps,
                             int64_t n_taps)
{
    coset_status status = COSET_OK;
    batch_runner *runner = NULL;
    collection at = {self, NULL, taps, n_taps};
    data_view view = data_view_for(data, &data->train, self->graph, NULL, data->train.rows);
    batch_source source = data_source(&view);
    if (self->graph->n_inputs != 1)
        FAIL(self->ctx, COSET_EARGUMENT, "calibration data is for models of one input");
    if (data->train.rows < 1)
        FAIL(self->ctx, COSET_EARGUMENT, "%s has no training part", data->name);
    TRY(batch_runner_new(self->ctx, self->graph, &view.sample, 0, taps, n_taps, &runner));
    at.runner = runner;
    TRY(batch_run(self->ctx, runner, &source, "calibrate", collect, &at));
    for (int64_t t = 0; t < n_taps; t++) widen(self, taps[t]);
done:
    batch_runner_free(self->ctx, runner);
    return status;
}

coset_status encode_ranges(encoder *self)
{
    coset_status status = COSET_OK;
    const coset_ode_encode_options *options = self->options;
    int32_t *taps = NULL;
    int64_t n_taps = 0;
    if (options->drift != COSET_ODE_POLYNOMIAL || options->data == NULL) return COSET_OK;
    TRY(ctx_alloc(self->ctx, self->graph->n_nodes, sizeof *taps, &taps));
    for (int64_t i = 0; i < self->graph->n_nodes; i++) {
        const graph_node *node = &self->graph->nodes[i];
        bool seen = false;
        if (!is_fitted(self, node)) continue;
        for (int64_t t = 0; t < n_taps && !seen; t++) seen = taps[t] == node->inputs[0];
        if (!seen) taps[n_taps++] = node->inputs[0];
    }
    if (n_taps == 0) goto done;
    TRY(ctx_alloc(self->ctx, self->graph->n_values, sizeof *self->low, &self->low));
    TRY(ctx_alloc(self->ctx, self->graph->n_values, sizeof *self->high, &self->high));
    for (int64_t t = 0; t < n_taps; t++) {
        self->low[taps[t]] = (double)INFINITY;
        self->high[taps[t]] = -(double)INFINITY;
    }
    TRY(run_data(self, options->data, taps, n_taps));
done:
    ctx_free(self->ctx, taps);
    return status;
}
