/* BatchNormalization as in inference: y = scale (x - mean) / sqrt(var + epsilon) + bias, channel by
 * channel along axis 1. */
#include <math.h>

#include "ops/channel.h"
#include "ops/elementwise.h"

enum { X, SCALE, BIAS, MEAN, VAR, N_INPUTS };

static const char *const input_names[N_INPUTS] = {"X", "scale", "B", "mean", "var"};

/* Opset 7 could normalise every element by itself instead of channel by channel. */
static bool per_channel(const op_node *at)
{
    return at->opset >= 9 || node_attr_int(at->node, "spatial", 1) != 0;
}

/* Shape of the four parameters for an x of known rank; a single dimension is a batch of one
 * channel. */
static shape param_shape(const op_node *at, const shape *x)
{
    shape expected = {.rank = 1, .dims = {1}};
    if (x->rank < 2) return expected;
    expected.rank = per_channel(at) ? 1 : x->rank - 1;
    for (int a = 0; a < expected.rank; a++) expected.dims[a] = x->dims[a + 1];
    return expected;
}

static bool shape_fits(const shape *found, const shape *expected)
{
    if (found->rank < 0) return true;
    if (found->rank != expected->rank) return false;
    for (int a = 0; a < found->rank; a++)
        if (found->dims[a] >= 0 && expected->dims[a] >= 0 && found->dims[a] != expected->dims[a])
            return false;
    return true;
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[X].shape;
    for (int i = X; i < N_INPUTS; i++) TRY(infer_takes(call, i, TAKES_FLOAT));
    TRY(infer_same_float(call));
    shape expected = SHAPE_UNKNOWN;
    if (x->rank == 0) {
        status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                           "expected input 0 (X) to have axes, found a scalar");
        goto done;
    }
    if (x->rank > 0) expected = param_shape(&call->at, x);
    for (int i = SCALE; i < N_INPUTS && x->rank > 0; i++) {
        if (shape_fits(&call->in[i].shape, &expected)) continue;
        char found_text[SHAPE_TEXT], expected_text[SHAPE_TEXT];
        status =
            node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                      "expected shape %s for input %d (%s), found %s",
                      shape_text(&expected, expected_text, sizeof expected_text), i, input_names[i],
                      shape_text(&call->in[i].shape, found_text, sizeof found_text));
        goto done;
    }
    for (int i = 1; i < call->at.n_out; i++) { /* statistics, where training asks for them */
        call->out[i].dtype = call->in[MEAN].dtype;
        call->out[i].shape = expected;
    }
done:
    return status;
}

/* scale / sqrt(var + epsilon), one float for each element of the parameters. */
static size_t scratch(const op_infer *call)
{
    const shape expected = param_shape(&call->at, &call->in[X].shape);
    return (size_t)shape_product(&expected, 0, expected.rank) * sizeof(float);
}

static bool is_training(const op_call *call)
{
    if (node_attr_int(call->at.node, "training_mode", 0) != 0) return true;
    for (int i = 1; i < call->at.n_out; i++) /* before opset 14, statistics told it */
        if (call->at.node->outputs[i] >= 0) return true;
    return false;
}

static void normalise_row(const float *restrict x, const float *restrict factor,
                          const float *restrict mean, const float *restrict bias, float *restrict y,
                          int64_t n)
{
    for (int64_t c = 0; c < n; c++) y[c] = (x[c] - mean[c]) * factor[c] + bias[c];
}

static void normalise_run(const float *restrict x, float factor, float mean, float bias,
                          float *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * factor + bias;
}

static coset_status forward(op_call *call)
{
    const array *in = call->in;
    if (is_training(call))
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "expected BatchNormalization in inference, found training: only inference "
                         "can be run");
    const shape *x = &in[X].shape;
    const shape params = param_shape(&call->at, x);
    const int64_t n = x->dims[0], channels = shape_product(&params, 0, params.rank);
    const int64_t inner = shape_product(x, 1, x->rank) / (channels > 0 ? channels : 1);
    const double epsilon = (double)node_attr_float(call->at.node, "epsilon", 1e-5F);
    float *factor = call->scratch;
    for (int64_t c = 0; c < channels; c++)
        factor[c] = (float)((double)in[SCALE].f[c] / sqrt((double)in[VAR].f[c] + epsilon));
    if (channels * inner == 0) return COSET_OK;
    /* Rows of neighbouring channels, or planes of one channel each. */
    const int64_t parts = inner == 1 ? n : n * channels;
#pragma omp parallel for if (n * channels * inner > 1 << 15) num_threads(call->threads)            \
    schedule(static)
    for (int64_t p = 0; p < parts; p++) {
        const int64_t c = p % channels, at = p * (inner == 1 ? channels : inner);
        if (inner == 1)
            normalise_row(in[X].f + at, factor, in[MEAN].f, in[BIAS].f, call->out[0].f + at,
                          channels);
        else
            normalise_run(in[X].f + at, factor[c], in[MEAN].f[c], in[BIAS].f[c],
                          call->out[0].f + at, inner);
    }
    array_normalise(&call->out[0]);
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    if (call->labels[X].rank < 2 || !per_channel(&call->at))
        return labels_freeze_all(call, "BatchNormalization without parameters for its channels");
    return labels_channels(call, SCALE, N_INPUTS - SCALE,
                           "BatchNormalization without constant parameters for its channels");
}

const coset_op op_batchnormalization = {
    .type = "BatchNormalization",
    .domain = "",
    .since = 7,
    .min_inputs = 5,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 5,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = labels,
};

const coset_op op_batchnormalization_14 = {
    .type = "BatchNormalization",
    .domain = "",
    .since = 14,
    .min_inputs = 5,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 3,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = labels,
};
