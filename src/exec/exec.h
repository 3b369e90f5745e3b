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

/* Runs. inputs [graph->n_inputs] in compute types with the planned shapes; borrowed.
 * Errors: COSET_EARGUMENT if an input does not have the planned shape or kind; kernel errors. */
COSET_MUST_USE coset_status executor_run(executor *self, const array *inputs);

/* A graph output, graph input, tap or constant after a run; lent until the next run or free.
 * NULL for any other value, and for inputs and constants that the run does not read. A graph input
 * that is neither output nor tap is the array that was passed to the run. */
const array *executor_value(const executor *self, int32_t value);

size_t executor_workspace(const executor *self); /* bytes */
void executor_free(coset_ctx *ctx, executor *self);

#endif
