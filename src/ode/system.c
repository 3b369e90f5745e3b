#include <math.h>
#include <string.h>

#include "ode/buckets.h"
#include "ode/builder.h"

void system_free(ode_system *self)
{
    if (self == NULL) return;
    coset_ctx *ctx = self->ctx;
    ctx_free(ctx, self->names);
    ctx_free(ctx, self->initial);
    ctx_free(ctx, self->factor_start);
    ctx_free(ctx, self->factors);
    ctx_free(ctx, self->row_start);
    ctx_free(ctx, self->monomial);
    ctx_free(ctx, self->coefficient);
    arena_free(ctx, &self->arena);
    ctx_free(ctx, self);
}

/* ---- building ---- */

void system_builder_free(system_builder *self)
{
    if (self == NULL) return;
    coset_ctx *ctx = self->ctx;
    system_free(self->system);
    monomials_free(ctx, &self->monomials);
    ctx_free(ctx, self->row);
    ctx_free(ctx, self->monomial);
    ctx_free(ctx, self->coefficient);
    ctx_free(ctx, self);
}

coset_status system_builder_new(coset_ctx *ctx, int64_t n, int64_t n_symbols,
                                const char *const *names, const number *initial,
                                system_builder **builder_out)
{
    coset_status status = COSET_OK;
    system_builder *self = NULL;
    *builder_out = NULL;
    if (n < 0 || n_symbols < 0 || n >= INT32_MAX || n_symbols >= INT32_MAX - n)
        FAIL(ctx, COSET_ELIMIT, "a system of more than 2^31 variables and symbols");
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->ctx = ctx;
    self->monomials.n_variables = n;
    TRY(ctx_alloc(ctx, 1, sizeof *self->system, &self->system));
    ode_system *system = self->system;
    *system = (ode_system){.ctx = ctx, .n = n, .n_symbols = n_symbols};
    TRY(ctx_alloc(ctx, n + n_symbols, sizeof *system->names, &system->names));
    TRY(ctx_alloc(ctx, n + n_symbols, sizeof *system->initial, &system->initial));
    for (int64_t i = 0; i < n + n_symbols; i++) system->initial[i] = number_settle(initial[i]);
    for (int64_t i = 0; names != NULL && i < n + n_symbols; i++)
        if (names[i] != NULL)
            TRY(arena_string(ctx, &system->arena, names[i], strlen(names[i]), &system->names[i]));
done:
    if (status == COSET_OK)
        *builder_out = self;
    else
        system_builder_free(self);
    return status;
}

coset_status system_builder_add_monomial(system_builder *self, int64_t row, int32_t monomial,
                                         number coefficient)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    int64_t need = self->n_terms + 1;
    if (number_is_zero(coefficient)) return COSET_OK;
    if (need > SYSTEM_MAX_TERMS)
        FAIL(ctx, COSET_ELIMIT, "a system of more than %d terms", SYSTEM_MAX_TERMS);
    TRY(ctx_reserve(ctx, &self->row, &self->row_capacity, need, sizeof *self->row));
    TRY(ctx_reserve(ctx, &self->monomial, &self->monomial_capacity, need, sizeof *self->monomial));
    TRY(ctx_reserve(ctx, &self->coefficient, &self->coefficient_capacity, need,
                    sizeof *self->coefficient));
    self->row[self->n_terms] = (int32_t)row;
    self->monomial[self->n_terms] = monomial;
    self->coefficient[self->n_terms] = coefficient;
    self->n_terms = need;
done:
    return status;
}

coset_status system_builder_add(system_builder *self, int64_t row, const factor *factors,
                                int64_t n_factors, number coefficient)
{
    int32_t monomial = 0;
    coset_status status =
        monomials_intern(self->ctx, &self->monomials, factors, n_factors, &monomial);
    if (status != COSET_OK) return status;
    return system_builder_add_monomial(self, row, monomial, coefficient);
}

/* Gives the monomials of the terms ids in the order of the terms, because a table that also served
 * products holds many that came up only on the way. old_of [*used_out] lists the old ids. */
static void renumber(system_builder *self, int32_t *new_of, int32_t *old_of, int64_t *used_out)
{
    int64_t used = 0;
    for (int64_t m = 0; m < self->monomials.count; m++) new_of[m] = -1;
    for (int64_t t = 0; t < self->n_terms; t++) {
        int32_t old = self->monomial[t];
        if (new_of[old] < 0) {
            old_of[used] = old;
            new_of[old] = (int32_t)used++;
        }
        self->monomial[t] = new_of[old];
    }
    *used_out = used;
}

/* Adds up the terms in `order` (by row, then monomial) into the system's arrays. */
static coset_status sum_terms(system_builder *self, const int64_t *order)
{
    ode_system *system = self->system;
    coset_status status = COSET_OK;
    int64_t distinct = 0, kept = 0;
    for (int64_t i = 0; i < self->n_terms; i++) {
        int64_t t = order[i], before = i > 0 ? order[i - 1] : t;
        distinct += i == 0 || self->row[t] != self->row[before] ||
                    self->monomial[t] != self->monomial[before];
    }
    TRY(ctx_alloc(self->ctx, system->n + 1, sizeof *system->row_start, &system->row_start));
    TRY(ctx_alloc_raw(self->ctx, distinct, sizeof *system->monomial, &system->monomial));
    TRY(ctx_alloc_raw(self->ctx, distinct, sizeof *system->coefficient, &system->coefficient));
    for (int64_t i = 0; i < self->n_terms;) {
        int32_t row = self->row[order[i]], monomial = self->monomial[order[i]];
        number sum = self->coefficient[order[i++]];
        for (; i < self->n_terms && self->row[order[i]] == row &&
               self->monomial[order[i]] == monomial;
             i++)
            sum = number_add(sum, self->coefficient[order[i]]);
        if (!isfinite(sum.value))
            FAIL(self->ctx, COSET_ENUMERIC, "a coefficient in d(%s) is not finite",
                 system->names[row] != NULL ? system->names[row] : "?");
        if (number_is_zero(sum)) continue;
        system->monomial[kept] = monomial;
        system->coefficient[kept++] = number_settle(sum);
        system->row_start[row + 1] = kept;
    }
    for (int64_t r = 0; r < system->n; r++)
        if (system->row_start[r + 1] < system->row_start[r])
            system->row_start[r + 1] = system->row_start[r];
done:
    return status;
}

/* Copies the monomials that stand in a term; the ids close ranks, so rows stay in order. */
static coset_status copy_monomials(system_builder *self, const int32_t *old_of, int64_t used,
                                   int32_t *new_of)
{
    coset_ctx *ctx = self->ctx;
    ode_system *system = self->system;
    const monomials *table = &self->monomials;
    coset_status status = COSET_OK;
    int64_t terms = system->row_start[system->n], count = 0, n_factors = 0;
    for (int64_t m = 0; m < used; m++) new_of[m] = -1;
    for (int64_t t = 0; t < terms; t++) new_of[system->monomial[t]] = 0;
    for (int64_t m = 0; m < used; m++) {
        if (new_of[m] < 0) continue;
        new_of[m] = (int32_t)count++;
        n_factors += table->start[old_of[m] + 1] - table->start[old_of[m]];
    }
    system->n_monomials = count;
    TRY(ctx_alloc_raw(ctx, count + 1, sizeof *system->factor_start, &system->factor_start));
    TRY(ctx_alloc_raw(ctx, n_factors, sizeof *system->factors, &system->factors));
    n_factors = count = 0;
    system->factor_start[0] = 0;
    for (int64_t m = 0; m < used; m++) {
        if (new_of[m] < 0) continue;
        for (int64_t f = table->start[old_of[m]]; f < table->start[old_of[m] + 1]; f++)
            system->factors[n_factors++] = table->factors[f];
        system->factor_start[++count] = n_factors;
    }
    for (int64_t t = 0; t < terms; t++) system->monomial[t] = new_of[system->monomial[t]];
done:
    return status;
}

coset_status system_builder_finish(system_builder *self, ode_system **system_out)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    int64_t used = 0, *by_monomial = NULL, *order = NULL;
    int32_t *new_of = NULL, *old_of = NULL;
    *system_out = NULL;
    TRY(ctx_alloc_raw(ctx, self->monomials.count, sizeof *new_of, &new_of));
    TRY(ctx_alloc_raw(ctx, self->monomials.count, sizeof *old_of, &old_of));
    renumber(self, new_of, old_of, &used);
    TRY(ctx_alloc_raw(ctx, self->n_terms, sizeof *by_monomial, &by_monomial));
    TRY(ctx_alloc_raw(ctx, self->n_terms, sizeof *order, &order));
    TRY(buckets_sort(ctx, self->monomial, used, NULL, self->n_terms, by_monomial));
    TRY(buckets_sort(ctx, self->row, self->system->n, by_monomial, self->n_terms, order));
    TRY(sum_terms(self, order));
    TRY(copy_monomials(self, old_of, used, new_of));
    *system_out = self->system;
    self->system = NULL;
done:
    ctx_free(ctx, new_of);
    ctx_free(ctx, old_of);
    ctx_free(ctx, by_monomial);
    ctx_free(ctx, order);
    system_builder_free(self);
    return status;
}
