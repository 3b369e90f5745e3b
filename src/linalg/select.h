/* Which units to keep, and what a nested reduction costs: from second moments alone. */
#ifndef COSET_LINALG_SELECT_H
#define COSET_LINALG_SELECT_H

#include "linalg/cluster.h"

/* One place where the n units of a group are read. Both symmetric positive semidefinite to
 * rounding, (n, n) f64, whole matrices; borrowed.
 * The error of a reduction h' = A h is  e^2 = sum over sites of trace(weight Cov(h - L h'))  with
 * the least-squares L of each site. With weight normalised as in METHODS.md section 5 it is the
 * squared error relative to the consumers' variance. */
typedef struct moment_site {
    const double *gram;   /* G: covariance of the units */
    const double *weight; /* M: how consumers weigh errors */
} moment_site;

/* Orthogonal forward selection: each step keeps the unit that removes most of e^2, then deflates.
 *   sites      [n_sites]; borrowed
 *   order_out  [n] unit indices, first kept first
 *   error_out  [n + 1] e^2 with the first k units kept, k = 0..n; non-increasing, >= 0; [n] is 0
 * Among equal gains (to 1e-9) the smallest index comes first. A unit whose residual variance is
 * below 1e-10 of its own counts as explained by the kept ones; when no unit gains anything the rest
 * follows by falling trace contribution sum G_jj M_jj.
 * Errors: COSET_ENUMERIC if a moment is not finite; COSET_ELIMIT if n does not fit 31 bits;
 * COSET_EMEMORY.
 * Cost: 2 n^3 / 3 multiply-adds per site in matrix-vector products, n^3 / 3 and up to 8 times n^3
 * in matrix products; 2 n^2 + 300 n doubles per site.
 * Source: Chen, Cowan and Grant, "Orthogonal least squares learning algorithm for radial basis
 * function networks", 1991; on moments: METHODS.md section 5, `select`. */
COSET_MUST_USE coset_status selection_forward(coset_ctx *ctx, const moment_site *sites,
                                              int64_t n_sites, int64_t n, int64_t *order_out,
                                              double *error_out);

/* e^2 of keeping the first k units of a given order, for every k at once, exactly.
 *   order      [n] a permutation; borrowed
 *   error_out  [n + 1], as above
 * A direction of which less than 1e-10 is left after the earlier ones adds nothing.
 * Errors: COSET_EARGUMENT if order is no permutation; others as selection_forward.
 * Cost: 10 n^3 / 3 flops per site in matrix products; 2 n^2 + 300 n doubles.
 * Source: one Cholesky factor holds the Gram-Schmidt process over all k; METHODS.md section 1. */
COSET_MUST_USE coset_status selection_errors(coset_ctx *ctx, const int64_t *order,
                                             const moment_site *sites, int64_t n_sites, int64_t n,
                                             double *error_out);

/* e^2 of merging along a tree (h' = block means, or sums: the lift makes up for scale), for every
 * number of blocks k = 0..tree->n at once, exactly: cutting a block in two adds one direction, the
 * sum over one part, so the blocks of all k are one nested sequence. k = 0: nothing is kept.
 * error_out [tree->n + 1]. Errors, cost: as selection_errors. Source: METHODS.md section 5,
 * `merge`. */
COSET_MUST_USE coset_status merge_errors(coset_ctx *ctx, const cluster_tree *tree,
                                         const moment_site *sites, int64_t n_sites,
                                         double *error_out);

#endif
