/* What Conv and ConvTranspose share beside their kernels: channels, labels, cuts. */
#ifndef COSET_OPS_CONV_RULES_H
#define COSET_OPS_CONV_RULES_H

#include "graph/labels.h"
#include "graph/op.h"

enum { CONV_X, CONV_W, CONV_B };

/* Axes of the weight: Conv has (M, C / group, ...), ConvTranspose (C, M / group, ...). */
typedef struct conv_axes {
    int w_in, w_out;
} conv_axes;

/* Checks types, group, channels, weight and bias against each other; the window is window_read's.
 *   channels_out  of y; -1: not known
 * Errors: COSET_EFORMAT. */
COSET_MUST_USE coset_status conv_check(const op_infer *call, conv_axes axes, int64_t *channels_out);

/* Element type and rank of y, its channels and its batch; the spatial sizes are left unknown. */
void conv_set_output(op_infer *call, int64_t channels);

/* Without groups: a contraction over channels. Where every channel is a group, units pass through, and
 * weight and bias follow them. With groups between, the p-th channels of all groups are one unit, and
 * so are the q-th outputs: every group loses the same ones. */
COSET_MUST_USE coset_status conv_labels(op_labels *call, conv_axes axes);

/* Where every channel is a group, there are as many groups as channels left. */
COSET_MUST_USE coset_status conv_cut(op_cut *call);

/* Multiply-accumulates of `positions` windows with a known weight; INT64_MAX if too many. */
int64_t conv_macs(const shape *weight, int64_t samples, int64_t positions);

#endif
