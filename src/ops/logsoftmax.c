/* LogSoftmax: y = x - log(sum of exp(x)). Source: ONNX LogSoftmax-1, -11, -13 (one axis). */
#include "ops/softmax.h"

static coset_status forward(op_call *call)
{
    return softmax_forward(call, true);
}

const coset_op op_logsoftmax = {
    .type = "LogSoftmax",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = softmax_infer,
    .forward = forward,
    .labels = softmax_labels,
};
