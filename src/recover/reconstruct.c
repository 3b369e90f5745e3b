#include "recover/reconstruct.h"

#include <string.h>

#include "lump/axis.h"
#include "recover/refit.h"
#include "recover/sample_rows.h"

typedef struct reconstructor {
    coset_ctx *ctx;
    const coset_graph *original;
    const graph_groups *groups;
    const coset_plan *plan;
    const reconstruct_targets *targets;
    const batch_source *source;
    const shape *sample_shapes;
    double ridge;
    coset_graph *graph; /* being refitted */
    graph_facts *small_facts;
    graph_groups *small_groups;
    int32_t *small_of; /* [values of graph] contraction of small_groups with this result; -1 */
} reconstructor;

/* ---- targets ------------------------------------------------------------------------------------- */

struct reconstruct_targets {
    int64_t n;
    sample_rows *of; /* [n_contractions] pre-activations of the original; data NULL: not kept */
};

/* All targets of a model together may take this many bytes; beyond, each is sampled when needed. */
#define TARGETS_MAX ((int64_t)256 << 20)

coset_status reconstruct_targets_new(coset_ctx *ctx, const coset_graph *original,
                                     const graph_groups *groups, const batch_source *source,
                                     const shape *sample_shapes, reconstruct_targets **targets_out)
{
    coset_status status = COSET_OK;
    reconstruct_targets *self = NULL;
    int64_t bytes = 0;
    *targets_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n = groups->n_contractions;
    TRY(ctx_alloc(ctx, self->n, sizeof *self->of, &self->of));
    for (int64_t c = 0; c < self->n; c++) {
        const contraction *at = &groups->contractions[c];
        self->of[c] = (sample_rows){.value = at->result, .axis = at->output_axis};
        int64_t rows = source->samples < SAMPLE_ROWS_MAX ? source->samples : SAMPLE_ROWS_MAX;
        bytes += rows * groups->slots[at->out_slot].size * (int64_t)sizeof(double);
    }
    if (bytes <= TARGETS_MAX)
        TRY(sample_rows_collect(ctx, original, source, sample_shapes, self->of, self->n));
    *targets_out = self;
    self = NULL;
done:
    reconstruct_targets_free(ctx, self);
    return status;
}

void reconstruct_targets_free(coset_ctx *ctx, reconstruct_targets *self)
{
    if (self == NULL) return;
    sample_rows_free(ctx, self->of, self->n);
    ctx_free(ctx, self->of);
    ctx_free(ctx, self);
}

/* ---- one contraction ---------------------------------------------------------------------------- */

/* The contraction of the small model with the same result: values keep their ids. */
static const contraction *find_small(const reconstructor *self, const contraction *at)
{
    int32_t index = self->small_of[at->result];
    return index >= 0 ? &self->small_groups->contractions[index] : NULL;
}

/* Targets of the new units: R times the original pre-activations, row by row. */
static coset_status reduce_targets(reconstructor *self, const contraction *at, const sample_rows *z,
                                   double **targets_out, int64_t *width_out)
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
    if (small == NULL) return false;
    const graph_value *weight = &graph->values[small->weight];
    if (weight->n_consumers != 1 || weight->is_output) return false;
    const graph_value *bias = small->bias >= 0 ? &graph->values[small->bias] : NULL;
    if (bias != NULL && (bias->n_consumers != 1 || bias->is_output)) return false;
    return graph->values[small->weight].constant->shape.rank == 2 && small->scale != 0 &&
           small->bias_scale != 0;
}

static coset_status refit_one(reconstructor *self, const contraction *at, const contraction *small)
{
    coset_status status = COSET_OK;
    sample_rows x = {.value = small->input, .axis = small->input_axis}, own = {.data = NULL};
    const sample_rows *z = &self->targets->of[at - self->groups->contractions];
    double *targets = NULL, *weight = NULL, *bias = NULL, *new_weight = NULL, *new_bias = NULL;
    weight_view view = contraction_weight(self->graph, self->small_groups, small);
    refit_problem problem = {.n_in = view.n_in};
    TRY(sample_rows_collect(self->ctx, self->graph, self->source, self->sample_shapes, &x, 1));
    if (z->data == NULL) {
        own = *z;
        TRY(sample_rows_collect(self->ctx, self->original, self->source, self->sample_shapes, &own,
                                1));
        z = &own;
    }
    TRY(reduce_targets(self, at, z, &targets, &problem.n_out));
    TRY(ctx_alloc_raw(self->ctx, problem.n_out * problem.n_in, sizeof *weight, &weight));
    TRY(ctx_alloc_raw(self->ctx, problem.n_out * problem.n_in, sizeof *new_weight, &new_weight));
    TRY(ctx_alloc(self->ctx, problem.n_out, sizeof *bias, &bias));
    TRY(ctx_alloc(self->ctx, problem.n_out, sizeof *new_bias, &new_bias));
    weight_rows(&view, 0, view.n_out, weight);
    for (int64_t o = 0; o < problem.n_out && small->bias >= 0; o++)
        bias[o] = small->bias_scale * tensor_value(self->graph->values[small->bias].constant, o);
    problem.rows = x.rows < z->rows ? x.rows : z->rows;
    problem.x = x.data;
    problem.y = targets;
    problem.weight = weight;
    problem.bias = small->bias >= 0 ? bias : NULL;
    function_behind(self->groups, at, &problem);
    if (problem.rows == 0) goto done;
    TRY(refit(self->ctx, &problem, self->ridge, new_weight, new_bias));
    TRY(store(self, small, new_weight, new_bias));
done:
    sample_rows_free(self->ctx, &x, 1);
    sample_rows_free(self->ctx, &own, 1);
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
                         const coset_plan *plan, const reconstruct_targets *targets,
                         const batch_source *source, const shape *sample_shapes,
                         const coset_graph *small, double ridge, coset_graph **refitted_out)
{
    coset_status status = COSET_OK;
    reconstructor self = {.ctx = ctx,
                          .original = original,
                          .groups = groups,
                          .plan = plan,
                          .targets = targets,
                          .source = source,
                          .sample_shapes = sample_shapes,
                          .ridge = ridge};
    *refitted_out = NULL;
    TRY(graph_clone(ctx, small, &self.graph));
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
    *refitted_out = self.graph;
    self.graph = NULL;
done:
    ctx_free(ctx, self.small_of);
    groups_free(ctx, self.small_groups);
    graph_facts_free(ctx, self.small_facts);
    coset_graph_free(ctx, self.graph);
    return status;
}
