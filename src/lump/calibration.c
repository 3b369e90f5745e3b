/* Collects what methods and recovery need to know of a model's activations. */
#include <math.h>
#include <string.h>

#include "lump/flow.h"
#include "lump/kinds.h"
#include "lump/metric.h"
#include "lump/sites.h"

/* Costs of groups with more units are not carried on: what lies in front counts errors anew. */
enum { COST_UNITS_MAX = 4096 };

/* What a moment is of: features of value v, units of block b, slopes at block b, one after the other. */
typedef struct calibrator {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_groups *groups;
    calibration *out;
    const graph_facts *facts;
    int32_t *contracts; /* [n_nodes] contraction of a node; -1: none */
    moments **slopes;   /* [blocks] of the activation that gives the value; NULL: not needed */
    double **cost;      /* [blocks] A; NULL: zero so far */
    bool *asked;        /* [values + 2 blocks] */
    int64_t *what;      /* [n_wanted] index into asked */
    stats_moments *wanted;
    int64_t n_wanted, what_capacity, wanted_capacity;
    int64_t matrices; /* bytes of (n, n) matrices */
    int64_t largest, largest_block;
} calibrator;

static const unit_block *block_at(const calibrator *self, int64_t b)
{
    return &self->out->blocks->of[b];
}

static flow_kind kind_of(const calibrator *self, int32_t node, int32_t k)
{
    return flow_of(self->graph, self->groups, self->contracts[node], node, k);
}

/* ---- what is collected --------------------------------------------------------------------------- */

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

static bool cuttable(const calibrator *self, int64_t b)
{
    return self->groups->groups[block_at(self, b)->group].frozen == NULL;
}

static bool carried(const calibrator *self, int64_t b)
{
    return b >= 0 && block_at(self, b)->n <= COST_UNITS_MAX;
}

/* The block of the same group in one of a node's outputs, through which costs are carried; -1: none. */
static int64_t block_behind(const calibrator *self, const graph_node *node, int64_t b, int32_t o)
{
    if (o >= node->n_outputs || node->outputs[o] < 0 || !carried(self, b)) return -1;
    int64_t out = unit_block_find(self->out->blocks, node->outputs[o], block_at(self, b)->group);
    return carried(self, out) ? out : -1;
}

/* True if costs are known for all features of a value. */
static bool all_carried(const calibrator *self, int32_t value)
{
    const unit_blocks *blocks = self->out->blocks;
    bool all = unit_blocks_cover(blocks, value);
    for (int64_t b = blocks->first[value]; b < blocks->first[value + 1]; b++)
        all = all && carried(self, b);
    return all;
}

static bool passes_on(const calibrator *self, const graph_node *node, int64_t b)
{
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (block_behind(self, node, b, o) >= 0) return true;
    return false;
}

/* What one reader of a block needs to know. */
static coset_status want_for_reader(calibrator *self, int64_t b, int32_t node_id, int32_t k)
{
    coset_status status = COSET_OK;
    const unit_block *block = block_at(self, b);
    const graph_node *node = &self->graph->nodes[node_id];
    flow_kind kind = kind_of(self, node_id, k);
    int64_t behind = block_behind(self, node, b, 0);
    float parameter = 0;
    if (kind == FLOW_CONTRACT) {
        const contraction *at = &self->groups->contractions[self->contracts[node_id]];
        if (!all_carried(self, at->output)) TRY(want_features(self, at->output, at->output_axis));
        if (!cuttable(self, b)) goto done;
        count_matrix(self, b); /* the metric */
        TRY(want_units(self, b, NULL, 0));
        goto done;
    }
    bool known = (kind == FLOW_PASS || kind == FLOW_SHARE || kind == FLOW_FUNCTION) &&
                 (kind == FLOW_PASS ? passes_on(self, node, b) : behind >= 0);
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
        if (carried(self, other)) TRY(want_units(self, other, NULL, 0));
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

/* ---- costs, from the outputs back ----------------------------------------------------------------- */

static coset_status need_cost(calibrator *self, int64_t b)
{
    int64_t n = block_at(self, b)->n;
    if (self->cost[b] != NULL) return COSET_OK;
    return ctx_alloc(self->ctx, n * n, sizeof **self->cost, &self->cost[b]);
}

/* cost[b] += factor times `from`, elementwise times `by` (NULL: ones). */
static coset_status add_cost(calibrator *self, int64_t b, const double *from, const double *by,
                             double factor)
{
    int64_t n = block_at(self, b)->n;
    if (from == NULL) return COSET_OK;
    coset_status status = need_cost(self, b);
    for (int64_t i = 0; status == COSET_OK && i < n * n; i++)
        self->cost[b][i] += factor * from[i] * (by != NULL ? by[i] : 1);
    return status;
}

static double total_variance(const moments *of)
{
    double total = 0;
    for (int64_t j = 0; of != NULL && j < of->n; j++) total += of->scatter[j];
    return of != NULL && of->count > 0 ? total / (double)of->count : 0;
}

/* Errors count relative to the variance of the value itself. */
static coset_status stop_at(calibrator *self, int64_t b)
{
    const unit_block *block = block_at(self, b);
    double variance = total_variance(self->out->of_value[block->value]);
    if (!carried(self, b) || !(variance > 0)) return COSET_OK;
    coset_status status = need_cost(self, b);
    for (int64_t u = 0; status == COSET_OK && u < block->n; u++)
        self->cost[b][u * block->n + u] += (double)block->repeats / variance;
    return status;
}

/* E x x^T of finished moments, (n, n), owned by the caller. */
static coset_status raw_products(coset_ctx *ctx, const moments *of, double **products_out)
{
    coset_status status = ctx_alloc_raw(ctx, of->n * of->n, sizeof **products_out, products_out);
    if (status != COSET_OK) return status;
    moments_covariance(of, *products_out);
    for (int64_t i = 0; i < of->n; i++)
        for (int64_t j = 0; j < of->n; j++)
            (*products_out)[i * of->n + j] += of->mean[i] * of->mean[j];
    return COSET_OK;
}

/* Variance of unit u, the mean over its places. */
static double unit_variance(const moments *of, const unit_block *block, int64_t u)
{
    double sum = 0;
    for (int64_t p = 0; p < block->repeats; p++)
        sum += of->scatter[block->index[u * block->repeats + p]];
    return sum / (double)of->count / (double)block->repeats;
}

/* Deviations that are left of each unit's own behind a mean, as products. */
static coset_status mean_products(calibrator *self, int64_t b, int64_t behind,
                                  double **products_out)
{
    const unit_block *in = block_at(self, b), *out = block_at(self, behind);
    const moments *before = self->out->of_value[in->value];
    const moments *after = self->out->of_value[out->value];
    double *left = NULL, *products = NULL;
    coset_status status = COSET_OK;
    *products_out = NULL;
    if (before == NULL || after == NULL || before->count == 0 || after->count == 0) return COSET_OK;
    TRY(ctx_alloc_raw(self->ctx, in->n, sizeof *left, &left));
    TRY(ctx_alloc_raw(self->ctx, in->n * in->n, sizeof *products, &products));
    for (int64_t u = 0; u < in->n; u++) {
        double variance = unit_variance(before, in, u);
        left[u] = variance > 0 ? sqrt(unit_variance(after, out, u) / variance) : 1;
    }
    for (int64_t i = 0; i < in->n; i++)
        for (int64_t j = 0; j < in->n; j++) products[i * in->n + j] = left[i] * left[j];
    *products_out = products;
    products = NULL;
done:
    ctx_free(self->ctx, left);
    ctx_free(self->ctx, products);
    return status;
}

/* Elements of a block's units in its value. */
static double places(const calibrator *self, int64_t b)
{
    const unit_block *block = block_at(self, b);
    const shape *of = &graph_fact(self->facts, block->value)->shape;
    double elements = (double)block->repeats / (double)block->width;
    for (int a = 0; a < of->rank; a++) elements *= of->dims[a] > 0 ? (double)of->dims[a] : 1;
    return elements;
}

/* What the cost of a node's result makes of an error in front of it: elementwise factors, owned by the
 * caller (NULL: ones). *known_out false: that cannot be told. */
static coset_status factors_of(calibrator *self, int64_t b, int64_t behind, int32_t node_id,
                               int32_t k, flow_kind kind, double **factors_out, bool *known_out)
{
    coset_status status = COSET_OK;
    const graph_node *node = &self->graph->nodes[node_id];
    const moments *of = NULL;
    double *factors = NULL;
    int64_t n = block_at(self, b)->n;
    *known_out = true;
    *factors_out = NULL;
    if (kind == FLOW_PASS || kind == FLOW_SHARE) return COSET_OK;
    if (kind == FLOW_MEAN) {
        TRY(mean_products(self, b, behind, &factors));
    } else if (kind == FLOW_SCALE) {
        TRY(ctx_alloc_raw(self->ctx, n * n, sizeof *factors, &factors));
        TRY(flow_scales(self->ctx, self->graph, node, block_at(self, behind), factors, known_out));
    } else {
        int64_t other =
            kind == FLOW_PRODUCT
                ? unit_block_find(self->out->blocks, node->inputs[1 - k], block_at(self, b)->group)
                : -1;
        if (kind == FLOW_FUNCTION) of = self->slopes[behind];
        if (other >= 0) of = self->out->units[other];
        if (of != NULL) TRY(raw_products(self->ctx, of, &factors));
    }
    *known_out = *known_out && factors != NULL;
    *factors_out = factors;
    factors = NULL;
done:
    ctx_free(self->ctx, factors);
    return status;
}

static coset_status flow_contraction(calibrator *self, int64_t b, int64_t c)
{
    coset_status status = COSET_OK;
    const contraction *at = &self->groups->contractions[c];
    const unit_blocks *blocks = self->out->blocks;
    int64_t first = blocks->first[at->output], n = block_at(self, b)->n;
    double **place = &self->out->metric[self->out->metric_first[c] + b - blocks->first[at->input]];
    double *metric = NULL;
    output_cost behind = {.n = blocks->first[at->output + 1] - first,
                          .blocks = blocks->of + first,
                          .cost = self->cost + first,
                          .variance = total_variance(self->out->of_value[at->output])};
    if (!all_carried(self, at->output)) behind.n = 0;
    if (!(behind.variance > 0)) behind.variance = 1; /* constant outputs: errors are absolute */
    if (!cuttable(self, b) && !carried(self, b)) goto done;
    TRY(ctx_alloc(self->ctx, n * n, sizeof *metric, &metric));
    TRY(contraction_metric(self->ctx, self->graph, self->groups, c, block_at(self, b), &behind,
                           metric));
    if (carried(self, b)) TRY(add_cost(self, b, metric, NULL, 1));
    if (cuttable(self, b)) {
        *place = metric;
        metric = NULL;
    }
done:
    ctx_free(self->ctx, metric);
    return status;
}

/* The cost of errors of a block as far as input k of one reader goes. */
static coset_status flow_back(calibrator *self, int64_t b, int32_t node_id, int32_t k)
{
    coset_status status = COSET_OK;
    const graph_node *node = &self->graph->nodes[node_id];
    flow_kind kind = kind_of(self, node_id, k);
    double *factors = NULL;
    bool known = true;
    if (kind == FLOW_CONTRACT) return flow_contraction(self, b, self->contracts[node_id]);
    if (kind == FLOW_STOP || !passes_on(self, node, b)) return stop_at(self, b);
    if (kind != FLOW_PASS && block_behind(self, node, b, 0) < 0) return stop_at(self, b);
    for (int32_t o = 0; o < node->n_outputs && known; o++) {
        int64_t behind = block_behind(self, node, b, o);
        if (behind < 0 || (o > 0 && kind != FLOW_PASS)) continue;
        TRY(factors_of(self, b, behind, node_id, k, kind, &factors, &known));
        double share = kind == FLOW_SHARE ? places(self, b) / places(self, behind) : 1;
        if (known) TRY(add_cost(self, b, self->cost[behind], factors, share));
        ctx_free(self->ctx, factors);
        factors = NULL;
    }
    if (!known) TRY(stop_at(self, b));
done:
    ctx_free(self->ctx, factors);
    return status;
}

static coset_status flow_all(calibrator *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    const unit_blocks *blocks = self->out->blocks;
    for (int64_t o = 0; o < graph->n_outputs; o++)
        for (int64_t b = blocks->first[graph->outputs[o]]; b < blocks->first[graph->outputs[o] + 1];
             b++)
            TRY(stop_at(self, b));
    for (int32_t n = (int32_t)graph->n_nodes - 1; n >= 0; n--) {
        const graph_node *node = &graph->nodes[n];
        for (int32_t k = 0; k < node->n_inputs; k++) {
            int32_t v = node->inputs[k];
            for (int64_t b = v < 0 ? 0 : blocks->first[v]; v >= 0 && b < blocks->first[v + 1]; b++)
                TRY(flow_back(self, b, n, k));
        }
        for (int32_t k = 0; k < node->n_outputs; k++) { /* nothing in front reads these */
            int32_t v = node->outputs[k];
            for (int64_t b = v < 0 ? 0 : blocks->first[v]; v >= 0 && b < blocks->first[v + 1];
                 b++) {
                ctx_free(self->ctx, self->cost[b]);
                self->cost[b] = NULL;
            }
        }
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
    TRY(flow_all(&self));
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
