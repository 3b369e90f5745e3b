/* Runs a model over many samples in batches, whatever batch size the file declares. */
#ifndef COSET_EXEC_BATCH_H
#define COSET_EXEC_BATCH_H

#include "exec/exec.h"

/* Where samples come from: one array per graph input with samples along axis 0. fill writes samples
 * [first, first + count) of one graph input, row-major, to `out` (float or int64_t as the input's
 * element type computes); it must be repeatable. */
typedef struct batch_source {
    int64_t samples;
    coset_status (*fill)(coset_ctx *ctx, void *user, int64_t input, int64_t first, int64_t count,
                         void *out);
    void *user;
} batch_source;

typedef struct batch_runner batch_runner;

/* Finds how the model takes batches. In this order: a leading dimension that can be chosen, symbolic
 * or not (inference succeeds with another leading dimension on every input, and the leading dimension
 * of every output and tap follows) takes `batch` samples at a time; otherwise the declared leading
 * dimension (1 if symbolic) is the batch and the last one is padded by repeating its last sample. An
 * input whose samples fill its whole declared shape, leading dimension included, has no batch axis:
 * such a model runs sample by sample.
 *   sample_shapes  [n_inputs] shapes of one sample without the batch axis, as the data has them; any
 *                  shape with the element count that the model expects is accepted (a symbolic inner
 *                  dimension takes the data's) unless it has as many dimensions over 1 in other sizes,
 *                  as images with channels first and last; borrowed
 *   batch          samples per run; 0: chosen so that the workspace stays below about 64 MB
 *   taps           [n_taps] value ids to read besides the outputs; copied
 *   graph          borrowed for the runner's life
 * Errors: COSET_EARGUMENT naming the input, the shape it expects and the shape of the data; those of
 * executor_new. */
COSET_MUST_USE coset_status batch_runner_new(coset_ctx *ctx, const coset_graph *graph,
                                             const shape *sample_shapes, int64_t batch,
                                             const int32_t *taps, int64_t n_taps,
                                             batch_runner **runner_out);

/* Called once per batch, in order; `values` answers executor_value for outputs and taps, of which the
 * first `count` samples along the leading dimension are meant (later ones are padding; a last batch
 * may also come in smaller arrays without padding: use batch_sample_elements). */
typedef coset_status (*batch_visit)(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                                    const executor *values);

/* Runs all samples of the source. stage names the work for progress; NULL: no progress. */
COSET_MUST_USE coset_status batch_run(coset_ctx *ctx, batch_runner *runner,
                                      const batch_source *source, const char *stage,
                                      batch_visit visit, void *user);
/* Runs samples [first, first + count) of the source, 1 <= count <= batch_size, and lends the executor
 * that holds their values until the next step. For work that drives several models side by side. */
COSET_MUST_USE coset_status batch_step(coset_ctx *ctx, batch_runner *runner,
                                       const batch_source *source, int64_t first, int64_t count,
                                       const executor **values_out);
/* Fills the inputs of a run of batch_size samples, of which the first `count` are those from `first` on,
 * without running it: for batch_executor and executor_start. Lent until the next load or step. */
COSET_MUST_USE coset_status batch_load(coset_ctx *ctx, batch_runner *runner,
                                       const batch_source *source, int64_t first, int64_t count,
                                       const array **inputs_out);
/* The executor of batch_size samples; lent. */
executor *batch_executor(batch_runner *runner);
/* Elements of an output or tap per sample (its element count / the batch). */
int64_t batch_sample_elements(const batch_runner *runner, int32_t value);
/* Shape of an output or tap for the runner's batch. */
const shape *batch_shape(const batch_runner *runner, int32_t value);
int64_t batch_size(const batch_runner *runner);
void batch_runner_free(coset_ctx *ctx, batch_runner *runner);

#endif
