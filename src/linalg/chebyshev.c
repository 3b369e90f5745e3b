#include "linalg/chebyshev.h"

#include <math.h>

enum { NODES = 1024, GRID = 8192, GOLDEN_STEPS = 40 };
static const double PI = 3.14159265358979323846, ROUNDING = 1e-15;

typedef struct fit {
    const chebyshev_problem *problem;
    const double *powers;
    int degree;
    double centre;
} fit;

double polynomial_value(const double *powers, int degree, double x)
{
    double sum = powers[degree];
    for (int k = degree - 1; k >= 0; k--) sum = sum * x + powers[k];
    return sum;
}

static double deviation(const fit *self, double x)
{
    return fabs(self->problem->at(self->problem->user, x) -
                polynomial_value(self->powers, self->degree, x - self->centre));
}

/* Coefficients of T_0 .. T_degree of the function on [-1, 1]; those that are nothing but rounding, as of
 * even T for an odd function, are 0. */
static coset_status project(coset_ctx *ctx, const chebyshev_problem *problem, double centre,
                            double half, int degree, double *coefficients)
{
    double largest = 0;
    for (int k = 0; k <= degree; k++) coefficients[k] = 0;
    for (int j = 0; j < NODES; j++) {
        double angle = PI * (j + 0.5) / NODES, x = centre + half * cos(angle);
        double y = problem->at(problem->user, x);
        if (!isfinite(y))
            return ctx_fail(ctx, COSET_ENUMERIC, "the function is not finite at %g", x);
        for (int k = 0; k <= degree; k++)
            coefficients[k] += (k == 0 ? 1.0 : 2.0) / NODES * y * cos(k * angle);
        largest = fmax(largest, fabs(y));
    }
    for (int k = 0; k <= degree; k++)
        if (fabs(coefficients[k]) < ROUNDING * largest) coefficients[k] = 0;
    return COSET_OK;
}

/* From T_k(u), u = (x - centre) / half, to powers of x - centre. */
static void to_powers(const double *coefficients, int degree, double half, double *powers)
{
    double before[CHEBYSHEV_MAX_DEGREE + 2] = {0}, now[CHEBYSHEV_MAX_DEGREE + 2] = {1};
    for (int i = 0; i <= degree; i++) powers[i] = 0;
    for (int k = 0; k <= degree; k++) {
        for (int i = 0; i <= k; i++) powers[i] += coefficients[k] * now[i];
        double factor = k == 0 ? 1 : 2; /* T_1 = u T_0, T_(k+1) = 2 u T_k - T_(k-1) */
        for (int i = k + 1; i >= 0; i--) {
            double next = (i > 0 ? factor * now[i - 1] : 0) - (k > 0 ? before[i] : 0);
            before[i] = now[i];
            now[i] = next;
        }
    }
    double scale = 1;
    for (int i = 1; i <= degree; i++) powers[i] /= scale *= half;
}

/* The largest deviation in [low, high] around one local maximum, by golden sections. */
static double refine(const fit *self, double low, double high)
{
    const double ratio = 0.61803398874989485;
    double a = high - ratio * (high - low), b = low + ratio * (high - low);
    double at_a = deviation(self, a), at_b = deviation(self, b), best = fmax(at_a, at_b);
    for (int step = 0; step < GOLDEN_STEPS; step++) {
        if (at_a > at_b) {
            high = b;
            b = a;
            at_b = at_a;
            at_a = deviation(self, a = high - ratio * (high - low));
        } else {
            low = a;
            a = b;
            at_a = at_b;
            at_b = deviation(self, b = low + ratio * (high - low));
        }
        best = fmax(best, fmax(at_a, at_b));
    }
    return best;
}

static double grid_point(const fit *self, int i)
{
    const chebyshev_problem *problem = self->problem;
    if (i <= 0) return problem->low;
    if (i >= GRID) return problem->high;
    return self->centre - (problem->high - problem->low) / 2 * cos(PI * i / GRID);
}

static coset_status largest_deviation(coset_ctx *ctx, const fit *self, double *error_out)
{
    coset_status status = COSET_OK;
    const chebyshev_problem *problem = self->problem;
    double *found = NULL, worst = 0;
    TRY(ctx_alloc(ctx, GRID + 1, sizeof *found, &found));
    for (int i = 0; i <= GRID; i++) {
        double x = grid_point(self, i);
        found[i] = deviation(self, x);
        if (!isfinite(found[i]))
            FAIL(ctx, COSET_ENUMERIC, "the function or its fit is not finite at %g", x);
        worst = fmax(worst, found[i]);
    }
    double from_grid = worst;
    for (int i = 1; i < GRID; i++)
        if (found[i] >= found[i - 1] && found[i] >= found[i + 1] && found[i] > from_grid / 2)
            worst = fmax(worst, refine(self, grid_point(self, i - 1), grid_point(self, i + 1)));
    for (int k = 0; k < problem->n_kinks; k++)
        if (problem->kinks[k] >= problem->low && problem->kinks[k] <= problem->high)
            worst = fmax(worst, deviation(self, problem->kinks[k]));
    *error_out = worst;
done:
    ctx_free(ctx, found);
    return status;
}

coset_status chebyshev_fit(coset_ctx *ctx, const chebyshev_problem *problem, int degree,
                           double *powers_out, double *centre_out, double *error_out)
{
    double coefficients[CHEBYSHEV_MAX_DEGREE + 1];
    double half = problem->high / 2 - problem->low / 2, centre = problem->low + half;
    if (degree < 0 || degree > CHEBYSHEV_MAX_DEGREE)
        return ctx_fail(ctx, COSET_EARGUMENT, "the degree of a fit is 0 to %d, not %d",
                        (int)CHEBYSHEV_MAX_DEGREE, degree);
    if (!isfinite(problem->low) || !isfinite(problem->high) || !(half > 0))
        return ctx_fail(ctx, COSET_EARGUMENT, "a fit needs a range with low < high, not [%g, %g]",
                        problem->low, problem->high);
    coset_status status = project(ctx, problem, centre, half, degree, coefficients);
    if (status != COSET_OK) return status;
    to_powers(coefficients, degree, half, powers_out);
    for (int k = 0; k <= degree; k++)
        if (!isfinite(powers_out[k]))
            return ctx_fail(ctx, COSET_ENUMERIC, "the fit of degree %d on [%g, %g] overflows",
                            degree, problem->low, problem->high);
    fit made = {problem, powers_out, degree, centre};
    *centre_out = centre;
    return largest_deviation(ctx, &made, error_out);
}
