#include <stdlib.h>

#include "ode/system.h"

struct system_evaluator {
    const ode_system *system;
    double *value;      /* [n_monomials] */
    double *partial;    /* [factors of all monomials] d monomial / d factor */
    int64_t *row_start; /* [n + 1] of the Jacobian */
    int32_t *column;
    int64_t *position; /* [factors of all terms] entry of the Jacobian that each adds to */
};

void system_evaluator_free(system_evaluator *self)
{
    if (self == NULL) return;
    coset_ctx *ctx = self->system->ctx;
    ctx_free(ctx, self->value);
    ctx_free(ctx, self->partial);
    ctx_free(ctx, self->row_start);
    ctx_free(ctx, self->column);
    ctx_free(ctx, self->position);
    ctx_free(ctx, self);
}

/* ---- pattern ---- */

static int ascending(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

/* Appends the distinct factors of a row to column (NULL: only counts them). seen [n + n_symbols] holds
 * the last row, plus 1, that a factor was found in. */
static int64_t row_columns(const ode_system *system, int64_t row, int64_t *seen, int32_t *column)
{
    int64_t count = 0;
    for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
        int32_t m = system->monomial[t];
        for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++) {
            int32_t id = system->factors[f].id;
            if (seen[id] == row + 1) continue;
            seen[id] = row + 1;
            if (column != NULL) column[count] = id;
            count++;
        }
    }
    return count;
}

/* Positions of the row's term factors, from `at` on; returns where the next row's begin. */
static int64_t row_positions(system_evaluator *self, int64_t row, int64_t *entry_of, int64_t at)
{
    const ode_system *system = self->system;
    for (int64_t e = self->row_start[row]; e < self->row_start[row + 1]; e++)
        entry_of[self->column[e]] = e;
    for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
        int32_t m = system->monomial[t];
        for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++)
            self->position[at++] = entry_of[system->factors[f].id];
    }
    return at;
}

static coset_status find_pattern(system_evaluator *self)
{
    const ode_system *system = self->system;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t ids = system->n + system->n_symbols, factors = 0, *seen = NULL, *entry_of = NULL;
    TRY(ctx_alloc(ctx, ids, sizeof *seen, &seen));
    TRY(ctx_alloc_raw(ctx, ids, sizeof *entry_of, &entry_of));
    TRY(ctx_alloc(ctx, system->n + 1, sizeof *self->row_start, &self->row_start));
    for (int64_t row = 0; row < system->n; row++)
        self->row_start[row + 1] = self->row_start[row] + row_columns(system, row, seen, NULL);
    TRY(ctx_alloc_raw(ctx, self->row_start[system->n], sizeof *self->column, &self->column));
    for (int64_t id = 0; id < ids; id++) seen[id] = 0;
    for (int64_t row = 0; row < system->n; row++) {
        int32_t *column = self->column + self->row_start[row];
        int64_t count = row_columns(system, row, seen, column);
        if (count > 1) qsort(column, (size_t)count, sizeof *column, ascending);
    }
    for (int64_t t = 0; t < system->row_start[system->n]; t++) {
        int32_t m = system->monomial[t];
        factors += system->factor_start[m + 1] - system->factor_start[m];
    }
    TRY(ctx_alloc_raw(ctx, factors, sizeof *self->position, &self->position));
    for (int64_t row = 0, at = 0; row < system->n; row++)
        at = row_positions(self, row, entry_of, at);
done:
    ctx_free(ctx, seen);
    ctx_free(ctx, entry_of);
    return status;
}

coset_status system_evaluator_new(const ode_system *system, system_evaluator **evaluator_out)
{
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    system_evaluator *self = NULL;
    *evaluator_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->system = system;
    TRY(ctx_alloc(ctx, system->n_monomials, sizeof *self->value, &self->value));
    TRY(ctx_alloc(ctx, system->factor_start[system->n_monomials], sizeof *self->partial,
                  &self->partial));
    TRY(find_pattern(self));
    *evaluator_out = self;
    self = NULL;
done:
    system_evaluator_free(self);
    return status;
}

system_pattern system_jacobian_pattern(const system_evaluator *self)
{
    return (system_pattern){self->row_start[self->system->n], self->row_start, self->column};
}

/* ---- values ---- */

static double whole_power(double x, int32_t exponent)
{
    double power = 1;
    for (; exponent > 0; exponent >>= 1, x *= x)
        if (exponent & 1) power *= x;
    return power;
}

void system_slope(system_evaluator *self, const double *values, double *slope_out)
{
    const ode_system *system = self->system;
    for (int64_t m = 0; m < system->n_monomials; m++) {
        double product = 1;
        for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++)
            product *= whole_power(values[system->factors[f].id], system->factors[f].power);
        self->value[m] = product;
    }
    for (int64_t row = 0; row < system->n; row++) {
        double sum = 0;
        for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++)
            sum += system->coefficient[t].value * self->value[system->monomial[t]];
        slope_out[row] = sum;
    }
}

/* Derivatives of a monomial by its factors: what stands before a factor, times its own derivative,
 * times what stands behind it. Nothing is divided, so zeros are no special case. */
static void differentiate(system_evaluator *self, const double *values, int64_t m)
{
    const ode_system *system = self->system;
    int64_t begin = system->factor_start[m], end = system->factor_start[m + 1];
    double before = 1, behind = 1;
    for (int64_t f = begin; f < end; f++) {
        int32_t power = system->factors[f].power;
        double x = values[system->factors[f].id], lower = whole_power(x, power - 1);
        self->partial[f] = before * power * lower;
        before *= lower * x;
    }
    for (int64_t f = end - 1; f >= begin; f--) {
        self->partial[f] *= behind;
        behind *= whole_power(values[system->factors[f].id], system->factors[f].power);
    }
}

void system_jacobian(system_evaluator *self, const double *values, double *entries_out)
{
    const ode_system *system = self->system;
    int64_t at = 0;
    for (int64_t m = 0; m < system->n_monomials; m++) differentiate(self, values, m);
    for (int64_t e = 0; e < self->row_start[system->n]; e++) entries_out[e] = 0;
    for (int64_t t = 0; t < system->row_start[system->n]; t++) {
        int32_t m = system->monomial[t];
        for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++)
            entries_out[self->position[at++]] += system->coefficient[t].value * self->partial[f];
    }
}
