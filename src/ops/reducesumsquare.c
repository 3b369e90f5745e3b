/* ReduceSumSquare: the sum of squares over the listed axes, or all.
 * Source: ONNX ReduceSumSquare-1, -11, -13, -18 (axes as an input). */
#include "ops/reduce.h"

REDUCTION(reducesumsquare, "ReduceSumSquare", 18, REDUCE_SUM_SQUARE)
