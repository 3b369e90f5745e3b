/* Cuts: one rule turns the paths of all groups into widths.   Source: METHODS.md section 1, "Cuts". */
#ifndef COSET_LUMP_CUT_H
#define COSET_LUMP_CUT_H

#include "lump/cost.h"
#include "lump/path.h"

/* How a budget is shared out between groups. */
typedef enum cut_allocation {
    CUT_BY_ERROR,  /* smallest total estimated error */
    CUT_BY_HEIGHT, /* one height for all paths, as small as the budget allows: a global ranking */
    CUT_BY_SHARE   /* one share of units for all groups, as large as the budget allows */
} cut_allocation;

/* What may be cut, and in which steps. */
typedef struct cut_space {
    int64_t n;                /* groups */
    const int64_t *units;     /* [n] */
    const path *const *paths; /* [n] NULL: the group stays whole */
    const cost_model *cost;
    const int64_t *steps; /* [n] widths are multiples of this, or the group's own; NULL: any */
    cut_allocation allocation;
} cut_space;

/* Nearest allowed width at or above / at or below `width` (at least 1 unit). */
int64_t cut_round_up(const cut_space *self, int64_t group, int64_t width);
int64_t cut_round_down(const cut_space *self, int64_t group, int64_t width);

/* widths [n] written. Every path cut at the same height. */
void cut_at_height(const cut_space *self, double eps, int64_t *widths);
/* round(share * units) in every group with a path. */
void cut_at_ratio(const cut_space *self, double share, int64_t *widths);
/* Widths with a cost of at most `budget`.
 *   CUT_BY_ERROR   smallest total estimated error: greedy on error per saved cost with look-ahead over the convex
 *                  hull of each path, then exchange passes
 *   CUT_BY_HEIGHT  cut_at_height with the smallest height that fits
 *   CUT_BY_SHARE   cut_at_ratio with the largest share that fits
 * What the last two leave of the budget, because widths are whole and steps tie, goes to steps at the very height
 * (share) that did not fit for all groups, and then to one step more for every group, those that come next first
 * and ties by the group's number.
 * *reached_out false if even the narrowest widths cost more (they are written then).
 * Errors: COSET_EMEMORY. Cost: O(sum of units * log) per pass. */
COSET_MUST_USE coset_status cut_to_budget(coset_ctx *ctx, const cut_space *self, cost_kind kind,
                                          int64_t budget, int64_t *widths, bool *reached_out);

#endif
