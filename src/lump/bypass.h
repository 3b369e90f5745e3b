/* Bypasses: units that act linearly leave, and what they did goes past the group, from what its producer
 * reads straight to its readers.
 * Source: Dobler, Lemmerich, "Linearity-based neural network compression", arXiv 2506.21146; METHODS.md
 * sections 1 (S, c) and 6. The line as a Concat in front of the readers is ours: readers of [h', x] are
 * contractions like any other, so that skips over several layers, recovery and further cuts need no rules of
 * their own. */
#ifndef COSET_LUMP_BYPASS_H
#define COSET_LUMP_BYPASS_H

#include "lump/plan.h"

/* Where a group's line runs. z = W x + b by one contraction gives all units of the group and nothing else;
 * h, a function of z unit by unit, is what all readers read.
 *   padded  windows of a reader reach into padding. There the constant part of a bypass counts as it does elsewhere,
 *           although h is 0: only what a unit with slope b1 + shift = 0 leaves is exact */
typedef struct bypass_line {
    int64_t producer; /* contraction; -1: no line */
    int32_t x, z, h;  /* values */
    int32_t n_readers;
    int64_t *readers; /* [n_readers] contractions that read h, ascending; owned by the lines */
    bool padded;
} bypass_line;

typedef struct bypass_lines {
    int64_t n;           /* groups */
    bypass_line *lines;  /* [n] */
    const char **reason; /* [n] why a group has none, as one clause; NULL where it has one */
    arena arena;
} bypass_lines;

/* The lines of all groups. A group has one where
 *   - one dense contraction, or convolution with 1x1 kernel, stride 1, no padding and one group, gives z, and
 *     its outputs are the units of the group in order and nothing else;
 *   - h has z's shape and type, and nothing between them mixes elements or brings in other units (an inference
 *     BatchNormalization does neither);
 *   - every reader of h, or of something between, that is not elementwise is a matrix product or convolution of one
 *     group with a constant weight that reads h itself: not through pooling or Flatten, nor a ConvTranspose.
 * x then has h's rank, and its sizes on all axes but that of the units. Frozen groups have none.
 * Errors: COSET_EMEMORY. Cost: linear in nodes and slots. */
COSET_MUST_USE coset_status bypass_lines_find(coset_ctx *ctx, const coset_graph *graph,
                                              const graph_facts *facts, const graph_groups *groups,
                                              bypass_lines **lines_out);
void bypass_lines_free(coset_ctx *ctx, bypass_lines *self);

/* Lays the lines of all groups of a plan whose lumpings have slopes: a new graph with the same groups, but those
 * that keep no unit, which are gone, and their units as before (the cut itself follows in plan_apply).
 *   reader  y = W2 h + b2  becomes  y = W2' [h, x] + b2',  where for a bypassed unit u, h_u ~ slope_u z_u + shift_u,
 *           column u of W2' is 0,  columns of x are  S = sum over u of W2[:, u] slope_u W1[u, :],
 *           b2' = b2 + sum over u of W2[:, u] (slope_u b1_u + shift_u)      (summed over taps)
 * Groups go in topological order, and each reads what those in front became: W1 is [W1 | T] where its own input has
 * been joined by a skip. Concat nodes in a row are one node. Without kept units the reader reads x itself. Where the
 * columns S of all readers together have a numerical rank r with r (P + Q) < P Q, the line carries r values V x
 * instead of x, by a node of its own (S = U V; singular values below 1e-7 of the largest count as 0).
 *   facts, groups  of `graph`; borrowed
 * Errors: COSET_EARGUMENT naming the group if it has no line (with the reason); COSET_ENUMERIC if a new weight is not
 * finite; COSET_EMEMORY. Cost: Q n P flops a tap for every bypassed group, an SVD of (Q, P) where that may pay. */
COSET_MUST_USE coset_status bypass_lay(coset_ctx *ctx, const coset_graph *graph,
                                       const graph_facts *facts, const graph_groups *groups,
                                       const coset_plan *plan, coset_graph **graph_out);

/* What models with bypasses cost. State: kept [groups->n] units of every group, and whether it is bypassed. */
typedef struct bypass_costs bypass_costs;

/* unit_cost [n_contractions] of one stored weight: 1 for parameters (0 where a constant was counted before), its
 * uses for MACs; biases count with bias_cost (1 or 0). All borrowed for the life of the result. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status bypass_costs_new(coset_ctx *ctx, const coset_graph *graph,
                                             const graph_groups *groups, const bypass_lines *lines,
                                             const double *unit_cost, double bias_cost,
                                             bypass_costs **costs_out);
void bypass_costs_free(coset_ctx *ctx, bypass_costs *self);
/* All contractions and their biases: sum over c of in*(c) out(c), in* = kept units on its input axis, and in* of the
 * producer of every bypassed group on it (lines at full rank); a reader without a bias gets one. Cost: O(contractions). */
double bypass_cost_of(bypass_costs *self, const int64_t *kept, const bool *bypassed);
/* What it saves to bypass one more group, `units` of it: exact under the state given, skips in front of and behind it
 * included. The counting rule: n (P + Q + 1) - P Q > 0.   Source: METHODS.md section 6.
 * Cost: O(readers) after bypass_cost_of with the same state, which must have come before. */
double bypass_saving(const bypass_costs *self, int64_t group, int64_t units);

#endif
