#include "recover/reconstruct.h"

#include "lump/weight.h"
#include "recover/refit.h"

typedef struct reconstructor {
    coset_ctx *ctx;
    const recovery_targets *targets;
    const coset_plan *plan;
    double ridge;
    recovery model;
} reconstructor;

/* Rows of what the layer reads (patches of a convolution) or of the other branch of its sum; NULL if the
 * value has not the positions of the target. form: but for window and batch. */
static coset_status read_rows(reconstructor *self, const layer *now, int32_t value, row_form form,
                              const row_choice *choice, float **rows_out, int64_t *width_out)
{
    coset_status status = COSET_OK;
    float *rows = NULL;
    form.batch = lanes_batch(self->model.lanes);
    *rows_out = NULL;
    for (int64_t i = 0; i < lanes_count(self->model.lanes); i++) {
        int64_t first = 0, count = 0;
        const executor *run = lanes_take(self->model.lanes, i, &first, &count);
        const array *values = executor_operand(run, value);
        if (values == NULL || !dtype_is_float(values->dtype)) goto done;
        if (rows == NULL) {
            if (form.patches)
                TRY(layer_window(self->ctx, self->model.graph, now, &values->shape, &form.window));
            if (row_form_positions(&form, &values->shape) != choice->positions) goto done;
            *width_out = row_form_width(&form, &values->shape);
            TRY(ctx_alloc_raw(self->ctx, choice->rows * *width_out, sizeof *rows, &rows));
        }
        rows_read(&form, values, choice, first, count, rows);
    }
    *rows_out = rows;
    rows = NULL;
done:
    ctx_free(self->ctx, rows);
    return status;
}

/* ---- a layer by its columns ---------------------------------------------------------------------- */

/* R times the rows of the original. */
static coset_status reduce_rows(reconstructor *self, const layer *at, const layer_target *of,
                                float **rows_out, int64_t *width_out)
{
    coset_status status = COSET_OK;
    axis_map map = {0};
    float *reduced = NULL;
    int64_t n = at->view.n_out;
    TRY(axis_map_new(self->ctx, self->targets->groups, self->plan, at->out_slot, &map));
    TRY(ctx_alloc(self->ctx, of->choice.rows * map.new_size, sizeof *reduced, &reduced));
    for (int64_t r = 0; r < of->choice.rows; r++)
        for (int64_t u = 0; u < n; u++)
            if (map.target[u] >= 0)
                reduced[r * map.new_size + map.target[u]] +=
                    (float)map.weight[u] * of->rows[r * n + u];
    *rows_out = reduced;
    *width_out = map.new_size;
    reduced = NULL;
done:
    axis_map_free(self->ctx, &map);
    ctx_free(self->ctx, reduced);
    return status;
}

typedef struct layer_fit {
    float *x, *goal, *other;
    int64_t x_width, width;
    double *weight, *bias, *new_weight, *new_bias;
} layer_fit;

static void layer_fit_free(coset_ctx *ctx, layer_fit *self)
{
    ctx_free(ctx, self->x);
    ctx_free(ctx, self->goal);
    ctx_free(ctx, self->other);
    ctx_free(ctx, self->weight);
    ctx_free(ctx, self->bias);
    ctx_free(ctx, self->new_weight);
    ctx_free(ctx, self->new_bias);
}

static coset_status allocate_weights(coset_ctx *ctx, const layer *now, layer_fit *self)
{
    coset_status status = COSET_OK;
    int64_t size = now->view.n_out * layer_columns(now);
    TRY(ctx_alloc_raw(ctx, size, sizeof(double), &self->weight));
    TRY(ctx_alloc_raw(ctx, size, sizeof(double), &self->new_weight));
    TRY(ctx_alloc(ctx, now->view.n_out, sizeof(double), &self->bias));
    TRY(ctx_alloc(ctx, now->view.n_out, sizeof(double), &self->new_bias));
done:
    return status;
}

/* Everything a fit needs; *ready_out false if the small model does not have it. */
static coset_status prepare_fit(reconstructor *self, const layer *at, const layer_target *of,
                                const layer *now, layer_fit *fit, bool *ready_out)
{
    coset_status status = COSET_OK;
    const row_form inputs = {
        .axis = now->input_axis, .patches = now->windows, .transposed = now->transposed};
    const row_form results = {.axis = now->output_axis};
    int64_t other_width = 0;
    *ready_out = false;
    TRY(read_rows(self, now, now->input, inputs, &of->choice, &fit->x, &fit->x_width));
    if (fit->x == NULL || fit->x_width != layer_columns(now) * now->groups) goto done;
    TRY(reduce_rows(self, at, of, &fit->goal, &fit->width));
    if (fit->width != now->view.n_out) goto done;
    if (of->sum) {
        int32_t other = other_branch(self->model.graph, now);
        if (other < 0) goto done;
        TRY(read_rows(self, now, other, results, &of->choice, &fit->other, &other_width));
        if (fit->other == NULL || other_width != fit->width) goto done;
    }
    TRY(allocate_weights(self->ctx, now, fit));
    layer_read(self->model.graph, now, 0, now->view.n_out, fit->weight, fit->bias);
    *ready_out = true;
done:
    return status;
}

static coset_status refit_columns(reconstructor *self, const layer *at, const layer_target *of,
                                  const layer *now)
{
    coset_status status = COSET_OK;
    layer_fit fit = {.x = NULL};
    bool ready = false;
    int64_t columns = layer_columns(now), each = now->view.n_out / now->groups;
    TRY(prepare_fit(self, at, of, now, &fit, &ready));
    for (int64_t g = 0; ready && g < now->groups; g++) {
        int64_t first = g * each;
        refit_problem problem = {.rows = of->choice.rows,
                                 .n_in = columns,
                                 .n_out = each,
                                 .x = fit.x + g * columns,
                                 .y = fit.goal + first,
                                 .x_stride = fit.x_width,
                                 .y_stride = fit.width,
                                 .offset = fit.other != NULL ? fit.other + first : NULL,
                                 .weight = fit.weight + first * columns,
                                 .bias = now->bias >= 0 ? fit.bias + first : NULL,
                                 .function = of->function,
                                 .leak = of->leak};
        TRY(refit(self->ctx, &problem, self->ridge, fit.new_weight + first * columns,
                  fit.new_bias + first));
    }
    if (!ready) goto done;
    TRY(recovery_write(self->ctx, &self->model, now, fit.new_weight, fit.new_bias));
done:
    layer_fit_free(self->ctx, &fit);
    return status;
}

/* ---- a layer by its channels ---------------------------------------------------------------------- */

typedef struct channel_fit {
    axis_map in, out;
    lumping *map;      /* of all channels: the plan's, then the refitted one */
    unit_block now;    /* where they lie in the compressed model */
    group_slot places; /* where they lay in the original */
    float *x;
    int64_t width;
    tensor *weight;
    double *shift, *bias;
} channel_fit;

static void channel_fit_free(coset_ctx *ctx, channel_fit *self)
{
    axis_map_free(ctx, &self->in);
    axis_map_free(ctx, &self->out);
    lumping_free(ctx, self->map);
    ctx_free(ctx, self->now.index);
    ctx_free(ctx, self->x);
    tensor_release(ctx, self->weight);
    ctx_free(ctx, self->shift);
    ctx_free(ctx, self->bias);
}

/* The plan's lift of the layer's input becomes the one that fits best; *ready_out false if the small model
 * has not the positions of the target. */
static coset_status refit_lift(reconstructor *self, const contraction *from, const layer_target *of,
                               const layer *now, channel_fit *fit, bool *ready_out)
{
    coset_status status = COSET_OK;
    const graph_groups *groups = self->targets->groups;
    *ready_out = false;
    TRY(axis_map_new(self->ctx, groups, self->plan, from->in_slot, &fit->in));
    TRY(channels_lumping(self->ctx, groups, self->plan, from, &of->channels, &fit->map));
    TRY(channels_cut(self->ctx, &of->channels, fit->map, &fit->in, &fit->now));
    const row_form form = {.axis = now->input_axis, .units = &fit->now};
    TRY(read_rows(self, now, now->input, form, &of->choice, &fit->x, &fit->width));
    if (fit->x == NULL) goto done;
    const refit_problem problem = {.rows = of->choice.rows,
                                   .n_in = fit->map->k,
                                   .n_out = fit->map->n,
                                   .x = fit->x,
                                   .y = of->rows,
                                   .x_stride = fit->width,
                                   .y_stride = of->width,
                                   .weight = fit->map->lift,
                                   .bias = now->bias >= 0 ? fit->map->shift : NULL,
                                   .function = UNIT_IDENTITY};
    TRY(refit(self->ctx, &problem, self->ridge, fit->map->lift, fit->map->shift));
    if (now->bias < 0) {
        ctx_free(self->ctx, fit->map->shift);
        fit->map->shift = NULL;
    }
    *ready_out = true;
done:
    return status;
}

/* R (b + what the shifts add). */
static coset_status reduce_bias(reconstructor *self, const layer *at, channel_fit *fit)
{
    coset_status status = ctx_alloc(self->ctx, fit->out.new_size, sizeof *fit->bias, &fit->bias);
    if (status != COSET_OK) return status;
    for (int64_t o = 0; o < fit->out.size; o++)
        if (fit->out.target[o] >= 0)
            fit->bias[fit->out.target[o]] +=
                fit->out.weight[o] * layer_bias(self->targets->original, at, o);
    for (int64_t o = 0; o < fit->out.new_size && fit->shift != NULL; o++)
        fit->bias[o] += fit->shift[o];
    return COSET_OK;
}

static coset_status refit_channels(reconstructor *self, const layer *at, const layer_target *of,
                                   const layer *now)
{
    coset_status status = COSET_OK;
    const recovery_targets *targets = self->targets;
    const contraction *from =
        &targets->groups->contractions[targets->groups->contraction_of[at->out_slot]];
    const tensor *old = self->model.graph->values[now->weight].constant;
    channel_fit fit = {.x = NULL};
    bool ready = false;
    TRY(refit_lift(self, from, of, now, &fit, &ready));
    if (!ready) goto done;
    fit.places = (group_slot){.slot = from->in_slot,
                              .role = SLOT_CONSUMER,
                              .repeats = of->channels.repeats,
                              .index = of->channels.index};
    fit.in.members[0] = &fit.places; /* one member in place of all groups */
    fit.in.maps[0] = fit.map;
    fit.in.n_members = 1;
    TRY(axis_map_new(self->ctx, targets->groups, self->plan, from->out_slot, &fit.out));
    TRY(weight_cut(self->ctx, targets->original, from, &fit.out, &fit.in, &fit.weight, &fit.shift));
    TRY(reduce_bias(self, at, &fit));
    if (!shape_equal(&fit.weight->shape, &old->shape)) goto done;
    TRY(recovery_set(self->ctx, &self->model, now, fit.weight, fit.bias));
done:
    channel_fit_free(self->ctx, &fit);
    return status;
}

/* ---- the whole model ---------------------------------------------------------------------------- */

static coset_status refit_layers(reconstructor *self)
{
    coset_status status = COSET_OK;
    const recovery_targets *targets = self->targets;
    const recovery *model = &self->model;
    for (int64_t l = 0; l < model->n; l++) {
        const layer *now = &model->layers[l];
        int32_t t = model->place[l];
        ctx_progress(self->ctx, "reconstructing", l, model->n);
        if (t < 0 || targets->of[t].choice.rows == 0 || now->normalises ||
            !lanes_run(model->lanes, now->node))
            continue;
        TRY(lanes_advance(model->lanes, now->node));
        const layer *at = &targets->layers[t];
        if (targets->of[t].by_channels)
            TRY(refit_channels(self, at, &targets->of[t], now));
        else
            TRY(refit_columns(self, at, &targets->of[t], now));
    }
    ctx_progress(self->ctx, "reconstructing", model->n, model->n);
done:
    return status;
}

coset_status reconstruct(coset_ctx *ctx, const coset_plan *plan, const recovery_targets *targets,
                         const coset_graph *small, double ridge, coset_graph **refitted_out)
{
    coset_status status = COSET_OK;
    reconstructor self = {.ctx = ctx, .targets = targets, .plan = plan, .ridge = ridge};
    *refitted_out = NULL;
    TRY(recovery_open(ctx, targets, small, &self.model));
    TRY(refit_layers(&self));
    *refitted_out = self.model.graph;
    self.model.graph = NULL;
done:
    recovery_close(ctx, &self.model);
    return status;
}
