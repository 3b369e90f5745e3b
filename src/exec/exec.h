/* Executor: runs a graph at fixed input shapes in one planned workspace. */
#ifndef COSET_EXEC_EXEC_H
#define COSET_EXEC_EXEC_H

#include "graph/infer.h"

typedef struct executor executor;

/* Plans a run: shapes, order, lifetimes, one workspace in which buffers of values that are dead are
 * used again; constants in f32 and i64 are lent, other element types converted once.
 *   input_shapes  [graph->n_inputs], known; borrowed
 *   taps          [n_taps] value ids that must stay readable after a run; borrowed; may be NULL
 *   graph         borrowed for the executor's life
 * Errors: COSET_EUNSUPPORTED naming the node whose operator is missing, cannot run, or has a shape
 * that depends on data; COSET_EFORMAT from inference; COSET_EMEMORY (memory is planned, and allocated
 * here, before anything runs). Only what outputs and taps depend on is planned and run. */
COSET_MUST_USE coset_status executor_new(coset_ctx *ctx, const coset_graph *graph,
                                         const shape *input_shapes, const int32_t *taps,
                                         int64_t n_taps, executor **executor_out);

/* The same for a subgraph: inputs [graph->n_inputs] are known by facts of the graph around, whose constants
 * must live as long as the executor. */
COSET_MUST_USE coset_status executor_new_inside(coset_ctx *ctx, const coset_graph *graph,
                                                const fact *inputs, executor **executor_out);

/* Runs. inputs [graph->n_inputs] in compute types with the planned shapes; borrowed.
 * Errors: COSET_EARGUMENT if an input does not have the planned shape or kind; kernel errors. */
COSET_MUST_USE coset_status executor_run(executor *self, const array *inputs);

/* A graph output, graph input, tap or constant after a run; lent until the next run or free.
 * NULL for any other value, and for inputs and constants that the run does not read. A graph input
 * that is neither output nor tap is the array that was passed to the run. */
const array *executor_value(const executor *self, int32_t value);

/* ---- runs that pause ---------------------------------------------------------------------------
 * A run may stop in front of any node, and several runs of one executor may be under way, each in a
 * workspace of its own: what recovery needs to see what a node reads before that node is changed. */

/* Values lie in `memory` (executor_workspace bytes, 64-byte aligned, borrowed) from now on; NULL: in
 * the executor's own again. Graph inputs that are not kept stay where the last start found them. */
void executor_use(executor *self, void *memory);
/* Takes the inputs of a run; the first step is 0. Errors: as executor_run. */
COSET_MUST_USE coset_status executor_start(executor *self, const array *inputs);
/* Runs the steps from *step on that lie in front of `node` (INT32_MAX: all), and moves *step there. */
COSET_MUST_USE coset_status executor_advance(executor *self, int64_t *step, int32_t node);
/* True if the node is one of the steps. */
bool executor_runs(const executor *self, int32_t node);
/* A value of the run, kept or not: its data is there from when its producer has run until its last reader
 * has. NULL if it is no part of the run. */
const array *executor_operand(const executor *self, int32_t value);
/* Reads a constant again after graph_set_constant; its shape and element type are the same as before.
 * What was folded from it is not folded again. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status executor_reload(executor *self, int32_t value);

size_t executor_workspace(const executor *self); /* bytes */
void executor_free(coset_ctx *ctx, executor *self);

#endif
