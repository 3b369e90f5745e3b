/* One run of compress: what is known before anything is cut. */
#ifndef COSET_API_JOB_H
#define COSET_API_JOB_H

#include "api/chain.h"
#include "api/subject.h"
#include "data/data.h"
#include "data/noise.h"
#include "recover/targets.h"

/* What the options ask for, and what is found out once. */
typedef struct job {
    coset_ctx *ctx;
    const coset_graph *graph; /* what is cut: the original, or it with weights and norms folded */
    coset_graph *folded;      /* the latter; NULL: there was nothing to fold */
    const coset_data *data;
    const coset_compress_options *options;
    chain chain; /* of methods; empty: a plan is applied */
    subject original;
    recovery_targets *targets; /* NULL until a trial first needs them */
    bool lift, reconstruct, batchnorm;
    int64_t *order; /* training rows: calibration first, then held out */
    data_view calib, held;
    batch_source source; /* of the calibration rows */
    shape *drawn_shapes; /* [inputs] of samples drawn at random; NULL: none are drawn */
    noise noise;
    batch_source drawn;
    coset_graph_size before;
} job;

/* Checks the options, folds, and opens the original as a subject. self->ctx, graph, data and options are set
 * by the caller. Free with job_free, also after a failure.
 * Errors: those of coset_compress. */
COSET_MUST_USE coset_status job_prepare(job *self);
void job_free(job *self);

/* Opens a graph for one of the methods (NULL: for a plan that is applied).
 *   lifts  units will be lifted: statistics on the data are needed whatever the methods take
 * Closed with subject_close, also after a failure. Errors: those of subject_open. */
COSET_MUST_USE coset_status job_open(job *self, const coset_graph *graph, const step *of,
                                     bool lifts, subject *subject_out);

#endif
