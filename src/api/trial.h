/* Trials: one method at work on a subject until its rule is met, and what that gave. */
#ifndef COSET_API_TRIAL_H
#define COSET_API_TRIAL_H

#include "api/job.h"
#include "methods/search.h"

/* A turn of a method, or a plan that was given. */
typedef struct turn {
    job *job;
    const step *step;         /* the method; NULL: a plan was given */
    const subject *on;        /* what is cut */
    subject own;              /* `on`, where it is not the original */
    method_call *calls;       /* [step->n_variants] */
    search **paths;           /* [step->n_variants] */
    const coset_plan *before; /* what turns before did to the original's units; NULL: nothing */
    bool probed;              /* the paths of the method's probed variant have been scaled */
    bool masked; /* a turn before set weights to zero, which must stay zero: nothing is refitted */
} turn;

/* Opens the turn of a method (NULL: of a plan) on a graph (NULL: the original).
 *   before, graph  borrowed for the turn's life
 * Closed with turn_close, also after a failure. Errors: those of job_open and search_new. */
COSET_MUST_USE coset_status turn_open(job *base, const step *of, const coset_graph *graph,
                                      const coset_plan *before, bool masked, turn *turn_out);
void turn_close(turn *self);

/* A plan carried out. */
typedef struct trial {
    coset_plan *plan;
    coset_plan *whole; /* it and all before it, for the original; NULL: nothing was before */
    coset_graph *graph;
    coset_graph
        *unfitted; /* before its layers were refitted; NULL: they were not, or to no avail */
    double ridge;  /* of the refit */
    bool reached;
    int variant;
    double rel_l2; /* from the original on held-out rows after recovery; NaN without data */
    struct {
        const char *name;
        double rel_l2, seconds;
    } stages[8];
    int n_stages;
} trial;

void trial_free(coset_ctx *ctx, trial *self);
/* Says how far the model is from the original after a stage that began at `start` (report_clock). */
void trial_add_stage(trial *self, const char *name, double rel_l2, double start);

/* Follows a rule (not MAX_DROP) with the best of the method's variants. PARAMS and MACS are shares of the
 * original model. best->reached tells whether the rule was met. Freed with trial_free, also after a failure. */
COSET_MUST_USE coset_status turn_follow(turn *self, coset_rule rule, double value, trial *best);
/* Lifts of all lumpings of a plan for the turn's subject, bypasses excepted: replaces lift and shift.
 * Errors: those of group_sites_lift. */
COSET_MUST_USE coset_status turn_lift(const turn *self, coset_plan *plan);
/* Applies at->plan and recovers what that cost. */
COSET_MUST_USE coset_status turn_carry_out(turn *self, trial *at);

#endif
