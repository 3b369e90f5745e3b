/* How operators change their own parameters in a cut. */
#include <string.h>

#include "graph/labels.h"

static coset_status make_ints(coset_ctx *ctx, const int64_t *values, const shape *of,
                              tensor **tensor_out)
{
    array wrapped = {.dtype = COSET_I64, .shape = *of};
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

coset_status cut_set_input(op_cut *call, int input, const int64_t *values, const shape *of)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->at.ctx;
    coset_graph *graph = call->graph;
    tensor *constant = NULL;
    int32_t value = graph->nodes[call->node_id].inputs[input];
    TRY(make_ints(ctx, values, of, &constant));
    /* What nodes compute, or others read, stays as it is. */
    if (graph->values[value].n_consumers != 1 || graph->values[value].is_output ||
        graph->values[value].constant == NULL)
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
