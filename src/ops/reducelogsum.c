/* ReduceLogSum: the logarithm of the sum over the listed axes, or all.
 * Source: ONNX ReduceLogSum-1, -11, -13, -18 (axes as an input). */
#include "ops/reduce.h"

REDUCTION(reducelogsum, "ReduceLogSum", 18, REDUCE_LOG_SUM)
