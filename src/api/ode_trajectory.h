/* Columns over time, and the files that hold them. */
#ifndef COSET_API_ODE_TRAJECTORY_H
#define COSET_API_ODE_TRAJECTORY_H

#include <coset/ode.h>

#include "base/arena.h"

struct coset_trajectory {
    arena arena;       /* of names */
    const char *title; /* of plots */
    int64_t n_times, n_columns;
    double *times;      /* [n_times] */
    double *values;     /* (n_times, n_columns) */
    const char **names; /* [n_columns] */
    int64_t
        *beside; /* [n_columns] the column that this one is the reduced system's answer to; -1 */
};

/* Room for columns without names and values; beside is -1. title and times are copied. */
COSET_MUST_USE coset_status trajectory_new(coset_ctx *ctx, const char *title, const double *times,
                                           int64_t n_times, int64_t n_columns,
                                           coset_trajectory **trajectory_out);
/* Names a column "name" or "name.reduced". */
COSET_MUST_USE coset_status trajectory_name(coset_ctx *ctx, coset_trajectory *self, int64_t column,
                                            const char *name, bool reduced);
/* Errors: COSET_ENUMERIC naming the first column and time of a value that is not finite. */
COSET_MUST_USE coset_status trajectory_check(coset_ctx *ctx, const coset_trajectory *self);

#endif
