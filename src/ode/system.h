/* A polynomial ODE system x_i' = f_i(x), the object of METHODS.md section 3.
 *
 * Factors of monomials are numbered 0 .. n - 1 for the variables and n .. n + n_symbols - 1 for
 * symbols: parameters that were kept as names, so that a coefficient is a polynomial in them.
 * A system without symbols is *numeric*: what refinement, distances and integration work on. */
#ifndef COSET_ODE_SYSTEM_H
#define COSET_ODE_SYSTEM_H

#include "base/arena.h"
#include "ode/model.h"
#include "ode/number.h"

/* Budget of expanding right-hand sides: terms of the whole system, and steps spent on products. A model
 * of few nodes has less (expand.c): 2^18 terms and 256 more for each node of its expressions, 2^22
 * steps and 1024 for each, so that a small file cannot stand for a huge system. */
enum { SYSTEM_MAX_TERMS = 1 << 25 };
#define SYSTEM_MAX_STEPS (INT64_C(1) << 28)

typedef struct factor {
    int32_t id;    /* variable or symbol */
    int32_t power; /* >= 1 */
} factor;

typedef struct ode_system {
    coset_ctx *ctx;
    arena arena; /* of names */
    int64_t n, n_symbols;
    const char **names; /* [n + n_symbols] */
    number *initial;    /* [n + n_symbols]: initial values, then the values of the symbols */
    /* Distinct monomials in order of first appearance. */
    int64_t n_monomials;
    int64_t *factor_start; /* [n_monomials + 1] */
    factor *factors;       /* by id ascending; none: the constant 1 */
    /* Terms of f_i: [row_start[i], row_start[i + 1]), monomials ascending, no coefficient 0. */
    int64_t *row_start; /* [n + 1] */
    int32_t *monomial;
    number *coefficient;
} ode_system;

void system_free(ode_system *self); /* NULL is allowed */

/* Building, term by term in any order; terms of one row with one monomial are added up at the end. */
typedef struct system_builder system_builder;
/* Names are copied; NULL entries are allowed while nobody writes them. initial is copied. */
COSET_MUST_USE coset_status system_builder_new(coset_ctx *ctx, int64_t n, int64_t n_symbols,
                                               const char *const *names, const number *initial,
                                               system_builder **builder_out);
/* Adds coefficient * product of factors to f_row.
 *   factors  [n_factors], ids in any order and possibly repeated; borrowed
 * Errors: COSET_ELIMIT (degree in variables over MODEL_MAX_DEGREE, terms); COSET_EMEMORY. */
COSET_MUST_USE coset_status system_builder_add(system_builder *self, int64_t row,
                                               const factor *factors, int64_t n_factors,
                                               number coefficient);
/* Frees the builder, also on failure. Cost: terms log terms of a row. */
COSET_MUST_USE coset_status system_builder_finish(system_builder *self, ode_system **system_out);
void system_builder_free(system_builder *self); /* NULL is allowed */

/* The polynomial system of a model.
 *   symbols  keep as symbols the parameters that are given as plain numbers' expressions (not made from
 *            other parameters) and nowhere stand in a denominator, under a power that is no whole
 *            number >= 0, or in min, max, abs; those made from others are put in. Otherwise every
 *            parameter is its value.
 * Mass action: reagents x^m -> products at k gives every variable k x^m (products - reagents).
 * Errors: COSET_EUNSUPPORTED "line:column: term is not polynomial" with the offending term as text;
 * COSET_ELIMIT for the budget; COSET_ENUMERIC for a coefficient that is not finite; COSET_EFORMAT. */
COSET_MUST_USE coset_status system_from_model(const ode_model *model, bool symbols,
                                              ode_system **system_out);

/* A model with an equation for every variable and a parameter for every symbol. */
COSET_MUST_USE coset_status system_to_model(const ode_system *self, const char *name,
                                            ode_model **model_out);

/* Puts numbers for symbols.
 *   values  [n_symbols]; NULL: those of the system; borrowed
 *   keep    [n_symbols] true: stays a symbol; NULL: none stays; borrowed
 * Kept symbols stay in order. */
COSET_MUST_USE coset_status system_substitute(const ode_system *self, const number *values,
                                              const bool *keep, ode_system **system_out);

/* A copy of a numeric system in which the coefficient of every term is a symbol of its own (in the
 * order of terms; names "c1", "c2", ..., made unlike the variables'). */
COSET_MUST_USE coset_status system_free_coefficients(const ode_system *self,
                                                     ode_system **system_out);

/* Evaluation in f64; `values` is [n + n_symbols], variables and then symbols.
 * Cost: the factors of all monomials once, then the terms. */
typedef struct system_evaluator system_evaluator;
COSET_MUST_USE coset_status system_evaluator_new(const ode_system *system, /* borrowed */
                                                 system_evaluator **evaluator_out);
void system_evaluator_free(system_evaluator *self);
/* f [n] written. Never fails; overflow shows as values that are not finite. */
void system_slope(system_evaluator *self, const double *values, double *slope_out);
/* d f_i / d factor j for all variables and symbols, as CSR with a fixed pattern. */
typedef struct system_pattern {
    int64_t n_entries;
    const int64_t *row_start; /* [n + 1] */
    const int32_t *column;    /* factor ids, ascending within a row */
} system_pattern;
system_pattern system_jacobian_pattern(const system_evaluator *self);
/* entries_out [n_entries] written. Cost: each term times its distinct factors. */
void system_jacobian(system_evaluator *self, const double *values, double *entries_out);

#endif
