/* What compress found: all turns of all methods, one after the other. */
#ifndef COSET_API_OUTCOME_H
#define COSET_API_OUTCOME_H

#include "api/trial.h"

/* What one turn gave; its plan has the same place in the chain of plans. */
typedef struct turn_result {
    const step *step; /* NULL: a plan was given */
    int round;        /* 1 .. step->rounds */
    double value;     /* of the rule */
    bool refits;      /* false: weights that are zero had to stay so */
    coset_graph_size size;
    trial found; /* without plans and graph */
} turn_result;

typedef struct outcome {
    coset_plan *plan;  /* of the first turn; the others follow it */
    coset_plan *whole; /* what all turns together do to the original; NULL: there was just one */
    coset_graph *graph;
    coset_graph *unfitted; /* of the last turn, as in trial */
    double ridge;
    turn_result *turns;
    int64_t n;
    bool reached;
    bool masked; /* weights were set to zero */
} outcome;

void outcome_free(coset_ctx *ctx, outcome *self);
/* What happened to the groups of the original. */
const coset_plan *outcome_plan(const outcome *self);

/* Follows the rule of the options with the chain of methods. best->reached tells whether the target was met:
 * where every method has a value each of them, else the last. Freed with outcome_free, also after a failure. */
COSET_MUST_USE coset_status outcome_find(job *base, outcome *best);
/* Applies a plan and all that follow it, and recovers after each; takes the plan over.
 * Freed with outcome_free, also after a failure. */
COSET_MUST_USE coset_status outcome_apply(job *base, coset_plan *plan, outcome *self);

#endif
