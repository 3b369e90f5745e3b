/* Writing a model's expressions in C as they would stand in its file; for generated systems. */
#ifndef COSET_ODE_COMPOSE_H
#define COSET_ODE_COMPOSE_H

#include "ode/model.h"

/* The first failure is kept in `status`; expressions that follow it are NULL and do nothing. */
typedef struct composer {
    ode_model *model;
    coset_status status;
} composer;

typedef const expression *formula;

/* A decimal that is written out, ".28". */
formula compose_decimal(composer *self, const char *text);
/* The shortest decimal that is this number; finite, >= 0. */
formula compose_number(composer *self, double value);
formula compose_name(composer *self, name_id id);
formula compose_operator(composer *self, expression_kind kind, formula left, formula right);

/* Names are printf formats. */
name_id compose_parameter(composer *self, formula value, const char *name, ...) COSET_PRINTF(3, 4);
name_id compose_variable(composer *self, formula initial, const char *name, ...) COSET_PRINTF(3, 4);
void compose_view(composer *self, formula value, const char *name);
void compose_equation(composer *self, name_id variable, formula value);
/* Mass action; sides are variables, each once. */
void compose_reaction(composer *self, const name_id *reagents, int32_t n_reagents,
                      const name_id *products, int32_t n_products, formula rate);

#endif
