/* Labels: which index of which axis means which unit, and how that passes through operators.
 * Source: ours (DESIGN.md, "Unit groups by labels"; METHODS.md section 2).
 *
 * A label array has its value's rank; an axis has its full size if labels differ along it and size 1
 * if they do not. LABEL_NONE marks entries that are constants and belong to no unit; LABEL_FROZEN
 * marks entries that no cut may touch (graph inputs and outputs). Other ids are elements of a
 * union-find forest; its classes are the units. */
#ifndef COSET_GRAPH_LABELS_H
#define COSET_GRAPH_LABELS_H

#include "graph/infer.h"

enum { LABEL_NONE = 0, LABEL_FROZEN = 1, LABEL_FIRST = 2 };

typedef struct label_array {
    int rank; /* -1: nothing is known about this value */
    int64_t dims[TENSOR_MAX_RANK];
    int64_t *ids; /* owned by the label_set's arena; never NULL when rank >= 0 */
} label_array;

/* How a constant's axis takes part in a unit. */
typedef enum slot_role {
    SLOT_PRODUCER, /* output axis of a contraction's weight: rows are linear in the unit (R) */
    SLOT_ADD,      /* additive, unit by unit: biases (R) */
    SLOT_SCALE, /* any other unit-by-unit parameter: slopes, scales, statistics (mean of a block) */
    SLOT_CONSUMER /* input axis of a contraction's weight (L) */
} slot_role;

/* One axis of one constant whose indices belong to units. */
typedef struct label_slot {
    int32_t value; /* the constant */
    int32_t node;  /* who reads it */
    int axis;
    slot_role role;
    int64_t size; /* of the axis */
    int64_t *ids; /* [size]; class roots after labels_run */
} label_slot;

typedef struct label_set label_set;

enum { SETTLED_INPUTS = 8 }; /* inputs whose entries labels_size can be asked about */

typedef struct op_labels {
    op_node at;
    int32_t node_id;
    const fact *in, *out;      /* facts, concrete shapes where known */
    const label_array *labels; /* [n_in]; constants: rank of the value, all LABEL_NONE */
    label_array *result;       /* [n_out] to fill; rank -1 on entry */
    label_set *set;
    uint64_t settled[SETTLED_INPUTS]; /* for labels_size */
} op_labels;

/* ---- for operators' label rules ---- */

/* A label array of given dims filled with one id. */
COSET_MUST_USE coset_status labels_make(label_set *set, int rank, const int64_t *dims, int64_t id,
                                        label_array *result_out);
/* `count` fresh units; returns the first id through first_out, the others follow. */
COSET_MUST_USE coset_status labels_fresh(label_set *set, int64_t count, int64_t *first_out);
/* Couples two ids (either may be LABEL_NONE: no effect, or LABEL_FROZEN: freezes the other).
 * reason: why, if it freezes; borrowed for the whole run (a literal, or from the graph). */
void labels_unite(label_set *set, int64_t a, int64_t b, const char *reason);
/* Freezes every unit in a label array. */
void labels_freeze(op_labels *call, const label_array *labels, const char *reason);
/* Freezes inputs and leaves outputs LABEL_FROZEN: the rule of an operator without a rule. */
COSET_MUST_USE coset_status labels_freeze_all(op_labels *call, const char *reason);
/* Declares that axis `axis` of constant input `input` follows `ids` ([size of the axis]). */
COSET_MUST_USE coset_status labels_slot(op_labels *call, int input, int axis, slot_role role,
                                        const int64_t *ids);

/* Whole rules that many operators share: */

/* Elementwise with broadcasting over all inputs to output 0; constant operands become slots with
 * the given role wherever their axis is as wide as the units'. */
COSET_MUST_USE coset_status labels_elementwise(op_labels *call, slot_role role);
/* One activation in, output 0 of the same shape, unit by unit (Relu, Cast, ...). */
COSET_MUST_USE coset_status labels_unary(op_labels *call);
/* Passes labels but freezes them if they vary along any of `axes` (Softmax, reductions). With
 * keep = false the axes are removed from the result. Negative axes count from the end. */
COSET_MUST_USE coset_status labels_over_axes(op_labels *call, const int64_t *axes, int64_t n_axes,
                                             bool keep, const char *reason);
/* Data movement without arithmetic whose kernel maps elements to elements: expands the labels of the
 * data inputs over `axes_mask` (bit a: axis a of the inputs must be materialised), runs the
 * operator's own forward kernel on them, and shrinks axes along which the result does not vary.
 * Inputs 0..n_data-1 are data, the others are parameters (known constants). */
COSET_MUST_USE coset_status labels_by_kernel(op_labels *call, int n_data, unsigned axes_mask);
/* What one output of a selection of indices has: those of input 0, but along `axis` only the indices
 * `index` [count], in this order. -1 stands for zeros that the operator puts there: they belong to no
 * weight, but go with the units that they meet. Other axes of the output may have other sizes where
 * labels do not vary along them. The result has the rank of input 0. Remembers the order of indices. */
COSET_MUST_USE coset_status labels_pick(op_labels *call, int output, int axis, const int64_t *index,
                                        int64_t count);
/* True if the value of an input is the same for every input of the model, whatever its shape: it is
 * stored in the file or computed from what is. */
bool labels_fixed(const op_labels *call, int input);
/* What a cut makes of a number that the model computes from shapes. */
typedef enum size_course {
    SIZE_STAYS,   /* nothing */
    SIZE_FOLLOWS, /* what is left of the axis of units whose size it is */
    SIZE_CHANGES  /* something else: it is computed from how many units the data have */
} size_course;

/* Asks about one of the first 64 entries of an input that is a list of sizes, as the size of axis `axis` of
 * output 0, whose labels are there. The rule sees to it that an entry that changes is replaced, or freezes
 * its units. Entries that depend on how many units there are and that no rule asks about, and those that
 * depend on other units than the data's, freeze those units: the entry stays. */
size_course labels_size(op_labels *call, int input, int64_t entry, int axis);
/* True if an entry of a list is stored in the file, or computed from what is. */
bool size_is_stored(const label_set *set, int32_t value, int64_t entry);
/* The value whose axis *axis_out has the size that an entry of a list is; -1: it is not known to be one. */
int32_t size_axis(const label_set *set, int32_t value, int64_t entry, int *axis_out);
/* Reshape family: same elements, same order, from shape in[0] to out[0]; materialises only the axes
 * that are joined or split. */
COSET_MUST_USE coset_status labels_reshape(op_labels *call);
/* Contraction of activation input `x` over its axis `x_axis` with constant input `w` whose axes are
 * w_in (contracted) and w_out (produced; -1: none). out_axis: where fresh units appear in output 0,
 * whose other axes take the labels of x's axes as in `from` (from[a] = axis of x, or -1). */
COSET_MUST_USE coset_status labels_contract(op_labels *call, int x, int x_axis, int w, int w_in,
                                            int w_out, int out_axis, const int *from);

/* ---- cutting: what an operator does to its own parameters ---- */

/* keep lists of one value's axes after a cut; NULL: the axis is untouched. */
typedef struct axis_keep {
    const int64_t *index[TENSOR_MAX_RANK]; /* ascending kept indices of each axis */
    int64_t count[TENSOR_MAX_RANK];
} axis_keep;

typedef struct op_cut {
    op_node at;
    int32_t node_id;
    const fact *in, *out; /* facts before the cut */
    const fact
        *now; /* [n_in] facts of the inputs in the cut graph: what shape arithmetic gives there */
    const axis_keep *keep_in;  /* [n_in] */
    const axis_keep *keep_out; /* [n_out] */
    coset_graph *graph;        /* the graph being rewritten: attributes and inputs may change */
    const label_set *labels;   /* of the graph before the cut, as is `at` */
} op_cut;

/* Replaces an input with constant integers (a private copy of the constant is made where other nodes
 * read it too). An input behind the node's last one, or an absent one, is added. The element type stays
 * that of the input; a new one is int64. */
COSET_MUST_USE coset_status cut_set_input(op_cut *call, int input, const int64_t *values,
                                          const shape *shape);

/* Replaces a list of integers among the node's attributes, or adds it. */
COSET_MUST_USE coset_status cut_set_ints(op_cut *call, const char *attr, const int64_t *values,
                                         int64_t n);
/* Sets an integer attribute of the node, or adds it. */
COSET_MUST_USE coset_status cut_set_int(op_cut *call, const char *attr, int64_t value);
/* Removes an attribute, if there. */
void cut_drop_attr(op_cut *call, const char *attr);
/* Where index `index` of an axis lies after the cut; -1 if it is cut. Cost: log. */
int64_t axis_keep_place(const axis_keep *self, int axis, int64_t index);

/* ---- the run over a graph ---- */

COSET_MUST_USE coset_status labels_run(coset_ctx *ctx, const coset_graph *graph,
                                       const graph_facts *facts, label_set **set_out);
void labels_free(label_set *set);
/* Root of an id; LABEL_NONE and LABEL_FROZEN are roots. */
int64_t labels_root(const label_set *set, int64_t id);
int64_t labels_count(const label_set *set); /* ids are in [0, count) */
/* Why a class is frozen, and which node did it (-1: a graph input or output); NULL: it is not. */
const char *labels_frozen(const label_set *set, int64_t root, int32_t *node_out);
/* Labels of a value; their ids are roots, and they differ along every axis that is longer than 1. */
const label_array *labels_of(const label_set *set, int32_t value);
/* Per class, a hash of how data movement has arranged its indices: where it differs between two units,
 * the p-th index of one need not be what the p-th index of the other is, and the units must not be merged.
 * order_out [labels_count], owned by the caller. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status labels_orders(const label_set *set, uint64_t **order_out);
int64_t labels_slots(const label_set *set, const label_slot **slots_out);

#endif
