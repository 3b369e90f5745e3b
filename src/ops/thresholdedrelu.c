/* ThresholdedRelu: y = x for x > alpha, 0 otherwise. */
#include "ops/elementwise.h"

UNARY_KERNEL(thresholdedrelu_f32, float, x > *(const float *)param ? x : 0.0F)

static coset_status forward(op_call *call)
{
    const float param = node_attr_float(call->at.node, "alpha", 1.0F);
    return unary_forward(call, thresholdedrelu_f32, NULL, &param);
}

const coset_op op_thresholdedrelu = {
    .type = "ThresholdedRelu",
    .domain = "",
    .since = 10,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward,
    .labels = labels_unary,
};
