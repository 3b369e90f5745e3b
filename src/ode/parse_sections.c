/* Parameters, initial values, partition and views. */
#include "ode/evaluate.h"
#include "ode/parse.h"

/* Fails if self->word is declared already in `map`. */
static coset_status check_fresh(parser *self, const name_map *map, text_place place)
{
    const ode_model *model = self->model;
    int64_t id = name_map_get(map, self->word, INT64_MAX);
    if (id == INT64_MAX) return COSET_OK;
    int32_t line = map == &model->view_names ? model->views[id].place.line
                   : id < 0                  ? model->variables[~id].place.line
                                             : model->parameters[id].place.line;
    return place_fail(self->ctx, COSET_EFORMAT, self->lexer.source, place,
                      "found '%.64s', expected a new name: it is declared already, at line %d",
                      self->word, line);
}

static coset_status parse_parameter(parser *self)
{
    coset_status status = COSET_OK;
    ode_model *model = self->model;
    int64_t n = model->n_parameters;
    text_place place = {0, 0};
    const expression *value = NULL;
    TRY(ctx_reserve(self->ctx, &self->values, &self->values_capacity, n + 1, sizeof *self->values));
    TRY(parse_name(self, "a parameter or 'end'", &place));
    TRY(check_fresh(self, &model->names, place));
    /* Its own value may not use it, so it is declared behind that. */
    parse_keep_word(self);
    TRY(parse_symbol(self, '=', "'='"));
    TRY(parse_expression(self, false, &value, &self->values[n]));
    TRY(parse_located(self, model_add_parameter(model, self->kept, value, NULL), place));
    model->parameters[n].place = place;
done:
    return status;
}

coset_status parse_parameters(parser *self)
{
    coset_status status = COSET_OK;
    while (!parse_at_end(self)) TRY(parse_parameter(self));
done:
    return status;
}

/* ("the name that it had where it comes from") */
static coset_status parse_original_name(parser *self, model_variable *variable)
{
    coset_status status = COSET_OK;
    TRY(parse_symbol(self, '(', "'('"));
    if (self->lexer.now.kind != TOKEN_STRING) return lexer_fail(&self->lexer, "a text in quotes");
    TRY(parse_keep(self, self->lexer.now.start + 1, self->lexer.now.length - 2,
                   &variable->comment));
    TRY(lexer_next(&self->lexer));
    TRY(parse_symbol(self, ')', "')'"));
done:
    return status;
}

static coset_status parse_initial(parser *self)
{
    coset_status status = COSET_OK;
    ode_model *model = self->model;
    text_place place = {0, 0};
    TRY(parse_name(self, model->n_variables == 0 ? "a variable" : "a variable or 'end'", &place));
    TRY(check_fresh(self, &model->names, place));
    TRY(parse_located(self, model_add_variable(model, self->word, NULL, NULL), place));
    /* No other variable is added before this one is complete. */
    model_variable *variable = &model->variables[model->n_variables - 1];
    variable->place = place;
    if (lexer_is_symbol(&self->lexer, '=')) {
        TRY(lexer_next(&self->lexer));
        TRY(parse_expression(self, false, &variable->initial, NULL));
    }
    if (lexer_is_symbol(&self->lexer, '(')) TRY(parse_original_name(self, variable));
    if (self->lexer.remark != NULL)
        TRY(parse_keep(self, self->lexer.remark, self->lexer.remark_length, &variable->comment));
done:
    return status;
}

coset_status parse_init(parser *self)
{
    coset_status status = COSET_OK;
    do {
        TRY(parse_initial(self));
    } while (!parse_at_end(self));
done:
    return status;
}

/* `now` is "{". */
static coset_status parse_block(parser *self, int64_t block)
{
    coset_status status = COSET_OK;
    ode_model *model = self->model;
    for (bool first = true; first || lexer_is_symbol(&self->lexer, ','); first = false) {
        int64_t variable = 0;
        TRY(lexer_next(&self->lexer));
        text_place place = self->lexer.now.place;
        TRY(parse_variable(self, &variable));
        if (model->block_of[variable] >= 0)
            return place_fail(self->ctx, COSET_EFORMAT, self->lexer.source, place,
                              "found '%.64s', expected a variable that is in no block yet",
                              self->word);
        model->block_of[variable] = block;
    }
    TRY(parse_symbol(self, '}', "',' or '}'"));
done:
    return status;
}

coset_status parse_partition(parser *self)
{
    coset_status status = COSET_OK;
    ode_model *model = self->model;
    int64_t blocks = 0;
    TRY(arena_alloc(self->ctx, &model->arena, model->n_variables, sizeof *model->block_of,
                    &model->block_of));
    for (int64_t v = 0; v < model->n_variables; v++) model->block_of[v] = -1;
    while (blocks == 0 ? !parse_at_end(self) : lexer_is_symbol(&self->lexer, ',')) {
        if (blocks > 0) TRY(lexer_next(&self->lexer));
        if (!lexer_is_symbol(&self->lexer, '{')) return lexer_fail(&self->lexer, "'{'");
        TRY(parse_block(self, blocks++));
    }
    if (!parse_at_end(self)) return lexer_fail(&self->lexer, "',' or 'end'");
    for (int64_t v = 0; v < model->n_variables; v++)
        if (model->block_of[v] < 0) model->block_of[v] = blocks;
done:
    return status;
}

static coset_status parse_view(parser *self)
{
    coset_status status = COSET_OK;
    ode_model *model = self->model;
    text_place place = {0, 0};
    const expression *value = NULL;
    TRY(parse_name(self, "a view or 'end'", &place));
    TRY(check_fresh(self, &model->view_names, place));
    parse_keep_word(self);
    TRY(parse_symbol(self, '=', "'='"));
    TRY(parse_expression(self, true, &value, NULL));
    TRY(parse_located(self, model_add_view(model, self->kept, value), place));
    model->views[model->n_views - 1].place = place;
done:
    return status;
}

coset_status parse_views(parser *self)
{
    coset_status status = COSET_OK;
    while (!parse_at_end(self)) TRY(parse_view(self));
done:
    return status;
}
