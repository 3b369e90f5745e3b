/* Validation of a graph and its topological order. No step recurses: graphs may be a million deep. */
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "graph/op.h"

static coset_status check_names(coset_ctx *ctx, const coset_graph *graph)
{
    coset_status status = COSET_OK;
    name_map names = {0};
    for (int64_t i = 0; i < graph->n_values; i++) {
        bool there = false;
        const char *name = graph->values[i].name;
        if (name[0] == '\0') FAIL(ctx, COSET_EFORMAT, "value %lld has no name", (long long)i);
        TRY(name_map_set(ctx, &names, name, i, &there));
        if (there) FAIL(ctx, COSET_EFORMAT, "two values are named '%.300s'", name);
    }
done:
    name_map_free(ctx, &names);
    return status;
}

static coset_status check_constants(coset_ctx *ctx, coset_graph *graph)
{
    coset_status status = COSET_OK;
    for (int64_t i = 0; i < graph->n_values; i++) {
        graph_value *value = &graph->values[i];
        const tensor *constant = value->constant;
        if (constant == NULL) continue;
        if (value->dtype == COSET_UNDEFINED) value->dtype = constant->dtype;
        if (value->dtype != constant->dtype)
            FAIL(ctx, COSET_EFORMAT, "'%.300s': declared as %s, but its data are %s", value->name,
                 coset_dtype_name(value->dtype), coset_dtype_name(constant->dtype));
        bool fits = value->shape.rank == -1 || value->shape.rank == constant->shape.rank;
        for (int axis = 0; fits && axis < value->shape.rank; axis++)
            fits = value->shape.dims[axis] == -1 ||
                   value->shape.dims[axis] == constant->shape.dims[axis];
        if (!fits) {
            char declared[SHAPE_TEXT], found[SHAPE_TEXT];
            FAIL(ctx, COSET_EFORMAT, "'%.300s': declared with shape %s, but its data have %s",
                 value->name, shape_text(&value->shape, declared, sizeof declared),
                 shape_text(&constant->shape, found, sizeof found));
        }
        value->shape = constant->shape;
    }
done:
    return status;
}

static coset_status check_attr_names(coset_ctx *ctx, const graph_node *node)
{
    enum { FEW = 16 };
    coset_status status = COSET_OK;
    name_map names = {0};
    for (int32_t i = 0; i < node->n_attrs; i++) {
        const char *name = node->attrs[i].name;
        bool there = false;
        if (node->n_attrs <= FEW) {
            for (int32_t k = 0; k < i && !there; k++) there = !strcmp(name, node->attrs[k].name);
        } else {
            TRY(name_map_set(ctx, &names, name, i, &there));
        }
        if (there)
            TRY(node_fail(ctx, node, COSET_EFORMAT, "two attributes are named '%.300s'", name));
    }
done:
    name_map_free(ctx, &names);
    return status;
}

static coset_status check_count(coset_ctx *ctx, const graph_node *node, const char *what, int found,
                                int least, int most)
{
    if (found >= least && (most < 0 || found <= most)) return COSET_OK;
    if (least == most)
        return node_fail(ctx, node, COSET_EFORMAT, "expected %d %s, found %d", least, what, found);
    if (most < 0)
        return node_fail(ctx, node, COSET_EFORMAT, "expected at least %d %s, found %d", least, what,
                         found);
    return node_fail(ctx, node, COSET_EFORMAT, "expected %d to %d %s, found %d", least, most, what,
                     found);
}

/* Binds the operator's row and compares the node with it. */
static coset_status check_operator(coset_ctx *ctx, const coset_graph *graph, graph_node *node)
{
    coset_status status = COSET_OK;
    /* Only the default domain's opset is kept; the other domains that have rows are at version 1. */
    node->op = op_find(node->domain, node->op_type, node->domain[0] == '\0' ? graph->opset : 1);
    if (node->op == NULL) return COSET_OK;
    const coset_op *op = node->op;
    TRY(check_count(ctx, node, "inputs", node->n_inputs, op->min_inputs, op->max_inputs));
    TRY(check_count(ctx, node, "outputs", node->n_outputs, op->min_outputs, op->max_outputs));
    for (int i = 0; i < op->min_inputs; i++)
        if (node->inputs[i] < 0)
            TRY(node_fail(ctx, node, COSET_EFORMAT, "input %d is required, but it is absent", i));
done:
    return status;
}

/* Ids of one node; claims its outputs. */
static coset_status check_edges(coset_ctx *ctx, coset_graph *graph, int32_t id)
{
    coset_status status = COSET_OK;
    const graph_node *node = &graph->nodes[id];
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] < -1 || node->inputs[i] >= graph->n_values)
            TRY(node_fail(ctx, node, COSET_EFORMAT, "input %d is no value of this graph", i));
    for (int32_t i = 0; i < node->n_captures; i++)
        if (node->captures[i] < 0 || node->captures[i] >= graph->n_values)
            TRY(node_fail(ctx, node, COSET_EFORMAT, "capture %d is no value of this graph", i));
    for (int32_t i = 0; i < node->n_outputs; i++) {
        int32_t output = node->outputs[i];
        if (output < -1 || output >= graph->n_values)
            TRY(node_fail(ctx, node, COSET_EFORMAT, "output %d is no value of this graph", i));
        if (output < 0) continue;
        graph_value *value = &graph->values[output];
        if (value->producer >= 0) {
            char *other = NULL;
            status = ctx_format(ctx, &other, "%.300s", graph->nodes[value->producer].name);
            if (status == COSET_OK)
                status = node_fail(ctx, node, COSET_EFORMAT,
                                   "output '%.300s' is produced by node '%s' already", value->name,
                                   other);
            ctx_free(ctx, other);
            goto done;
        }
        if (value->is_input || value->is_initialiser)
            TRY(node_fail(ctx, node, COSET_EFORMAT, "output '%.300s' is also a graph %s",
                          value->name, value->is_input ? "input" : "initialiser"));
        if (value->constant != NULL && (node->domain[0] || strcmp(node->op_type, "Constant") != 0))
            TRY(node_fail(ctx, node, COSET_EFORMAT, "output '%.300s' has constant data already",
                          value->name));
        value->producer = id;
    }
done:
    return status;
}

static bool is_defined(const graph_value *value)
{
    return value->producer >= 0 || value->is_input || value->is_initialiser;
}

static coset_status check_definitions(coset_ctx *ctx, const coset_graph *graph)
{
    coset_status status = COSET_OK;
    for (int64_t id = 0; id < graph->n_nodes; id++) {
        const graph_node *node = &graph->nodes[id];
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (node->inputs[i] >= 0 && !is_defined(&graph->values[node->inputs[i]]))
                TRY(node_fail(ctx, node, COSET_EFORMAT,
                              "input '%.300s' is no graph input, initialiser or output of a node",
                              graph->values[node->inputs[i]].name));
        for (int32_t i = 0; i < node->n_captures; i++)
            if (!is_defined(&graph->values[node->captures[i]]))
                TRY(node_fail(ctx, node, COSET_EFORMAT,
                              "a subgraph reads '%.300s', which nothing "
                              "defines",
                              graph->values[node->captures[i]].name));
    }
    for (int64_t i = 0; i < graph->n_outputs; i++) {
        const graph_value *value = &graph->values[graph->outputs[i]];
        if (!is_defined(value))
            FAIL(ctx, COSET_EFORMAT, "graph output '%.300s' is produced by no node", value->name);
    }
done:
    return status;
}

/* Value that a node reads: inputs, then captures. -1: absent. */
static int32_t read_value(const graph_node *node, int32_t at)
{
    return at < node->n_inputs ? node->inputs[at] : node->captures[at - node->n_inputs];
}

/* A node on the path from the node that is being placed to one that it needs. */
typedef struct visit {
    int32_t node, next; /* next: the first read value that was not looked at */
} visit;

enum { UNSEEN = 0, ON_PATH = 1, PLACED = 2 };

static coset_status fail_cycle(coset_ctx *ctx, const coset_graph *graph, const graph_node *node,
                               int32_t through)
{
    return node_fail(ctx, node, COSET_EFORMAT, "is part of a cycle through '%.300s'",
                     graph->values[through].name);
}

/* Depth first from every node in file order; place[k] = old id of the node at position k. */
static coset_status find_order(coset_ctx *ctx, const coset_graph *graph, int32_t *place)
{
    coset_status status = COSET_OK;
    uint8_t *state = NULL;
    visit *path = NULL;
    int64_t path_capacity = 0, placed = 0;
    TRY(ctx_alloc(ctx, graph->n_nodes, sizeof *state, &state));
    for (int64_t root = 0; root < graph->n_nodes; root++) {
        if (state[root] != UNSEEN) continue;
        int64_t depth = 1;
        TRY(ctx_reserve(ctx, &path, &path_capacity, depth, sizeof *path));
        path[0] = (visit){(int32_t)root, 0};
        state[root] = ON_PATH;
        while (depth > 0) {
            visit *top = &path[depth - 1];
            const graph_node *node = &graph->nodes[top->node];
            if (top->next == node->n_inputs + node->n_captures) {
                state[top->node] = PLACED;
                place[placed++] = top->node;
                depth--;
                continue;
            }
            int32_t value = read_value(node, top->next++);
            int32_t producer = value < 0 ? -1 : graph->values[value].producer;
            if (producer < 0 || state[producer] == PLACED) continue;
            if (state[producer] == ON_PATH) TRY(fail_cycle(ctx, graph, node, value));
            state[producer] = ON_PATH;
            TRY(ctx_reserve(ctx, &path, &path_capacity, depth + 1, sizeof *path));
            path[depth++] = (visit){producer, 0};
        }
    }
done:
    ctx_free(ctx, path);
    ctx_free(ctx, state);
    return status;
}

static coset_status sort_nodes(coset_ctx *ctx, coset_graph *graph)
{
    coset_status status = COSET_OK;
    int32_t *place = NULL;
    graph_node *sorted = NULL;
    bool in_order = true;
    TRY(ctx_alloc_raw(ctx, graph->n_nodes, sizeof *place, &place));
    TRY(find_order(ctx, graph, place));
    for (int64_t k = 0; k < graph->n_nodes && in_order; k++) in_order = place[k] == k;
    if (in_order) goto done;
    TRY(ctx_alloc_raw(ctx, graph->n_nodes, sizeof *sorted, &sorted));
    for (int64_t k = 0; k < graph->n_nodes; k++) sorted[k] = graph->nodes[place[k]];
    memcpy(graph->nodes, sorted, (size_t)graph->n_nodes * sizeof *sorted);
    for (int64_t k = 0; k < graph->n_nodes; k++)
        for (int32_t i = 0; i < sorted[k].n_outputs; i++)
            if (sorted[k].outputs[i] >= 0)
                graph->values[sorted[k].outputs[i]].producer = (int32_t)k;
done:
    ctx_free(ctx, sorted);
    ctx_free(ctx, place);
    return status;
}

/* All consumer lists lie in one array, value after value. */
static coset_status index_consumers(coset_ctx *ctx, coset_graph *graph)
{
    coset_status status = COSET_OK;
    int32_t *lists = NULL, **end = NULL;
    int64_t total = 0;
    for (int64_t i = 0; i < graph->n_values; i++) graph->values[i].n_consumers = 0;
    for (int64_t id = 0; id < graph->n_nodes; id++) {
        const graph_node *node = &graph->nodes[id];
        for (int32_t i = 0; i < node->n_inputs + node->n_captures; i++) {
            int32_t value = read_value(node, i);
            if (value < 0) continue;
            graph->values[value].n_consumers++;
            total++;
        }
    }
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *end, &end));
    TRY(arena_alloc(ctx, &graph->arena, total, sizeof *lists, &lists));
    for (int64_t i = 0; i < graph->n_values; i++) {
        graph->values[i].consumers = end[i] = lists;
        lists += graph->values[i].n_consumers;
    }
    for (int64_t id = 0; id < graph->n_nodes; id++) {
        const graph_node *node = &graph->nodes[id];
        for (int32_t i = 0; i < node->n_inputs + node->n_captures; i++) {
            int32_t value = read_value(node, i);
            if (value >= 0) *end[value]++ = (int32_t)id;
        }
    }
done:
    ctx_free(ctx, end);
    return status;
}

/* Lists of graph inputs and outputs: known ids, each once; what has become constant is no input. */
static coset_status check_interface(coset_ctx *ctx, coset_graph *graph)
{
    coset_status status = COSET_OK;
    bool *listed = NULL;
    int64_t kept = 0;
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *listed, &listed));
    for (int64_t i = 0; i < graph->n_inputs; i++) {
        int32_t id = graph->inputs[i];
        if (id < 0 || id >= graph->n_values)
            FAIL(ctx, COSET_EFORMAT, "graph input %lld is no value of this graph", (long long)i);
        if (listed[id])
            FAIL(ctx, COSET_EFORMAT, "'%.300s' is a graph input twice", graph->values[id].name);
        listed[id] = true;
        if (!graph->values[id].is_initialiser) graph->inputs[kept++] = id;
    }
    graph->n_inputs = kept;
    memset(listed, 0, (size_t)graph->n_values * sizeof *listed);
    for (int64_t i = 0; i < graph->n_outputs; i++) {
        int32_t id = graph->outputs[i];
        if (id < 0 || id >= graph->n_values)
            FAIL(ctx, COSET_EFORMAT, "graph output %lld is no value of this graph", (long long)i);
        if (listed[id])
            FAIL(ctx, COSET_EFORMAT, "'%.300s' is a graph output twice", graph->values[id].name);
        listed[id] = true;
    }
done:
    ctx_free(ctx, listed);
    return status;
}

coset_status graph_check(coset_ctx *ctx, coset_graph *graph)
{
    coset_status status = COSET_OK;
    TRY(check_names(ctx, graph));
    TRY(check_constants(ctx, graph));
    for (int64_t i = 0; i < graph->n_values; i++) graph->values[i].producer = -1;
    for (int64_t id = 0; id < graph->n_nodes; id++) {
        TRY(check_edges(ctx, graph, (int32_t)id));
        TRY(check_operator(ctx, graph, &graph->nodes[id]));
        TRY(check_attr_names(ctx, &graph->nodes[id]));
    }
    for (int64_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant != NULL && graph->values[i].producer < 0)
            graph->values[i].is_initialiser = true;
    TRY(check_interface(ctx, graph));
    TRY(check_definitions(ctx, graph));
    TRY(sort_nodes(ctx, graph));
    TRY(index_consumers(ctx, graph));
done:
    if (status == COSET_EFORMAT) return ctx_fail_in(ctx, status, "%.300s", graph->name);
    return status;
}
