/* Shape inference driver: specialises a graph to concrete input shapes and folds what is constant. */
#ifndef COSET_GRAPH_INFER_H
#define COSET_GRAPH_INFER_H

#include "graph/op.h"

typedef struct graph_facts graph_facts;

/* Everything that can be known of every value once the graph inputs have these shapes. Constants
 * are folded by running the operators' own kernels, up to 2^20 elements a result.
 *   input_shapes  [graph->n_inputs] known shapes, an entry of unknown rank: as declared;
 *                 NULL: as graph_infer_default
 * Nodes without an operator row, or whose inputs are unknown, leave their outputs as declared in the
 * file, or unknown. Errors: COSET_EFORMAT naming the node whose inputs do not fit; COSET_EMEMORY. */
COSET_MUST_USE coset_status graph_infer(coset_ctx *ctx, const coset_graph *graph,
                                        const shape *input_shapes, graph_facts **facts_out);

/* The same for the declared shapes. Dimensions that the file leaves open are 1 if they are batches (first
 * axes, and those of the same name), 224 if they are sides of images (behind the second axis of four), else
 * 1; where the network does not fit these, others are tried. Source: infer_default.c. */
COSET_MUST_USE coset_status graph_infer_default(coset_ctx *ctx, const coset_graph *graph,
                                                graph_facts **facts_out);

/* Someone who looks at, and may change, every node on the way.
 *   before  called with the facts of the node's inputs; may give the node other attributes, other or more
 *           constant inputs, and its outputs other declared shapes; adds no nodes
 *   after   called with the facts of its outputs */
typedef struct infer_visitor {
    void *user;
    coset_status (*before)(void *user, int32_t node, const fact *in);
    coset_status (*after)(void *user, int32_t node, const fact *out);
} infer_visitor;

/* graph_infer with a visitor (NULL: none), who may hold `graph` without const. */
COSET_MUST_USE coset_status graph_infer_visit(coset_ctx *ctx, const coset_graph *graph,
                                              const shape *input_shapes,
                                              const infer_visitor *visitor,
                                              graph_facts **facts_out);

/* graph_infer of a subgraph whose inputs are known by facts of the graph around it.
 *   inputs  [graph->n_inputs]; their constants are lent: they must live as long as the facts
 *   outer   facts of the graph around, whose budget for folding is shared; NULL: a budget of its own */
COSET_MUST_USE coset_status graph_infer_inside(coset_ctx *ctx, const coset_graph *graph,
                                               const fact *inputs, graph_facts *outer,
                                               graph_facts **facts_out);
/* The facts of a branch's inputs, from those of the graph around its node; inputs_out [n_inputs]. */
void branch_inputs(const graph_facts *facts, const graph_node *node, const graph_branch *branch,
                   fact *inputs_out);
/* The branches of an If that may be taken: [*first_out, *end_out), one if the condition is known. */
void branch_choice(const graph_facts *facts, const graph_node *node, int *first_out, int *end_out);
/* Types and shapes of an If's outputs: what its branches that may be taken have in common. out
 * [n_outputs], unknown on entry. An error of a branch is one only if that is sure to be taken.
 * Source: infer_branch.c. */
COSET_MUST_USE coset_status branch_infer(coset_ctx *ctx, graph_facts *facts, const graph_node *node,
                                         fact *out);

/* True if there are layers in the branches of a node: nodes that multiply. */
bool branch_has_layers(const graph_node *node);

const fact *graph_fact(const graph_facts *facts,
                       int32_t value); /* value -1: the fact of an absent input */
void graph_facts_free(coset_ctx *ctx, graph_facts *facts);

/* Fills the in and out facts of a node (arrays of n_inputs and n_outputs facts). */
void graph_node_facts(const graph_facts *facts, const graph_node *node, fact *in_out,
                      fact *out_out);

#endif
