/* Pairs of a state and what follows it, along trajectories of a system. */
#ifndef COSET_API_ODE_PAIRS_H
#define COSET_API_ODE_PAIRS_H

#include <coset/ode.h>

#include "ode/integrate.h"

/* What coset_ode_dataset is asked for, worked out. Zero-initialised is empty. */
typedef struct pair_plan {
    coset_ctx *ctx;
    const ode_system *system; /* numeric; NULL: yeast glycolysis; borrowed */
    int64_t n, trajectories, pairs;
    double dt, t_end;
    bool derivative;
    double *low, *high; /* [n] range of the initial values; the same where x_i' = 0 for ever */
    double *times;      /* [n_times] ascending from 0 */
    int64_t n_times;
    int64_t *from, *to; /* [pairs] indices of times */
    integrate_options integrate;
} pair_plan;

/*   system  borrowed by the plan; NULL: yeast glycolysis
 *   t_end   of the model's file; NaN: none
 * Errors: COSET_EARGUMENT for options; COSET_ELIMIT; COSET_EMEMORY; COSET_ENUMERIC if the system's own
 * trajectory is needed and cannot be had. Free with pair_plan_free, also after a failure. */
COSET_MUST_USE coset_status pair_plan_make(pair_plan *self, coset_ctx *ctx,
                                           const ode_system *system, double t_end,
                                           const coset_ode_dataset_options *options);
void pair_plan_free(pair_plan *self);

/* All pairs.
 *   x, y  (trajectories * pairs, n) f64 written, the pairs of a trajectory one after the other; y is
 *         the state dt later, or the derivative
 * Every trajectory has its own stream of the seed: nothing depends on the number of threads.
 * Errors: as integrate, with the number of the first trajectory that failed. */
COSET_MUST_USE coset_status pair_plan_run(const pair_plan *self, double *x, double *y);

#endif
