#include "recover/refit.h"

#include <math.h>
#include <string.h>

#include "linalg/blas.h"
#include "linalg/solve.h"

enum { HELD_OUT_EVERY = 4, MAJORISATION_STEPS = 10 };

static const double RIDGES[] = {1e-3, 1e-2, 1e-1};
enum { N_RIDGES = sizeof RIDGES / sizeof *RIDGES };

/* A fit on some of the rows. */
typedef struct fit {
    coset_ctx *ctx;
    const refit_problem *of;
    int64_t rows;
    double *x, *y;         /* (rows, n_in) centred if there is a bias; (rows, n_out) */
    double *mean;          /* [n_in] of x, zero without a bias */
    double *gram;          /* (n_in, n_in) E x x^T */
    double *guess, *goal;  /* (rows, n_out) */
    double *right;         /* (n_in, n_out) */
    double *weight, *bias; /* result */
} fit;

static void fit_free(fit *self)
{
    ctx_free(self->ctx, self->x);
    ctx_free(self->ctx, self->y);
    ctx_free(self->ctx, self->mean);
    ctx_free(self->ctx, self->gram);
    ctx_free(self->ctx, self->guess);
    ctx_free(self->ctx, self->goal);
    ctx_free(self->ctx, self->right);
    ctx_free(self->ctx, self->weight);
    ctx_free(self->ctx, self->bias);
}

static bool is_held_out(int64_t row)
{
    return row % HELD_OUT_EVERY == HELD_OUT_EVERY - 1;
}

/* held_out: leave every fourth row out. */
static coset_status fit_new(coset_ctx *ctx, const refit_problem *of, bool held_out, fit *fit_out)
{
    coset_status status = COSET_OK;
    int64_t k = of->n_in, q = of->n_out;
    fit self = {.ctx = ctx, .of = of};
    for (int64_t r = 0; r < of->rows; r++) self.rows += !(held_out && is_held_out(r));
    TRY(ctx_alloc_raw(ctx, self.rows * k, sizeof *self.x, &self.x));
    TRY(ctx_alloc_raw(ctx, self.rows * q, sizeof *self.y, &self.y));
    TRY(ctx_alloc(ctx, k, sizeof *self.mean, &self.mean));
    TRY(ctx_alloc(ctx, k * k, sizeof *self.gram, &self.gram));
    TRY(ctx_alloc_raw(ctx, self.rows * q, sizeof *self.guess, &self.guess));
    TRY(ctx_alloc_raw(ctx, self.rows * q, sizeof *self.goal, &self.goal));
    TRY(ctx_alloc_raw(ctx, k * q, sizeof *self.right, &self.right));
    TRY(ctx_alloc(ctx, q * k, sizeof *self.weight, &self.weight));
    TRY(ctx_alloc(ctx, q, sizeof *self.bias, &self.bias));
    int64_t to = 0;
    for (int64_t r = 0; r < of->rows; r++) {
        if (held_out && is_held_out(r)) continue;
        memcpy(self.x + to * k, of->x + r * k, (size_t)k * sizeof *self.x);
        memcpy(self.y + to * q, of->y + r * q, (size_t)q * sizeof *self.y);
        to++;
    }
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
static coset_status solve_for(fit *self, const double *goal, double ridge)
{
    coset_status status = COSET_OK;
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
    TRY(solve_ridge(self->ctx, self->gram, self->right, k, q, ridge, self->right));
    for (int64_t o = 0; o < q; o++) {
        double mean = 0;
        for (int64_t r = 0; r < self->rows; r++) mean += goal[r * q + o];
        self->bias[o] = of->bias != NULL ? mean * share : 0;
        for (int64_t j = 0; j < k; j++) {
            self->weight[o * k + j] = self->right[j * q + o];
            self->bias[o] -= self->weight[o * k + j] * self->mean[j];
        }
        if (of->bias == NULL) self->bias[o] = 0;
    }
done:
    return status;
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
    case UNIT_ODD:
        h = tanh(guess);
        return guess + (1 - h * h) * (tanh(y) - h);
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
    TRY(solve_for(self, self->y, ridge));
    if (of->function == UNIT_OTHER || of->function == UNIT_IDENTITY) goto done;
    TRY(ctx_alloc(self->ctx, q, sizeof *shifted, &shifted));
    for (int step = 0; step < MAJORISATION_STEPS; step++) {
        for (int64_t o = 0; o < q; o++) { /* x is centred: put its mean back through the bias */
            shifted[o] = self->bias[o];
            for (int64_t j = 0; j < of->n_in; j++)
                shifted[o] += self->weight[o * of->n_in + j] * self->mean[j];
        }
        predict(self->ctx, of, self->x, self->rows, self->weight, shifted, self->guess);
        for (int64_t i = 0; i < self->rows * q; i++)
            self->goal[i] = majorise(of, self->y[i], self->guess[i]);
        TRY(solve_for(self, self->goal, ridge));
    }
done:
    ctx_free(self->ctx, shifted);
    return status;
}

/* Sum of |s(y) - s(guess)|^2 over the held-out rows. */
static coset_status held_out_error(coset_ctx *ctx, const refit_problem *of, const double *weight,
                                   const double *bias, double *error_out)
{
    coset_status status = COSET_OK;
    double *guess = NULL;
    *error_out = 0;
    TRY(ctx_alloc_raw(ctx, of->rows * of->n_out, sizeof *guess, &guess));
    predict(ctx, of, of->x, of->rows, weight, bias, guess);
    for (int64_t r = 0; r < of->rows; r++) {
        if (!is_held_out(r)) continue;
        for (int64_t o = 0; o < of->n_out; o++) {
            double off =
                activate(of, of->y[r * of->n_out + o]) - activate(of, guess[r * of->n_out + o]);
            *error_out += off * off;
        }
    }
done:
    ctx_free(ctx, guess);
    return status;
}

coset_status refit(coset_ctx *ctx, const refit_problem *problem, double *weight_out,
                   double *bias_out, bool *better_out)
{
    coset_status status = COSET_OK;
    fit trial = {.ctx = ctx}, whole = {.ctx = ctx};
    int64_t cells = problem->n_out * problem->n_in;
    double least = 0;
    int best = -1;
    *better_out = false;
    memcpy(weight_out, problem->weight, (size_t)cells * sizeof *weight_out);
    if (problem->bias != NULL)
        memcpy(bias_out, problem->bias, (size_t)problem->n_out * sizeof *bias_out);
    if (problem->rows < 2 * HELD_OUT_EVERY) goto done;
    TRY(held_out_error(ctx, problem, problem->weight, problem->bias, &least));
    TRY(fit_new(ctx, problem, true, &trial));
    for (int r = 0; r < N_RIDGES; r++) {
        double error = 0;
        TRY(run_fit(&trial, RIDGES[r]));
        TRY(held_out_error(ctx, problem, trial.weight, trial.bias, &error));
        if (error < least) {
            least = error;
            best = r;
        }
    }
    if (best < 0) goto done;
    TRY(fit_new(ctx, problem, false, &whole));
    TRY(run_fit(&whole, RIDGES[best]));
    memcpy(weight_out, whole.weight, (size_t)cells * sizeof *weight_out);
    if (problem->bias != NULL)
        memcpy(bias_out, whole.bias, (size_t)problem->n_out * sizeof *bias_out);
    *better_out = true;
done:
    fit_free(&trial);
    fit_free(&whole);
    return status;
}
