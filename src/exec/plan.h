/* What an executor does, worked out before anything runs: which nodes, in which order, and where in
 * one workspace every value lies. */
#ifndef COSET_EXEC_PLAN_H
#define COSET_EXEC_PLAN_H

#include "graph/infer.h"

typedef enum plan_place {
    PLAN_UNUSED = 0, /* nothing that is wanted depends on it */
    PLAN_INPUT,      /* a graph input that is read in place */
    PLAN_CONSTANT,   /* stored in the file or folded */
    PLAN_WORKSPACE   /* lies at offset[value] */
} plan_place;

typedef struct run_step {
    int32_t node;
    size_t scratch_offset; /* 64-byte aligned */
} run_step;

/* Zero-initialised is empty. All arrays are owned. */
typedef struct run_plan {
    run_step *steps; /* [n_steps], in the graph's topological order */
    int64_t n_steps;
    plan_place *place;               /* [n_values] */
    size_t *offset;                  /* [n_values], multiples of 64; only for PLAN_WORKSPACE */
    bool *kept;                      /* [n_values] graph outputs and taps */
    size_t workspace;                /* bytes */
    int32_t max_inputs, max_outputs; /* over the steps' nodes, >= 1 */
} run_plan;

/* Plans a run that makes graph outputs and taps readable afterwards. Values that depend on constants
 * alone and were folded end the search: their nodes are not run. A graph input that is also kept
 * gets a place in the workspace, to be copied there.
 *   facts  of the shapes to run at; borrowed for the call
 *   taps   [n_taps] value ids; may repeat; NULL if n_taps is 0
 * Errors: COSET_EUNSUPPORTED naming the first node to run that has no kernel, or whose output's shape
 * or element type is not known; COSET_EARGUMENT for a tap that is not a value; COSET_EMEMORY.
 * Cost: O(nodes + edges) times the number of gaps in the workspace. */
COSET_MUST_USE coset_status run_plan_make(coset_ctx *ctx, const coset_graph *graph,
                                          const graph_facts *facts, const int32_t *taps,
                                          int64_t n_taps, run_plan *plan_out);
void run_plan_free(coset_ctx *ctx, run_plan *self);

#endif
