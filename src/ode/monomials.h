/* A table of distinct monomials, in order of first appearance. */
#ifndef COSET_ODE_MONOMIALS_H
#define COSET_ODE_MONOMIALS_H

#include "ode/system.h"

/* Highest power of a symbol in a monomial; that of variables is MODEL_MAX_DEGREE in all. */
enum { MONOMIALS_MAX_SYMBOL_POWER = 1 << 20 };

/* Zero-initialised but for n_variables is an empty table. */
typedef struct monomials {
    int64_t n_variables; /* ids below are variables, the others symbols */
    int64_t count;       /* of monomials */
    int64_t *start;   /* [count + 1] once there is one: factors of m are [start[m], start[m + 1]) */
    factor *factors;  /* by id ascending */
    uint32_t *hashes; /* [count] */
    int32_t *slots;   /* [slots_capacity], monomial + 1 or 0 */
    factor *scratch;  /* the monomial that is being looked up */
    int64_t start_capacity, factors_capacity, hashes_capacity, slots_capacity, scratch_capacity;
} monomials;

/* Id of a product of factors, which may repeat and come in any order.
 *   factors  [n_factors]; borrowed; may point into the table's own factors
 * Errors: COSET_ELIMIT (degree in variables over MODEL_MAX_DEGREE, a symbol's power, 2^31 monomials);
 * COSET_EMEMORY. Cost: n_factors log n_factors. */
COSET_MUST_USE coset_status monomials_intern(coset_ctx *ctx, monomials *self, const factor *factors,
                                             int64_t n_factors, int32_t *id_out);
/* Id of the product of two monomials of the table. */
COSET_MUST_USE coset_status monomials_product(coset_ctx *ctx, monomials *self, int32_t a, int32_t b,
                                              int32_t *id_out);
/* Id of a whole power >= 0 of a monomial of the table. */
COSET_MUST_USE coset_status monomials_power(coset_ctx *ctx, monomials *self, int32_t a,
                                            int64_t exponent, int32_t *id_out);
void monomials_free(coset_ctx *ctx, monomials *self);

#endif
