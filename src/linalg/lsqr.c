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
static bool refine(const sparse_rows *a, double a_norm, const double *b, lsqr_work *work, double *x,
                   int64_t *iterations)
{
    double left = worst_row(a, b, x, work->r);
    bool converged = true;
    for (int round = 0; round < MAX_ROUNDS && left > DBL_EPSILON; round++) {
        converged = run_round(a, a_norm, STOP, work, iterations);
        for (int64_t j = 0; j < a->n; j++) x[j] += work->x[j];
        double now = worst_row(a, b, x, work->r);
        if (round > 0 && !(now <= 0.5 * left)) break;
        left = now;
    }
    return converged;
}

/* ---- components ---- */

/* The matrix with rows and columns in the order of its connected components: one that shares nothing
 * with others is a system of its own. Columns of component c are [column_from[c], column_from[c + 1]),
 * and the entries' columns count from there. */
typedef struct components {
    int64_t count;
    int64_t *column_component;       /* [n]; while they are searched, a forest */
    int64_t *row_from, *column_from; /* [count + 1] */
    int64_t *row, *row_start;        /* [rows that are not empty] position in A, and [... + 1] */
    int64_t *place;                  /* [n] of a column among the ordered ones */
    int32_t *column;                 /* [entries] */
    double *value;                   /* [entries] */
    double *b, *x;                   /* [m], [n] in the new order */
} components;

static void components_free(coset_ctx *ctx, components *self)
{
    void *all[] = {self->column_component,
                   self->row_from,
                   self->column_from,
                   self->row,
                   self->row_start,
                   self->place,
                   self->column,
                   self->value,
                   self->b,
                   self->x};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ctx_free(ctx, all[i]);
}

static int64_t root_of(int64_t *forest, int64_t at)
{
    while (forest[at] != at) at = forest[at] = forest[forest[at]];
    return at;
}

/* Numbers components by their first column; columns that no row has are components too. */
static void find_components(const sparse_rows *a, components *self)
{
    int64_t *forest = self->column_component;
    for (int64_t j = 0; j < a->n; j++) forest[j] = j;
    for (int64_t i = 0; i < a->m; i++)
        for (int64_t e = a->start[i] + 1; e < a->start[i + 1]; e++) {
            int64_t left = root_of(forest, a->column[e - 1]), right = root_of(forest, a->column[e]);
            if (left < right) forest[right] = left;
            if (right < left) forest[left] = right;
        }
    /* Roots are the smallest of their trees, so that they are numbered before their members. */
    for (int64_t j = 0; j < a->n; j++) self->place[j] = root_of(forest, j);
    for (int64_t j = 0; j < a->n; j++)
        forest[j] = self->place[j] == j ? self->count++ : forest[self->place[j]];
}

/* Component of a row, -1 for a row of nothing. */
static int64_t component_of(const sparse_rows *a, const components *self, int64_t row)
{
    if (a->start[row] == a->start[row + 1]) return -1;
    return self->column_component[a->column[a->start[row]]];
}

/* Makes the counts at [c + 2] of a list the beginnings at [c + 1], which the filling moves on, so
 * that they end up as beginnings at [c]. */
static void begin_lists(int64_t *from, int64_t count)
{
    for (int64_t c = 2; c < count + 2; c++) from[c] += from[c - 1];
}

static void order_columns(const sparse_rows *a, components *self)
{
    for (int64_t j = 0; j < a->n; j++) self->column_from[self->column_component[j] + 2]++;
    begin_lists(self->column_from, self->count);
    for (int64_t j = 0; j < a->n; j++)
        self->place[j] = self->column_from[self->column_component[j] + 1]++;
}

static void order_rows(const sparse_rows *a, const double *b, components *self)
{
    int64_t used = 0;
    for (int64_t i = 0; i < a->m; i++) {
        int64_t c = component_of(a, self, i);
        if (c >= 0) self->row_from[c + 2]++;
    }
    begin_lists(self->row_from, self->count);
    for (int64_t i = 0; i < a->m; i++) {
        int64_t c = component_of(a, self, i);
        if (c >= 0) self->row[self->row_from[c + 1]++] = i;
    }
    for (int64_t r = 0; r < self->row_from[self->count]; r++) {
        int64_t i = self->row[r], c = component_of(a, self, i);
        for (int64_t e = a->start[i]; e < a->start[i + 1]; e++) {
            self->column[used] = (int32_t)(self->place[a->column[e]] - self->column_from[c]);
            self->value[used++] = a->value[e];
        }
        self->row_start[r + 1] = used;
        self->b[r] = b[i];
    }
}

static coset_status components_make(coset_ctx *ctx, const sparse_rows *a, const double *b,
                                    components *self)
{
    coset_status status = COSET_OK;
    int64_t entries = a->start[a->m];
    TRY(ctx_alloc_raw(ctx, a->n, sizeof *self->column_component, &self->column_component));
    TRY(ctx_alloc_raw(ctx, a->n, sizeof *self->place, &self->place));
    TRY(ctx_alloc_raw(ctx, a->m, sizeof *self->row, &self->row));
    TRY(ctx_alloc(ctx, a->m + 1, sizeof *self->row_start, &self->row_start));
    TRY(ctx_alloc_raw(ctx, entries, sizeof *self->column, &self->column));
    TRY(ctx_alloc_raw(ctx, entries, sizeof *self->value, &self->value));
    TRY(ctx_alloc_raw(ctx, a->m, sizeof *self->b, &self->b));
    TRY(ctx_alloc(ctx, a->n, sizeof *self->x, &self->x));
    find_components(a, self);
    TRY(ctx_alloc(ctx, self->count + 2, sizeof *self->row_from, &self->row_from));
    TRY(ctx_alloc(ctx, self->count + 2, sizeof *self->column_from, &self->column_from));
    order_columns(a, self);
    order_rows(a, b, self);
done:
    return status;
}

/* Solves one component after the other. */
static void solve_components(components *self, double tolerance, lsqr_work *work,
                             lsqr_result *result)
{
    result->converged = true;
    for (int64_t c = 0; c < self->count; c++) {
        int64_t row = self->row_from[c], column = self->column_from[c];
        sparse_rows a = {self->row_from[c + 1] - row, self->column_from[c + 1] - column,
                         self->row_start + row, self->column, self->value};
        const double *b = self->b + row;
        double *x = self->x + column;
        if (a.m == 0) continue;
        double a_norm = norm(a.value + a.start[0], a.start[a.m] - a.start[0]);
        bool converged = true;
        if (tolerance > 0) {
            memcpy(work->r, b, (size_t)a.m * sizeof *b);
            converged = run_round(&a, a_norm, tolerance, work, &result->iterations);
            memcpy(x, work->x, (size_t)a.n * sizeof *x);
        } else {
            converged = refine(&a, a_norm, b, work, x, &result->iterations);
        }
        result->converged = result->converged && converged;
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
    components parts = {0};
    *result_out = (lsqr_result){0};
    double a_norm = norm(a->value, a->start[a->m]), b_norm = norm(b, a->m);
    if (!isfinite(a_norm) || !isfinite(b_norm))
        FAIL(ctx, COSET_ENUMERIC, "sparse solve: numbers that are not finite or overflow");
    TRY(ctx_alloc_raw(ctx, a->m, sizeof *work.u, &work.u));
    TRY(ctx_alloc_raw(ctx, a->m, sizeof *work.r, &work.r));
    TRY(ctx_alloc_raw(ctx, a->n, sizeof *work.v, &work.v));
    TRY(ctx_alloc_raw(ctx, a->n, sizeof *work.w, &work.w));
    TRY(ctx_alloc_raw(ctx, a->n, sizeof *work.x, &work.x));
    TRY(components_make(ctx, a, b, &parts));
    solve_components(&parts, tolerance, &work, result_out);
    for (int64_t j = 0; j < a->n; j++) x_out[j] = parts.x[parts.place[j]];
    judge(a, a_norm, b, &work, x_out, result_out);
    if (!isfinite(norm(x_out, a->n)))
        FAIL(ctx, COSET_ENUMERIC, "sparse solve: the solution overflows");
done:
    components_free(ctx, &parts);
    ctx_free(ctx, work.u);
    ctx_free(ctx, work.r);
    ctx_free(ctx, work.v);
    ctx_free(ctx, work.w);
    ctx_free(ctx, work.x);
    return status;
}
