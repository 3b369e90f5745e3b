/* DynamicQuantizeLinear: quantises to uint8 with the scale and the zero point that the range of the
 * data (with 0 in it) gives. Outputs: y, scale, zero point. */
#include <math.h>

#include "ops/elementwise.h"

static coset_status infer(op_infer *call)
{
    static const coset_dtype types[] = {COSET_U8, COSET_F32, COSET_U8};
    coset_status status = infer_takes(call, 0, TAKES_FLOAT);
    if (status != COSET_OK) return status;
    for (int o = 0; o < call->at.n_out; o++)
        call->out[o] = (fact){.dtype = types[o], .shape = {.rank = 0}};
    call->out[0].shape = call->in[0].shape;
    return COSET_OK;
}

static float saturate(float level)
{
    return level < 0.0F ? 0.0F : level > 255.0F ? 255.0F : level;
}

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0];
    const int64_t n = shape_product(&x->shape, 0, x->shape.rank);
    float low = 0.0F, high = 0.0F;
    for (int64_t i = 0; i < n; i++) {
        if (x->f[i] < low) low = x->f[i];
        if (x->f[i] > high) high = x->f[i];
    }
    /* All zeros have no range: any scale restores them. */
    const float scale = high == low ? 1.0F : (high - low) / 255.0F;
    const float zero = saturate(rintf(-low / scale));
    if (call->out[0].data != NULL)
        for (int64_t i = 0; i < n; i++)
            call->out[0].i[i] = int64_truncate((double)saturate(rintf(x->f[i] / scale) + zero));
    if (call->out[1].data != NULL) call->out[1].f[0] = scale;
    if (call->out[2].data != NULL) call->out[2].i[0] = int64_truncate((double)zero);
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    return labels_freeze_all(call, "all its units together decide how it is quantised");
}

const coset_op op_dynamicquantizelinear = {
    .type = "DynamicQuantizeLinear",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 3,
    .max_outputs = 3,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
