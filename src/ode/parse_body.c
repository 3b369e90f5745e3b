/* Reactions and equations. */
#include <string.h>

#include "ode/evaluate.h"
#include "ode/parse.h"

/* A stoichiometry; `now` is a number. */
static coset_status parse_count(parser *self, int32_t *count_out)
{
    coset_status status = COSET_OK;
    const token *now = &self->lexer.now;
    number value = {0, 0};
    int64_t count = 0;
    if (!number_parse(now->start, now->length, &value) || !number_is_whole(value, &count) ||
        count < 1) {
        if (value.value < 1e9) return lexer_fail(&self->lexer, "a whole number of at least 1");
        count = INT32_MAX;
    }
    if (count > MODEL_MAX_DEGREE)
        return place_fail(self->ctx, COSET_ELIMIT, self->lexer.source, now->place,
                          "a stoichiometry of more than %d", (int)MODEL_MAX_DEGREE);
    *count_out = (int32_t)count;
    TRY(lexer_next(&self->lexer));
    TRY(parse_symbol(self, '*', "'*' between a number and a variable"));
done:
    return status;
}

/* [number *] variable {+ [number *] variable} */
static coset_status parse_side(parser *self, side_list *into)
{
    coset_status status = COSET_OK;
    int64_t variable = 0;
    for (into->n = 0; into->n == 0 || lexer_is_symbol(&self->lexer, '+');) {
        reaction_side one = {0, 1};
        if (into->n > 0) TRY(lexer_next(&self->lexer));
        if (self->lexer.now.kind == TOKEN_NUMBER) TRY(parse_count(self, &one.count));
        TRY(parse_variable(self, &variable));
        one.variable = (int32_t)variable;
        TRY(ctx_reserve(self->ctx, &into->items, &into->capacity, into->n + 1,
                        sizeof *into->items));
        into->items[into->n++] = one;
    }
done:
    return status;
}

static coset_status parse_rate(parser *self, model_reaction *reaction)
{
    coset_status status = COSET_OK;
    bool hill = lexer_is_name(&self->lexer, "Hill") &&
                name_map_get(&self->model->names, "Hill", INT64_MAX) == INT64_MAX;
    if (hill)
        return place_fail(self->ctx, COSET_EUNSUPPORTED, self->lexer.source, self->lexer.now.place,
                          "Hill rates are not supported");
    reaction->arbitrary = lexer_is_name(&self->lexer, "arbitrary");
    if (reaction->arbitrary) TRY(lexer_next(&self->lexer));
    TRY(parse_expression(self, true, &reaction->rate, NULL));
    TRY(parse_brackets(self));
done:
    return status;
}

static coset_status parse_reaction(parser *self)
{
    coset_status status = COSET_OK;
    model_reaction reaction = {.place = self->lexer.now.place};
    self->reagents.n = self->products.n = 0;
    if (self->lexer.now.kind != TOKEN_ARROW) TRY(parse_side(self, &self->reagents));
    if (self->lexer.now.kind != TOKEN_ARROW) return lexer_fail(&self->lexer, "'+' or '->'");
    TRY(lexer_next(&self->lexer));
    if (!lexer_is_symbol(&self->lexer, ',')) TRY(parse_side(self, &self->products));
    TRY(parse_symbol(self, ',', "'+', or ',' and a rate"));
    TRY(parse_rate(self, &reaction));
    reaction.reagents = self->reagents.items;
    reaction.n_reagents = (int32_t)self->reagents.n;
    reaction.products = self->products.items;
    reaction.n_products = (int32_t)self->products.n;
    TRY(parse_located(self, model_add_reaction(self->model, &reaction), reaction.place));
done:
    return status;
}

coset_status parse_reactions(parser *self)
{
    coset_status status = COSET_OK;
    self->model->is_network = true;
    while (!parse_at_end(self)) {
        TRY(parse_reaction(self));
        parse_progress(self);
    }
done:
    return status;
}

static coset_status parse_equation(parser *self)
{
    coset_status status = COSET_OK;
    int64_t variable = 0;
    if (!lexer_is_name(&self->lexer, "d")) return lexer_fail(&self->lexer, "'d(' or 'end'");
    TRY(lexer_next(&self->lexer));
    TRY(parse_symbol(self, '(', "'(' behind 'd'"));
    text_place place = self->lexer.now.place;
    TRY(parse_variable(self, &variable));
    model_variable *target = &self->model->variables[variable];
    if (target->equation != NULL)
        return place_fail(self->ctx, COSET_EFORMAT, self->lexer.source, place,
                          "found a second equation of '%.64s', expected one", target->name);
    TRY(parse_symbol(self, ')', "')'"));
    TRY(parse_symbol(self, '=', "'='"));
    TRY(parse_expression(self, true, &target->equation, NULL));
done:
    return status;
}

coset_status parse_equations(parser *self)
{
    coset_status status = COSET_OK;
    while (!parse_at_end(self)) {
        TRY(parse_equation(self));
        parse_progress(self);
    }
done:
    return status;
}
