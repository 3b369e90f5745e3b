/* Sums of monomials while expressions are expanded, with a budget. */
#ifndef COSET_ODE_POLYNOMIAL_H
#define COSET_ODE_POLYNOMIAL_H

#include "ode/monomials.h"

typedef struct polynomial_term {
    number coefficient;
    int32_t monomial;
} polynomial_term;

/* scale * sum of terms. Sums are appended and factors kept in `scale`, so that a long sum or product
 * with constants costs its length; equal monomials are added up when somebody looks. Zero-initialised
 * is 0 but for scale, which is 1 by polynomial_zero. */
typedef struct polynomial {
    number scale;
    bool is_summed; /* monomials are distinct and no coefficient is 0 */
    int64_t count, capacity;
    polynomial_term *terms;
} polynomial;

/* Where polynomials are made. */
typedef struct polynomial_ring {
    coset_ctx *ctx;
    monomials *table;
    int64_t steps_left; /* on products */
    int64_t terms_left; /* terms that all polynomials may still take, and monomials of products */
    int64_t monomials_max;
    int32_t *position; /* [position_capacity] of a monomial among summed terms, plus 1; 0: none */
    int64_t position_capacity;
} polynomial_ring;

void polynomial_ring_free(polynomial_ring *self);

polynomial polynomial_zero(void);
/* Errors of all that follow: COSET_ELIMIT for the budget and what monomials_intern limits, without a
 * place; COSET_EMEMORY. */
COSET_MUST_USE coset_status polynomial_constant(polynomial_ring *ring, number value,
                                                polynomial *out);
/* One variable or symbol. */
COSET_MUST_USE coset_status polynomial_factor(polynomial_ring *ring, int32_t id, polynomial *out);
COSET_MUST_USE coset_status polynomial_copy(polynomial_ring *ring, const polynomial *from,
                                            polynomial *out);
void polynomial_free(polynomial_ring *ring, polynomial *self);

/* Adds up equal monomials. Cost: terms. */
COSET_MUST_USE coset_status polynomial_sum(polynomial_ring *ring, polynomial *self);
/* True if it is a constant; value_out (may be NULL). self becomes summed. */
COSET_MUST_USE coset_status polynomial_is_constant(polynomial_ring *ring, polynomial *self,
                                                   bool *is_constant_out, number *value_out);
void polynomial_scale(polynomial *self, number by);
/* self += sign * other; `other` may become 0. Cost: terms of other. */
COSET_MUST_USE coset_status polynomial_add(polynomial_ring *ring, polynomial *self,
                                           polynomial *other, bool minus);
/* self *= other; `other` may become 0. Cost: product of the terms unless one is a constant. */
COSET_MUST_USE coset_status polynomial_multiply(polynomial_ring *ring, polynomial *self,
                                                polynomial *other);
/* self ^= exponent >= 0. */
COSET_MUST_USE coset_status polynomial_power(polynomial_ring *ring, polynomial *self,
                                             int64_t exponent);

#endif
