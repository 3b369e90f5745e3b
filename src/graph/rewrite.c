/* Small rewrites of a graph under construction. */
#include <stdio.h>
#include <string.h>

#include "graph/ir.h"

/* A name that no value of the graph has, from a stem. Amortised cost: O(1) for each value. */
static coset_status fresh_name(coset_ctx *ctx, coset_graph *graph, const char *stem,
                               char **name_out)
{
    coset_status status = COSET_OK;
    char *name = NULL;
    for (; graph->named < graph->n_values; graph->named++)
        TRY(name_map_set(ctx, &graph->names, graph->values[graph->named].name, graph->named, NULL));
    for (int64_t k = graph->n_values;; k++) {
        TRY(ctx_format(ctx, &name, "%s_%lld", stem, (long long)k));
        if (name_map_get(&graph->names, name, -1) < 0) break;
        ctx_free(ctx, name);
        name = NULL;
    }
    *name_out = name;
    name = NULL;
done:
    ctx_free(ctx, name);
    return status;
}

static coset_status add_fresh_value(coset_ctx *ctx, coset_graph *graph, int32_t like,
                                    int32_t *value_out)
{
    char *name = NULL;
    coset_status status = fresh_name(ctx, graph, graph->values[like].name, &name);
    if (status == COSET_OK) status = graph_add_value(ctx, graph, name, value_out);
    ctx_free(ctx, name);
    return status;
}

coset_status graph_add_constant(coset_ctx *ctx, coset_graph *graph, int32_t like,
                                int32_t *value_out)
{
    coset_status status = add_fresh_value(ctx, graph, like, value_out);
    if (status == COSET_OK) graph->values[*value_out].is_initialiser = true;
    return status;
}

coset_status graph_copy_constant(coset_ctx *ctx, coset_graph *graph, int32_t node, int32_t input,
                                 int32_t *value_out)
{
    coset_status status = COSET_OK;
    int32_t old = graph->nodes[node].inputs[input], copy = -1;
    TRY(graph_add_constant(ctx, graph, old, &copy));
    graph->values[copy].dtype = graph->values[old].dtype;
    if (graph->values[old].constant != NULL)
        graph_set_constant(ctx, graph, copy, graph->values[old].constant);
    graph->nodes[node].inputs[input] = copy;
    graph->nodes[node].rewired = true;
    *value_out = copy;
done:
    return status;
}

coset_status graph_insert_add(coset_ctx *ctx, coset_graph *graph, int32_t value, tensor *constant)
{
    coset_status status = COSET_OK;
    int32_t before = -1, bias = -1, added = -1, producer = graph->values[value].producer;
    TRY(add_fresh_value(ctx, graph, value, &before));
    graph->values[before].dtype = graph->values[value].dtype;
    graph->values[before].shape = graph->values[value].shape;
    TRY(graph_add_constant(ctx, graph, value, &bias));
    graph_set_constant(ctx, graph, bias, constant);
    graph_node *node = &graph->nodes[producer];
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o] == value) node->outputs[o] = before;
    node->rewired = true;
    const int32_t inputs[2] = {before, bias};
    TRY(graph_add_node(ctx, graph, graph->values[bias].name, "", "Add", inputs, 2, &value, 1,
                       &added));
    graph->changed = true;
done:
    return status;
}

coset_status graph_insert_bias(coset_ctx *ctx, coset_graph *graph, int32_t value, int rank,
                               int axis, const double *bias, int64_t width, coset_dtype dtype)
{
    coset_status status = COSET_OK;
    tensor *constant = NULL;
    shape dims = {.rank = rank - axis};
    for (int a = 0; a < dims.rank; a++) dims.dims[a] = a == 0 ? width : 1;
    TRY(tensor_from_f64(ctx, dtype, &dims, bias, &constant));
    TRY(graph_insert_add(ctx, graph, value, constant));
done:
    tensor_release(ctx, constant);
    return status;
}

coset_status graph_append_node(coset_ctx *ctx, coset_graph *graph, const char *op_type,
                               const int32_t *inputs, int32_t n_inputs, int32_t like,
                               int32_t *value_out)
{
    coset_status status = COSET_OK;
    int32_t value = -1, node = -1;
    TRY(add_fresh_value(ctx, graph, like, &value));
    TRY(graph_add_node(ctx, graph, graph->values[value].name, "", op_type, inputs, n_inputs, &value,
                       1, &node));
    graph->values[value].dtype = graph->values[like].dtype;
    graph->values[value].producer = node;
    graph->changed = true;
    *value_out = value;
done:
    return status;
}

void graph_rewire(coset_graph *graph, int32_t node, int32_t input, int32_t value)
{
    graph->nodes[node].inputs[input] = value;
    graph->nodes[node].rewired = true;
    graph->changed = true;
}

/* Nodes that go, and what they take along. */
typedef struct removal {
    const coset_graph *graph;
    bool *gone;        /* [n_nodes] */
    int32_t *producer; /* [n_values] as it is now */
    int32_t *readers;  /* [n_values] that stay */
    int32_t *queue;    /* [n_nodes] nodes that have gone */
    int64_t n_queue;
} removal;

static void removal_free(coset_ctx *ctx, removal *self)
{
    ctx_free(ctx, self->gone);
    ctx_free(ctx, self->producer);
    ctx_free(ctx, self->readers);
    ctx_free(ctx, self->queue);
}

static coset_status removal_new(coset_ctx *ctx, const coset_graph *graph, removal *self)
{
    coset_status status = COSET_OK;
    *self = (removal){.graph = graph};
    TRY(ctx_alloc(ctx, graph->n_nodes, sizeof *self->gone, &self->gone));
    TRY(ctx_alloc(ctx, graph->n_nodes, sizeof *self->queue, &self->queue));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self->producer, &self->producer));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self->readers, &self->readers));
    for (int64_t v = 0; v < graph->n_values; v++) self->producer[v] = -1;
    for (int64_t n = 0; n < graph->n_nodes; n++) {
        const graph_node *node = &graph->nodes[n];
        for (int32_t o = 0; o < node->n_outputs; o++)
            if (node->outputs[o] >= 0) self->producer[node->outputs[o]] = (int32_t)n;
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] >= 0) self->readers[node->inputs[i]]++;
        for (int32_t i = 0; i < node->n_captures; i++) self->readers[node->captures[i]]++;
    }
done:
    return status;
}

static void remove_node(removal *self, int32_t node)
{
    if (self->gone[node]) return;
    self->gone[node] = true;
    self->queue[self->n_queue++] = node;
}

/* Removes a node if nothing reads what it makes, although somebody did (lost, or when it was checked). */
static void remove_unread(removal *self, int32_t id, bool lost)
{
    const graph_node *node = &self->graph->nodes[id];
    for (int32_t o = 0; o < node->n_outputs; o++) {
        if (node->outputs[o] < 0) continue;
        const graph_value *value = &self->graph->values[node->outputs[o]];
        if (self->readers[node->outputs[o]] > 0 || value->is_output) return;
        lost = lost || value->n_consumers > 0;
    }
    if (lost) remove_node(self, id);
}

static void leave(removal *self, int32_t value)
{
    if (value < 0 || --self->readers[value] > 0 || self->producer[value] < 0) return;
    remove_unread(self, self->producer[value], true);
}

static void propagate(removal *self)
{
    for (int64_t q = 0; q < self->n_queue; q++) {
        const graph_node *node = &self->graph->nodes[self->queue[q]];
        for (int32_t i = 0; i < node->n_inputs; i++) leave(self, node->inputs[i]);
        for (int32_t i = 0; i < node->n_captures; i++) leave(self, node->captures[i]);
    }
}

coset_status graph_remove_nodes(coset_ctx *ctx, coset_graph *graph, const bool *gone,
                                int64_t n_marked)
{
    coset_status status = COSET_OK;
    removal self;
    int64_t kept = 0;
    TRY(removal_new(ctx, graph, &self));
    for (int64_t n = 0; n < n_marked && gone != NULL; n++)
        if (gone[n]) remove_node(&self, (int32_t)n);
    for (int64_t n = 0; n < graph->n_nodes; n++) remove_unread(&self, (int32_t)n, false);
    propagate(&self);
    for (int64_t n = 0; n < graph->n_nodes; n++) {
        const graph_node *node = &graph->nodes[n];
        if (!self.gone[n]) {
            graph->nodes[kept++] = *node;
            continue;
        }
        for (int32_t a = 0; a < node->n_attrs; a++) tensor_release(ctx, node->attrs[a].t);
        graph->changed = true;
    }
    graph->n_nodes = kept;
done:
    removal_free(ctx, &self);
    return status;
}
