/* Paths of methods that rank units by a score. */
#ifndef COSET_METHODS_RANKING_H
#define COSET_METHODS_RANKING_H

#include "methods/method.h"

/* Path that drops units by ascending score, ties by descending index.
 *   score    [n] >= 0; borrowed
 *   uniform  error[k] = units dropped / units kept, so that a budget keeps about the same share
 *            everywhere; otherwise squared scores dropped / kept. Both grow without bound as a group
 *            empties: sums of bounded errors would rather empty one group than narrow all.
 * Height of a step = score of the unit that goes, relative to the mean score. */
COSET_MUST_USE coset_status ranking_path(coset_ctx *ctx, const char *method, const double *score,
                                         int64_t n, bool uniform, path **path_out);

#endif
