/* Values of expressions with their residues, as far as they are constant. */
#ifndef COSET_ODE_EVALUATE_H
#define COSET_ODE_EVALUATE_H

#include "ode/expression.h"

/* The value of an expression.
 *   parameters  [at least those that stand in it]; borrowed
 *   known_out   false if it depends on variables; value_out is then 0. NULL: it has none
 *   source      of the text, for messages; NULL: places start with the line
 * Errors: COSET_EFORMAT with the place, for a division by zero, a value that is not finite, or a power
 * that is not real, in any part of it that is constant; COSET_ELIMIT for a power over MODEL_MAX_DEGREE of
 * a part that is not. */
COSET_MUST_USE coset_status expression_evaluate(coset_ctx *ctx, const expression *self,
                                                const number *parameters, const char *source,
                                                number *value_out, bool *known_out);

/* The exponent as a whole number; false if it is none or beyond +-2^31. */
bool number_is_whole(number a, int64_t *out);

/* Fails with "[source:]line:column: ..."; the place is left out if the program made the node. */
COSET_MUST_USE coset_status place_fail(coset_ctx *ctx, coset_status status, const char *source,
                                       text_place place, const char *format, ...)
    COSET_PRINTF(5, 6);

#endif
