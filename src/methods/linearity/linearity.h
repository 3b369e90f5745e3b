/* What the parts of the method share: its settings, and the fits of all groups. */
#ifndef COSET_METHODS_LINEARITY_LINEARITY_H
#define COSET_METHODS_LINEARITY_LINEARITY_H

#include "lump/bypass.h"
#include "methods/linearity/activity.h"
#include "methods/linearity/bounds.h"
#include "methods/method.h"

typedef enum linearity_mode { LINEARITY_RATE, LINEARITY_PROVABLE, LINEARITY_AFFINE } linearity_mode;

/* The settings, in the order of the method's parameters. */
enum { LINEARITY_MODE, LINEARITY_TAU, LINEARITY_DEAD, LINEARITY_LOW, LINEARITY_HIGH };

/* Every unit leaves whose height is at most this, whatever the rule. */
double linearity_tolerance(const method_call *call);
/* Fits come with errors that say how units should be chosen. */
bool linearity_estimates(const method_call *call);

/* Two fits of one group that has a line, in the mode of the call: of the units that may leave by it, and of those that
 * may leave without one because they hardly vary.
 *   bounds  of all values; provable mode only
 * Errors: COSET_EARGUMENT without data where the mode needs it; COSET_EMEMORY. */
typedef struct linearity_fits {
    linear_fit *sloped, *still;
} linearity_fits;
COSET_MUST_USE coset_status linearity_fit(const method_call *call, const bypass_line *line,
                                          int64_t group, const value_bounds *bounds,
                                          linearity_fits *fits_out);
/* The same by the data, whatever the mode: by rates, or by least squares. */
COSET_MUST_USE coset_status linearity_fit_data(const method_call *call, bool by_rate, int64_t group,
                                               linearity_fits *fits_out);
void linearity_fits_free(coset_ctx *ctx, linearity_fits *self);
/* Bounds for the box of the call; NULL in other modes. Errors: COSET_EARGUMENT if it is empty; COSET_EMEMORY. */
COSET_MUST_USE coset_status linearity_bounds(const method_call *call, value_bounds **bounds_out);

/* Cuts by the greedy rule of METHODS.md section 6: coset_method's `cut`. */
COSET_MUST_USE coset_status linearity_cut(const method_call *call, const method_cut *wanted,
                                          coset_plan *plan, bool *reached_out);

#endif
