#include "api/affine.h"

#include <stdlib.h>

static coset_status make_room(affine_sum *self, int64_t variables)
{
    coset_status status = COSET_OK;
    if (variables <= self->sum_capacity && variables <= self->present_capacity &&
        variables <= self->list_capacity)
        return COSET_OK;
    TRY(ctx_reserve(self->ctx, &self->sum, &self->sum_capacity, variables, sizeof *self->sum));
    TRY(ctx_reserve(self->ctx, &self->present, &self->present_capacity, variables,
                    sizeof *self->present));
    TRY(ctx_reserve(self->ctx, &self->list, &self->list_capacity, variables, sizeof *self->list));
done:
    return status;
}

coset_status affine_sum_add(affine_sum *self, const affine *form, number factor)
{
    if (number_is_zero(factor)) return COSET_OK;
    if (form->n > 0) {
        coset_status status = make_room(self, (int64_t)form->terms[form->n - 1].variable + 1);
        if (status != COSET_OK) return status;
    }
    if (self->n == 0) self->ascending = true;
    self->constant = number_add(self->constant, number_mul(form->constant, factor));
    for (int64_t t = 0; t < form->n; t++) {
        int32_t v = form->terms[t].variable;
        number term = number_mul(form->terms[t].coefficient, factor);
        if (self->present[v]) {
            self->sum[v] = number_add(self->sum[v], term);
            continue;
        }
        self->present[v] = true;
        self->sum[v] = term;
        self->ascending = self->ascending && (self->n == 0 || self->list[self->n - 1] < v);
        self->list[self->n++] = v;
    }
    return COSET_OK;
}

static int compare_variables(const void *a, const void *b)
{
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

coset_status affine_sum_take(affine_sum *self, affine *form_out)
{
    affine_term *terms = NULL;
    int64_t n = 0, kept = 0;
    coset_status status = COSET_OK;
    if (!self->ascending && self->n > 1)
        qsort(self->list, (size_t)self->n, sizeof *self->list, compare_variables);
    for (int64_t i = 0; i < self->n; i++) kept += !number_is_zero(self->sum[self->list[i]]);
    self->made += kept;
    if (self->made > AFFINE_MAX_TERMS)
        FAIL(self->ctx, COSET_ELIMIT, "the equations have over %lld terms",
             (long long)AFFINE_MAX_TERMS);
    TRY(arena_alloc(self->ctx, self->into, kept, sizeof *terms, &terms));
    for (int64_t i = 0; i < self->n; i++) {
        int32_t v = self->list[i];
        if (!number_is_zero(self->sum[v])) terms[n++] = (affine_term){v, self->sum[v]};
    }
    *form_out = (affine){terms, n, self->constant};
done:
    for (int64_t i = 0; i < self->n; i++) self->present[self->list[i]] = false;
    self->n = 0;
    self->constant = (number){0, 0};
    return status;
}

void affine_sum_free(affine_sum *self)
{
    ctx_free(self->ctx, self->sum);
    ctx_free(self->ctx, self->present);
    ctx_free(self->ctx, self->list);
}

coset_status affine_variable(coset_ctx *ctx, arena *into, int32_t variable, affine *form_out)
{
    affine_term *term = NULL;
    coset_status status = arena_alloc(ctx, into, 1, sizeof *term, &term);
    if (status != COSET_OK) return status;
    *term = (affine_term){variable, number_of(1)};
    *form_out = (affine){term, 1, {0, 0}};
    return COSET_OK;
}

int32_t affine_is_variable(const affine *form)
{
    bool single = form->n == 1 && number_is_zero(form->constant) &&
                  number_equal(form->terms[0].coefficient, number_of(1));
    return single ? form->terms[0].variable : -1;
}

affine affine_shift(affine form, number by)
{
    form.constant = number_add(form.constant, by);
    return form;
}

bool affine_equal(const affine *a, const affine *b)
{
    if (a->n != b->n || !number_equal(a->constant, b->constant)) return false;
    for (int64_t t = 0; t < a->n; t++)
        if (a->terms[t].variable != b->terms[t].variable ||
            !number_equal(a->terms[t].coefficient, b->terms[t].coefficient))
            return false;
    return true;
}

double affine_value(const affine *form, const double *values)
{
    double sum = form->constant.value;
    for (int64_t t = 0; t < form->n; t++)
        sum += form->terms[t].coefficient.value * values[form->terms[t].variable];
    return sum;
}
