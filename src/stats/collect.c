#include "stats/collect.h"

typedef struct collector {
    coset_ctx *ctx;
    stats_job *job;
    batch_runner **runners;   /* [n_graphs] */
    const executor **current; /* [n_graphs] after a step */
    int64_t batch;            /* samples per step */
} collector;

static const char *value_name(const stats_job *job, const stats_value *of)
{
    return job->graphs[of->model]->values[of->value].name;
}

static coset_status check_value(coset_ctx *ctx, const stats_job *job, const stats_value *of)
{
    if (of->model < 0 || of->model >= job->n_graphs || of->value < 0 ||
        of->value >= job->graphs[of->model]->n_values)
        return ctx_fail(ctx, COSET_EARGUMENT, "moments of a value that does not exist");
    return COSET_OK;
}

static coset_status check_job(coset_ctx *ctx, const stats_job *job)
{
    coset_status status = COSET_OK;
    for (int64_t k = 1; k < job->n_graphs; k++)
        if (job->graphs[k]->n_inputs != job->graphs[0]->n_inputs)
            FAIL(ctx, COSET_EARGUMENT, "models to compare have %lld and %lld inputs",
                 (long long)job->graphs[0]->n_inputs, (long long)job->graphs[k]->n_inputs);
    for (int64_t k = 0; k < job->n_moments; k++) TRY(check_value(ctx, job, &job->moments[k].of));
    for (int64_t k = 0; k < job->n_cross; k++) {
        TRY(check_value(ctx, job, &job->cross[k].x));
        TRY(check_value(ctx, job, &job->cross[k].y));
    }
    for (int64_t k = 0; k < job->n_signs; k++) TRY(check_value(ctx, job, &job->signs[k].of));
    for (int64_t k = 0; k < job->n_pairs; k++) {
        TRY(check_value(ctx, job, &job->pairs[k].x));
        TRY(check_value(ctx, job, &job->pairs[k].y));
    }
done:
    return status;
}

/* Values of one model that are read; taps_out has room for all. */
static int64_t list_taps(const stats_job *job, int64_t model, int32_t *taps_out)
{
    int64_t n = 0;
    for (int64_t k = 0; k < job->n_moments; k++)
        if (job->moments[k].of.model == model) taps_out[n++] = job->moments[k].of.value;
    for (int64_t k = 0; k < job->n_cross; k++) {
        if (job->cross[k].x.model == model) taps_out[n++] = job->cross[k].x.value;
        if (job->cross[k].y.model == model) taps_out[n++] = job->cross[k].y.value;
    }
    for (int64_t k = 0; k < job->n_signs; k++)
        if (job->signs[k].of.model == model) taps_out[n++] = job->signs[k].of.value;
    for (int64_t k = 0; k < job->n_pairs; k++) {
        if (job->pairs[k].x.model == model) taps_out[n++] = job->pairs[k].x.value;
        if (job->pairs[k].y.model == model) taps_out[n++] = job->pairs[k].y.value;
    }
    return n;
}

static coset_status make_runners(collector *self, int32_t *taps, int64_t batch)
{
    const stats_job *job = self->job;
    for (int64_t k = 0; k < job->n_graphs; k++) {
        if (batch > 0 && batch_size(self->runners[k]) == batch) continue;
        batch_runner_free(self->ctx, self->runners[k]);
        self->runners[k] = NULL;
        int64_t n_taps = list_taps(job, k, taps);
        coset_status status = batch_runner_new(self->ctx, job->graphs[k], job->sample_shapes, batch,
                                               taps, n_taps, &self->runners[k]);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

/* Runners that all take `batch` samples a step: the smallest of what suits each. */
static coset_status prepare(collector *self)
{
    coset_status status = COSET_OK;
    int32_t *taps = NULL;
    const stats_job *job = self->job;
    TRY(ctx_alloc(self->ctx, job->n_moments + 2 * job->n_cross + job->n_signs + 2 * job->n_pairs,
                  sizeof *taps, &taps));
    TRY(make_runners(self, taps, 0));
    self->batch = INT64_MAX;
    for (int64_t k = 0; k < job->n_graphs; k++)
        if (batch_size(self->runners[k]) < self->batch) self->batch = batch_size(self->runners[k]);
    TRY(make_runners(self, taps, self->batch));
done:
    ctx_free(self->ctx, taps);
    return status;
}

/* The view of a value's first `count` samples; values NULL in it before anything ran. */
static coset_status view_samples(const collector *self, const stats_value *of, const array *values,
                                 int64_t count, moments_view *view_out)
{
    const batch_runner *runner = self->runners[of->model];
    const char *name = value_name(self->job, of);
    coset_status status = moments_view_of(self->ctx, values, of->axis, view_out);
    if (status != COSET_OK) return ctx_fail_in(self->ctx, status, "value '%s'", name);
    int64_t elements = view_out->outer * view_out->features * view_out->inner;
    int64_t sample = batch_sample_elements(runner, of->value);
    int64_t batch = sample > 0 ? elements / sample : 1; /* samples in this array */
    if (batch == 1 && batch_size(runner) == 1) return COSET_OK;
    int axis = of->axis < 0 ? of->axis + values->shape.rank : of->axis;
    if (axis == 0 || view_out->outer % batch != 0)
        return ctx_fail(self->ctx, COSET_EARGUMENT,
                        "value '%s': axis 0 must hold the samples, and axis %d the features", name,
                        of->axis);
    view_out->outer = view_out->outer / batch * count;
    return COSET_OK;
}

static coset_status feature_count(const collector *self, const stats_value *of, int64_t *n_out)
{
    moments_view view = {0};
    const shape *known = batch_shape(self->runners[of->model], of->value);
    if (known == NULL)
        return ctx_fail(self->ctx, COSET_EARGUMENT, "value '%s' is not computed",
                        value_name(self->job, of));
    array planned = {.dtype = COSET_F32, .shape = *known};
    coset_status status = view_samples(self, of, &planned, 1, &view);
    *n_out = view.features;
    return status;
}

static coset_status make_results(collector *self)
{
    coset_status status = COSET_OK;
    stats_job *job = self->job;
    for (int64_t k = 0; k < job->n_moments; k++) {
        stats_moments *item = &job->moments[k];
        int64_t n = 0;
        TRY(feature_count(self, &item->of, &n));
        TRY(moments_new(self->ctx, item->index != NULL ? item->units : n, item->second,
                        &item->result));
    }
    for (int64_t k = 0; k < job->n_cross; k++) {
        stats_cross *item = &job->cross[k];
        int64_t n = 0, m = 0;
        TRY(feature_count(self, &item->x, &n));
        TRY(feature_count(self, &item->y, &m));
        TRY(cross_moments_new(self->ctx, n, m, &item->result));
    }
    for (int64_t k = 0; k < job->n_signs; k++) {
        stats_signs *item = &job->signs[k];
        int64_t n = 0;
        TRY(feature_count(self, &item->of, &n));
        int64_t sample = batch_sample_elements(self->runners[item->of.model], item->of.value);
        TRY(sign_counts_new(self->ctx, n, n > 0 ? sample / n : 0, &item->result));
    }
    for (int64_t k = 0; k < job->n_pairs; k++) {
        stats_pairs *item = &job->pairs[k];
        int64_t n = 0, m = 0;
        TRY(feature_count(self, &item->x, &n));
        TRY(feature_count(self, &item->y, &m));
        if (m != n)
            FAIL(self->ctx, COSET_EARGUMENT, "values '%s' and '%s' have %lld and %lld features",
                 value_name(job, &item->x), value_name(job, &item->y), (long long)n, (long long)m);
        TRY(pair_moments_new(self->ctx, n, &item->result));
    }
done:
    return status;
}

static const array *current_array(const collector *self, const stats_value *of)
{
    return executor_value(self->current[of->model], of->value);
}

static coset_status current_view(const collector *self, const stats_value *of, int64_t count,
                                 moments_view *view_out)
{
    return view_samples(self, of, current_array(self, of), count, view_out);
}

static coset_status add_moments(const collector *self, stats_moments *item, int64_t count)
{
    moments_view x;
    coset_status status = current_view(self, &item->of, count, &x);
    if (status != COSET_OK) return status;
    x.map = item->map;
    x.parameter = item->parameter;
    if (item->index != NULL) {
        x.index = item->index;
        x.features = item->units;
        x.repeats = item->repeats;
    }
    status = moments_add(self->ctx, item->result, &x);
    if (status == COSET_OK) return COSET_OK;
    return ctx_fail_in(self->ctx, status, "value '%s'", value_name(self->job, &item->of));
}

static coset_status add_signs(const collector *self, stats_signs *item, int64_t count)
{
    coset_status status = sign_counts_add(self->ctx, item->result, current_array(self, &item->of),
                                          item->of.axis, count);
    if (status == COSET_OK) return COSET_OK;
    return ctx_fail_in(self->ctx, status, "value '%s'", value_name(self->job, &item->of));
}

/* Adds samples of two values, to one of cross and pairs. */
static coset_status add_two(const collector *self, const stats_value *of_x, const stats_value *of_y,
                            cross_moments *cross, pair_moments *pairs, int64_t count)
{
    moments_view x, y;
    coset_status status = current_view(self, of_x, count, &x);
    if (status == COSET_OK) status = current_view(self, of_y, count, &y);
    if (status != COSET_OK) return status;
    status = cross != NULL ? cross_moments_add(self->ctx, cross, &x, &y)
                           : pair_moments_add(self->ctx, pairs, &x, &y);
    if (status == COSET_OK) return COSET_OK;
    return ctx_fail_in(self->ctx, status, "values '%s' and '%s'", value_name(self->job, of_x),
                       value_name(self->job, of_y));
}

static coset_status add_samples(collector *self, int64_t count)
{
    coset_status status = COSET_OK;
    stats_job *job = self->job;
    for (int64_t k = 0; k < job->n_moments; k++) TRY(add_moments(self, &job->moments[k], count));
    for (int64_t k = 0; k < job->n_cross; k++) {
        stats_cross *item = &job->cross[k];
        TRY(add_two(self, &item->x, &item->y, item->result, NULL, count));
    }
    for (int64_t k = 0; k < job->n_signs; k++) TRY(add_signs(self, &job->signs[k], count));
    for (int64_t k = 0; k < job->n_pairs; k++) {
        stats_pairs *item = &job->pairs[k];
        TRY(add_two(self, &item->x, &item->y, NULL, item->result, count));
    }
done:
    return status;
}

static coset_status finish_results(collector *self)
{
    stats_job *job = self->job;
    for (int64_t k = 0; k < job->n_moments; k++) {
        coset_status status = moments_finish(self->ctx, job->moments[k].result);
        if (status != COSET_OK)
            return ctx_fail_in(self->ctx, status, "value '%s'",
                               value_name(job, &job->moments[k].of));
    }
    for (int64_t k = 0; k < job->n_cross; k++) {
        coset_status status = cross_moments_finish(self->ctx, job->cross[k].result);
        if (status != COSET_OK)
            return ctx_fail_in(self->ctx, status, "values '%s' and '%s'",
                               value_name(job, &job->cross[k].x),
                               value_name(job, &job->cross[k].y));
    }
    for (int64_t k = 0; k < job->n_pairs; k++) {
        coset_status status = pair_moments_finish(self->ctx, job->pairs[k].result);
        if (status != COSET_OK)
            return ctx_fail_in(self->ctx, status, "values '%s' and '%s'",
                               value_name(job, &job->pairs[k].x),
                               value_name(job, &job->pairs[k].y));
    }
    return COSET_OK;
}

static coset_status run_samples(collector *self)
{
    stats_job *job = self->job;
    int64_t samples = job->source->samples;
    for (int64_t first = 0; first < samples;) {
        int64_t count = samples - first < self->batch ? samples - first : self->batch;
        coset_status status = COSET_OK;
        for (int64_t k = 0; k < job->n_graphs && status == COSET_OK; k++)
            status = batch_step(self->ctx, self->runners[k], job->source, first, count,
                                &self->current[k]);
        if (status == COSET_OK) status = add_samples(self, count);
        if (status != COSET_OK) return status;
        first += count;
        if (job->stage != NULL) ctx_progress(self->ctx, job->stage, first, samples);
    }
    return finish_results(self);
}

static void free_results(coset_ctx *ctx, stats_job *job)
{
    for (int64_t k = 0; k < job->n_moments; k++) {
        moments_free(ctx, job->moments[k].result);
        job->moments[k].result = NULL;
    }
    for (int64_t k = 0; k < job->n_cross; k++) {
        cross_moments_free(ctx, job->cross[k].result);
        job->cross[k].result = NULL;
    }
    for (int64_t k = 0; k < job->n_signs; k++) {
        sign_counts_free(ctx, job->signs[k].result);
        job->signs[k].result = NULL;
    }
    for (int64_t k = 0; k < job->n_pairs; k++) {
        pair_moments_free(ctx, job->pairs[k].result);
        job->pairs[k].result = NULL;
    }
}

coset_status stats_collect(coset_ctx *ctx, stats_job *job)
{
    coset_status status = COSET_OK;
    collector self = {.ctx = ctx, .job = job};
    for (int64_t k = 0; k < job->n_moments; k++) job->moments[k].result = NULL;
    for (int64_t k = 0; k < job->n_cross; k++) job->cross[k].result = NULL;
    for (int64_t k = 0; k < job->n_signs; k++) job->signs[k].result = NULL;
    for (int64_t k = 0; k < job->n_pairs; k++) job->pairs[k].result = NULL;
    TRY(check_job(ctx, job));
    TRY(ctx_alloc(ctx, job->n_graphs, sizeof *self.runners, &self.runners));
    TRY(ctx_alloc(ctx, job->n_graphs, sizeof *self.current, &self.current));
    TRY(prepare(&self));
    TRY(make_results(&self));
    TRY(run_samples(&self));
done:
    if (status != COSET_OK) free_results(ctx, job);
    if (self.runners != NULL)
        for (int64_t k = 0; k < job->n_graphs; k++) batch_runner_free(ctx, self.runners[k]);
    ctx_free(ctx, self.runners);
    ctx_free(ctx, self.current);
    return status;
}
