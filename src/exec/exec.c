#include "exec/exec.h"

#include <string.h>

#include "exec/branches.h"
#include "exec/plan.h"

struct executor {
    coset_ctx *ctx;
    const coset_graph *graph;
    graph_facts *facts; /* lives as long as the executor: folded constants are lent from it */
    run_plan plan;
    array *values;    /* [n_values] data NULL: not readable */
    void **converted; /* [n_converted] constants that are not stored in their compute type */
    int64_t n_converted, converted_capacity;
    unsigned char *memory; /* the workspace */
    unsigned char *used;   /* where values lie: memory, or what executor_use was given */
    array *in, *out;       /* of one step */
    branch_run **branches; /* [n_steps] of steps that are an If, else NULL */
};

/* Lets the values of the workspace lie in `memory`. */
static void place_values(executor *self, unsigned char *memory)
{
    self->used = memory;
    for (int64_t v = 0; v < self->graph->n_values; v++)
        if (self->plan.place[v] == PLAN_WORKSPACE)
            self->values[v].data = memory + self->plan.offset[v];
}

static coset_status load_stored(executor *self, int32_t value)
{
    coset_ctx *ctx = self->ctx;
    const graph_value *entry = &self->graph->values[value];
    coset_status status = ctx_reserve(ctx, &self->converted, &self->converted_capacity,
                                      self->n_converted + 1, sizeof *self->converted);
    if (status != COSET_OK) return status;
    status = tensor_to_array(ctx, entry->constant, &self->values[value],
                             &self->converted[self->n_converted]);
    if (status != COSET_OK) return ctx_fail_in(ctx, status, "constant '%s'", entry->name);
    if (self->converted[self->n_converted] != NULL) self->n_converted++;
    return COSET_OK;
}

static coset_status load_constant(executor *self, int32_t value)
{
    const array *folded = graph_fact(self->facts, value)->constant;
    if (folded == NULL) return load_stored(self, value);
    self->values[value] = *folded;
    return COSET_OK;
}

/* Everything but the data of graph inputs that are read in place. */
static coset_status fill_values(executor *self)
{
    for (int64_t v = 0; v < self->graph->n_values; v++) {
        const fact *known = graph_fact(self->facts, (int32_t)v);
        array *value = &self->values[v];
        *value = (array){.dtype = known->dtype, .shape = known->shape};
        if (self->plan.place[v] == PLAN_CONSTANT) {
            coset_status status = load_constant(self, (int32_t)v);
            if (status != COSET_OK) return status;
        }
    }
    place_values(self, self->memory);
    return COSET_OK;
}

static coset_status plan_branches(executor *self)
{
    coset_status status =
        ctx_alloc(self->ctx, self->plan.n_steps, sizeof *self->branches, &self->branches);
    if (status != COSET_OK) return status;
    for (int64_t step = 0; step < self->plan.n_steps && status == COSET_OK; step++) {
        const graph_node *node = &self->graph->nodes[self->plan.steps[step].node];
        if (node->n_branches > 0)
            status = branch_run_new(self->ctx, node, self->facts, &self->branches[step]);
    }
    return status;
}

/* given NULL: inputs are of these shapes. */
static coset_status make(coset_ctx *ctx, const coset_graph *graph, const shape *input_shapes,
                         const fact *given, const int32_t *taps, int64_t n_taps,
                         executor **executor_out)
{
    coset_status status = COSET_OK;
    executor *self = NULL;
    *executor_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->ctx = ctx;
    self->graph = graph;
    if (given != NULL)
        TRY(graph_infer_inside(ctx, graph, given, NULL, &self->facts));
    else
        TRY(graph_infer(ctx, graph, input_shapes, &self->facts));
    TRY(run_plan_make(ctx, graph, self->facts, taps, n_taps, &self->plan));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self->values, &self->values));
    TRY(ctx_alloc(ctx, self->plan.max_inputs, sizeof *self->in, &self->in));
    TRY(ctx_alloc(ctx, self->plan.max_outputs, sizeof *self->out, &self->out));
    TRY(ctx_alloc_raw(ctx, (int64_t)self->plan.workspace, 1, &self->memory));
    TRY(fill_values(self));
    TRY(plan_branches(self));
    *executor_out = self;
    self = NULL;
done:
    executor_free(ctx, self);
    return status;
}

coset_status executor_new(coset_ctx *ctx, const coset_graph *graph, const shape *input_shapes,
                          const int32_t *taps, int64_t n_taps, executor **executor_out)
{
    return make(ctx, graph, input_shapes, NULL, taps, n_taps, executor_out);
}

coset_status executor_new_inside(coset_ctx *ctx, const coset_graph *graph, const fact *inputs,
                                 executor **executor_out)
{
    return make(ctx, graph, NULL, inputs, NULL, 0, executor_out);
}

static coset_status check_input(const executor *self, int64_t index, const array *given)
{
    char expected[SHAPE_TEXT], found[SHAPE_TEXT];
    int32_t value = self->graph->inputs[index];
    const array *planned = &self->values[value];
    const char *name = self->graph->values[value].name;
    if (self->plan.place[value] == PLAN_UNUSED) return COSET_OK;
    if (!shape_equal(&given->shape, &planned->shape))
        return ctx_fail(self->ctx, COSET_EARGUMENT, "input '%s' must have shape %s, not %s", name,
                        shape_text(&planned->shape, expected, sizeof expected),
                        shape_text(&given->shape, found, sizeof found));
    if (given->data == NULL || dtype_is_float(given->dtype) != dtype_is_float(planned->dtype) ||
        dtype_is_integer(given->dtype) != dtype_is_integer(planned->dtype))
        return ctx_fail(self->ctx, COSET_EARGUMENT, "input '%s' must be %s, not %s", name,
                        coset_dtype_name(planned->dtype),
                        given->data == NULL ? "absent" : coset_dtype_name(given->dtype));
    return COSET_OK;
}

static void take_input(executor *self, int64_t index, const array *given)
{
    int32_t value = self->graph->inputs[index];
    array *planned = &self->values[value];
    if (self->plan.place[value] == PLAN_INPUT) {
        planned->data = given->data;
    } else if (self->plan.place[value] == PLAN_WORKSPACE) {
        size_t count = (size_t)shape_product(&planned->shape, 0, planned->shape.rank);
        memcpy(planned->data, given->data, count * array_element_size(planned->dtype));
    }
}

static coset_status execute(executor *self, const run_step *step)
{
    const graph_node *node = &self->graph->nodes[step->node];
    for (int32_t k = 0; k < node->n_inputs; k++)
        self->in[k] =
            node->inputs[k] >= 0 ? self->values[node->inputs[k]] : (array){.shape = SHAPE_UNKNOWN};
    for (int32_t k = 0; k < node->n_outputs; k++)
        self->out[k] = node->outputs[k] >= 0 ? self->values[node->outputs[k]]
                                             : (array){.shape = SHAPE_UNKNOWN};
    branch_run *branches = self->branches[step - self->plan.steps];
    if (branches != NULL) return branch_run_step(branches, self->values, self->out);
    op_call call = {.at = {self->ctx, node, self->graph->opset, node->n_inputs, node->n_outputs},
                    .in = self->in,
                    .out = self->out,
                    .scratch = self->used + step->scratch_offset,
                    .threads = self->ctx->threads};
    return node->op->forward(&call);
}

coset_status executor_start(executor *self, const array *inputs)
{
    coset_status status = COSET_OK;
    for (int64_t k = 0; k < self->graph->n_inputs; k++) TRY(check_input(self, k, &inputs[k]));
    for (int64_t k = 0; k < self->graph->n_inputs; k++) take_input(self, k, &inputs[k]);
done:
    if (status != COSET_OK) status = ctx_fail_in(self->ctx, status, "%s", self->graph->name);
    return status;
}

coset_status executor_advance(executor *self, int64_t *step, int32_t node)
{
    coset_status status = COSET_OK;
    for (; *step < self->plan.n_steps && self->plan.steps[*step].node < node; ++*step)
        TRY(execute(self, &self->plan.steps[*step]));
done:
    if (status != COSET_OK) status = ctx_fail_in(self->ctx, status, "%s", self->graph->name);
    return status;
}

coset_status executor_run(executor *self, const array *inputs)
{
    int64_t step = 0;
    coset_status status = executor_start(self, inputs);
    if (status != COSET_OK) return status;
    return executor_advance(self, &step, INT32_MAX);
}

void executor_use(executor *self, void *memory)
{
    place_values(self, memory != NULL ? memory : self->memory);
}

bool executor_runs(const executor *self, int32_t node)
{
    for (int64_t step = 0; step < self->plan.n_steps; step++)
        if (self->plan.steps[step].node == node) return true;
    return false;
}

const array *executor_operand(const executor *self, int32_t value)
{
    if (value < 0 || value >= self->graph->n_values || self->plan.place[value] == PLAN_UNUSED)
        return NULL;
    return &self->values[value];
}

coset_status executor_reload(executor *self, int32_t value)
{
    if (self->plan.place[value] != PLAN_CONSTANT) return COSET_OK;
    return load_stored(self, value);
}

const array *executor_value(const executor *self, int32_t value)
{
    if (value < 0 || value >= self->graph->n_values) return NULL;
    switch (self->plan.place[value]) {
    case PLAN_INPUT:
    case PLAN_CONSTANT: return &self->values[value];
    case PLAN_WORKSPACE: return self->plan.kept[value] ? &self->values[value] : NULL;
    case PLAN_UNUSED: break;
    }
    return NULL;
}

size_t executor_workspace(const executor *self)
{
    return self->plan.workspace;
}

void executor_free(coset_ctx *ctx, executor *self)
{
    if (self == NULL) return;
    for (int64_t k = 0; k < self->n_converted; k++) ctx_free(ctx, self->converted[k]);
    ctx_free(ctx, self->converted);
    for (int64_t step = 0; self->branches != NULL && step < self->plan.n_steps; step++)
        branch_run_free(ctx, self->branches[step]);
    ctx_free(ctx, self->branches);
    ctx_free(ctx, self->memory);
    ctx_free(ctx, self->in);
    ctx_free(ctx, self->out);
    ctx_free(ctx, self->values);
    run_plan_free(ctx, &self->plan);
    graph_facts_free(ctx, self->facts);
    ctx_free(ctx, self);
}
