/* Mean: the mean of the inputs, element by element, broadcast. */
#include "ops/variadic.h"

FOLD_KERNEL(sum_f32, float, y + x)

static coset_status infer(op_infer *call)
{
    return variadic_infer(call, TAKES_FLOAT);
}

static coset_status forward(op_call *call)
{
    coset_status status = variadic_forward(call, sum_f32, NULL);
    if (status != COSET_OK) return status;
    array *y = &call->out[0];
    const float n = (float)call->at.n_in;
    for (int64_t i = 0, count = shape_product(&y->shape, 0, y->shape.rank); i < count; i++)
        y->f[i] /= n;
    array_normalise(y);
    return COSET_OK;
}

const coset_op op_mean = {
    .type = "Mean",
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
