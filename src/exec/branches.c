#include "exec/branches.h"

#include <string.h>

struct branch_run {
    coset_ctx *ctx;
    const graph_node *node;
    executor *executors[2]; /* NULL: never taken */
    array *inputs;          /* room for those of either branch */
};

static coset_status plan_branch(branch_run *self, const graph_facts *facts, int b)
{
    coset_status status = COSET_OK;
    const graph_branch *branch = &self->node->branches[b];
    fact *inputs = NULL;
    TRY(ctx_alloc(self->ctx, branch->graph->n_inputs, sizeof *inputs, &inputs));
    branch_inputs(facts, self->node, branch, inputs);
    TRY(executor_new_inside(self->ctx, branch->graph, inputs, &self->executors[b]));
done:
    ctx_free(self->ctx, inputs);
    return status;
}

coset_status branch_run_new(coset_ctx *ctx, const graph_node *node, const graph_facts *facts,
                            branch_run **run_out)
{
    coset_status status = COSET_OK;
    branch_run *self = NULL;
    int first = 0, end = 0;
    *run_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    *self = (branch_run){.ctx = ctx, .node = node};
    TRY(ctx_alloc(ctx, node->n_captures, sizeof *self->inputs, &self->inputs));
    branch_choice(facts, node, &first, &end);
    for (int b = first; b < end; b++) TRY(plan_branch(self, facts, b));
    *run_out = self;
    self = NULL;
done:
    branch_run_free(ctx, self);
    return status;
}

/* Copies an output of the branch to where the graph around has planned it. */
static coset_status hand_out(const branch_run *self, const array *from, array *to)
{
    const size_t size = array_element_size(to->dtype);
    if (from == NULL || from->data == NULL || from->dtype != to->dtype ||
        !shape_equal(&from->shape, &to->shape))
        return node_fail(self->ctx, self->node, COSET_EUNSUPPORTED,
                         "a branch has an output of another shape than was planned");
    const size_t bytes = (size_t)shape_product(&to->shape, 0, to->shape.rank) * size;
    if (bytes > 0) memcpy(to->data, from->data, bytes);
    return COSET_OK;
}

coset_status branch_run_step(branch_run *self, const array *values, array *out)
{
    coset_status status = COSET_OK;
    const graph_node *node = self->node;
    const int chosen = values[node->inputs[0]].i[0] != 0 ? 0 : 1;
    const graph_branch *branch = &node->branches[chosen];
    for (int64_t i = 0; i < branch->graph->n_inputs; i++)
        self->inputs[i] = values[node->captures[branch->captures[i]]];
    TRY(executor_run(self->executors[chosen], self->inputs));
    for (int32_t o = 0; o < node->n_outputs; o++)
        if (out[o].data != NULL)
            TRY(hand_out(self, executor_value(self->executors[chosen], branch->graph->outputs[o]),
                         &out[o]));
done:
    return status;
}

void branch_run_free(coset_ctx *ctx, branch_run *self)
{
    if (self == NULL) return;
    for (int b = 0; b < 2; b++) executor_free(ctx, self->executors[b]);
    ctx_free(ctx, self->inputs);
    ctx_free(ctx, self);
}
