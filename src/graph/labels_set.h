/* Inside of a label set: shared by the label rules and the run over a graph. */
#ifndef COSET_GRAPH_LABELS_SET_H
#define COSET_GRAPH_LABELS_SET_H

#include "graph/labels.h"

typedef struct label_move label_move;   /* label_order.c */
typedef struct size_source size_source; /* label_sizes.c */

struct label_set {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_facts *facts;
    arena arena;
    int64_t count, capacity;
    int64_t *parent;     /* union-find forest */
    int32_t *frozen_by;  /* node that froze a root; -1: a graph input or output */
    const char **reason; /* why; NULL: not frozen */
    int64_t reason_capacity, by_capacity;
    label_array *of_value; /* [n_values] */
    label_slot *slots;
    int64_t n_slots, slots_capacity;
    label_move *moves; /* of nodes that change the order of a unit's indices */
    int64_t n_moves, moves_capacity;
    bool *fixed;     /* [n_values] stored, or computed from what is stored */
    int32_t **sizes; /* [n_values] of shape arithmetic: where every element comes from; else NULL */
    size_source *sources;
    int64_t n_sources, sources_capacity;
    int32_t node; /* being processed; -1 outside */
};

/* Elements of a label array. */
int64_t label_elements(const label_array *self);
/* Removes axes' extent where labels do not vary along them. */
void label_shrink(label_array *self);
/* Copy of `labels` with the dims of `dims` (each either equal, or 1 in labels: repeated). */
COSET_MUST_USE coset_status label_expand(label_set *set, const label_array *labels,
                                         const int64_t *dims, label_array *expanded_out);
/* Remembers how a kernel that moves data has arranged labels: `run` is the call that made `result`. */
COSET_MUST_USE coset_status label_note_move(label_set *set, const op_call *run, int n_data,
                                            const label_array *result);

/* The same for a result whose element e is element from[e] of the one array `in` (-1: of none). */
COSET_MUST_USE coset_status label_note_pick(label_set *set, const label_array *in,
                                            const label_array *result, const int64_t *from);

/* Where the elements of a node's output come from, if it is arithmetic with shapes. *passed_out false: it
 * is not. */
COSET_MUST_USE coset_status sizes_pass(op_labels *call, bool *passed_out);
/* Freezes all units on which elements of a value depend, other than those of `settled` (a bit each). */
COSET_MUST_USE coset_status sizes_freeze(label_set *set, int32_t value, uint64_t settled,
                                         const char *reason);

#endif
