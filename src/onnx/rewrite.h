/* From a changed graph back to a model message. */
#ifndef COSET_ONNX_REWRITE_H
#define COSET_ONNX_REWRITE_H

#include "base/map.h"
#include "graph/ir.h"
#include "onnx/model.h"

/* A model message made for writing. It is shallow: what did not change is lent by the graph's source,
 * data by the graph's tensors, and everything new lies in the arena. */
typedef struct rewrite {
    coset_ctx *ctx;
    const coset_graph *graph;
    const Onnx__ModelProto *source; /* NULL: the graph was built in memory */
    const Onnx__GraphProto *source_body;
    bool keep_unused; /* training information may read initialisers that no node reads */
    arena arena;
    name_map ids; /* name -> value id */
    Onnx__ModelProto model;
    Onnx__GraphProto body;
} rewrite;

/* Fills self->model. The graph is borrowed and must outlive self; free in any case. */
COSET_MUST_USE coset_status rewrite_model(coset_ctx *ctx, const coset_graph *graph, rewrite *self);
void rewrite_free(rewrite *self);

/* ---- parts, each made in the arena or lent by the source --------------------------------------- */

/* Changed data under the old entry's name, doc string and unknown fields; source NULL: new. */
COSET_MUST_USE coset_status rewrite_tensor(rewrite *self, const Onnx__TensorProto *source,
                                           const char *name, const tensor *data,
                                           Onnx__TensorProto **tensor_out);
COSET_MUST_USE coset_status rewrite_node(rewrite *self, const graph_node *node,
                                         Onnx__NodeProto **node_out);
/* An entry for a value, with its declared type as the graph has it; source NULL: new. *info_out is
 * the source itself if it still holds. */
COSET_MUST_USE coset_status rewrite_value(rewrite *self, Onnx__ValueInfoProto *source,
                                          const graph_value *value,
                                          Onnx__ValueInfoProto **info_out);
/* A writable copy of text in the arena, as protobuf-c's messages want it. */
COSET_MUST_USE coset_status rewrite_text(rewrite *self, const char *text, char **copy_out);

#endif
