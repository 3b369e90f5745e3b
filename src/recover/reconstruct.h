/* reconstruct: refits every contraction of a compressed model to the original's pre-activations.
 * Source: METHODS.md section 9.2; the one-sided loss is ours. */
#ifndef COSET_RECOVER_RECONSTRUCT_H
#define COSET_RECOVER_RECONSTRUCT_H

#include "lump/plan.h"
#include "lump/sites.h"

/* Pre-activations of the original on the calibration samples, kept for any number of reconstructions of
 * models made from it. Owned by the caller; groups are borrowed for its life.
 * Errors: those of the executor; COSET_EMEMORY. Memory: at most 256 MB; larger models are run again
 * for every contraction instead. */
typedef struct reconstruct_targets reconstruct_targets;
COSET_MUST_USE coset_status reconstruct_targets_new(coset_ctx *ctx, const coset_graph *original,
                                                    const graph_groups *groups,
                                                    const batch_source *source,
                                                    const shape *sample_shapes,
                                                    reconstruct_targets **targets_out);
void reconstruct_targets_free(coset_ctx *ctx, reconstruct_targets *self);

/* Refits, from the first contraction to the last, the weights and bias of every contraction whose
 * inputs were cut, so that errors of earlier layers are seen and corrected:
 *   min |Y - W X' - b|^2 + lambda mean(diag X'X'^T) |W - W_lift|^2
 * X' the compressed model's own inputs, Y = R (original pre-activations). Where a known activation s
 * follows, the loss is |s(Y) - s(W X' + b)|^2, majorised step by step: for ReLU the target below zero is
 * min(y^, 0), which keeps pre-activations that are off anyway from dominating the fit.
 * Whoever calls decides on held-out samples which lambda to take and whether to refit at all: the
 * error of the whole model tells more than that of a layer.
 *   ridge           lambda, dimensionless, > 0
 *   original, plan  what `small` was made of; borrowed
 *   small           the applied plan; borrowed, unchanged
 *   refitted_out    a new graph, owned by the caller; NULL on failure
 * Errors: those of the executor; COSET_EMEMORY. Cost: for each contraction one forward run of the
 * compressed model up to it, k^3 + N k q flops and 4 N k q steps for an activation (N samples, k inputs, q outputs). */
COSET_MUST_USE coset_status reconstruct(coset_ctx *ctx, const coset_graph *original,
                                        const graph_groups *groups, const coset_plan *plan,
                                        const reconstruct_targets *targets,
                                        const batch_source *source, const shape *sample_shapes,
                                        const coset_graph *small, double ridge,
                                        coset_graph **refitted_out);

#endif
