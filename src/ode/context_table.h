/* Numbers contexts: monomials of a system with one or two variables left out, as dist_F compares them. */
#ifndef COSET_ODE_CONTEXT_TABLE_H
#define COSET_ODE_CONTEXT_TABLE_H

#include "ode/system.h"

/* What is left of a monomial, and the total degree of what was left out. Kept as a reference: copies
 * would take the square of the degree in memory. */
typedef struct context {
    int32_t monomial;
    int32_t without[2]; /* variables; -1: none */
    int32_t degree;
    uint64_t hash;
} context;

/* Zero-initialised but for the system is empty. Equal contexts of equal degree have one number. */
typedef struct context_table {
    const ode_system *system; /* borrowed */
    context *list;            /* [count] by number */
    int32_t *slots;           /* number + 1; 0: free */
    int64_t count, list_capacity, n_slots;
} context_table;

/* Number of the context, new or known. Errors: COSET_EMEMORY; COSET_ELIMIT beyond INT32_MAX. */
COSET_MUST_USE coset_status context_table_add(coset_ctx *ctx, context_table *self, context wanted,
                                              int32_t *number_out);
/* Forgets all contexts but the first `count`. Cost: what is forgotten. */
void context_table_forget(context_table *self, int64_t count);
void context_table_free(coset_ctx *ctx, context_table *self);

#endif
