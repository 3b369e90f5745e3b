/* What is known of an If: through the subgraphs that may be taken. Recursion follows the nesting of the
 * file, which the decoder has bounded. */
#include "graph/infer.h"

void branch_inputs(const graph_facts *facts, const graph_node *node, const graph_branch *branch,
                   fact *inputs_out)
{
    for (int64_t i = 0; i < branch->graph->n_inputs; i++)
        inputs_out[i] = *graph_fact(facts, node->captures[branch->captures[i]]);
}

void branch_choice(const graph_facts *facts, const graph_node *node, int *first_out, int *end_out)
{
    const fact *condition = graph_fact(facts, node->n_inputs > 0 ? node->inputs[0] : -1);
    const array *known = condition->constant;
    *first_out = 0;
    *end_out = node->n_branches;
    if (known == NULL || !dtype_is_integer(known->dtype) ||
        shape_product(&known->shape, 0, known->shape.rank) != 1)
        return;
    *first_out = known->i[0] != 0 ? 0 : 1;
    *end_out = *first_out + 1;
}

/* What two facts have in common. */
static fact common(const fact *a, const fact *b)
{
    fact both = {.dtype = a->dtype == b->dtype ? a->dtype : COSET_UNDEFINED,
                 .shape = SHAPE_UNKNOWN};
    if (a->shape.rank != b->shape.rank) return both;
    both.shape = a->shape;
    for (int axis = 0; axis < both.shape.rank; axis++)
        if (a->shape.dims[axis] != b->shape.dims[axis]) both.shape.dims[axis] = -1;
    return both;
}

/* Outputs of one branch; constants stay behind with its facts. */
static coset_status infer_one(coset_ctx *ctx, graph_facts *facts, const graph_node *node,
                              const graph_branch *branch, fact *out)
{
    coset_status status = COSET_OK;
    graph_facts *inner = NULL;
    fact *inputs = NULL;
    TRY(ctx_alloc(ctx, branch->graph->n_inputs, sizeof *inputs, &inputs));
    branch_inputs(facts, node, branch, inputs);
    TRY(graph_infer_inside(ctx, branch->graph, inputs, facts, &inner));
    for (int32_t o = 0; o < node->n_outputs; o++) {
        out[o] = *graph_fact(inner, branch->graph->outputs[o]);
        out[o].constant = NULL;
    }
done:
    graph_facts_free(ctx, inner);
    ctx_free(ctx, inputs);
    return status;
}

coset_status branch_infer(coset_ctx *ctx, graph_facts *facts, const graph_node *node, fact *out)
{
    coset_status status = COSET_OK;
    fact *one = NULL;
    int first = 0, end = 0;
    bool unknown = false;
    branch_choice(facts, node, &first, &end);
    TRY(ctx_alloc(ctx, node->n_outputs, sizeof *one, &one));
    for (int b = first; b < end; b++) {
        status = infer_one(ctx, facts, node, &node->branches[b], one);
        if (status == COSET_EMEMORY || (status != COSET_OK && end - first == 1)) goto done;
        unknown = unknown || status != COSET_OK;
        status = COSET_OK;
        for (int32_t o = 0; o < node->n_outputs; o++)
            out[o] = b == first ? one[o] : common(&out[o], &one[o]);
    }
    for (int32_t o = 0; o < node->n_outputs && unknown; o++)
        out[o] = (fact){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
done:
    if (status != COSET_OK && status != COSET_EMEMORY)
        status = ctx_fail_in(ctx, status, "node '%.200s' (%s)", node->name, node->op_type);
    ctx_free(ctx, one);
    return status;
}

bool branch_has_layers(const graph_node *node)
{
    for (int32_t b = 0; b < node->n_branches; b++) {
        const coset_graph *graph = node->branches[b].graph;
        for (int64_t n = 0; n < graph->n_nodes; n++) {
            const graph_node *inner = &graph->nodes[n];
            if (inner->op != NULL && inner->op->macs != NULL) return true;
            if (branch_has_layers(inner)) return true;
        }
    }
    return false;
}
