#include "recover/refit.h"

#include <math.h>
#include <string.h>

#include "linalg/blas.h"
#include "linalg/solve.h"

/* Ten steps: networks with many silent units (mnist-net_256x4) still gain from the last of them. */
enum { MAJORISATION_STEPS = 10 };

typedef struct fit {
    coset_ctx *ctx;
    const refit_problem *of;
    int64_t rows;
    double *x;            /* (rows, n_in) centred if there is a bias */
    double *mean;         /* [n_in] of x, zero without a bias */
    double *gram;         /* (n_in, n_in) E x x^T */
    double *inverse;      /* (n_in, n_in) of gram + ridge: the ridge keeps it well conditioned */
    double *guess, *goal; /* (rows, n_out) */
    double *right, *solution; /* (n_in, n_out) each */
    double *weight, *bias;    /* result */
} fit;

static void fit_free(fit *self)
{
    ctx_free(self->ctx, self->x);
    ctx_free(self->ctx, self->mean);
    ctx_free(self->ctx, self->gram);
    ctx_free(self->ctx, self->inverse);
    ctx_free(self->ctx, self->solution);
    ctx_free(self->ctx, self->guess);
    ctx_free(self->ctx, self->goal);
    ctx_free(self->ctx, self->right);
    ctx_free(self->ctx, self->weight);
    ctx_free(self->ctx, self->bias);
}

static double offset_at(const refit_problem *of, int64_t row, int64_t output)
{
    return of->offset != NULL ? (double)of->offset[row * of->y_stride + output] : 0;
}

static coset_status fit_new(coset_ctx *ctx, const refit_problem *of, fit *fit_out)
{
    coset_status status = COSET_OK;
    int64_t k = of->n_in, q = of->n_out;
    fit self = {.ctx = ctx, .of = of, .rows = of->rows};
    TRY(ctx_alloc_raw(ctx, self.rows * k, sizeof *self.x, &self.x));
    TRY(ctx_alloc(ctx, k, sizeof *self.mean, &self.mean));
    TRY(ctx_alloc(ctx, k * k, sizeof *self.gram, &self.gram));
    TRY(ctx_alloc_raw(ctx, self.rows * q, sizeof *self.guess, &self.guess));
    TRY(ctx_alloc_raw(ctx, self.rows * q, sizeof *self.goal, &self.goal));
    TRY(ctx_alloc_raw(ctx, k * q, sizeof *self.right, &self.right));
    TRY(ctx_alloc_raw(ctx, k * q, sizeof *self.solution, &self.solution));
    TRY(ctx_alloc(ctx, k * k, sizeof *self.inverse, &self.inverse));
    TRY(ctx_alloc(ctx, q * k, sizeof *self.weight, &self.weight));
    TRY(ctx_alloc(ctx, q, sizeof *self.bias, &self.bias));
    for (int64_t r = 0; r < self.rows; r++)
        for (int64_t j = 0; j < k; j++) self.x[r * k + j] = (double)of->x[r * of->x_stride + j];
    for (int64_t r = 0; r < self.rows; r++)
        for (int64_t o = 0; o < q; o++)
            self.goal[r * q + o] = (double)of->y[r * of->y_stride + o] - offset_at(of, r, o);
    if (of->bias != NULL && self.rows > 0) {
        for (int64_t r = 0; r < self.rows; r++)
            for (int64_t j = 0; j < k; j++) self.mean[j] += self.x[r * k + j];
        for (int64_t j = 0; j < k; j++) self.mean[j] /= (double)self.rows;
        for (int64_t r = 0; r < self.rows; r++)
            for (int64_t j = 0; j < k; j++) self.x[r * k + j] -= self.mean[j];
    }
    double share = self.rows > 0 ? 1 / (double)self.rows : 0;
    gemm_f64(ctx, true, false, k, k, self.rows, share, self.x, k, self.x, k, 0, self.gram, k);
    *fit_out = self;
    return COSET_OK;
done:
    fit_free(&self);
    *fit_out = (fit){.ctx = ctx};
    return status;
}

/* Weights and bias for given targets: least squares with a ridge towards the given weights. */
static void solve_for(fit *self, const double *goal, double ridge)
{
    const refit_problem *of = self->of;
    int64_t k = of->n_in, q = of->n_out;
    double trace = 0, share = 1 / (double)self->rows;
    for (int64_t j = 0; j < k; j++) trace += self->gram[j * k + j];
    double pull = ridge * trace / (double)k;
    /* x is centred, so the mean of the goal drops out. */
    gemm_f64(self->ctx, true, false, k, q, self->rows, share, self->x, k, goal, q, 0, self->right,
             q);
    for (int64_t j = 0; j < k; j++)
        for (int64_t o = 0; o < q; o++) self->right[j * q + o] += pull * of->weight[o * k + j];
    gemm_f64(self->ctx, false, false, k, q, k, 1, self->inverse, k, self->right, q, 0,
             self->solution, q);
    for (int64_t o = 0; o < q; o++) {
        double mean = 0;
        for (int64_t r = 0; r < self->rows; r++) mean += goal[r * q + o];
        self->bias[o] = of->bias != NULL ? mean * share : 0;
        for (int64_t j = 0; j < k; j++) {
            self->weight[o * k + j] = self->solution[j * q + o];
            self->bias[o] -= self->weight[o * k + j] * self->mean[j];
        }
        if (of->bias == NULL) self->bias[o] = 0;
    }
}

static double activate(const refit_problem *of, double z)
{
    switch (of->function) {
    case UNIT_RELU: return z > 0 ? z : (double)of->leak * z;
    case UNIT_ODD: return tanh(z);
    case UNIT_LOGISTIC: return 1 / (1 + exp(-z));
    case UNIT_IDENTITY:
    case UNIT_OTHER: break;
    }
    return z;
}

/* The target that majorises |s(y) - s(guess)|^2 at the guess. */
static double majorise(const refit_problem *of, double y, double guess)
{
    double h = 0, low = 0;
    switch (of->function) {
    case UNIT_RELU:
        if (y > 0) return y;
        low = fmin(guess, 0);
        return low + (double)of->leak * (y - low);
    case UNIT_ODD: h = tanh(guess); return guess + (1 - h * h) * (tanh(y) - h);
    case UNIT_LOGISTIC:
        h = activate(of, guess); /* slope h (1 - h) <= 1/4, its square <= 1/16 */
        return guess + 16 * h * (1 - h) * (activate(of, y) - h);
    case UNIT_IDENTITY:
    case UNIT_OTHER: break;
    }
    return y;
}

/* weight, bias applied to raw rows: guess (rows, n_out). */
static void predict(coset_ctx *ctx, const refit_problem *of, const double *x, int64_t rows,
                    const double *weight, const double *bias, double *guess)
{
    int64_t k = of->n_in, q = of->n_out;
    gemm_f64(ctx, false, true, rows, q, k, 1, x, k, weight, k, 0, guess, q);
    for (int64_t r = 0; r < rows && bias != NULL; r++)
        for (int64_t o = 0; o < q; o++) guess[r * q + o] += bias[o];
}

static coset_status run_fit(fit *self, double ridge)
{
    coset_status status = COSET_OK;
    const refit_problem *of = self->of;
    int64_t q = of->n_out;
    double *shifted = NULL;
    for (int64_t j = 0; j < of->n_in; j++) self->inverse[j * of->n_in + j] = 1;
    TRY(solve_ridge(self->ctx, self->gram, self->inverse, of->n_in, of->n_in, ridge,
                    self->inverse));
    solve_for(self, self->goal, ridge);
    if (of->function == UNIT_OTHER || of->function == UNIT_IDENTITY) goto done;
    TRY(ctx_alloc(self->ctx, q, sizeof *shifted, &shifted));
    for (int step = 0; step < MAJORISATION_STEPS; step++) {
        for (int64_t o = 0; o < q; o++) { /* x is centred: put its mean back through the bias */
            shifted[o] = self->bias[o];
            for (int64_t j = 0; j < of->n_in; j++)
                shifted[o] += self->weight[o * of->n_in + j] * self->mean[j];
        }
        predict(self->ctx, of, self->x, self->rows, self->weight, shifted, self->guess);
        for (int64_t r = 0; r < self->rows; r++)
            for (int64_t o = 0; o < q; o++) {
                double offset = offset_at(of, r, o), y = (double)of->y[r * of->y_stride + o];
                self->goal[r * q + o] = majorise(of, y, self->guess[r * q + o] + offset) - offset;
            }
        solve_for(self, self->goal, ridge);
    }
done:
    ctx_free(self->ctx, shifted);
    return status;
}

coset_status refit(coset_ctx *ctx, const refit_problem *problem, double ridge, double *weight_out,
                   double *bias_out)
{
    coset_status status = COSET_OK;
    fit self = {.ctx = ctx};
    TRY(fit_new(ctx, problem, &self));
    TRY(run_fit(&self, ridge));
    memcpy(weight_out, self.weight, (size_t)(problem->n_out * problem->n_in) * sizeof *weight_out);
    if (problem->bias != NULL)
        memcpy(bias_out, self.bias, (size_t)problem->n_out * sizeof *bias_out);
done:
    fit_free(&self);
    return status;
}
