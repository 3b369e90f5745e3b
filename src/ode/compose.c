#include "ode/compose.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SIDE = 4 };

static formula keep(composer *self, coset_status status, formula made)
{
    if (status == COSET_OK) return made;
    self->status = status;
    return NULL;
}

formula compose_decimal(composer *self, const char *text)
{
    formula made = NULL;
    number value = {0, 0};
    ode_model *model = self->model;
    if (self->status != COSET_OK) return NULL;
    if (!number_parse(text, strlen(text), &value))
        return keep(self, ctx_fail(model->ctx, COSET_EARGUMENT, "%s is no constant", text), NULL);
    coset_status status = expression_number(model->ctx, &model->arena, value, &made);
    return keep(self, status, made);
}

formula compose_number(composer *self, double value)
{
    formula made = NULL;
    ode_model *model = self->model;
    if (self->status != COSET_OK) return NULL;
    coset_status status =
        expression_number(model->ctx, &model->arena, number_of_decimal(value), &made);
    return keep(self, status, made);
}

formula compose_name(composer *self, name_id id)
{
    formula made = NULL;
    ode_model *model = self->model;
    if (self->status != COSET_OK) return NULL;
    coset_status status = expression_name(model->ctx, &model->arena, id, &made);
    return keep(self, status, made);
}

formula compose_operator(composer *self, expression_kind kind, formula left, formula right)
{
    formula made = NULL;
    ode_model *model = self->model;
    if (self->status != COSET_OK) return NULL;
    coset_status status = expression_make(model->ctx, &model->arena, kind, left, right, &made);
    return keep(self, status, made);
}

name_id compose_parameter(composer *self, formula value, const char *name, ...)
{
    char text[64];
    name_id id = 0;
    va_list arguments;
    if (self->status != COSET_OK) return 0;
    va_start(arguments, name);
    vsnprintf(text, sizeof text, name, arguments);
    va_end(arguments);
    self->status = model_add_parameter(self->model, text, value, &id);
    return id;
}

name_id compose_variable(composer *self, formula initial, const char *name, ...)
{
    char text[64];
    name_id id = 0;
    va_list arguments;
    if (self->status != COSET_OK) return 0;
    va_start(arguments, name);
    vsnprintf(text, sizeof text, name, arguments);
    va_end(arguments);
    self->status = model_add_variable(self->model, text, initial, &id);
    return id;
}

void compose_view(composer *self, formula value, const char *name)
{
    if (self->status == COSET_OK) self->status = model_add_view(self->model, name, value);
}

void compose_equation(composer *self, name_id variable, formula value)
{
    if (self->status == COSET_OK) self->model->variables[name_index(variable)].equation = value;
}

static int32_t fill_side(reaction_side *side, const name_id *variables, int32_t n)
{
    for (int32_t i = 0; i < n; i++) side[i] = (reaction_side){(int32_t)name_index(variables[i]), 1};
    return n;
}

void compose_reaction(composer *self, const name_id *reagents, int32_t n_reagents,
                      const name_id *products, int32_t n_products, formula rate)
{
    reaction_side left[MAX_SIDE], right[MAX_SIDE];
    if (self->status != COSET_OK) return;
    const model_reaction reaction = {.reagents = left,
                                     .products = right,
                                     .n_reagents = fill_side(left, reagents, n_reagents),
                                     .n_products = fill_side(right, products, n_products),
                                     .rate = rate};
    self->status = model_add_reaction(self->model, &reaction);
}
