#include "graph/fold_batchnorm.h"

#include <math.h>
#include <string.h>

enum { X, SCALE, BIAS, MEAN, VAR, N_PARAMETERS = 4, MAX_BIASES = 2 };

/* A constant of a node: nodes[node].inputs[input]. */
typedef struct operand {
    int32_t node, input;
} operand;

/* One BatchNormalization and what it is folded into. */
typedef struct fold_site {
    int32_t norm;
    int32_t layer,
        last; /* node with the weight; node that makes the norm's input: the layer or an Add */
    int64_t channels;
    operand weight;
    int weight_axis; /* of the output channels */
    int64_t groups;  /* ConvTranspose: the axis has channels / groups elements, the same for each */
    int rank;        /* of the layer's output; channels lie along axis 1 */
    operand biases[MAX_BIASES];
    int n_biases;
    double bias_scale; /* Gemm: what its bias is multiplied with, if that is the last one */
} fold_site;

typedef struct folder {
    coset_ctx *ctx;
    coset_graph *graph;
    const graph_facts *facts;
    bool *gone; /* [nodes at the start] */
} folder;

/* ---- finding ---------------------------------------------------------------------------------- */

static bool is_type(const graph_node *node, const char *type)
{
    return node->domain[0] == '\0' && strcmp(node->op_type, type) == 0;
}

/* The floating constant that a node reads; NULL: it does not. */
static const tensor *constant_of(const coset_graph *graph, const graph_node *node, int32_t input)
{
    if (input >= node->n_inputs || node->inputs[input] < 0) return NULL;
    const tensor *found = graph->values[node->inputs[input]].constant;
    return found != NULL && found->data != NULL && dtype_is_float(found->dtype) ? found : NULL;
}

static bool is_absent(const graph_node *node, int32_t input)
{
    return input >= node->n_inputs || node->inputs[input] < 0;
}

/* The node that makes a value which nothing but one reader sees; -1: there is none. */
static int32_t private_producer(const coset_graph *graph, int32_t value)
{
    const graph_value *at = &graph->values[value];
    return at->n_consumers == 1 && !at->is_output && at->constant == NULL ? at->producer : -1;
}

static bool is_inference(const coset_graph *graph, const graph_node *node)
{
    if (!is_type(node, "BatchNormalization") || node->n_inputs != 1 + N_PARAMETERS) return false;
    if (node_attr_int(node, "training_mode", 0) != 0) return false;
    if (graph->opset < 9 && node_attr_int(node, "spatial", 1) == 0) return false;
    for (int32_t o = 1; o < node->n_outputs; o++)
        if (node->outputs[o] >= 0) return false;
    return node->inputs[X] >= 0 && node->outputs[0] >= 0;
}

static bool find_parameters(const coset_graph *graph, fold_site *site)
{
    const graph_node *node = &graph->nodes[site->norm];
    for (int32_t i = SCALE; i <= VAR; i++) {
        const tensor *found = constant_of(graph, node, i);
        if (found == NULL || found->shape.rank != 1) return false;
        if (i == SCALE) site->channels = found->shape.dims[0];
        if (found->shape.dims[0] != site->channels) return false;
    }
    return true;
}

/* True if a constant has one element, or one for each of the channels along axis 1 of `rank`. */
static bool is_by_channel(const tensor *constant, const fold_site *site)
{
    const shape *own = &constant->shape;
    if (own->rank > site->rank) return false;
    for (int a = 0; a < own->rank; a++) {
        const bool is_channel = a + site->rank - own->rank == 1;
        if (own->dims[a] != 1 && !(is_channel && own->dims[a] == site->channels)) return false;
    }
    return true;
}

static bool add_bias(const coset_graph *graph, fold_site *site, int32_t node, int32_t input)
{
    const tensor *constant = constant_of(graph, &graph->nodes[node], input);
    if (constant == NULL) return false;
    site->biases[site->n_biases++] = (operand){node, input};
    return true;
}

static bool find_convolution(const coset_graph *graph, fold_site *site, bool transposed)
{
    const graph_node *node = &graph->nodes[site->layer];
    const tensor *weight = constant_of(graph, node, 1);
    if (weight == NULL || weight->shape.rank < 3) return false;
    site->weight = (operand){site->layer, 1};
    site->weight_axis = transposed ? 1 : 0;
    site->rank = weight->shape.rank;
    site->groups = transposed ? node_attr_int(node, "group", 1) : 1;
    if (site->groups < 1 || weight->shape.dims[0] % site->groups != 0) return false;
    if (weight->shape.dims[site->weight_axis] != site->channels / site->groups ||
        site->channels % site->groups != 0)
        return false;
    if (is_absent(node, 2)) return true;
    const tensor *bias = constant_of(graph, node, 2);
    return bias != NULL && bias->shape.rank == 1 && bias->shape.dims[0] == site->channels &&
           add_bias(graph, site, site->layer, 2);
}

static bool find_gemm(const coset_graph *graph, fold_site *site)
{
    const graph_node *node = &graph->nodes[site->layer];
    const tensor *weight = constant_of(graph, node, 1);
    if (weight == NULL || weight->shape.rank != 2) return false;
    site->weight = (operand){site->layer, 1};
    site->weight_axis = node_attr_int(node, "transB", 0) != 0 ? 0 : 1;
    site->rank = 2;
    site->bias_scale = (double)node_attr_float(node, "beta", 1);
    if (weight->shape.dims[site->weight_axis] != site->channels) return false;
    if (is_absent(node, 2)) return true;
    const tensor *bias = constant_of(graph, node, 2);
    return bias != NULL && is_by_channel(bias, site) && add_bias(graph, site, site->layer, 2);
}

static bool find_matmul(const folder *self, fold_site *site)
{
    const graph_node *node = &self->graph->nodes[site->layer];
    const tensor *weight = constant_of(self->graph, node, 1);
    if (weight == NULL || weight->shape.rank != 2) return false;
    site->weight = (operand){site->layer, 1};
    site->weight_axis = 1;
    site->rank = 2;
    return weight->shape.dims[1] == site->channels &&
           graph_fact(self->facts, node->inputs[0])->shape.rank == 2;
}

static bool find_layer(const folder *self, fold_site *site)
{
    const graph_node *node = &self->graph->nodes[site->layer];
    site->groups = 1;
    site->bias_scale = 1;
    if (is_type(node, "Conv")) return find_convolution(self->graph, site, false);
    if (is_type(node, "ConvTranspose")) return find_convolution(self->graph, site, true);
    if (is_type(node, "Gemm")) return find_gemm(self->graph, site);
    return is_type(node, "MatMul") && find_matmul(self, site);
}

static bool find_site(const folder *self, int32_t norm, fold_site *site)
{
    const coset_graph *graph = self->graph;
    *site = (fold_site){.norm = norm};
    if (!is_inference(graph, &graph->nodes[norm]) || !find_parameters(graph, site)) return false;
    site->last = site->layer = private_producer(graph, graph->nodes[norm].inputs[X]);
    if (site->last < 0) return false;
    const graph_node *add = &graph->nodes[site->last];
    if (is_type(add, "Add")) {
        const int32_t side = constant_of(graph, add, 1) != NULL ? 1 : 0;
        if (constant_of(graph, add, side) == NULL || add->inputs[1 - side] < 0) return false;
        site->layer = private_producer(graph, add->inputs[1 - side]);
        if (site->layer < 0 || !find_layer(self, site)) return false;
        site->bias_scale = 1;
        return is_by_channel(constant_of(graph, add, side), site) &&
               add_bias(graph, site, site->last, side);
    }
    /* A bias that is multiplied with 0 can take nothing in. */
    return find_layer(self, site) && (site->bias_scale != 0 || is_type(add, "MatMul"));
}

/* ---- the new constants ------------------------------------------------------------------------ */

/* Gives a node's input new data; what others read keeps its own. Takes over nothing. */
static coset_status set_operand(folder *self, operand at, tensor *constant)
{
    coset_graph *graph = self->graph;
    int32_t value = graph->nodes[at.node].inputs[at.input];
    /* Nobody counts as a reader of what an earlier fold has put here. */
    if (graph->values[value].n_consumers > 1 || graph->values[value].is_output) {
        coset_status status = graph_copy_constant(self->ctx, graph, at.node, at.input, &value);
        if (status != COSET_OK) return status;
    }
    graph_set_constant(self->ctx, graph, value, constant);
    return COSET_OK;
}

/* a and c of every channel. */
static coset_status fold_parameters(const folder *self, const fold_site *site, double *factor,
                                    double *shift)
{
    coset_status status = COSET_OK;
    const graph_node *node = &self->graph->nodes[site->norm];
    const double epsilon = (double)node_attr_float(node, "epsilon", 1e-5F);
    double *values[1 + N_PARAMETERS] = {NULL};
    for (int32_t i = SCALE; i <= VAR; i++)
        TRY(tensor_to_f64(self->ctx, constant_of(self->graph, node, i), &values[i]));
    for (int64_t c = 0; c < site->channels; c++) {
        factor[c] = values[SCALE][c] / sqrt(values[VAR][c] + epsilon);
        shift[c] = values[BIAS][c] - factor[c] * values[MEAN][c];
    }
done:
    for (int32_t i = SCALE; i <= VAR; i++) ctx_free(self->ctx, values[i]);
    return status;
}

/* A tensor of the same type, or NULL if it would hold what is not finite. */
static coset_status make_finite(const folder *self, coset_dtype dtype, const shape *of,
                                const double *values, tensor **tensor_out)
{
    coset_status status = tensor_from_f64(self->ctx, dtype, of, values, tensor_out);
    if (status != COSET_OK || tensor_find_nonfinite(*tensor_out) < 0) return status;
    tensor_release(self->ctx, *tensor_out);
    *tensor_out = NULL;
    return COSET_OK;
}

static coset_status scale_weight(const folder *self, const fold_site *site, const double *factor,
                                 tensor **tensor_out)
{
    coset_status status = COSET_OK;
    const tensor *weight =
        constant_of(self->graph, &self->graph->nodes[site->layer], site->weight.input);
    const shape *own = &weight->shape;
    const int64_t n = own->dims[site->weight_axis];
    const int64_t outer = shape_product(own, 0, site->weight_axis);
    const int64_t inner = shape_product(own, site->weight_axis + 1, own->rank);
    double *values = NULL;
    TRY(tensor_to_f64(self->ctx, weight, &values));
    for (int64_t o = 0; o < outer; o++)
        for (int64_t j = 0; j < n; j++) {
            const int64_t channel = o / (outer / site->groups) * n + j;
            for (int64_t i = 0; i < inner; i++) values[(o * n + j) * inner + i] *= factor[channel];
        }
    TRY(make_finite(self, weight->dtype, own, values, tensor_out));
done:
    ctx_free(self->ctx, values);
    return status;
}

/* Of a bias that is new, or was one number for all channels: it broadcasts along axis 1 of the output. */
static shape bias_shape(const fold_site *site, const tensor *bias)
{
    shape made = {.rank = 1, .dims = {site->channels}};
    if (bias == NULL) return made;
    made.rank = bias->shape.rank > site->rank - 1 ? bias->shape.rank : site->rank - 1;
    for (int a = 0; a < made.rank; a++)
        made.dims[a] = a + site->rank - made.rank == 1 ? site->channels : 1;
    return made;
}

/* a b + shift / scale.
 *   bias   constant as is_by_channel allows it; NULL: there is none
 *   shift  NULL: 0 */
static coset_status fold_bias(const folder *self, const fold_site *site, const tensor *bias,
                              coset_dtype dtype, const double *factor, const double *shift,
                              double scale, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    const bool is_wide = bias != NULL && tensor_elements(bias) == site->channels;
    const shape of = is_wide ? bias->shape : bias_shape(site, bias);
    double *old = NULL, *values = NULL;
    TRY(ctx_alloc(self->ctx, site->channels, sizeof *values, &values));
    if (bias != NULL) TRY(tensor_to_f64(self->ctx, bias, &old));
    for (int64_t c = 0; c < site->channels; c++) {
        if (old != NULL) values[c] = factor[c] * old[is_wide ? c : 0];
        if (shift != NULL) values[c] += shift[c] / scale;
    }
    TRY(make_finite(self, dtype, &of, values, tensor_out));
done:
    ctx_free(self->ctx, old);
    ctx_free(self->ctx, values);
    return status;
}

/* ---- rewriting -------------------------------------------------------------------------------- */

/* The last node makes what the BatchNormalization made. */
static void take_over_output(folder *self, const fold_site *site)
{
    graph_node *norm = &self->graph->nodes[site->norm], *last = &self->graph->nodes[site->last];
    self->graph->values[last->outputs[0]].producer = -1;
    last->outputs[0] = norm->outputs[0];
    last->rewired = true;
    self->graph->values[norm->outputs[0]].producer = site->last;
    self->gone[site->norm] = true;
}

/* Adds a constant as input 2 of a layer. */
static coset_status append_bias(folder *self, const fold_site *site, tensor *bias)
{
    coset_status status = COSET_OK;
    coset_graph *graph = self->graph;
    int32_t value = -1, *inputs = NULL;
    graph_node *layer = &graph->nodes[site->layer];
    if (layer->n_inputs < 3) {
        TRY(arena_alloc(self->ctx, &graph->arena, 3, sizeof *inputs, &inputs));
        memcpy(inputs, layer->inputs, (size_t)layer->n_inputs * sizeof *inputs);
    } else {
        inputs = layer->inputs;
    }
    TRY(graph_add_constant(self->ctx, graph, layer->inputs[1], &value));
    graph_set_constant(self->ctx, graph, value, bias);
    inputs[2] = value;
    layer->inputs = inputs;
    layer->n_inputs = 3;
    layer->rewired = true;
done:
    return status;
}

/* MatMul, BatchNormalization -> MatMul, Add. */
static coset_status replace_by_add(folder *self, const fold_site *site, tensor *bias)
{
    coset_status status = COSET_OK;
    coset_graph *graph = self->graph;
    int32_t value = -1, added = -1, output = graph->nodes[site->norm].outputs[0];
    TRY(graph_add_constant(self->ctx, graph, graph->nodes[site->layer].inputs[1], &value));
    graph_set_constant(self->ctx, graph, value, bias);
    const int32_t inputs[2] = {graph->nodes[site->norm].inputs[X], value};
    TRY(graph_add_node(self->ctx, graph, graph->nodes[site->norm].name, "", "Add", inputs, 2,
                       &output, 1, &added));
    graph->values[output].producer = added;
    self->gone[site->norm] = true;
done:
    return status;
}

/* Everything is worked out before anything changes: a site is folded whole or stays. */
static coset_status fold_at(folder *self, const fold_site *site)
{
    coset_status status = COSET_OK;
    coset_graph *graph = self->graph;
    const graph_node *layer = &graph->nodes[site->layer];
    const coset_dtype dtype = constant_of(graph, layer, site->weight.input)->dtype;
    const int last = site->n_biases - 1;
    double *factor = NULL, *shift = NULL;
    tensor *weight = NULL, *biases[MAX_BIASES] = {NULL};
    TRY(ctx_alloc(self->ctx, site->channels, sizeof *factor, &factor));
    TRY(ctx_alloc(self->ctx, site->channels, sizeof *shift, &shift));
    TRY(fold_parameters(self, site, factor, shift));
    TRY(scale_weight(self, site, factor, &weight));
    if (weight == NULL) goto done;
    for (int b = 0; b <= last; b++) {
        const operand at = site->biases[b];
        const tensor *old = constant_of(graph, &graph->nodes[at.node], at.input);
        TRY(fold_bias(self, site, old, old->dtype, factor, b == last ? shift : NULL,
                      site->bias_scale, &biases[b]));
        if (biases[b] == NULL) goto done;
    }
    if (last < 0)
        TRY(fold_bias(self, site, NULL, dtype, factor, shift, site->bias_scale, &biases[0]));
    if (biases[0] == NULL) goto done;
    TRY(set_operand(self, site->weight, weight));
    for (int b = 0; b <= last; b++) TRY(set_operand(self, site->biases[b], biases[b]));
    if (last < 0 && is_type(layer, "MatMul")) {
        TRY(replace_by_add(self, site, biases[0]));
        goto done;
    }
    if (last < 0) TRY(append_bias(self, site, biases[0]));
    take_over_output(self, site);
done:
    for (int b = 0; b < MAX_BIASES; b++) tensor_release(self->ctx, biases[b]);
    tensor_release(self->ctx, weight);
    ctx_free(self->ctx, factor);
    ctx_free(self->ctx, shift);
    return status;
}

static bool has_norm(const coset_graph *graph)
{
    for (int64_t n = 0; n < graph->n_nodes; n++)
        if (is_inference(graph, &graph->nodes[n])) return true;
    return false;
}

coset_status graph_fold_batchnorm(coset_ctx *ctx, const coset_graph *graph,
                                  coset_graph **folded_out)
{
    coset_status status = COSET_OK;
    graph_facts *facts = NULL;
    folder self = {.ctx = ctx};
    bool any = false;
    *folded_out = NULL;
    if (!has_norm(graph)) return COSET_OK;
    TRY(graph_infer(ctx, graph, NULL, &facts));
    TRY(graph_clone(ctx, graph, &self.graph));
    TRY(graph_check(ctx, self.graph));
    const int64_t n_old = self.graph->n_nodes;
    TRY(ctx_alloc(ctx, n_old, sizeof *self.gone, &self.gone));
    self.facts = facts;
    for (int64_t n = 0; n < n_old; n++) { /* in topological order: chains fold whole */
        fold_site site;
        if (!find_site(&self, (int32_t)n, &site)) continue;
        TRY(fold_at(&self, &site));
        any = any || self.gone[n];
    }
    if (!any) goto done;
    TRY(graph_remove_nodes(ctx, self.graph, self.gone, n_old));
    TRY(graph_check(ctx, self.graph));
    *folded_out = self.graph;
    self.graph = NULL;
done:
    ctx_free(ctx, self.gone);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, self.graph);
    return status;
}
