/* What DepthToSpace and SpaceToDepth share: blocks of blocksize x blocksize pixels of (n, c, h, w). */
#ifndef COSET_OPS_SPACE_H
#define COSET_OPS_SPACE_H

#include "graph/op.h"

/* Sets the type of output 0, checks rank and blocksize; area is blocksize squared. */
COSET_MUST_USE coset_status space_infer(op_infer *call, int64_t *block_out, int64_t *area_out);
/* Size of an axis of input 0 divided by / times a number; -1 if it is unknown. */
COSET_MUST_USE coset_status space_divide(const op_infer *call, int axis, int64_t by,
                                         int64_t *dim_out);
COSET_MUST_USE coset_status space_multiply(const op_infer *call, int axis, int64_t by,
                                           int64_t *dim_out);

#endif
