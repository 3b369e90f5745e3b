/* DequantizeLinear: y = (x - zero) scale, in the type of the scale.
 * Source: ONNX DequantizeLinear-10, -13, -19, -21. */
#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/quantize.h"

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    TRY(infer_takes(call, QUANTIZE_X, TAKES_NUMBER));
    TRY(infer_takes(call, QUANTIZE_SCALE, TAKES_FLOAT));
    if (at->n_in > QUANTIZE_ZERO && at->node->inputs[QUANTIZE_ZERO] >= 0)
        TRY(infer_same_type(call, QUANTIZE_X, QUANTIZE_ZERO));
    TRY(quantize_check(call));
    call->out[0].dtype = call->in[QUANTIZE_SCALE].dtype;
    call->out[0].shape = call->in[QUANTIZE_X].shape;
done:
    return status;
}

static void restore_row(const op_call *call, int64_t from, int64_t n, int64_t scale,
                        int64_t scale_step)
{
    const array *x = &call->in[QUANTIZE_X];
    const float *scales = call->in[QUANTIZE_SCALE].f;
    const int64_t *zero = quantize_zero(call);
    float *y = call->out[0].f + from;
    if (dtype_is_float(x->dtype))
        for (int64_t i = 0; i < n; i++) y[i] = x->f[from + i] * scales[scale + i * scale_step];
    else
        for (int64_t i = 0; i < n; i++) {
            const int64_t at = scale + i * scale_step;
            y[i] = (float)(x->i[from + i] - (zero != NULL ? zero[at] : 0)) * scales[at];
        }
}

static coset_status forward(op_call *call)
{
    if (array_element_size(call->in[QUANTIZE_X].dtype) == 0 ||
        call->in[QUANTIZE_X].dtype == COSET_U64 || call->in[QUANTIZE_X].dtype == COSET_I64 ||
        !dtype_is_float(call->out[0].dtype))
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot restore values of type %s",
                         coset_dtype_name(call->in[QUANTIZE_X].dtype));
    const quantize_layout layout = quantize_layout_of(call);
    for (int64_t o = 0; o < layout.outer; o++)
        for (int64_t a = 0; a < layout.size; a++)
            restore_row(call, (o * layout.size + a) * layout.inner, layout.inner,
                        quantize_scale_at(&layout, o, a), layout.inner_step);
    array_normalise(&call->out[0]);
    return COSET_OK;
}

const coset_op op_dequantizelinear = {
    .type = "DequantizeLinear",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = quantize_labels,
};
