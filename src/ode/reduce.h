/* From a partition to a smaller system: exact reduction, closest exactly reducible system, bound. */
#ifndef COSET_ODE_REDUCE_H
#define COSET_ODE_REDUCE_H

#include "ode/integrate.h"
#include "ode/partition.h"

/* The reduced system: one variable per block, named after its representative, in the order of blocks;
 * symbols stay.
 * Forward: Y_H' = F_H with the representative of every block B set to Y_B and its other members to 0;
 * initial value: the sum. Backward: f of the representatives with every variable replaced by its
 * block's representative; initial value: the representative's. It is what METHODS.md 3.1 calls the
 * quotient if the partition is an equivalence, and some system otherwise (system_violation tells). */
COSET_MUST_USE coset_status system_reduce(const ode_system *system, equivalence kind,
                                          const partition *blocks, ode_system **reduced_out);

/* How far a partition is from an equivalence of a system with its symbols' values: the largest |difference|
 * of coefficients that 3.1 wants equal (forward: of d_i F_H and d_rep F_H; backward: of f_i and f_rep), each
 * relative to the sum of the magnitudes that it is made of. Terms that only differ in symbols count one by
 * one: what is left of a - b is small beside a, but not beside itself. 0 or rounding (1e-12) for an
 * equivalence. worst_out (may be NULL): the variable at fault, -1 for none. Computed from sorted sums in
 * f64, independently of residues and fingerprints. Cost: m log m, m as in partition_refine_exact. */
COSET_MUST_USE coset_status system_violation(const ode_system *system, equivalence kind,
                                             const partition *blocks, double *violation_out,
                                             int64_t *worst_out);

/* The nearest symbol values for which a partition is an equivalence (METHODS.md 3.2):
 * min |p - p0|^2 subject to the equations of 3.1.
 *   system     with symbols; p0 are their values
 *   free       [n_symbols] true: may change; NULL: all may; borrowed
 *   values_out [n_symbols] f64 written. Of symbols that stand in equations, values that agree to 1e-13 are
 *              made equal, and those that fell to 1e-13 of what they were (1e-9 where an equation
 *              is left with nothing else) are 0; others keep their bits
 * Equations that are linear in the free symbols are solved as one sparse least-norm problem (LSQR,
 * Paige and Saunders, ACM TOMS 8, 1982); products of free symbols by repeated linearisation (ours), which
 * ends where p - p0 is normal to the solutions: the nearest one around, not always of all.
 * Errors: COSET_ENUMERIC naming the variables and monomial of the worst equation if there is no
 * solution (infeasible) or none was found; COSET_EMEMORY, COSET_ELIMIT. */
typedef struct closest_result {
    int64_t equations, iterations;
    double change_l2, change_max; /* |p - p0| in the two norms */
    double residual;              /* largest equation's |error| that is left */
} closest_result;
COSET_MUST_USE coset_status system_closest(const ode_system *system, equivalence kind,
                                           const partition *blocks, const bool *free,
                                           double *values_out, closest_result *result_out);

/* First-order bound on the deviation between the trajectories of two sets of symbol values
 * (METHODS.md 3.2), from the same initial values:
 *     max_t |x(t; p1) - x(t; p0)|_inf  <=  lambda |p1 - p0|_inf       lambda = max_t |S(t)|_inf
 * with S = dx/dp (n, symbols that differ) along the reference trajectory x(t; p0), S' = J S + df/dp,
 * S(0) = 0. `safe` covers what happens between grid points: lambda exp(J dt), J = max_t |df/dx|_inf;
 * it is infinite where that overflows. Where p0 and p1 are the same, lambda and all bounds are 0.
 * aggregated_*: the same for the sums over blocks (forward), rows of C^T S; equal to the plain
 * ones for backward, where a block is read off one variable.
 *   p0, p1  [n_symbols]; borrowed
 *   times   [n_times] ascending from 0, evenly spaced by dt; borrowed
 *   reference_out  (n_times, n) f64 written; NULL: not wanted
 * Errors: as integrate; COSET_ELIMIT if n (1 + columns) is over BOUND_MAX_UNKNOWNS.
 * Source: Cardelli, Squillace, Tribastone, Tschaikowski, Vandin, JLAMP 134, 2023; Cardelli et al.,
 * QEST 2018 (linearised flow). */
enum { BOUND_MAX_UNKNOWNS = 1 << 22 };
typedef struct error_bound {
    double lambda, jacobian, perturbation; /* perturbation = |p1 - p0|_inf */
    double bound, safe_bound;
    double aggregated_lambda, aggregated_bound, aggregated_safe_bound;
} error_bound;
COSET_MUST_USE coset_status system_error_bound(const ode_system *system, equivalence kind,
                                               const partition *blocks, const double *p0,
                                               const double *p1, const double *times,
                                               int64_t n_times, const integrate_options *options,
                                               double *reference_out, error_bound *bound_out);

#endif
