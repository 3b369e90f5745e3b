/* A model that runs over all samples node by node: every sample is brought up to one node before any goes
 * on. What a node reads can then be looked at, the node be changed, and the run go on with it, so that work
 * on all layers of a model costs one forward run. */
#ifndef COSET_EXEC_LANES_H
#define COSET_EXEC_LANES_H

#include "exec/batch.h"

typedef struct lanes lanes;

/* Takes all samples of the source in.
 *   graph   borrowed for the result's life; its constants may change between calls of lanes_advance
 *   source  borrowed for the call
 * Errors: those of batch_runner_new and of the source. Memory: one workspace for every batch of samples
 * (lanes_bytes of a sample tells before). */
COSET_MUST_USE coset_status lanes_new(coset_ctx *ctx, const coset_graph *graph,
                                      const batch_source *source, const shape *sample_shapes,
                                      lanes **lanes_out);
void lanes_free(coset_ctx *ctx, lanes *self);

/* Bytes of workspace that a sample takes. Errors: those of batch_runner_new. */
COSET_MUST_USE coset_status lanes_bytes(coset_ctx *ctx, const coset_graph *graph,
                                        const shape *sample_shapes, int64_t *bytes_out);

/* Runs all nodes in front of `node` that did not run yet. Errors: those of kernels. */
COSET_MUST_USE coset_status lanes_advance(lanes *self, int32_t node);
/* True if the node is part of the run. */
bool lanes_run(const lanes *self, int32_t node);
/* Says that a constant has another content of the same shape now. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status lanes_reload(lanes *self, int32_t value);

int64_t lanes_count(const lanes *self);
/* Lends lane i to the executor, whose values are those of samples [*first_out, *first_out + *count_out)
 * until another lane is taken; arrays have room for lanes_batch samples. */
const executor *lanes_take(lanes *self, int64_t i, int64_t *first_out, int64_t *count_out);
int64_t lanes_batch(const lanes *self);

#endif
