/* Partitions of the variables of a system, and their coarsest and eps-refinements. */
#ifndef COSET_ODE_PARTITION_H
#define COSET_ODE_PARTITION_H

#include "ode/system.h"

/* Blocks are numbered by their smallest member, ascending, which is also their representative. */
typedef struct partition {
    int64_t n, n_blocks;
    int64_t *block_of; /* [n], owned */
    int64_t *start;    /* [n_blocks + 1], owned */
    int64_t *members; /* [n] by block, ascending within it, owned; members[start[b]] represents b */
} partition;

typedef enum equivalence { EQUIVALENCE_FORWARD, EQUIVALENCE_BACKWARD } equivalence;

/* A partition from any labelling of [n] variables (equal label, equal block); renumbered. */
COSET_MUST_USE coset_status partition_from_labels(coset_ctx *ctx, const int64_t *labels, int64_t n,
                                                  partition *out);
/* All variables in one block. */
COSET_MUST_USE coset_status partition_one(coset_ctx *ctx, int64_t n, partition *out);
/* Equal initial values, equal block. */
COSET_MUST_USE coset_status partition_by_initial(const ode_system *system, partition *out);
/* "{a, b}, {c}" in names of the system; variables that are not named share one more block.
 * Errors: COSET_EARGUMENT with the column, for an unknown name (with the nearest), a name that is
 * there twice, or other text. */
COSET_MUST_USE coset_status partition_parse(const ode_system *system, const char *text,
                                            partition *out);
/* True if every block of `finer` lies in a block of `coarser`. */
bool partition_refines(const partition *finer, const partition *coarser);
bool partition_equal(const partition *a, const partition *b);
COSET_MUST_USE coset_status partition_copy(coset_ctx *ctx, const partition *from, partition *out);
void partition_free(coset_ctx *ctx, partition *self); /* zero-initialised is allowed */

/* The coarsest forward / backward equivalence that refines `initial` (METHODS.md 3.1).
 *   system   numeric
 * Equality of coefficients is that of number.h.
 * Forward: i ~ j iff d_i F_H = d_j F_H as polynomials, for every block H (the derivative of "F_H
 * depends on x_i, x_j only through x_i + x_j"): the lumping of a graph i -> k whose weights are the
 * Jacobian at a random point, where different polynomials differ. Backward: a graph variable ->
 * monomial -> variable in which monomials are lumped too. Both are lumped by splitters; all but the
 * largest part of a split block are splitters again.
 * Errors: COSET_EMEMORY, COSET_ELIMIT, COSET_EARGUMENT (symbols; a partition of another system).
 * Cost: O(m log n) for m = sum over terms of their distinct factors (backward: terms and factors of
 * monomials); 20 m bytes and 100 for each variable (backward: and monomial).
 * Source: Cardelli, Tribastone, Tschaikowski, Vandin, TACAS 2016 and PNAS 2017; splitters after
 * Valmari and Franceschinis, TACAS 2010; vectors of weights compared by random linear fingerprints
 * (ours). */
COSET_MUST_USE coset_status partition_refine_exact(const ode_system *system, equivalence kind,
                                                   const partition *initial, partition *out);

typedef enum eps_linkage {
    EPS_SINGLE, /* blocks are connected components of dist <= eps: the definition */
    EPS_COMPLETE /* no pair of a block is further apart than eps: a cut of the complete-linkage tree */
} eps_linkage;

/* The eps-refinement of METHODS.md 3.2. Blocks are visited in the order in which they depend on each
 * other (backward: a block after those that its equations read; forward: after those whose equations
 * read it), so that a feed-forward chain is settled in one pass, and until nothing changes. For single
 * linkage the order does not matter: distances only grow as blocks get finer. For complete linkage it may;
 * what holds is that no two variables of a block are further apart than eps, measured against `out`
 * itself.
 *   system    numeric
 *   eps       >= 0, in units of a coefficient; may be infinity
 *   next_out  (may be NULL) the smallest eps above this one at which any decision of the run
 *             changes: the result is the same for all eps in [eps, *next_out); infinity: none
 * Rounding: a distance is 0 if and only if the coefficients are equal as numbers (number.h), so that eps 0
 * gives what partition_refine_exact gives. A distance that is over eps by less than 1e-9 of it counts as
 * eps: differences of coefficients that are nearly equal are no more exact than that.
 * Errors: COSET_ELIMIT for a block of more than PARTITION_MAX_APPROXIMATE variables;
 * COSET_EARGUMENT; COSET_EMEMORY; COSET_ENUMERIC.
 * Cost of a pass: for every block of b variables with s entries each, b^2 s / 2 time, b^2 doubles. */
enum { PARTITION_MAX_APPROXIMATE = 16384 };
COSET_MUST_USE coset_status partition_refine_eps(const ode_system *system, equivalence kind,
                                                 const partition *initial, double eps,
                                                 eps_linkage linkage, partition *out,
                                                 double *next_out);

/* All partitions that eps-refinement gives, with the least eps at which each appears.
 * rungs_out [*n_out], eps ascending from 0, neighbours differ; owned by the caller
 * (partition_ladder_free). Stops at max_rungs. Cost: one eps-refinement for each change of a decision. */
typedef struct partition_rung {
    double eps;
    partition blocks;
} partition_rung;
COSET_MUST_USE coset_status partition_ladder(const ode_system *system, equivalence kind,
                                             const partition *initial, eps_linkage linkage,
                                             int64_t max_rungs, partition_rung **rungs_out,
                                             int64_t *n_out);
void partition_ladder_free(coset_ctx *ctx, partition_rung *rungs, int64_t n);

/* dist_F or dist_B of METHODS.md 3.2 for two variables of one block of `blocks`; for i > j they are
 * swapped (dist_F is not symmetric; the smaller index is x_i). Slow; for checks. */
COSET_MUST_USE coset_status partition_distance(const ode_system *system, equivalence kind,
                                               const partition *blocks, int64_t i, int64_t j,
                                               double *distance_out);

#endif
