/* Relu: y = max(x, 0). */
#include "ops/elementwise.h"

/* NaN stays NaN: a comparison with it is false. */
UNARY_KERNEL(relu_f32, float, x < 0.0F ? 0.0F : x)
UNARY_KERNEL(relu_i64, int64_t, x < 0 ? 0 : x)

static coset_status forward(op_call *call)
{
    return unary_forward(call, relu_f32, relu_i64, NULL);
}

const coset_op op_relu = {
    .type = "Relu",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_number,
    .forward = forward,
    .labels = labels_unary,
};
