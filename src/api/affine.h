/* Affine forms of ODE variables: what a network computes between two layers of neurons. */
#ifndef COSET_API_AFFINE_H
#define COSET_API_AFFINE_H

#include "base/arena.h"
#include "ode/number.h"

typedef struct affine_term {
    int32_t variable;
    number coefficient; /* not 0 */
} affine_term;

/* sum of coefficient * variable, plus a constant. Terms live in an arena and are never changed. */
typedef struct affine {
    const affine_term *terms; /* [n] by variable, ascending */
    int64_t n;
    number constant;
} affine;

/* Terms of all sums that one accumulator may make. */
#define AFFINE_MAX_TERMS ((int64_t)1 << 25)

/* Adds forms up, one sum after another. Zero-initialised but for ctx and into. */
typedef struct affine_sum {
    coset_ctx *ctx;
    arena *into;
    number *sum;   /* [capacity] by variable, 0 outside of a sum */
    bool *present; /* [capacity] */
    int32_t *list; /* [n] variables of the sum, in order of appearance */
    int64_t sum_capacity, present_capacity, list_capacity;
    int64_t n, made;
    bool ascending; /* so far */
    number constant;
} affine_sum;

/* Adds factor * form. Errors: COSET_EMEMORY. Cost: terms of the form. */
COSET_MUST_USE coset_status affine_sum_add(affine_sum *self, const affine *form, number factor);
/* The sum since the last call; starts the next one. Errors: COSET_EMEMORY, COSET_ELIMIT over
 * AFFINE_MAX_TERMS in all. */
COSET_MUST_USE coset_status affine_sum_take(affine_sum *self, affine *form_out);
void affine_sum_free(affine_sum *self);

/* 1 * variable. */
COSET_MUST_USE coset_status affine_variable(coset_ctx *ctx, arena *into, int32_t variable,
                                            affine *form_out);
/* The variable that a form is, or -1. */
int32_t affine_is_variable(const affine *form);
/* The form plus a number; terms are shared. */
affine affine_shift(affine form, number by);
bool affine_equal(const affine *a, const affine *b);
/* At values of the variables. */
double affine_value(const affine *form, const double *values);

#endif
