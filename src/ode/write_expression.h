/* Expressions as text. */
#ifndef COSET_ODE_WRITE_EXPRESSION_H
#define COSET_ODE_WRITE_EXPRESSION_H

#include "ode/model.h"
#include "ode/text_buffer.h"

/* With no more parentheses than reading it back as the same expression takes (numbers below 0 come back
 * with a sign, fractions as a division). A number that is not finite fails the buffer: COSET_ENUMERIC. */
void write_expression(text_buffer *into, const ode_model *model, const expression *self);
void write_number(text_buffer *into, number value);

#endif
