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

/* read [n_values] is set for what a node reads. */
static void mark_reads(const graph_node *node, bool *read)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] >= 0) read[node->inputs[i]] = true;
    for (int32_t i = 0; i < node->n_captures; i++) read[node->captures[i]] = true;
}

/* True if nobody reads a constant any more that a node gives. */
static bool is_left(const coset_graph *graph, const graph_node *node, const bool *read)
{
    if (strcmp(node->op_type, "Constant") != 0 || node->domain[0] != '\0') return false;
    if (node->n_outputs != 1 || node->outputs[0] < 0) return false;
    const graph_value *value = &graph->values[node->outputs[0]];
    return value->n_consumers > 0 && !value->is_output && !read[node->outputs[0]];
}

coset_status graph_remove_nodes(coset_ctx *ctx, coset_graph *graph, const bool *gone,
                                int64_t n_marked)
{
    bool *read = NULL;
    int64_t kept = 0;
    coset_status status = ctx_alloc(ctx, graph->n_values, sizeof *read, &read);
    if (status != COSET_OK) return status;
    for (int64_t n = 0; n < graph->n_nodes; n++)
        if (gone == NULL || n >= n_marked || !gone[n]) mark_reads(&graph->nodes[n], read);
    for (int64_t n = 0; n < graph->n_nodes; n++) {
        const graph_node *node = &graph->nodes[n];
        bool marked = gone != NULL && n < n_marked && gone[n];
        if (!marked && !is_left(graph, node, read)) {
            graph->nodes[kept++] = *node;
            continue;
        }
        for (int32_t a = 0; a < node->n_attrs; a++) tensor_release(ctx, node->attrs[a].t);
    }
    graph->n_nodes = kept;
    ctx_free(ctx, read);
    return COSET_OK;
}
