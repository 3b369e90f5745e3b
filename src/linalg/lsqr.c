#include "linalg/lsqr.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Rounds of refinement: each gains most of the digits that a solve can give; two or three are usual. */
enum { MAX_ROUNDS = 8 };
/* Below this neither the residual nor the gradient means anything, relative to what they are made of. */
static const double STOP = 4 * DBL_EPSILON;

typedef struct lsqr_work {
    double *u;     /* [m] */
    double *v, *w; /* [n] */
    double *x;     /* [n] of this round */
    double *r;     /* [m] right-hand side of this round */
} lsqr_work;

void sparse_times(const sparse_rows *a, double alpha, const double *x, double *y)
{
    for (int64_t i = 0; i < a->m; i++) {
        double sum = 0;
        for (int64_t e = a->start[i]; e < a->start[i + 1]; e++)
            sum += a->value[e] * x[a->column[e]];
        y[i] += alpha * sum;
    }
}

/* y [n] += A^T x. */
static void transposed_times(const sparse_rows *a, const double *x, double *y)
{
    for (int64_t i = 0; i < a->m; i++) {
        if (x[i] == 0) continue;
        for (int64_t e = a->start[i]; e < a->start[i + 1]; e++)
            y[a->column[e]] += a->value[e] * x[i];
    }
}

static double norm(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

static double largest(const double *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
    return most;
}

static void scale(double *x, int64_t n, double by)
{
    for (int64_t i = 0; i < n; i++) x[i] *= by;
}

/* Scales x to norm 1 and returns the norm it had. */
static double normalise(double *x, int64_t n)
{
    double length = norm(x, n);
    if (length > 0) scale(x, n, 1 / length);
    return length;
}

/* One run of LSQR from x = 0 for the right-hand side r; x is left in work->x. Names as in the paper.
 * False: cap on iterations. */
static bool run_round(const sparse_rows *a, double a_norm, double stop, lsqr_work *work,
                      int64_t *iterations)
{
    int64_t m = a->m, n = a->n, cap = 8 * (m < n ? m : n) + 200;
    double *u = work->u, *v = work->v, *w = work->w, *x = work->x;
    memset(x, 0, (size_t)n * sizeof *x);
    memset(v, 0, (size_t)n * sizeof *v);
    memcpy(u, work->r, (size_t)m * sizeof *u);
    /* Tiny residuals would underflow when squared. */
    double unit = largest(u, m);
    if (unit == 0) return true;
    scale(u, m, 1 / unit);
    double b_norm = normalise(u, m);
    transposed_times(a, u, v);
    double alpha = normalise(v, n), phi_bar = b_norm, rho_bar = alpha;
    memcpy(w, v, (size_t)n * sizeof *w);
    bool ended = alpha <= stop * a_norm;
    for (int64_t k = 0; k < cap && !ended; k++) {
        (*iterations)++;
        scale(u, m, -alpha);
        sparse_times(a, 1, v, u);
        double beta = normalise(u, m);
        scale(v, n, -beta);
        transposed_times(a, u, v);
        alpha = normalise(v, n);
        double rho = sqrt(rho_bar * rho_bar + beta * beta), c = rho_bar / rho, s = beta / rho;
        double theta = s * alpha, phi = c * phi_bar;
        rho_bar = -c * alpha;
        phi_bar = s * phi_bar;
        for (int64_t j = 0; j < n; j++) {
            x[j] += phi / rho * w[j];
            w[j] = v[j] - theta / rho * w[j];
        }
        /* |r| = phi_bar, |A^T r| = phi_bar alpha |c|. */
        ended = phi_bar <= stop * b_norm || alpha * fabs(c) <= stop * a_norm;
    }
    scale(x, n, unit);
    return ended;
}

/* r = b - A x; returns its norm. */
static double residual_of(const sparse_rows *a, const double *b, const double *x, double *r)
{
    if (a->m > 0) memcpy(r, b, (size_t)a->m * sizeof *r);
    sparse_times(a, -1, x, r);
    return norm(r, a->m);
}

/* Largest |residual| of a row relative to what it is made of; r = b - A x. */
static double worst_row(const sparse_rows *a, const double *b, const double *x, double *r)
{
    double worst = 0;
    residual_of(a, b, x, r);
    for (int64_t i = 0; i < a->m; i++) {
        double made_of = fabs(b[i]);
        for (int64_t e = a->start[i]; e < a->start[i + 1]; e++)
            made_of += fabs(a->value[e] * x[a->column[e]]);
        if (made_of > 0) worst = fmax(worst, fabs(r[i]) / made_of);
    }
    return worst;
}

/* Adds round after round to x (0 at first) until the residuals stop shrinking. A round more than needed
 * does no harm: LSQR never makes its residual longer. */
static void refine(const sparse_rows *a, double a_norm, const double *b, lsqr_work *work, double *x,
                   lsqr_result *result)
{
    double left = worst_row(a, b, x, work->r);
    result->converged = true;
    for (int round = 0; round < MAX_ROUNDS && left > DBL_EPSILON; round++) {
        result->converged = run_round(a, a_norm, STOP, work, &result->iterations);
        for (int64_t j = 0; j < a->n; j++) x[j] += work->x[j];
        double now = worst_row(a, b, x, work->r);
        if (round > 0 && !(now <= 0.5 * left)) break;
        left = now;
    }
}

static void judge(const sparse_rows *a, double a_norm, const double *b, lsqr_work *work,
                  const double *x, lsqr_result *result)
{
    result->residual = residual_of(a, b, x, work->r);
    double b_norm = norm(b, a->m), made_of = a_norm * result->residual;
    result->relative = b_norm > 0 ? result->residual / b_norm : 0;
    memset(work->v, 0, (size_t)a->n * sizeof *work->v);
    transposed_times(a, work->r, work->v);
    result->gradient = made_of > 0 ? norm(work->v, a->n) / made_of : 0;
}

coset_status lsqr_solve(coset_ctx *ctx, const sparse_rows *a, const double *b, double tolerance,
                        double *x_out, lsqr_result *result_out)
{
    coset_status status = COSET_OK;
    lsqr_work work = {NULL, NULL, NULL, NULL, NULL};
    *result_out = (lsqr_result){0};
    double a_norm = norm(a->value, a->start[a->m]), b_norm = norm(b, a->m);
    if (!isfinite(a_norm) || !isfinite(b_norm))
        FAIL(ctx, COSET_ENUMERIC, "sparse solve: numbers that are not finite or overflow");
    TRY(ctx_alloc_raw(ctx, a->m, sizeof *work.u, &work.u));
    TRY(ctx_alloc_raw(ctx, a->m, sizeof *work.r, &work.r));
    TRY(ctx_alloc_raw(ctx, a->n, sizeof *work.v, &work.v));
    TRY(ctx_alloc_raw(ctx, a->n, sizeof *work.w, &work.w));
    TRY(ctx_alloc_raw(ctx, a->n, sizeof *work.x, &work.x));
    memset(x_out, 0, (size_t)a->n * sizeof *x_out);
    if (tolerance > 0) {
        if (a->m > 0) memcpy(work.r, b, (size_t)a->m * sizeof *b);
        result_out->converged = run_round(a, a_norm, tolerance, &work, &result_out->iterations);
        memcpy(x_out, work.x, (size_t)a->n * sizeof *x_out);
    } else {
        refine(a, a_norm, b, &work, x_out, result_out);
    }
    judge(a, a_norm, b, &work, x_out, result_out);
    if (!isfinite(norm(x_out, a->n)))
        FAIL(ctx, COSET_ENUMERIC, "sparse solve: the solution overflows");
done:
    ctx_free(ctx, work.u);
    ctx_free(ctx, work.r);
    ctx_free(ctx, work.v);
    ctx_free(ctx, work.w);
    ctx_free(ctx, work.x);
    return status;
}
