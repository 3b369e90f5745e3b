#include "recover/batchnorm.h"

#include <math.h>
#include <string.h>

#include "lump/axis.h"
#include "stats/moments.h"

/* A layer whose results hardly varied is not made to vary by a large factor: that would be noise. */
#define FACTOR_MAX 4.0
#define VARIANCE_MIN 1e-10

typedef struct matcher {
    coset_ctx *ctx;
    const recovery_targets *targets;
    const coset_plan *plan;
    moments **wanted; /* [targets->n] of R y in the original; NULL: it has no such result */
    recovery model;
} matcher;

/* ---- moments of a layer's results ----------------------------------------------------------------- */

/* R along the features of a view: (outer, new_size, inner), owned by the caller. */
static coset_status reduce_view(coset_ctx *ctx, const axis_map *map, moments_view *view,
                                float **reduced_out)
{
    int64_t inner = view->inner, size = view->outer * map->new_size * inner;
    float *reduced = NULL;
    coset_status status = ctx_alloc(ctx, size, sizeof *reduced, &reduced);
    *reduced_out = reduced;
    if (status != COSET_OK) return status;
    for (int64_t o = 0; o < view->outer; o++)
        for (int64_t u = 0; u < view->features; u++) {
            if (map->target[u] < 0) continue;
            const float *from = view->values + (o * view->features + u) * inner;
            float *to = reduced + (o * map->new_size + map->target[u]) * inner;
            for (int64_t i = 0; i < inner; i++) to[i] += (float)map->weight[u] * from[i];
        }
    view->values = reduced;
    view->features = map->new_size;
    return COSET_OK;
}

/* The results of the samples in lane i; false if their features are not the layer's units. */
static bool view_lane(coset_ctx *ctx, lanes *runs, int64_t i, const layer *at,
                      moments_view *view_out, array *values_out)
{
    int64_t first = 0, count = 0;
    const array *values = executor_operand(lanes_take(runs, i, &first, &count), at->result);
    if (values == NULL || !dtype_is_float(values->dtype) || values->shape.rank < 1) return false;
    *values_out = *values;
    if (moments_view_of(ctx, values, at->output_axis, view_out) != COSET_OK) return false;
    if (view_out->features != at->view.n_out || view_out->outer % lanes_batch(runs) != 0)
        return false;
    view_out->outer = view_out->outer / lanes_batch(runs) * count;
    return true;
}

/* Runs up to the layer's result and collects the moments of R times it (map NULL: of itself); NULL if there
 * are none. */
static coset_status collect(coset_ctx *ctx, lanes *runs, const coset_graph *graph, const layer *at,
                            const axis_map *map, moments **moments_out)
{
    coset_status status = COSET_OK;
    moments *made = NULL;
    moments_view view;
    array values;
    float *reduced = NULL;
    *moments_out = NULL;
    if (!lanes_run(runs, at->node)) return COSET_OK;
    TRY(lanes_advance(runs, graph->values[at->result].producer + 1));
    TRY(moments_new(ctx, map != NULL ? map->new_size : at->view.n_out, false, &made));
    for (int64_t i = 0; i < lanes_count(runs); i++) {
        if (!view_lane(ctx, runs, i, at, &view, &values)) goto done;
        if (map != NULL) TRY(reduce_view(ctx, map, &view, &reduced));
        status = moments_add(ctx, made, &view);
        if (status != COSET_OK) {
            status = ctx_fail_in(ctx, status, "value '%s'", graph->values[at->result].name);
            goto done;
        }
        ctx_free(ctx, reduced);
        reduced = NULL;
    }
    TRY(moments_finish(ctx, made));
    *moments_out = made;
    made = NULL;
done:
    ctx_free(ctx, reduced);
    moments_free(ctx, made);
    return status;
}

static coset_status collect_original(matcher *self)
{
    coset_status status = COSET_OK;
    const recovery_targets *targets = self->targets;
    thin_source thin = targets->source;
    batch_source source = thin_source_of(&thin);
    lanes *runs = NULL;
    axis_map map = {0};
    TRY(ctx_alloc(self->ctx, targets->n, sizeof *self->wanted, &self->wanted));
    TRY(lanes_new(self->ctx, targets->original, &source, thin.sample_shapes, &runs));
    for (int64_t t = 0; t < targets->n; t++) {
        const layer *at = &targets->layers[t];
        TRY(axis_map_new(self->ctx, targets->groups, self->plan, at->out_slot, &map));
        if (map.new_size > 0)
            TRY(collect(self->ctx, runs, targets->original, at, &map, &self->wanted[t]));
        axis_map_free(self->ctx, &map);
        map = (axis_map){0};
    }
done:
    axis_map_free(self->ctx, &map);
    lanes_free(self->ctx, runs);
    return status;
}

/* ---- one layer ------------------------------------------------------------------------------------ */

/* y' <- a y' + c, unit by unit: a and c [n]. */
static void choose_factors(const moments *wanted, const moments *found, bool shifts, double *a,
                           double *c)
{
    for (int64_t u = 0; u < found->n; u++) {
        double want = wanted->scatter[u] / (double)wanted->count;
        double have = found->scatter[u] / (double)found->count;
        a[u] = 1;
        if (want > 0 && have > VARIANCE_MIN * want) a[u] = sqrt(want / have);
        if (a[u] > FACTOR_MAX) a[u] = FACTOR_MAX;
        if (a[u] < 1 / FACTOR_MAX) a[u] = 1 / FACTOR_MAX;
        c[u] = shifts ? wanted->mean[u] - a[u] * found->mean[u] : 0;
    }
}

/* What the layer has already given is corrected as well, so that what follows sees it. */
static void correct_results(matcher *self, const layer *now, const double *a, const double *c)
{
    moments_view view;
    array values;
    for (int64_t i = 0; i < lanes_count(self->model.lanes); i++) {
        if (!view_lane(self->ctx, self->model.lanes, i, now, &view, &values)) return;
        for (int64_t k = 0; k < view.outer * view.features * view.inner; k++) {
            int64_t u = k / view.inner % view.features;
            values.f[k] = (float)(a[u] * (double)values.f[k] + c[u]);
        }
    }
}

static coset_status match_layer(matcher *self, const layer *now, const moments *wanted)
{
    coset_status status = COSET_OK;
    int64_t q = now->view.n_out, columns = layer_columns(now);
    moments *found = NULL;
    double *weight = NULL, *bias = NULL, *a = NULL, *c = NULL;
    TRY(collect(self->ctx, self->model.lanes, self->model.graph, now, NULL, &found));
    if (found == NULL || found->n != wanted->n || found->count == 0 || wanted->count == 0)
        goto done;
    TRY(ctx_alloc_raw(self->ctx, q * columns, sizeof *weight, &weight));
    TRY(ctx_alloc_raw(self->ctx, q, sizeof *bias, &bias));
    TRY(ctx_alloc_raw(self->ctx, q, sizeof *a, &a));
    TRY(ctx_alloc_raw(self->ctx, q, sizeof *c, &c));
    choose_factors(wanted, found, now->bias >= 0, a, c);
    layer_read(self->model.graph, now, 0, q, weight, bias);
    for (int64_t o = 0; o < q; o++) {
        for (int64_t j = 0; j < columns; j++) weight[o * columns + j] *= a[o];
        bias[o] = a[o] * bias[o] + c[o];
    }
    TRY(recovery_write(self->ctx, &self->model, now, weight, bias));
    correct_results(self, now, a, c);
done:
    moments_free(self->ctx, found);
    ctx_free(self->ctx, weight);
    ctx_free(self->ctx, bias);
    ctx_free(self->ctx, a);
    ctx_free(self->ctx, c);
    return status;
}

coset_status match_statistics(coset_ctx *ctx, const coset_plan *plan,
                              const recovery_targets *targets, const coset_graph *small,
                              coset_graph **matched_out)
{
    coset_status status = COSET_OK;
    matcher self = {.ctx = ctx, .targets = targets, .plan = plan};
    *matched_out = NULL;
    TRY(collect_original(&self));
    TRY(recovery_open(ctx, targets, small, &self.model));
    for (int64_t l = 0; l < self.model.n; l++) {
        int32_t t = self.model.place[l];
        ctx_progress(ctx, "matching statistics", l, self.model.n);
        if (t < 0 || self.wanted[t] == NULL) continue;
        TRY(match_layer(&self, &self.model.layers[l], self.wanted[t]));
    }
    ctx_progress(ctx, "matching statistics", self.model.n, self.model.n);
    *matched_out = self.model.graph;
    self.model.graph = NULL;
done:
    for (int64_t t = 0; self.wanted != NULL && t < targets->n; t++)
        moments_free(ctx, self.wanted[t]);
    ctx_free(ctx, self.wanted);
    recovery_close(ctx, &self.model);
    return status;
}
