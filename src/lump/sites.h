/* Sites: what calibration knows about a group where its units are read.
 * Source: METHODS.md section 5 (M and G). */
#ifndef COSET_LUMP_SITES_H
#define COSET_LUMP_SITES_H

#include "graph/groups.h"
#include "lump/lumping.h"
#include "stats/collect.h"

/* Moments of every activation that a contraction reads, and what errors there cost.
 *
 * The cost of an error d of a contraction's input is d^T M d, relative to the variance of the model's
 * output: M = W^T A W with A = I / var at the last contraction and A = E[s s^T] * M' (elementwise)
 * further up, M' that of the contractions that read the unit and s the slopes of the activation. This is
 * the mean Gauss-Newton matrix E[J^T J] with slopes independent of what follows; it needs moments
 * only. Where the function between two contractions is not one known scalar function, A = I / var of
 * the contraction's own output: the error it passes on counts relative to that output.
 * Source: ours; METHODS.md section 5 has A = I / var everywhere. */
typedef struct calibration {
    int64_t n_values, n_contractions;
    moments **of_value; /* [n_values] second moments along the contraction's input axis; NULL for
                           values that no contraction reads */
    moments **slopes;   /* [n_values] the same of the activation's slopes there; NULL: not known */
    double **metric;    /* [n_contractions] M (n_in, n_in) */
    int64_t samples;
} calibration;

/* Runs the model once over the source. Errors: those of stats_collect. Cost: one forward run, n^2 flops
 * a sample and O(n_out n_in (n_out + n_in)) flops for every contraction. */
COSET_MUST_USE coset_status calibration_collect(coset_ctx *ctx, const coset_graph *graph,
                                                const graph_groups *groups,
                                                const batch_source *source,
                                                const shape *sample_shapes,
                                                calibration **calibration_out);
void calibration_free(coset_ctx *ctx, calibration *self);

/* Incoming weights of every unit of a group, biases included: rows (n, width), owned by the caller;
 * width is the sum over producing contractions of inputs x taps x occurrences, plus one for each bias.
 * Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status group_incoming(coset_ctx *ctx, const coset_graph *graph,
                                           const graph_groups *groups, int64_t group,
                                           double **rows_out, int64_t *width_out);

/* One activation value through which contractions read a group: covariance of its units there (taps
 * and occurrences summed) and the weight that errors have there: M of the contractions (calibration), or
 * without data W^T W / trace(W^T W G). */
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
