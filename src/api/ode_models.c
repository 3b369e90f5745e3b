#include "api/ode_reduction.h"

#include <math.h>
#include <string.h>

#include "report/buffer.h"

/* Columns of a comment line. */
enum { LINE = 100 };

static const char *kind_name(const ode_reduction *self)
{
    return self->kind == EQUIVALENCE_FORWARD ? "forward" : "backward";
}

/* Puts lines before the header that is there. Frees `lines`' text. */
static coset_status add_header(coset_ctx *ctx, ode_model *model, buffer *lines)
{
    coset_status status = COSET_OK;
    char *text = NULL;
    if (model->header != NULL) buffer_add(lines, "\n%s", model->header);
    TRY(buffer_take(lines, &text));
    TRY(arena_string(ctx, &model->arena, text, strlen(text), &model->header));
done:
    ctx_free(ctx, text);
    return status;
}

/* The shortest decimal of a number >= 0. */
static const char *decimal(double value, char text[NUMBER_TEXT])
{
    bool fraction = false;
    number_text(number_of_decimal(value), text, &fraction);
    return text;
}

static coset_status add_end(coset_ctx *ctx, double t_end, ode_model *model)
{
    coset_status status = COSET_OK;
    char *text = NULL, digits[NUMBER_TEXT];
    model->t_end = t_end;
    if (!isfinite(t_end)) return COSET_OK;
    TRY(ctx_format(ctx, &text, "simulateODE(tEnd=%s)", decimal(t_end, digits)));
    TRY(arena_string(ctx, &model->arena, text, strlen(text), &model->commands));
done:
    ctx_free(ctx, text);
    return status;
}

/* ---- the closest exact system ------------------------------------------------------------------ */

/* Initial values that are made from a parameter that changed go back to what they were: what is closest is
 * decided between systems that start from one state. */
static coset_status restore_initial(coset_ctx *ctx, const ode_reduction *self, ode_model *model)
{
    coset_status status = COSET_OK;
    number *parameters = NULL, *initial = NULL;
    TRY(ctx_alloc(ctx, model->n_parameters, sizeof *parameters, &parameters));
    TRY(ctx_alloc(ctx, model->n_variables, sizeof *initial, &initial));
    TRY(model_parameter_values(model, parameters));
    TRY(model_initial_values(model, parameters, initial));
    for (int64_t v = 0; v < model->n_variables; v++)
        if (initial[v].value != self->numeric->initial[v].value)
            TRY(model_set(model, model->variables[v].name, self->numeric->initial[v].value));
done:
    ctx_free(ctx, parameters);
    ctx_free(ctx, initial);
    return status;
}

static coset_status closest_parameters(coset_ctx *ctx, const coset_ode *ode,
                                       const ode_reduction *self, ode_model **model_out)
{
    coset_status status = COSET_OK;
    ode_model *model = NULL;
    const ode_system *system = self->original;
    *model_out = NULL;
    TRY(model_clone(ode->model, &model));
    for (int64_t s = 0; s < system->n_symbols; s++)
        if (self->p1[s] != self->p0[s])
            TRY(model_set(model, system->names[system->n + s], self->p1[s]));
    if (!self->exact) TRY(restore_initial(ctx, self, model));
    *model_out = model;
    model = NULL;
done:
    model_free(model);
    return status;
}

/* With coefficients of its own for every term there is nothing left of the model but its system. */
static coset_status closest_coefficients(coset_ctx *ctx, const coset_ode *ode,
                                         const ode_reduction *self, ode_model **model_out)
{
    coset_status status = COSET_OK;
    number *values = NULL;
    int64_t *same = NULL;
    ode_system *system = NULL;
    ode_model *model = NULL;
    *model_out = NULL;
    TRY(ctx_alloc(ctx, self->original->n_symbols, sizeof *values, &values));
    TRY(ctx_alloc(ctx, self->numeric->n, sizeof *same, &same));
    for (int64_t s = 0; s < self->original->n_symbols; s++)
        values[s] = self->p1[s] == self->p0[s] ? self->original->initial[self->original->n + s]
                                               : number_of_decimal(self->p1[s]);
    for (int64_t v = 0; v < self->numeric->n; v++) same[v] = v;
    TRY(system_substitute(self->original, values, NULL, &system));
    TRY(system_to_model(system, ode->model->name, &model));
    TRY(ode_views_copy(ctx, ode->model, same, model));
    TRY(add_end(ctx, ode->model->t_end, model));
    *model_out = model;
    model = NULL;
done:
    model_free(model);
    system_free(system);
    ctx_free(ctx, values);
    ctx_free(ctx, same);
    return status;
}

coset_status ode_reduction_closest(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                                   ode_model **model_out)
{
    coset_status status = COSET_OK;
    buffer lines = {.ctx = ctx};
    ode_model *model = NULL;
    *model_out = NULL;
    bool rebuilt = self->coefficients && !self->exact;
    TRY(rebuilt ? closest_coefficients(ctx, ode, self, &model)
                : closest_parameters(ctx, ode, self, &model));
    if (!self->exact) {
        buffer_add(&lines,
                   "The system closest to %s with an exact %s equivalence of %lld blocks, by coset "
                   "%s: %s changed by %.6g at most",
                   ode->model->name, kind_name(self), (long long)self->blocks.n_blocks,
                   coset_version(), self->coefficients ? "coefficients" : "parameters",
                   self->change.change_max);
        TRY(add_header(ctx, model, &lines));
    }
    *model_out = model;
    model = NULL;
done:
    model_free(model);
    return status;
}

/* ---- the reduced system ------------------------------------------------------------------------ */

/* Members of a block in lines, each behind `indent`. */
static void add_members(const ode_reduction *self, int64_t b, const char *indent, buffer *out)
{
    const partition *blocks = &self->blocks;
    const int64_t first = blocks->start[b], end = blocks->start[b + 1];
    int64_t line = out->length;
    for (int64_t k = first; k < end; k++) {
        const char *name = self->numeric->names[blocks->members[k]];
        bool wrap = k > first && out->length - line + (int64_t)strlen(name) > LINE;
        if (wrap) {
            buffer_add(out, "\n%s", indent);
            line = out->length;
        }
        buffer_add(out, "%s%s%s", k > first && !wrap ? " " : "", name, k + 1 < end ? "," : "");
    }
}

/* True if the members of a block are too many for the comment behind its variable. */
static bool is_long(const ode_reduction *self, int64_t b)
{
    const partition *blocks = &self->blocks;
    const int64_t first = blocks->start[b], end = blocks->start[b + 1];
    size_t length = 0;
    for (int64_t k = first; k < end && length <= LINE; k++)
        length += strlen(self->numeric->names[blocks->members[k]]) + 2;
    return end - first > 1 && length > LINE;
}

/* "S3: block of 2: S3, S4" behind the variable; long blocks are listed in the header. */
static coset_status block_comment(coset_ctx *ctx, const ode_reduction *self, int64_t b,
                                  ode_model *model)
{
    coset_status status = COSET_OK;
    int64_t n = self->blocks.start[b + 1] - self->blocks.start[b];
    char *text = NULL;
    buffer out = {.ctx = ctx};
    if (n == 1) return COSET_OK;
    buffer_add(&out, "%s: block of %lld", model->variables[b].name, (long long)n);
    if (is_long(self, b)) {
        buffer_add(&out, ", listed at the top");
    } else {
        buffer_add(&out, ": ");
        add_members(self, b, "", &out);
    }
    TRY(buffer_take(&out, &text));
    TRY(arena_string(ctx, &model->arena, text, strlen(text), &model->variables[b].comment));
done:
    ctx_free(ctx, text);
    return status;
}

static void reduced_header(const coset_ode *ode, const ode_reduction *self, double eps,
                           buffer *lines)
{
    bool forward = self->kind == EQUIVALENCE_FORWARD;
    char digits[NUMBER_TEXT];
    buffer_add(lines, "%s reduction of %s by coset %s: %lld of %lld variables",
               forward ? "Forward" : "Backward", ode->model->name, coset_version(),
               (long long)self->blocks.n_blocks, (long long)self->blocks.n);
    if (!self->exact)
        buffer_add(lines,
                   "\nup to eps = %s, of the closest exactly reducible system: %s changed by "
                   "%.6g at most",
                   decimal(eps, digits), self->coefficients ? "coefficients" : "parameters",
                   self->change.change_max);
    buffer_add(lines, forward ? "\nA variable is the sum of its block."
                              : "\nA variable stands for every member of its block.");
    for (int64_t b = 0; b < self->blocks.n_blocks; b++) {
        if (!is_long(self, b)) continue;
        buffer_add(lines, "\n%s: block of %lld:\n  ",
                   self->numeric->names[self->blocks.members[self->blocks.start[b]]],
                   (long long)(self->blocks.start[b + 1] - self->blocks.start[b]));
        add_members(self, b, "  ", lines);
    }
}

/* "e2" -> "e2FE", as the files of ERODE call what they reduce. */
static coset_status reduced_name(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                                 char **name_out)
{
    return ctx_format(ctx, name_out, "%s%s", ode->model->name,
                      self->kind == EQUIVALENCE_FORWARD ? "FE" : "BE");
}

coset_status ode_reduction_model(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                                 double eps, ode_model **model_out)
{
    coset_status status = COSET_OK;
    ode_model *model = NULL;
    char *name = NULL;
    buffer lines = {.ctx = ctx};
    *model_out = NULL;
    TRY(reduced_name(ctx, ode, self, &name));
    TRY(system_to_model(self->reduced, name, &model));
    reduced_header(ode, self, eps, &lines);
    TRY(add_header(ctx, model, &lines));
    for (int64_t b = 0; b < self->blocks.n_blocks; b++) TRY(block_comment(ctx, self, b, model));
    TRY(ode_reduction_views(ctx, ode->model, self, model));
    TRY(add_end(ctx, ode->model->t_end, model));
    *model_out = model;
    model = NULL;
done:
    model_free(model);
    ctx_free(ctx, name);
    return status;
}
