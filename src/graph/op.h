/* What an operator is: one const table entry with its inference, kernel, label, cut and cost rules. */
#ifndef COSET_GRAPH_OP_H
#define COSET_GRAPH_OP_H

#include "graph/ir.h"

/* What is known of a value before anything runs. */
typedef struct fact {
    coset_dtype dtype; /* UNDEFINED: unknown */
    shape shape;
    const array
        *constant; /* its data if it depends on constants alone and is small or stored, else NULL */
} fact;

/* A view of one node for every rule below. Absent optional inputs have dtype UNDEFINED and rank -1. */
typedef struct op_node {
    coset_ctx *ctx;
    const graph_node *node;
    int64_t opset;
    int n_in, n_out;
} op_node;

typedef struct op_infer {
    op_node at;
    const fact *in; /* [n_in] */
    fact *out;      /* [n_out], UNDEFINED and SHAPE_UNKNOWN on entry */
} op_infer;

/* Arrays come in compute types with the facts' shapes; out arrays are allocated, not zeroed, and
 * never alias inputs. Kernels must not allocate: scratch holds what op->scratch asked for. */
typedef struct op_call {
    op_node at;
    const array *in; /* [n_in]; absent: data NULL, rank -1 */
    array *out;      /* [n_out]; absent optional outputs: data NULL */
    void *scratch;   /* 64-byte aligned */
    int threads;
} op_call;

struct op_labels; /* graph/labels.h */
struct op_cut;    /* graph/labels.h */

typedef struct coset_op {
    const char *type;
    const char *domain; /* "" for ai.onnx, "com.microsoft" */
    int since;          /* first opset version at which this row is valid, >= 1 */
    int min_inputs, max_inputs, min_outputs, max_outputs; /* max -1: variadic */

    /* Output dtypes and shapes. Unknown inputs give unknown outputs, never an error. Errors: what is
     * wrong about the node's inputs, through node_fail. */
    coset_status (*infer)(op_infer *call);

    /* Computes the outputs. NULL: the operator can be loaded and cut but not run. */
    coset_status (*forward)(op_call *call);

    /* forward reads the shapes of its inputs only (their data may be NULL): folded once the shapes are
     * known, whatever the data depends on. */
    bool from_shapes;

    /* Bytes of scratch that forward needs; NULL: none. Shapes are known. */
    size_t (*scratch)(const op_infer *call);

    /* How labels pass; NULL: freezes every unit that it touches. */
    coset_status (*labels)(struct op_labels *call);

    /* How the node's own parameters change when indices leave; NULL: nothing to change. */
    coset_status (*cut)(struct op_cut *call);

    /* Multiply-accumulates for the given shapes; NULL: 0. */
    int64_t (*macs)(const op_infer *call);

    /* What forward does, in the same unit, where it is much more than reading the inputs and is not in
     * macs (windows of pooling): folding must not be made to take hours. Shapes are known. NULL: macs. */
    int64_t (*work)(const op_infer *call);
} coset_op;

/* The node can be run: by a kernel, or because its subgraphs are graphs that can be tried. */
static inline bool node_runs(const graph_node *node)
{
    return node->op != NULL && (node->op->forward != NULL || node->n_branches > 0);
}

/* The row for an operator at an opset version: the one with the largest `since` that is <= version;
 * NULL if there is none. Defined in ops/registry.c; declared here because graph_check binds rows. */
const coset_op *op_find(const char *domain, const char *type, int64_t version);
/* Row by index, NULL past the end: for contract tests and listings. */
const coset_op *op_at(int index);

#endif
