/* From an unpacked model to the graph IR. */
#ifndef COSET_ONNX_BUILD_H
#define COSET_ONNX_BUILD_H

#include "base/map.h"
#include "graph/ir.h"
#include "onnx/model.h"

typedef struct builder {
    coset_ctx *ctx;
    onnx_model *model;
    Onnx__GraphProto *proto;
    coset_graph *graph;
    name_map ids; /* name -> value id; names lie in the graph */
    int32_t *scratch;
    int64_t scratch_capacity;
    int32_t *marks; /* per value: the last visit of subgraphs that found it read */
    int32_t visit;
    int32_t *places; /* per value: where it is among the captures of the node at hand */
} builder;

/* Builds the main graph's IR into `graph`, which is empty and has its opset. The graph still has to be
 * checked. */
COSET_MUST_USE coset_status onnx_build(coset_ctx *ctx, onnx_model *model, coset_graph *graph);

/* Adds one attribute of the file to a node; also the tensor that a Constant node's stands for, if any,
 * as a new reference through constant_out. */
COSET_MUST_USE coset_status build_attr(builder *self, int32_t node, Onnx__AttributeProto *proto,
                                       tensor **constant_out);

/* Builds the IR of a graph or subgraph; its builder has context, model, proto and an empty graph, or one
 * with values for what the subgraph reads from outside. */
COSET_MUST_USE coset_status build_graph(builder *self);
/* Frees what a builder holds, but not its graph. */
void build_end(builder *self);
/* The value of this name, made at its first mention. */
COSET_MUST_USE coset_status build_value(builder *self, const char *name, int32_t *value_out);

/* Finds what the subgraphs of a node read from the graph around. All values must be there. */
COSET_MUST_USE coset_status build_captures(builder *self, int32_t node);
/* What one subgraph of a node reads from the graph around: value ids, to be freed by the caller. */
COSET_MUST_USE coset_status build_reads(builder *self, int32_t node, const Onnx__GraphProto *proto,
                                        int32_t **values_out, int64_t *n_out);
/* Makes graphs of the branches of a node that is an If; its captures must be there. */
COSET_MUST_USE coset_status build_branches(builder *self, int32_t node);

/* "" for the default domain, by either of its names, and for NULL. */
const char *onnx_domain(const char *domain);
/* NULL as "". */
static inline const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

#endif
