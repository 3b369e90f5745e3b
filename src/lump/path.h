/* A path: the nested sequence of lumpings of one group from n units down to 1.
 * Source: METHODS.md section 1, "Paths". */
#ifndef COSET_LUMP_PATH_H
#define COSET_LUMP_PATH_H

#include "graph/groups.h"
#include "linalg/cluster.h"
#include "lump/lumping.h"

/* Exactly one of `tree` (a merge method) and `order` (a ranking method) is set, or both choices. */
typedef struct path {
    const char *method; /* name of the method that made it; a constant string */
    int64_t n;
    cluster_tree tree; /* merges of (canonical) units */
    double *mass;      /* [n] weights of the means within a block; NULL: 1 each */
    double *gain;      /* [n] h_u = gain_u h^_u + offset_u with h^ the canonical unit; NULL: 1 */
    double *offset;    /* [n] NULL: 0 */
    bool sums;         /* blocks by their sums instead of means (METHODS.md 4.3) */
    int64_t *order;    /* [n] the first k stay */
    double *slope,
        *shift; /* [n] with an order: what does not stay is bypassed by h ~ slope z + shift. slope NULL: dropped,
                   with h ~ shift; both NULL: dropped, with h ~ 0 */
    int64_t *
        stays; /* [n + 1] with slopes: width k costs what stays[k] units and the line past the group do
                       together, and stands for these; NULL: for k units */
    double *score; /* [n] by which a ranking method ranked; NULL: none */
    struct path *choice
        [3]; /* NULL-terminated paths of which the one with the smaller error at k is taken (the first of
                               equal ones), and the second while it merges duplicates only: that needs no lift */
    double *height; /* [n + 1] smallest tolerance at which at most k units are left: non-increasing
                          in k, height[n] = 0, height[0] = infinity */
    double *error;  /* [n + 1] estimated relative output error e^2 with k units left,
                          non-increasing in k, error[n] = 0; NULL: the method has no estimate */
} path;

/* A path of n units without merges or order, heights and errors allocated and zero. Every path is
 * filled by its method and freed by path_free. */
COSET_MUST_USE coset_status path_new(coset_ctx *ctx, const char *method, int64_t n,
                                     path **path_out);
void path_free(coset_ctx *ctx, path *self);

/* Canonical form of units (METHODS.md 4.4): brings incoming rows (n, width; rewritten) to one
 * representative of the activation's symmetry and records gain and offset, h = gain h^ + offset.
 *   UNIT_RELU      rows of norm 1, gain = norm
 *   UNIT_ODD       the entry of largest magnitude positive, gain = its sign
 *   UNIT_LOGISTIC  the same, gain = -1 and offset = 1 for turned units
 *   UNIT_IDENTITY  both of the first two
 *   others         unchanged */
COSET_MUST_USE coset_status path_canonicalise(coset_ctx *ctx, path *self, unit_function function,
                                              double *rows, int64_t width);

/* Heights of a merge tree: height[k] of the merge that leaves k units. Heights up to `noise` count as
 * 0: canonical forms are equal only up to the rounding of stored weights. */
void path_heights_from_tree(path *self, double noise);
/* Multiplies the errors, which are squares, by a factor > 0 and the heights by its root; those of choices, too. */
void path_scale(path *self, double factor);
/* Makes heights and errors monotone where rounding broke it. */
void path_smooth(path *self);

/* Fewest units at tolerance eps: the smallest k with height[k] <= eps, at least 1. */
int64_t path_width(const path *self, double eps);
/* The lumping with k units, 1 <= k <= n. k = n is the identity, always. */
COSET_MUST_USE coset_status path_lumping(coset_ctx *ctx, const path *self, int64_t k,
                                         lumping **lumping_out);
/* The path that is taken at k: a choice of this one, or itself. */
const path *path_at(const path *self, int64_t k);

#endif
