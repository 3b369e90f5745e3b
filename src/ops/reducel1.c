/* ReduceL1: the sum of absolute values over the listed axes, or all.
 * Source: ONNX ReduceL1-1, -11, -13, -18 (axes as an input). */
#include "ops/reduce.h"

REDUCTION(reducel1, "ReduceL1", 18, REDUCE_L1)
