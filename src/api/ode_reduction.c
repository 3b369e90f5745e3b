#include "api/ode_reduction.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A partition that was decided with exact numbers shows rounding only, far below this. */
static const double most_violation = 1e-9;

void ode_reduction_free(coset_ctx *ctx, ode_reduction *self)
{
    system_free(self->original);
    system_free(self->numeric);
    system_free(self->reduced);
    partition_free(ctx, &self->initial);
    partition_free(ctx, &self->blocks);
    ctx_free(ctx, self->p0);
    ctx_free(ctx, self->p1);
    *self = (ode_reduction){.from = NULL};
}

/* ---- the partition to refine ------------------------------------------------------------------- */

static coset_status initial_partition(coset_ctx *ctx, const coset_ode *ode, const char *text,
                                      ode_reduction *self)
{
    const ode_model *model = ode->model;
    const ode_system *system = self->numeric;
    bool has_blocks = model->block_of != NULL;
    if (text == NULL) text = has_blocks ? "file" : "one";
    if (strcmp(text, "one") == 0) {
        self->from = "one block";
        return partition_one(ctx, system->n, &self->initial);
    }
    if (strcmp(text, "initial") == 0) {
        self->from = "blocks of equal initial values";
        return partition_by_initial(system, &self->initial);
    }
    if (strcmp(text, "file") == 0 && !has_blocks)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "there is no partition in the model; 'one' and 'initial' need none");
    if (strcmp(text, "file") == 0) {
        self->from = "the model's partition";
        return partition_from_labels(ctx, model->block_of, system->n, &self->initial);
    }
    if (strchr(text, '{') == NULL)
        return ctx_fail(
            ctx, COSET_EARGUMENT,
            "the partition is one, file, initial, or blocks as \"{a, b}, {c}\", not '%s'", text);
    self->from = "the partition given";
    return partition_parse(system, text, &self->initial);
}

static coset_status refine(coset_ctx *ctx, const coset_ode_reduce_options *options,
                           ode_reduction *self)
{
    coset_status status = COSET_OK;
    partition exact = {.n = 0};
    if (!(options->eps > 0)) {
        self->exact = true;
        return partition_refine_exact(self->numeric, self->kind, &self->initial, &self->blocks);
    }
    TRY(partition_refine_eps(self->numeric, self->kind, &self->initial, options->eps,
                             options->linkage == COSET_ODE_COMPLETE ? EPS_COMPLETE : EPS_SINGLE,
                             &self->blocks, NULL));
    /* Nothing has to change if what was found is an equivalence already. */
    TRY(partition_refine_exact(self->numeric, self->kind, &self->blocks, &exact));
    self->exact = partition_equal(&exact, &self->blocks);
done:
    partition_free(ctx, &exact);
    return status;
}

/* ---- what may change --------------------------------------------------------------------------- */

static bool has_symbols(const ode_system *self, int32_t monomial)
{
    /* Factors are sorted, and symbols come behind variables. */
    int64_t begin = self->factor_start[monomial], end = self->factor_start[monomial + 1];
    return end > begin && self->factors[end - 1].id >= self->n;
}

/* Without a wish, parameters change; where no equation has any, coefficients do. */
static bool coefficients_change(const coset_ode_reduce_options *options, const ode_system *symbolic)
{
    if (!(options->eps > 0)) return false;
    if (options->perturb != NULL) return strcmp(options->perturb, "coefficients") == 0;
    for (int64_t t = 0; t < symbolic->row_start[symbolic->n]; t++)
        if (has_symbols(symbolic, symbolic->monomial[t])) return false;
    return true;
}

/* Why a word of --perturb is no symbol of the system. */
static coset_status not_free(coset_ctx *ctx, const ode_model *model, const ode_system *system,
                             const char *word)
{
    const int64_t nothing = INT64_MIN;
    int64_t id = name_map_get(&model->names, word, nothing);
    if (id == nothing) {
        char known[200] = "";
        for (int64_t s = 0; s < system->n_symbols; s++) {
            size_t used = strlen(known);
            const char *name = system->names[system->n + s];
            if (used + strlen(name) + 8 > sizeof known) {
                snprintf(known + used, sizeof known - used, ", ...");
                break;
            }
            snprintf(known + used, sizeof known - used, "%s%s", s > 0 ? ", " : "", name);
        }
        return ctx_fail(ctx, COSET_EARGUMENT, "there is no parameter '%s' to perturb; there %s %s",
                        word, known[0] != '\0' ? "are" : "is", known[0] != '\0' ? known : "none");
    }
    if (name_is_variable((name_id)id))
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "'%s' is a variable: only parameters can be perturbed", word);
    if (expression_has_names(model->parameters[id].value))
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "'%s' is made from other parameters: perturb those instead", word);
    return ctx_fail(
        ctx, COSET_EARGUMENT,
        "'%s' cannot be perturbed: it stands in a denominator, in a power, or in min, max "
        "or abs, and the equations are not polynomial in it",
        word);
}

/* Marks the symbols that "a1, a2" names. */
static coset_status read_names(coset_ctx *ctx, const ode_model *model, const ode_system *system,
                               const char *text, bool *free_out)
{
    coset_status status = COSET_OK;
    char *word = NULL;
    name_map symbols = {NULL, 0, 0};
    if (text[strspn(text, ", ")] == '\0')
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "what to perturb is all, coefficients, or names of parameters, not '%s'",
                        text);
    for (int64_t s = 0; s < system->n_symbols; s++)
        TRY(name_map_set(ctx, &symbols, system->names[system->n + s], s, NULL));
    while (*text != '\0') {
        size_t length = strcspn(text, ", ");
        if (length > 0) {
            TRY(ctx_format(ctx, &word, "%.*s", (int)length, text));
            int64_t s = name_map_get(&symbols, word, -1);
            if (s < 0) {
                status = not_free(ctx, model, system, word);
                goto done;
            }
            free_out[s] = true;
            ctx_free(ctx, word);
            word = NULL;
        }
        text += length + (text[length] != '\0');
    }
done:
    ctx_free(ctx, word);
    name_map_free(ctx, &symbols);
    return status;
}

/* ---- the closest exact system ------------------------------------------------------------------ */

static coset_status find_closest(coset_ctx *ctx, const ode_model *model, const char *perturb,
                                 ode_reduction *self)
{
    coset_status status = COSET_OK;
    bool *free = NULL;
    const ode_system *system = self->original;
    bool named = perturb != NULL && strcmp(perturb, "all") != 0 && !self->coefficients;
    TRY(ctx_alloc(ctx, system->n_symbols, sizeof *free, &free));
    if (named) TRY(read_names(ctx, model, system, perturb, free));
    if (!self->exact) {
        status = system_closest(system, self->kind, &self->blocks, named ? free : NULL, self->p1,
                                &self->change);
        if (status == COSET_ENUMERIC && !self->coefficients) {
            char text[sizeof ctx->error];
            memcpy(text, ctx->error, sizeof text);
            status =
                ctx_fail(ctx, status,
                         "%.800s; perturbing 'coefficients' instead of parameters changes every "
                         "coefficient on its own",
                         text);
        }
    }
done:
    ctx_free(ctx, free);
    return status;
}

/* The values of the closest system as numbers; those that did not change stay what they were. Decimals, so
 * that the model that is written and read again has the same. */
static coset_status closest_numbers(coset_ctx *ctx, const ode_reduction *self, number **values_out)
{
    const ode_system *system = self->original;
    number *values = NULL;
    coset_status status = ctx_alloc(ctx, system->n_symbols, sizeof *values, &values);
    *values_out = values;
    if (status != COSET_OK) return status;
    for (int64_t s = 0; s < system->n_symbols; s++)
        values[s] = self->p1[s] == self->p0[s] ? system->initial[system->n + s]
                                               : number_of_decimal(self->p1[s]);
    return COSET_OK;
}

/* Puts in the symbols that no term uses. */
static coset_status drop_unused(coset_ctx *ctx, ode_system **system)
{
    coset_status status = COSET_OK;
    bool *keep = NULL;
    ode_system *self = *system, *smaller = NULL;
    TRY(ctx_alloc(ctx, self->n_symbols, sizeof *keep, &keep));
    for (int64_t t = 0; t < self->row_start[self->n]; t++)
        for (int64_t f = self->factor_start[self->monomial[t]];
             f < self->factor_start[self->monomial[t] + 1]; f++)
            if (self->factors[f].id >= self->n) keep[self->factors[f].id - self->n] = true;
    TRY(system_substitute(self, NULL, keep, &smaller));
    system_free(self);
    *system = smaller;
done:
    ctx_free(ctx, keep);
    return status;
}

static coset_status check_violation(coset_ctx *ctx, const ode_system *closest, ode_reduction *self)
{
    int64_t worst = -1;
    coset_status status =
        system_violation(closest, self->kind, &self->blocks, &self->violation, &worst);
    if (status != COSET_OK || self->violation <= most_violation) return status;
    return ctx_fail(ctx, COSET_ECHECK,
                    "the partition is no %s equivalence: at variable '%s' coefficients differ by "
                    "%.3g of their size",
                    self->kind == EQUIVALENCE_FORWARD ? "forward" : "backward",
                    worst >= 0 ? closest->names[worst] : "?", self->violation);
}

static coset_status reduce_closest(coset_ctx *ctx, ode_reduction *self)
{
    coset_status status = COSET_OK;
    number *values = NULL;
    bool *keep = NULL;
    ode_system *closest = NULL;
    const ode_system *system = self->original;
    TRY(closest_numbers(ctx, self, &values));
    TRY(ctx_alloc(ctx, system->n_symbols, sizeof *keep, &keep));
    for (int64_t s = 0; s < system->n_symbols; s++) keep[s] = !self->coefficients;
    TRY(system_substitute(system, values, keep, &closest));
    TRY(check_violation(ctx, closest, self));
    TRY(system_reduce(closest, self->kind, &self->blocks, &self->reduced));
    TRY(drop_unused(ctx, &self->reduced));
done:
    system_free(closest);
    ctx_free(ctx, values);
    ctx_free(ctx, keep);
    return status;
}

/* ---- all of it --------------------------------------------------------------------------------- */

static coset_status check_options(coset_ctx *ctx, const coset_ode_reduce_options *options)
{
    if (options->equivalence != COSET_ODE_FORWARD && options->equivalence != COSET_ODE_BACKWARD)
        return ctx_fail(ctx, COSET_EARGUMENT, "the equivalence is forward or backward");
    if (options->linkage != COSET_ODE_SINGLE && options->linkage != COSET_ODE_COMPLETE)
        return ctx_fail(ctx, COSET_EARGUMENT, "the linkage is single or complete");
    if (!(options->eps >= 0) || !isfinite(options->eps))
        return ctx_fail(ctx, COSET_EARGUMENT, "eps must be a number of at least 0");
    return COSET_OK;
}

static coset_status prepare(coset_ctx *ctx, const coset_ode *ode,
                            const coset_ode_reduce_options *options, ode_reduction *self)
{
    coset_status status = COSET_OK;
    ode_system *symbolic = NULL;
    self->kind =
        options->equivalence == COSET_ODE_FORWARD ? EQUIVALENCE_FORWARD : EQUIVALENCE_BACKWARD;
    TRY(system_from_model(ode->model, true, &symbolic));
    self->coefficients = coefficients_change(options, symbolic);
    TRY(system_substitute(symbolic, NULL, NULL, &self->numeric));
    if (self->coefficients) {
        TRY(system_free_coefficients(self->numeric, &self->original));
    } else {
        self->original = symbolic;
        symbolic = NULL;
    }
    const ode_system *system = self->original;
    TRY(ctx_alloc(ctx, system->n_symbols, sizeof *self->p0, &self->p0));
    TRY(ctx_alloc(ctx, system->n_symbols, sizeof *self->p1, &self->p1));
    for (int64_t s = 0; s < system->n_symbols; s++)
        self->p0[s] = self->p1[s] = system->initial[system->n + s].value;
done:
    system_free(symbolic);
    return status;
}

coset_status ode_reduction_find(coset_ctx *ctx, const coset_ode *ode,
                                const coset_ode_reduce_options *options, ode_reduction *self)
{
    coset_status status = check_options(ctx, options);
    if (status != COSET_OK) return status;
    TRY(prepare(ctx, ode, options, self));
    TRY(initial_partition(ctx, ode, options->partition, self));
    TRY(refine(ctx, options, self));
    TRY(find_closest(ctx, ode->model, options->perturb, self));
    TRY(reduce_closest(ctx, self));
done:
    return ode_fail(ctx, status, ode);
}

int64_t ode_reduction_unequal(const ode_reduction *self)
{
    const partition *blocks = &self->blocks;
    const number *initial = self->numeric->initial;
    for (int64_t b = 0; b < blocks->n_blocks; b++)
        for (int64_t k = blocks->start[b] + 1; k < blocks->start[b + 1]; k++)
            if (!number_equal(initial[blocks->members[k]],
                              initial[blocks->members[blocks->start[b]]]))
                return b;
    return -1;
}

void ode_reduction_aggregate(const ode_reduction *self, const double *states, int64_t n_times,
                             double *values_out)
{
    const partition *blocks = &self->blocks;
    for (int64_t t = 0; t < n_times; t++) {
        const double *x = states + t * blocks->n;
        double *y = values_out + t * blocks->n_blocks;
        for (int64_t b = 0; b < blocks->n_blocks; b++) {
            int64_t end =
                self->kind == EQUIVALENCE_FORWARD ? blocks->start[b + 1] : blocks->start[b] + 1;
            y[b] = 0;
            for (int64_t k = blocks->start[b]; k < end; k++) y[b] += x[blocks->members[k]];
        }
    }
}

coset_status ode_reduction_warn(coset_ctx *ctx, const coset_ode *ode, const ode_reduction *self,
                                report_node *root)
{
    coset_status status = COSET_OK;
    report_node *list = NULL;
    char *text = NULL;
    TRY(report_list(ctx, root, "warnings", &list));
    if (self->kind == EQUIVALENCE_FORWARD) return COSET_OK;
    int64_t b = ode_reduction_unequal(self);
    if (b < 0) return COSET_OK;
    const partition *blocks = &self->blocks;
    TRY(ctx_format(
        ctx, &text,
        "the %lld variables of the block of '%s' do not start from one value: the reduced "
        "system follows '%s' only; refining blocks of equal initial values (--partition "
        "initial) keeps them apart",
        (long long)(blocks->start[b + 1] - blocks->start[b]),
        self->numeric->names[blocks->members[blocks->start[b]]],
        self->numeric->names[blocks->members[blocks->start[b]]]));
    ctx_log(ctx, COSET_LOG_WARNING, "%s: %s", ode_source(ode), text);
    TRY(report_add_text(ctx, list, text));
done:
    ctx_free(ctx, text);
    return status;
}
