#include "ode/system.h"

/* A number as an expression: the language has no negative ones. */
static coset_status signed_number(ode_model *model, number value, const expression **out)
{
    coset_status status = COSET_OK;
    bool negative = value.value < 0;
    TRY(expression_number(model->ctx, &model->arena, negative ? number_negate(value) : value, out));
    if (negative)
        TRY(expression_make(model->ctx, &model->arena, EXPRESSION_NEGATE, *out, NULL, out));
done:
    return status;
}

/* name^power. */
static coset_status make_factor(ode_model *model, name_id id, int32_t power, const expression **out)
{
    coset_ctx *ctx = model->ctx;
    coset_status status = COSET_OK;
    const expression *exponent = NULL;
    TRY(expression_name(ctx, &model->arena, id, out));
    if (power > 1) {
        TRY(expression_number(ctx, &model->arena, number_of(power), &exponent));
        TRY(expression_make(ctx, &model->arena, EXPRESSION_POWER, *out, exponent, out));
    }
done:
    return status;
}

/* *product (NULL: 1) times a factor, which gets the sign if there is one. A sign stands at the first factor of
 * a product, where no parentheses are needed. */
static coset_status times(ode_model *model, const expression **product, const expression *by,
                          bool *negative)
{
    coset_ctx *ctx = model->ctx;
    coset_status status = COSET_OK;
    if (*negative) TRY(expression_make(ctx, &model->arena, EXPRESSION_NEGATE, by, NULL, &by));
    *negative = false;
    if (*product != NULL)
        TRY(expression_make(ctx, &model->arena, EXPRESSION_MUL, *product, by, &by));
    *product = by;
done:
    return status;
}

/* |coefficient| * symbols * variables; `negative`: - |coefficient| * ... */
static coset_status make_term(const ode_system *system, int64_t term, bool negative,
                              ode_model *model, const expression **out)
{
    coset_status status = COSET_OK;
    const expression *product = NULL, *by = NULL;
    number c = system->coefficient[term];
    int64_t begin = system->factor_start[system->monomial[term]];
    int64_t end = system->factor_start[system->monomial[term] + 1], symbols = begin;
    if (c.value < 0) c = number_negate(c);
    if (begin == end || c.residue != 1 || c.value != 1) {
        TRY(expression_number(model->ctx, &model->arena, c, &by));
        TRY(times(model, &product, by, &negative));
    }
    while (symbols < end && system->factors[symbols].id < system->n) symbols++;
    for (int64_t f = symbols; f < end; f++) {
        name_id id = system->factors[f].id - (name_id)system->n;
        TRY(make_factor(model, id, system->factors[f].power, &by));
        TRY(times(model, &product, by, &negative));
    }
    for (int64_t f = begin; f < symbols; f++) {
        TRY(make_factor(model, ~system->factors[f].id, system->factors[f].power, &by));
        TRY(times(model, &product, by, &negative));
    }
    *out = product;
done:
    return status;
}

/* A sum that leans to the left; 0 without terms. */
static coset_status make_equation(const ode_system *system, int64_t row, ode_model *model,
                                  const expression **out)
{
    coset_ctx *ctx = model->ctx;
    coset_status status = COSET_OK;
    const expression *sum = NULL, *term = NULL;
    if (system->row_start[row] == system->row_start[row + 1])
        TRY(expression_number(ctx, &model->arena, (number){0, 0}, &sum));
    for (int64_t t = system->row_start[row]; t < system->row_start[row + 1]; t++) {
        bool negative = system->coefficient[t].value < 0;
        TRY(make_term(system, t, negative && sum == NULL, model, &term));
        if (sum != NULL)
            TRY(expression_make(ctx, &model->arena, negative ? EXPRESSION_SUB : EXPRESSION_ADD, sum,
                                term, &sum));
        else
            sum = term;
    }
    *out = sum;
done:
    return status;
}

static coset_status add_names(const ode_system *system, ode_model *model)
{
    coset_status status = COSET_OK;
    const expression *value = NULL;
    for (int64_t i = 0; i < system->n + system->n_symbols; i++)
        if (system->names[i] == NULL)
            FAIL(model->ctx, COSET_EARGUMENT, "variable or symbol %lld has no name", (long long)i);
    for (int64_t s = 0; s < system->n_symbols; s++) {
        TRY(signed_number(model, system->initial[system->n + s], &value));
        TRY(model_add_parameter(model, system->names[system->n + s], value, NULL));
    }
    for (int64_t v = 0; v < system->n; v++) {
        value = NULL;
        if (!number_is_zero(system->initial[v]))
            TRY(signed_number(model, system->initial[v], &value));
        TRY(model_add_variable(model, system->names[v], value, NULL));
    }
done:
    return status;
}

coset_status system_to_model(const ode_system *self, const char *name, ode_model **model_out)
{
    coset_status status = COSET_OK;
    ode_model *model = NULL;
    *model_out = NULL;
    TRY(model_new(self->ctx, name, &model));
    TRY(add_names(self, model));
    for (int64_t v = 0; v < self->n; v++)
        TRY(make_equation(self, v, model, &model->variables[v].equation));
    *model_out = model;
    model = NULL;
done:
    model_free(model);
    return status;
}
