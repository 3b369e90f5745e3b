/* reconstruct: refits every contraction of a compressed model to the original's pre-activations.
 * Source: METHODS.md section 9.2; the one-sided loss is ours. */
#ifndef COSET_RECOVER_RECONSTRUCT_H
#define COSET_RECOVER_RECONSTRUCT_H

#include "recover/targets.h"

/* Refits, from the first layer to the last, the weights and bias of every layer, so that errors of earlier
 * layers are seen and corrected:
 *   min |s(Y) - s(W X' + b)|^2 + lambda mean(diag X'X'^T) |W - W_lift|^2
 * X' the compressed model's own inputs, Y = R (original pre-activations). Rows of a convolution are
 * positions, columns its inputs x taps (zeros outside the image); each of its groups is a problem of its
 * own. s is the activation that follows, if it is one known function: the loss is majorised step by step;
 * for ReLU the target below zero is min(y^, 0), which keeps pre-activations that are off anyway from
 * dominating the fit. Where the result is added to another branch that was computed before, Y is R times
 * the original's sum less that branch of the compressed model, whose errors are made up for so.
 * Layers whose targets are their inputs (recovery_targets_new) keep the original's weights W, and what these
 * read is refitted, all channels of the input at a time,
 *   min |x - L' x' - c|^2 + lambda mean(diag x'x'^T) |L' - L|^2
 * over positions, x the original's and x' the compressed model's channels, L the plan's lift; then W' = R W L'
 * for every tap and b' = R (b + sum over taps W c). Zero padding has no c: near it b' is as inexact as that of
 * the lift (weight_cut). Without a bias c is 0. Other branches of a sum and the function behind play no part.
 * Whoever calls decides on held-out samples which lambda to take and whether to refit at all: the
 * error of the whole model tells more than that of a layer.
 *   ridge         lambda, dimensionless, > 0
 *   plan          what `small` was made by from the original of the targets; borrowed
 *   small         the applied plan; borrowed, unchanged
 *   refitted_out  a new graph, owned by the caller; NULL on failure
 * Errors: those of the executor; COSET_EMEMORY. Memory: the workspaces of all samples (1 GB at most), and
 * about 10 matrices of 2^24 elements in f64, and weights as weight_cut does. Cost: one forward run of the
 * compressed model, and for each layer k^3 + N k (k + q) flops and 4 N k q for every one of ten steps of
 * majorisation (N rows, k columns, q outputs), or without these for k and q channels. */
COSET_MUST_USE coset_status reconstruct(coset_ctx *ctx, const coset_plan *plan,
                                        const recovery_targets *targets, const coset_graph *small,
                                        double ridge, coset_graph **refitted_out);

#endif
