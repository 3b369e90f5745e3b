/* Parameters with one element for each channel, axis 1 of input 0. */
#ifndef COSET_OPS_CHANNEL_H
#define COSET_OPS_CHANNEL_H

#include "graph/labels.h"
#include "graph/op.h"

/* Fails unless input `index` has shape [channels]; what is unknown passes.
 *   channels  -1: not known */
COSET_MUST_USE coset_status infer_channels(const op_infer *call, int index, const char *name,
                                           int64_t channels);

/* Declares inputs [first, first + n) of shape [C] as parameters of the channels' units (SLOT_SCALE); result 0
 * has the labels of input 0. What meets in a channel shares its parameters: it is united.
 *   reason  why units are frozen if a parameter is computed */
COSET_MUST_USE coset_status labels_channels(op_labels *call, int first, int n, const char *reason);

#endif
