/* The functions that recurrent layers name in their attribute `activations`. */
#ifndef COSET_OPS_GATE_FUNCTIONS_H
#define COSET_OPS_GATE_FUNCTIONS_H

#include "ops/recurrent.h"

/* Functions of all directions: those of the attribute `activations`, or the defaults of `kind`.
 * activation_alpha and activation_beta give their values in order to the functions that take them.
 * Errors: COSET_EFORMAT if there are too few functions, or one has no known name. */
COSET_MUST_USE coset_status gate_functions_read(const op_node *at, const recurrent_kind *kind,
                                                int directions,
                                                gate_function (*functions_out)[GATE_FUNCTIONS]);

#endif
