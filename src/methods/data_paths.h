/* Paths of the methods that see the data, which `auto` chooses between. */
#ifndef COSET_METHODS_DATA_PATHS_H
#define COSET_METHODS_DATA_PATHS_H

#include "lump/bypass.h"
#include "methods/method.h"

/* Forward selection with a ridge relative to the mean variance. */
COSET_MUST_USE coset_status select_path(const method_call *call, int64_t group, double ridge,
                                        path **path_out);
/* The same on moments that the caller has; their covariances are scratch. */
COSET_MUST_USE coset_status select_among(const method_call *call, group_sites *sites, double ridge,
                                         path **path_out);
/* Ward clustering of units as functions of the data, weighted by what they cost at the output. */
COSET_MUST_USE coset_status merge_path(const method_call *call, int64_t group, bool canonical,
                                       path **path_out);
/* Units replaced by lines of their pre-activations, least squares; needs CALIBRATION_PAIRS. Widths count the line past
 * the group (path->stays), so that they and their errors can be compared with those of the others.
 * Errors are those after recovery where CALIBRATION_SKIPS says what can be had from x: readers refitted to x and the
 * kept units, which are selected for what x leaves of the others (with `ridge`, as select_path).
 * *path_out NULL: the group has no line. Errors: COSET_EARGUMENT if nothing is known of the pre-activations. */
COSET_MUST_USE coset_status bypass_path(const method_call *call, int64_t group,
                                        const bypass_lines *lines, double ridge, path **path_out);

#endif
