/* ReduceMax: the largest element over the listed axes, or all.
 * Source: ONNX ReduceMax-1, -11, -12, -13, -18 (axes as an input), -20 (bool). */
#include "ops/reduce.h"

REDUCTION(reducemax, "ReduceMax", 18, REDUCE_MAX)
