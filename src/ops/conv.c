/* Conv: y[n, m, p] = b[m] + sum over channels c and taps t of w[m, c, t] x[n, c, position of t at p],
 * over 1 to 3 spatial axes, groups of channels by themselves. Source: ONNX Conv-1, -11, -22. */
#include "ops/conv_rules.h"
#include "ops/convolve.h"
#include "ops/operand.h"

static const conv_axes weight_axes = {.w_in = 1, .w_out = 0};

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[CONV_X].shape;
    int64_t channels = -1;
    window sizes;
    TRY(conv_check(call, weight_axes, &channels));
    if (x->rank >= 0) TRY(window_read(&call->at, x, &call->in[CONV_W].shape, false, &sizes));
    conv_set_output(call, channels);
    if (x->rank >= 0) window_out_dims(&sizes, &call->out[0].shape.dims[2]);
done:
    return status;
}

/* Shapes are known, and infer has checked them. */
static coset_status describe(const op_node *at, const shape *x, const shape *w,
                             convolution *self_out)
{
    convolution self = {.samples = x->dims[0],
                        .groups = node_attr_int(at->node, "group", 1),
                        .in_channels = w->dims[1]};
    self.out_channels = w->dims[0] / self.groups;
    coset_status status = window_read(at, x, w, false, &self.window);
    if (status == COSET_OK) *self_out = self;
    return status;
}

static size_t scratch(const op_infer *call)
{
    convolution self;
    if (describe(&call->at, &call->in[CONV_X].shape, &call->in[CONV_W].shape, &self) != COSET_OK)
        return 0;
    return convolve_scratch(&self, call->at.ctx->threads);
}

static coset_status forward(op_call *call)
{
    coset_status status = COSET_OK;
    const array *x = &call->in[CONV_X], *w = &call->in[CONV_W];
    const float *bias = call->at.n_in > CONV_B ? call->in[CONV_B].f : NULL;
    convolution self;
    TRY(call_same_kind(call, 3));
    TRY(describe(&call->at, &x->shape, &w->shape, &self));
    convolve_f32(&self, x->f, w->f, bias, call->out[0].f, call->scratch, call->threads,
                 call->at.ctx->threads);
    array_normalise(&call->out[0]);
done:
    return status;
}

static coset_status labels(op_labels *call)
{
    return conv_labels(call, weight_axes);
}

static int64_t macs(const op_infer *call)
{
    const shape *y = &call->out[0].shape;
    return conv_macs(&call->in[CONV_W].shape, y->dims[0], shape_product(y, 2, y->rank));
}

const coset_op op_conv = {
    .type = "Conv",
    .domain = "",
    .since = 1,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = labels,
    .cut = conv_cut,
    .macs = macs,
};
