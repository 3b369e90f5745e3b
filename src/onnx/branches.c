/* The branches of If as graphs. The recursion follows the nesting of the file, which the scan has
 * bounded. */
#include <string.h>

#include "onnx/build.h"

enum { BRANCHES = 2 };

/* The branches of one node. */
struct onnx_branches {
    graph_branch branches[BRANCHES];
    struct onnx_branches *next;
};

void onnx_branches_free(coset_ctx *ctx, struct onnx_branches *list)
{
    while (list != NULL) {
        struct onnx_branches *next = list->next;
        for (int b = 0; b < BRANCHES; b++) {
            coset_graph_free(ctx, list->branches[b].graph);
            ctx_free(ctx, list->branches[b].captures);
        }
        ctx_free(ctx, list);
        list = next;
    }
}

/* The subgraph of this name; NULL: there is none. */
static Onnx__GraphProto *find(const Onnx__NodeProto *proto, const char *name)
{
    for (size_t i = 0; i < proto->n_attribute; i++)
        if (strcmp(text_of(proto->attribute[i]->name), name) == 0) return proto->attribute[i]->g;
    return NULL;
}

/* A value of the graph around becomes an input of the branch, or a constant that both share. */
static coset_status enter(const builder *outer, int32_t value, builder *inner, graph_branch *branch)
{
    coset_status status = COSET_OK;
    const graph_value *from = &outer->graph->values[value];
    int32_t id = 0;
    TRY(build_value(inner, from->name, &id));
    graph_value *to = &inner->graph->values[id];
    to->dtype = from->dtype;
    to->shape = from->shape;
    if (from->constant != NULL) {
        to->constant = tensor_retain(from->constant);
        to->is_initialiser = true;
    } else {
        branch->captures[inner->graph->n_inputs] = outer->places[value];
        TRY(graph_add_input(outer->ctx, inner->graph, id));
    }
done:
    return status;
}

static coset_status build_branch(builder *outer, int32_t node, const char *name,
                                 Onnx__GraphProto *proto, graph_branch *branch)
{
    coset_ctx *ctx = outer->ctx;
    coset_status status = COSET_OK;
    int32_t *reads = NULL;
    int64_t n_reads = 0;
    builder inner = {.ctx = ctx, .model = outer->model, .proto = proto};
    const graph_node *at = &outer->graph->nodes[node];
    if (proto->n_input > 0 || (int64_t)proto->n_output != at->n_outputs) {
        status =
            node_fail(ctx, at, COSET_EFORMAT,
                      "expected a branch without inputs and with %d outputs, found %zu and %zu",
                      at->n_outputs, proto->n_input, proto->n_output);
        goto done;
    }
    TRY(build_reads(outer, node, proto, &reads, &n_reads));
    TRY(ctx_alloc(ctx, n_reads, sizeof *branch->captures, &branch->captures));
    TRY(graph_new(ctx, name, outer->graph->opset, &branch->graph));
    inner.graph = branch->graph;
    for (int64_t i = 0; i < n_reads; i++) TRY(enter(outer, reads[i], &inner, branch));
    TRY(build_graph(&inner));
    TRY(graph_check(ctx, branch->graph));
done:
    build_end(&inner);
    ctx_free(ctx, reads);
    return status;
}

coset_status build_branches(builder *self, int32_t node)
{
    static const char *const names[BRANCHES] = {"then_branch", "else_branch"};
    coset_status status = COSET_OK;
    graph_node *at = &self->graph->nodes[node];
    struct onnx_branches *made = NULL;
    if (at->domain[0] != '\0' || strcmp(at->op_type, "If") != 0) return COSET_OK;
    TRY(ctx_alloc(self->ctx, 1, sizeof *made, &made));
    made->next = self->model->branches;
    self->model->branches = made;
    for (int32_t i = 0; i < at->n_captures; i++) self->places[at->captures[i]] = i;
    for (int b = 0; b < BRANCHES; b++) {
        Onnx__GraphProto *proto = find(at->source, names[b]);
        if (proto == NULL) {
            status = node_fail(self->ctx, at, COSET_EFORMAT, "it has no %s", names[b]);
            goto done;
        }
        TRY(build_branch(self, node, names[b], proto, &made->branches[b]));
    }
    at->branches = made->branches;
    at->n_branches = BRANCHES;
done:
    return status;
}
