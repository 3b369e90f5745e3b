/* ArgMax and ArgMin: where the largest or smallest element along one axis lies. */
#ifndef COSET_OPS_ARG_H
#define COSET_OPS_ARG_H

#include "graph/op.h"

COSET_MUST_USE coset_status arg_infer(op_infer *call);
/* NaN is larger and smaller than everything. Of equal elements the first counts, or with
 * select_last_index the last. */
COSET_MUST_USE coset_status arg_forward(op_call *call, bool largest);
COSET_MUST_USE coset_status arg_labels(struct op_labels *call);

#endif
