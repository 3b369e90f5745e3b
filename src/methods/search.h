/* Finds the plan that a rule asks of a method. */
#ifndef COSET_METHODS_SEARCH_H
#define COSET_METHODS_SEARCH_H

#include "lump/cut.h"
#include "methods/method.h"

/* What is wanted of which groups. */
typedef struct search_request {
    const coset_method *method;
    const method_call *call;
    const cost_model *cost;
    const int64_t *steps;        /* [groups->n] widths are multiples of this; NULL: any */
    const bool *allowed;         /* [groups->n] may this group be cut */
    const bool *allowed_weights; /* [n_contractions] may its weights be masked */
} search_request;

/* State that several cuts of one method share: the paths, if they depend on nothing but the group. */
typedef struct search search;

/* Computes the paths of methods without a sweep or a cut of their own. The request's call, cost and lists are borrowed for
 * the life of the search. Errors: those of the method. */
COSET_MUST_USE coset_status search_new(const search_request *request, search **search_out);
void search_free(coset_ctx *ctx, search *self);

/* The path of a group, which the caller may scale (path_scale); NULL: the group is left alone, or its path depends on
 * cuts before it. Lent. */
path *search_path(search *self, int64_t group);

/* Fills an empty plan for a rule (not MAX_DROP).
 *   value   EPS: height; RATIO: share of units
 *   budget  PARAMS, MACS: cost that may not be exceeded
 * *reached_out: false if even the narrowest cut exceeds the budget.
 * Errors: COSET_EARGUMENT for a rule that the method cannot follow; those of the method.
 * Cost: one cut; for methods that sweep, one clustering of every group for each of about 30 trials. */
COSET_MUST_USE coset_status search_cut(search *self, coset_rule rule, double value, int64_t budget,
                                       coset_plan *plan, bool *reached_out);

#endif
