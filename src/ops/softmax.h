/* Softmax and LogSoftmax share everything but the last step. */
#ifndef COSET_OPS_SOFTMAX_H
#define COSET_OPS_SOFTMAX_H

#include "graph/op.h"

COSET_MUST_USE coset_status softmax_infer(op_infer *call);
/* exp(x - max) / sum, or x - max - log(sum) with `log`, along the node's axis: one axis from opset
 * 13 on; before, all axes from the node's axis on together. Sums in f64. */
COSET_MUST_USE coset_status softmax_forward(op_call *call, bool log);
COSET_MUST_USE coset_status softmax_labels(struct op_labels *call);

#endif
