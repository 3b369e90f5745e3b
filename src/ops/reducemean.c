/* ReduceMean: the mean over the listed axes, or all.
 * Source: ONNX ReduceMean-1, -11, -13, -18 (axes as an input). */
#include "ops/reduce.h"

REDUCTION(reducemean, "ReduceMean", 18, REDUCE_MEAN)
