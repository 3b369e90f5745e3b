/* ReduceSum over the listed axes, or all. Source: ONNX ReduceSum-1, -11, -13 (axes as an input). */
#include "ops/reduce.h"

static const reduction rule = {.axes_are_input = 13, .mean = false};

static coset_status infer(op_infer *call)
{
    return reduce_infer(call, &rule);
}

static coset_status forward(op_call *call)
{
    return reduce_forward(call, &rule);
}

static coset_status labels(struct op_labels *call)
{
    return reduce_labels(call, &rule);
}

const coset_op op_reducesum = {
    .type = "ReduceSum",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .scratch = reduce_scratch,
    .labels = labels,
};
