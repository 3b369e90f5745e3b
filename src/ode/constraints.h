/* What a partition asks of a system's symbols to be an equivalence: equations of METHODS.md 3.1.
 *
 * For every block one member is the centre: the representative, or, if that has more than about four times
 * the terms of the average member, the one with the fewest, so that all equations together are not much
 * longer than the system. Each other member i asks, as
 * polynomials in the variables,
 *     backward:  f_i = f_centre              after replacing variables by representatives
 *     forward:   d_i F_H = d_centre F_H      for every block H
 * and every monomial of it is one equation: a polynomial in the symbols that must be 0. */
#ifndef COSET_ODE_CONSTRAINTS_H
#define COSET_ODE_CONSTRAINTS_H

#include "linalg/lsqr.h"
#include "ode/monomials.h"
#include "ode/partition.h"

typedef struct constraint_origin {
    int32_t member, centre;
    int32_t block;    /* H; -1 if backward */
    int32_t monomial; /* of the variables, in `contexts` */
} constraint_origin;

typedef struct constraints {
    coset_ctx *ctx;
    const ode_system *system; /* borrowed */
    const partition *blocks;  /* borrowed */
    equivalence kind;
    int64_t n_equations;
    bool linear;                /* all of them */
    int64_t *start;             /* [n_equations + 1] */
    int32_t *part;              /* [start[n_equations]] monomials of symbols, in `parts` */
    double *coefficient;        /* [start[n_equations]] */
    monomials contexts;         /* monomials of variables, ids as in the system */
    monomials parts;            /* monomials of symbols, ids 0 .. n_symbols - 1 */
    constraint_origin *origins; /* [n_equations] */
    int64_t terms_capacity, coefficients_capacity, start_capacity, origins_capacity;
} constraints;

/* Equations of a partition.
 *   system  all of its symbols are unknowns
 * Terms that cancel to rounding (1e-12 of what they are made of) are dropped, and so are equations
 * without terms; one that is a constant has no solution.
 * Errors: COSET_ENUMERIC for that, naming variables and monomial of the largest; COSET_EMEMORY, COSET_ELIMIT.
 * Cost: m log m, m as in partition_refine_exact. */
COSET_MUST_USE coset_status constraints_new(const ode_system *system, equivalence kind,
                                            const partition *blocks, constraints **constraints_out);
void constraints_free(constraints *self); /* NULL is allowed */

/* Errors of the equations at p, and the sums of the magnitudes that they are made of.
 *   p              [n_symbols]
 *   part_values    [parts.count] written
 *   error_out      [n_equations] written
 *   magnitude_out  [n_equations]: raised to the magnitudes at p where these are larger */
void constraints_evaluate(const constraints *self, const double *p, double *part_values,
                          double *error_out, double *magnitude_out);

/* Entries that rows_out of constraints_linearise has room for. */
int64_t constraints_entries(const constraints *self);
/* Derivatives of the equations at p, each divided by its row's norm in scale_out (1 for a row of zeros).
 *   start, column, value  [n_equations + 1], [constraints_entries] twice: written
 *   scratch               [n_symbols] all -1, and again on return */
void constraints_linearise(const constraints *self, const double *p, int64_t *start,
                           int32_t *column, double *value, double *scale_out, int64_t *scratch);

/* What an equation asks, for messages; text of at most `size` bytes with its NUL. */
void constraints_describe(const constraints *self, const constraint_origin *origin, char *text,
                          size_t size);

#endif
