#include "graph/fold_shuffle.h"

#include <string.h>

/* nodes[] are the first Reshape, the Transpose and the second Reshape; axis of x is split into parts x each. */
typedef struct shuffle {
    int32_t nodes[3];
    int axis;
    int64_t parts, each;
} shuffle;

static bool is_type(const graph_node *node, const char *type)
{
    return node->domain[0] == '\0' && node->n_outputs == 1 && node->n_inputs >= 1 &&
           node->outputs[0] >= 0 && node->inputs[0] >= 0 && strcmp(node->op_type, type) == 0;
}

/* The node that makes a value which nothing but one reader sees; -1: there is none. */
static int32_t private_producer(const coset_graph *graph, int32_t value)
{
    const graph_value *at = &graph->values[value];
    return at->n_consumers == 1 && !at->is_output && at->constant == NULL ? at->producer : -1;
}

static bool has_open_inputs(const coset_graph *graph)
{
    for (int64_t i = 0; i < graph->n_inputs; i++)
        if (!shape_known(&graph->values[graph->inputs[i]].shape)) return true;
    return false;
}

/* True if a Reshape keeps the first axis for every size that it may have, or computes its target. */
static bool keeps_batch(const coset_graph *graph, const graph_facts *facts, const graph_node *node)
{
    if (!has_open_inputs(graph) || node->n_inputs < 2 || node->inputs[1] < 0) return true;
    if (graph->values[node->inputs[1]].constant == NULL) return true;
    const array *target = graph_fact(facts, node->inputs[1])->constant;
    return target != NULL && target->shape.rank == 1 && target->shape.dims[0] > 0 &&
           (target->i[0] == -1 || target->i[0] == 0);
}

/* The axis that a permutation swaps with the next one, all others staying; -1: it does something else. */
static int swapped_axis(const graph_node *node, int rank)
{
    int64_t n = 0;
    int axis = -1;
    const int64_t *perm = node_attr_ints(node, "perm", &n);
    if (perm == NULL || n != rank) return -1;
    for (int a = 0; a < rank; a++) {
        if (perm[a] == a) continue;
        if (a + 1 >= rank || perm[a] != a + 1 || perm[a + 1] != a || axis >= 0) return -1;
        axis = a++;
    }
    return axis;
}

static bool find_shuffle(const coset_graph *graph, const graph_facts *facts, int32_t last,
                         shuffle *found_out)
{
    const graph_node *join = &graph->nodes[last];
    if (!is_type(join, "Reshape")) return false;
    int32_t middle = private_producer(graph, join->inputs[0]);
    if (middle < 0 || !is_type(&graph->nodes[middle], "Transpose")) return false;
    int32_t first = private_producer(graph, graph->nodes[middle].inputs[0]);
    if (first < 0 || !is_type(&graph->nodes[first], "Reshape")) return false;
    const graph_node *split = &graph->nodes[first];
    const shape *x = &graph_fact(facts, split->inputs[0])->shape;
    const shape *y = &graph_fact(facts, join->outputs[0])->shape;
    const shape *wide = &graph_fact(facts, split->outputs[0])->shape;
    if (!shape_known(x) || !shape_known(wide) || !shape_known(y) || !shape_equal(x, y) ||
        wide->rank != x->rank + 1)
        return false;
    int axis = swapped_axis(&graph->nodes[middle], wide->rank);
    if (axis < 1) return false;
    for (int a = 0; a < x->rank; a++)
        if (a != axis && x->dims[a] != wide->dims[a + (a > axis)]) return false;
    if (!keeps_batch(graph, facts, split) || !keeps_batch(graph, facts, join)) return false;
    *found_out = (shuffle){{first, middle, last}, axis, wide->dims[axis], wide->dims[axis + 1]};
    return x->dims[axis] > 0;
}

/* The Gather that does what a shuffle did. */
static coset_status add_gather(coset_ctx *ctx, coset_graph *graph, const shuffle *at)
{
    coset_status status = COSET_OK;
    const graph_node *split = &graph->nodes[at->nodes[0]], *join = &graph->nodes[at->nodes[2]];
    int64_t n = at->parts * at->each, *index = NULL;
    int32_t inputs[2] = {split->inputs[0], -1}, output = join->outputs[0], node = -1;
    tensor *data = NULL;
    array order = {.dtype = COSET_I64, .shape = {.rank = 1, .dims = {n}}};
    const graph_attr axis = {.name = "axis", .kind = ATTR_INT, .changed = true, .i = at->axis};
    TRY(ctx_alloc_raw(ctx, n, sizeof *index, &index));
    for (int64_t i = 0; i < n; i++) index[i] = i % at->parts * at->each + i / at->parts;
    order.i = index;
    TRY(tensor_from_array(ctx, &order, &data));
    TRY(graph_add_constant(ctx, graph, output, &inputs[1]));
    graph_set_constant(ctx, graph, inputs[1], data);
    TRY(graph_add_node(ctx, graph, graph->values[inputs[1]].name, "", "Gather", inputs, 2, &output,
                       1, &node));
    TRY(graph_add_attr(ctx, graph, node, &axis));
done:
    tensor_release(ctx, data);
    ctx_free(ctx, index);
    return status;
}

static bool has_transpose(const coset_graph *graph)
{
    for (int64_t n = 0; n < graph->n_nodes; n++)
        if (is_type(&graph->nodes[n], "Transpose")) return true;
    return false;
}

coset_status graph_fold_shuffles(coset_ctx *ctx, const coset_graph *graph, coset_graph **folded_out)
{
    coset_status status = COSET_OK;
    graph_facts *facts = NULL;
    coset_graph *folded = NULL;
    bool *gone = NULL, any = false;
    const int64_t n_old = graph->n_nodes;
    *folded_out = NULL;
    if (!has_transpose(graph)) return COSET_OK;
    TRY(graph_infer(ctx, graph, NULL, &facts));
    TRY(graph_clone(ctx, graph, &folded));
    TRY(graph_check(ctx, folded));
    TRY(ctx_alloc(ctx, n_old, sizeof *gone, &gone));
    for (int64_t n = 0; n < n_old; n++) {
        shuffle found;
        if (!find_shuffle(graph, facts, (int32_t)n, &found)) continue;
        TRY(add_gather(ctx, folded, &found));
        for (int k = 0; k < 3; k++) gone[found.nodes[k]] = true;
        any = true;
    }
    if (!any) goto done;
    TRY(graph_remove_nodes(ctx, folded, gone, n_old));
    folded->changed = true;
    TRY(graph_check(ctx, folded));
    *folded_out = folded;
    folded = NULL;
done:
    ctx_free(ctx, gone);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, folded);
    return status;
}
