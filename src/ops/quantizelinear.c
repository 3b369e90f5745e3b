/* QuantizeLinear: y = saturate(round(x / scale) + zero), with the even one of two nearest integers.
 * 8-bit floats are rounded and saturated by their own rules. Source: ONNX QuantizeLinear-10, -13,
 * -19, -21. */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/quantize.h"

/* Range of an integer type that results may have. */
static bool range_of(coset_dtype dtype, double *low_out, double *high_out)
{
    switch (dtype) {
    case COSET_U4: *low_out = 0, *high_out = 15; return true;
    case COSET_I4: *low_out = -8, *high_out = 7; return true;
    case COSET_U8: *low_out = 0, *high_out = 255; return true;
    case COSET_I8: *low_out = -128, *high_out = 127; return true;
    case COSET_U16: *low_out = 0, *high_out = 65535; return true;
    case COSET_I16: *low_out = -32768, *high_out = 32767; return true;
    case COSET_I32: *low_out = -0x1p31, *high_out = 0x1p31 - 1; return true;
    default: return false;
    }
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    double low = 0, high = 0;
    const op_node *at = &call->at;
    const bool has_zero = at->n_in > QUANTIZE_ZERO && at->node->inputs[QUANTIZE_ZERO] >= 0;
    const int64_t wanted = node_attr_int(at->node, "output_dtype", COSET_UNDEFINED);
    coset_dtype dtype = COSET_U8;
    TRY(infer_takes(call, QUANTIZE_X, TAKES_NUMBER));
    TRY(infer_takes(call, QUANTIZE_SCALE, TAKES_NUMBER));
    TRY(quantize_check(call));
    if (has_zero)
        dtype = call->in[QUANTIZE_ZERO].dtype;
    else if (wanted > COSET_UNDEFINED && wanted <= COSET_F4E2M1)
        dtype = (coset_dtype)wanted;
    if (dtype != COSET_UNDEFINED && !dtype_is_float(dtype) && !range_of(dtype, &low, &high)) {
        status = node_fail(at->ctx, at->node, COSET_EFORMAT, "cannot quantise to %s",
                           coset_dtype_name(dtype));
        goto done;
    }
    call->out[0].dtype = dtype;
    call->out[0].shape = call->in[QUANTIZE_X].shape;
done:
    return status;
}

/* One element as a float, whatever its compute type. */
static float number_at(const array *self, int64_t i)
{
    return dtype_is_float(self->dtype) ? self->f[i] : (float)self->i[i];
}

static void quantise_row(const op_call *call, int64_t from, int64_t n, int64_t scale,
                         int64_t scale_step)
{
    const array *x = &call->in[QUANTIZE_X], *scales = &call->in[QUANTIZE_SCALE];
    array *y = &call->out[0];
    const int64_t *zero = quantize_zero(call);
    double low = 0, high = 0;
    const bool is_integer = range_of(y->dtype, &low, &high);
    for (int64_t i = 0; i < n; i++) {
        const float step = number_at(scales, scale + i * scale_step);
        const float quotient = number_at(x, from + i) / step;
        if (!is_integer) {
            y->f[from + i] = quotient;
            continue;
        }
        double level = (double)rintf(quotient);
        if (zero != NULL) level += (double)zero[scale + i * scale_step];
        y->i[from + i] = int64_truncate(level < low ? low : level > high ? high : level);
    }
}

static coset_status forward(op_call *call)
{
    for (int i = 0; i < call->at.n_in; i++)
        if (call->at.node->inputs[i] >= 0 && array_element_size(call->in[i].dtype) == 0)
            return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                             "cannot compute with input %d of type %s", i,
                             coset_dtype_name(call->in[i].dtype));
    if (dtype_is_float(call->out[0].dtype) && node_attr_int(call->at.node, "saturate", 1) == 0)
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "quantising without saturation");
    const quantize_layout layout = quantize_layout_of(call);
    for (int64_t o = 0; o < layout.outer; o++)
        for (int64_t a = 0; a < layout.size; a++)
            quantise_row(call, (o * layout.size + a) * layout.inner, layout.inner,
                         quantize_scale_at(&layout, o, a), layout.inner_step);
    array_normalise(&call->out[0]);
    return COSET_OK;
}

const coset_op op_quantizelinear = {
    .type = "QuantizeLinear",
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
