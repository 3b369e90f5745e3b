/* What an error at a contraction's input costs at the output of the model. */
#ifndef COSET_LUMP_METRIC_H
#define COSET_LUMP_METRIC_H

#include "lump/sites.h"

/* M = sum over taps of W^T A W for one contraction; A (n_out, n_out) symmetric, NULL: the identity.
 * metric_out (n_in, n_in), owned by the caller. Cost: n_out n_in (n_out + n_in) flops a tap. */
COSET_MUST_USE coset_status contraction_metric(coset_ctx *ctx, const coset_graph *graph,
                                               const graph_groups *groups, int64_t index,
                                               const double *a, double **metric_out);

/* Fills self->metric from the last contraction to the first (see calibration). */
COSET_MUST_USE coset_status calibration_metrics(coset_ctx *ctx, const coset_graph *graph,
                                                const graph_groups *groups, calibration *self);

#endif
