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
    int32_t *marks; /* per value: last node + 1 that captured it */
} builder;

/* Builds the main graph's IR into `graph`, which is empty and has its opset. The graph still has to be
 * checked. */
COSET_MUST_USE coset_status onnx_build(coset_ctx *ctx, onnx_model *model, coset_graph *graph);

/* Adds one attribute of the file to a node; also the tensor that a Constant node's stands for, if any,
 * as a new reference through constant_out. */
COSET_MUST_USE coset_status build_attr(builder *self, int32_t node, Onnx__AttributeProto *proto,
                                       tensor **constant_out);

/* Finds what the subgraphs of a node read from the main graph. All values must be there. */
COSET_MUST_USE coset_status build_captures(builder *self, int32_t node);

/* "" for the default domain, by either of its names, and for NULL. */
const char *onnx_domain(const char *domain);
/* NULL as "". */
static inline const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

#endif
