#include "ode/polynomial.h"

#include <assert.h>
#include <string.h>

static const number ONE = {1, 1};

static bool is_one(number a)
{
    return a.residue == 1 && a.value == 1;
}

void polynomial_ring_free(polynomial_ring *self)
{
    ctx_free(self->ctx, self->position);
    self->position = NULL;
}

polynomial polynomial_zero(void)
{
    return (polynomial){.scale = ONE, .is_summed = true};
}

void polynomial_free(polynomial_ring *ring, polynomial *self)
{
    ring->terms_left += self->count;
    ctx_free(ring->ctx, self->terms);
    *self = polynomial_zero();
}

static coset_status over_budget(coset_ctx *ctx)
{
    return ctx_fail(ctx, COSET_ELIMIT, "multiplied out, it has too many terms");
}

static coset_status reserve(polynomial_ring *ring, polynomial *self, int64_t more)
{
    if (more > ring->terms_left || ring->table->count > ring->monomials_max)
        return over_budget(ring->ctx);
    return ctx_reserve(ring->ctx, &self->terms, &self->capacity, self->count + more,
                       sizeof *self->terms);
}

static void put(polynomial_ring *ring, polynomial *self, int32_t monomial, number coefficient)
{
    self->terms[self->count++] = (polynomial_term){coefficient, monomial};
    ring->terms_left--;
}

static coset_status one_term(polynomial_ring *ring, const factor *factors, int64_t n, number value,
                             polynomial *out)
{
    coset_status status = COSET_OK;
    int32_t monomial = 0;
    *out = polynomial_zero();
    if (number_is_zero(value)) return COSET_OK;
    TRY(monomials_intern(ring->ctx, ring->table, factors, n, &monomial));
    TRY(reserve(ring, out, 1));
    put(ring, out, monomial, value);
done:
    return status;
}

coset_status polynomial_constant(polynomial_ring *ring, number value, polynomial *out)
{
    return one_term(ring, NULL, 0, value, out);
}

coset_status polynomial_factor(polynomial_ring *ring, int32_t id, polynomial *out)
{
    return one_term(ring, &(factor){id, 1}, 1, ONE, out);
}

coset_status polynomial_copy(polynomial_ring *ring, const polynomial *from, polynomial *out)
{
    *out = polynomial_zero();
    if (from->count > ring->steps_left) return over_budget(ring->ctx);
    coset_status status = reserve(ring, out, from->count);
    if (status != COSET_OK) return status;
    ring->steps_left -= from->count;
    memcpy(out->terms, from->terms, (size_t)from->count * sizeof *out->terms);
    out->count = from->count;
    out->scale = from->scale;
    out->is_summed = from->is_summed;
    ring->terms_left -= from->count;
    return COSET_OK;
}

/* ---- sums ---- */

static coset_status reserve_positions(polynomial_ring *ring)
{
    return ctx_reserve(ring->ctx, &ring->position, &ring->position_capacity, ring->table->count,
                       sizeof *ring->position);
}

coset_status polynomial_sum(polynomial_ring *ring, polynomial *self)
{
    if (self->is_summed) return COSET_OK;
    coset_status status = reserve_positions(ring);
    if (status != COSET_OK) return status;
    int64_t distinct = 0, kept = 0;
    for (int64_t t = 0; t < self->count; t++) {
        polynomial_term term = self->terms[t];
        int32_t *position = &ring->position[term.monomial];
        if (*position == 0) {
            self->terms[distinct++] = term;
            *position = (int32_t)distinct;
        } else {
            number *sum = &self->terms[*position - 1].coefficient;
            *sum = number_add(*sum, term.coefficient);
        }
    }
    for (int64_t t = 0; t < distinct; t++) {
        polynomial_term term = self->terms[t];
        ring->position[term.monomial] = 0;
        if (!number_is_zero(term.coefficient)) self->terms[kept++] = term;
    }
    ring->terms_left += self->count - kept;
    self->count = kept;
    self->is_summed = true;
    return COSET_OK;
}

static bool is_unit(const polynomial_ring *ring, int32_t monomial)
{
    return ring->table->start[monomial + 1] == ring->table->start[monomial];
}

coset_status polynomial_is_constant(polynomial_ring *ring, polynomial *self, bool *is_constant_out,
                                    number *value_out)
{
    coset_status status = polynomial_sum(ring, self);
    if (status != COSET_OK) return status;
    bool single = self->count == 1 && is_unit(ring, self->terms[0].monomial);
    *is_constant_out = self->count == 0 || single;
    if (value_out != NULL)
        *value_out = single ? number_mul(self->scale, self->terms[0].coefficient) : (number){0, 0};
    return COSET_OK;
}

void polynomial_scale(polynomial *self, number by)
{
    self->scale = is_one(self->scale) ? by : number_mul(self->scale, by);
}

/* Multiplies the coefficients out, so that terms of another scale can follow. */
static void apply_scale(polynomial *self)
{
    if (is_one(self->scale)) return;
    for (int64_t t = 0; t < self->count; t++)
        self->terms[t].coefficient = number_mul(self->scale, self->terms[t].coefficient);
    self->scale = ONE;
}

static void swap(polynomial *a, polynomial *b)
{
    polynomial keep = *a;
    *a = *b;
    *b = keep;
}

coset_status polynomial_add(polynomial_ring *ring, polynomial *self, polynomial *other, bool minus)
{
    if (minus) other->scale = number_negate(other->scale);
    if (self->count == 0) {
        swap(self, other);
        return COSET_OK;
    }
    apply_scale(self);
    apply_scale(other);
    /* Sums of constants stay one term. */
    if (self->count == 1 && other->count == 1 &&
        self->terms[0].monomial == other->terms[0].monomial) {
        number *sum = &self->terms[0].coefficient;
        *sum = number_add(*sum, other->terms[0].coefficient);
        if (number_is_zero(*sum)) polynomial_free(ring, self);
        return COSET_OK;
    }
    coset_status status = reserve(ring, self, other->count);
    if (status != COSET_OK) return status;
    for (int64_t t = 0; t < other->count; t++)
        put(ring, self, other->terms[t].monomial, other->terms[t].coefficient);
    self->is_summed = self->is_summed && other->count == 0;
    return COSET_OK;
}

/* ---- products ---- */

/* Adds the product of two summed polynomials to `out`, which stays summed but for zeros. */
static coset_status add_products(polynomial_ring *ring, const polynomial *a, const polynomial *b,
                                 polynomial *out)
{
    coset_status status = COSET_OK;
    for (int64_t i = 0; i < a->count; i++) {
        for (int64_t j = 0; j < b->count; j++) {
            int32_t monomial = 0;
            number product = number_mul(a->terms[i].coefficient, b->terms[j].coefficient);
            TRY(monomials_product(ring->ctx, ring->table, a->terms[i].monomial,
                                  b->terms[j].monomial, &monomial));
            if (monomial >= ring->position_capacity) TRY(reserve_positions(ring));
            int32_t *position = &ring->position[monomial];
            if (*position == 0) {
                TRY(reserve(ring, out, 1));
                put(ring, out, monomial, product);
                *position = (int32_t)out->count;
            } else {
                number *sum = &out->terms[*position - 1].coefficient;
                *sum = number_add(*sum, product);
            }
        }
    }
done:
    for (int64_t t = 0; t < out->count; t++) ring->position[out->terms[t].monomial] = 0;
    return status;
}

static coset_status multiply(polynomial_ring *ring, polynomial *self, const polynomial *other)
{
    coset_status status = COSET_OK;
    polynomial product = polynomial_zero();
    product.is_summed = false;
    product.scale = number_mul(self->scale, other->scale);
    /* Both counts are at most SYSTEM_MAX_TERMS. */
    int64_t steps = self->count * other->count;
    if (steps > ring->steps_left) return over_budget(ring->ctx);
    ring->steps_left -= steps;
    TRY(add_products(ring, self, other, &product));
    TRY(polynomial_sum(ring, &product));
    swap(self, &product);
done:
    polynomial_free(ring, &product);
    return status;
}

coset_status polynomial_multiply(polynomial_ring *ring, polynomial *self, polynomial *other)
{
    coset_status status = COSET_OK;
    bool is_constant = false;
    number value = {0, 0};
    TRY(polynomial_is_constant(ring, self, &is_constant, &value));
    if (is_constant)
        swap(self, other);
    else
        TRY(polynomial_is_constant(ring, other, &is_constant, &value));
    if (!is_constant) {
        status = multiply(ring, self, other);
    } else if (number_is_zero(value)) {
        polynomial_free(ring, self);
    } else {
        polynomial_scale(self, value);
    }
done:
    return status;
}

static coset_status power_of_term(polynomial_ring *ring, polynomial *self, int64_t exponent)
{
    polynomial_term *term = &self->terms[0];
    coset_status status =
        monomials_power(ring->ctx, ring->table, term->monomial, exponent, &term->monomial);
    if (status != COSET_OK) return status;
    bool good =
        number_power(number_mul(self->scale, term->coefficient), exponent, &term->coefficient);
    self->scale = ONE;
    return good ? COSET_OK : ctx_fail(ring->ctx, COSET_ELIMIT, "a power that is too high");
}

/* One factor after the other: for polynomials of few terms cheaper than squaring. */
coset_status polynomial_power(polynomial_ring *ring, polynomial *self, int64_t exponent)
{
    coset_status status = COSET_OK;
    polynomial base = polynomial_zero();
    TRY(polynomial_sum(ring, self));
    if (exponent == 0) {
        polynomial_free(ring, self);
        return polynomial_constant(ring, ONE, self);
    }
    if (exponent == 1 || self->count == 0) return COSET_OK;
    if (self->count == 1) return power_of_term(ring, self, exponent);
    if (exponent > MODEL_MAX_DEGREE)
        FAIL(ring->ctx, COSET_ELIMIT, "a power over %d of a sum", MODEL_MAX_DEGREE);
    TRY(polynomial_copy(ring, self, &base));
    for (int64_t e = 1; e < exponent; e++) TRY(multiply(ring, self, &base));
done:
    polynomial_free(ring, &base);
    return status;
}
