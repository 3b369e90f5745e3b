/* Floor: the largest integer that is not greater than x. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(floor_f32, float, floorf(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, floor_f32, NULL, NULL);
}

const coset_op op_floor = {
    .type = "Floor",
    .domain = "",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
