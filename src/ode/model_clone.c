#include <string.h>

#include "ode/model.h"

static coset_status copy_text(ode_model *into, const char *text, const char **out)
{
    *out = NULL;
    if (text == NULL) return COSET_OK;
    return arena_string(into->ctx, &into->arena, text, strlen(text), out);
}

static coset_status copy_expression(ode_model *into, const expression *from, const expression **out)
{
    return expression_copy(into->ctx, &into->arena, from, out);
}

static coset_status clone_parameters(const ode_model *from, ode_model *into)
{
    coset_status status = COSET_OK;
    const expression *value = NULL;
    for (int64_t i = 0; i < from->n_parameters; i++) {
        TRY(copy_expression(into, from->parameters[i].value, &value));
        TRY(model_add_parameter(into, from->parameters[i].name, value, NULL));
        into->parameters[i].place = from->parameters[i].place;
    }
done:
    return status;
}

static coset_status clone_variables(const ode_model *from, ode_model *into)
{
    coset_status status = COSET_OK;
    for (int64_t i = 0; i < from->n_variables; i++) {
        const model_variable *variable = &from->variables[i];
        const expression *initial = NULL;
        TRY(copy_expression(into, variable->initial, &initial));
        TRY(model_add_variable(into, variable->name, initial, NULL));
        model_variable *copy = &into->variables[i];
        TRY(copy_expression(into, variable->equation, &copy->equation));
        TRY(copy_text(into, variable->comment, &copy->comment));
        copy->place = variable->place;
    }
done:
    return status;
}

static coset_status clone_reactions(const ode_model *from, ode_model *into)
{
    coset_status status = COSET_OK;
    for (int64_t i = 0; i < from->n_reactions; i++) {
        model_reaction reaction = from->reactions[i];
        TRY(copy_expression(into, reaction.rate, &reaction.rate));
        TRY(model_add_reaction(into, &reaction));
    }
done:
    return status;
}

static coset_status clone_views(const ode_model *from, ode_model *into)
{
    coset_status status = COSET_OK;
    const expression *value = NULL;
    for (int64_t i = 0; i < from->n_views; i++) {
        TRY(copy_expression(into, from->views[i].value, &value));
        TRY(model_add_view(into, from->views[i].name, value));
        into->views[i].place = from->views[i].place;
    }
done:
    return status;
}

static coset_status clone_rest(const ode_model *from, ode_model *into)
{
    coset_status status = COSET_OK;
    TRY(copy_text(into, from->header, &into->header));
    TRY(copy_text(into, from->commands, &into->commands));
    into->is_network = from->is_network;
    into->t_end = from->t_end;
    if (from->block_of == NULL) goto done;
    TRY(arena_alloc(into->ctx, &into->arena, from->n_variables, sizeof *into->block_of,
                    &into->block_of));
    memcpy(into->block_of, from->block_of, (size_t)from->n_variables * sizeof *into->block_of);
done:
    return status;
}

coset_status model_clone(const ode_model *model, ode_model **copy_out)
{
    coset_status status = COSET_OK;
    ode_model *copy = NULL;
    *copy_out = NULL;
    TRY(model_new(model->ctx, model->name, &copy));
    TRY(clone_parameters(model, copy));
    TRY(clone_variables(model, copy));
    TRY(clone_reactions(model, copy));
    TRY(clone_views(model, copy));
    TRY(clone_rest(model, copy));
    *copy_out = copy;
    copy = NULL;
done:
    model_free(copy);
    return status;
}
