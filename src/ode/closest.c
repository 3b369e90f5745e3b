#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ode/constraints.h"
#include "ode/reduce.h"

/* Linearisations of equations that are not linear, and rounds of restoring them at the end. */
enum { MAX_STEPS = 500, MAX_REPAIRS = 8, MAX_HALVINGS = 30 };
/* Equations hold if their errors are below this, relative to what they are made of. */
static const double HOLDS = 1e-11;
/* Values that agree to this are made equal. */
static const double AGREES = 1e-13;
/* A value that falls to less than this of what it was may be 0 and the rounding of others. */
static const double LEAST = 1e-9;
/* A step is tiny: relative to the whole displacement, which is then as short as it gets to 1e-14 of
 * itself, and to the values. */
static const double TINY_OF_MOVE = 1e-8, TINY_OF_VALUE = 1e-14;
/* Of least-norm problems whose equations are not linear. Equations may become dependent where they hold,
 * as do (a - b) c = 0 and (a - b) d = 0: without a tolerance rounding would move c and d. */
static const double LOOSE = 1e-9;
/* Sufficient decrease of the merit function, and how much of it is left to infeasibility (Nocedal and
 * Wright, "Numerical Optimization", 18.36 and algorithm 18.3). */
static const double DECREASE = 1e-4, SHARE = 0.5;

/* The search for the nearest p; m equations, n symbols. */
typedef struct search {
    coset_ctx *ctx;
    const constraints *equations;
    int64_t m, n;
    const double *p0;        /* [n] */
    double *p, *trial;       /* [n] */
    double *z;               /* [n] solution of the linearised equations */
    double *errors;          /* [m] at p, or at the last point that was evaluated */
    double *magnitude;       /* [m] the largest that was met */
    double *weight;          /* [m] of the merit function */
    double *rhs, *row_scale; /* [m] */
    double *part_values;     /* [parts] */
    int64_t *row_start;      /* [m + 1] */
    int32_t *column;         /* [entries] */
    double *value;           /* [entries] */
    int64_t *scratch;        /* [n], all -1 */
    double penalty;
    int64_t iterations;
    bool solved; /* by the last least-norm problem, to the end */
} search;

static void search_close(search *self)
{
    void *all[] = {self->p,         self->trial,  self->z,         self->errors,
                   self->magnitude, self->rhs,    self->row_scale, self->part_values,
                   self->row_start, self->column, self->value,     self->scratch,
                   self->weight};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ctx_free(self->ctx, all[i]);
}

static coset_status search_open(search *self, const constraints *equations, const double *p0)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = equations->ctx;
    int64_t m = equations->n_equations, n = equations->system->n_symbols;
    int64_t entries = constraints_entries(equations);
    *self = (search){.ctx = ctx, .equations = equations, .m = m, .n = n, .p0 = p0};
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->p));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->trial));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->z));
    TRY(ctx_alloc(ctx, m, sizeof(double), &self->errors));
    TRY(ctx_alloc(ctx, m, sizeof(double), &self->magnitude));
    TRY(ctx_alloc(ctx, m, sizeof(double), &self->weight));
    TRY(ctx_alloc(ctx, m, sizeof(double), &self->rhs));
    TRY(ctx_alloc(ctx, m, sizeof(double), &self->row_scale));
    TRY(ctx_alloc(ctx, equations->parts.count, sizeof(double), &self->part_values));
    TRY(ctx_alloc(ctx, m + 1, sizeof *self->row_start, &self->row_start));
    TRY(ctx_alloc(ctx, entries, sizeof *self->column, &self->column));
    TRY(ctx_alloc(ctx, entries, sizeof *self->value, &self->value));
    TRY(ctx_alloc(ctx, n, sizeof *self->scratch, &self->scratch));
    for (int64_t s = 0; s < n; s++) self->scratch[s] = -1;
    memcpy(self->p, p0, (size_t)n * sizeof *p0);
done:
    return status;
}

static double largest(const double *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
    return most;
}

/* Largest error relative to what the equation is made of, at p; the equation goes to worst_out (may be
 * NULL). NaN counts as infinite. */
static double evaluate(search *self, const double *p, int64_t *worst_out)
{
    double worst = 0;
    constraints_evaluate(self->equations, p, self->part_values, self->errors, self->magnitude);
    for (int64_t e = 0; e < self->m; e++) {
        double error = self->errors[e] == 0 ? 0 : fabs(self->errors[e]) / self->magnitude[e];
        if (isnan(error)) error = INFINITY;
        if (error <= worst) continue;
        worst = error;
        if (worst_out != NULL) *worst_out = e;
    }
    return worst;
}

/* Evaluates at p with the magnitudes of p0 and p alone, not those of points that were tried. */
static double evaluate_afresh(search *self, int64_t *worst_out)
{
    memset(self->magnitude, 0, (size_t)self->m * sizeof *self->magnitude);
    evaluate(self, self->p0, NULL);
    return evaluate(self, self->p, worst_out);
}

/* Linearises at p, where the errors are, and solves for the least z with
 *     A z = A (p - origin) - errors      origin NULL: p itself */
static coset_status solve_linearised(search *self, const double *origin)
{
    constraints_linearise(self->equations, self->p, self->row_start, self->column, self->value,
                          self->row_scale, self->scratch);
    sparse_rows a = {self->m, self->n, self->row_start, self->column, self->value};
    lsqr_result result;
    for (int64_t e = 0; e < self->m; e++) self->rhs[e] = -self->errors[e] / self->row_scale[e];
    if (origin != NULL) {
        for (int64_t s = 0; s < self->n; s++) self->trial[s] = self->p[s] - origin[s];
        sparse_times(&a, 1, self->trial, self->rhs);
    }
    coset_status status =
        lsqr_solve(self->ctx, &a, self->rhs, self->equations->linear ? 0 : LOOSE, self->z, &result);
    self->iterations++;
    self->solved = result.converged;
    return status;
}

/* ---- equations that are not linear ---- */

static double weighted_errors(const search *self)
{
    double sum = 0;
    for (int64_t e = 0; e < self->m; e++) sum += self->weight[e] * fabs(self->errors[e]);
    return sum;
}

static double distance_to(const search *self, const double *p)
{
    double sum = 0;
    for (int64_t s = 0; s < self->n; s++) sum += (p[s] - self->p0[s]) * (p[s] - self->p0[s]);
    return sqrt(sum);
}

/* |p - p0|^2 / 2 + penalty * errors with the errors that were evaluated last. */
static double merit(const search *self, const double *p)
{
    double distance = distance_to(self, p);
    return distance * distance / 2 + self->penalty * weighted_errors(self);
}

/* How much of a merit can be rounding. */
static double merit_noise(const search *self, double at)
{
    double values = largest(self->p, self->n) * distance_to(self, self->p);
    return 16 * DBL_EPSILON * (fabs(at) + values + self->penalty * (double)self->m);
}

/* Moves p along z + p0 - p as far as the merit function falls; the errors at p must be there.
 * *length_out: norm of the full step. False: nothing falls. */
static bool walk(search *self, double *length_out)
{
    double slope = 0, square = 0, wrong = weighted_errors(self), share = 1;
    for (int64_t s = 0; s < self->n; s++) {
        double moved = self->p[s] - self->p0[s];
        self->z[s] -= moved;
        slope += moved * self->z[s];
        square += self->z[s] * self->z[s];
    }
    *length_out = sqrt(square);
    if (wrong > 0)
        self->penalty = fmax(self->penalty, (slope + square / 2) / ((1 - SHARE) * wrong));
    double from = merit(self, self->p), falls = slope - self->penalty * wrong;
    double limit = from + merit_noise(self, from);
    for (int i = 0; i < MAX_HALVINGS; i++, share /= 2) {
        for (int64_t s = 0; s < self->n; s++) self->trial[s] = self->p[s] + share * self->z[s];
        evaluate(self, self->trial, NULL);
        if (!(merit(self, self->trial) <= limit + DECREASE * share * falls)) continue;
        memcpy(self->p, self->trial, (size_t)self->n * sizeof *self->p);
        return true;
    }
    return false;
}

/* Sequential quadratic programming with the Hessian of the objective alone: every step is a least-norm
 * problem again. It converges linearly, the faster the nearer p0 is to a solution. */
static coset_status approach(search *self, bool *settled_out)
{
    coset_status status = COSET_OK;
    evaluate(self, self->p, NULL);
    for (int64_t e = 0; e < self->m; e++)
        self->weight[e] = self->magnitude[e] > 0 ? 1 / self->magnitude[e] : 1;
    bool walks = true;
    for (int64_t k = 0; k < MAX_STEPS && walks && !*settled_out; k++) {
        double length = 0;
        evaluate(self, self->p, NULL);
        TRY(solve_linearised(self, self->p0));
        walks = walk(self, &length);
        double tiny =
            TINY_OF_MOVE * distance_to(self, self->p) + TINY_OF_VALUE * largest(self->p, self->n);
        *settled_out = length <= tiny;
    }
done:
    return status;
}

/* ---- both kinds ---- */

/* Least displacements from p until the equations hold as well as f64 can: they are so small that p
 * stays the nearest solution. For linear equations the first one is the whole way. */
static coset_status repair(search *self)
{
    coset_status status = COSET_OK;
    double left = evaluate_afresh(self, NULL);
    for (int i = 0; i < MAX_REPAIRS && left > 2 * DBL_EPSILON; i++) {
        evaluate(self, self->p, NULL);
        TRY(solve_linearised(self, NULL));
        for (int64_t s = 0; s < self->n; s++) self->trial[s] = self->p[s] + self->z[s];
        double now = evaluate(self, self->trial, NULL);
        bool better = now <= left, slow = now > left / 2;
        if (better) memcpy(self->p, self->trial, (size_t)self->n * sizeof *self->p);
        if (slow) break;
        left = now;
    }
done:
    return status;
}

typedef struct ranked {
    double magnitude;
    int64_t symbol;
} ranked;

static int order_ranked(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->magnitude != b->magnitude) return a->magnitude < b->magnitude ? -1 : 1;
    return (a->symbol > b->symbol) - (a->symbol < b->symbol);
}

/* Ranks by magnitude the symbols that stand in an equation; others keep their values as they are. */
static int64_t rank(const search *self, double nothing, ranked *order)
{
    const monomials *parts = &self->equations->parts;
    const constraints *equations = self->equations;
    int64_t count = 0;
    for (int64_t t = 0; t < equations->start[self->m]; t++) {
        int64_t part = equations->part[t];
        for (int64_t f = parts->start[part]; f < parts->start[part + 1]; f++)
            self->scratch[parts->factors[f].id] = 1;
    }
    for (int64_t s = 0; s < self->n; s++) {
        if (self->scratch[s] < 0) continue;
        if (fabs(self->p[s]) <= nothing * fabs(self->p0[s])) self->p[s] = 0;
        order[count++] = (ranked){fabs(self->p[s]), s};
        self->scratch[s] = -1;
    }
    qsort(order, (size_t)count, sizeof *order, order_ranked);
    return count;
}

/* Makes values equal, up to sign, that only rounding keeps apart; those that only rounding moved go
 * back. What is `nothing` of what it was is 0. */
static coset_status round_off(search *self, double nothing)
{
    coset_status status = COSET_OK;
    ranked *order = NULL;
    TRY(ctx_alloc_raw(self->ctx, self->n, sizeof *order, &order));
    int64_t count = rank(self, nothing, order);
    for (int64_t first = 0, last = 0; first < count; first = last) {
        double low = order[first].magnitude, common = low;
        bool back = false;
        for (; last < count && order[last].magnitude - low <= AGREES * low; last++) {
            double before = fabs(self->p0[order[last].symbol]);
            if (back || fabs(before - low) > AGREES * low) continue;
            common = before;
            back = true;
        }
        for (int64_t i = first; i < last; i++)
            self->p[order[i].symbol] = copysign(common, self->p[order[i].symbol]);
    }
done:
    ctx_free(self->ctx, order);
    return status;
}

/* Largest error relative to what is left of the equation at p: where values became 0, that of p0 says
 * nothing about it. */
static double evaluate_bare(search *self)
{
    memset(self->magnitude, 0, (size_t)self->m * sizeof *self->magnitude);
    return evaluate(self, self->p, NULL);
}

/* Repairs and rounds off. In a = b and b = 0 a may keep the rounding of a large b until b is 0 itself, and
 * that of other large values in its equations: then it is repaired again, and less is nothing. */
static coset_status finish(search *self)
{
    coset_status status = COSET_OK;
    double nothing = AGREES;
    TRY(repair(self));
    TRY(round_off(self, nothing));
    while (nothing < LEAST && evaluate_bare(self) > HOLDS) {
        nothing *= 10;
        TRY(solve_linearised(self, NULL));
        for (int64_t s = 0; s < self->n; s++) self->p[s] += self->z[s];
        TRY(round_off(self, nothing));
    }
done:
    return status;
}

static coset_status find(search *self, closest_result *result)
{
    coset_status status = COSET_OK;
    int64_t worst = 0;
    bool settled = self->equations->linear;
    char text[480];
    if (!settled) TRY(approach(self, &settled));
    TRY(finish(self));
    double error = evaluate_afresh(self, &worst);
    if (!(error <= HOLDS)) {
        constraints_describe(self->equations, &self->equations->origins[worst], text, sizeof text);
        FAIL(self->ctx, COSET_ENUMERIC, "%s: %s (%.3g relative)",
             self->equations->linear && self->solved
                 ? "no choice of the free parameters makes the partition an equivalence"
                 : "no parameters were found for which the partition is an equivalence",
             text, error);
    }
    if (!settled)
        FAIL(self->ctx, COSET_ENUMERIC,
             "the nearest parameters for which the partition is an equivalence were not found in "
             "%d steps",
             MAX_STEPS);
    result->equations = self->m;
    result->iterations = self->iterations;
    result->residual = largest(self->errors, self->m);
done:
    return status;
}

/* ---- free and fixed symbols ---- */

/* The system with its fixed symbols put in; *made_out must be freed if it is not NULL. */
static coset_status free_part(const ode_system *system, const bool *free, ode_system **made_out)
{
    bool all = true;
    for (int64_t s = 0; free != NULL && s < system->n_symbols; s++) all = all && free[s];
    return all ? COSET_OK : system_substitute(system, NULL, free, made_out);
}

coset_status system_closest(const ode_system *system, equivalence kind, const partition *blocks,
                            const bool *free, double *values_out, closest_result *result_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = system->ctx;
    ode_system *made = NULL;
    constraints *equations = NULL;
    search self = {.ctx = ctx};
    double *p0 = NULL, square = 0;
    *result_out = (closest_result){0};
    TRY(free_part(system, free, &made));
    const ode_system *unknown = made != NULL ? made : system;
    TRY(ctx_alloc(ctx, unknown->n_symbols, sizeof *p0, &p0));
    for (int64_t s = 0; s < unknown->n_symbols; s++) p0[s] = unknown->initial[unknown->n + s].value;
    TRY(constraints_new(unknown, kind, blocks, &equations));
    TRY(search_open(&self, equations, p0));
    TRY(find(&self, result_out));
    for (int64_t s = 0, at = 0; s < system->n_symbols; s++) {
        double before = system->initial[system->n + s].value;
        values_out[s] = free == NULL || free[s] ? self.p[at++] : before;
        double change = fabs(values_out[s] - before);
        square += change * change;
        result_out->change_max = fmax(result_out->change_max, change);
    }
    result_out->change_l2 = sqrt(square);
done:
    if (status != COSET_OK) *result_out = (closest_result){0};
    search_close(&self);
    constraints_free(equations);
    ctx_free(ctx, p0);
    system_free(made);
    return status;
}
