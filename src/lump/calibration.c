/* Collects what methods and recovery need to know of a model's activations. */
#include "lump/calibrator.h"
#include "lump/kinds.h"

/* ---- what is asked for --------------------------------------------------------------------------- */

static coset_status want(calibrator *self, const stats_moments *item, int64_t what)
{
    coset_status status = COSET_OK;
    coset_dtype dtype = graph_fact(self->facts, item->of.value)->dtype;
    if (self->asked[what] || (dtype != COSET_UNDEFINED && !dtype_is_float(dtype))) return COSET_OK;
    TRY(ctx_reserve(self->ctx, &self->wanted, &self->wanted_capacity, self->n_wanted + 1,
                    sizeof *self->wanted));
    TRY(ctx_reserve(self->ctx, &self->what, &self->what_capacity, self->n_wanted + 1,
                    sizeof *self->what));
    self->asked[what] = true;
    self->wanted[self->n_wanted] = *item;
    self->what[self->n_wanted++] = what;
done:
    return status;
}

static coset_status want_features(calibrator *self, int32_t value, int axis)
{
    const stats_moments item = {.of = {0, value, axis}};
    return want(self, &item, value);
}

/* Counts a matrix of a block's units. */
static void count_matrix(calibrator *self, int64_t b)
{
    int64_t n = block_at(self, b)->n;
    int64_t bytes = n < INT32_MAX ? n * n * (int64_t)sizeof(double) : INT64_MAX / 4;
    if (bytes > self->largest) self->largest_block = b;
    if (bytes > self->largest) self->largest = bytes;
    if (self->matrices < CALIBRATION_BYTES) self->matrices += bytes;
}

static coset_status want_units(calibrator *self, int64_t b, moments_map map, float parameter)
{
    const unit_block *block = block_at(self, b);
    int64_t n_values = self->graph->n_values, n_blocks = self->out->blocks->n;
    const stats_moments item = {.of = {0, block->value, block->axis},
                                .index = block->index,
                                .units = block->n,
                                .repeats = block->repeats,
                                .second = true,
                                .map = map,
                                .parameter = parameter};
    int64_t what = n_values + b + (map != NULL ? n_blocks : 0);
    if (!self->asked[what]) count_matrix(self, b);
    return want(self, &item, what);
}

/* What one reader of a block needs to know. */
static coset_status want_for_reader(calibrator *self, int64_t b, int32_t node_id, int32_t k)
{
    coset_status status = COSET_OK;
    const unit_block *block = block_at(self, b);
    const graph_node *node = &self->graph->nodes[node_id];
    flow_kind kind = error_kind(self, node_id, k);
    int64_t behind = error_block_behind(self, node, b, 0);
    float parameter = 0;
    if (kind == FLOW_CONTRACT) {
        const contraction *at = &self->groups->contractions[self->contracts[node_id]];
        if (!error_all_carried(self, at->output))
            TRY(want_features(self, at->output, at->output_axis));
        if (!calibrator_cuts(self, b)) goto done;
        count_matrix(self, b); /* the metric */
        TRY(want_units(self, b, NULL, 0));
        goto done;
    }
    bool known = (kind == FLOW_PASS || kind == FLOW_SHARE || kind == FLOW_FUNCTION) &&
                 (kind == FLOW_PASS ? error_passes_on(self, node, b) : behind >= 0);
    if (!known) TRY(want_features(self, block->value, block->axis));
    if (kind == FLOW_STOP || behind < 0) goto done;
    if (kind == FLOW_MEAN)
        TRY(want_features(self, block_at(self, behind)->value, block_at(self, behind)->axis));
    if (kind == FLOW_FUNCTION) {
        moments_map slope = flow_slope(node, &parameter);
        TRY(want_units(self, behind, slope, parameter));
    }
    if (kind == FLOW_PRODUCT) {
        int64_t other = unit_block_find(self->out->blocks, node->inputs[1 - k], block->group);
        if (error_carried(self, other)) TRY(want_units(self, other, NULL, 0));
    }
done:
    return status;
}

static coset_status want_all(calibrator *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    for (int64_t c = 0; c < self->groups->n_contractions; c++) {
        const contraction *at = &self->groups->contractions[c];
        TRY(want_features(self, at->input, at->input_axis));
    }
    for (int32_t n = 0; n < graph->n_nodes; n++)
        for (int32_t k = 0; k < graph->nodes[n].n_inputs; k++) {
            int32_t v = graph->nodes[n].inputs[k];
            for (int64_t b = v < 0 ? 0 : self->out->blocks->first[v];
                 v >= 0 && b < self->out->blocks->first[v + 1]; b++)
                TRY(want_for_reader(self, b, n, k));
        }
    for (int64_t o = 0; o < graph->n_outputs; o++) {
        int32_t v = graph->outputs[o];
        for (int64_t b = self->out->blocks->first[v]; b < self->out->blocks->first[v + 1]; b++)
            TRY(want_features(self, v, block_at(self, b)->axis));
    }
    if (self->matrices > CALIBRATION_BYTES) {
        const unit_block *block = block_at(self, self->largest_block);
        FAIL(self->ctx, COSET_ELIMIT,
             "%s: the second moments of all unit groups would take more than %lld MB; the largest "
             "are those of the %lld units of group '%s' in value '%s'",
             graph->name, (long long)(CALIBRATION_BYTES >> 20), (long long)block->n,
             self->groups->groups[block->group].name, graph->values[block->value].name);
    }
done:
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static coset_status prepare(calibrator *self, const batch_source *source)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    calibration *out = self->out;
    coset_ctx *ctx = self->ctx;
    out->n_values = graph->n_values;
    out->n_contractions = self->groups->n_contractions;
    out->samples = source->samples;
    TRY(unit_blocks_find(ctx, graph, self->groups, &out->blocks));
    int64_t n_blocks = out->blocks->n;
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *out->of_value, &out->of_value));
    TRY(ctx_alloc(ctx, n_blocks, sizeof *out->units, &out->units));
    TRY(ctx_alloc(ctx, out->n_contractions + 1, sizeof *out->metric_first, &out->metric_first));
    for (int64_t c = 0; c < out->n_contractions; c++) {
        const int64_t *first = out->blocks->first + self->groups->contractions[c].input;
        out->metric_first[c + 1] = out->metric_first[c] + first[1] - first[0];
    }
    TRY(ctx_alloc(ctx, out->metric_first[out->n_contractions], sizeof *out->metric, &out->metric));
    TRY(ctx_alloc(ctx, n_blocks, sizeof *self->slopes, &self->slopes));
    TRY(ctx_alloc(ctx, n_blocks, sizeof *self->cost, &self->cost));
    TRY(ctx_alloc(ctx, graph->n_values + 2 * n_blocks, sizeof *self->asked, &self->asked));
    TRY(ctx_alloc_raw(ctx, graph->n_nodes, sizeof *self->contracts, &self->contracts));
    for (int64_t n = 0; n < graph->n_nodes; n++) self->contracts[n] = -1;
    for (int64_t c = 0; c < out->n_contractions; c++)
        self->contracts[self->groups->contractions[c].node] = (int32_t)c;
done:
    return status;
}

/* Puts every moment in its place. */
static void take_results(calibrator *self)
{
    int64_t n_values = self->graph->n_values, n_blocks = self->out->blocks->n;
    for (int64_t i = 0; i < self->n_wanted; i++) {
        int64_t what = self->what[i];
        moments **place = what < n_values              ? &self->out->of_value[what]
                          : what < n_values + n_blocks ? &self->out->units[what - n_values]
                                                       : &self->slopes[what - n_values - n_blocks];
        *place = self->wanted[i].result;
        self->wanted[i].result = NULL;
    }
}

static void calibrator_free(calibrator *self)
{
    coset_ctx *ctx = self->ctx;
    int64_t n_blocks = self->out != NULL && self->out->blocks != NULL ? self->out->blocks->n : 0;
    for (int64_t b = 0; b < n_blocks; b++) {
        if (self->slopes != NULL) moments_free(ctx, self->slopes[b]);
        if (self->cost != NULL) ctx_free(ctx, self->cost[b]);
    }
    ctx_free(ctx, self->slopes);
    ctx_free(ctx, self->cost);
    ctx_free(ctx, self->asked);
    ctx_free(ctx, self->contracts);
    ctx_free(ctx, self->what);
    ctx_free(ctx, self->wanted);
}

const double *calibration_metric(const calibration *self, int64_t c, int64_t block)
{
    const unit_block *at = &self->blocks->of[block];
    return self->metric[self->metric_first[c] + block - self->blocks->first[at->value]];
}

coset_status calibration_collect(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                                 const graph_groups *groups, const batch_source *source,
                                 const shape *sample_shapes, unsigned kinds,
                                 calibration **calibration_out)
{
    coset_status status = COSET_OK;
    calibrator self = {.ctx = ctx, .graph = graph, .groups = groups, .facts = facts};
    calibration_kinds besides = {.n_signs = 0};
    *calibration_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self.out, &self.out));
    TRY(prepare(&self, source));
    TRY(want_all(&self));
    stats_job job = {.graphs = &graph,
                     .n_graphs = 1,
                     .source = source,
                     .sample_shapes = sample_shapes,
                     .moments = self.wanted,
                     .n_moments = self.n_wanted,
                     .stage = "calibrating"};
    TRY(calibration_kinds_ask(ctx, graph, facts, groups, kinds, self.out, &besides, &job));
    TRY(stats_collect(ctx, &job));
    take_results(&self);
    calibration_kinds_take(&besides, self.out);
    TRY(error_flow(&self));
done:
    calibration_kinds_clear(ctx, &besides);
    calibrator_free(&self);
    if (status == COSET_OK)
        *calibration_out = self.out;
    else
        calibration_free(ctx, self.out);
    return status;
}

void calibration_free(coset_ctx *ctx, calibration *self)
{
    if (self == NULL) return;
    for (int64_t m = 0; self->metric != NULL && m < self->metric_first[self->n_contractions]; m++)
        ctx_free(ctx, self->metric[m]);
    for (int64_t b = 0; self->units != NULL && b < self->blocks->n; b++)
        moments_free(ctx, self->units[b]);
    for (int64_t v = 0; self->of_value != NULL && v < self->n_values; v++)
        moments_free(ctx, self->of_value[v]);
    for (int64_t c = 0; self->signs != NULL && c < self->n_contractions; c++)
        sign_counts_free(ctx, self->signs[c]);
    for (int64_t g = 0; self->pairs != NULL && g < self->n_groups; g++)
        pair_moments_free(ctx, self->pairs[g]);
    for (int64_t g = 0; self->skips != NULL && g < self->n_groups; g++) {
        cross_moments_free(ctx, self->skips[g].of_units);
        cross_moments_free(ctx, self->skips[g].of_inputs);
    }
    ctx_free(ctx, self->signs);
    ctx_free(ctx, self->pairs);
    ctx_free(ctx, self->skips);
    ctx_free(ctx, self->metric);
    ctx_free(ctx, self->metric_first);
    ctx_free(ctx, self->units);
    ctx_free(ctx, self->of_value);
    unit_blocks_free(ctx, self->blocks);
    ctx_free(ctx, self);
}
