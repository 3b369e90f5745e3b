#include "recover/reconstruct.h"

#include <string.h>

#include "lump/axis.h"
#include "recover/refit.h"

/* Rows of samples that one refit uses at most; positions beyond it are thinned out evenly. */
enum { MAX_ROWS = 1 << 16 };

typedef struct reconstructor {
    coset_ctx *ctx;
    const coset_graph *original;
    const graph_groups *groups;
    const coset_plan *plan;
    const batch_source *source;
    const shape *sample_shapes;
    double ridge;
    coset_graph *graph; /* being refitted */
    graph_facts *small_facts;
    graph_groups *small_groups;
    int32_t *small_of; /* [values of graph] contraction of small_groups with this result; -1 */
} reconstructor;

/* ---- samples of one value as f64 rows ----------------------------------------------------------- */

typedef struct row_collector {
    int32_t value;
    int axis;
    int64_t n, rows, capacity, seen, stride; /* every stride-th row is kept */
    double *data;
} row_collector;

static coset_status collect_rows(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                                 const executor *values)
{
    row_collector *self = user;
    const array *at = executor_value(values, self->value);
    moments_view view;
    (void)first;
    coset_status status = moments_view_of(ctx, at, self->axis, &view);
    if (status != COSET_OK) return status;
    int64_t batch = at->shape.dims[0], total = view.outer * view.inner;
    int64_t wanted = batch > 0 ? total / batch * count : 0;
    for (int64_t s = 0; s < wanted; s++) {
        if (self->seen++ % self->stride != 0) continue;
        if (self->rows == self->capacity) break;
        const float *from =
            view.values + s / view.inner * view.features * view.inner + s % view.inner;
        double *to = self->data + self->rows++ * self->n;
        for (int64_t j = 0; j < self->n; j++) to[j] = (double)from[j * view.inner];
    }
    return COSET_OK;
}

static coset_status sample_value(reconstructor *self, const coset_graph *graph, int32_t value,
                                 int axis, row_collector *rows_out)
{
    coset_status status = COSET_OK;
    batch_runner *runner = NULL;
    row_collector rows = {.value = value, .axis = axis};
    TRY(batch_runner_new(self->ctx, graph, self->sample_shapes, 0, &value, 1, &runner));
    const shape *of = batch_shape(runner, value);
    rows.n = of->dims[axis < 0 ? axis + of->rank : axis];
    int64_t per_sample = rows.n > 0 ? batch_sample_elements(runner, value) / rows.n : 0;
    int64_t total = self->source->samples * per_sample;
    rows.stride = (total + MAX_ROWS - 1) / MAX_ROWS;
    if (rows.stride < 1) rows.stride = 1;
    rows.capacity = (total + rows.stride - 1) / rows.stride;
    TRY(ctx_alloc_raw(self->ctx, rows.capacity * rows.n, sizeof *rows.data, &rows.data));
    TRY(batch_run(self->ctx, runner, self->source, NULL, collect_rows, &rows));
    *rows_out = rows;
    rows.data = NULL;
done:
    ctx_free(self->ctx, rows.data);
    batch_runner_free(self->ctx, runner);
    return status;
}

/* ---- one contraction ---------------------------------------------------------------------------- */

/* The contraction of the small model with the same result: values keep their ids. */
static const contraction *find_small(const reconstructor *self, const contraction *at)
{
    int32_t index = self->small_of[at->result];
    return index >= 0 ? &self->small_groups->contractions[index] : NULL;
}

/* Targets of the new units: R times the original pre-activations, row by row. */
static coset_status reduce_targets(reconstructor *self, const contraction *at,
                                   const row_collector *z, double **targets_out, int64_t *width_out)
{
    coset_status status = COSET_OK;
    axis_map map = {0};
    double *targets = NULL;
    TRY(axis_map_new(self->ctx, self->groups, self->plan, at->out_slot, &map));
    TRY(ctx_alloc(self->ctx, z->rows * map.new_size, sizeof *targets, &targets));
    for (int64_t r = 0; r < z->rows; r++)
        for (int64_t u = 0; u < z->n; u++)
            if (map.target[u] >= 0)
                targets[r * map.new_size + map.target[u]] += map.weight[u] * z->data[r * z->n + u];
    *targets_out = targets;
    *width_out = map.new_size;
    targets = NULL;
done:
    axis_map_free(self->ctx, &map);
    ctx_free(self->ctx, targets);
    return status;
}

/* The function behind all units of an axis. */
static void function_behind(const graph_groups *groups, const contraction *at,
                            refit_problem *problem)
{
    problem->function = UNIT_OTHER;
    for (int64_t i = 0; i < groups->slots[at->out_slot].size; i++) {
        int64_t unit = 0;
        int32_t g = groups_at(groups, at->out_slot, i, &unit);
        if (g < 0 || (i > 0 && (groups->groups[g].function != problem->function ||
                                groups->groups[g].leak != problem->leak))) {
            problem->function = UNIT_OTHER;
            return;
        }
        problem->function = groups->groups[g].function;
        problem->leak = groups->groups[g].leak;
    }
}

/* New constants of a contraction: W back through its scale and strides, b through its own. */
static coset_status store(reconstructor *self, const contraction *at, const double *weight,
                          const double *bias)
{
    coset_status status = COSET_OK;
    weight_view view = contraction_weight(self->graph, self->small_groups, at);
    double *stored = NULL;
    tensor *fresh = NULL;
    TRY(ctx_alloc_raw(self->ctx, view.n_out * view.n_in, sizeof *stored, &stored));
    for (int64_t o = 0; o < view.n_out; o++)
        for (int64_t i = 0; i < view.n_in; i++)
            stored[o * view.out_stride + i * view.in_stride] =
                weight[o * view.n_in + i] / view.scale;
    TRY(tensor_from_f64(self->ctx, view.data->dtype, &view.data->shape, stored, &fresh));
    graph_set_constant(self->ctx, self->graph, at->weight, fresh);
    tensor_release(self->ctx, fresh);
    fresh = NULL;
    if (at->bias < 0) goto done;
    const tensor *old = self->graph->values[at->bias].constant;
    for (int64_t o = 0; o < view.n_out; o++) stored[o] = bias[o] / at->bias_scale;
    TRY(tensor_from_f64(self->ctx, old->dtype, &old->shape, stored, &fresh));
    graph_set_constant(self->ctx, self->graph, at->bias, fresh);
done:
    ctx_free(self->ctx, stored);
    tensor_release(self->ctx, fresh);
    return status;
}

static bool refittable(const reconstructor *self, const contraction *small)
{
    const coset_graph *graph = self->graph;
    if (small == NULL || graph->values[small->weight].n_consumers != 1) return false;
    if (small->bias >= 0 && graph->values[small->bias].n_consumers != 1) return false;
    return graph->values[small->weight].constant->shape.rank == 2 && small->scale != 0 &&
           small->bias_scale != 0;
}

static coset_status refit_one(reconstructor *self, const contraction *at, const contraction *small)
{
    coset_status status = COSET_OK;
    row_collector x = {0}, z = {0};
    double *targets = NULL, *weight = NULL, *bias = NULL, *new_weight = NULL, *new_bias = NULL;
    weight_view view = contraction_weight(self->graph, self->small_groups, small);
    refit_problem problem = {.n_in = view.n_in};
    TRY(sample_value(self, self->graph, small->input, small->input_axis, &x));
    TRY(sample_value(self, self->original, at->result, at->output_axis, &z));
    TRY(reduce_targets(self, at, &z, &targets, &problem.n_out));
    TRY(ctx_alloc_raw(self->ctx, problem.n_out * problem.n_in, sizeof *weight, &weight));
    TRY(ctx_alloc_raw(self->ctx, problem.n_out * problem.n_in, sizeof *new_weight, &new_weight));
    TRY(ctx_alloc(self->ctx, problem.n_out, sizeof *bias, &bias));
    TRY(ctx_alloc(self->ctx, problem.n_out, sizeof *new_bias, &new_bias));
    weight_rows(&view, 0, view.n_out, weight);
    for (int64_t o = 0; o < problem.n_out && small->bias >= 0; o++)
        bias[o] = small->bias_scale * tensor_value(self->graph->values[small->bias].constant, o);
    problem.rows = x.rows < z.rows ? x.rows : z.rows;
    problem.x = x.data;
    problem.y = targets;
    problem.weight = weight;
    problem.bias = small->bias >= 0 ? bias : NULL;
    function_behind(self->groups, at, &problem);
    if (problem.rows == 0) goto done;
    TRY(refit(self->ctx, &problem, self->ridge, new_weight, new_bias));
    TRY(store(self, small, new_weight, new_bias));
done:
    ctx_free(self->ctx, x.data);
    ctx_free(self->ctx, z.data);
    ctx_free(self->ctx, targets);
    ctx_free(self->ctx, weight);
    ctx_free(self->ctx, bias);
    ctx_free(self->ctx, new_weight);
    ctx_free(self->ctx, new_bias);
    return status;
}

/* True if the contraction reads what the original reads: its inputs are graph inputs alone. */
static bool reads_input(const reconstructor *self, const contraction *at)
{
    const label_array *labels = labels_of(self->groups->labels, at->input);
    for (int a = 0; a < labels->rank; a++)
        if (labels->dims[a] > 1) return false;
    return labels->rank >= 0 && labels->ids[0] == LABEL_FROZEN &&
           self->original->values[at->input].producer < 0;
}

coset_status reconstruct(coset_ctx *ctx, const coset_graph *original, const graph_groups *groups,
                         const coset_plan *plan, const batch_source *source,
                         const shape *sample_shapes, double ridge, coset_graph **small)
{
    coset_status status = COSET_OK;
    reconstructor self = {.ctx = ctx,
                          .original = original,
                          .groups = groups,
                          .plan = plan,
                          .source = source,
                          .sample_shapes = sample_shapes,
                          .ridge = ridge};
    TRY(graph_clone(ctx, *small, &self.graph));
    TRY(graph_check(ctx, self.graph));
    TRY(graph_infer(ctx, self.graph, NULL, &self.small_facts));
    TRY(groups_find(ctx, self.graph, self.small_facts, &self.small_groups));
    TRY(ctx_alloc(ctx, self.graph->n_values, sizeof *self.small_of, &self.small_of));
    for (int64_t v = 0; v < self.graph->n_values; v++) self.small_of[v] = -1;
    for (int64_t c = 0; c < self.small_groups->n_contractions; c++)
        self.small_of[self.small_groups->contractions[c].result] = (int32_t)c;
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        const contraction *at = &groups->contractions[c];
        const contraction *now = find_small(&self, at);
        ctx_progress(ctx, "reconstructing", c, groups->n_contractions);
        if (reads_input(&self, at) || !refittable(&self, now)) continue;
        TRY(refit_one(&self, at, now));
    }
    ctx_progress(ctx, "reconstructing", groups->n_contractions, groups->n_contractions);
    coset_graph_free(ctx, *small);
    *small = self.graph;
    self.graph = NULL;
done:
    ctx_free(ctx, self.small_of);
    groups_free(ctx, self.small_groups);
    graph_facts_free(ctx, self.small_facts);
    coset_graph_free(ctx, self.graph);
    return status;
}
