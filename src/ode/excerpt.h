/* Expressions in messages. */
#ifndef COSET_ODE_EXCERPT_H
#define COSET_ODE_EXCERPT_H

#include "ode/model.h"

enum { EXCERPT_SIZE = 80 };

/* An expression as text with as many bytes as fit; "..." ends it if some do not. Cost: as
 * expression_climb, so not for every node of a long sum. */
void expression_excerpt(const ode_model *model, const expression *self, char text[EXCERPT_SIZE]);

#endif
