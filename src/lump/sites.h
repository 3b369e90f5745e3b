/* Sites: what calibration knows about a group where its units are read.
 * Source: METHODS.md section 5 (M and G). */
#ifndef COSET_LUMP_SITES_H
#define COSET_LUMP_SITES_H

#include "lump/block.h"
#include "lump/lumping.h"
#include "stats/collect.h"

/* Second moments of the units of every group where a contraction reads them, and what errors there cost.
 *
 * The cost of an error d of a contraction's input is d^T M d, relative to the variance of the model's
 * output: M = W^T A W, summed over taps, with A the cost of an error of the contraction's output. A goes
 * back through the graph from its outputs, where it is I / variance, and is the sum of what all readers of a
 * value make of it (lump/flow.h): E[s s^T] * A (elementwise) in front of an activation with slopes s, A in
 * front of a sum, M in front of a contraction, and so on. This is the mean Gauss-Newton matrix E[J^T J] with
 * slopes independent of what follows, and errors of different taps and places of each other; it needs
 * moments only. In front of an operator without a rule A = I / variance of the value: the error counts
 * relative to that.
 * Source: ours; METHODS.md section 5 has A = I / variance of the next layer's output everywhere. */
enum {
    CALIBRATION_SIGNS = 1, /* sign counts of the results of contractions */
    CALIBRATION_PAIRS = 2, /* moments of z and h along bypass lines */
    CALIBRATION_SKIPS = 4  /* joint moments of what a line joins, x and h */
};

/* Skips are collected of lines with no more inputs than this, and fewer than half of the samples, as long as all
 * together take no more than so many bytes. */
enum { CALIBRATION_SKIP_INPUTS = 1024 };
#define CALIBRATION_SKIP_BYTES ((int64_t)1 << 28)

/* Second moments along a bypass line: of h (n) with x (P), and of x with itself. */
typedef struct skip_moments {
    cross_moments *of_units, *of_inputs; /* (n, P) and (P, P) */
} skip_moments;

typedef struct calibration {
    int64_t n_values, n_contractions;
    moments **
        of_value; /* [n_values] of every feature of values that contractions read, and of others where
                            they are needed, without second moments; NULL: not collected */
    unit_blocks *blocks; /* where units lie */
    moments **units; /* [blocks->n] second moments of the units, every place being a sample, where a
                            contraction reads a group that can be cut; NULL: elsewhere */
    int64_t *metric_first; /* [n_contractions + 1] a contraction's part of metric */
    double **metric; /* M (units, units) for every contraction and block of its input; NULL: of a
                              frozen group */
    sign_counts **
        signs; /* [n_contractions] of the results of contractions that produce units of groups that can
                            be cut; NULL elsewhere; NULL: not asked for */
    int64_t n_groups;
    pair_moments **
        pairs; /* [n_groups] x = z, y = h along a group's bypass line; NULL: it has none; NULL: not asked
                             for */
    skip_moments *skips; /* [n_groups] NULL members: no line, or too much; NULL: not asked for */
    int64_t samples;
} calibration;

/* All matrices of a calibration together take no more than this many bytes. */
#define CALIBRATION_BYTES ((int64_t)2 << 30)

/* Runs the model once over the source. kinds: what to collect besides, CALIBRATION_... or'd together.
 * Errors: those of stats_collect; COSET_ELIMIT naming the value whose group needs most where the moments of
 * all groups would take more than CALIBRATION_BYTES.
 * Memory: three (n, n) matrices of doubles for every value through which contractions read a group of n
 * units, however many places of the value a unit takes up. Cost: one forward run, n^2 flops a sample and
 * place, and O(n_out n_in (n_out + n_in)) flops for every tap of a contraction. */
COSET_MUST_USE coset_status calibration_collect(coset_ctx *ctx, const coset_graph *graph,
                                                const graph_facts *facts,
                                                const graph_groups *groups,
                                                const batch_source *source,
                                                const shape *sample_shapes, unsigned kinds,
                                                calibration **calibration_out);
void calibration_free(coset_ctx *ctx, calibration *self);
/* M of a contraction for a block of its input, by its index in blocks; NULL: not there. */
const double *calibration_metric(const calibration *self, int64_t c, int64_t block);

/* Incoming weights of every unit of a group, biases included: rows (n, width), owned by the caller;
 * width is the sum over producing contractions of inputs x taps x occurrences, plus one for each bias.
 * Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status group_incoming(coset_ctx *ctx, const coset_graph *graph,
                                           const graph_groups *groups, int64_t group,
                                           double **rows_out, int64_t *width_out);

/* What else makes a unit what it is: the entries of one of its slots that is additive or a scale (biases,
 * norm parameters, slopes, depthwise weights). constant_entries: how many for each unit, 0 for another slot. */
int64_t constant_entries(const coset_graph *graph, const graph_groups *groups,
                         const group_slot *member);
/* Writes them to rows[u * width], u = 0 .. n - 1. */
void constant_rows(const coset_graph *graph, const graph_groups *groups, const group_slot *member,
                   int64_t n, int64_t width, double *rows);

/* One activation value through which contractions read a group: covariance of its units there (the mean
 * over places) and the weight that errors have there: M of the contractions (calibration), or
 * without data W^T W / trace(W^T W G). */
typedef struct site {
    int32_t value;
    double *covariance; /* (n, n) */
    double *mean;       /* (n) mean over places */
    double *weight;     /* (n, n) M */
} site;

typedef struct group_sites {
    int64_t n, count; /* units; sites */
    site *sites;
} group_sites;

/* Sites of one group. calibration NULL: from the weights alone; then h has the covariance of its
 * incoming weight rows (inputs of unit covariance), to which all other parameters are added: units that
 * differ in a scale or a slope are not the same.
 * Errors: COSET_EMEMORY. Cost: n^2 q flops for q outputs of each consumer. */
COSET_MUST_USE coset_status group_sites_new(coset_ctx *ctx, const coset_graph *graph,
                                            const graph_groups *groups, const calibration *stats,
                                            int64_t group, group_sites **sites_out);
void group_sites_free(coset_ctx *ctx, group_sites *self);

/* Least-squares lift L, c of a lumping from the first site's moments: replaces map->lift, map->shift.
 *   h ~ L (R h) + c,   L = G R^T (R G R^T)^-1
 * where several sites exist, the sum of their covariances weighted by trace(M G) is used. A lumping with slopes
 * stays as it is. */
COSET_MUST_USE coset_status group_sites_lift(coset_ctx *ctx, const group_sites *self, double ridge,
                                             lumping *map);

#endif
