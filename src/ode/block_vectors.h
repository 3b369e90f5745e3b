/* The coefficients by which the variables of a block are compared, as sparse vectors.
 *
 * Backward: variable i has the coefficients of f_i, by monomial, after every variable was replaced by its
 * block's representative.
 * Forward: variable i has the coefficients of all monomials that contain it, by (block H of the equation,
 * context, power): the monomial is context * x_i^power, equations of one block are added up. */
#ifndef COSET_ODE_BLOCK_VECTORS_H
#define COSET_ODE_BLOCK_VECTORS_H

#include "ode/context_table.h"
#include "ode/partition.h"

/* A monomial that contains a variable, and its context. */
typedef struct variable_place {
    int32_t monomial, context;
} variable_place;

/* A term that has a monomial. */
typedef struct monomial_use {
    int32_t row, term;
} monomial_use;

/* What does not depend on the partition, and room for work on one block at a time. */
typedef struct vector_source {
    coset_ctx *ctx;
    const ode_system *system; /* numeric, borrowed */
    equivalence kind;
    int32_t *local; /* [n] a variable's place in the block under work; -1: not in it */
    /* Forward. */
    int64_t *place_start; /* [n + 1] */
    variable_place *places;
    int64_t *use_start; /* [n_monomials + 1] */
    monomial_use *uses;
    context_table contexts;
    int64_t n_contexts; /* those of `places`; more are there while pairs are compared */
    /* Backward. */
    int64_t *seen;     /* [n_monomials] visit in which `quotient` was found */
    int32_t *quotient; /* [n_monomials] number of the monomial of representatives */
    int64_t visit;
} vector_source;

/* Cost: linear in the factors of all monomials and the terms; about 40 bytes for each factor of a monomial
 * and 8 for each term. Errors: COSET_EARGUMENT for a system with symbols; COSET_ELIMIT; COSET_EMEMORY. */
COSET_MUST_USE coset_status vector_source_init(const ode_system *system, equivalence kind,
                                               vector_source *source_out);
void vector_source_free(vector_source *self); /* zero-initialised is allowed */

/* Column of the end of a row, beyond all others. */
#define VECTOR_END UINT32_MAX

typedef struct vector_cell {
    double value;
    uint32_t column;
    int32_t
        crossed; /* forward: the monomial, if it contains other variables of the block; else -1 */
} vector_cell;

/* Coefficients are equal as numbers (number.h) if and only if their values here are equal f64: a
 * value may be some units in the last place off to that end, and no value is 0. */
typedef struct block_vectors {
    int64_t n, n_columns;
    int64_t *start;     /* [n + 1] */
    vector_cell *cells; /* by member, columns ascending, VECTOR_END behind the last of each */
    uint64_t *residues; /* beside the cells */
    uint64_t *keys;     /* [n_columns] ascending. Forward: block << 32 | context */
    bool linear;        /* forward: all powers are 1; always true for backward */
    bool crossed;       /* some cell is */
} block_vectors;

/* Makes a block the one under work, and no block. One at a time. */
void vector_source_enter(vector_source *self, const int64_t *members, int64_t count);
void vector_source_leave(vector_source *self, const int64_t *members, int64_t count);

/* Vectors of the block under work.
 *   label    [n] of the system: a variable's block, named by its smallest member
 *   members  [count] ascending
 * Errors: COSET_ENUMERIC with the variable, for a sum of coefficients that is not finite; COSET_EMEMORY;
 * COSET_ELIMIT. Cost: s log s for s terms that the members have a part in. */
COSET_MUST_USE coset_status block_vectors_build(vector_source *source, const int64_t *label,
                                                const int64_t *members, int64_t count,
                                                block_vectors *out);
void block_vectors_free(coset_ctx *ctx, block_vectors *self); /* zero-initialised is allowed */

#endif
