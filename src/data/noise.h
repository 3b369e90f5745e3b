/* Inputs drawn at random, where methods shall not see the data, or there is none.
 * Source: METHODS.md section 7, "data-agnostic". */
#ifndef COSET_DATA_NOISE_H
#define COSET_DATA_NOISE_H

#include "exec/batch.h"
#include "graph/infer.h"

typedef struct noise {
    const coset_graph *graph;
    const shape *sample_shapes; /* [n_inputs] without batch axis */
    int64_t samples;
    uint64_t seed;
} noise;

/* Shapes of one sample of every input, as `facts` have them (dimensions that the file leaves open as
 * graph_infer_default chose them): all axes behind the first, or the only one if its size is declared.
 *   shapes_out  [graph->n_inputs] written
 * Errors: COSET_EUNSUPPORTED naming the input if its shape or a size is not known. */
COSET_MUST_USE coset_status noise_shapes(coset_ctx *ctx, const coset_graph *graph,
                                         const graph_facts *facts, shape *shapes_out);

/* Every element of every input independent N(0, 1), the same for a sample whatever the batches. `self` and
 * what it borrows must outlive the source.
 * Errors: COSET_EUNSUPPORTED naming an input that does not hold floats. */
COSET_MUST_USE coset_status noise_source(coset_ctx *ctx, noise *self, batch_source *source_out);

#endif
