/* Rows: what values hold at chosen positions of chosen samples, for refits. */
#ifndef COSET_RECOVER_SAMPLE_ROWS_H
#define COSET_RECOVER_SAMPLE_ROWS_H

#include "exec/batch.h"
#include "lump/block.h"
#include "ops/window.h"

/* Which rows are taken. A value has `positions` rows per sample; of all samples together `rows` are taken,
 * as many from each sample (one more from some), and within a sample one at random from each of so many
 * equal parts: so they lie evenly, but not in step with the width of an image. The choice depends on
 * nothing else, so that rows of different models belong together. */
typedef struct row_choice {
    int64_t samples, positions;
    int64_t rows; /* <= samples * positions */
    uint64_t seed, stream;
} row_choice;

/* The first row of a sample; that of sample `samples` is `rows`. */
int64_t row_choice_first(const row_choice *self, int64_t sample);

/* How an array of a batch is read as rows. */
typedef struct row_form {
    int axis;      /* of the features; negative: from the end. Other axes are positions */
    bool patches;  /* features are channels x taps at every position of a window instead */
    window window; /* then */
    /* The window is a transposed convolution's: positions are the result's, and a tap reads the one input
     * that it takes there, if there is one. */
    bool transposed;
    /* Features are these instead, and each of their places is a position of its own; borrowed. */
    const unit_block *units;
    int64_t batch; /* samples in the array */
} row_form;

/* Rows per sample, and the width of one; -1 if the array cannot be read so. */
int64_t row_form_positions(const row_form *self, const shape *values);
int64_t row_form_width(const row_form *self, const shape *values);

/* Writes the chosen rows of samples [first, first + count), which are the array's first ones, to their
 * places in rows_out (choice->rows, width). The array has choice->positions positions.
 * Columns of patches: channel * taps + tap; zeros where the window reaches over the edge.
 * Cost: one read of each element written. */
void rows_read(const row_form *self, const array *values, const row_choice *choice, int64_t first,
               int64_t count, float *rows_out);

/* A source of `samples` of another's samples, evenly spread. Borrows `of` and sample_shapes; used as
 * batch_source{samples, thin_fill, thin_source*}. */
typedef struct thin_source {
    const batch_source *of;
    const coset_graph *graph;
    const shape *sample_shapes;
    int64_t samples; /* 1 <= samples <= of->samples */
} thin_source;
batch_source thin_source_of(thin_source *self);

#endif
