/* ArgMin: the place of the smallest element along one axis.
 * Source: ONNX ArgMin-1, -11 (negative axes), -12 (select_last_index), -13. */
#include "ops/arg.h"

static coset_status forward(op_call *call)
{
    return arg_forward(call, false);
}

const coset_op op_argmin = {
    .type = "ArgMin",
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
