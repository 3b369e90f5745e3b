/* From distances to merges, not yet in order: the algorithms behind cluster.h. */
#ifndef COSET_LINALG_LINKAGE_H
#define COSET_LINALG_LINKAGE_H

#include "linalg/distance.h"

/* Merges of n clusters by nearest-neighbour chains, for complete, average and Ward linkage.
 *   condensed   [n (n - 1) / 2] linkage distances of the single points (Ward: squared); overwritten
 *   size        [n] sizes of the single points, > 0; overwritten
 *   merges_out  [n - 1] written; a < b are members of the two clusters; later merges contain
 *               earlier ones or are disjoint from them; no merge is lower than one that it contains
 *               (Ward: heights still squared)
 * Errors: COSET_EMEMORY. Cost: O(n^2). */
COSET_MUST_USE coset_status linkage_chain(coset_ctx *ctx, int64_t n, double *condensed,
                                          double *size, cluster_linkage linkage,
                                          cluster_merge *merges_out);

/* Edges of a minimum spanning tree (Prim), the merges of single linkage, of points or of a
 * condensed matrix (then points is NULL). Errors: COSET_EMEMORY. Cost: O(n^2), with points
 * O(n^2 d). */
COSET_MUST_USE coset_status linkage_tree(coset_ctx *ctx, int64_t n, const double *condensed,
                                         const point_set *points, cluster_metric metric,
                                         cluster_merge *merges_out);

#endif
