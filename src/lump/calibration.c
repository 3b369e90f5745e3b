/* Collects what methods and recovery need to know of a model's activations. */
#include <string.h>

#include "lump/metric.h"

/* Slopes of the activations as functions of their results. */
static float slope_relu(float h, float leak)
{
    return h > 0 ? 1 : leak;
}

static float slope_tanh(float h, float unused)
{
    (void)unused;
    return 1 - h * h;
}

static float slope_logistic(float h, float unused)
{
    (void)unused;
    return h * (1 - h);
}

static float slope_identity(float h, float unused)
{
    (void)h;
    (void)unused;
    return 1;
}

static moments_map slope_of(unit_function function)
{
    switch (function) {
    case UNIT_IDENTITY: return slope_identity;
    case UNIT_RELU: return slope_relu;
    case UNIT_ODD: return slope_tanh;
    case UNIT_LOGISTIC: return slope_logistic;
    case UNIT_OTHER: break;
    }
    return NULL;
}

/* The one function of all units on an axis, or NULL. */
static moments_map axis_slope(const graph_groups *groups, int32_t slot, float *leak_out)
{
    moments_map found = NULL;
    for (int64_t i = 0; i < groups->slots[slot].size; i++) {
        int64_t unit = 0;
        int32_t g = groups_at(groups, slot, i, &unit);
        if (g < 0) return NULL;
        moments_map here = slope_of(groups->groups[g].function);
        if (here == NULL || (i > 0 && (here != found || groups->groups[g].leak != *leak_out)))
            return NULL;
        found = here;
        *leak_out = groups->groups[g].leak;
    }
    return found;
}

coset_status calibration_collect(coset_ctx *ctx, const coset_graph *graph,
                                 const graph_groups *groups, const batch_source *source,
                                 const shape *sample_shapes, calibration **calibration_out)
{
    coset_status status = COSET_OK;
    calibration *self = NULL;
    stats_moments *wanted = NULL;
    bool *seen = NULL;
    int64_t n = 0;
    *calibration_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n_values = graph->n_values;
    self->n_contractions = groups->n_contractions;
    self->samples = source->samples;
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self->of_value, &self->of_value));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self->slopes, &self->slopes));
    TRY(ctx_alloc(ctx, groups->n_contractions, sizeof *self->metric, &self->metric));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *seen, &seen));
    TRY(ctx_alloc(ctx, 2 * groups->n_contractions, sizeof *wanted, &wanted));
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        const contraction *at = &groups->contractions[c];
        stats_value of = {0, at->input, at->input_axis};
        float leak = 0;
        if (seen[at->input]) continue;
        seen[at->input] = true;
        wanted[n++] = (stats_moments){.of = of, .second = true};
        moments_map slope = axis_slope(groups, at->in_slot, &leak);
        if (slope != NULL)
            wanted[n++] =
                (stats_moments){.of = of, .second = true, .map = slope, .parameter = leak};
    }
    stats_job job = {.graphs = &graph,
                     .n_graphs = 1,
                     .source = source,
                     .sample_shapes = sample_shapes,
                     .moments = wanted,
                     .n_moments = n,
                     .stage = "calibrating"};
    TRY(stats_collect(ctx, &job));
    for (int64_t i = 0; i < n; i++) {
        moments **place = wanted[i].map != NULL ? self->slopes : self->of_value;
        place[wanted[i].of.value] = wanted[i].result;
        wanted[i].result = NULL;
    }
    TRY(calibration_metrics(ctx, graph, groups, self));
    *calibration_out = self;
    self = NULL;
done:
    ctx_free(ctx, seen);
    ctx_free(ctx, wanted);
    calibration_free(ctx, self);
    return status;
}

void calibration_free(coset_ctx *ctx, calibration *self)
{
    if (self == NULL) return;
    for (int64_t v = 0; v < self->n_values; v++) {
        if (self->of_value != NULL) moments_free(ctx, self->of_value[v]);
        if (self->slopes != NULL) moments_free(ctx, self->slopes[v]);
    }
    for (int64_t c = 0; self->metric != NULL && c < self->n_contractions; c++)
        ctx_free(ctx, self->metric[c]);
    ctx_free(ctx, self->of_value);
    ctx_free(ctx, self->slopes);
    ctx_free(ctx, self->metric);
    ctx_free(ctx, self);
}
