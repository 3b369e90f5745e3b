/* Round: the nearest integer, the even one of two. */
#include <math.h>

#include "ops/elementwise.h"

UNARY_KERNEL(round_f32, float, rintf(x))

static coset_status forward(op_call *call)
{
    return unary_forward(call, round_f32, NULL, NULL);
}

const coset_op op_round = {
    .type = "Round",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
