#include "ode/reduce.h"

#include "ode/builder.h"

/* A quotient that is being built. */
typedef struct quotient {
    const ode_system *system;
    const partition *blocks;
    system_builder *builder;
    int32_t *monomial; /* [n_monomials] id in the builder's table, -1: it vanishes */
} quotient;

static int64_t representative(const partition *blocks, int64_t block)
{
    return blocks->members[blocks->start[block]];
}

static coset_status open_builder(quotient *self, equivalence kind)
{
    const ode_system *system = self->system;
    const partition *blocks = self->blocks;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t n = blocks->n_blocks, symbols = system->n_symbols;
    const char **names = NULL;
    number *initial = NULL;
    TRY(ctx_alloc_raw(ctx, n + symbols, sizeof *names, &names));
    TRY(ctx_alloc_raw(ctx, n + symbols, sizeof *initial, &initial));
    for (int64_t b = 0; b < n; b++) {
        names[b] = system->names[representative(blocks, b)];
        initial[b] = system->initial[representative(blocks, b)];
        if (kind == EQUIVALENCE_BACKWARD) continue;
        for (int64_t i = blocks->start[b] + 1; i < blocks->start[b + 1]; i++)
            initial[b] = number_add(initial[b], system->initial[blocks->members[i]]);
    }
    for (int64_t s = 0; s < symbols; s++) {
        names[n + s] = system->names[system->n + s];
        initial[n + s] = system->initial[system->n + s];
    }
    TRY(system_builder_new(ctx, n, symbols, names, initial, &self->builder));
done:
    ctx_free(ctx, names);
    ctx_free(ctx, initial);
    return status;
}

/* Monomials in terms of blocks: every variable becomes its block's, but forward those that are not
 * representatives become 0. */
static coset_status map_monomials(quotient *self, equivalence kind)
{
    const ode_system *system = self->system;
    const partition *blocks = self->blocks;
    coset_ctx *ctx = system->ctx;
    coset_status status = COSET_OK;
    int64_t capacity = 0;
    factor *mapped = NULL;
    TRY(ctx_alloc_raw(ctx, system->n_monomials, sizeof *self->monomial, &self->monomial));
    for (int64_t m = 0; m < system->n_monomials; m++) {
        int64_t begin = system->factor_start[m], n = system->factor_start[m + 1] - begin;
        bool vanishes = false;
        TRY(ctx_reserve(ctx, &mapped, &capacity, n, sizeof *mapped));
        for (int64_t f = 0; f < n; f++) {
            factor from = system->factors[begin + f];
            bool symbol = from.id >= system->n;
            int64_t block = symbol ? 0 : blocks->block_of[from.id];
            vanishes = vanishes || (!symbol && kind == EQUIVALENCE_FORWARD &&
                                    representative(blocks, block) != from.id);
            int64_t id = symbol ? from.id - system->n + blocks->n_blocks : block;
            mapped[f] = (factor){(int32_t)id, from.power};
        }
        self->monomial[m] = -1;
        if (!vanishes)
            TRY(monomials_intern(ctx, &self->builder->monomials, mapped, n, &self->monomial[m]));
    }
done:
    ctx_free(ctx, mapped);
    return status;
}

static coset_status add_rows(quotient *self, equivalence kind)
{
    const ode_system *system = self->system;
    const partition *blocks = self->blocks;
    coset_status status = COSET_OK;
    for (int64_t row = 0; row < system->n; row++) {
        int64_t block = blocks->block_of[row];
        if (kind == EQUIVALENCE_BACKWARD && representative(blocks, block) != row) continue;
        for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
            int32_t monomial = self->monomial[system->monomial[t]];
            if (monomial < 0) continue;
            TRY(system_builder_add_monomial(self->builder, block, monomial,
                                            system->coefficient[t]));
        }
    }
done:
    return status;
}

coset_status system_reduce(const ode_system *system, equivalence kind, const partition *blocks,
                           ode_system **reduced_out)
{
    coset_status status = COSET_OK;
    quotient self = {.system = system, .blocks = blocks};
    *reduced_out = NULL;
    TRY(open_builder(&self, kind));
    TRY(map_monomials(&self, kind));
    TRY(add_rows(&self, kind));
    status = system_builder_finish(self.builder, reduced_out);
    self.builder = NULL;
done:
    system_builder_free(self.builder);
    ctx_free(system->ctx, self.monomial);
    return status;
}
