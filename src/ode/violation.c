#include <math.h>

#include "ode/buckets.h"
#include "ode/monomials.h"
#include "ode/reduce.h"

/* Contributions to the coefficients that METHODS.md 3.1 wants equal within a block: `value` belongs to
 * variable i's coefficient at (row, monomial), where row is the block H of F_H (forward), or 0. Only
 * blocks of two or more have any. */
typedef struct contributions {
    const ode_system *system;
    const partition *blocks;
    int64_t *end;     /* [n_monomials] where the variables among a monomial's factors end */
    double *constant; /* [n_monomials] value of its symbols */
    monomials table;
    int64_t count;
    int32_t *variable, *block, *row, *monomial; /* [count] */
    double *value;
    int64_t *order; /* [count] by block, row, monomial, variable */
    double worst;
    int64_t at_fault;
} contributions;

static bool is_shared(const partition *blocks, int64_t block)
{
    return blocks->start[block + 1] - blocks->start[block] > 1;
}

/* Splits monomials into variables, which come first, and symbols. */
static coset_status split(contributions *self)
{
    const ode_system *system = self->system;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    TRY(ctx_alloc_raw(ctx, system->n_monomials, sizeof *self->end, &self->end));
    TRY(ctx_alloc_raw(ctx, system->n_monomials, sizeof *self->constant, &self->constant));
    for (int64_t m = 0; m < system->n_monomials; m++) {
        int64_t f = system->factor_start[m], end = system->factor_start[m + 1];
        while (f < end && system->factors[f].id < system->n) f++;
        self->end[m] = f;
        self->constant[m] = 1;
        for (; f < end; f++)
            self->constant[m] *=
                pow(system->initial[system->factors[f].id].value, system->factors[f].power);
    }
done:
    return status;
}

static double value_of(const contributions *self, int64_t term)
{
    const ode_system *system = self->system;
    return system->coefficient[term].value * self->constant[system->monomial[term]];
}

static coset_status reserve(contributions *self, int64_t count)
{
    coset_ctx *ctx = self->system->ctx;
    coset_status status = COSET_OK;
    TRY(ctx_alloc_raw(ctx, count, sizeof *self->variable, &self->variable));
    TRY(ctx_alloc_raw(ctx, count, sizeof *self->block, &self->block));
    TRY(ctx_alloc_raw(ctx, count, sizeof *self->row, &self->row));
    TRY(ctx_alloc_raw(ctx, count, sizeof *self->monomial, &self->monomial));
    TRY(ctx_alloc_raw(ctx, count, sizeof *self->value, &self->value));
    TRY(ctx_alloc_raw(ctx, count, sizeof *self->order, &self->order));
done:
    return status;
}

static void contribute(contributions *self, int64_t variable, int64_t row, int32_t monomial,
                       double value)
{
    int64_t at = self->count++;
    self->variable[at] = (int32_t)variable;
    self->block[at] = (int32_t)self->blocks->block_of[variable];
    self->row[at] = (int32_t)row;
    self->monomial[at] = monomial;
    self->value[at] = value;
}

/* ---- forward: d_i F_H ---- */

/* The monomial without one power of its factor f, for every factor of all monomials. */
static coset_status contexts(contributions *self, int32_t *context)
{
    const ode_system *system = self->system;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t capacity = 0;
    factor *rest = NULL;
    for (int64_t m = 0; m < system->n_monomials; m++) {
        int64_t begin = system->factor_start[m], n = self->end[m] - begin;
        TRY(ctx_reserve(ctx, &rest, &capacity, n, sizeof *rest));
        for (int64_t f = 0; f < n; f++) {
            if (!is_shared(self->blocks, self->blocks->block_of[system->factors[begin + f].id]))
                continue;
            for (int64_t g = 0; g < n; g++) rest[g] = system->factors[begin + g];
            rest[f].power--;
            TRY(monomials_intern(ctx, &self->table, rest, n, &context[begin + f]));
        }
    }
done:
    ctx_free(ctx, rest);
    return status;
}

static coset_status contribute_forward(contributions *self)
{
    const ode_system *system = self->system;
    const partition *blocks = self->blocks;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t count = 0;
    int32_t *context = NULL;
    for (int64_t t = 0; t < system->row_start[system->n]; t++) {
        int32_t m = system->monomial[t];
        for (int64_t f = system->factor_start[m]; f < self->end[m]; f++)
            count += is_shared(blocks, blocks->block_of[system->factors[f].id]);
    }
    TRY(ctx_alloc_raw(ctx, system->factor_start[system->n_monomials], sizeof *context, &context));
    TRY(contexts(self, context));
    TRY(reserve(self, count));
    for (int64_t row = 0; row < system->n; row++) {
        for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
            int32_t m = system->monomial[t];
            for (int64_t f = system->factor_start[m]; f < self->end[m]; f++) {
                factor by = system->factors[f];
                if (is_shared(blocks, blocks->block_of[by.id]))
                    contribute(self, by.id, blocks->block_of[row], context[f],
                               value_of(self, t) * by.power);
            }
        }
    }
done:
    ctx_free(ctx, context);
    return status;
}

/* ---- backward: f_i of the representatives ---- */

static coset_status contribute_backward(contributions *self)
{
    const ode_system *system = self->system;
    const partition *blocks = self->blocks;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t capacity = 0;
    int32_t *lumped = NULL;
    factor *mapped = NULL;
    TRY(ctx_alloc_raw(ctx, system->n_monomials, sizeof *lumped, &lumped));
    for (int64_t m = 0; m < system->n_monomials; m++) {
        int64_t begin = system->factor_start[m], n = self->end[m] - begin;
        TRY(ctx_reserve(ctx, &mapped, &capacity, n, sizeof *mapped));
        for (int64_t f = 0; f < n; f++) {
            factor from = system->factors[begin + f];
            mapped[f] = (factor){(int32_t)blocks->block_of[from.id], from.power};
        }
        TRY(monomials_intern(ctx, &self->table, mapped, n, &lumped[m]));
    }
    TRY(reserve(self, system->row_start[system->n]));
    for (int64_t row = 0; row < system->n; row++) {
        if (!is_shared(blocks, blocks->block_of[row])) continue;
        for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++)
            contribute(self, row, 0, lumped[system->monomial[t]], value_of(self, t));
    }
done:
    ctx_free(ctx, lumped);
    ctx_free(ctx, mapped);
    return status;
}

/* ---- comparing ---- */

static coset_status sort(contributions *self)
{
    coset_ctx *ctx = self->system->ctx;
    coset_status status = COSET_OK;
    int64_t n = self->count, blocks = self->blocks->n_blocks, *other = NULL;
    TRY(ctx_alloc_raw(ctx, n, sizeof *other, &other));
    TRY(buckets_sort(ctx, self->variable, self->system->n, NULL, n, other));
    TRY(buckets_sort(ctx, self->monomial, self->table.count, other, n, self->order));
    TRY(buckets_sort(ctx, self->row, blocks, self->order, n, other));
    TRY(buckets_sort(ctx, self->block, blocks, other, n, self->order));
done:
    ctx_free(ctx, other);
    return status;
}

/* A coefficient and what it is made of. */
typedef struct sum {
    double value, magnitude;
} sum;

/* Sum of the contributions of one variable, from position *at on; moves *at behind them. */
static sum sum_of(const contributions *self, int64_t *at, int64_t end)
{
    sum total = {0, 0};
    int32_t variable = self->variable[self->order[*at]];
    for (; *at < end && self->variable[self->order[*at]] == variable; ++*at) {
        double value = self->value[self->order[*at]];
        total.value += value;
        total.magnitude += fabs(value);
    }
    return total;
}

static void compare(contributions *self, int64_t variable, sum a, sum b)
{
    double scale = a.magnitude + b.magnitude;
    double gap = scale > 0 ? fabs(a.value - b.value) / scale : 0;
    if (!(gap > self->worst)) return;
    self->worst = gap;
    self->at_fault = variable;
}

/* Compares the coefficients at one (block, row, monomial), positions [at, end), with the
 * representative's. A variable without contributions has the coefficient 0. */
static void compare_group(contributions *self, int64_t at, int64_t end)
{
    const partition *blocks = self->blocks;
    int64_t block = self->block[self->order[at]];
    const int64_t *member = blocks->members + blocks->start[block];
    const int64_t *members_end = blocks->members + blocks->start[block + 1];
    sum first = {0, 0};
    /* Members ascend and the representative is the smallest. */
    if (self->variable[self->order[at]] == *member) first = sum_of(self, &at, end);
    bool missing = false;
    for (member++; at < end; member++) {
        int64_t variable = self->variable[self->order[at]];
        if (!missing && *member != variable) {
            compare(self, *member, (sum){0, 0}, first);
            missing = true;
        }
        compare(self, variable, sum_of(self, &at, end), first);
    }
    if (!missing && member < members_end) compare(self, *member, (sum){0, 0}, first);
}

static bool same_group(const contributions *self, int64_t a, int64_t b)
{
    int64_t x = self->order[a], y = self->order[b];
    return self->block[x] == self->block[y] && self->row[x] == self->row[y] &&
           self->monomial[x] == self->monomial[y];
}

coset_status system_violation(const ode_system *system, equivalence kind, const partition *blocks,
                              double *violation_out, int64_t *worst_out)
{
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    contributions self = {
        .system = system, .blocks = blocks, .table = {.n_variables = system->n}, .at_fault = -1};
    *violation_out = 0;
    TRY(split(&self));
    if (kind == EQUIVALENCE_FORWARD)
        TRY(contribute_forward(&self));
    else
        TRY(contribute_backward(&self));
    TRY(sort(&self));
    for (int64_t at = 0, end = 0; at < self.count; at = end) {
        for (end = at + 1; end < self.count && same_group(&self, at, end);) end++;
        compare_group(&self, at, end);
    }
    *violation_out = self.worst;
    if (worst_out != NULL) *worst_out = self.at_fault;
done:
    monomials_free(ctx, &self.table);
    ctx_free(ctx, self.end);
    ctx_free(ctx, self.constant);
    ctx_free(ctx, self.variable);
    ctx_free(ctx, self.block);
    ctx_free(ctx, self.row);
    ctx_free(ctx, self.monomial);
    ctx_free(ctx, self.value);
    ctx_free(ctx, self.order);
    return status;
}
