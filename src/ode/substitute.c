#include <stdio.h>
#include <string.h>

#include "ode/builder.h"

/* ---- numbers for symbols ---- */

/* Monomials of a system after the substitution: a number times what is left. */
typedef struct substitution {
    const ode_system *system;
    system_builder *builder;
    const number *values; /* [n_symbols] */
    int32_t *kept;        /* [n_symbols] new factor id, -1: put in */
    int32_t *monomial;    /* [n_monomials] in the builder's table */
    number *multiplier;   /* [n_monomials] */
} substitution;

static coset_status open_substitution(substitution *self, const bool *keep)
{
    const ode_system *system = self->system;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t n = system->n, symbols = 0;
    const char **names = NULL;
    number *initial = NULL;
    TRY(ctx_alloc_raw(ctx, n + system->n_symbols, sizeof *names, &names));
    TRY(ctx_alloc_raw(ctx, n + system->n_symbols, sizeof *initial, &initial));
    TRY(ctx_alloc_raw(ctx, system->n_symbols, sizeof *self->kept, &self->kept));
    for (int64_t i = 0; i < n; i++) {
        names[i] = system->names[i];
        initial[i] = system->initial[i];
    }
    for (int64_t s = 0; s < system->n_symbols; s++) {
        self->kept[s] = -1;
        if (keep == NULL || !keep[s]) continue;
        names[n + symbols] = system->names[n + s];
        initial[n + symbols] = self->values[s];
        self->kept[s] = (int32_t)(n + symbols++);
    }
    TRY(system_builder_new(ctx, n, symbols, names, initial, &self->builder));
done:
    ctx_free(ctx, names);
    ctx_free(ctx, initial);
    return status;
}

static coset_status substitute_monomials(substitution *self)
{
    const ode_system *system = self->system;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t capacity = 0;
    factor *left = NULL;
    TRY(ctx_alloc_raw(ctx, system->n_monomials, sizeof *self->monomial, &self->monomial));
    TRY(ctx_alloc_raw(ctx, system->n_monomials, sizeof *self->multiplier, &self->multiplier));
    for (int64_t m = 0; m < system->n_monomials; m++) {
        int64_t begin = system->factor_start[m], end = system->factor_start[m + 1], n_left = 0;
        number product = {1, 1}, power = {1, 1};
        TRY(ctx_reserve(ctx, &left, &capacity, end - begin, sizeof *left));
        for (int64_t f = begin; f < end; f++) {
            factor from = system->factors[f];
            int64_t symbol = from.id - system->n;
            int32_t id = symbol < 0 ? from.id : self->kept[symbol];
            if (id >= 0)
                left[n_left++] = (factor){id, from.power};
            else if (number_power(self->values[symbol], from.power, &power))
                product = number_mul(product, power);
        }
        self->multiplier[m] = product;
        TRY(monomials_intern(ctx, &self->builder->monomials, left, n_left, &self->monomial[m]));
    }
done:
    ctx_free(ctx, left);
    return status;
}

coset_status system_substitute(const ode_system *self, const number *values, const bool *keep,
                               ode_system **system_out)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    substitution run = {.system = self,
                        .values = values != NULL ? values : self->initial + self->n};
    *system_out = NULL;
    TRY(open_substitution(&run, keep));
    TRY(substitute_monomials(&run));
    for (int64_t row = 0; row < self->n; row++) {
        for (int64_t t = self->row_start[row]; t < self->row_start[row + 1]; t++) {
            int32_t m = self->monomial[t];
            TRY(system_builder_add_monomial(run.builder, row, run.monomial[m],
                                            number_mul(self->coefficient[t], run.multiplier[m])));
        }
    }
    status = system_builder_finish(run.builder, system_out);
    run.builder = NULL;
done:
    system_builder_free(run.builder);
    ctx_free(ctx, run.kept);
    ctx_free(ctx, run.monomial);
    ctx_free(ctx, run.multiplier);
    return status;
}

/* ---- symbols for numbers ---- */

/* Underscores between "c" and the number that make the names unlike all variables'. */
static int64_t find_underscores(const ode_system *system)
{
    int64_t most = -1;
    for (int64_t i = 0; i < system->n; i++) {
        const char *name = system->names[i];
        if (name == NULL || name[0] != 'c') continue;
        size_t underscores = strspn(name + 1, "_");
        size_t digits = strspn(name + 1 + underscores, "0123456789");
        bool alike = digits > 0 && name[1 + underscores + digits] == '\0';
        if (alike && (int64_t)underscores > most) most = (int64_t)underscores;
    }
    return most + 1;
}

/* Names "c1", ... of `count` symbols behind the system's own, in the arena. */
static coset_status name_symbols(const ode_system *system, arena *into, int64_t count,
                                 const char **names)
{
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t underscores = find_underscores(system);
    char *text = NULL;
    TRY(ctx_alloc(ctx, underscores + 32, 1, &text));
    text[0] = 'c';
    memset(text + 1, '_', (size_t)underscores);
    for (int64_t s = 0; s < count; s++) {
        snprintf(text + 1 + underscores, 24, "%lld", (long long)s + 1);
        TRY(arena_string(ctx, into, text, strlen(text), &names[s]));
    }
done:
    ctx_free(ctx, text);
    return status;
}

coset_status system_free_coefficients(const ode_system *self, ode_system **system_out)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    int64_t n = self->n, terms = self->row_start[n], capacity = 0;
    arena texts = {NULL};
    const char **names = NULL;
    number *initial = NULL;
    factor *factors = NULL;
    system_builder *builder = NULL;
    *system_out = NULL;
    TRY(ctx_alloc_raw(ctx, n + terms, sizeof *names, &names));
    TRY(ctx_alloc_raw(ctx, n + terms, sizeof *initial, &initial));
    for (int64_t i = 0; i < n; i++) {
        names[i] = self->names[i];
        initial[i] = self->initial[i];
    }
    for (int64_t t = 0; t < terms; t++) initial[n + t] = self->coefficient[t];
    TRY(name_symbols(self, &texts, terms, names + n));
    TRY(system_builder_new(ctx, n, terms, names, initial, &builder));
    for (int64_t row = 0; row < n; row++) {
        for (int64_t t = self->row_start[row]; t < self->row_start[row + 1]; t++) {
            int64_t begin = self->factor_start[self->monomial[t]], count = 0;
            int64_t end = self->factor_start[self->monomial[t] + 1];
            TRY(ctx_reserve(ctx, &factors, &capacity, end - begin + 1, sizeof *factors));
            for (int64_t f = begin; f < end; f++) factors[count++] = self->factors[f];
            factors[count++] = (factor){(int32_t)(n + t), 1};
            TRY(system_builder_add(builder, row, factors, count, (number){1, 1}));
        }
    }
    status = system_builder_finish(builder, system_out);
    builder = NULL;
done:
    system_builder_free(builder);
    arena_free(ctx, &texts);
    ctx_free(ctx, names);
    ctx_free(ctx, initial);
    ctx_free(ctx, factors);
    return status;
}
