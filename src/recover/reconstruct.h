/* reconstruct: refits every contraction of a compressed model to the original's pre-activations.
 * Source: METHODS.md section 9.2; the one-sided loss is ours. */
#ifndef COSET_RECOVER_RECONSTRUCT_H
#define COSET_RECOVER_RECONSTRUCT_H

#include "lump/plan.h"
#include "lump/sites.h"

/* What the layers of the original give on the calibration samples, kept for any number of
 * reconstructions of models made from it: for every matrix and convolution the pre-activations at chosen
 * positions of chosen samples.
 *   Samples: as many as 2^35 multiply-accumulates of the original allow, though 256 if there are so many,
 *   and no more than workspaces of 1 GB in all hold; spread evenly over the source.
 *   Rows of a layer: 32 for every column (input x tap) of its refit, at least 8192 and at most 65536, and
 *   at most 2^24 elements of a matrix of rows.
 * Layers of more than 4096 columns get no target: they keep the weights that the lift gave them.
 * Owned by the caller; original, groups, source and sample_shapes are borrowed for its life.
 * Errors: those of the executor; COSET_EMEMORY. Memory: at most 512 MB of targets (beyond, every layer gets
 * fewer rows). Cost: one run of the original. */
typedef struct reconstruct_targets reconstruct_targets;
COSET_MUST_USE coset_status reconstruct_targets_new(coset_ctx *ctx, const coset_graph *original,
                                                    const graph_groups *groups,
                                                    const batch_source *source,
                                                    const shape *sample_shapes,
                                                    reconstruct_targets **targets_out);
void reconstruct_targets_free(coset_ctx *ctx, reconstruct_targets *self);

/* Refits, from the first layer to the last, the weights and bias of every layer, so that errors of earlier
 * layers are seen and corrected:
 *   min |s(Y) - s(W X' + b)|^2 + lambda mean(diag X'X'^T) |W - W_lift|^2
 * X' the compressed model's own inputs, Y = R (original pre-activations). Rows of a convolution are
 * positions, columns its inputs x taps (zeros outside the image); each of its groups is a problem of its
 * own. s is the activation that follows, if it is one known function: the loss is majorised step by step;
 * for ReLU the target below zero is min(y^, 0), which keeps pre-activations that are off anyway from
 * dominating the fit. Where the result is added to another branch that was computed before, Y is R times
 * the original's sum less that branch of the compressed model, whose errors are made up for so.
 * Whoever calls decides on held-out samples which lambda to take and whether to refit at all: the
 * error of the whole model tells more than that of a layer.
 *   ridge         lambda, dimensionless, > 0
 *   plan          what `small` was made by from the original of the targets; borrowed
 *   small         the applied plan; borrowed, unchanged
 *   refitted_out  a new graph, owned by the caller; NULL on failure
 * Errors: those of the executor; COSET_EMEMORY. Memory: the workspaces of all samples (1 GB at most), and
 * about 6 matrices of 2^24 elements. Cost: one forward run of the compressed model, and for each layer
 * k^3 + N k (k + q) flops and 4 N k q for every one of ten steps of majorisation (N rows, k columns, q
 * outputs). */
COSET_MUST_USE coset_status reconstruct(coset_ctx *ctx, const coset_plan *plan,
                                        const reconstruct_targets *targets,
                                        const coset_graph *small, double ridge,
                                        coset_graph **refitted_out);

#endif
