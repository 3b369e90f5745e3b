/* One run of compress: what is known before anything is cut, and what a trial gives. */
#ifndef COSET_API_JOB_H
#define COSET_API_JOB_H

#include <coset/compress.h>

#include "data/data.h"
#include "methods/search.h"
#include "recover/targets.h"

/* What a method, a rule and the data ask for, and what is found out once. */
typedef struct job {
    coset_ctx *ctx;
    const coset_graph *graph; /* what is cut: the original, or it with weights and norms folded */
    coset_graph *folded;      /* the latter; NULL: there was nothing to fold */
    const coset_data *data;
    const coset_compress_options *options;
    const coset_method *method;
    method_call *calls; /* [n_variants] */
    search **paths;     /* [n_variants] */
    int n_variants;
    graph_facts *facts;
    graph_groups *groups;
    cost_model *cost;
    calibration *stats;
    recovery_targets *targets; /* NULL until a trial first needs them */
    int64_t *steps;            /* [groups] widths are multiples of this */
    bool *allowed, *allowed_weights;
    char **refused; /* [groups] why a cuttable group may not be cut; NULL */
    bool lift, reconstruct, batchnorm;
    int64_t *order; /* training rows: calibration first, then held out */
    data_view calib, held;
    batch_source source;
    coset_graph_size before;
} job;

/* One trial: a plan carried out. */
typedef struct outcome {
    coset_plan *plan;
    coset_graph *graph;
    bool reached;
    int variant;
    double rel_l2; /* on held-out rows after recovery; NaN without data */
    struct {
        const char *name;
        double rel_l2, seconds;
    } stages[8];
    int n_stages;
} outcome;

/* Checks the options, folds, finds groups, reads filters and collects statistics. self->ctx, graph, data
 * and options are set by the caller. Free with job_free, also after a failure.
 * Errors: those of coset_compress. */
COSET_MUST_USE coset_status job_prepare(job *self);
void job_free(job *self);

/* Follows the rule of the options: best->plan, ->graph and ->stages are set, ->reached tells whether the
 * target was met. Free with outcome_free. */
COSET_MUST_USE coset_status job_follow(job *self, outcome *best);
/* Applies at->plan and recovers what that cost. */
COSET_MUST_USE coset_status job_carry_out(job *self, outcome *at);
void outcome_free(coset_ctx *ctx, outcome *self);

#endif
