#include "lump/flow.h"

#include <math.h>
#include <string.h>

/* ---- slopes -------------------------------------------------------------------------------------- */

static float slope_relu(float h, float leak)
{
    return h > 0 ? 1 : leak;
}

static float slope_tanh(float h, float unused)
{
    (void)unused;
    return 1 - h * h;
}

static float slope_logistic(float h, float unused)
{
    (void)unused;
    return h * (1 - h);
}

moments_map flow_slope(const graph_node *node, float *parameter_out)
{
    *parameter_out = 0;
    if (strcmp(node->op_type, "Relu") == 0) return slope_relu;
    if (strcmp(node->op_type, "Tanh") == 0) return slope_tanh;
    if (strcmp(node->op_type, "Sigmoid") == 0) return slope_logistic;
    if (strcmp(node->op_type, "LeakyRelu") != 0) return NULL;
    *parameter_out = node_attr_float(node, "alpha", 0.01f);
    return slope_relu;
}

/* ---- kinds --------------------------------------------------------------------------------------- */

static bool is_one_of(const char *type, const char *const *types)
{
    for (; *types != NULL; types++)
        if (strcmp(type, *types) == 0) return true;
    return false;
}

/* A mean over spatial axes only: those keep the units. */
static bool is_mean(const char *type)
{
    static const char *const means[] = {"GlobalAveragePool", "AveragePool", "ReduceMean", NULL};
    return is_one_of(type, means);
}

static bool is_pass(const char *type)
{
    static const char *const passes[] = {
        "Identity",  "Dropout", "Flatten",      "Reshape", "Squeeze", "Unsqueeze", "Transpose",
        "Slice",     "Split",   "Pad",          "MaxPool", "Resize",  "Upsample",  "GlobalMaxPool",
        "ReduceMax", "Expand",  "Tile",         "Add",     "Sub",     "Sum",       "DepthToSpace",
        "Gather",    "Cast",    "SpaceToDepth", NULL};
    return is_one_of(type, passes);
}

static bool is_depthwise(const coset_graph *graph, const graph_node *node)
{
    if (strcmp(node->op_type, "Conv") != 0 || node->n_inputs < 2 || node->inputs[1] < 0)
        return false;
    const tensor *weight = graph->values[node->inputs[1]].constant;
    return weight != NULL && weight->shape.rank >= 3 && weight->shape.dims[1] == 1 &&
           dtype_is_float(weight->dtype) &&
           node_attr_int(node, "group", 1) == weight->shape.dims[0];
}

flow_kind flow_of(const coset_graph *graph, const graph_groups *groups, int32_t contracts,
                  int32_t node_id, int32_t k)
{
    const graph_node *node = &graph->nodes[node_id];
    const char *type = node->op_type;
    float parameter = 0;
    if (node->n_outputs < 1 || node->n_captures > 0 || node->domain[0] != '\0') return FLOW_STOP;
    if (contracts >= 0)
        return groups->contractions[contracts].input == node->inputs[k] ? FLOW_CONTRACT : FLOW_STOP;
    if (flow_slope(node, &parameter) != NULL) return FLOW_FUNCTION;
    if (is_mean(type)) return FLOW_MEAN;
    if (is_pass(type)) return FLOW_PASS;
    if (strcmp(type, "Concat") == 0) return FLOW_SHARE;
    if (is_depthwise(graph, node)) return k == 0 ? FLOW_SCALE : FLOW_STOP;
    if (strcmp(type, "BatchNormalization") == 0) return k == 0 ? FLOW_SCALE : FLOW_STOP;
    if (strcmp(type, "Mul") != 0 && strcmp(type, "Div") != 0) return FLOW_STOP;
    if (node->n_inputs != 2 || node->inputs[1 - k] < 0) return FLOW_STOP;
    bool constant = graph->values[node->inputs[1 - k]].constant != NULL;
    if (strcmp(type, "Div") == 0) return constant && k == 0 ? FLOW_SCALE : FLOW_STOP;
    return constant ? FLOW_SCALE : FLOW_PRODUCT;
}

/* ---- scales -------------------------------------------------------------------------------------- */

static const tensor *float_constant(const coset_graph *graph, const graph_node *node, int32_t k)
{
    if (k >= node->n_inputs || node->inputs[k] < 0) return NULL;
    const tensor *data = graph->values[node->inputs[k]].constant;
    return data != NULL && dtype_is_float(data->dtype) ? data : NULL;
}

/* Element of a constant for an index of an axis that holds `width`: one for all, or one for each. */
static bool element_at(const tensor *data, int64_t width, int64_t index, double *value_out)
{
    int64_t elements = data != NULL ? tensor_elements(data) : 0;
    if (elements != 1 && elements != width) return false;
    *value_out = tensor_value(data, elements == 1 ? 0 : index);
    return true;
}

/* Factor of one tap at an index of the axis. */
static bool factor_at(const coset_graph *graph, const graph_node *node, int64_t width,
                      int64_t index, int64_t tap, int64_t taps, double *factor_out)
{
    if (strcmp(node->op_type, "Conv") == 0) {
        *factor_out = tensor_value(float_constant(graph, node, 1), index * taps + tap);
        return true;
    }
    if (strcmp(node->op_type, "BatchNormalization") == 0) {
        double scale = 0, variance = 0;
        if (!element_at(float_constant(graph, node, 1), width, index, &scale) ||
            !element_at(float_constant(graph, node, 4), width, index, &variance))
            return false;
        variance += (double)node_attr_float(node, "epsilon", 1e-5f);
        *factor_out = variance > 0 ? scale / sqrt(variance) : 0;
        return true;
    }
    bool divides = strcmp(node->op_type, "Div") == 0;
    const tensor *data = float_constant(graph, node, 1);
    if (data == NULL && !divides) data = float_constant(graph, node, 0);
    if (!element_at(data, width, index, factor_out)) return false;
    if (divides) *factor_out = *factor_out != 0 ? 1 / *factor_out : 0;
    return true;
}

coset_status flow_scales(coset_ctx *ctx, const coset_graph *graph, const graph_node *node,
                         const unit_block *out, double *products, bool *known_out)
{
    double *factors = NULL;
    int64_t taps = 1, n = out->n;
    *known_out = false;
    if (strcmp(node->op_type, "Conv") == 0) {
        const tensor *weight = float_constant(graph, node, 1);
        if (weight == NULL || weight->shape.dims[0] != out->width) return COSET_OK;
        taps = shape_product(&weight->shape, 2, weight->shape.rank);
    }
    coset_status status = ctx_alloc_raw(ctx, n, sizeof *factors, &factors);
    if (status != COSET_OK) return status;
    memset(products, 0, (size_t)(n * n) * sizeof *products);
    bool known = true;
    for (int64_t p = 0; p < out->repeats; p++)
        for (int64_t t = 0; t < taps && known; t++) {
            for (int64_t u = 0; u < n && known; u++)
                known = factor_at(graph, node, out->width, out->index[u * out->repeats + p], t,
                                  taps, &factors[u]);
            for (int64_t i = 0; i < n && known; i++)
                for (int64_t j = 0; j < n; j++)
                    products[i * n + j] += factors[i] * factors[j] / (double)out->repeats;
        }
    ctx_free(ctx, factors);
    *known_out = known;
    return COSET_OK;
}
