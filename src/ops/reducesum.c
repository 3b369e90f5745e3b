/* ReduceSum: the sum over the listed axes, or all.
 * Source: ONNX ReduceSum-1, -11, -13 (axes as an input). */
#include "ops/reduce.h"

REDUCTION(reducesum, "ReduceSum", 13, REDUCE_SUM)
