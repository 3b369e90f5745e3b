/* ReduceProd: the product over the listed axes, or all.
 * Source: ONNX ReduceProd-1, -11, -13, -18 (axes as an input). */
#include "ops/reduce.h"

REDUCTION(reduceprod, "ReduceProd", 18, REDUCE_PROD)
