/* PRelu: y = x, and slope x below 0; the slope is broadcast to the shape of x. */
#include "ops/elementwise.h"

BINARY_KERNEL(prelu_f32, float, a < 0.0F ? a * b : a)
BINARY_KERNEL(prelu_i64, int64_t, a < 0 ? (int64_t)((uint64_t)a * (uint64_t)b) : a)

/* The slope must not make the result larger than x. */
static coset_status check_slope(const op_infer *call)
{
    const shape *x = &call->in[0].shape, *slope = &call->in[1].shape;
    if (x->rank < 0 || slope->rank < 0) return COSET_OK;
    bool fits = slope->rank <= x->rank;
    for (int i = 1; fits && i <= slope->rank; i++) {
        const int64_t size = x->dims[x->rank - i], of_slope = slope->dims[slope->rank - i];
        fits = of_slope == 1 || of_slope == -1 || size == -1 || of_slope == size;
    }
    if (fits) return COSET_OK;
    char x_text[SHAPE_TEXT], slope_text[SHAPE_TEXT];
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "expected a slope that broadcasts to the input's shape %s, found %s",
                     shape_text(x, x_text, sizeof x_text),
                     shape_text(slope, slope_text, sizeof slope_text));
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    TRY(check_slope(call));
    TRY(infer_broadcast(call));
    call->out[0].shape = call->in[0].shape;
done:
    return status;
}

static coset_status forward(op_call *call)
{
    const bool is_float = dtype_is_float(call->in[0].dtype);
    return binary_forward(call, is_float ? prelu_f32 : prelu_i64, NULL);
}

const coset_op op_prelu = {
    .type = "PRelu",
    .domain = "",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_scaled,
};
