#include "ode/symbols.h"

#include "ode/evaluate.h"

typedef struct survey {
    const ode_model *model;
    const number *values;
    bool *used, *valued; /* [n_parameters] stands somewhere; stands where it must be a number */
    int64_t nodes;
} survey;

/* Whether a power of symbols is one of polynomials: to a whole number of bearable size. */
static coset_status is_polynomial_power(const survey *self, const expression *exponent, bool *out)
{
    number value = {0, 0};
    bool known = false;
    int64_t whole = 0;
    coset_status status =
        expression_evaluate(self->model->ctx, exponent, self->values, NULL, &value, &known);
    *out = known && number_is_whole(value, &whole) && whole >= 0 && whole <= MODEL_MAX_DEGREE;
    return status;
}

/* Walks an expression from the top down its left spine; what is right of it recurses, as deep as the
 * parser allows nesting. valued: this part must be a number or has no symbols at all. */
static coset_status walk(survey *self, const expression *node, bool valued)
{
    coset_status status = COSET_OK;
    for (; node != NULL; node = node->left) {
        bool values_right = valued;
        self->nodes++;
        switch (node->kind) {
        case EXPRESSION_NAME:
            if (name_is_variable(node->name)) break;
            self->used[node->name] = true;
            self->valued[node->name] = self->valued[node->name] || valued;
            break;
        case EXPRESSION_DIV: values_right = true; break;
        case EXPRESSION_MIN:
        case EXPRESSION_MAX:
        case EXPRESSION_ABS: valued = values_right = true; break;
        case EXPRESSION_POWER: {
            bool good = true;
            values_right = true;
            if (!valued) TRY(is_polynomial_power(self, node->right, &good));
            valued = valued || !good;
            break;
        }
        default: break;
        }
        if (node->right != NULL) TRY(walk(self, node->right, values_right));
    }
done:
    return status;
}

/* Later parameters first, so that what a parameter is used for is known when its own expression is
 * walked. */
static coset_status choose_roles(survey *self, parameter_role *roles)
{
    const ode_model *model = self->model;
    coset_status status = COSET_OK;
    for (int64_t p = model->n_parameters - 1; p >= 0; p--) {
        const expression *value = model->parameters[p].value;
        bool derived = expression_has_names(value);
        roles[p] = self->valued[p] ? ROLE_VALUE : derived ? ROLE_DERIVED : ROLE_SYMBOL;
        if (derived && !self->used[p]) {
            roles[p] = ROLE_VALUE;
            continue;
        }
        TRY(walk(self, value, self->valued[p]));
    }
done:
    return status;
}

coset_status symbols_choose(const ode_model *model, bool symbols, const number *values,
                            parameter_role *roles, int64_t *nodes_out)
{
    coset_ctx *ctx = model->ctx;
    coset_status status = COSET_OK;
    survey self = {.model = model, .values = values};
    TRY(ctx_alloc(ctx, model->n_parameters, sizeof *self.used, &self.used));
    TRY(ctx_alloc(ctx, model->n_parameters, sizeof *self.valued, &self.valued));
    for (int64_t v = 0; !model->is_network && v < model->n_variables; v++)
        TRY(walk(&self, model->variables[v].equation, !symbols));
    for (int64_t r = 0; model->is_network && r < model->n_reactions; r++) {
        const model_reaction *reaction = &model->reactions[r];
        TRY(walk(&self, reaction->rate, !symbols));
        self.nodes += reaction->n_reagents + reaction->n_products;
    }
    if (symbols) TRY(choose_roles(&self, roles));
    for (int64_t p = 0; !symbols && p < model->n_parameters; p++) roles[p] = ROLE_VALUE;
    *nodes_out = self.nodes;
done:
    ctx_free(ctx, self.used);
    ctx_free(ctx, self.valued);
    return status;
}
