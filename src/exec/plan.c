#include "exec/plan.h"

#include "base/size.h"
#include "exec/workspace.h"

typedef struct planner {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_facts *facts;
    run_plan *plan;
    bool *runs;       /* [n_nodes] */
    int64_t *last;    /* [n_values] last step that reads the value, -1: none */
    bool *given_back; /* [n_values] */
    fact *in, *out;   /* of one node */
    workspace workspace;
} planner;

static void want(planner *self, int32_t value)
{
    if (value < 0 || self->plan->place[value] != PLAN_UNUSED) return;
    const graph_value *entry = &self->graph->values[value];
    if (entry->constant != NULL || graph_fact(self->facts, value)->constant != NULL)
        self->plan->place[value] = PLAN_CONSTANT;
    else if (entry->producer < 0)
        self->plan->place[value] = self->plan->kept[value] ? PLAN_WORKSPACE : PLAN_INPUT;
    else {
        self->plan->place[value] = PLAN_WORKSPACE;
        self->runs[entry->producer] = true;
    }
}

static coset_status want_kept(planner *self, const int32_t *values, int64_t count)
{
    for (int64_t k = 0; k < count; k++) {
        if (values[k] < 0 || values[k] >= self->graph->n_values)
            return ctx_fail(self->ctx, COSET_EARGUMENT, "value %d to read does not exist",
                            (int)values[k]);
        self->plan->kept[values[k]] = true;
    }
    for (int64_t k = 0; k < count; k++) want(self, values[k]);
    return COSET_OK;
}

/* Nodes are in topological order, so one pass backwards finds all that is needed. */
static void want_dependencies(planner *self)
{
    run_plan *plan = self->plan;
    for (int64_t n = self->graph->n_nodes - 1; n >= 0; n--) {
        if (!self->runs[n]) continue;
        const graph_node *node = &self->graph->nodes[n];
        for (int32_t k = 0; k < node->n_inputs; k++) want(self, node->inputs[k]);
        for (int32_t k = 0; k < node->n_captures; k++) /* stored ones are the branches' own, too */
            if (self->graph->values[node->captures[k]].constant == NULL)
                want(self, node->captures[k]);
        if (node->n_inputs > plan->max_inputs) plan->max_inputs = node->n_inputs;
        if (node->n_outputs > plan->max_outputs) plan->max_outputs = node->n_outputs;
        plan->n_steps++;
    }
}

static coset_status no_kernel(planner *self, const graph_node *node)
{
    const char *why = node->op == NULL ? "no kernel for operator" : "cannot run operator";
    if (node->domain[0] != '\0')
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "%s %s of domain %s", why,
                         node->op_type, node->domain);
    return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "%s %s of domain ai.onnx, opset %lld",
                     why, node->op_type, (long long)self->graph->opset);
}

/* Bytes of a value in its compute type. */
static coset_status value_bytes(planner *self, const fact *known, size_t *bytes_out)
{
    int64_t count = 0;
    coset_status status = shape_elements(self->ctx, &known->shape, &count);
    if (status != COSET_OK) return status;
    if (!size_mul((size_t)count, array_element_size(known->dtype), bytes_out))
        return ctx_fail(self->ctx, COSET_EMEMORY, "a value of %lld elements is too large",
                        (long long)count);
    return COSET_OK;
}

static coset_status take_value(planner *self, int32_t value)
{
    size_t bytes = 0;
    coset_status status = value_bytes(self, graph_fact(self->facts, value), &bytes);
    if (status != COSET_OK)
        return ctx_fail_in(self->ctx, status, "value '%s'", self->graph->values[value].name);
    self->plan->place[value] = PLAN_WORKSPACE;
    return workspace_take(self->ctx, &self->workspace, bytes, &self->plan->offset[value]);
}

/* True if output k of a node can be handed to its kernel as absent. */
static bool may_be_absent(const planner *self, const graph_node *node, int32_t k)
{
    return self->plan->place[node->outputs[k]] == PLAN_UNUSED && k >= node->op->min_outputs;
}

static coset_status take_outputs(planner *self, const graph_node *node)
{
    char text[SHAPE_TEXT];
    for (int32_t k = 0; k < node->n_outputs; k++) {
        int32_t value = node->outputs[k];
        if (value < 0) continue;
        const fact *known = graph_fact(self->facts, value);
        if (!shape_known(&known->shape) || array_element_size(known->dtype) == 0) {
            if (may_be_absent(self, node, k)) continue;
            const char *name = self->graph->values[value].name;
            if (!shape_known(&known->shape))
                return node_fail(self->ctx, node, COSET_EUNSUPPORTED,
                                 "cannot run: the shape of output '%s' depends on data (known: %s)",
                                 name, shape_text(&known->shape, text, sizeof text));
            return node_fail(self->ctx, node, COSET_EUNSUPPORTED,
                             "cannot run: output '%s' has element type %s", name,
                             coset_dtype_name(known->dtype));
        }
        coset_status status = take_value(self, value);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

/* Gives back `value` after step `step` if nothing reads it later. */
static coset_status give_back(planner *self, int32_t value, int64_t step)
{
    const run_plan *plan = self->plan;
    if (value < 0 || plan->place[value] != PLAN_WORKSPACE || plan->kept[value] ||
        self->given_back[value] || self->last[value] > step)
        return COSET_OK;
    size_t bytes = 0;
    coset_status status = value_bytes(self, graph_fact(self->facts, value), &bytes);
    if (status != COSET_OK) return status;
    self->given_back[value] = true;
    return workspace_give(self->ctx, &self->workspace, plan->offset[value], bytes);
}

static coset_status place_step(planner *self, int64_t step)
{
    coset_status status = COSET_OK;
    run_step *entry = &self->plan->steps[step];
    const graph_node *node = &self->graph->nodes[entry->node];
    size_t scratch = 0;
    TRY(take_outputs(self, node));
    graph_node_facts(self->facts, node, self->in, self->out);
    if (node->op->scratch != NULL) {
        op_infer call = {{self->ctx, node, self->graph->opset, node->n_inputs, node->n_outputs},
                         self->in,
                         self->out};
        scratch = node->op->scratch(&call);
    }
    if (scratch > 0) {
        TRY(workspace_take(self->ctx, &self->workspace, scratch, &entry->scratch_offset));
        TRY(workspace_give(self->ctx, &self->workspace, entry->scratch_offset, scratch));
    }
    for (int32_t k = 0; k < node->n_inputs; k++) TRY(give_back(self, node->inputs[k], step));
    for (int32_t k = 0; k < node->n_captures; k++) TRY(give_back(self, node->captures[k], step));
    for (int32_t k = 0; k < node->n_outputs; k++) TRY(give_back(self, node->outputs[k], step));
done:
    return status;
}

static coset_status list_steps(planner *self)
{
    coset_status status =
        ctx_alloc(self->ctx, self->plan->n_steps, sizeof *self->plan->steps, &self->plan->steps);
    if (status != COSET_OK) return status;
    int64_t step = 0;
    for (int64_t n = 0; n < self->graph->n_nodes; n++) {
        if (!self->runs[n]) continue;
        const graph_node *node = &self->graph->nodes[n];
        if (!node_runs(node)) return no_kernel(self, node);
        for (int32_t k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] >= 0) self->last[node->inputs[k]] = step;
        for (int32_t k = 0; k < node->n_captures; k++) self->last[node->captures[k]] = step;
        self->plan->steps[step++].node = (int32_t)n;
    }
    return COSET_OK;
}

/* Kept graph inputs live from before the first step to the end. */
static coset_status place_inputs(planner *self)
{
    for (int64_t k = 0; k < self->graph->n_inputs; k++) {
        int32_t value = self->graph->inputs[k];
        if (self->plan->place[value] == PLAN_UNUSED) continue;
        coset_dtype dtype = graph_fact(self->facts, value)->dtype;
        if (array_element_size(dtype) == 0)
            return ctx_fail(self->ctx, COSET_EUNSUPPORTED,
                            "cannot run: input '%s' has element type %s",
                            self->graph->values[value].name, coset_dtype_name(dtype));
        if (self->plan->place[value] != PLAN_WORKSPACE) continue;
        coset_status status = take_value(self, value);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

coset_status run_plan_make(coset_ctx *ctx, const coset_graph *graph, const graph_facts *facts,
                           const int32_t *taps, int64_t n_taps, run_plan *plan_out)
{
    coset_status status = COSET_OK;
    run_plan made = {.max_inputs = 1, .max_outputs = 1};
    planner self = {.ctx = ctx, .graph = graph, .facts = facts, .plan = &made};
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *made.place, &made.place));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *made.offset, &made.offset));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *made.kept, &made.kept));
    TRY(ctx_alloc(ctx, graph->n_nodes, sizeof *self.runs, &self.runs));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self.last, &self.last));
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self.given_back, &self.given_back));
    for (int64_t k = 0; k < graph->n_values; k++) self.last[k] = -1;
    TRY(want_kept(&self, graph->outputs, graph->n_outputs));
    TRY(want_kept(&self, taps, n_taps));
    want_dependencies(&self);
    TRY(ctx_alloc(ctx, made.max_inputs, sizeof *self.in, &self.in));
    TRY(ctx_alloc(ctx, made.max_outputs, sizeof *self.out, &self.out));
    TRY(list_steps(&self));
    TRY(place_inputs(&self));
    for (int64_t step = 0; step < made.n_steps; step++) TRY(place_step(&self, step));
    made.workspace = self.workspace.end;
    *plan_out = made;
    made = (run_plan){0};
done:
    if (status != COSET_OK) status = ctx_fail_in(ctx, status, "%s", graph->name);
    run_plan_free(ctx, &made);
    ctx_free(ctx, self.runs);
    ctx_free(ctx, self.last);
    ctx_free(ctx, self.given_back);
    ctx_free(ctx, self.in);
    ctx_free(ctx, self.out);
    workspace_free(ctx, &self.workspace);
    return status;
}

void run_plan_free(coset_ctx *ctx, run_plan *self)
{
    ctx_free(ctx, self->steps);
    ctx_free(ctx, self->place);
    ctx_free(ctx, self->offset);
    ctx_free(ctx, self->kept);
    *self = (run_plan){0};
}
