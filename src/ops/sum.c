/* Sum: the sum of the inputs, element by element, broadcast. */
#include "ops/variadic.h"

FOLD_KERNEL(sum_f32, float, y + x)

static coset_status infer(op_infer *call)
{
    return variadic_infer(call, TAKES_FLOAT);
}

static coset_status forward(op_call *call)
{
    return variadic_forward(call, sum_f32, NULL);
}

const coset_op op_sum = {
    .type = "Sum",
    .domain = "",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = -1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_added,
};
