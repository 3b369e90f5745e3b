#include <math.h>
#include <stdio.h>

#include "ode/builder.h"
#include "ode/evaluate.h"
#include "ode/polynomial.h"
#include "ode/symbols.h"
#include "ode/write_expression.h"

/* A few nodes can stand for a huge polynomial, so the budget grows with the model's text: a small file
 * is refused soon, and a large one has room. */
enum { BASE_TERMS = 1 << 18, TERMS_PER_NODE = 256, BASE_STEPS = 1 << 22, STEPS_PER_NODE = 1024 };

enum { LONGEST_TERM = 80 }; /* bytes of an offending term in a message */

/* What a reaction adds to a variable each time it fires. */
typedef struct change {
    int32_t variable;
    int64_t net;
} change;

typedef struct expansion {
    const ode_model *model;
    coset_ctx *ctx;
    system_builder *builder;
    polynomial_ring ring;
    int64_t terms_max;
    number *values;        /* [n_parameters] */
    parameter_role *roles; /* [n_parameters] */
    int32_t *symbol;       /* [n_parameters] factor id of a symbol */
    polynomial *derived;   /* [n_parameters] of those whose expression is put in */
    change *changes;       /* [n_changes] of the reaction at hand */
    int64_t n_changes, changes_capacity;
    int64_t *net; /* [n_variables] 0 between reactions */
} expansion;

/* One level of nesting: the polynomial of the part of a left spine that was climbed so far. */
typedef struct ascent {
    expansion *of;
    polynomial value;
} ascent;

static coset_status expand(expansion *self, const expression *node, polynomial *out);

/* ---- errors ---- */

/* Puts a place before an error of the budget that does not know its own. */
static coset_status locate(const expansion *self, coset_status status, text_place place)
{
    char text[256];
    if (status != COSET_ELIMIT) return status;
    snprintf(text, sizeof text, "%.255s", self->ctx->error);
    return place_fail(self->ctx, status, NULL, place, "%s", text);
}

/* Fails with the start of the offending term as text. */
static coset_status not_polynomial(const expansion *self, const expression *node)
{
    text_buffer text = {.ctx = self->ctx};
    write_expression(&text, self->model, node);
    coset_status status = text.status;
    bool cut = text.length > LONGEST_TERM;
    if (status == COSET_OK)
        status = place_fail(self->ctx, COSET_EUNSUPPORTED, NULL, node->place,
                            "\"%.*s%s\" is not polynomial", cut ? LONGEST_TERM : (int)text.length,
                            text.bytes, cut ? "..." : "");
    ctx_free(self->ctx, text.bytes);
    return status;
}

/* ---- operators ---- */

static coset_status set_constant(ascent *self, number value, const expression *node)
{
    if (!isfinite(value.value))
        return place_fail(self->of->ctx, COSET_EFORMAT, NULL, node->place,
                          "the value is not finite");
    polynomial_free(&self->of->ring, &self->value);
    return polynomial_constant(&self->of->ring, value, &self->value);
}

static coset_status divide(ascent *self, polynomial *by, const expression *node)
{
    expansion *of = self->of;
    coset_status status = COSET_OK;
    bool is_constant = false;
    number divisor = {0, 0}, quotient = {0, 0};
    TRY(polynomial_is_constant(&of->ring, by, &is_constant, &divisor));
    if (!is_constant) return not_polynomial(of, node);
    /* A single coefficient is divided, so that 1/3 is rounded once; of many, what they share. */
    number *dividend =
        self->value.count == 1 ? &self->value.terms[0].coefficient : &self->value.scale;
    if (!number_div(*dividend, divisor, &quotient))
        return place_fail(of->ctx, COSET_EFORMAT, NULL, node->right->place, "division by zero");
    *dividend = quotient;
done:
    return status;
}

static coset_status raise_power(ascent *self, polynomial *exponent, const expression *node)
{
    expansion *of = self->of;
    coset_status status = COSET_OK;
    bool is_constant = false;
    number base = {0, 0}, power = {0, 0}, value = {0, 0};
    int64_t whole = 0;
    TRY(polynomial_is_constant(&of->ring, exponent, &is_constant, &power));
    if (!is_constant) return not_polynomial(of, node);
    bool is_whole = number_is_whole(power, &whole);
    TRY(polynomial_is_constant(&of->ring, &self->value, &is_constant, &base));
    if (!is_constant) {
        if (!is_whole && power.value > MODEL_MAX_DEGREE && trunc(power.value) == power.value)
            return ctx_fail(of->ctx, COSET_ELIMIT, "a power over %d", (int)MODEL_MAX_DEGREE);
        if (!is_whole || whole < 0) return not_polynomial(of, node);
        return polynomial_power(&of->ring, &self->value, whole);
    }
    if (is_whole && !number_power(base, whole, &value))
        return place_fail(of->ctx, COSET_EFORMAT, NULL, node->place, "a negative power of zero");
    if (!is_whole) {
        double rounded = pow(base.value, power.value);
        if (!isfinite(rounded))
            return place_fail(of->ctx, COSET_EFORMAT, NULL, node->place,
                              "a power that is not a finite real number");
        value = number_of(rounded);
    }
    TRY(set_constant(self, value, node));
done:
    return status;
}

/* min, max and abs, of constants only. right is NULL for abs. */
static coset_status choose(ascent *self, polynomial *right, const expression *node)
{
    expansion *of = self->of;
    coset_status status = COSET_OK;
    bool left_constant = false, right_constant = true;
    number a = {0, 0}, b = {0, 0};
    TRY(polynomial_is_constant(&of->ring, &self->value, &left_constant, &a));
    if (right != NULL) TRY(polynomial_is_constant(&of->ring, right, &right_constant, &b));
    if (!left_constant || !right_constant) return not_polynomial(of, node);
    if (node->kind == EXPRESSION_ABS) b = number_negate(a);
    bool first = (a.value < b.value) == (node->kind == EXPRESSION_MIN);
    TRY(set_constant(self, first ? a : b, node));
done:
    return status;
}

static coset_status operate(ascent *self, polynomial *right, const expression *node)
{
    polynomial_ring *ring = &self->of->ring;
    switch (node->kind) {
    case EXPRESSION_ADD: return polynomial_add(ring, &self->value, right, false);
    case EXPRESSION_SUB: return polynomial_add(ring, &self->value, right, true);
    case EXPRESSION_MUL: return polynomial_multiply(ring, &self->value, right);
    case EXPRESSION_DIV: return divide(self, right, node);
    case EXPRESSION_POWER: return raise_power(self, right, node);
    case EXPRESSION_NEGATE: self->value.scale = number_negate(self->value.scale); return COSET_OK;
    default: return choose(self, node->right != NULL ? right : NULL, node);
    }
}

static coset_status name(ascent *self, name_id id)
{
    expansion *of = self->of;
    if (name_is_variable(id))
        return polynomial_factor(&of->ring, (int32_t)name_index(id), &self->value);
    switch (of->roles[id]) {
    case ROLE_SYMBOL: return polynomial_factor(&of->ring, of->symbol[id], &self->value);
    case ROLE_DERIVED: return polynomial_copy(&of->ring, &of->derived[id], &self->value);
    case ROLE_VALUE: break;
    }
    return polynomial_constant(&of->ring, of->values[id], &self->value);
}

static coset_status visit(void *user, const expression *node)
{
    ascent *self = user;
    expansion *of = self->of;
    coset_status status = COSET_OK;
    polynomial right = polynomial_zero();
    if (node->kind == EXPRESSION_NUMBER) {
        status = polynomial_constant(&of->ring, node->number, &self->value);
    } else if (node->kind == EXPRESSION_NAME) {
        status = name(self, node->name);
    } else {
        if (node->right != NULL) TRY(expand(of, node->right, &right));
        status = operate(self, &right, node);
    }
    status = locate(of, status, node->place);
done:
    polynomial_free(&of->ring, &right);
    return status;
}

/* The polynomial of an expression; the caller frees it, also on failure. Recurses into right operands
 * only, which the parser does not nest deeply. */
static coset_status expand(expansion *self, const expression *node, polynomial *out)
{
    ascent run = {self, polynomial_zero()};
    coset_status status = expression_climb(node, visit, &run);
    *out = run.value;
    return status;
}

/* ---- right-hand sides ---- */

/* Room for terms * rows more, which stand in the builder. */
static coset_status check_terms(const expansion *self, int64_t terms, int64_t rows)
{
    if (terms * rows <= self->terms_max - self->builder->n_terms) return COSET_OK;
    return ctx_fail(self->ctx, COSET_ELIMIT, "the system has more than %lld terms",
                    (long long)self->terms_max);
}

static number scaled(const polynomial *self, int64_t term)
{
    return number_mul(self->scale, self->terms[term].coefficient);
}

static coset_status check_finite(const expansion *self, const polynomial *value, text_place place)
{
    for (int64_t t = 0; t < value->count; t++)
        if (!isfinite(scaled(value, t).value))
            return place_fail(self->ctx, COSET_ENUMERIC, NULL, place,
                              "a coefficient is not finite");
    return COSET_OK;
}

static coset_status add_equation(expansion *self, int64_t row)
{
    const model_variable *variable = &self->model->variables[row];
    coset_status status = COSET_OK;
    polynomial value = polynomial_zero();
    if (variable->equation == NULL) return COSET_OK;
    TRY(expand(self, variable->equation, &value));
    TRY(check_finite(self, &value, variable->equation->place));
    TRY(locate(self, check_terms(self, value.count, 1), variable->equation->place));
    for (int64_t t = 0; t < value.count; t++)
        TRY(system_builder_add_monomial(self->builder, row, value.terms[t].monomial,
                                        scaled(&value, t)));
done:
    polynomial_free(&self->ring, &value);
    return status;
}

/* What one firing does to every variable that it changes, and the product of the reagents for mass
 * action, else 1. */
static coset_status read_sides(expansion *self, const model_reaction *reaction,
                               int32_t *reagents_out)
{
    coset_status status = COSET_OK;
    int64_t n = (int64_t)reaction->n_reagents + reaction->n_products, n_factors = 0;
    factor *factors = NULL;
    TRY(ctx_reserve(self->ctx, &self->changes, &self->changes_capacity, n, sizeof *self->changes));
    TRY(ctx_alloc_raw(self->ctx, reaction->n_reagents, sizeof *factors, &factors));
    self->n_changes = 0;
    for (int64_t i = 0; i < n; i++) {
        bool reagent = i < reaction->n_reagents;
        reaction_side side =
            reagent ? reaction->reagents[i] : reaction->products[i - reaction->n_reagents];
        self->changes[i] = (change){side.variable, 0};
        self->net[side.variable] += reagent ? -side.count : side.count;
        if (reagent && side.count > 0 && !reaction->arbitrary)
            factors[n_factors++] = (factor){side.variable, side.count};
    }
    /* Where a variable stands first it takes its net change along; later it finds 0. */
    for (int64_t i = 0; i < n; i++) {
        int32_t variable = self->changes[i].variable;
        if (self->net[variable] == 0) continue;
        self->changes[self->n_changes++] = (change){variable, self->net[variable]};
        self->net[variable] = 0;
    }
    TRY(monomials_intern(self->ctx, self->ring.table, factors, n_factors, reagents_out));
done:
    ctx_free(self->ctx, factors);
    return status;
}

static coset_status add_term(expansion *self, const polynomial *rate, int64_t term,
                             int32_t reagents)
{
    coset_status status = COSET_OK;
    int32_t monomial = 0;
    number speed = scaled(rate, term);
    TRY(monomials_product(self->ctx, self->ring.table, rate->terms[term].monomial, reagents,
                          &monomial));
    for (int64_t i = 0; i < self->n_changes; i++)
        TRY(system_builder_add_monomial(
            self->builder, self->changes[i].variable, monomial,
            number_mul(speed, number_of((double)self->changes[i].net))));
done:
    return status;
}

static coset_status add_reaction(expansion *self, const model_reaction *reaction)
{
    coset_status status = COSET_OK;
    int32_t reagents = 0;
    polynomial rate = polynomial_zero();
    TRY(expand(self, reaction->rate, &rate));
    TRY(check_finite(self, &rate, reaction->rate->place));
    status = read_sides(self, reaction, &reagents);
    if (status == COSET_OK) status = check_terms(self, rate.count, self->n_changes);
    for (int64_t t = 0; t < rate.count && status == COSET_OK; t++)
        status = add_term(self, &rate, t, reagents);
    status = locate(self, status, reaction->place);
done:
    polynomial_free(&self->ring, &rate);
    return status;
}

/* ---- the whole model ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Values and roles of the parameters, and the builder with its names. */
static coset_status open_expansion(expansion *self, bool symbols)
{
    const ode_model *model = self->model;
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    int64_t n = model->n_variables, n_parameters = model->n_parameters, n_symbols = 0, nodes = 0;
    const char **names = NULL;
    number *initial = NULL;
    TRY(ctx_alloc(ctx, n_parameters, sizeof *self->values, &self->values));
    TRY(ctx_alloc(ctx, n_parameters, sizeof *self->roles, &self->roles));
    TRY(ctx_alloc(ctx, n_parameters, sizeof *self->symbol, &self->symbol));
    TRY(ctx_alloc(ctx, n_parameters, sizeof *self->derived, &self->derived));
    TRY(ctx_alloc(ctx, n, sizeof *self->net, &self->net));
    TRY(ctx_alloc(ctx, n + n_parameters, sizeof *names, &names));
    TRY(ctx_alloc(ctx, n + n_parameters, sizeof *initial, &initial));
    TRY(model_parameter_values(model, self->values));
    TRY(model_initial_values(model, self->values, initial));
    TRY(symbols_choose(model, symbols, self->values, self->roles, &nodes));
    for (int64_t v = 0; v < n; v++) names[v] = model->variables[v].name;
    for (int64_t p = 0; p < n_parameters; p++) {
        if (self->roles[p] != ROLE_SYMBOL) continue;
        names[n + n_symbols] = model->parameters[p].name;
        initial[n + n_symbols] = self->values[p];
        self->symbol[p] = (int32_t)(n + n_symbols++);
    }
    TRY(system_builder_new(ctx, n, n_symbols, names, initial, &self->builder));
    self->terms_max = least(SYSTEM_MAX_TERMS, BASE_TERMS + TERMS_PER_NODE * nodes);
    self->ring = (polynomial_ring){
        .ctx = ctx,
        .table = &self->builder->monomials,
        .steps_left = least(SYSTEM_MAX_STEPS, BASE_STEPS + STEPS_PER_NODE * nodes),
        .terms_left = self->terms_max,
        .monomials_max = self->terms_max,
    };
done:
    ctx_free(ctx, names);
    ctx_free(ctx, initial);
    return status;
}

static coset_status expand_model(expansion *self)
{
    const ode_model *model = self->model;
    coset_status status = COSET_OK;
    /* In the order of declaration, so that a chain of parameters needs no recursion. */
    for (int64_t p = 0; p < model->n_parameters; p++)
        if (self->roles[p] == ROLE_DERIVED)
            TRY(expand(self, model->parameters[p].value, &self->derived[p]));
    for (int64_t v = 0; !model->is_network && v < model->n_variables; v++)
        TRY(add_equation(self, v));
    for (int64_t r = 0; model->is_network && r < model->n_reactions; r++)
        TRY(add_reaction(self, &model->reactions[r]));
done:
    return status;
}

coset_status system_from_model(const ode_model *model, bool symbols, ode_system **system_out)
{
    coset_ctx *ctx = model->ctx;
    coset_status status = COSET_OK;
    expansion self = {.model = model, .ctx = ctx, .ring = {.ctx = ctx}};
    *system_out = NULL;
    TRY(open_expansion(&self, symbols));
    TRY(expand_model(&self));
    /* What the products used is free for what the sums need. */
    polynomial_ring_free(&self.ring);
    status = system_builder_finish(self.builder, system_out);
    self.builder = NULL;
done:
    for (int64_t p = 0; self.derived != NULL && p < model->n_parameters; p++)
        polynomial_free(&self.ring, &self.derived[p]);
    polynomial_ring_free(&self.ring);
    system_builder_free(self.builder);
    ctx_free(ctx, self.values);
    ctx_free(ctx, self.roles);
    ctx_free(ctx, self.symbol);
    ctx_free(ctx, self.derived);
    ctx_free(ctx, self.changes);
    ctx_free(ctx, self.net);
    return status;
}
