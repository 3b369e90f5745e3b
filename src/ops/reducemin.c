/* ReduceMin: the smallest element over the listed axes, or all.
 * Source: ONNX ReduceMin-1, -11, -12, -13, -18 (axes as an input), -20 (bool). */
#include "ops/reduce.h"

REDUCTION(reducemin, "ReduceMin", 18, REDUCE_MIN)
