/* Inside of a system_builder, for the sources that build systems from monomials that they have made
 * in its table. */
#ifndef COSET_ODE_BUILDER_H
#define COSET_ODE_BUILDER_H

#include "ode/monomials.h"

struct system_builder {
    coset_ctx *ctx;
    ode_system *system; /* names and initial values; the rest comes in system_builder_finish */
    monomials monomials;
    int64_t n_terms;
    int32_t *row, *monomial; /* [n_terms] each */
    number *coefficient;
    int64_t row_capacity, monomial_capacity, coefficient_capacity;
};

/* As system_builder_add, for a monomial of the builder's table. Errors: COSET_ELIMIT; COSET_EMEMORY. */
COSET_MUST_USE coset_status system_builder_add_monomial(system_builder *self, int64_t row,
                                                        int32_t monomial, number coefficient);

#endif
