/* Reads bytes as an ODE model. A model that is accepted has values, comes back from what is written, written again
 * as the same text, and its system, if it is polynomial, comes back too. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ode/system.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The input must not be longer than what a run can take in a second. */
enum { MOST_TERMS = 20000 };

static void check(bool truth)
{
    if (!truth) abort();
}

static bool same_numbers(const number *a, const number *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (a[i].residue != b[i].residue || a[i].value != b[i].value) return false;
    return true;
}

static number *values_of(coset_ctx *ctx, const ode_model *model)
{
    number *values = NULL;
    int64_t n = model->n_parameters, m = model->n_variables;
    check(ctx_alloc(ctx, n + m, sizeof *values, &values) == COSET_OK);
    check(model_parameter_values(model, values) == COSET_OK);
    check(model_initial_values(model, values, values + n) == COSET_OK);
    return values;
}

static void compare_values(coset_ctx *ctx, const ode_model *a, const ode_model *b)
{
    check(a->n_parameters == b->n_parameters && a->n_variables == b->n_variables);
    check(a->n_reactions == b->n_reactions && a->n_views == b->n_views);
    check(a->t_end == b->t_end || (isnan(a->t_end) && isnan(b->t_end)));
    number *x = values_of(ctx, a), *y = values_of(ctx, b);
    check(same_numbers(x, y, a->n_parameters + a->n_variables));
    ctx_free(ctx, x);
    ctx_free(ctx, y);
}

static void compare_systems(const ode_model *a, const ode_model *b)
{
    ode_system *x = NULL, *y = NULL;
    coset_status status = system_from_model(a, false, &x);
    check(system_from_model(b, false, &y) == status);
    if (status == COSET_OK) {
        int64_t terms = x->row_start[x->n];
        check(x->n == y->n && x->n_monomials == y->n_monomials);
        check(terms == y->row_start[y->n]);
        check(memcmp(x->monomial, y->monomial, (size_t)terms * sizeof *x->monomial) == 0);
        check(same_numbers(x->coefficient, y->coefficient, terms));
    }
    system_free(x);
    system_free(y);
}

static void compare(coset_ctx *ctx, const ode_model *model, size_t size)
{
    ode_model *back = NULL, *copy = NULL;
    char *text = NULL, *again = NULL;
    size_t length = 0, length_again = 0;
    check(model_clone(model, &copy) == COSET_OK);
    check(model_text(copy, &text, &length) == COSET_OK);
    check(model_parse(ctx, text, length, "written", &back) == COSET_OK);
    check(model_text(back, &again, &length_again) == COSET_OK);
    check(length == length_again && memcmp(text, again, length) == 0);
    compare_values(ctx, model, back);
    if (size < MOST_TERMS) compare_systems(model, back);
    ctx_free(ctx, text);
    ctx_free(ctx, again);
    model_free(copy);
    model_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    coset_ctx *ctx = NULL;
    ode_model *model = NULL;
    if (coset_ctx_new(NULL, &ctx) != COSET_OK) return 0;
    if (model_parse(ctx, (const char *)bytes, size, "fuzz.ode", &model) == COSET_OK)
        compare(ctx, model, size);
    model_free(model);
    coset_ctx_free(ctx);
    return 0;
}
