#include "graph/ir.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- building ---------------------------------------------------------------------------------- */

coset_status graph_new(coset_ctx *ctx, const char *name, int64_t opset, coset_graph **graph_out)
{
    coset_status status = COSET_OK;
    coset_graph *graph = NULL;
    *graph_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *graph, &graph));
    graph->opset = opset;
    graph->folder = "";
    graph->changed = true;
    TRY(arena_string(ctx, &graph->arena, name, strlen(name), &graph->name));
    *graph_out = graph;
    graph = NULL;
done:
    coset_graph_free(ctx, graph);
    return status;
}

static void source_release(coset_ctx *ctx, graph_source *source)
{
    if (source == NULL || __atomic_sub_fetch(&source->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    if (source->release != NULL) source->release(ctx, source->model);
    ctx_free(ctx, source);
}

void coset_graph_free(coset_ctx *ctx, coset_graph *graph)
{
    if (graph == NULL) return;
    for (int64_t i = 0; i < graph->n_values; i++) tensor_release(ctx, graph->values[i].constant);
    for (int64_t i = 0; i < graph->n_nodes; i++)
        for (int32_t k = 0; k < graph->nodes[i].n_attrs; k++)
            tensor_release(ctx, graph->nodes[i].attrs[k].t);
    ctx_free(ctx, graph->nodes);
    ctx_free(ctx, graph->values);
    ctx_free(ctx, graph->inputs);
    ctx_free(ctx, graph->outputs);
    name_map_free(ctx, &graph->names);
    arena_free(ctx, &graph->arena);
    source_release(ctx, graph->source);
    ctx_free(ctx, graph);
}

/* Grows to exactly `need` elements; used where the final count is known. */
static coset_status reserve_exactly(coset_ctx *ctx, void *memory, int64_t *capacity, int64_t count,
                                    int64_t need, size_t size)
{
    if (need <= *capacity) return COSET_OK;
    void *old = NULL, *fresh = NULL;
    memcpy(&old, memory, sizeof old);
    coset_status status = ctx_alloc(ctx, need, size, &fresh);
    if (status != COSET_OK) return status;
    if (count > 0) memcpy(fresh, old, (size_t)count * size);
    ctx_free(ctx, old);
    memcpy(memory, &fresh, sizeof fresh);
    *capacity = need;
    return COSET_OK;
}

coset_status graph_reserve(coset_ctx *ctx, coset_graph *graph, int64_t n_nodes, int64_t n_values)
{
    coset_status status = reserve_exactly(ctx, &graph->nodes, &graph->nodes_capacity,
                                          graph->n_nodes, n_nodes, sizeof *graph->nodes);
    if (status != COSET_OK) return status;
    return reserve_exactly(ctx, &graph->values, &graph->values_capacity, graph->n_values, n_values,
                           sizeof *graph->values);
}

coset_status graph_add_value(coset_ctx *ctx, coset_graph *graph, const char *name,
                             int32_t *value_out)
{
    coset_status status = COSET_OK;
    const char *copy = NULL;
    if (graph->n_values == INT32_MAX)
        FAIL(ctx, COSET_ELIMIT, "%s: more than %d values", graph->name, INT32_MAX);
    TRY(arena_string(ctx, &graph->arena, name, strlen(name), &copy));
    TRY(ctx_reserve(ctx, &graph->values, &graph->values_capacity, graph->n_values + 1,
                    sizeof *graph->values));
    graph->values[graph->n_values] =
        (graph_value){.name = copy, .producer = -1, .shape = SHAPE_UNKNOWN};
    graph->changed = true;
    *value_out = (int32_t)graph->n_values++;
done:
    return status;
}

static coset_status copy_ids(coset_ctx *ctx, arena *memory, const int32_t *ids, int32_t n,
                             int32_t **copy_out)
{
    coset_status status = arena_alloc(ctx, memory, n, sizeof *ids, copy_out);
    if (status == COSET_OK && n > 0) memcpy(*copy_out, ids, (size_t)n * sizeof *ids);
    return status;
}

coset_status graph_add_node(coset_ctx *ctx, coset_graph *graph, const char *name,
                            const char *domain, const char *op_type, const int32_t *inputs,
                            int32_t n_inputs, const int32_t *outputs, int32_t n_outputs,
                            int32_t *node_out)
{
    coset_status status = COSET_OK;
    arena *memory = &graph->arena;
    graph_node node = {.n_inputs = n_inputs, .n_outputs = n_outputs, .domain = ""};
    if (graph->n_nodes == INT32_MAX)
        FAIL(ctx, COSET_ELIMIT, "%s: more than %d nodes", graph->name, INT32_MAX);
    TRY(arena_string(ctx, memory, name, strlen(name), &node.name));
    if (domain[0] != '\0') TRY(arena_string(ctx, memory, domain, strlen(domain), &node.domain));
    TRY(arena_string(ctx, memory, op_type, strlen(op_type), &node.op_type));
    TRY(copy_ids(ctx, memory, inputs, n_inputs, &node.inputs));
    TRY(copy_ids(ctx, memory, outputs, n_outputs, &node.outputs));
    TRY(ctx_reserve(ctx, &graph->nodes, &graph->nodes_capacity, graph->n_nodes + 1,
                    sizeof *graph->nodes));
    graph->nodes[graph->n_nodes] = node;
    graph->changed = true;
    *node_out = (int32_t)graph->n_nodes++;
done:
    return status;
}

coset_status graph_set_captures(coset_ctx *ctx, coset_graph *graph, int32_t node,
                                const int32_t *values, int32_t n_values)
{
    graph_node *self = &graph->nodes[node];
    coset_status status = copy_ids(ctx, &graph->arena, values, n_values, &self->captures);
    self->n_captures = status == COSET_OK ? n_values : 0;
    return status;
}

/* Room that the attribute array of a node with n attributes has: it doubles in the arena. */
static int32_t attrs_capacity(int32_t n)
{
    int32_t capacity = n == 0 ? 0 : 4;
    while (capacity < n) capacity *= 2;
    return capacity;
}

static coset_status copy_attr(coset_ctx *ctx, arena *memory, const graph_attr *attr,
                              graph_attr *copy_out)
{
    coset_status status = COSET_OK;
    graph_attr copy = {.kind = attr->kind, .changed = attr->changed, .f = attr->f, .i = attr->i};
    TRY(arena_string(ctx, memory, attr->name, strlen(attr->name), &copy.name));
    if (attr->kind == ATTR_STRING) {
        TRY(arena_string(ctx, memory, attr->s, (size_t)attr->n, &copy.s));
    } else if (attr->kind == ATTR_FLOATS) {
        float *floats = NULL;
        TRY(arena_alloc(ctx, memory, attr->n, sizeof *floats, &floats));
        if (attr->n > 0) memcpy(floats, attr->floats, (size_t)attr->n * sizeof *floats);
        copy.floats = floats;
    } else if (attr->kind == ATTR_INTS) {
        int64_t *ints = NULL;
        TRY(arena_alloc(ctx, memory, attr->n, sizeof *ints, &ints));
        if (attr->n > 0) memcpy(ints, attr->ints, (size_t)attr->n * sizeof *ints);
        copy.ints = ints;
    } else if (attr->kind == ATTR_STRINGS) {
        const char **strings = NULL;
        TRY(arena_alloc(ctx, memory, attr->n, sizeof *strings, &strings));
        for (int64_t i = 0; i < attr->n; i++)
            TRY(arena_string(ctx, memory, attr->strings[i], strlen(attr->strings[i]), &strings[i]));
        copy.strings = strings;
    }
    copy.n = attr->kind >= ATTR_FLOATS || attr->kind == ATTR_STRING ? attr->n : 0;
    if (attr->kind == ATTR_TENSOR && attr->t != NULL) copy.t = tensor_retain(attr->t);
    *copy_out = copy;
done:
    return status;
}

coset_status graph_add_attr(coset_ctx *ctx, coset_graph *graph, int32_t node,
                            const graph_attr *attr)
{
    coset_status status = COSET_OK;
    graph_node *self = &graph->nodes[node];
    int32_t capacity = attrs_capacity(self->n_attrs);
    if (self->n_attrs == INT32_MAX / 2)
        FAIL(ctx, COSET_ELIMIT, "%s: too many attributes", graph->name);
    if (self->n_attrs == capacity) {
        graph_attr *wider = NULL;
        TRY(arena_alloc(ctx, &graph->arena, attrs_capacity(capacity + 1), sizeof *wider, &wider));
        if (capacity > 0) memcpy(wider, self->attrs, (size_t)capacity * sizeof *wider);
        self->attrs = wider;
    }
    TRY(copy_attr(ctx, &graph->arena, attr, &self->attrs[self->n_attrs]));
    self->n_attrs++;
    graph->changed = true;
done:
    return status;
}

coset_status graph_add_input(coset_ctx *ctx, coset_graph *graph, int32_t value)
{
    graph_value *self = &graph->values[value];
    self->is_input = true;
    if (self->is_initialiser || self->constant != NULL) return COSET_OK;
    coset_status status = ctx_reserve(ctx, &graph->inputs, &graph->inputs_capacity,
                                      graph->n_inputs + 1, sizeof *graph->inputs);
    if (status == COSET_OK) graph->inputs[graph->n_inputs++] = value;
    return status;
}

coset_status graph_add_output(coset_ctx *ctx, coset_graph *graph, int32_t value)
{
    graph->values[value].is_output = true;
    coset_status status = ctx_reserve(ctx, &graph->outputs, &graph->outputs_capacity,
                                      graph->n_outputs + 1, sizeof *graph->outputs);
    if (status == COSET_OK) graph->outputs[graph->n_outputs++] = value;
    return status;
}

void graph_set_constant(coset_ctx *ctx, coset_graph *graph, int32_t value, tensor *constant)
{
    graph_value *self = &graph->values[value];
    tensor *old = self->constant;
    self->constant = tensor_retain(constant);
    self->dtype = constant->dtype;
    self->shape = constant->shape;
    self->dim_names = NULL;
    self->changed = true;
    graph->changed = true;
    tensor_release(ctx, old);
}

/* ---- cloning ----------------------------------------------------------------------------------- */

static coset_status clone_value(coset_ctx *ctx, arena *memory, const graph_value *from,
                                graph_value *to)
{
    coset_status status = COSET_OK;
    graph_value copy = *from;
    copy.constant = NULL;
    copy.consumers = NULL;
    copy.n_consumers = 0;
    TRY(arena_string(ctx, memory, from->name, strlen(from->name), &copy.name));
    if (from->dim_names != NULL && from->shape.rank > 0) {
        const char **names = NULL;
        TRY(arena_alloc(ctx, memory, from->shape.rank, sizeof *names, &names));
        for (int i = 0; i < from->shape.rank; i++) {
            const char *name = from->dim_names[i];
            if (name != NULL) TRY(arena_string(ctx, memory, name, strlen(name), &names[i]));
        }
        copy.dim_names = names;
    }
    if (from->constant != NULL) copy.constant = tensor_retain(from->constant);
    *to = copy;
done:
    return status;
}

static coset_status clone_node(coset_ctx *ctx, coset_graph *clone, const graph_node *from)
{
    coset_status status = COSET_OK;
    int32_t id = 0;
    TRY(graph_add_node(ctx, clone, from->name, from->domain, from->op_type, from->inputs,
                       from->n_inputs, from->outputs, from->n_outputs, &id));
    graph_node *to = &clone->nodes[id];
    to->op = from->op;
    to->source = from->source;
    to->rewired = from->rewired;
    to->branches = from->branches;
    to->n_branches = from->n_branches;
    TRY(graph_set_captures(ctx, clone, id, from->captures, from->n_captures));
    for (int32_t i = 0; i < from->n_attrs; i++)
        TRY(graph_add_attr(ctx, clone, id, &from->attrs[i]));
done:
    return status;
}

coset_status graph_clone(coset_ctx *ctx, const coset_graph *graph, coset_graph **clone_out)
{
    coset_status status = COSET_OK;
    coset_graph *clone = NULL;
    *clone_out = NULL;
    TRY(graph_new(ctx, graph->name, graph->opset, &clone));
    TRY(arena_string(ctx, &clone->arena, graph->folder, strlen(graph->folder), &clone->folder));
    TRY(graph_reserve(ctx, clone, graph->n_nodes, graph->n_values));
    for (int64_t i = 0; i < graph->n_values; i++) {
        TRY(clone_value(ctx, &clone->arena, &graph->values[i], &clone->values[i]));
        clone->n_values++;
    }
    for (int64_t i = 0; i < graph->n_nodes; i++) TRY(clone_node(ctx, clone, &graph->nodes[i]));
    for (int64_t i = 0; i < graph->n_inputs; i++)
        TRY(graph_add_input(ctx, clone, graph->inputs[i]));
    for (int64_t i = 0; i < graph->n_outputs; i++)
        TRY(graph_add_output(ctx, clone, graph->outputs[i]));
    clone->file_bytes = graph->file_bytes;
    memcpy(clone->digest, graph->digest, sizeof clone->digest);
    clone->source = graph->source;
    if (clone->source != NULL) __atomic_add_fetch(&clone->source->references, 1, __ATOMIC_RELAXED);
    clone->changed = graph->changed;
    *clone_out = clone;
    clone = NULL;
done:
    coset_graph_free(ctx, clone);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static const graph_attr *find_attr(const graph_node *node, const char *name, attr_kind kind)
{
    const graph_attr *attr = node_attr(node, name);
    return attr != NULL && attr->kind == kind ? attr : NULL;
}

const char *node_label(const coset_graph *graph, const graph_node *node)
{
    if (node->name[0] != '\0') return node->name;
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (node->outputs[o] >= 0) return graph->values[node->outputs[o]].name;
    return node->op_type;
}

const graph_attr *node_attr(const graph_node *node, const char *name)
{
    for (int32_t i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
    return NULL;
}

int64_t node_attr_int(const graph_node *node, const char *name, int64_t otherwise)
{
    const graph_attr *attr = find_attr(node, name, ATTR_INT);
    return attr != NULL ? attr->i : otherwise;
}

float node_attr_float(const graph_node *node, const char *name, float otherwise)
{
    const graph_attr *attr = find_attr(node, name, ATTR_FLOAT);
    return attr != NULL ? attr->f : otherwise;
}

const char *node_attr_string(const graph_node *node, const char *name, const char *otherwise)
{
    const graph_attr *attr = find_attr(node, name, ATTR_STRING);
    return attr != NULL ? attr->s : otherwise;
}

const int64_t *node_attr_ints(const graph_node *node, const char *name, int64_t *n_out)
{
    const graph_attr *attr = find_attr(node, name, ATTR_INTS);
    *n_out = attr != NULL ? attr->n : 0;
    return attr != NULL ? attr->ints : NULL;
}

coset_status node_fail(coset_ctx *ctx, const graph_node *node, coset_status status,
                       const char *format, ...)
{
    char text[sizeof ctx->error];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (node->name[0] == '\0')
        return ctx_fail(ctx, status, "unnamed node (%.200s): %s", node->op_type, text);
    return ctx_fail(ctx, status, "node '%.300s' (%.200s): %s", node->name, node->op_type, text);
}

int64_t coset_graph_inputs(const coset_graph *graph)
{
    return graph->n_inputs;
}

int64_t coset_graph_outputs(const coset_graph *graph)
{
    return graph->n_outputs;
}

const char *coset_graph_input_name(const coset_graph *graph, int64_t index)
{
    if (index < 0 || index >= graph->n_inputs) return NULL;
    return graph->values[graph->inputs[index]].name;
}

const char *coset_graph_output_name(const coset_graph *graph, int64_t index)
{
    if (index < 0 || index >= graph->n_outputs) return NULL;
    return graph->values[graph->outputs[index]].name;
}

coset_dtype coset_graph_input_type(const coset_graph *graph, int64_t index, int *rank_out,
                                   int64_t *dims_out)
{
    *rank_out = -1;
    if (index < 0 || index >= graph->n_inputs) return COSET_UNDEFINED;
    const graph_value *value = &graph->values[graph->inputs[index]];
    *rank_out = value->shape.rank;
    for (int i = 0; i < value->shape.rank; i++) dims_out[i] = value->shape.dims[i];
    return value->dtype;
}
