/* One CVODES run and all that it owns; for integrate.c and sensitivity.c. */
#ifndef COSET_ODE_CVODE_H
#define COSET_ODE_CVODE_H

#include <nvector/nvector_serial.h>
#include <sundials/sundials_linearsolver.h>
#include <sundials/sundials_matrix.h>
#include <sundials/sundials_nonlinearsolver.h>

#include "ode/integrate.h"

enum { CVODE_SAID = 512 };

/* Zero-initialised is closed. It must not move while it is open: SUNDIALS keeps its address. */
typedef struct cvode {
    coset_ctx *ctx;
    ode_flow flow;
    integrate_method method;
    int64_t max_steps;
    const char *stage;
    double t; /* what was reached */
    SUNContext context;
    N_Vector x; /* wraps the state */
    void *memory;
    SUNMatrix matrix;
    SUNLinearSolver linear;
    SUNNonlinearSolver nonlinear, sensitivities; /* NULL: Newton's, which CVODES owns */
    double *jacobian;      /* [n, n] as flow.jacobian writes it; NULL: not used */
    char said[CVODE_SAID]; /* the last error of SUNDIALS */
    bool not_finite;       /* the flow refused the last point */
    int standing;          /* steps so far that were too short to move t */
} cvode;

/* Checks options, times and initial values, for whoever starts a run. */
COSET_MUST_USE coset_status integrate_check(coset_ctx *ctx, const integrate_options *options,
                                            const double *times, int64_t n_times,
                                            const double *initial, int64_t n, const char *stage);

/* Prepares a run from times[0] to times[n_times - 1] > times[0].
 *   state  [n >= 1] holds x at times[0], afterwards what cvode_advance reaches; borrowed
 *   stage  names the run in errors; borrowed
 * Close with cvode_close, also after a failure. */
COSET_MUST_USE coset_status cvode_open(cvode *self, coset_ctx *ctx, const ode_flow *flow,
                                       double *state, const double *times, int64_t n_times,
                                       const integrate_options *options, const char *stage);
void cvode_close(cvode *self);

/* Errors: COSET_EMEMORY if SUNDIALS could not have that many vectors [n] and matrices [n, n];
 * COSET_ELIMIT. */
COSET_MUST_USE coset_status cvode_expect_memory(cvode *self, int64_t vectors, int64_t matrices);

/* Brings the state to a later time. Errors: COSET_ENUMERIC with the time that was reached. */
COSET_MUST_USE coset_status cvode_advance(cvode *self, double t);

/* Operations so far, about, for a flow of that many terms: slopes, Jacobians, factorisations, solves. */
double cvode_work(const cvode *self, double terms);
/* Those of a step with n variables, without slopes and solves. */
double cvode_step_work(integrate_method method, double n);

/* The failure that a flag < 0 of SUNDIALS means, with its own words. */
COSET_MUST_USE coset_status cvode_failure(cvode *self, int flag);

/* Runs a call of CVODES that returns such a flag; for functions with `self`. */
#define CVODE_TRY(call)                                                                            \
    do {                                                                                           \
        int flag_ = (call);                                                                        \
        if (flag_ < 0) {                                                                           \
            status = cvode_failure(self, flag_);                                                   \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

#endif
