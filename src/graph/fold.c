#include "graph/fold.h"

/* Everything that one node's run needs. */
typedef struct folding {
    coset_ctx *ctx;
    coset_graph *graph;
    fact *facts; /* [n_inputs + 1] */
    array *arrays;
    void **memory; /* [n_inputs + 2] conversions, result, scratch */
} folding;

static void folding_free(folding *self, int32_t n_inputs)
{
    for (int32_t i = 0; self->memory != NULL && i < n_inputs + 2; i++)
        ctx_free(self->ctx, self->memory[i]);
    ctx_free(self->ctx, self->facts);
    ctx_free(self->ctx, self->arrays);
    ctx_free(self->ctx, self->memory);
}

static bool foldable(const coset_graph *graph, const graph_node *node)
{
    if (node->op == NULL || node->op->forward == NULL || node->n_inputs == 0 ||
        node->n_outputs != 1 || node->n_captures > 0 || node->outputs[0] < 0)
        return false;
    const graph_value *result = &graph->values[node->outputs[0]];
    if (result->is_output || result->constant != NULL) return false;
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] >= 0 && (graph->values[node->inputs[i]].constant == NULL ||
                                     graph->values[node->inputs[i]].constant->data == NULL))
            return false;
    return true;
}

/* Runs the node on its constants; *result_out NULL: it is not worth folding. */
static coset_status run_constant(folding *self, const graph_node *node, tensor **result_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    int32_t n = node->n_inputs;
    size_t taken = 0, bytes = 0;
    int64_t count = 0;
    TRY(ctx_alloc(ctx, n + 1, sizeof *self->facts, &self->facts));
    TRY(ctx_alloc(ctx, n + 1, sizeof *self->arrays, &self->arrays));
    TRY(ctx_alloc(ctx, n + 2, sizeof *self->memory, &self->memory));
    for (int32_t i = 0; i <= n; i++) {
        self->facts[i] = (fact){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
        self->arrays[i] = (array){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
        if (i == n || node->inputs[i] < 0) continue;
        const tensor *data = self->graph->values[node->inputs[i]].constant;
        if (array_element_size(data->dtype) == 0) goto done;
        taken += data->bytes;
        TRY(tensor_to_array(ctx, data, &self->arrays[i], &self->memory[i]));
        self->facts[i] = (fact){data->dtype, data->shape, &self->arrays[i]};
    }
    fact *out = &self->facts[n];
    op_infer infer = {{ctx, node, self->graph->opset, n, 1}, self->facts, out};
    TRY(node->op->infer(&infer));
    if (!dtype_is_float(out->dtype) || !shape_known(&out->shape)) goto done;
    TRY(tensor_bytes(ctx, out->dtype, &out->shape, &bytes));
    if (bytes > taken) goto done;
    TRY(shape_elements(ctx, &out->shape, &count));
    TRY(ctx_alloc_raw(ctx, count, array_element_size(out->dtype), &self->memory[n]));
    self->arrays[n] = (array){.dtype = out->dtype, .shape = out->shape, .data = self->memory[n]};
    if (node->op->scratch != NULL)
        TRY(ctx_alloc_raw(ctx, (int64_t)node->op->scratch(&infer), 1, &self->memory[n + 1]));
    op_call call = {infer.at, self->arrays, &self->arrays[n], self->memory[n + 1], ctx->threads};
    TRY(node->op->forward(&call));
    TRY(tensor_from_array(ctx, &self->arrays[n], result_out));
done:
    return status;
}

coset_status graph_fold(coset_ctx *ctx, const coset_graph *graph, coset_graph **folded_out)
{
    coset_status status = COSET_OK;
    coset_graph *folded = NULL;
    tensor *result = NULL;
    bool *gone = NULL;
    *folded_out = NULL;
    bool any = false;
    for (int64_t n = 0; n < graph->n_nodes && !any; n++) any = foldable(graph, &graph->nodes[n]);
    if (!any) return COSET_OK;
    TRY(graph_clone(ctx, graph, &folded));
    TRY(graph_check(ctx, folded));
    TRY(ctx_alloc(ctx, folded->n_nodes, sizeof *gone, &gone));
    any = false;
    for (int64_t n = 0; n < folded->n_nodes; n++) { /* in topological order: chains fold whole */
        const graph_node *node = &folded->nodes[n];
        if (!foldable(folded, node)) continue;
        folding run = {.ctx = ctx, .graph = folded};
        status = run_constant(&run, node, &result);
        folding_free(&run, node->n_inputs);
        if (status != COSET_OK) goto done;
        if (result == NULL) continue;
        graph_set_constant(ctx, folded, node->outputs[0], result);
        tensor_release(ctx, result);
        result = NULL;
        gone[n] = any = true;
    }
    if (!any) goto done;
    TRY(graph_remove_nodes(ctx, folded, gone, folded->n_nodes));
    folded->changed = true;
    TRY(graph_check(ctx, folded));
    *folded_out = folded;
    folded = NULL;
done:
    tensor_release(ctx, result);
    ctx_free(ctx, gone);
    coset_graph_free(ctx, folded);
    return status;
}
