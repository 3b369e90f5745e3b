/* The graph IR: nodes, values, constants. Made by a decoder or a rewrite, checked once, then frozen. */
#ifndef COSET_GRAPH_IR_H
#define COSET_GRAPH_IR_H

#include <coset/graph.h>

#include "base/arena.h"
#include "base/map.h"
#include "graph/tensor.h"

struct coset_op;

typedef enum attr_kind {
    ATTR_FLOAT,
    ATTR_INT,
    ATTR_STRING,
    ATTR_TENSOR,
    ATTR_FLOATS,
    ATTR_INTS,
    ATTR_STRINGS,
    ATTR_OTHER /* graphs, sparse tensors, types: kept in the source only */
} attr_kind;

typedef struct graph_attr {
    const char *name;
    attr_kind kind;
    bool changed; /* differs from the source: encode writes it from here */
    float f;
    int64_t i;
    const char *s; /* NUL-terminated; may hold further NULs, see n */
    tensor *t;
    const float *floats;
    const int64_t *ints;
    const char *const *strings;
    int64_t n; /* elements of floats, ints or strings; bytes of s */
} graph_attr;

struct coset_graph;

/* A subgraph of a node that is a graph of its own. What it reads from outside are its inputs, except
 * stored constants, of which it has its own references. */
typedef struct graph_branch {
    struct coset_graph *graph; /* checked; the decoder's record of the file owns it */
    int32_t *captures;         /* [graph->n_inputs] places in the node's captures */
} graph_branch;

typedef struct graph_node {
    const char *name; /* "" if the file gives none */
    const char *op_type;
    const char *domain;        /* "" for ai.onnx */
    const struct coset_op *op; /* NULL: no such operator here */
    int32_t n_inputs, n_outputs, n_captures, n_attrs;
    int32_t *inputs;   /* value ids; -1: an optional input that is absent */
    int32_t *outputs;  /* value ids; -1: an optional output that is absent */
    int32_t *captures; /* values of this graph that subgraphs of the node read */
    graph_attr *attrs;
    int32_t n_branches;
    const graph_branch *branches; /* of an If: then and else; lent by the source */
    const void *source; /* the decoder's own record of the node; NULL: added by a rewrite */
    bool rewired;       /* inputs differ from the source */
} graph_node;

typedef struct graph_value {
    const char *name;
    int32_t producer; /* node id; -1 for graph inputs and initialisers */
    bool is_input;    /* listed as graph input (an initialiser may be, too) */
    bool is_output;
    bool is_initialiser;
    coset_dtype dtype;            /* declared in the file, UNDEFINED if not */
    shape shape;                  /* declared in the file */
    const char *const *dim_names; /* symbolic dimensions, NULL entries for others; NULL: none */
    tensor *constant; /* data of initialisers and Constant nodes, else NULL; owned reference */
    bool changed;     /* constant differs from the source: encode writes it from here */
    int32_t n_consumers;
    const int32_t *consumers; /* node ids, once per reading input or capture, ascending */
    const void *source;       /* the decoder's own record of an initialiser; NULL: none */
} graph_value;

/* What the decoder keeps so that encode can write back everything that the IR does not model. */
typedef struct graph_source {
    int references;
    void *model;
    void (*release)(coset_ctx *ctx, void *model);
} graph_source;

struct coset_graph {
    const char *name; /* path of the file, or what the caller named it: for messages */
    const char *folder;
    int64_t opset; /* of the default domain */
    int64_t file_bytes;
    char digest[65]; /* sha256 of the file, "" if built in memory */
    int64_t n_nodes, n_values;
    graph_node *nodes; /* in a topological order after graph_check */
    graph_value *values;
    int64_t n_inputs, n_outputs; /* inputs: those that are not initialisers */
    int32_t *inputs, *outputs;
    int64_t nodes_capacity, values_capacity, inputs_capacity, outputs_capacity;
    arena arena; /* names, attributes, index arrays */
    name_map
        names; /* of the first `named` values; filled when a rewrite first needs a fresh name */
    int64_t named;
    graph_source *source;
    bool changed; /* differs from the source bytes */
};

/* ---- building (decoders, rewrites, tests) ------------------------------------------------------ */

/* An empty graph. Add values and nodes, then graph_check. */
COSET_MUST_USE coset_status graph_new(coset_ctx *ctx, const char *name, int64_t opset,
                                      coset_graph **graph_out);
/* Makes room for this many nodes and values in all, so that adding them does not copy. */
COSET_MUST_USE coset_status graph_reserve(coset_ctx *ctx, coset_graph *graph, int64_t n_nodes,
                                          int64_t n_values);
/* Adds a value; the name is copied. Names must be unique (checked by graph_check).
 * The returned id is stable; pointers into values[] are not until the graph is finished. */
COSET_MUST_USE coset_status graph_add_value(coset_ctx *ctx, coset_graph *graph, const char *name,
                                            int32_t *value_out);
/* Adds a node with copies of name, type and domain, and of the id arrays. */
COSET_MUST_USE coset_status graph_add_node(coset_ctx *ctx, coset_graph *graph, const char *name,
                                           const char *domain, const char *op_type,
                                           const int32_t *inputs, int32_t n_inputs,
                                           const int32_t *outputs, int32_t n_outputs,
                                           int32_t *node_out);
/* Adds an attribute to a node that has none of that name; the contents are copied (a tensor is
 * retained). attr->name and data are borrowed. */
COSET_MUST_USE coset_status graph_add_attr(coset_ctx *ctx, coset_graph *graph, int32_t node,
                                           const graph_attr *attr);
/* Says which values of this graph the node's subgraphs read; the ids are copied. */
COSET_MUST_USE coset_status graph_set_captures(coset_ctx *ctx, coset_graph *graph, int32_t node,
                                               const int32_t *values, int32_t n_values);
/* Lists a value as graph input / output. An initialiser or constant only gets the mark is_input. */
COSET_MUST_USE coset_status graph_add_input(coset_ctx *ctx, coset_graph *graph, int32_t value);
COSET_MUST_USE coset_status graph_add_output(coset_ctx *ctx, coset_graph *graph, int32_t value);
/* Gives a value constant data; takes a reference of its own. Sets the value's element type and shape
 * and marks it changed. A value that no node produces becomes an initialiser in graph_check. */
void graph_set_constant(coset_ctx *ctx, coset_graph *graph, int32_t value, tensor *constant);

/* Gives one input of a node a private copy of the constant that it shares with other readers: a new
 * initialiser with a name derived from the old one. The node is marked rewired. If nodes compute the
 * input, the new value has no data yet: graph_set_constant must follow. */
COSET_MUST_USE coset_status graph_copy_constant(coset_ctx *ctx, coset_graph *graph, int32_t node,
                                                int32_t input, int32_t *value_out);

/* A new initialiser with a name derived from that of `like`; it has no data yet. */
COSET_MUST_USE coset_status graph_add_constant(coset_ctx *ctx, coset_graph *graph, int32_t like,
                                               int32_t *value_out);

/* Puts an Add of a new constant behind a value: its readers (and a graph output of that name, which
 * keeps its name) see the sum. Takes a reference of its own to `constant`. */
COSET_MUST_USE coset_status graph_insert_add(coset_ctx *ctx, coset_graph *graph, int32_t value,
                                             tensor *constant);

/* Takes nodes [0, n_marked) that are marked out of a graph that has been checked and rewritten since, and
 * Constant nodes that were read then and are read by nobody now. graph_check must follow.
 *   gone  [n_marked]; NULL: no node is marked */
COSET_MUST_USE coset_status graph_remove_nodes(coset_ctx *ctx, coset_graph *graph, const bool *gone,
                                               int64_t n_marked);

/* Validates and finishes a graph: unique names, every input defined, single producers, no cycle
 * (sorts nodes topologically, stable), operator arity and required attributes where the operator is
 * known (binds node->op), dims and element types of constants; fills producers and consumers. Nodes that
 * are in order keep their places; another one moves in front of the first node that needs it.
 * Errors: COSET_EFORMAT naming file, node and operator, what was expected and what was found.
 * Cost: O(nodes + values + edges). */
COSET_MUST_USE coset_status graph_check(coset_ctx *ctx, coset_graph *graph);

/* A deep copy of the structure; constants and source are shared. The copy may be changed and must be
 * checked again by graph_check. */
COSET_MUST_USE coset_status graph_clone(coset_ctx *ctx, const coset_graph *graph,
                                        coset_graph **clone_out);

/* ---- reading ----------------------------------------------------------------------------------- */

/* What messages and reports call a node: its name, or that of its first output, or its operator. */
const char *node_label(const coset_graph *graph, const graph_node *node);
/* NULL if the node has no such attribute (or it has another kind than asked for). */
const graph_attr *node_attr(const graph_node *node, const char *name);
int64_t node_attr_int(const graph_node *node, const char *name, int64_t otherwise);
float node_attr_float(const graph_node *node, const char *name, float otherwise);
const char *node_attr_string(const graph_node *node, const char *name, const char *otherwise);
/* Elements of an INTS attribute; NULL and 0 if absent. */
const int64_t *node_attr_ints(const graph_node *node, const char *name, int64_t *n_out);

/* Sets "node 'name' (Op): text" as the error; the name of the graph is added by callers above. */
COSET_MUST_USE coset_status node_fail(coset_ctx *ctx, const graph_node *node, coset_status status,
                                      const char *format, ...) COSET_PRINTF(4, 5);

#endif
