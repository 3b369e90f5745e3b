/* ReduceL2: the root of the sum of squares over the listed axes, or all.
 * Source: ONNX ReduceL2-1, -11, -13, -18 (axes as an input). */
#include "ops/reduce.h"

REDUCTION(reducel2, "ReduceL2", 18, REDUCE_L2)
