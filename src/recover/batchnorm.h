/* batchnorm: gives the pre-activations of a compressed model the mean and variance that they had.
 * Source: METHODS.md section 9.3; Jordan, Sedghi, Saukh, Entezari, Neyshabur, "REPAIR", 2022. */
#ifndef COSET_RECOVER_BATCHNORM_H
#define COSET_RECOVER_BATCHNORM_H

#include "recover/targets.h"

/* From the first layer to the last, for every unit of what a layer gives, y' in the compressed model and
 * R y in the original, over the samples of the targets:
 *   y' <- a y' + c,   a = deviation(R y) / deviation(y'),   c = mean(R y) - a mean(y')
 * folded into weight and bias (a BatchNormalization's scale and bias, which is the same as to estimate its
 * running statistics anew). Every layer sees the corrected results of those in front. Units that do not
 * vary keep their scale; a is kept within 1/4 and 4. Layers without a bias are only scaled.
 *   plan, small  as for reconstruct; borrowed, unchanged
 *   matched_out  a new graph, owned by the caller; NULL on failure
 * Errors: those of the executor; COSET_ENUMERIC where a value is not finite; COSET_EMEMORY.
 * Memory: the workspaces of all samples (1 GB at most). Cost: one run of each model. */
COSET_MUST_USE coset_status match_statistics(coset_ctx *ctx, const coset_plan *plan,
                                             const recovery_targets *targets,
                                             const coset_graph *small, coset_graph **matched_out);

#endif
