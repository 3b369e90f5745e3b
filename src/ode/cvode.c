#include "ode/cvode.h"

#include <cvodes/cvodes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sunlinsol/sunlinsol_dense.h>
#include <sunlinsol/sunlinsol_spgmr.h>
#include <sunmatrix/sunmatrix_dense.h>
#include <sunnonlinsol/sunnonlinsol_fixedpoint.h>

#include "base/size.h"

/* Of history (order 12 and more of Adams), of GMRES and to work with, at most. */
enum { VECTORS = 64 };
/* Krylov vectors of GMRES: without a preconditioner the 5 that CVODES takes by itself are few. */
enum { KRYLOV = 20 };
/* Steps that leave t as it is, near which a solution blows up; the first of a run may be such steps. */
enum { MAX_STANDING = 100 };
/* Below this CVODES rounds away the error that it should control. */
#define LEAST_RTOL 1e-14

/* ---- what SUNDIALS calls ----------------------------------------------------------------------- */

static bool all_finite(const double *values, int64_t n)
{
    /* A sum is finite only if all of it is; the opposite (overflow of finite numbers) is looked at. */
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += values[i];
    if (isfinite(sum)) return true;
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* A positive result asks for a shorter step, a negative one ends the run. */
static int slope_at(realtype t, N_Vector x, N_Vector slope, void *user)
{
    cvode *self = user;
    if (self->standing >= MAX_STANDING) return -1;
    double *out = N_VGetArrayPointer(slope);
    self->not_finite = !self->flow.slope(self->flow.user, t, N_VGetArrayPointer(x), out) ||
                       !all_finite(out, self->flow.n);
    return self->not_finite ? 1 : 0;
}

static int jacobian_at(realtype t, N_Vector x, N_Vector slope, SUNMatrix matrix, void *user,
                       N_Vector a, N_Vector b, N_Vector c)
{
    (void)slope, (void)a, (void)b, (void)c;
    cvode *self = user;
    int64_t n = self->flow.n;
    memset(self->jacobian, 0, (size_t)n * (size_t)n * sizeof *self->jacobian);
    self->not_finite =
        !self->flow.jacobian(self->flow.user, t, N_VGetArrayPointer(x), self->jacobian) ||
        !all_finite(self->jacobian, n * n);
    if (self->not_finite) return 1;
    for (int64_t j = 0; j < n; j++) {
        double *column = SUNDenseMatrix_Column(matrix, j);
        for (int64_t i = 0; i < n; i++) column[i] = self->jacobian[i * n + j];
    }
    return 0;
}

static int jacobian_times(N_Vector v, N_Vector out, realtype t, N_Vector x, N_Vector slope,
                          void *user, N_Vector spare)
{
    (void)slope, (void)spare;
    cvode *self = user;
    double *result = N_VGetArrayPointer(out);
    self->not_finite = !self->flow.jacobian_times(self->flow.user, t, N_VGetArrayPointer(x),
                                                  N_VGetArrayPointer(v), result) ||
                       !all_finite(result, self->flow.n);
    return self->not_finite ? 1 : 0;
}

/* Keeps the first error of a call: later ones are its consequences. The only warning that CVODES has
 * is of a step that is lost in the rounding of t. */
static void keep_error(int code, const char *module, const char *function, char *text, void *user)
{
    (void)module, (void)function;
    cvode *self = user;
    if (code == CV_WARNING) self->standing++;
    if (code < 0 && self->said[0] == 0) snprintf(self->said, sizeof self->said, "%s", text);
}

/* ---- errors ------------------------------------------------------------------------------------ */

static bool is_memory(int flag)
{
    return flag == CV_MEM_FAIL || flag == CV_MEM_NULL;
}

/* What a flag means for somebody who does not know CVODES. */
static const char *meaning(const cvode *self, int flag)
{
    switch (flag) {
    case CV_TOO_MUCH_WORK: return "too many steps";
    case CV_TOO_MUCH_ACC: return "rtol asks for more digits than a number has";
    case CV_TOO_CLOSE: return "two output times are too close to each other";
    case CV_FIRST_RHSFUNC_ERR: return "the slope is not finite at the initial values";
    default:
        if (self->standing >= MAX_STANDING)
            return "time stands still, the solution grows without bound";
        if (self->not_finite)
            return "slopes are not finite however short the step, the solution may grow without bound";
        if (flag == CV_ILL_INPUT) return "output times are too close to each other";
        return "no step is short enough, the solution jumps or grows without bound";
    }
}

coset_status cvode_failure(cvode *self, int flag)
{
    if (is_memory(flag))
        return ctx_fail(self->ctx, COSET_EMEMORY, "%s: out of memory for %lld variables",
                        self->stage, (long long)self->flow.n);
    double reached = self->t;
    if (self->memory != NULL) CVodeGetCurrentTime(self->memory, &reached);
    return ctx_fail(self->ctx, COSET_ENUMERIC, "%s: at t = %.6g: %s (CVODES: %s)", self->stage,
                    reached, meaning(self, flag), self->said[0] != 0 ? self->said : "no message");
}

static coset_status out_of_memory(cvode *self)
{
    return cvode_failure(self, CV_MEM_FAIL);
}

static coset_status check_options(coset_ctx *ctx, const integrate_options *options)
{
    if (options->method != INTEGRATE_BDF && options->method != INTEGRATE_ADAMS)
        return ctx_fail(ctx, COSET_EARGUMENT, "unknown integration method %d",
                        (int)options->method);
    if (!(options->rtol >= LEAST_RTOL && options->rtol < 1))
        return ctx_fail(ctx, COSET_EARGUMENT, "rtol is %g; it must be from %g to below 1",
                        options->rtol, LEAST_RTOL);
    if (!(options->atol > 0 && isfinite(options->atol)))
        return ctx_fail(ctx, COSET_EARGUMENT, "atol is %g; it must be over 0", options->atol);
    if (options->max_steps < 1)
        return ctx_fail(ctx, COSET_EARGUMENT, "the limit of steps is %lld; it must be over 0",
                        (long long)options->max_steps);
    return COSET_OK;
}

coset_status integrate_check(coset_ctx *ctx, const integrate_options *options, const double *times,
                             int64_t n_times, const double *initial, int64_t n, const char *stage)
{
    coset_status status = COSET_OK;
    TRY(check_options(ctx, options));
    if (n_times < 1) FAIL(ctx, COSET_EARGUMENT, "%s: there are no output times", stage);
    for (int64_t k = 0; k < n_times; k++)
        if (!isfinite(times[k]) || (k > 0 && !(times[k] > times[k - 1])))
            FAIL(ctx, COSET_EARGUMENT,
                 "%s: output time %lld is %.17g; times must be finite and ascend", stage,
                 (long long)k, times[k]);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(initial[i]))
            FAIL(ctx, COSET_ENUMERIC, "%s: initial value of variable %lld is not finite", stage,
                 (long long)i);
done:
    return status;
}

/* SUNDIALS 6 does not look at all of its allocations, so what it will need as a whole is asked for first:
 * a system that is too large for the memory is refused instead of ending the process. */
coset_status cvode_expect_memory(cvode *self, int64_t vectors, int64_t matrices)
{
    coset_status status = COSET_OK;
    int64_t n = self->flow.n, numbers = 0, square = 0;
    void *memory = NULL;
    if (!dim_mul(n, vectors, &numbers) || !dim_mul(n, n, &square) ||
        !dim_mul(square, matrices, &square) || !dim_add(numbers, square, &numbers))
        FAIL(self->ctx, COSET_ELIMIT, "%s: %lld variables are too many", self->stage, (long long)n);
    TRY(ctx_alloc_raw(self->ctx, numbers, sizeof(double), &memory));
done:
    ctx_free(self->ctx, memory);
    return status;
}

/* ---- a run ------------------------------------------------------------------------------------- */

/* Newton with LU of the dense matrix, of ours or of differences. */
static coset_status open_dense(cvode *self)
{
    coset_status status = COSET_OK;
    int64_t n = self->flow.n;
    self->matrix = SUNDenseMatrix(n, n, self->context);
    if (self->matrix != NULL) self->linear = SUNLinSol_Dense(self->x, self->matrix, self->context);
    if (self->linear == NULL) return out_of_memory(self);
    CVODE_TRY(CVodeSetLinearSolver(self->memory, self->linear, self->matrix));
    if (self->flow.jacobian == NULL) goto done;
    TRY(ctx_alloc_raw(self->ctx, n * n, sizeof *self->jacobian, &self->jacobian));
    CVODE_TRY(CVodeSetJacFn(self->memory, jacobian_at));
done:
    return status;
}

static coset_status open_krylov(cvode *self)
{
    coset_status status = COSET_OK;
    self->linear = SUNLinSol_SPGMR(self->x, SUN_PREC_NONE, KRYLOV, self->context);
    if (self->linear == NULL) return out_of_memory(self);
    CVODE_TRY(CVodeSetLinearSolver(self->memory, self->linear, NULL));
    if (self->flow.jacobian_times != NULL)
        CVODE_TRY(CVodeSetJacTimes(self->memory, NULL, jacobian_times));
done:
    return status;
}

static coset_status open_fixed_point(cvode *self)
{
    coset_status status = COSET_OK;
    self->nonlinear = SUNNonlinSol_FixedPoint(self->x, 0, self->context);
    if (self->nonlinear == NULL) return out_of_memory(self);
    CVODE_TRY(CVodeSetNonlinearSolver(self->memory, self->nonlinear));
done:
    return status;
}

coset_status cvode_open(cvode *self, coset_ctx *ctx, const ode_flow *flow, double *state,
                        const double *times, int64_t n_times, const integrate_options *options,
                        const char *stage)
{
    coset_status status = COSET_OK;
    *self = (cvode){.ctx = ctx, .flow = *flow, .method = options->method, .stage = stage};
    self->max_steps = options->max_steps;
    self->t = times[0];
    bool stiff = options->method == INTEGRATE_BDF;
    bool dense = stiff && flow->n <= INTEGRATE_MAX_DENSE;
    TRY(cvode_expect_memory(self, VECTORS, dense ? 3 : 0));
    if (SUNContext_Create(NULL, &self->context) != 0) return out_of_memory(self);
    self->x = N_VMake_Serial(flow->n, state, self->context);
    if (self->x == NULL) return out_of_memory(self);
    self->memory = CVodeCreate(stiff ? CV_BDF : CV_ADAMS, self->context);
    if (self->memory == NULL) return out_of_memory(self);
    CVODE_TRY(CVodeSetErrHandlerFn(self->memory, keep_error, self));
    CVODE_TRY(CVodeInit(self->memory, slope_at, times[0], self->x));
    CVODE_TRY(CVodeSetUserData(self->memory, self));
    CVODE_TRY(CVodeSStolerances(self->memory, options->rtol, options->atol));
    CVODE_TRY(CVodeSetMaxNumSteps(self->memory, (long)options->max_steps));
    CVODE_TRY(CVodeSetMaxHnilWarns(self->memory, MAX_STANDING + 1));
    /* The system need not be defined behind the last time. */
    CVODE_TRY(CVodeSetStopTime(self->memory, times[n_times - 1]));
    if (!stiff)
        TRY(open_fixed_point(self));
    else if (dense)
        TRY(open_dense(self));
    else
        TRY(open_krylov(self));
done:
    return status;
}

void cvode_close(cvode *self)
{
    if (self->memory != NULL) CVodeFree(&self->memory);
    if (self->sensitivities != NULL) SUNNonlinSolFree(self->sensitivities);
    if (self->nonlinear != NULL) SUNNonlinSolFree(self->nonlinear);
    if (self->linear != NULL) SUNLinSolFree(self->linear);
    if (self->matrix != NULL) SUNMatDestroy(self->matrix);
    if (self->x != NULL) N_VDestroy(self->x);
    if (self->context != NULL) SUNContext_Free(&self->context);
    if (self->ctx != NULL) ctx_free(self->ctx, self->jacobian);
    *self = (cvode){0};
}

coset_status cvode_advance(cvode *self, double t)
{
    self->said[0] = 0;
    int flag = CVode(self->memory, t, self->x, &self->t, CV_NORMAL);
    if (flag < 0) return cvode_failure(self, flag);
    if (all_finite(N_VGetArrayPointer(self->x), self->flow.n)) return COSET_OK;
    return ctx_fail(self->ctx, COSET_ENUMERIC, "%s: at t = %.6g: the solution is not finite",
                    self->stage, self->t);
}

/* A term costs about 4 operations in the slope and 8 in the Jacobian, which are read from memory. A step
 * of order q updates q vectors about q times: q is up to 5 (BDF) or 12 (Adams). */
double cvode_step_work(integrate_method method, double n)
{
    return (method == INTEGRATE_BDF ? 40 : 120) * n;
}

double cvode_work(const cvode *self, double terms)
{
    long steps = 0, slopes = 0, iterations = 0, setups = 0, jacobians = 0, linear = 0, extra = 0;
    const double n = (double)self->flow.n;
    CVodeGetNumSteps(self->memory, &steps);
    CVodeGetNumRhsEvals(self->memory, &slopes);
    double work = 4 * terms * (double)slopes + cvode_step_work(self->method, n) * (double)steps;
    if (self->linear == NULL) return work;
    CVodeGetNumNonlinSolvIters(self->memory, &iterations);
    CVodeGetNumLinSolvSetups(self->memory, &setups);
    CVodeGetNumJacEvals(self->memory, &jacobians);
    CVodeGetNumLinIters(self->memory, &linear);
    CVodeGetNumLinRhsEvals(self->memory, &extra);
    work += 4 * terms * (double)extra;
    if (self->matrix == NULL) return work + (8 * terms + KRYLOV * n) * (double)linear;
    work += (8 * terms + 2 * n * n) * (double)jacobians;
    return work + n * n * n / 3 * (double)setups + n * n * (double)iterations;
}
