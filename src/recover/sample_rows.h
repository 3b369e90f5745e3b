/* Samples of values as f64 rows: what refits are made from. */
#ifndef COSET_RECOVER_SAMPLE_ROWS_H
#define COSET_RECOVER_SAMPLE_ROWS_H

#include "exec/batch.h"

/* No value gives more rows; positions beyond it are thinned out evenly. */
enum { SAMPLE_ROWS_MAX = 1 << 16 };

/* One value seen as rows of the features along `axis`; every other axis counts as samples. */
typedef struct sample_rows {
    int32_t value; /* set by the caller */
    int axis;      /* set by the caller; negative: from the end */
    int64_t rows, n;
    double *data; /* (rows, n), owned by the caller: sample_rows_free */
    int64_t capacity, seen, stride;
} sample_rows;

/* Runs a model once over a source and fills every item. Values appear in the same order of samples in
 * every model, so rows of different models belong together.
 * Errors: those of the executor; COSET_EMEMORY. On failure items have no data. */
COSET_MUST_USE coset_status sample_rows_collect(coset_ctx *ctx, const coset_graph *graph,
                                                const batch_source *source,
                                                const shape *sample_shapes, sample_rows *items,
                                                int64_t n_items);
void sample_rows_free(coset_ctx *ctx, sample_rows *items, int64_t n_items);

#endif
