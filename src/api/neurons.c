#include "api/neurons.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double rest_of(const neurons *self, const neuron *at)
{
    double a = affine_value(&at->a, self->rest);
    switch (at->kind) {
    case NEURON_INPUT: return at->initial;
    case NEURON_ONE: return 1;
    case NEURON_AFFINE: return a;
    case NEURON_PRODUCT: return a * affine_value(&at->b, self->rest);
    case NEURON_TANH: return tanh(self->rest[at->source]);
    case NEURON_SIGMOID: return 1 / (1 + exp(-self->rest[at->source]));
    case NEURON_POLYNOMIAL: break;
    }
    double sum = at->powers[at->degree];
    for (int k = at->degree - 1; k >= 0; k--) sum = sum * a + at->powers[k];
    return sum;
}

/* Monomials of degree k in n variables: (n + k - 1 choose k). */
static double monomials_of_degree(double n, int k)
{
    double count = 1;
    for (int i = 1; i <= k; i++) count = count * (n + i - 1) / i;
    return count;
}

static double terms_of(const affine *form)
{
    return (double)form->n + (number_is_zero(form->constant) ? 0 : 1);
}

double neuron_monomials(const neuron *self)
{
    double n = terms_of(&self->a), count = 1;
    switch (self->kind) {
    case NEURON_INPUT:
    case NEURON_ONE: return 0;
    case NEURON_AFFINE: return 1 + n;
    case NEURON_PRODUCT: return 1 + n * terms_of(&self->b);
    case NEURON_TANH:
    case NEURON_SIGMOID: return 2 * (1 + n);
    case NEURON_POLYNOMIAL: break;
    }
    for (int k = 0; k <= self->degree; k++)
        if (self->powers[k] != 0) count += monomials_of_degree(n, k);
    return count;
}

coset_status neurons_add_layer(neurons *self, const neuron_layer *layer)
{
    coset_status status = ctx_reserve(self->ctx, &self->layers, &self->layers_capacity,
                                      self->n_layers + 1, sizeof *self->layers);
    if (status != COSET_OK) return status;
    self->layers[self->n_layers] = *layer;
    self->layers[self->n_layers++].units = 0;
    return COSET_OK;
}

coset_status neurons_add(neurons *self, const neuron *given, int32_t *id_out)
{
    coset_status status = COSET_OK;
    if (self->n >= MODEL_MAX_NAMES)
        FAIL(self->ctx, COSET_ELIMIT, "more than %d neurons", (int)MODEL_MAX_NAMES);
    TRY(ctx_reserve(self->ctx, &self->all, &self->all_capacity, self->n + 1, sizeof *self->all));
    TRY(ctx_reserve(self->ctx, &self->rest, &self->rest_capacity, self->n + 1, sizeof *self->rest));
    neuron *made = &self->all[self->n];
    *made = *given;
    if (made->layer >= 0) made->unit = ++self->layers[made->layer].units;
    made->rest = self->rest[self->n] = rest_of(self, made);
    self->monomials += neuron_monomials(made);
    *id_out = (int32_t)self->n++;
done:
    return status;
}

void neurons_free(neurons *self)
{
    ctx_free(self->ctx, self->all);
    ctx_free(self->ctx, self->rest);
    ctx_free(self->ctx, self->layers);
    arena_free(self->ctx, &self->arena);
}

/* ---- equations --------------------------------------------------------------------------------- */

/* A model that is being filled. Variables are neurons, in their order. */
typedef struct filling {
    coset_ctx *ctx;
    const neurons *from;
    ode_model *model;
    const expression **names; /* [n] shared by all terms */
    const expression *one;    /* the constant's name; NULL: there is none */
} filling;

static coset_status make(const filling *self, expression_kind kind, const expression *left,
                         const expression *right, const expression **out)
{
    return expression_make(self->ctx, &self->model->arena, kind, left, right, out);
}

/* What the f64 stands for when it is read back from a file: itself, or with `fitted`, which nothing is
 * ever compared with exactly, its shortest decimal. */
static number as_written(double value, bool fitted)
{
    if (!isfinite(value)) return (number){value, 1};
    return fitted ? number_of_decimal(value) : number_of(value);
}

static coset_status literal(const filling *self, number value, const expression **out)
{
    if (!isfinite(value.value))
        return ctx_fail(self->ctx, COSET_ENUMERIC, "a coefficient is not finite");
    return expression_number(self->ctx, &self->model->arena, value, out);
}

static coset_status digit(const filling *self, int value, const expression **out)
{
    return literal(self, number_of(value), out);
}

/* Appends value * what to a sum (NULL: empty); the sign is drawn into the sum, or to the first number. */
static coset_status append(const filling *self, number value, const expression *what,
                           const expression **sum)
{
    coset_status status = COSET_OK;
    const expression *factor = NULL, *term = what;
    bool negative = value.value < 0, opens_negative = *sum == NULL && negative;
    if (fabs(value.value) != 1) {
        TRY(literal(self, negative ? number_negate(value) : value, &factor));
        if (opens_negative) TRY(make(self, EXPRESSION_NEGATE, factor, NULL, &factor));
        TRY(make(self, EXPRESSION_MUL, factor, what, &term));
    } else if (opens_negative) {
        TRY(make(self, EXPRESSION_NEGATE, what, NULL, &term));
    }
    if (*sum != NULL)
        TRY(make(self, negative ? EXPRESSION_SUB : EXPRESSION_ADD, *sum, term, sum));
    else
        *sum = term;
done:
    return status;
}

static coset_status append_form(const filling *self, const affine *form, const expression **sum)
{
    coset_status status = COSET_OK;
    if (!number_is_zero(form->constant))
        TRY(append(self, as_written(form->constant.value, false), self->one, sum));
    for (int64_t t = 0; t < form->n; t++)
        TRY(append(self, as_written(form->terms[t].coefficient.value, false),
                   self->names[form->terms[t].variable], sum));
done:
    return status;
}

/* A form as an expression of its own. */
static coset_status form_alone(const filling *self, const affine *form, const expression **out)
{
    *out = NULL;
    coset_status status = append_form(self, form, out);
    return status == COSET_OK && *out == NULL ? digit(self, 0, out) : status;
}

static coset_status append_polynomial(const filling *self, const neuron *at, const expression **sum)
{
    coset_status status = COSET_OK;
    const expression *base = NULL, *power = NULL, *term = NULL;
    TRY(form_alone(self, &at->a, &base));
    for (int k = 0; k <= at->degree; k++) {
        if (at->powers[k] == 0) continue;
        term = k == 0 ? self->one : base;
        if (k > 1) {
            TRY(digit(self, k, &power));
            TRY(make(self, EXPRESSION_POWER, base, power, &term));
        }
        TRY(append(self, as_written(at->powers[k], true), term, sum));
    }
done:
    return status;
}

/* (1 - s^2) z' or s (1 - s) z' with z' = -z + a written out. */
static coset_status follow(const filling *self, int64_t id, const expression **out)
{
    coset_status status = COSET_OK;
    const neuron *at = &self->from->all[id];
    bool is_tanh = at->kind == NEURON_TANH;
    const expression *s = self->names[id], *figure = NULL, *slope = NULL, *drift = NULL;
    const expression *square = s;
    if (is_tanh) {
        TRY(digit(self, 2, &figure));
        TRY(make(self, EXPRESSION_POWER, s, figure, &square));
    }
    TRY(digit(self, 1, &figure));
    TRY(make(self, EXPRESSION_SUB, figure, square, &slope));
    if (!is_tanh) TRY(make(self, EXPRESSION_MUL, s, slope, &slope));
    TRY(append(self, number_of(-1), self->names[at->source], &drift));
    TRY(append_form(self, &at->a, &drift));
    TRY(make(self, EXPRESSION_MUL, slope, drift, out));
done:
    return status;
}

static coset_status add_equation(const filling *self, int64_t id, const expression **out)
{
    coset_status status = COSET_OK;
    const neuron *at = &self->from->all[id];
    const expression *sum = NULL, *left = NULL, *right = NULL;
    *out = NULL;
    if (at->kind == NEURON_INPUT || at->kind == NEURON_ONE) return digit(self, 0, out);
    if (at->kind == NEURON_TANH || at->kind == NEURON_SIGMOID) return follow(self, id, out);
    TRY(append(self, number_of(-1), self->names[id], &sum));
    if (at->kind == NEURON_AFFINE) TRY(append_form(self, &at->a, &sum));
    if (at->kind == NEURON_POLYNOMIAL) TRY(append_polynomial(self, at, &sum));
    if (at->kind == NEURON_PRODUCT) {
        TRY(form_alone(self, &at->a, &left));
        TRY(form_alone(self, &at->b, &right));
        TRY(make(self, EXPRESSION_MUL, left, right, &left));
        TRY(append(self, number_of(1), left, &sum));
    }
    *out = sum;
done:
    return status;
}

/* ---- the model --------------------------------------------------------------------------------- */

static void name_of(const neurons *self, const neuron *at, char *text, size_t size)
{
    if (at->output > 0)
        snprintf(text, size, "y%lld", (long long)at->output);
    else if (at->kind == NEURON_INPUT)
        snprintf(text, size, "x%lld", (long long)at->unit);
    else if (at->kind == NEURON_ONE)
        snprintf(text, size, "one");
    else
        snprintf(text, size, "%c%d_%lld", self->layers[at->layer].prefix,
                 self->layers[at->layer].depth, (long long)at->unit);
}

static coset_status add_variables(filling *self)
{
    coset_status status = COSET_OK;
    const neurons *from = self->from;
    char text[48];
    TRY(ctx_alloc(self->ctx, from->n, sizeof *self->names, &self->names));
    for (int64_t i = 0; i < from->n; i++) {
        const neuron *at = &from->all[i];
        const expression *initial = NULL;
        name_id id = 0;
        if (at->initial != 0) TRY(literal(self, as_written(fabs(at->initial), false), &initial));
        if (at->initial < 0) TRY(make(self, EXPRESSION_NEGATE, initial, NULL, &initial));
        name_of(from, at, text, sizeof text);
        TRY(model_add_variable(self->model, text, initial, &id));
        TRY(expression_name(self->ctx, &self->model->arena, id, &self->names[i]));
        if (at->kind == NEURON_ONE) self->one = self->names[i];
    }
done:
    return status;
}

/* Blocks in order of their first members. */
static coset_status add_partition(filling *self)
{
    coset_status status = COSET_OK;
    const neurons *from = self->from;
    int64_t *block_of_layer = NULL, blocks = 0;
    TRY(arena_alloc(self->ctx, &self->model->arena, from->n, sizeof *self->model->block_of,
                    &self->model->block_of));
    TRY(ctx_alloc(self->ctx, from->n_layers, sizeof *block_of_layer, &block_of_layer));
    for (int64_t l = 0; l < from->n_layers; l++) block_of_layer[l] = -1;
    for (int64_t i = 0; i < from->n; i++) {
        const neuron *at = &from->all[i];
        bool alone = at->layer < 0 || at->output > 0;
        if (alone) {
            self->model->block_of[i] = blocks++;
            continue;
        }
        if (block_of_layer[at->layer] < 0) block_of_layer[at->layer] = blocks++;
        self->model->block_of[i] = block_of_layer[at->layer];
    }
done:
    ctx_free(self->ctx, block_of_layer);
    return status;
}

/* Letters, digits and _ of a name, the last part of a path. */
static void model_name(const char *from, char *text, size_t size)
{
    const char *last = strrchr(from, '/');
    size_t n = 0;
    if (last != NULL) from = last + 1;
    for (; *from != '\0' && *from != '.' && n + 1 < size; from++) {
        bool letter = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z');
        bool digit = *from >= '0' && *from <= '9';
        if (digit && n == 0) text[n++] = '_';
        text[n++] = letter || digit ? *from : '_';
    }
    if (n == 0) text[n++] = '_';
    text[n] = '\0';
}

coset_status neurons_to_model(const neurons *self, const char *name, const char *header,
                              ode_model **model_out)
{
    coset_status status = COSET_OK;
    filling at = {.ctx = self->ctx, .from = self};
    char text[64];
    char *line = NULL;
    *model_out = NULL;
    model_name(name, text, sizeof text);
    TRY(model_new(self->ctx, text, &at.model));
    TRY(ctx_strdup(self->ctx, header, &line));
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < ' ') *c = '?'; /* a model's file may be named anything */
    TRY(arena_string(self->ctx, &at.model->arena, line, strlen(line), &at.model->header));
    TRY(add_variables(&at));
    for (int64_t i = 0; i < self->n; i++)
        TRY(add_equation(&at, i, &at.model->variables[i].equation));
    TRY(add_partition(&at));
    *model_out = at.model;
    at.model = NULL;
done:
    model_free(at.model);
    ctx_free(self->ctx, line);
    ctx_free(self->ctx, at.names);
    return status;
}
