/* Integration of initial value problems: SUNDIALS CVODES behind our names. */
#ifndef COSET_ODE_INTEGRATE_H
#define COSET_ODE_INTEGRATE_H

#include "ode/system.h"

/* Order must match coset_ode_method. */
typedef enum integrate_method {
    INTEGRATE_BDF,  /* backward differentiation, stiff systems */
    INTEGRATE_ADAMS /* Adams-Moulton with fixed-point iteration, smooth systems that are not stiff */
} integrate_method;

typedef struct integrate_options {
    integrate_method method;
    double rtol, atol; /* > 0; atol in units of the variables */
    int64_t max_steps; /* between two output times */
} integrate_options;

#define INTEGRATE_OPTIONS_INIT                                                                     \
    {                                                                                              \
        INTEGRATE_BDF, 1e-8, 1e-10, 1000000                                                        \
    }

/* Any smooth right-hand side. Returns false where it is not defined; the step is then tried shorter. */
typedef struct ode_flow {
    int64_t n;
    bool (*slope)(void *user, double t, const double *x, double *slope_out);
    /* Dense Jacobian, df_i/dx_j at [i n + j], zeroed on entry; NULL: differences. */
    bool (*jacobian)(void *user, double t, const double *x, double *jacobian_out);
    /* J v; NULL: differences. Used instead of the dense one beyond INTEGRATE_MAX_DENSE variables. */
    bool (*jacobian_times)(void *user, double t, const double *x, const double *v, double *out);
    void *user;
} ode_flow;

enum { INTEGRATE_MAX_DENSE = 1024 };

/* x at the given times.
 *   initial   [n], x at times[0]; borrowed
 *   times     [n_times] strictly ascending; borrowed
 *   out       (n_times, n) f64 written, row 0 is `initial`
 *   progress  stage name for ctx_progress; NULL: silent
 * BDF solves with LU up to INTEGRATE_MAX_DENSE variables and with GMRES beyond.
 * Errors: COSET_ENUMERIC "stage: at t = ...: what CVODES says" (too many steps, blow-up);
 * COSET_EARGUMENT for options; COSET_EMEMORY. SUNDIALS prints nothing. */
COSET_MUST_USE coset_status integrate_flow(coset_ctx *ctx, const ode_flow *flow,
                                           const double *initial, const double *times,
                                           int64_t n_times, const integrate_options *options,
                                           const char *progress, double *out);

/* The same for a polynomial system, with its own initial values (`initial` NULL) or others. */
COSET_MUST_USE coset_status integrate_system(const ode_system *system, const double *initial,
                                             const double *times, int64_t n_times,
                                             const integrate_options *options, const char *progress,
                                             double *out);

/* The method that takes fewer operations from the given initial values to t_end > 0, so that many like
 * it can be integrated: both are run once and what they did is counted, which does not vary between runs.
 *   initial  [n]; NULL: the system's; borrowed
 * BDF if neither arrives. Errors: COSET_EARGUMENT for options; COSET_EMEMORY. */
COSET_MUST_USE coset_status integrate_choose(const ode_system *system, const double *initial,
                                             double t_end, const integrate_options *options,
                                             integrate_method *method_out);

/* x and S = dx/dp for the chosen symbols of a system, S(0) = 0, by the forward sensitivity analysis of
 * CVODES (staggered, errors of S controlled too).
 *   symbols   [n_chosen] indices in [0, n_symbols); borrowed
 *   at        called at every output time, t ascending, with x [n] and sensitivity (n_chosen, n),
 *             lent for the call; a status other than COSET_OK ends the integration with it */
typedef coset_status (*integrate_sensitivity_fn)(void *user, double t, const double *x,
                                                 const double *sensitivity);
COSET_MUST_USE coset_status integrate_sensitivity(const ode_system *system, const double *values,
                                                  const int64_t *symbols, int64_t n_chosen,
                                                  const double *times, int64_t n_times,
                                                  const integrate_options *options,
                                                  const char *progress, integrate_sensitivity_fn at,
                                                  void *user);

#endif
