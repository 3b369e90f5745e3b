#include "graph/infer.h"

#include <string.h>

#include "base/map.h"
#include "base/size.h"

enum {
    FOLD_MAX_ELEMENTS = 1 << 20, /* of one folded result */
    FOLD_FREE_WORK = 32,         /* shape arithmetic: never counted */
    FOLD_MAX_WORK = 1 << 28,     /* elements read and written plus multiplications, of one graph */
    FOLD_MAX_KEPT = 1 << 24,     /* elements of all folded results together */
    CONVERT_MAX_ELEMENTS = 1 << 16 /* of an integer parameter that is not stored as int64 */
};

struct graph_facts {
    coset_ctx *ctx;
    const coset_graph *graph;
    fact *facts; /* [n_facts] of the values that were there so far */
    int64_t n_facts, capacity;
    fact absent;
    arena arena;   /* array records */
    void **memory; /* [n_memory] data of folded and converted constants */
    int64_t n_memory, memory_capacity;
    int64_t work, kept;
};

/* One pass over a graph. */
typedef struct inference {
    coset_ctx *ctx;
    const coset_graph *graph;
    graph_facts *facts;
    name_map symbols; /* symbolic dimension -> size; -1 if two inputs disagree */
    bool overridden;  /* an input has other sizes than the file declares: so may everything else */
    const infer_visitor *visitor; /* NULL: none */
    fact *in, *out;               /* of one node */
    array *in_arrays, *out_arrays;
    int64_t in_capacity, array_capacity;
} inference;

const fact *graph_fact(const graph_facts *facts, int32_t value)
{
    return value < 0 ? &facts->absent : &facts->facts[value];
}

void graph_node_facts(const graph_facts *facts, const graph_node *node, fact *in_out, fact *out_out)
{
    for (int32_t i = 0; i < node->n_inputs; i++) in_out[i] = *graph_fact(facts, node->inputs[i]);
    for (int32_t i = 0; i < node->n_outputs; i++) out_out[i] = *graph_fact(facts, node->outputs[i]);
}

void graph_facts_free(coset_ctx *ctx, graph_facts *facts)
{
    if (facts == NULL) return;
    for (int64_t i = 0; i < facts->n_memory; i++) ctx_free(ctx, facts->memory[i]);
    ctx_free(ctx, facts->memory);
    ctx_free(ctx, facts->facts);
    arena_free(ctx, &facts->arena);
    ctx_free(ctx, facts);
}

/* ---- constants ------------------------------------------------------------------------------- */

static int64_t elements(const shape *known)
{
    return shape_product(known, 0, known->rank);
}

/* Makes `facts` the owner of `data` (NULL: lent by a tensor) and of a record that describes it. On
 * failure data stays the caller's. */
static coset_status keep_array(graph_facts *facts, const array *values, void *data, fact *known)
{
    coset_status status = COSET_OK;
    array *record = NULL;
    TRY(ctx_reserve(facts->ctx, &facts->memory, &facts->memory_capacity, facts->n_memory + 1,
                    sizeof *facts->memory));
    TRY(arena_alloc(facts->ctx, &facts->arena, 1, sizeof *record, &record));
    *record = *values;
    known->constant = record;
    if (data != NULL) facts->memory[facts->n_memory++] = data;
done:
    return status;
}

/* Gives a stored constant of a type that has a compute type its array. */
static coset_status convert(graph_facts *facts, int32_t value)
{
    fact *known = &facts->facts[value];
    array values;
    void *data = NULL;
    coset_status status =
        tensor_to_array(facts->ctx, facts->graph->values[value].constant, &values, &data);
    if (status == COSET_OK) status = keep_array(facts, &values, data, known);
    if (status != COSET_OK) ctx_free(facts->ctx, data);
    return status;
}

/* Types that tensor_to_array lends without copying. */
static bool is_lent(coset_dtype dtype)
{
    return dtype == COSET_F32 || dtype == COSET_I64;
}

/* Converts stored constants that node rules may want to read: integer parameters always, everything
 * else only to fold the node. */
static coset_status convert_inputs(inference *self, const graph_node *node, bool all)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        int32_t value = node->inputs[i];
        if (value < 0 || self->graph->values[value].constant == NULL) continue;
        fact *known = &self->facts->facts[value];
        if (known->constant == NULL && array_element_size(known->dtype) > 0 &&
            (all ||
             (dtype_is_integer(known->dtype) && elements(&known->shape) <= CONVERT_MAX_ELEMENTS))) {
            coset_status status = convert(self->facts, value);
            if (status != COSET_OK) return status;
        }
        self->in[i] = *known;
    }
    return COSET_OK;
}

/* ---- declarations ---------------------------------------------------------------------------- */

static int64_t declared_dim(const inference *self, const graph_value *value, int axis)
{
    if (value->dim_names != NULL && value->dim_names[axis] != NULL)
        return name_map_get(&self->symbols, value->dim_names[axis], -1);
    return self->overridden ? -1 : value->shape.dims[axis];
}

/* Completes the fact of a node's output with what the file declares; what was inferred wins.
 * Where an operator row leaves a shape open although it knows all inputs, the shape depends on
 * data: then a declaration is no more than a claim, and kernels must not be given buffers of its
 * size. */
static void take_declared(const inference *self, const graph_node *node, int32_t index)
{
    const graph_value *value = &self->graph->values[node->outputs[index]];
    fact *known = &self->out[index];
    bool claimed = node->op != NULL && node->op->infer != NULL;
    for (int32_t i = 0; i < node->n_inputs && claimed; i++)
        claimed = node->inputs[i] < 0 || shape_known(&self->in[i].shape);
    if (known->dtype == COSET_UNDEFINED) known->dtype = value->dtype;
    if (value->shape.rank < 0 || claimed) return;
    if (known->shape.rank < 0) {
        known->shape.rank = value->shape.rank;
        for (int a = 0; a < value->shape.rank; a++) known->shape.dims[a] = -1;
    }
    if (known->shape.rank != value->shape.rank) return;
    for (int a = 0; a < value->shape.rank; a++)
        if (known->shape.dims[a] < 0) known->shape.dims[a] = declared_dim(self, value, a);
}

/* False for sizes that no tensor has. Zero dimensions do not hide the others: kernels multiply
 * parts of a shape. */
static bool is_bounded(const shape *self)
{
    int64_t product = 1;
    if (self->rank > TENSOR_MAX_RANK) return false;
    for (int a = 0; a < self->rank; a++) {
        int64_t dim = self->dims[a];
        if (dim < -1) return false;
        if (dim > 0 && (!dim_mul(product, dim, &product) || product > TENSOR_MAX_ELEMENTS))
            return false;
    }
    return true;
}

static coset_status bind_symbol(inference *self, const char *name, int64_t dim)
{
    bool there = false;
    int64_t before = name_map_get(&self->symbols, name, dim);
    return name_map_set(self->ctx, &self->symbols, name, before == dim ? dim : -1, &there);
}

static coset_status take_input(inference *self, int64_t index, const shape *given)
{
    const graph_value *value = &self->graph->values[self->graph->inputs[index]];
    fact *known = &self->facts->facts[self->graph->inputs[index]];
    known->dtype = value->dtype;
    known->shape = given != NULL && given->rank >= 0 ? *given : value->shape;
    if (known->shape.rank != value->shape.rank) self->overridden = true;
    for (int a = 0; a < known->shape.rank; a++) {
        if (known->shape.dims[a] < 0) known->shape.dims[a] = 1;
        if (known->shape.rank != value->shape.rank) continue;
        if (value->shape.dims[a] >= 0 && value->shape.dims[a] != known->shape.dims[a])
            self->overridden = true;
        if (value->dim_names != NULL && value->dim_names[a] != NULL) {
            coset_status status = bind_symbol(self, value->dim_names[a], known->shape.dims[a]);
            if (status != COSET_OK) return status;
        }
    }
    char text[SHAPE_TEXT];
    if (is_bounded(&known->shape)) return COSET_OK;
    return ctx_fail(self->ctx, COSET_ELIMIT,
                    "input '%s': shape %s is over the limit of 2^40 elements", value->name,
                    shape_text(&known->shape, text, sizeof text));
}

static coset_status seed_constant(graph_facts *facts, int32_t value)
{
    const tensor *constant = facts->graph->values[value].constant;
    if (constant == NULL) return COSET_OK;
    facts->facts[value] = (fact){.dtype = constant->dtype, .shape = constant->shape};
    return is_lent(constant->dtype) ? convert(facts, value) : COSET_OK;
}

/* Takes in values that are new: all of them, and later those that a visitor has added. */
static coset_status seed_new(inference *self)
{
    coset_status status = COSET_OK;
    graph_facts *facts = self->facts;
    const int64_t n = self->graph->n_values;
    TRY(ctx_reserve(self->ctx, &facts->facts, &facts->capacity, n, sizeof *facts->facts));
    for (; facts->n_facts < n; facts->n_facts++) {
        facts->facts[facts->n_facts] = facts->absent;
        TRY(seed_constant(facts, (int32_t)facts->n_facts));
    }
done:
    return status;
}

/* Inputs are as given, or of these shapes, or as declared. */
static coset_status seed_values(inference *self, const shape *input_shapes, const fact *given)
{
    coset_status status = COSET_OK;
    TRY(seed_new(self));
    for (int64_t i = 0; i < self->graph->n_inputs; i++)
        if (given != NULL)
            self->facts->facts[self->graph->inputs[i]] = given[i];
        else
            TRY(take_input(self, i, input_shapes != NULL ? &input_shapes[i] : NULL));
done:
    return status;
}

/* ---- folding --------------------------------------------------------------------------------- */

/* True if an input of a node that is to be folded is there, or small enough to be converted. */
static bool is_available(const inference *self, const graph_node *node, int32_t index)
{
    const fact *in = &self->in[index];
    if (!shape_known(&in->shape)) return false;
    if (node->op->from_shapes || in->constant != NULL) return true;
    return self->graph->values[node->inputs[index]].constant != NULL &&
           array_element_size(in->dtype) > 0 && elements(&in->shape) <= FOLD_MAX_ELEMENTS;
}

/* Work of folding a node; -1 if it cannot be folded or is too much for any graph.
 *   kept_out  elements that stay in memory */
static int64_t fold_work(const inference *self, const graph_node *node, const op_infer *call,
                         int64_t *kept_out)
{
    int64_t work = 0, kept = 0;
    if (node->op == NULL || node->op->forward == NULL) return -1;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i] < 0) continue;
        if (!is_available(self, node, i)) return -1;
        if (node->op->from_shapes) continue;
        if (self->in[i].constant == NULL) kept += elements(&self->in[i].shape);
        work += elements(&self->in[i].shape);
        if (work > FOLD_MAX_WORK) return -1;
    }
    for (int32_t i = 0; i < node->n_outputs; i++) {
        const fact *out = &self->out[i];
        if (node->outputs[i] < 0) continue;
        if (!shape_known(&out->shape) || array_element_size(out->dtype) == 0 ||
            elements(&out->shape) > FOLD_MAX_ELEMENTS)
            return -1;
        kept += elements(&out->shape);
    }
    int64_t (*count)(const op_infer *) = node->op->work != NULL ? node->op->work : node->op->macs;
    int64_t done = count != NULL ? count(call) : 0;
    *kept_out = kept;
    return done > FOLD_MAX_WORK ? -1 : work + kept + done;
}

/* Takes a node's work from the graph's budget; false if that is spent. */
static bool spend(graph_facts *facts, int64_t work, int64_t kept)
{
    if (work <= FOLD_FREE_WORK) return true;
    if (work > FOLD_MAX_WORK - facts->work || kept > FOLD_MAX_KEPT - facts->kept) return false;
    facts->work += work;
    facts->kept += kept;
    return true;
}

static coset_status run_kernel(inference *self, const graph_node *node, const op_infer *infer)
{
    coset_status status = COSET_OK;
    void *scratch = NULL;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fact *in = &self->in[i];
        self->in_arrays[i] =
            in->constant != NULL ? *in->constant : (array){.dtype = in->dtype, .shape = in->shape};
    }
    if (node->op->scratch != NULL) {
        size_t bytes = node->op->scratch(infer);
        if (bytes > PTRDIFF_MAX) FAIL(self->ctx, COSET_EMEMORY, "scratch of %zu bytes", bytes);
        TRY(ctx_alloc_raw(self->ctx, (int64_t)bytes, 1, &scratch));
    }
    op_call call = {.at = infer->at,
                    .in = self->in_arrays,
                    .out = self->out_arrays,
                    .scratch = scratch,
                    .threads = self->ctx->threads};
    TRY(node->op->forward(&call));
done:
    ctx_free(self->ctx, scratch);
    return status;
}

static coset_status fold_node(inference *self, const graph_node *node, const op_infer *infer)
{
    coset_status status = COSET_OK;
    int32_t n = node->n_outputs;
    for (int32_t i = 0; i < n; i++) self->out_arrays[i] = (array){.shape = SHAPE_UNKNOWN};
    TRY(node->op->from_shapes ? COSET_OK : convert_inputs(self, node, true));
    for (int32_t i = 0; i < n; i++) {
        if (node->outputs[i] < 0) continue;
        array *out = &self->out_arrays[i];
        *out = (array){.dtype = self->out[i].dtype, .shape = self->out[i].shape};
        TRY(ctx_alloc_raw(self->ctx, elements(&out->shape), array_element_size(out->dtype),
                          &out->data));
    }
    status = run_kernel(self, node, infer);
    if (status == COSET_EUNSUPPORTED) { /* not known before a run, then */
        status = COSET_OK;
        goto done;
    }
    TRY(status);
    for (int32_t i = 0; i < n; i++) {
        if (node->outputs[i] < 0) continue;
        array *out = &self->out_arrays[i];
        TRY(keep_array(self->facts, out, out->data, &self->out[i]));
        out->data = NULL;
    }
done:
    for (int32_t i = 0; i < n; i++) ctx_free(self->ctx, self->out_arrays[i].data);
    return status;
}

/* Room for the records of a node with so many inputs; what they hold is lost. */
static coset_status reserve_inputs(inference *self, int64_t n)
{
    coset_status status = COSET_OK;
    TRY(ctx_reserve(self->ctx, &self->in, &self->in_capacity, n, sizeof *self->in));
    TRY(ctx_reserve(self->ctx, &self->in_arrays, &self->array_capacity, n,
                    sizeof *self->in_arrays));
done:
    return status;
}

static coset_status alloc_node_records(inference *self)
{
    coset_status status = COSET_OK;
    int32_t n_in = 0, n_out = 0;
    for (int64_t n = 0; n < self->graph->n_nodes; n++) {
        if (self->graph->nodes[n].n_inputs > n_in) n_in = self->graph->nodes[n].n_inputs;
        if (self->graph->nodes[n].n_outputs > n_out) n_out = self->graph->nodes[n].n_outputs;
    }
    TRY(reserve_inputs(self, n_in));
    TRY(ctx_alloc(self->ctx, n_out, sizeof *self->out, &self->out));
    TRY(ctx_alloc(self->ctx, n_out, sizeof *self->out_arrays, &self->out_arrays));
done:
    return status;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* Refuses output shapes that no tensor can have before anything is sized by them. */
static coset_status check_output(const inference *self, const graph_node *node, int32_t index)
{
    const fact *out = &self->out[index];
    char text[SHAPE_TEXT];
    if (is_bounded(&out->shape)) return COSET_OK;
    return node_fail(self->ctx, node, COSET_ELIMIT,
                     "output %d would have shape %s, which is over the limit of 2^40 elements",
                     (int)index, shape_text(&out->shape, text, sizeof text));
}

static bool is_stored(const inference *self, const graph_node *node)
{
    for (int32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] >= 0 && self->graph->values[node->outputs[i]].constant == NULL)
            return false;
    return true;
}

/* Lets the visitor change the node, which may give it other inputs. */
static coset_status visit(inference *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    const infer_visitor *visitor = self->visitor;
    if (visitor == NULL) return COSET_OK;
    graph_node_facts(self->facts, node, self->in, self->out);
    TRY(convert_inputs(self, node, false));
    TRY(visitor->before(visitor->user, (int32_t)(node - self->graph->nodes), self->in));
    TRY(seed_new(self));
    TRY(reserve_inputs(self, node->n_inputs));
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] >= 0 && self->graph->values[node->inputs[i]].changed)
            TRY(seed_constant(self->facts, node->inputs[i]));
done:
    return status;
}

static coset_status infer_node(inference *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    TRY(visit(self, node));
    op_infer call = {.at = {.ctx = self->ctx,
                            .node = node,
                            .opset = self->graph->opset,
                            .n_in = node->n_inputs,
                            .n_out = node->n_outputs},
                     .in = self->in,
                     .out = self->out};
    if (is_stored(self, node)) return COSET_OK; /* Constant */
    graph_node_facts(self->facts, node, self->in, self->out);
    TRY(convert_inputs(self, node, false));
    for (int32_t i = 0; i < node->n_outputs; i++)
        self->out[i] = (fact){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
    if (node->op != NULL && node->op->infer != NULL) TRY(node->op->infer(&call));
    if (node->n_branches > 0) TRY(branch_infer(self->ctx, self->facts, node, self->out));
    for (int32_t i = 0; i < node->n_outputs; i++) {
        if (node->outputs[i] < 0) continue;
        take_declared(self, node, i);
        TRY(check_output(self, node, i));
    }
    int64_t kept = 0, work = fold_work(self, node, &call, &kept);
    if (work >= 0 && spend(self->facts, work, kept)) TRY(fold_node(self, node, &call));
    for (int32_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] >= 0) self->facts->facts[node->outputs[i]] = self->out[i];
    if (self->visitor != NULL)
        TRY(self->visitor->after(self->visitor->user, (int32_t)(node - self->graph->nodes),
                                 self->out));
done:
    return status;
}

/* Either input_shapes or given may be NULL. */
static coset_status infer_graph(coset_ctx *ctx, const coset_graph *graph, const shape *input_shapes,
                                const fact *given, graph_facts *outer, const infer_visitor *visitor,
                                graph_facts **facts_out)
{
    coset_status status = COSET_OK;
    graph_facts *facts = NULL;
    inference self = {.ctx = ctx, .graph = graph, .visitor = visitor};
    *facts_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *facts, &facts));
    *facts = (graph_facts){.ctx = ctx, .graph = graph};
    facts->absent = (fact){.dtype = COSET_UNDEFINED, .shape = SHAPE_UNKNOWN};
    self.facts = facts;
    TRY(alloc_node_records(&self));
    if (outer != NULL) {
        facts->work = outer->work;
        facts->kept = outer->kept;
    }
    TRY(seed_values(&self, input_shapes, given));
    for (int64_t n = 0; n < graph->n_nodes; n++) TRY(infer_node(&self, &graph->nodes[n]));
    *facts_out = facts;
    facts = NULL;
done:
    if (outer != NULL && self.facts != NULL) {
        outer->work = self.facts->work;
        outer->kept = self.facts->kept;
    }
    if (status != COSET_OK) status = ctx_fail_in(ctx, status, "%s", graph->name);
    name_map_free(ctx, &self.symbols);
    ctx_free(ctx, self.in);
    ctx_free(ctx, self.in_arrays);
    ctx_free(ctx, self.out);
    ctx_free(ctx, self.out_arrays);
    graph_facts_free(ctx, facts);
    return status;
}

coset_status graph_infer(coset_ctx *ctx, const coset_graph *graph, const shape *input_shapes,
                         graph_facts **facts_out)
{
    if (input_shapes == NULL) return graph_infer_default(ctx, graph, facts_out);
    return infer_graph(ctx, graph, input_shapes, NULL, NULL, NULL, facts_out);
}

coset_status graph_infer_visit(coset_ctx *ctx, const coset_graph *graph, const shape *input_shapes,
                               const infer_visitor *visitor, graph_facts **facts_out)
{
    return infer_graph(ctx, graph, input_shapes, NULL, NULL, visitor, facts_out);
}

coset_status graph_infer_inside(coset_ctx *ctx, const coset_graph *graph, const fact *inputs,
                                graph_facts *outer, graph_facts **facts_out)
{
    return infer_graph(ctx, graph, NULL, inputs, outer, NULL, facts_out);
}
