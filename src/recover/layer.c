#include "recover/layer.h"

#include <stdlib.h>
#include <string.h>

static bool is_type(const graph_node *node, const char *type)
{
    return strcmp(node->op_type, type) == 0 && node->domain[0] == '\0';
}

static bool is_conv(const graph_node *node)
{
    return is_type(node, "Conv");
}

/* True if a constant can be changed without changing anything else. */
static bool own_constant(const coset_graph *graph, int32_t value)
{
    const graph_value *at = &graph->values[value];
    return at->constant != NULL && at->n_consumers == 1 && !at->is_output &&
           dtype_is_float(at->constant->dtype);
}

static bool refittable(const coset_graph *graph, const layer *self)
{
    return self->input >= 0 && own_constant(graph, self->weight) && self->view.scale != 0 &&
           self->bias_scale != 0 && (self->bias < 0 || own_constant(graph, self->bias));
}

static layer of_contraction(const coset_graph *graph, const graph_groups *groups,
                            const contraction *at)
{
    const graph_node *node = &graph->nodes[at->node];
    return (layer){.node = at->node,
                   .input = at->input,
                   .result = at->result,
                   .input_axis = at->input_axis,
                   .output_axis = at->output_axis,
                   .weight = at->weight,
                   .bias = at->bias,
                   .bias_scale = at->bias_scale,
                   .out_slot = at->out_slot,
                   .groups = at->groups,
                   .windows = is_conv(node) || is_type(node, "ConvTranspose"),
                   .transposed = is_type(node, "ConvTranspose"),
                   .view = contraction_weight(graph, groups, at)};
}

/* A convolution with one group for every channel: its weight is a slot of scales. */
static bool of_depthwise(const coset_graph *graph, const graph_groups *groups, int32_t slot_id,
                         layer *layer_out)
{
    const label_slot *slot = &groups->slots[slot_id];
    const graph_node *node = &graph->nodes[slot->node];
    const tensor *weight = graph->values[slot->value].constant;
    if (slot->role != SLOT_SCALE || slot->axis != 0 || !is_conv(node) || weight == NULL ||
        node->inputs[1] != slot->value || weight->shape.rank < 3 || weight->shape.dims[1] != 1)
        return false;
    int64_t taps = shape_product(&weight->shape, 2, weight->shape.rank);
    *layer_out = (layer){.node = slot->node,
                         .input = node->inputs[0],
                         .result = node->outputs[0],
                         .input_axis = 1,
                         .output_axis = 1,
                         .weight = slot->value,
                         .bias = node->n_inputs > 2 ? node->inputs[2] : -1,
                         .bias_scale = 1,
                         .out_slot = slot_id,
                         .groups = node_attr_int(node, "group", 1),
                         .windows = true,
                         .view = {.data = weight,
                                  .n_out = weight->shape.dims[0],
                                  .n_in = 1,
                                  .n_taps = taps,
                                  .out_stride = taps,
                                  .in_stride = taps,
                                  .tap_stride = 1,
                                  .scale = 1}};
    return true;
}

/* Inference BatchNormalization: a weight and a bias for every channel, once statistics are taken off. */
static bool of_norm(const coset_graph *graph, const graph_groups *groups, int32_t slot_id,
                    layer *layer_out)
{
    const label_slot *slot = &groups->slots[slot_id];
    const graph_node *node = &graph->nodes[slot->node];
    const tensor *scale = graph->values[slot->value].constant;
    if (strcmp(node->op_type, "BatchNormalization") != 0 || node->n_inputs != 5 || scale == NULL ||
        node->inputs[1] != slot->value || node->inputs[2] < 0 || slot->role != SLOT_SCALE ||
        node_attr_int(node, "training_mode", 0) != 0)
        return false;
    *layer_out = (layer){.node = slot->node,
                         .input = node->inputs[0],
                         .result = node->outputs[0],
                         .input_axis = 1,
                         .output_axis = 1,
                         .weight = slot->value,
                         .bias = node->inputs[2],
                         .bias_scale = 1,
                         .out_slot = slot_id,
                         .groups = slot->size,
                         .normalises = true,
                         .view = {.data = scale,
                                  .n_out = slot->size,
                                  .n_in = 1,
                                  .n_taps = 1,
                                  .out_stride = 1,
                                  .in_stride = 1,
                                  .tap_stride = 1,
                                  .scale = 1}};
    return true;
}

static int by_node(const void *left, const void *right)
{
    const layer *a = left, *b = right;
    return a->node < b->node ? -1 : a->node > b->node;
}

coset_status layers_list(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                         layer **layers_out, int64_t *count_out)
{
    coset_status status = COSET_OK;
    layer *list = NULL;
    int64_t n = 0;
    *layers_out = NULL;
    *count_out = 0;
    TRY(ctx_alloc(ctx, groups->n_contractions + groups->n_slots, sizeof *list, &list));
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        layer here = of_contraction(graph, groups, &groups->contractions[c]);
        bool plain = here.windows || here.view.data->shape.rank == 2;
        if (plain && here.groups >= 1 && refittable(graph, &here)) list[n++] = here;
    }
    for (int64_t s = 0; s < groups->n_slots; s++) {
        layer here;
        bool is_layer = of_depthwise(graph, groups, (int32_t)s, &here) ||
                        of_norm(graph, groups, (int32_t)s, &here);
        if (is_layer && refittable(graph, &here)) list[n++] = here;
    }
    qsort(list, (size_t)n, sizeof *list, by_node);
    *layers_out = list;
    *count_out = n;
done:
    return status;
}

coset_status layer_window(coset_ctx *ctx, const coset_graph *graph, const layer *self,
                          const shape *x, window *window_out)
{
    const graph_node *node = &graph->nodes[self->node];
    const shape *weight = &self->view.data->shape;
    op_node at = {ctx, node, graph->opset, node->n_inputs, node->n_outputs};
    if (self->transposed) return window_read_transposed(&at, x, weight, window_out);
    return window_read(&at, x, weight, false, window_out);
}

int64_t layer_columns(const layer *self)
{
    return self->view.n_in * self->view.n_taps;
}

void layer_read(const coset_graph *graph, const layer *self, int64_t first, int64_t count,
                double *weight_out, double *bias_out)
{
    weight_view view = self->view;
    view.data = graph->values[self->weight].constant;
    weight_rows(&view, first, count, weight_out);
    for (int64_t o = 0; o < count; o++) bias_out[o] = layer_bias(graph, self, first + o);
}

double layer_bias(const coset_graph *graph, const layer *self, int64_t output)
{
    const tensor *bias = self->bias >= 0 ? graph->values[self->bias].constant : NULL;
    return bias != NULL ? self->bias_scale * tensor_value(bias, output) : 0;
}

coset_status layer_store(coset_ctx *ctx, const coset_graph *graph, const layer *self,
                         const double *weight, tensor **stored_out)
{
    coset_status status = COSET_OK;
    const weight_view *view = &self->view;
    const tensor *old = graph->values[self->weight].constant;
    double *stored = NULL;
    *stored_out = NULL;
    TRY(ctx_alloc_raw(ctx, tensor_elements(old), sizeof *stored, &stored));
    for (int64_t o = 0; o < view->n_out; o++)
        for (int64_t i = 0; i < view->n_in; i++)
            for (int64_t t = 0; t < view->n_taps; t++)
                stored[o * view->out_stride + i * view->in_stride + t * view->tap_stride] =
                    *weight++ / view->scale;
    TRY(tensor_from_f64(ctx, old->dtype, &old->shape, stored, stored_out));
done:
    ctx_free(ctx, stored);
    return status;
}

coset_status layer_set(coset_ctx *ctx, coset_graph *graph, const layer *self, tensor *stored,
                       const double *bias)
{
    coset_status status = COSET_OK;
    double *scaled = NULL;
    tensor *fresh = NULL;
    if (self->bias >= 0) {
        const tensor *old = graph->values[self->bias].constant;
        TRY(ctx_alloc_raw(ctx, self->view.n_out, sizeof *scaled, &scaled));
        for (int64_t o = 0; o < self->view.n_out; o++) scaled[o] = bias[o] / self->bias_scale;
        TRY(tensor_from_f64(ctx, old->dtype, &old->shape, scaled, &fresh));
        graph_set_constant(ctx, graph, self->bias, fresh);
    }
    graph_set_constant(ctx, graph, self->weight, stored);
done:
    ctx_free(ctx, scaled);
    tensor_release(ctx, fresh);
    return status;
}
