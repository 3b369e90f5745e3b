/* A subject: a graph that a method works on, and what is found out about it once. */
#ifndef COSET_API_SUBJECT_H
#define COSET_API_SUBJECT_H

#include <coset/compress.h>

#include "lump/cost.h"
#include "lump/sites.h"

/* Samples that subjects are calibrated with. */
typedef struct subject_samples {
    const batch_source *data;  /* rows of the training part; NULL: there are none, or nobody asks */
    const shape *data_shapes;  /* of a sample of every input */
    const char *data_name;     /* for messages */
    const batch_source *drawn; /* at random; NULL: methods take their statistics from the data */
    const shape *drawn_shapes;
    unsigned kinds; /* CALIBRATION_... that methods want */
} subject_samples;

typedef struct subject {
    const coset_graph *graph; /* borrowed */
    graph_facts *facts;
    graph_groups *groups;
    cost_model *cost;
    calibration *stats;    /* on the data, for lifts and for methods; NULL: not collected */
    calibration *drawn;    /* on random inputs, for methods; NULL: they take stats */
    int64_t *steps;        /* [groups->n] widths are multiples of this */
    bool *allowed;         /* [groups->n] may be cut */
    bool *allowed_weights; /* [n_contractions] may be masked */
    char **refused;        /* [groups->n] why a cuttable group may not be cut; NULL */
} subject;

/* Finds groups and costs, reads --only and --ignore, and collects statistics.
 *   samples  borrowed for the call
 * Freed with subject_close, also after a failure.
 * Errors: COSET_EARGUMENT naming the regular expression; those of groups_find and calibration_collect. */
COSET_MUST_USE coset_status subject_open(coset_ctx *ctx, const coset_graph *graph,
                                         const coset_compress_options *options,
                                         const subject_samples *samples, subject *self_out);
void subject_close(coset_ctx *ctx, subject *self);
/* What methods see. */
const calibration *subject_statistics(const subject *self);

#endif
