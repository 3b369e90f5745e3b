/* ReduceLogSumExp: the logarithm of the sum of exponentials over the listed axes, or all.
 * Source: ONNX ReduceLogSumExp-1, -11, -13, -18 (axes as an input). */
#include "ops/reduce.h"

REDUCTION(reducelogsumexp, "ReduceLogSumExp", 18, REDUCE_LOG_SUM_EXP)
