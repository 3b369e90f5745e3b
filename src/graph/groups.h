/* Unit groups: sets of units that must be cut together, and the contractions around them.
 * Source: ours (DESIGN.md, "Unit groups by labels"; METHODS.md section 2). */
#ifndef COSET_GRAPH_GROUPS_H
#define COSET_GRAPH_GROUPS_H

#include "graph/labels.h"

/* How a group takes part in one axis of one constant: unit u has `repeats` indices of the axis,
 * index[u * repeats + p] for occurrence p (a flattened channel has one per position). */
typedef struct group_slot {
    int32_t slot; /* index into the label slots */
    slot_role role;
    int64_t repeats;
    int64_t *index; /* [n, repeats] ascending along p */
} group_slot;

/* The scalar function between a group's producers and its consumers, where there is just one. */
typedef enum unit_function {
    UNIT_IDENTITY,
    UNIT_RELU,     /* Relu, LeakyRelu: s(a z) = a s(z) for a > 0 */
    UNIT_ODD,      /* Tanh: s(-z) = -s(z) */
    UNIT_LOGISTIC, /* Sigmoid: s(-z) = 1 - s(z) */
    UNIT_OTHER     /* another function, several, or something between that is not one function */
} unit_function;

typedef struct unit_group {
    const char *name; /* of the first producing node */
    int64_t n;        /* units */
    int64_t *roots;   /* [n] label classes, ascending */
    int32_t n_slots;
    group_slot *slots;  /* ascending by label slot */
    const char *frozen; /* why it cannot be cut; NULL: it can */
    int32_t frozen_by;  /* node at fault, -1: none */
    unit_function function;
    float leak; /* of UNIT_RELU: slope below 0 */
} unit_group;

/* A contraction: y = W x + b with units on both sides. Its weight is a constant of rank >= 2 with an
 * axis of input features, an axis of output units and, for convolutions, further tap axes.
 * A convolution of several groups has a block-diagonal W, of which only the blocks are stored: x has
 * groups times as many features as the input axis of the weight, feature i of group j being
 * j * size + i, and the outputs are groups of equal size in a row. */
typedef struct contraction {
    int32_t node;
    int32_t weight; /* value ids */
    int32_t input;  /* activation x, units along its input_axis */
    int input_axis;
    int32_t output;  /* y before the bias */
    int32_t result;  /* y after the bias; = output if the bias is part of the node or absent */
    int output_axis; /* of output and result */
    int32_t in_slot, out_slot; /* label slots of the weight's two axes */
    int64_t groups;            /* of a convolution, else 1 */
    double scale;              /* W is this times the constant (Gemm's alpha) */
    double tap_share;  /* of all taps, those that meet in one output on the average; below 1 for
                         ConvTranspose with strides */
    int32_t bias;      /* constant with one element per output; -1: none */
    int32_t bias_slot; /* its label slot; -1: none (a single output needs none) */
    int32_t bias_node; /* who adds it: the node itself or an Add; -1: none */
    double bias_scale; /* b is this times the constant (Gemm's beta) */
} contraction;

typedef struct graph_groups {
    int64_t n;
    unit_group *groups; /* in topological order of their first producers */
    int64_t n_contractions;
    contraction *contractions; /* in topological order */
    label_set *labels;
    int64_t n_slots;
    const label_slot *slots; /* lent by labels */
    int32_t
        *contraction_of; /* [n_slots] contraction whose weight or bias the slot belongs to; -1 */
    int32_t *group_of;   /* [labels_count] group of a label class; -1: none */
    int64_t *unit_of;    /* [labels_count] its unit */
    const graph_facts *facts; /* under which they were found; borrowed */
    arena arena;
} graph_groups;

/* Finds every group of a graph under given facts (borrowed for the result's life, as is the graph).
 * Errors: COSET_EMEMORY; errors of label rules. Cost: near-linear in nodes plus unit indices. */
COSET_MUST_USE coset_status groups_find(coset_ctx *ctx, const coset_graph *graph,
                                        const graph_facts *facts, graph_groups **groups_out);
void groups_free(coset_ctx *ctx, graph_groups *self);

/* How a group takes part in a label slot; NULL: it does not. Cost: log. */
const group_slot *group_slot_in(const unit_group *self, int32_t slot);

/* Group of index i of a slot and the unit in it; -1 if the index belongs to no group. */
int32_t groups_at(const graph_groups *self, int32_t slot, int64_t i, int64_t *unit_out);

/* ---- views of weights ---- */

/* A contraction's weight as out x in x taps with strides in elements of the stored tensor. */
typedef struct weight_view {
    const tensor *data;
    int64_t n_out, n_in, n_taps;
    int64_t out_stride, in_stride, tap_stride;
    double scale;
} weight_view;

weight_view contraction_weight(const coset_graph *graph, const graph_groups *groups,
                               const contraction *self);
/* Rows [first, first + count) as f64, scaled: rows_out[(o * n_in + i) * n_taps + t]. */
void weight_rows(const weight_view *self, int64_t first, int64_t count, double *rows_out);

#endif
