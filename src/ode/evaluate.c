#include "ode/evaluate.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "ode/model.h"

coset_status place_fail(coset_ctx *ctx, coset_status status, const char *source, text_place place,
                        const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *file = source != NULL ? source : "", *colon = source != NULL ? ":" : "";
    if (place.line == 0) return ctx_fail(ctx, status, "%.300s%s%s", file, *colon ? ": " : "", text);
    return ctx_fail(ctx, status, "%.300s%s%d:%d: %s", file, colon, place.line, place.column, text);
}

bool number_is_whole(number a, int64_t *out)
{
    if (!(fabs(a.value) <= 2147483648.0) || a.value != floor(a.value)) return false;
    *out = (int64_t)a.value;
    return number_equal(a, number_of(a.value));
}

typedef struct evaluation {
    coset_ctx *ctx;
    const number *parameters;
    const char *source;
    number value; /* of the node that was visited last */
    bool known;
} evaluation;

static coset_status evaluate(evaluation *self, const expression *node);

static coset_status fail_at(const evaluation *self, const expression *node, const char *what)
{
    return place_fail(self->ctx, COSET_EFORMAT, self->source, node->place, "%s", what);
}

static coset_status power(const evaluation *self, const expression *node, number a, number b,
                          number *out)
{
    int64_t exponent = 0;
    if (number_is_whole(b, &exponent)) {
        if (number_power(a, exponent, out)) return COSET_OK;
        return fail_at(self, node->left, "a negative power of zero");
    }
    double value = pow(a.value, b.value);
    if (!isfinite(value)) return fail_at(self, node, "a power that is not a finite real number");
    *out = number_of(value);
    return COSET_OK;
}

static coset_status combine(const evaluation *self, const expression *node, number a, number b,
                            number *out)
{
    bool first = false;
    switch (node->kind) {
    case EXPRESSION_NEGATE: *out = number_negate(a); break;
    case EXPRESSION_ABS: *out = a.value < 0 ? number_negate(a) : a; break;
    case EXPRESSION_ADD: *out = number_add(a, b); break;
    case EXPRESSION_SUB: *out = number_sub(a, b); break;
    case EXPRESSION_MUL: *out = number_mul(a, b); break;
    case EXPRESSION_DIV:
        if (!number_div(a, b, out)) return fail_at(self, node->right, "division by zero");
        break;
    case EXPRESSION_POWER: {
        coset_status status = power(self, node, a, b, out);
        if (status != COSET_OK) return status;
        break;
    }
    default: first = (a.value < b.value) == (node->kind == EXPRESSION_MIN); *out = first ? a : b;
    }
    if (!isfinite(out->value)) return fail_at(self, node, "the value is not finite");
    return COSET_OK;
}

/* The right operand of a left one that is not constant. */
static coset_status check_right(const evaluation *self, const expression *node, number right)
{
    if (node->kind == EXPRESSION_DIV && number_is_zero(right))
        return fail_at(self, node->right, "division by zero");
    if (node->kind == EXPRESSION_POWER && right.value > MODEL_MAX_DEGREE &&
        right.value == trunc(right.value))
        return place_fail(self->ctx, COSET_ELIMIT, self->source, node->place,
                          "a power of more than %d", (int)MODEL_MAX_DEGREE);
    return COSET_OK;
}

static coset_status visit(void *user, const expression *node)
{
    evaluation *self = user;
    if (node->kind == EXPRESSION_NUMBER) {
        self->value = node->number;
        self->known = true;
        return COSET_OK;
    }
    if (node->kind == EXPRESSION_NAME) {
        self->known = !name_is_variable(node->name);
        self->value = self->known ? self->parameters[node->name] : (number){0, 0};
        return COSET_OK;
    }
    evaluation right = *self;
    if (node->right != NULL) {
        coset_status status = evaluate(&right, node->right);
        if (status != COSET_OK) return status;
    }
    if (right.known && !self->known) {
        coset_status status = check_right(self, node, right.value);
        if (status != COSET_OK) return status;
    }
    self->known = self->known && right.known;
    if (self->known) return combine(self, node, self->value, right.value, &self->value);
    self->value = (number){0, 0};
    return COSET_OK;
}

static coset_status evaluate(evaluation *self, const expression *node)
{
    return expression_climb(node, visit, self);
}

coset_status expression_evaluate(coset_ctx *ctx, const expression *self, const number *parameters,
                                 const char *source, number *value_out, bool *known_out)
{
    evaluation run = {ctx, parameters, source, {0, 0}, true};
    coset_status status = evaluate(&run, self);
    *value_out = run.value;
    if (known_out != NULL)
        *known_out = run.known;
    else if (status == COSET_OK && !run.known)
        status = fail_at(&run, self, "a variable stands where a constant is expected");
    return status;
}

/* In f64 ---------------------------------------------------------------------------------------- */

typedef struct plain_evaluation {
    const double *parameters, *variables;
    double value;
} plain_evaluation;

static coset_status visit_plain(void *user, const expression *node)
{
    plain_evaluation *self = user;
    double a = self->value, b = 0;
    if (node->right != NULL) b = expression_value(node->right, self->parameters, self->variables);
    switch (node->kind) {
    case EXPRESSION_NUMBER: a = node->number.value; break;
    case EXPRESSION_NAME:
        a = (name_is_variable(node->name) ? self->variables
                                          : self->parameters)[name_index(node->name)];
        break;
    case EXPRESSION_NEGATE: a = -a; break;
    case EXPRESSION_ABS: a = fabs(a); break;
    case EXPRESSION_ADD: a += b; break;
    case EXPRESSION_SUB: a -= b; break;
    case EXPRESSION_MUL: a *= b; break;
    case EXPRESSION_DIV: a /= b; break;
    case EXPRESSION_POWER: a = pow(a, b); break;
    case EXPRESSION_MIN: a = a < b ? a : b; break;
    case EXPRESSION_MAX: a = a < b ? b : a; break;
    }
    self->value = a;
    return COSET_OK;
}

double expression_value(const expression *self, const double *parameters, const double *variables)
{
    plain_evaluation run = {parameters, variables, 0};
    /* This visitor never fails. */
    coset_status status = expression_climb(self, visit_plain, &run);
    (void)status;
    return run.value;
}
