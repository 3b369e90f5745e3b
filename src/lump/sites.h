/* Sites: what calibration knows about a group where its units are read.
 * Source: METHODS.md section 5 (M and G). */
#ifndef COSET_LUMP_SITES_H
#define COSET_LUMP_SITES_H

#include "graph/groups.h"
#include "lump/lumping.h"
#include "stats/moments.h"

/* Moments of every activation that a contraction reads. */
typedef struct calibration {
    int64_t n_values;
    moments **of_value; /* [graph->n_values] second moments along the contraction's input axis; NULL
                           for values that no contraction reads */
    int64_t samples;    /* calibration samples */
} calibration;

/* Runs the model once over the source. Errors: those of stats_collect. */
COSET_MUST_USE coset_status calibration_collect(coset_ctx *ctx, const coset_graph *graph,
                                                const graph_groups *groups,
                                                const batch_source *source,
                                                const shape *sample_shapes,
                                                calibration **calibration_out);
void calibration_free(coset_ctx *ctx, calibration *self);

/* One activation value through which contractions read a group: covariance of its units there (taps
 * and occurrences summed) and the weight that their outputs give to errors,
 *   M = sum over contractions c of  W_c^T W_c / E|W_c (x - E x)|^2. */
typedef struct site {
    int32_t value;
    double *covariance; /* (n, n) */
    double *mean;       /* (n) mean over occurrences */
    double *weight;     /* (n, n) M */
} site;

typedef struct group_sites {
    int64_t n, count; /* units; sites */
    site *sites;
} group_sites;

/* Sites of one group. calibration NULL: from the weights alone; then h has the covariance of its
 * incoming weight rows (inputs of unit covariance).
 * Errors: COSET_EMEMORY. Cost: n^2 q flops for q outputs of each consumer. */
COSET_MUST_USE coset_status group_sites_new(coset_ctx *ctx, const coset_graph *graph,
                                            const graph_groups *groups, const calibration *stats,
                                            int64_t group, group_sites **sites_out);
void group_sites_free(coset_ctx *ctx, group_sites *self);

/* Least-squares lift L, c of a lumping from the first site's moments: replaces map->lift, map->shift.
 *   h ~ L (R h) + c,   L = G R^T (R G R^T)^-1
 * where several sites exist, the sum of their covariances weighted by trace(M G) is used. */
COSET_MUST_USE coset_status group_sites_lift(coset_ctx *ctx, const group_sites *self, double ridge,
                                             lumping *map);

#endif
