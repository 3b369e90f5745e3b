/* Names in models. */
#ifndef COSET_ODE_MODEL_NAMES_H
#define COSET_ODE_MODEL_NAMES_H

#include "ode/model.h"

/* A letter or _, then letters, digits, _; no word of the language that could not be told from a name. */
bool name_is_valid(const char *name, size_t length);
/* The parameter or variable whose name is nearest to `word`; NULL if none is close. Lent. */
const char *model_nearest(const ode_model *model, const char *word);

#endif
