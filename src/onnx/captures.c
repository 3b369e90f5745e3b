/* What the subgraphs of If, Loop, Scan and unknown operators read from the main graph. The recursion
 * follows the nesting of the file, which the scan has bounded. */
#include "onnx/build.h"

typedef struct scope {
    name_map names;            /* what this subgraph defines */
    const struct scope *outer; /* NULL: the main graph is outside */
} scope;

typedef struct capture {
    builder *builder;
    int32_t node;
    int32_t *found;
    int64_t n, capacity;
} capture;

static coset_status define(coset_ctx *ctx, scope *self, const char *name)
{
    return name == NULL || name[0] == '\0' ? COSET_OK
                                           : name_map_set(ctx, &self->names, name, 1, NULL);
}

static coset_status define_all(coset_ctx *ctx, scope *self, const Onnx__GraphProto *proto)
{
    coset_status status = COSET_OK;
    for (size_t i = 0; i < proto->n_initializer; i++)
        TRY(define(ctx, self, proto->initializer[i]->name));
    for (size_t i = 0; i < proto->n_sparse_initializer; i++)
        if (proto->sparse_initializer[i]->values != NULL)
            TRY(define(ctx, self, proto->sparse_initializer[i]->values->name));
    for (size_t i = 0; i < proto->n_input; i++) TRY(define(ctx, self, proto->input[i]->name));
    for (size_t i = 0; i < proto->n_node; i++)
        for (size_t k = 0; k < proto->node[i]->n_output; k++)
            TRY(define(ctx, self, proto->node[i]->output[k]));
done:
    return status;
}

/* A name that a subgraph reads. */
static coset_status resolve(capture *self, const scope *inner, const char *name)
{
    coset_status status = COSET_OK;
    builder *outside = self->builder;
    if (name == NULL || name[0] == '\0') return COSET_OK;
    for (const scope *at = inner; at != NULL; at = at->outer)
        if (name_map_get(&at->names, name, -1) >= 0) return COSET_OK;
    int64_t value = name_map_get(&outside->ids, name, -1);
    if (value < 0)
        TRY(node_fail(outside->ctx, &outside->graph->nodes[self->node], COSET_EFORMAT,
                      "a subgraph reads '%.300s', which nothing defines", name));
    if (outside->marks[value] == outside->visit) goto done;
    outside->marks[value] = outside->visit;
    TRY(ctx_reserve(outside->ctx, &self->found, &self->capacity, self->n + 1, sizeof *self->found));
    self->found[self->n++] = (int32_t)value;
done:
    return status;
}

static coset_status visit_node(capture *self, const scope *outer, const Onnx__NodeProto *proto);

static coset_status visit_graph(capture *self, const scope *outer, const Onnx__GraphProto *proto)
{
    coset_status status = COSET_OK;
    scope inner = {.outer = outer};
    TRY(define_all(self->builder->ctx, &inner, proto));
    for (size_t i = 0; i < proto->n_node; i++) {
        const Onnx__NodeProto *node = proto->node[i];
        for (size_t k = 0; k < node->n_input; k++) TRY(resolve(self, &inner, node->input[k]));
        TRY(visit_node(self, &inner, node));
    }
    for (size_t i = 0; i < proto->n_output; i++) TRY(resolve(self, &inner, proto->output[i]->name));
done:
    name_map_free(self->builder->ctx, &inner.names);
    return status;
}

/* The subgraphs of a node, which lies in `outer`. */
static coset_status visit_node(capture *self, const scope *outer, const Onnx__NodeProto *proto)
{
    coset_status status = COSET_OK;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        const Onnx__AttributeProto *attr = proto->attribute[i];
        if (attr->g != NULL) TRY(visit_graph(self, outer, attr->g));
        for (size_t k = 0; k < attr->n_graphs; k++) TRY(visit_graph(self, outer, attr->graphs[k]));
    }
done:
    return status;
}

coset_status build_captures(builder *self, int32_t node)
{
    coset_status status = COSET_OK;
    capture found = {.builder = self, .node = node};
    self->visit++;
    TRY(visit_node(&found, NULL, self->graph->nodes[node].source));
    if (found.n > 0)
        TRY(graph_set_captures(self->ctx, self->graph, node, found.found, (int32_t)found.n));
done:
    ctx_free(self->ctx, found.found);
    return status;
}

coset_status build_reads(builder *self, int32_t node, const Onnx__GraphProto *proto,
                         int32_t **values_out, int64_t *n_out)
{
    capture found = {.builder = self, .node = node};
    self->visit++;
    coset_status status = visit_graph(&found, NULL, proto);
    if (status != COSET_OK) {
        ctx_free(self->ctx, found.found);
        return status;
    }
    *values_out = found.found;
    *n_out = found.n;
    return COSET_OK;
}
