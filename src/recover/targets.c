#include "recover/targets.h"

#include <string.h>

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

/* The one function of all readers of a value. */
static void function_of_readers(const coset_graph *graph, int32_t value, layer_target *self)
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

int32_t other_branch(const coset_graph *graph, const layer *at)
{
    int32_t other = other_operand(graph, at->result);
    return other >= 0 && graph->values[other].producer < at->node ? other : -1;
}

static void choose_value(const coset_graph *graph, const layer *at, layer_target *self)
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
static void choose_rows(const batch_runner *runner, recovery_targets *self)
{
    int64_t bytes = 0;
    for (int64_t l = 0; l < self->n; l++) {
        const layer *at = &self->layers[l];
        layer_target *of = &self->of[l];
        row_form form = {.axis = at->output_axis, .batch = batch_size(runner)};
        const shape *sum = batch_shape(runner, of->value), *own = batch_shape(runner, at->result);
        if (own == NULL || own->rank < 0 || at->normalises || layer_columns(at) > COLUMNS_MAX)
            continue;
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
    recovery_targets *targets;
    int64_t batch;
} target_visit;

static coset_status read_targets(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                                 const executor *values)
{
    const target_visit *self = user;
    for (int64_t l = 0; l < self->targets->n; l++) {
        layer_target *of = &self->targets->of[l];
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

static coset_status collect_targets(coset_ctx *ctx, recovery_targets *self,
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

coset_status recovery_targets_new(coset_ctx *ctx, const coset_graph *original,
                                  const graph_groups *groups, const batch_source *source,
                                  const shape *sample_shapes, recovery_targets **targets_out)
{
    coset_status status = COSET_OK;
    recovery_targets *self = NULL;
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
    recovery_targets_free(ctx, self);
    return status;
}

void recovery_targets_free(coset_ctx *ctx, recovery_targets *self)
{
    if (self == NULL) return;
    for (int64_t l = 0; self->of != NULL && l < self->n; l++) ctx_free(ctx, self->of[l].rows);
    ctx_free(ctx, self->of);
    ctx_free(ctx, self->layers);
    ctx_free(ctx, self);
}

/* ---- the compressed model ----------------------------------------------------------------------- */

coset_status recovery_open(coset_ctx *ctx, const recovery_targets *targets,
                           const coset_graph *small, recovery *self_out)
{
    coset_status status = COSET_OK;
    thin_source thin = targets->source;
    batch_source source = thin_source_of(&thin);
    name_map places = {0}; /* of targets by what the layer gives: nodes and values may be others */
    recovery self = {.graph = NULL};
    TRY(graph_clone(ctx, small, &self.graph));
    TRY(graph_check(ctx, self.graph));
    TRY(graph_infer(ctx, self.graph, NULL, &self.facts));
    TRY(groups_find(ctx, self.graph, self.facts, &self.groups));
    TRY(layers_list(ctx, self.graph, self.groups, &self.layers, &self.n));
    TRY(ctx_alloc(ctx, self.n, sizeof *self.place, &self.place));
    for (int64_t t = 0; t < targets->n; t++)
        TRY(name_map_set(ctx, &places, targets->original->values[targets->layers[t].result].name, t,
                         NULL));
    for (int64_t l = 0; l < self.n; l++)
        self.place[l] =
            (int32_t)name_map_get(&places, self.graph->values[self.layers[l].result].name, -1);
    TRY(lanes_new(ctx, self.graph, &source, thin.sample_shapes, &self.lanes));
done:
    name_map_free(ctx, &places);
    *self_out = self;
    return status;
}

void recovery_close(coset_ctx *ctx, recovery *self)
{
    lanes_free(ctx, self->lanes);
    ctx_free(ctx, self->place);
    ctx_free(ctx, self->layers);
    groups_free(ctx, self->groups);
    graph_facts_free(ctx, self->facts);
    coset_graph_free(ctx, self->graph);
    *self = (recovery){.graph = NULL};
}

coset_status recovery_write(coset_ctx *ctx, recovery *self, const layer *at, const double *weight,
                            const double *bias)
{
    coset_status status = layer_write(ctx, self->graph, at, weight, bias);
    if (status == COSET_OK) status = lanes_reload(self->lanes, at->weight);
    if (status == COSET_OK && at->bias >= 0) status = lanes_reload(self->lanes, at->bias);
    return status;
}
