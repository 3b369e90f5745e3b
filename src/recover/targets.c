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
enum { SAMPLES_MIN = 256 };

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

static coset_status choose_value(coset_ctx *ctx, const coset_graph *graph,
                                 const graph_groups *groups, const layer *at, layer_target *self)
{
    int32_t c = groups->contraction_of[at->out_slot];
    self->by_channels = layer_columns(at) > COLUMNS_MAX;
    if (self->by_channels) {
        self->value = at->input;
        return c < 0 ? COSET_OK
                     : channels_find(ctx, groups, &groups->contractions[c], &self->channels);
    }
    self->value = at->result;
    self->sum = other_branch(graph, at) >= 0;
    if (self->sum) self->value = graph->nodes[graph->values[at->result].consumers[0]].outputs[0];
    function_of_readers(graph, self->value, self);
    return COSET_OK;
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

static row_form form_of(const layer *at, const layer_target *of, int64_t batch)
{
    return (row_form){.axis = of->by_channels ? at->input_axis : at->output_axis,
                      .units = of->by_channels ? &of->channels : NULL,
                      .batch = batch};
}

/* For refits of so many columns; width: elements of the widest row. */
static int64_t rows_wanted(int64_t columns, int64_t width)
{
    int64_t rows = ROWS_PER_COLUMN * columns;
    if (rows < ROWS_MIN) rows = ROWS_MIN;
    return least(least(rows, ROWS_MAX), REFIT_ELEMENTS / width);
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

/* Shapes at the runner's batch say how many rows a target can have; they are 0 where it cannot be read. */
static void choose_rows(const batch_runner *runner, int64_t l, recovery_targets *self)
{
    const layer *at = &self->layers[l];
    layer_target *of = &self->of[l];
    const shape *values = batch_shape(runner, of->value), *own = batch_shape(runner, at->result);
    if (of->sum && (values == NULL || own == NULL || !shape_equal(values, own))) {
        of->sum = false;
        of->value = at->result;
        values = own;
        function_of_readers(self->original, of->value, of);
    }
    int64_t columns = of->by_channels ? of->channels.n : layer_columns(at);
    if (values == NULL || values->rank < 0 || at->normalises || columns < 1 ||
        columns > COLUMNS_MAX)
        return;
    row_form form = form_of(at, of, batch_size(runner));
    int64_t positions = row_form_positions(&form, values);
    of->width = of->by_channels ? columns : at->view.n_out;
    if (positions < 1 || row_form_width(&form, values) != of->width) return;
    int64_t widest = of->by_channels ? columns : columns * at->groups;
    int64_t rows = rows_wanted(columns, widest > of->width ? widest : of->width);
    of->choice = (row_choice){.samples = self->source.samples,
                              .positions = positions,
                              .rows = least(rows, self->source.samples * positions),
                              .stream = (uint64_t)l};
}

static void choose_all_rows(const batch_runner *runner, recovery_targets *self)
{
    int64_t bytes = 0;
    for (int64_t l = 0; l < self->n; l++) {
        choose_rows(runner, l, self);
        bytes += self->of[l].choice.rows * self->of[l].width * (int64_t)sizeof(float);
    }
    for (int64_t l = 0; l < self->n && bytes > TARGETS_BYTES; l++)
        self->of[l].choice.rows =
            (int64_t)((double)self->of[l].choice.rows * (double)TARGETS_BYTES / (double)bytes);
}

typedef struct target_visit {
    const recovery_targets *targets;
    const batch_runner *runner;
} target_visit;

static coset_status read_targets(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                                 const executor *values)
{
    const target_visit *self = user;
    for (int64_t l = 0; l < self->targets->n; l++) {
        const layer_target *of = &self->targets->of[l];
        if (of->choice.rows == 0) continue;
        const array *at = executor_value(values, of->value);
        if (!dtype_is_float(at->dtype))
            return ctx_fail(ctx, COSET_EUNSUPPORTED, "value '%s' does not hold floats",
                            self->targets->original->values[of->value].name);
        /* The last batch may come in a shorter array. */
        int64_t elements = shape_product(&at->shape, 0, at->shape.rank);
        row_form form = form_of(&self->targets->layers[l], of,
                                elements / batch_sample_elements(self->runner, of->value));
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
    target_visit visit = {.targets = self};
    TRY(ctx_alloc(ctx, 2 * self->n, sizeof *taps, &taps));
    for (int64_t l = 0; l < self->n; l++) {
        taps[2 * l] = self->of[l].value;
        taps[2 * l + 1] = self->layers[l].result;
    }
    TRY(batch_runner_new(ctx, self->original, sample_shapes, 0, taps, 2 * self->n, &runner));
    visit.runner = runner;
    choose_all_rows(runner, self);
    for (int64_t l = 0; l < self->n; l++) {
        self->of[l].choice.seed = ctx->seed;
        TRY(ctx_alloc_raw(ctx, self->of[l].choice.rows * self->of[l].width, sizeof(float),
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
    for (int64_t l = 0; l < self->n; l++)
        TRY(choose_value(ctx, original, groups, &self->layers[l], &self->of[l]));
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
    for (int64_t l = 0; self->of != NULL && l < self->n; l++) {
        ctx_free(ctx, self->of[l].rows);
        ctx_free(ctx, self->of[l].channels.index);
    }
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
    coset_status status = COSET_OK;
    tensor *stored = NULL;
    TRY(layer_store(ctx, self->graph, at, weight, &stored));
    TRY(recovery_set(ctx, self, at, stored, bias));
done:
    tensor_release(ctx, stored);
    return status;
}

coset_status recovery_set(coset_ctx *ctx, recovery *self, const layer *at, tensor *stored,
                          const double *bias)
{
    coset_status status = layer_set(ctx, self->graph, at, stored, bias);
    if (status == COSET_OK) status = lanes_reload(self->lanes, at->weight);
    if (status == COSET_OK && at->bias >= 0) status = lanes_reload(self->lanes, at->bias);
    return status;
}
