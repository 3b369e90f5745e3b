/* Reductions over axes by sums. */
#ifndef COSET_OPS_REDUCE_H
#define COSET_OPS_REDUCE_H

#include "graph/op.h"

typedef struct reduction {
    int64_t axes_are_input; /* from this opset on axes are input 1 */
    bool mean;
} reduction;

COSET_MUST_USE coset_status reduce_infer(op_infer *call, const reduction *rule);
/* Sums in f64, or in int64_t that wraps. A mean of integers is cut towards zero. */
COSET_MUST_USE coset_status reduce_forward(op_call *call, const reduction *rule);
/* One accumulator per output element. */
size_t reduce_scratch(const op_infer *call);
COSET_MUST_USE coset_status reduce_labels(struct op_labels *call, const reduction *rule);

#endif
