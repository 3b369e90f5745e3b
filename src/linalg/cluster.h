/* Agglomerative clustering: a tree of merges, and the partitions that cutting it gives. */
#ifndef COSET_LINALG_CLUSTER_H
#define COSET_LINALG_CLUSTER_H

#include "base/ctx.h"

typedef enum cluster_linkage {
    CLUSTER_SINGLE,   /* least distance between members */
    CLUSTER_COMPLETE, /* greatest */
    CLUSTER_AVERAGE,  /* mean over pairs of members (UPGMA) */
    CLUSTER_WARD      /* sqrt(2 |A||B| / (|A| + |B|)) |centre A - centre B|_2 */
} cluster_linkage;

typedef enum cluster_metric { CLUSTER_L1, CLUSTER_L2 } cluster_metric;

/* Two clusters become one. Each goes by its smallest member, a < b; the new one goes by a. */
typedef struct cluster_merge {
    int64_t a, b;
    double height; /* linkage distance of the two */
} cluster_merge;

/* The merges of n points in the order in which they happen: heights ascending, among equal heights
 * (a, b) ascending. Clusters that meet at one height are joined to the smallest of them. */
typedef struct cluster_tree {
    int64_t n;
    cluster_merge *merges; /* [n - 1], owned */
} cluster_tree;

/* No tree has more distinct points, save by single linkage of points: distances take 4 GiB. */
enum { CLUSTER_MAX_DISTINCT = 32768 };

/* Clusters points.
 *   points        (n, d) f64; borrowed
 *   multiplicity  [n] f64 > 0, how many points a row stands for; NULL: 1 each; borrowed
 *   metric        CLUSTER_WARD needs CLUSTER_L2
 *   tree_out      owned by the caller (cluster_tree_free); empty on failure
 * Equal rows are found by hashing first, merge at height exactly 0 and count as one from then on.
 * Deterministic, and independent of the number of threads but for the rounding of L2 distances.
 * Errors: COSET_ENUMERIC if points or distances are not finite; COSET_EARGUMENT for Ward with L1 or
 * a multiplicity that is not positive and finite; COSET_ELIMIT over CLUSTER_MAX_DISTINCT;
 * COSET_EMEMORY.
 * Cost, m distinct rows: n d + m^2 d / 2 + O(m^2) time; m^2 / 2 doubles; single linkage
 * O(n) doubles beyond 8192 rows.
 * Source: nearest-neighbour chains (Murtagh 1983; Muellner, "Modern hierarchical, agglomerative
 * clustering algorithms", arXiv 1109.2378) with the Lance-Williams updates; single linkage by
 * Prim's spanning tree. Heights as in scipy.cluster.hierarchy. METHODS.md sections 4.5 and 5. */
COSET_MUST_USE coset_status cluster_build(coset_ctx *ctx, const double *points, int64_t n,
                                          int64_t d, const double *multiplicity,
                                          cluster_metric metric, cluster_linkage linkage,
                                          cluster_tree *tree_out);

/* The same from distances (n, n) f64, of which the upper triangle is read; borrowed. Ward takes
 * them as Euclidean. Errors: also COSET_EARGUMENT for a negative distance. Cost: O(n^2), n^2 / 2
 * doubles. */
COSET_MUST_USE coset_status cluster_build_distances(coset_ctx *ctx, const double *distances,
                                                    int64_t n, const double *multiplicity,
                                                    cluster_linkage linkage,
                                                    cluster_tree *tree_out);

/* Euclidean distances of vectors that are known through their inner products:
 * sqrt(g_ii + g_jj - 2 g_ij), 0 where that is below 1e-13 (g_ii + g_jj), the rounding of moments.
 *   gram           (n, n) f64, upper triangle and diagonal read; borrowed
 *   distances_out  (n, n) f64, written whole
 * Cost: O(n^2). */
void cluster_distances_from_gram(const double *gram, int64_t n, double *distances_out);

/* Blocks after all merges with height <= eps. Blocks are numbered by their smallest member,
 * ascending.
 *   block_of_out  [n] written
 * Returns the number of blocks. Cost: O(n). */
int64_t cluster_cut_height(const cluster_tree *tree, double eps, int64_t *block_of_out);

/* The same for exactly k blocks, k brought into [1, n]. Returns the number of blocks. */
int64_t cluster_cut_count(const cluster_tree *tree, int64_t k, int64_t *block_of_out);

/* The smallest member of every block of such a partition, ascending: [n_blocks] written. */
void cluster_representatives(const int64_t *block_of, int64_t n, int64_t *representative_out);

void cluster_tree_free(coset_ctx *ctx, cluster_tree *tree);

#endif
