#include "ode/monomials.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_factors(const factor *factors, int64_t n)
{
    uint64_t hash = 14695981039346656037u;
    for (int64_t i = 0; i < n; i++) {
        uint64_t pair = (uint64_t)(uint32_t)factors[i].id << 32 | (uint32_t)factors[i].power;
        hash = (hash ^ pair) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return (uint32_t)(hash ^ hash >> 29);
}

/* Position of the scratch monomial's slot, or of the empty one where it belongs. */
static int64_t find(const monomials *self, const factor *factors, int64_t n, uint32_t hash)
{
    uint64_t mask = (uint64_t)self->slots_capacity - 1;
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        int64_t known = (int64_t)self->slots[at] - 1;
        if (known < 0) return (int64_t)at;
        if (self->hashes[known] != hash || self->start[known + 1] - self->start[known] != n)
            continue;
        if (n == 0 ||
            memcmp(self->factors + self->start[known], factors, (size_t)n * sizeof *factors) == 0)
            return (int64_t)at;
    }
}

static coset_status grow_slots(coset_ctx *ctx, monomials *self)
{
    int64_t capacity = self->slots_capacity ? 2 * self->slots_capacity : 64;
    int32_t *slots = NULL;
    coset_status status = ctx_alloc(ctx, capacity, sizeof *slots, &slots);
    if (status != COSET_OK) return status;
    for (int64_t m = 0; m < self->count; m++) {
        uint64_t at = self->hashes[m] & (uint64_t)(capacity - 1);
        while (slots[at] != 0) at = (at + 1) & (uint64_t)(capacity - 1);
        slots[at] = (int32_t)m + 1;
    }
    ctx_free(ctx, self->slots);
    self->slots = slots;
    self->slots_capacity = capacity;
    return COSET_OK;
}

static int by_id(const void *left, const void *right)
{
    int32_t a = ((const factor *)left)->id, b = ((const factor *)right)->id;
    return (a > b) - (a < b);
}

/* Sorts the scratch factors, joins equal ones and checks degrees. Monomials are nearly always short
 * and sorted already. */
static coset_status normalise(coset_ctx *ctx, monomials *self, int64_t n, int64_t *n_out)
{
    factor *f = self->scratch;
    bool sorted = true;
    int64_t kept = 0, degree = 0;
    for (int64_t i = 1; i < n; i++) sorted = sorted && f[i - 1].id < f[i].id;
    if (!sorted) qsort(f, (size_t)n, sizeof *f, by_id);
    for (int64_t i = 0; i < n; i++) {
        int64_t power = f[i].power;
        bool joins = kept > 0 && f[kept - 1].id == f[i].id;
        if (power == 0) continue;
        if (f[i].id < self->n_variables && (degree += power) > MODEL_MAX_DEGREE)
            return ctx_fail(ctx, COSET_ELIMIT, "a monomial has a degree over %d", MODEL_MAX_DEGREE);
        if (joins) power += f[kept - 1].power;
        if (power > MONOMIALS_MAX_SYMBOL_POWER)
            return ctx_fail(ctx, COSET_ELIMIT, "a parameter has a power over %d",
                            MONOMIALS_MAX_SYMBOL_POWER);
        f[joins ? kept - 1 : kept] = (factor){f[i].id, (int32_t)power};
        kept += !joins;
    }
    *n_out = kept;
    return COSET_OK;
}

static coset_status append(coset_ctx *ctx, monomials *self, int64_t n, uint32_t hash)
{
    coset_status status = COSET_OK;
    int64_t begin = self->count > 0 ? self->start[self->count] : 0;
    if (self->count >= INT32_MAX - 1) FAIL(ctx, COSET_ELIMIT, "more than 2^31 monomials");
    TRY(ctx_reserve(ctx, &self->start, &self->start_capacity, self->count + 2,
                    sizeof *self->start));
    TRY(ctx_reserve(ctx, &self->hashes, &self->hashes_capacity, self->count + 1,
                    sizeof *self->hashes));
    TRY(ctx_reserve(ctx, &self->factors, &self->factors_capacity, begin + n,
                    sizeof *self->factors));
    if (n > 0) memcpy(self->factors + begin, self->scratch, (size_t)n * sizeof *self->factors);
    self->hashes[self->count] = hash;
    self->start[self->count] = begin;
    self->start[++self->count] = begin + n;
done:
    return status;
}

static coset_status intern_scratch(coset_ctx *ctx, monomials *self, int64_t n, int32_t *id_out)
{
    coset_status status = COSET_OK;
    TRY(normalise(ctx, self, n, &n));
    uint32_t hash = hash_factors(self->scratch, n);
    if (2 * (self->count + 1) > self->slots_capacity) TRY(grow_slots(ctx, self));
    int64_t at = find(self, self->scratch, n, hash);
    if (self->slots[at] == 0) {
        TRY(append(ctx, self, n, hash));
        self->slots[at] = (int32_t)self->count;
    }
    *id_out = self->slots[at] - 1;
done:
    return status;
}

static coset_status reserve_scratch(coset_ctx *ctx, monomials *self, int64_t n)
{
    return ctx_reserve(ctx, &self->scratch, &self->scratch_capacity, n, sizeof *self->scratch);
}

coset_status monomials_intern(coset_ctx *ctx, monomials *self, const factor *factors,
                              int64_t n_factors, int32_t *id_out)
{
    coset_status status = reserve_scratch(ctx, self, n_factors);
    if (status != COSET_OK) return status;
    if (n_factors > 0) memcpy(self->scratch, factors, (size_t)n_factors * sizeof *self->scratch);
    return intern_scratch(ctx, self, n_factors, id_out);
}

coset_status monomials_product(coset_ctx *ctx, monomials *self, int32_t a, int32_t b,
                               int32_t *id_out)
{
    const int64_t *start = self->start;
    int64_t n_a = start[a + 1] - start[a], n_b = start[b + 1] - start[b];
    if (n_a == 0 || n_b == 0) {
        *id_out = n_a == 0 ? b : a;
        return COSET_OK;
    }
    coset_status status = reserve_scratch(ctx, self, n_a + n_b);
    if (status != COSET_OK) return status;
    const factor *left = self->factors + start[a], *left_end = left + n_a;
    const factor *right = self->factors + start[b], *right_end = right + n_b;
    factor *to = self->scratch;
    /* Merged, so that normalise has nothing to sort unless factors are shared. */
    while (left < left_end && right < right_end) {
        if (left->id == right->id) {
            *to = *left++;
            to++->power += right++->power;
        } else {
            *to++ = left->id < right->id ? *left++ : *right++;
        }
    }
    while (left < left_end) *to++ = *left++;
    while (right < right_end) *to++ = *right++;
    return intern_scratch(ctx, self, to - self->scratch, id_out);
}

coset_status monomials_power(coset_ctx *ctx, monomials *self, int32_t a, int64_t exponent,
                             int32_t *id_out)
{
    int64_t begin = self->start[a], n = self->start[a + 1] - begin;
    coset_status status = reserve_scratch(ctx, self, n);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < n; i++) {
        factor f = self->factors[begin + i];
        int64_t limit = f.id < self->n_variables ? MODEL_MAX_DEGREE : MONOMIALS_MAX_SYMBOL_POWER;
        /* One over the limit is enough for the error, without an overflow. */
        int64_t power = exponent > limit ? limit + 1 : f.power * exponent;
        self->scratch[i] = (factor){f.id, (int32_t)(power > limit ? limit + 1 : power)};
    }
    return intern_scratch(ctx, self, n, id_out);
}

void monomials_free(coset_ctx *ctx, monomials *self)
{
    ctx_free(ctx, self->start);
    ctx_free(ctx, self->factors);
    ctx_free(ctx, self->hashes);
    ctx_free(ctx, self->slots);
    ctx_free(ctx, self->scratch);
    *self = (monomials){.n_variables = self->n_variables};
}
