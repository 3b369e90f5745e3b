/* GroupNormalization: as InstanceNormalization, with the moments of num_groups equal runs of channels.
 * Source: ONNX GroupNormalization-18 (a scale and a bias for each group), -21 (for each channel). */
#include <math.h>

#include "ops/channel.h"
#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/row.h"

enum { X, SCALE, BIAS, BY_CHANNEL = 21 };

static coset_status read_groups(const op_node *at, int64_t channels, int64_t *groups_out)
{
    const int64_t groups = node_attr_int(at->node, "num_groups", 0);
    *groups_out = groups;
    if (groups >= 1 && (channels < 0 || channels % groups == 0)) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT,
                     "expected num_groups to divide the %lld channels, found %lld",
                     (long long)channels, (long long)groups);
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[X].shape;
    int64_t groups = 0, channels = -1;
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
    if (x->rank >= 0) channels = x->dims[1];
    TRY(read_groups(&call->at, channels, &groups));
    if (call->at.opset < BY_CHANNEL) channels = groups;
    TRY(infer_channels(call, SCALE, "scale", channels));
    TRY(infer_channels(call, BIAS, "bias", channels));
done:
    return status;
}

static coset_status forward(op_call *call)
{
    const array *in = call->in;
    const shape *x = &in[X].shape;
    int64_t groups = 0;
    coset_status status = call_same_kind(call, 3);
    if (status == COSET_OK) status = read_groups(&call->at, x->dims[1], &groups);
    if (status != COSET_OK) return status;
    const bool by_channel = call->at.opset >= BY_CHANNEL;
    const int64_t width = x->dims[1] / groups, plane = shape_product(x, 2, x->rank);
    const int64_t n = width * plane, rows = x->dims[0] * groups;
    const double epsilon = (double)node_attr_float(call->at.node, "epsilon", 1e-5F);
    float *y = call->out[0].f;
    if (n == 0) return COSET_OK;
#pragma omp parallel for if (rows * n > 1 << 15) num_threads(call->threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const float *from = in[X].f + r * n;
        const double mean = row_sum(from, n) / (double)n;
        const double inverse = 1 / sqrt(row_deviation(from, mean, n) / (double)n + epsilon);
        for (int64_t c = 0; c < width; c++) {
            const int64_t at = by_channel ? r % groups * width + c : r % groups;
            row_normalise(from + c * plane, mean, inverse * (double)in[SCALE].f[at],
                          (double)in[BIAS].f[at], y + r * n + c * plane, plane);
        }
    }
    array_normalise(&call->out[0]);
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    if (!labels_none(&call->labels[SCALE]) || !labels_none(&call->labels[BIAS]))
        return labels_freeze_all(call, "GroupNormalization with computed parameters");
    for (int a = 1; a < call->in[X].shape.rank; a++) axes[n++] = a;
    return labels_over_axes(call, axes, n, true, "it is normalised over groups of its units");
}

const coset_op op_groupnormalization = {
    .type = "GroupNormalization",
    .domain = "",
    .since = 18,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
