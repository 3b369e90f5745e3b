#include "recover/reconstruct.h"

#include <string.h>

#include "exec/lanes.h"
#include "lump/axis.h"
#include "recover/layer.h"
#include "recover/refit.h"
#include "recover/sample_rows.h"

/* A refit takes this many rows for each column of its inputs if there are so many, and not so many that a
 * matrix of rows gets more elements than REFIT_ELEMENTS. */
enum { ROWS_PER_COLUMN = 32, ROWS_MIN = 1 << 13, ROWS_MAX = 1 << 16, REFIT_ELEMENTS = 1 << 24 };
/* Targets of all layers together: beyond it every layer gets fewer rows. */
#define TARGETS_BYTES ((int64_t)512 << 20)
/* Samples are left out until a run of the original costs no more than so many multiply-accumulates, while
 * SAMPLES_MIN are left, and until the workspaces of all of them fit in LANES_BYTES. */
#define RUN_MACS ((int64_t)1 << 35)
#define LANES_BYTES ((int64_t)1 << 30)
enum { SAMPLES_MIN = 256, COLUMNS_MAX = 4096 };

/* ---- targets ------------------------------------------------------------------------------------- */

/* What a layer of the original should give after the cut. */
typedef struct target {
    row_choice choice; /* rows 0: it is left as it is */
    int32_t value;     /* the pre-activations, or their sum with another branch */
    bool sum;
    unit_function function; /* of the value's readers */
    float leak;
    float *rows; /* (choice.rows, n_out) of the value in the original */
} target;

struct reconstruct_targets {
    const coset_graph *original;
    const graph_groups *groups;
    thin_source source; /* samples that are looked at */
    layer *layers;
    int64_t n;
    target *of; /* [n] */
};

/* The one function of all readers of a value. */
static void function_of_readers(const coset_graph *graph, int32_t value, target *self)
{
    const graph_value *at = &graph->values[value];
    self->function = UNIT_OTHER;
    for (int32_t c = 0; c < at->n_consumers; c++) {
        const graph_node *node = &graph->nodes[at->consumers[c]];
        unit_function here = UNIT_OTHER;
        float leak = 0;
        if (strcmp(node->op_type, "Relu") == 0) here = UNIT_RELU;
        if (strcmp(node->op_type, "LeakyRelu") == 0) {
            here = UNIT_RELU;
            leak = node_attr_float(node, "alpha", 0.01f);
        }
        if (strcmp(node->op_type, "Tanh") == 0) here = UNIT_ODD;
        if (strcmp(node->op_type, "Sigmoid") == 0) here = UNIT_LOGISTIC;
        if (at->is_output || (c > 0 && (here != self->function || leak != self->leak))) {
            self->function = UNIT_OTHER;
            return;
        }
        self->function = here;
        self->leak = leak;
    }
}

/* The other operand of an addition of two activations that alone reads a value; -1: there is none. */
static int32_t other_operand(const coset_graph *graph, int32_t value)
{
    const graph_value *at = &graph->values[value];
    if (at->n_consumers != 1 || at->is_output) return -1;
    const graph_node *node = &graph->nodes[at->consumers[0]];
    if (strcmp(node->op_type, "Add") != 0 || node->n_inputs != 2) return -1;
    int32_t other = node->inputs[node->inputs[0] == value];
    return other < 0 || other == value || graph->values[other].constant != NULL ? -1 : other;
}

/* The other branch of a sum, if it is there before the layer runs; -1: not so. */
static int32_t other_branch(const coset_graph *graph, const layer *at)
{
    int32_t other = other_operand(graph, at->result);
    return other >= 0 && graph->values[other].producer < at->node ? other : -1;
}

static void choose_value(const coset_graph *graph, const layer *at, target *self)
{
    self->value = at->result;
    self->sum = other_branch(graph, at) >= 0;
    if (self->sum) self->value = graph->nodes[graph->values[at->result].consumers[0]].outputs[0];
    function_of_readers(graph, self->value, self);
}

/* True if the layer reads what the original reads: its inputs are graph inputs alone. */
static bool reads_input(const coset_graph *graph, const graph_groups *groups, const layer *at)
{
    const label_array *labels = labels_of(groups->labels, at->input);
    for (int a = 0; a < labels->rank; a++)
        if (labels->dims[a] > 1) return false;
    return labels->rank >= 0 && labels->ids[0] == LABEL_FROZEN &&
           graph->values[at->input].producer < 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t rows_wanted(const layer *at)
{
    int64_t columns = layer_columns(at), all = columns * at->groups;
    int64_t rows = ROWS_PER_COLUMN * columns;
    if (at->view.n_out > all) all = at->view.n_out;
    if (rows < ROWS_MIN) rows = ROWS_MIN;
    return least(least(rows, ROWS_MAX), REFIT_ELEMENTS / all);
}

/* How many samples are looked at. */
static coset_status choose_samples(coset_ctx *ctx, const coset_graph *graph,
                                   const batch_source *source, const shape *sample_shapes,
                                   int64_t *samples_out)
{
    coset_status status = COSET_OK;
    coset_graph_size size;
    int64_t bytes = 0, samples = source->samples;
    TRY(coset_graph_measure(ctx, graph, &size));
    TRY(lanes_bytes(ctx, graph, sample_shapes, &bytes));
    if (size.macs > 0 && samples > RUN_MACS / size.macs)
        samples =
            RUN_MACS / size.macs > SAMPLES_MIN ? RUN_MACS / size.macs : least(samples, SAMPLES_MIN);
    if (bytes > 0 && samples > LANES_BYTES / bytes) samples = LANES_BYTES / bytes;
    *samples_out = samples > 0 ? samples : least(source->samples, 1);
done:
    return status;
}

/* Shapes at the runner's batch say how many rows each target can have. */
static void choose_rows(const batch_runner *runner, reconstruct_targets *self)
{
    int64_t bytes = 0;
    for (int64_t l = 0; l < self->n; l++) {
        const layer *at = &self->layers[l];
        target *of = &self->of[l];
        row_form form = {.axis = at->output_axis, .batch = batch_size(runner)};
        const shape *sum = batch_shape(runner, of->value), *own = batch_shape(runner, at->result);
        if (own == NULL || own->rank < 0 || layer_columns(at) > COLUMNS_MAX) continue;
        int64_t positions = row_form_positions(&form, own);
        if (positions < 1 || row_form_width(&form, own) != at->view.n_out) continue;
        if (of->sum && (sum == NULL || !shape_equal(sum, own))) {
            of->sum = false;
            of->value = at->result;
            function_of_readers(self->original, of->value, of);
        }
        of->choice = (row_choice){.samples = self->source.samples,
                                  .positions = positions,
                                  .rows = least(rows_wanted(at), self->source.samples * positions),
                                  .stream = (uint64_t)l};
        bytes += of->choice.rows * at->view.n_out * (int64_t)sizeof(float);
    }
    for (int64_t l = 0; l < self->n && bytes > TARGETS_BYTES; l++)
        self->of[l].choice.rows =
            (int64_t)((double)self->of[l].choice.rows * (double)TARGETS_BYTES / (double)bytes);
}

typedef struct target_visit {
    reconstruct_targets *targets;
    int64_t batch;
} target_visit;

static coset_status read_targets(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                                 const executor *values)
{
    const target_visit *self = user;
    for (int64_t l = 0; l < self->targets->n; l++) {
        target *of = &self->targets->of[l];
        const array *at = executor_value(values, of->value);
        if (of->choice.rows == 0) continue;
        if (!dtype_is_float(at->dtype))
            return ctx_fail(ctx, COSET_EUNSUPPORTED, "value '%s' does not hold floats",
                            self->targets->original->values[of->value].name);
        /* The last batch may come in a shorter array. */
        const shape *one = &at->shape;
        int64_t elements = shape_product(one, 0, one->rank);
        int64_t per_sample = of->choice.positions * self->targets->layers[l].view.n_out;
        row_form form = {.axis = self->targets->layers[l].output_axis,
                         .batch = elements / per_sample};
        rows_read(&form, at, &of->choice, first, count, of->rows);
    }
    return COSET_OK;
}

static coset_status collect_targets(coset_ctx *ctx, reconstruct_targets *self,
                                    const shape *sample_shapes)
{
    coset_status status = COSET_OK;
    batch_runner *runner = NULL;
    int32_t *taps = NULL;
    batch_source source = thin_source_of(&self->source);
    target_visit visit = {self, 0};
    TRY(ctx_alloc(ctx, 2 * self->n, sizeof *taps, &taps));
    for (int64_t l = 0; l < self->n; l++) {
        taps[2 * l] = self->of[l].value;
        taps[2 * l + 1] = self->layers[l].result;
    }
    TRY(batch_runner_new(ctx, self->original, sample_shapes, 0, taps, 2 * self->n, &runner));
    visit.batch = batch_size(runner);
    choose_rows(runner, self);
    for (int64_t l = 0; l < self->n; l++) {
        self->of[l].choice.seed = ctx->seed;
        TRY(ctx_alloc_raw(ctx, self->of[l].choice.rows * self->layers[l].view.n_out, sizeof(float),
                          &self->of[l].rows));
    }
    TRY(batch_run(ctx, runner, &source, NULL, read_targets, &visit));
done:
    ctx_free(ctx, taps);
    batch_runner_free(ctx, runner);
    return status;
}

coset_status reconstruct_targets_new(coset_ctx *ctx, const coset_graph *original,
                                     const graph_groups *groups, const batch_source *source,
                                     const shape *sample_shapes, reconstruct_targets **targets_out)
{
    coset_status status = COSET_OK;
    reconstruct_targets *self = NULL;
    layer *all = NULL;
    int64_t n = 0;
    *targets_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->original = original;
    self->groups = groups;
    self->source = (thin_source){source, original, sample_shapes, 0};
    TRY(choose_samples(ctx, original, source, sample_shapes, &self->source.samples));
    TRY(layers_list(ctx, original, groups, &all, &n));
    self->layers = all;
    for (int64_t l = 0; l < n; l++)
        if (!reads_input(original, groups, &all[l])) self->layers[self->n++] = all[l];
    TRY(ctx_alloc(ctx, self->n, sizeof *self->of, &self->of));
    for (int64_t l = 0; l < self->n; l++) choose_value(original, &self->layers[l], &self->of[l]);
    TRY(collect_targets(ctx, self, sample_shapes));
    *targets_out = self;
    self = NULL;
done:
    reconstruct_targets_free(ctx, self);
    return status;
}

void reconstruct_targets_free(coset_ctx *ctx, reconstruct_targets *self)
{
    if (self == NULL) return;
    for (int64_t l = 0; self->of != NULL && l < self->n; l++) ctx_free(ctx, self->of[l].rows);
    ctx_free(ctx, self->of);
    ctx_free(ctx, self->layers);
    ctx_free(ctx, self);
}

/* ---- one layer ---------------------------------------------------------------------------------- */

typedef struct reconstructor {
    coset_ctx *ctx;
    const reconstruct_targets *targets;
    const coset_plan *plan;
    double ridge;
    coset_graph *graph; /* being refitted */
    lanes *lanes;
} reconstructor;

/* Rows of what the layer reads (patches of a convolution) or of the other branch of its sum; NULL if the
 * value has not the positions of the target. */
static coset_status read_rows(reconstructor *self, const layer *now, int32_t value, int axis,
                              bool patches, const row_choice *choice, float **rows_out,
                              int64_t *width_out)
{
    coset_status status = COSET_OK;
    float *rows = NULL;
    row_form form = {.axis = axis, .patches = patches, .batch = lanes_batch(self->lanes)};
    *rows_out = NULL;
    for (int64_t i = 0; i < lanes_count(self->lanes); i++) {
        int64_t first = 0, count = 0;
        const executor *run = lanes_take(self->lanes, i, &first, &count);
        const array *values = executor_operand(run, value);
        if (values == NULL || !dtype_is_float(values->dtype)) goto done;
        if (rows == NULL) {
            if (patches)
                TRY(layer_window(self->ctx, self->graph, now, &values->shape, &form.window));
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

/* R times the rows of the original. */
static coset_status reduce_rows(reconstructor *self, const layer *at, const target *of,
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
static coset_status prepare_fit(reconstructor *self, const layer *at, const target *of,
                                const layer *now, layer_fit *fit, bool *ready_out)
{
    coset_status status = COSET_OK;
    int64_t other_width = 0;
    *ready_out = false;
    TRY(read_rows(self, now, now->input, now->input_axis, now->windows, &of->choice, &fit->x,
                  &fit->x_width));
    if (fit->x == NULL || fit->x_width != layer_columns(now) * now->groups) goto done;
    TRY(reduce_rows(self, at, of, &fit->goal, &fit->width));
    if (fit->width != now->view.n_out) goto done;
    if (of->sum) {
        int32_t other = other_branch(self->graph, now);
        if (other < 0) goto done;
        TRY(read_rows(self, now, other, now->output_axis, false, &of->choice, &fit->other,
                      &other_width));
        if (fit->other == NULL || other_width != fit->width) goto done;
    }
    TRY(allocate_weights(self->ctx, now, fit));
    layer_read(self->graph, now, 0, now->view.n_out, fit->weight, fit->bias);
    *ready_out = true;
done:
    return status;
}

static coset_status refit_layer(reconstructor *self, const layer *at, const target *of,
                                const layer *now)
{
    coset_status status = COSET_OK;
    layer_fit fit = {NULL};
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
    TRY(layer_write(self->ctx, self->graph, now, fit.new_weight, fit.new_bias));
    TRY(lanes_reload(self->lanes, now->weight));
    if (now->bias >= 0) TRY(lanes_reload(self->lanes, now->bias));
done:
    layer_fit_free(self->ctx, &fit);
    return status;
}

/* ---- the whole model ---------------------------------------------------------------------------- */

/* Refits the layers of the small model in its own order: place[v] is the target whose value v is. */
static coset_status refit_layers(reconstructor *self, const layer *layers, int64_t n,
                                 const int32_t *place)
{
    coset_status status = COSET_OK;
    const reconstruct_targets *targets = self->targets;
    for (int64_t l = 0; l < n; l++) {
        int32_t t = place[layers[l].result];
        ctx_progress(self->ctx, "reconstructing", l, n);
        if (t < 0 || targets->of[t].choice.rows == 0 || !lanes_run(self->lanes, layers[l].node))
            continue;
        TRY(lanes_advance(self->lanes, layers[l].node));
        TRY(refit_layer(self, &targets->layers[t], &targets->of[t], &layers[l]));
    }
    ctx_progress(self->ctx, "reconstructing", n, n);
done:
    return status;
}

coset_status reconstruct(coset_ctx *ctx, const coset_plan *plan, const reconstruct_targets *targets,
                         const coset_graph *small, double ridge, coset_graph **refitted_out)
{
    coset_status status = COSET_OK;
    reconstructor self = {.ctx = ctx, .targets = targets, .plan = plan, .ridge = ridge};
    thin_source thin = targets->source;
    batch_source source = thin_source_of(&thin);
    graph_facts *facts = NULL;
    graph_groups *groups = NULL;
    layer *layers = NULL;
    int32_t *place = NULL;
    int64_t n = 0;
    *refitted_out = NULL;
    TRY(graph_clone(ctx, small, &self.graph));
    TRY(graph_check(ctx, self.graph));
    TRY(graph_infer(ctx, self.graph, NULL, &facts));
    TRY(groups_find(ctx, self.graph, facts, &groups));
    TRY(layers_list(ctx, self.graph, groups, &layers, &n));
    TRY(ctx_alloc_raw(ctx, self.graph->n_values, sizeof *place, &place));
    for (int64_t v = 0; v < self.graph->n_values; v++) place[v] = -1;
    for (int64_t t = 0; t < targets->n; t++) place[targets->layers[t].result] = (int32_t)t;
    TRY(lanes_new(ctx, self.graph, &source, thin.sample_shapes, &self.lanes));
    TRY(refit_layers(&self, layers, n, place));
    *refitted_out = self.graph;
    self.graph = NULL;
done:
    lanes_free(ctx, self.lanes);
    ctx_free(ctx, place);
    ctx_free(ctx, layers);
    groups_free(ctx, groups);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, self.graph);
    return status;
}
