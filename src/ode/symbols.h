/* Which parameters of a model can stay symbols, and how large its expressions are. */
#ifndef COSET_ODE_SYMBOLS_H
#define COSET_ODE_SYMBOLS_H

#include "ode/model.h"

typedef enum parameter_role {
    ROLE_VALUE,  /* its value is put in */
    ROLE_SYMBOL, /* stays a factor of monomials */
    ROLE_DERIVED /* its expression is put in */
} parameter_role;

/* Decides for all parameters as system_from_model documents it.
 *   symbols    false: every parameter is its value
 *   values     [n_parameters]; borrowed
 *   roles      [n_parameters] written; a derived parameter that nothing uses is a value
 *   nodes_out  nodes of all equations, rates and parameters, and entries of reactions
 * Errors: COSET_EFORMAT of expression_evaluate, in exponents; COSET_EMEMORY. Cost: nodes times
 * nesting of exponents. */
COSET_MUST_USE coset_status symbols_choose(const ode_model *model, bool symbols,
                                           const number *values, parameter_role *roles,
                                           int64_t *nodes_out);

#endif
