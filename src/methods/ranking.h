/* Paths of methods that rank units by a score. */
#ifndef COSET_METHODS_RANKING_H
#define COSET_METHODS_RANKING_H

#include "methods/method.h"

/* Path that drops units by ascending score, ties by descending index. There is no estimate of an error: budgets
 * are shared out by one height (CUT_BY_HEIGHT) or one share (CUT_BY_SHARE), as the method configures.
 *   score  [n] >= 0, finite; copied into the path
 * Height of a step = score of the unit that goes, relative to the mean score of the group: layers whose scores are
 * of different sizes are ranked together. Errors: COSET_EMEMORY; COSET_ENUMERIC naming a unit whose score is not
 * finite. */
COSET_MUST_USE coset_status ranking_path(coset_ctx *ctx, const char *method, const double *score,
                                         int64_t n, path **path_out);

#endif
