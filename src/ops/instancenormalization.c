/* InstanceNormalization: y = scale (x - mean) / sqrt(var + epsilon) + bias with the moments of each plane
 * (n, c) of x (N, C, D1, ...). Source: ONNX InstanceNormalization-6. */
#include <math.h>

#include "ops/channel.h"
#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/row.h"

enum { X, SCALE, BIAS };

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[X].shape;
    TRY(infer_takes(call, SCALE, TAKES_FLOAT));
    TRY(infer_takes(call, BIAS, TAKES_FLOAT));
    TRY(infer_same_float(call));
    if (x->rank >= 0 && x->rank < 2) {
        char text[SHAPE_TEXT];
        status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                           "expected x of shape (N, C, D1, ...), found %s",
                           shape_text(x, text, sizeof text));
        goto done;
    }
    TRY(infer_channels(call, SCALE, "scale", x->rank < 0 ? -1 : x->dims[1]));
    TRY(infer_channels(call, BIAS, "B", x->rank < 0 ? -1 : x->dims[1]));
done:
    return status;
}

static coset_status forward(op_call *call)
{
    const array *in = call->in;
    const shape *x = &in[X].shape;
    coset_status status = call_same_kind(call, 3);
    if (status != COSET_OK) return status;
    const int64_t channels = x->dims[1], planes = x->dims[0] * channels;
    const int64_t n = shape_product(x, 2, x->rank);
    const double epsilon = (double)node_attr_float(call->at.node, "epsilon", 1e-5F);
    float *y = call->out[0].f;
    if (n == 0) return COSET_OK;
#pragma omp parallel for if (planes * n > 1 << 15) num_threads(call->threads) schedule(static)
    for (int64_t p = 0; p < planes; p++) {
        const float *from = in[X].f + p * n;
        const double mean = row_sum(from, n) / (double)n;
        const double variance = row_deviation(from, mean, n) / (double)n;
        const double scale = (double)in[SCALE].f[p % channels] / sqrt(variance + epsilon);
        row_normalise(from, mean, scale, (double)in[BIAS].f[p % channels], y + p * n, n);
    }
    array_normalise(&call->out[0]);
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    const label_array *x = &call->labels[X];
    for (int a = 2; a < x->rank; a++)
        if (x->dims[a] > 1) return labels_freeze_all(call, "it is normalised over its units");
    return labels_channels(call, SCALE, 2,
                           "InstanceNormalization without constant parameters for its channels");
}

const coset_op op_instancenormalization = {
    .type = "InstanceNormalization",
    .domain = "",
    .since = 6,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
