#include "ode/model.h"

#include <math.h>
#include <string.h>

#include "base/nearest.h"
#include "ode/evaluate.h"
#include "ode/model_names.h"

coset_status model_new(coset_ctx *ctx, const char *name, ode_model **model_out)
{
    coset_status status = COSET_OK;
    ode_model *self = NULL;
    *model_out = NULL;
    if (!name_is_valid(name, strlen(name)))
        FAIL(ctx, COSET_EFORMAT, "'%.64s' is no name for a model", name);
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->ctx = ctx;
    self->t_end = NAN;
    TRY(arena_string(ctx, &self->arena, name, strlen(name), &self->name));
    *model_out = self;
    self = NULL;
done:
    model_free(self);
    return status;
}

void model_free(ode_model *model)
{
    if (model == NULL) return;
    coset_ctx *ctx = model->ctx;
    name_map_free(ctx, &model->names);
    name_map_free(ctx, &model->view_names);
    ctx_free(ctx, model->parameters);
    ctx_free(ctx, model->variables);
    ctx_free(ctx, model->reactions);
    ctx_free(ctx, model->views);
    arena_free(ctx, &model->arena);
    ctx_free(ctx, model);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool name_is_valid(const char *name, size_t length)
{
    static const char *const words[] = {"begin", "end", "arbitrary"};
    if (length == 0 || !is_letter(name[0])) return false;
    for (int i = 0; i < 3; i++)
        if (strlen(words[i]) == length && memcmp(words[i], name, length) == 0) return false;
    for (size_t i = 1; i < length; i++)
        if (!is_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9')) return false;
    return true;
}

const char *model_nearest(const ode_model *model, const char *word)
{
    nearest best = {word, strlen(word), NULL, 0};
    for (int64_t i = 0; i < model->n_parameters; i++)
        nearest_offer(&best, model->parameters[i].name);
    for (int64_t i = 0; i < model->n_variables; i++) nearest_offer(&best, model->variables[i].name);
    return best.name;
}

/* Room for one more of `kind`. */
static coset_status make_room(ode_model *self, void *items, int64_t *capacity, int64_t count,
                              size_t size, const char *kind)
{
    if (count >= MODEL_MAX_NAMES)
        return ctx_fail(self->ctx, COSET_ELIMIT, "more than %d %ss", (int)MODEL_MAX_NAMES, kind);
    return ctx_reserve(self->ctx, items, capacity, count + 1, size);
}

/* Checks and copies a name, and gives it its value in the map. */
static coset_status declare(ode_model *self, name_map *map, const char *name, const char *kind,
                            int64_t value, const char **copy_out)
{
    coset_status status = COSET_OK;
    size_t length = strlen(name);
    if (length > MODEL_MAX_NAME)
        FAIL(self->ctx, COSET_ELIMIT, "a name of more than %d bytes", (int)MODEL_MAX_NAME);
    if (!name_is_valid(name, length))
        FAIL(self->ctx, COSET_EFORMAT, "'%.64s' is no name for a %s", name, kind);
    if (name_map_get(map, name, INT64_MAX) != INT64_MAX)
        FAIL(self->ctx, COSET_EFORMAT, "%s '%.64s' is declared already", kind, name);
    TRY(arena_string(self->ctx, &self->arena, name, length, copy_out));
    TRY(name_map_set(self->ctx, map, *copy_out, value, NULL));
done:
    return status;
}

coset_status model_add_parameter(ode_model *model, const char *name, const expression *value,
                                 name_id *id_out)
{
    int64_t n = model->n_parameters;
    const char *copy = NULL;
    coset_status status = make_room(model, &model->parameters, &model->parameters_capacity, n,
                                    sizeof *model->parameters, "parameter");
    if (status != COSET_OK) return status;
    status = declare(model, &model->names, name, "parameter", n, &copy);
    if (status != COSET_OK) return status;
    model->parameters[n] = (model_parameter){copy, value, {0, 0}};
    model->n_parameters++;
    if (id_out != NULL) *id_out = (name_id)n;
    return COSET_OK;
}

coset_status model_add_variable(ode_model *model, const char *name, const expression *initial,
                                name_id *id_out)
{
    int64_t n = model->n_variables;
    const char *copy = NULL;
    coset_status status = make_room(model, &model->variables, &model->variables_capacity, n,
                                    sizeof *model->variables, "variable");
    if (status != COSET_OK) return status;
    status = declare(model, &model->names, name, "variable", ~n, &copy);
    if (status != COSET_OK) return status;
    model->variables[n] = (model_variable){copy, initial, NULL, NULL, {0, 0}};
    model->n_variables++;
    if (id_out != NULL) *id_out = (name_id)~n;
    return COSET_OK;
}

coset_status model_add_view(ode_model *model, const char *name, const expression *value)
{
    int64_t n = model->n_views;
    const char *copy = NULL;
    coset_status status =
        make_room(model, &model->views, &model->views_capacity, n, sizeof *model->views, "view");
    if (status != COSET_OK) return status;
    status = declare(model, &model->view_names, name, "view", n, &copy);
    if (status != COSET_OK) return status;
    model->views[n] = (model_view){copy, value, {0, 0}};
    model->n_views++;
    return COSET_OK;
}

/* Checks one side and copies it. `degree` bounds the sum of the counts too: reagents are a monomial. */
static coset_status copy_side(ode_model *self, const reaction_side *side, int32_t n, bool degree,
                              const reaction_side **copy_out)
{
    coset_status status = COSET_OK;
    int64_t sum = 0;
    reaction_side *copy = NULL;
    *copy_out = NULL;
    for (int32_t i = 0; i < n; i++) {
        if (side[i].variable < 0 || side[i].variable >= self->n_variables || side[i].count < 1)
            FAIL(self->ctx, COSET_EARGUMENT, "a reaction of variables that are not there");
        sum = degree ? sum + side[i].count : side[i].count;
        if (sum > MODEL_MAX_DEGREE)
            FAIL(self->ctx, COSET_ELIMIT, "%s of more than %d",
                 degree ? "reagents" : "a stoichiometry", (int)MODEL_MAX_DEGREE);
    }
    if (n <= 0) goto done;
    TRY(arena_alloc(self->ctx, &self->arena, n, sizeof *copy, &copy));
    memcpy(copy, side, (size_t)n * sizeof *copy);
    *copy_out = copy;
done:
    return status;
}

coset_status model_add_reaction(ode_model *model, const model_reaction *reaction)
{
    coset_status status = COSET_OK;
    int64_t n = model->n_reactions;
    model_reaction copy = *reaction;
    TRY(ctx_reserve(model->ctx, &model->reactions, &model->reactions_capacity, n + 1,
                    sizeof *model->reactions));
    TRY(copy_side(model, reaction->reagents, reaction->n_reagents, true, &copy.reagents));
    TRY(copy_side(model, reaction->products, reaction->n_products, false, &copy.products));
    model->reactions[n] = copy;
    model->n_reactions++;
    model->is_network = true;
done:
    return status;
}

coset_status model_set(ode_model *model, const char *name, double value)
{
    coset_status status = COSET_OK;
    const expression *node = NULL;
    int64_t id = name_map_get(&model->names, name, INT64_MAX);
    if (!isfinite(value))
        FAIL(model->ctx, COSET_EARGUMENT, "the value of '%.64s' is not finite", name);
    if (id == INT64_MAX) {
        const char *near = model_nearest(model, name);
        FAIL(model->ctx, COSET_EARGUMENT, "no parameter or variable '%.64s'%s%.64s%s", name,
             near != NULL ? "; nearest is '" : "", near != NULL ? near : "",
             near != NULL ? "'" : "");
    }
    TRY(expression_number(model->ctx, &model->arena, number_of_decimal(value), &node));
    if (name_is_variable((name_id)id))
        model->variables[name_index((name_id)id)].initial = node;
    else
        model->parameters[id].value = node;
done:
    return status;
}

coset_status model_parameter_values(const ode_model *model, number *values_out)
{
    for (int64_t i = 0; i < model->n_parameters; i++) {
        coset_status status = expression_evaluate(model->ctx, model->parameters[i].value,
                                                  values_out, NULL, &values_out[i], NULL);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

coset_status model_initial_values(const ode_model *model, const number *parameters,
                                  number *values_out)
{
    for (int64_t i = 0; i < model->n_variables; i++) {
        values_out[i] = (number){0, 0};
        if (model->variables[i].initial == NULL) continue;
        coset_status status = expression_evaluate(model->ctx, model->variables[i].initial,
                                                  parameters, NULL, &values_out[i], NULL);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}
