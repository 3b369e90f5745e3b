/* ArgMax: the place of the largest element along one axis.
 * Source: ONNX ArgMax-1, -11 (negative axes), -12 (select_last_index), -13. */
#include "ops/arg.h"

static coset_status forward(op_call *call)
{
    return arg_forward(call, true);
}

const coset_op op_argmax = {
    .type = "ArgMax",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = arg_infer,
    .forward = forward,
    .labels = arg_labels,
};
