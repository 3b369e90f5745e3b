#include "ode/constraints.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void constraints_free(constraints *self)
{
    if (self == NULL) return;
    coset_ctx *ctx = self->ctx;
    ctx_free(ctx, self->start);
    ctx_free(ctx, self->part);
    ctx_free(ctx, self->coefficient);
    ctx_free(ctx, self->origins);
    monomials_free(ctx, &self->contexts);
    monomials_free(ctx, &self->parts);
    ctx_free(ctx, self);
}

static double power(double base, int32_t exponent)
{
    double result = 1;
    for (; exponent > 0; exponent /= 2, base *= base)
        if (exponent % 2 != 0) result *= base;
    return result;
}

void constraints_evaluate(const constraints *self, const double *p, double *part_values,
                          double *error_out, double *magnitude_out)
{
    const monomials *parts = &self->parts;
    for (int64_t m = 0; m < parts->count; m++) {
        part_values[m] = 1;
        for (int64_t f = parts->start[m]; f < parts->start[m + 1]; f++)
            part_values[m] *= power(p[parts->factors[f].id], parts->factors[f].power);
    }
    for (int64_t e = 0; e < self->n_equations; e++) {
        double error = 0, magnitude = 0;
        for (int64_t t = self->start[e]; t < self->start[e + 1]; t++) {
            double value = self->coefficient[t] * part_values[self->part[t]];
            error += value;
            magnitude += fabs(value);
        }
        error_out[e] = error;
        magnitude_out[e] = fmax(magnitude_out[e], magnitude);
    }
}

int64_t constraints_entries(const constraints *self)
{
    int64_t entries = 0;
    for (int64_t t = 0; t < self->start[self->n_equations]; t++)
        entries += self->parts.start[self->part[t] + 1] - self->parts.start[self->part[t]];
    return entries;
}

/* Derivative of a monomial of symbols by the symbol of its factor f. */
static double derivative(const monomials *parts, int64_t monomial, int64_t f, const double *p)
{
    double value = 1;
    for (int64_t g = parts->start[monomial]; g < parts->start[monomial + 1]; g++) {
        const factor *at = &parts->factors[g];
        value *= g == f ? at->power * power(p[at->id], at->power - 1) : power(p[at->id], at->power);
    }
    return value;
}

/* Scales a row to norm 1, safe from overflow; returns the norm, 1 for a row of zeros. */
static double normalise(double *value, int64_t count)
{
    double most = 0, sum = 0;
    for (int64_t i = 0; i < count; i++) most = fmax(most, fabs(value[i]));
    if (most == 0) return 1;
    for (int64_t i = 0; i < count; i++) sum += value[i] / most * (value[i] / most);
    double length = most * sqrt(sum);
    for (int64_t i = 0; i < count; i++) value[i] /= length;
    return length;
}

void constraints_linearise(const constraints *self, const double *p, int64_t *start,
                           int32_t *column, double *value, double *scale_out, int64_t *scratch)
{
    const monomials *parts = &self->parts;
    int64_t used = 0;
    for (int64_t e = 0; e < self->n_equations; e++) {
        start[e] = used;
        for (int64_t t = self->start[e]; t < self->start[e + 1]; t++) {
            int64_t m = self->part[t];
            for (int64_t f = parts->start[m]; f < parts->start[m + 1]; f++) {
                int32_t symbol = parts->factors[f].id;
                if (scratch[symbol] < 0) {
                    scratch[symbol] = used;
                    column[used] = symbol;
                    value[used++] = 0;
                }
                value[scratch[symbol]] += self->coefficient[t] * derivative(parts, m, f, p);
            }
        }
        for (int64_t i = start[e]; i < used; i++) scratch[column[i]] = -1;
        scale_out[e] = normalise(value + start[e], used - start[e]);
    }
    start[self->n_equations] = used;
}

/* Appends to a text of `size` bytes as far as it has room. */
static void append(char *text, size_t size, size_t *used, const char *format, ...)
    COSET_PRINTF(4, 5);
static void append(char *text, size_t size, size_t *used, const char *format, ...)
{
    va_list arguments;
    if (*used + 1 >= size) return;
    va_start(arguments, format);
    int written = vsnprintf(text + *used, size - *used, format, arguments);
    va_end(arguments);
    if (written > 0) *used += (size_t)written;
}

static const char *name_of(const constraints *self, int64_t id)
{
    return self->system->names[id] != NULL ? self->system->names[id] : "?";
}

void constraints_describe(const constraints *self, const constraint_origin *origin, char *text,
                          size_t size)
{
    bool ordered = origin->member < origin->centre;
    const char *first_name = name_of(self, ordered ? origin->member : origin->centre);
    const char *second_name = name_of(self, ordered ? origin->centre : origin->member);
    const monomials *contexts = &self->contexts;
    int64_t first = contexts->start[origin->monomial], last = contexts->start[origin->monomial + 1];
    size_t used = 0;
    if (size > 0) text[0] = '\0';
    if (self->kind == EQUIVALENCE_BACKWARD) {
        append(text, size, &used, "the equations of %.60s and %.60s differ at ", first_name,
               second_name);
    } else {
        const partition *blocks = self->blocks;
        int64_t head = blocks->members[blocks->start[origin->block]];
        append(text, size, &used,
               "the derivatives by %.60s and %.60s of the sum over the block of %.60s differ at ",
               first_name, second_name, name_of(self, head));
    }
    for (int64_t f = first; f < last; f++) {
        append(text, size, &used, "%s%.60s", f > first ? "*" : "",
               name_of(self, contexts->factors[f].id));
        if (contexts->factors[f].power > 1)
            append(text, size, &used, "^%d", contexts->factors[f].power);
    }
    if (first == last) append(text, size, &used, "1");
}
