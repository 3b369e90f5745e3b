/* How operators change their own parameters in a cut. */
#include <string.h>

#include "graph/labels.h"

static coset_status make_ints(coset_ctx *ctx, coset_dtype dtype, const int64_t *values,
                              const shape *of, tensor **tensor_out)
{
    array wrapped = {.dtype = dtype, .shape = *of};
    int64_t *copy = NULL;
    int64_t n = shape_product(of, 0, of->rank);
    coset_status status = ctx_alloc_raw(ctx, n, sizeof *copy, &copy);
    if (status != COSET_OK) return status;
    if (n > 0) memcpy(copy, values, (size_t)n * sizeof *copy);
    wrapped.i = copy;
    status = tensor_from_array(ctx, &wrapped, tensor_out);
    ctx_free(ctx, copy);
    return status;
}

/* Gives the node an input that it has not: a new initialiser without data as yet. */
static coset_status add_input(op_cut *call, int input)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->at.ctx;
    coset_graph *graph = call->graph;
    graph_node *node = &graph->nodes[call->node_id];
    int32_t *wider = NULL, value = -1;
    if (input >= node->n_inputs) {
        TRY(arena_alloc(ctx, &graph->arena, input + 1, sizeof *wider, &wider));
        for (int32_t i = 0; i <= input; i++) wider[i] = i < node->n_inputs ? node->inputs[i] : -1;
        node->inputs = wider;
        node->n_inputs = input + 1;
    }
    TRY(graph_add_constant(ctx, graph, node->outputs[0], &value));
    node->inputs[input] = value;
    node->rewired = true;
done:
    return status;
}

coset_status cut_set_input(op_cut *call, int input, const int64_t *values, const shape *of)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->at.ctx;
    coset_graph *graph = call->graph;
    tensor *constant = NULL;
    bool there = input < graph->nodes[call->node_id].n_inputs &&
                 graph->nodes[call->node_id].inputs[input] >= 0;
    coset_dtype dtype =
        there && dtype_is_integer(call->in[input].dtype) ? call->in[input].dtype : COSET_I64;
    TRY(make_ints(ctx, dtype, values, of, &constant));
    if (!there) TRY(add_input(call, input));
    int32_t value = graph->nodes[call->node_id].inputs[input];
    /* What nodes compute, or others read, stays as it is. */
    if (there && (graph->values[value].n_consumers != 1 || graph->values[value].is_output ||
                  graph->values[value].constant == NULL))
        TRY(graph_copy_constant(ctx, graph, call->node_id, input, &value));
    graph_set_constant(ctx, graph, value, constant);
done:
    tensor_release(ctx, constant);
    return status;
}

static graph_attr *find_attr(op_cut *call, const char *name)
{
    graph_node *node = &call->graph->nodes[call->node_id];
    for (int32_t a = 0; a < node->n_attrs; a++)
        if (strcmp(node->attrs[a].name, name) == 0) return &node->attrs[a];
    return NULL;
}

coset_status cut_set_ints(op_cut *call, const char *name, const int64_t *values, int64_t n)
{
    graph_attr *attr = find_attr(call, name);
    graph_attr fresh = {.name = name, .kind = ATTR_INTS, .changed = true, .ints = values, .n = n};
    if (attr == NULL) return graph_add_attr(call->at.ctx, call->graph, call->node_id, &fresh);
    int64_t *copy = NULL;
    coset_status status = arena_alloc(call->at.ctx, &call->graph->arena, n, sizeof *copy, &copy);
    if (status != COSET_OK) return status;
    if (n > 0) memcpy(copy, values, (size_t)n * sizeof *copy);
    attr->ints = copy;
    attr->n = n;
    attr->changed = true;
    call->graph->changed = true;
    return COSET_OK;
}

coset_status cut_set_int(op_cut *call, const char *name, int64_t value)
{
    graph_attr *attr = find_attr(call, name);
    graph_attr fresh = {.name = name, .kind = ATTR_INT, .changed = true, .i = value};
    if (attr == NULL) return graph_add_attr(call->at.ctx, call->graph, call->node_id, &fresh);
    attr->i = value;
    attr->changed = true;
    call->graph->changed = true;
    return COSET_OK;
}

void cut_drop_attr(op_cut *call, const char *name)
{
    graph_node *node = &call->graph->nodes[call->node_id];
    graph_attr *attr = find_attr(call, name);
    if (attr == NULL) return;
    tensor_release(call->at.ctx, attr->t);
    *attr = node->attrs[--node->n_attrs];
    call->graph->changed = true;
}

int64_t axis_keep_place(const axis_keep *self, int axis, int64_t index)
{
    int64_t low = 0, high = self->count[axis];
    if (self->index[axis] == NULL) return index;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (self->index[axis][middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->count[axis] && self->index[axis][low] == index ? low : -1;
}
