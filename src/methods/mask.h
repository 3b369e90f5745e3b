/* Masks: which single weights stay, from a method's scores. */
#ifndef COSET_METHODS_MASK_H
#define COSET_METHODS_MASK_H

#include "methods/method.h"

/* Fills plan->masks so that at most `keep_weights` of the contractions' weights stay (those with the
 * largest scores, ties by position); a pattern fixes the share by itself. share: the part of each
 * tensor or row that stays where the scope is not the model.
 * Errors: COSET_EMEMORY; those of the method. Cost: O(weights log weights). */
COSET_MUST_USE coset_status mask_cut(const coset_method *method, const method_call *call,
                                     const bool *allowed, int64_t keep_weights, double share,
                                     coset_plan *plan);
/* Every weight whose score is below eps times the mean score of its tensor goes. */
COSET_MUST_USE coset_status mask_cut_height(const coset_method *method, const method_call *call,
                                            const bool *allowed, double eps, coset_plan *plan);

#endif
