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

/* *product (NULL: 1) times a factor. */
static coset_status times(ode_model *model, const expression **product, name_id id, int32_t power)
{
    coset_ctx *ctx = model->ctx;
    coset_status status = COSET_OK;
    const expression *next = NULL, *exponent = NULL;
    TRY(expression_name(ctx, &model->arena, id, &next));
    if (power > 1) {
        TRY(expression_number(ctx, &model->arena, number_of(power), &exponent));
        TRY(expression_make(ctx, &model->arena, EXPRESSION_POWER, next, exponent, &next));
    }
    if (*product != NULL)
        TRY(expression_make(ctx, &model->arena, EXPRESSION_MUL, *product, next, &next));
    *product = next;
done:
    return status;
}

/* |coefficient| * symbols * variables. */
static coset_status make_term(const ode_system *system, int64_t term, ode_model *model,
                              const expression **out)
{
    coset_status status = COSET_OK;
    const expression *product = NULL;
    number c = system->coefficient[term];
    int64_t begin = system->factor_start[system->monomial[term]];
    int64_t end = system->factor_start[system->monomial[term] + 1], symbols = begin;
    if (c.value < 0) c = number_negate(c);
    if (begin == end || c.residue != 1 || c.value != 1)
        TRY(expression_number(model->ctx, &model->arena, c, &product));
    while (symbols < end && system->factors[symbols].id < system->n) symbols++;
    for (int64_t f = symbols; f < end; f++)
        TRY(times(model, &product, system->factors[f].id - (name_id)system->n,
                  system->factors[f].power));
    for (int64_t f = begin; f < symbols; f++)
        TRY(times(model, &product, ~system->factors[f].id, system->factors[f].power));
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
        TRY(make_term(system, t, model, &term));
        if (sum != NULL)
            TRY(expression_make(ctx, &model->arena, negative ? EXPRESSION_SUB : EXPRESSION_ADD, sum,
                                term, &sum));
        else if (negative)
            TRY(expression_make(ctx, &model->arena, EXPRESSION_NEGATE, term, NULL, &sum));
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
