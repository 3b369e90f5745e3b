#include "ode/context_table.h"

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The next factor from `at` on that is not left out; NULL: none. */
static const factor *next_factor(const factor *at, const factor *end, const context *self)
{
    while (at < end && (at->id == self->without[0] || at->id == self->without[1])) at++;
    return at < end ? at : NULL;
}

static const factor *first_factor(const ode_system *system, const context *self,
                                  const factor **end_out)
{
    *end_out = system->factors + system->factor_start[self->monomial + 1];
    return next_factor(system->factors + system->factor_start[self->monomial], *end_out, self);
}

static uint64_t context_hash(const ode_system *system, const context *self)
{
    const factor *end = NULL, *at = first_factor(system, self, &end);
    uint64_t sum = (uint64_t)self->degree;
    for (; at != NULL; at = next_factor(at + 1, end, self))
        sum += mix(((uint64_t)at->id << 16) + (uint64_t)at->power);
    return mix(sum);
}

static bool contexts_equal(const ode_system *system, const context *a, const context *b)
{
    if (a->hash != b->hash || a->degree != b->degree) return false;
    const factor *a_end = NULL, *b_end = NULL;
    const factor *x = first_factor(system, a, &a_end), *y = first_factor(system, b, &b_end);
    while (x != NULL && y != NULL) {
        if (x->id != y->id || x->power != y->power) return false;
        x = next_factor(x + 1, a_end, a);
        y = next_factor(y + 1, b_end, b);
    }
    return x == NULL && y == NULL;
}

/* Twice the slots; entries go in by number, as they did before. */
static coset_status grow(coset_ctx *ctx, context_table *self)
{
    int64_t n_slots = self->n_slots == 0 ? 64 : 2 * self->n_slots;
    int32_t *slots = NULL;
    coset_status status = ctx_alloc(ctx, n_slots, sizeof *slots, &slots);
    if (status != COSET_OK) return status;
    for (int64_t k = 0; k < self->count; k++) {
        uint64_t at = self->list[k].hash & (uint64_t)(n_slots - 1);
        while (slots[at] != 0) at = (at + 1) & (uint64_t)(n_slots - 1);
        slots[at] = (int32_t)(k + 1);
    }
    ctx_free(ctx, self->slots);
    self->slots = slots;
    self->n_slots = n_slots;
    return COSET_OK;
}

coset_status context_table_add(coset_ctx *ctx, context_table *self, context wanted,
                               int32_t *number_out)
{
    coset_status status = COSET_OK;
    if (self->count >= INT32_MAX - 1) FAIL(ctx, COSET_ELIMIT, "the system has too many monomials");
    if (self->n_slots < 2 * (self->count + 1)) TRY(grow(ctx, self));
    wanted.hash = context_hash(self->system, &wanted);
    uint64_t mask = (uint64_t)(self->n_slots - 1), at = wanted.hash & mask;
    for (; self->slots[at] != 0; at = (at + 1) & mask) {
        *number_out = self->slots[at] - 1;
        if (contexts_equal(self->system, &self->list[*number_out], &wanted)) goto done;
    }
    TRY(ctx_reserve(ctx, &self->list, &self->list_capacity, self->count + 1, sizeof *self->list));
    self->list[self->count] = wanted;
    *number_out = (int32_t)self->count++;
    self->slots[at] = *number_out + 1;
done:
    return status;
}

void context_table_forget(context_table *self, int64_t count)
{
    /* In reverse order of their coming, so that no chain of slots is broken. */
    while (self->count > count) {
        uint64_t mask = (uint64_t)(self->n_slots - 1);
        uint64_t at = self->list[--self->count].hash & mask;
        while (self->slots[at] != (int32_t)self->count + 1) at = (at + 1) & mask;
        self->slots[at] = 0;
    }
}

void context_table_free(coset_ctx *ctx, context_table *self)
{
    ctx_free(ctx, self->list);
    ctx_free(ctx, self->slots);
    self->list = NULL;
    self->slots = NULL;
    self->count = self->list_capacity = self->n_slots = 0;
}
