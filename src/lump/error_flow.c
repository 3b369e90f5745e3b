/* Costs of errors, carried from the model's outputs back.   Source: ours (sites.h). */
#include "lump/calibrator.h"

#include <math.h>

#include "lump/metric.h"

/* Costs of groups with more units are not carried on: what lies in front counts errors anew. */
enum { COST_UNITS_MAX = 4096 };

flow_kind error_kind(const calibrator *self, int32_t node, int32_t k)
{
    return flow_of(self->graph, self->groups, self->contracts[node], node, k);
}

bool error_carried(const calibrator *self, int64_t b)
{
    return b >= 0 && block_at(self, b)->n <= COST_UNITS_MAX;
}

int64_t error_block_behind(const calibrator *self, const graph_node *node, int64_t b, int32_t o)
{
    if (o >= node->n_outputs || node->outputs[o] < 0 || !error_carried(self, b)) return -1;
    int64_t out = unit_block_find(self->out->blocks, node->outputs[o], block_at(self, b)->group);
    return error_carried(self, out) ? out : -1;
}

bool error_all_carried(const calibrator *self, int32_t value)
{
    const unit_blocks *blocks = self->out->blocks;
    bool all = unit_blocks_cover(blocks, value);
    for (int64_t b = blocks->first[value]; b < blocks->first[value + 1]; b++)
        all = all && error_carried(self, b);
    return all;
}

bool error_passes_on(const calibrator *self, const graph_node *node, int64_t b)
{
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (error_block_behind(self, node, b, o) >= 0) return true;
    return false;
}

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
    if (!error_carried(self, b) || !(variance > 0)) return COSET_OK;
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
    if (!error_all_carried(self, at->output)) behind.n = 0;
    if (!(behind.variance > 0)) behind.variance = 1; /* constant outputs: errors are absolute */
    if (!calibrator_cuts(self, b) && !error_carried(self, b)) goto done;
    TRY(ctx_alloc(self->ctx, n * n, sizeof *metric, &metric));
    TRY(contraction_metric(self->ctx, self->graph, self->groups, c, block_at(self, b), &behind,
                           metric));
    if (error_carried(self, b)) TRY(add_cost(self, b, metric, NULL, 1));
    if (calibrator_cuts(self, b)) {
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
    flow_kind kind = error_kind(self, node_id, k);
    double *factors = NULL;
    bool known = true;
    if (kind == FLOW_CONTRACT) return flow_contraction(self, b, self->contracts[node_id]);
    if (kind == FLOW_STOP || !error_passes_on(self, node, b)) return stop_at(self, b);
    if (kind != FLOW_PASS && error_block_behind(self, node, b, 0) < 0) return stop_at(self, b);
    for (int32_t o = 0; o < node->n_outputs && known; o++) {
        int64_t behind = error_block_behind(self, node, b, o);
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

coset_status error_flow(calibrator *self)
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
