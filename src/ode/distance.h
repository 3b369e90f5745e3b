/* Distances between variables of a block (METHODS.md 3.2), and the tree that clusters them.
 *
 * dist_B is the L1 distance of the vectors of block_vectors.h. dist_F is a sum over blocks H, contexts c (free
 * of x_i and x_j) and degrees d of what the polynomial
 *     q(x_i, x_j) = sum over a + b = d of q_ab x_i^a x_j^b
 * contributes. With T_e the coefficient of t^e in sum of q_ab t^a (1 - t)^b it becomes
 * sum over e of T_e t^e (x_i + x_j)^d, so that
 *     gap = sum over k of |q_(d-k)k - T_0 C(d, k)| + 2^d sum over e >= 1 of |T_e|
 * which is 3 |a - c| for a x_i + c x_j. Source: METHODS.md 3.2, closed form ours.
 *
 * A distance is 0 if and only if the coefficients are equal as numbers (number.h): rounding neither parts
 * what is equal nor joins what is not. */
#ifndef COSET_ODE_DISTANCE_H
#define COSET_ODE_DISTANCE_H

#include "linalg/cluster.h"
#include "ode/block_vectors.h"

/* The clustering of the members of a block.
 *   label    [n] of the system: a variable's block, named by its smallest member
 *   members  [count] ascending, one block of `label`
 *   linkage  CLUSTER_SINGLE or CLUSTER_COMPLETE
 *   tree_out owned by the caller (cluster_tree_free); empty on failure
 * Errors: COSET_ENUMERIC for distances that are not finite; COSET_EMEMORY; COSET_ELIMIT.
 * Cost: count^2 s / 2 for s coefficients a member; count^2 doubles. */
COSET_MUST_USE coset_status distance_tree(vector_source *source, const int64_t *label,
                                          const int64_t *members, int64_t count,
                                          cluster_linkage linkage, cluster_tree *tree_out);

/* The distance of two variables, i < j. Errors: COSET_EMEMORY; COSET_ENUMERIC. */
COSET_MUST_USE coset_status distance_between(vector_source *source, const int64_t *label, int64_t i,
                                             int64_t j, double *distance_out);

#endif
