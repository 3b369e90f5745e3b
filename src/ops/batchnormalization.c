/* BatchNormalization as in inference: y = scale (x - mean) / sqrt(var + epsilon) + bias, channel by
 * channel along axis 1. */
#include <math.h>

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
#pragma omp parallel for if (n * channels * inner > 1 << 15) num_threads(call->threads)            \
    schedule(static)
    for (int64_t row = 0; row < n; row++) {
        const float *from = in[X].f + row * channels * inner;
        float *to = call->out[0].f + row * channels * inner;
        if (inner == 1) {
            normalise_row(from, factor, in[MEAN].f, in[BIAS].f, to, channels);
            continue;
        }
        for (int64_t c = 0; c < channels; c++)
            normalise_run(from + c * inner, factor[c], in[MEAN].f[c], in[BIAS].f[c], to + c * inner,
                          inner);
    }
    array_normalise(&call->out[0]);
    return COSET_OK;
}

/* Nothing computed reaches the parameters. */
static bool is_constant(const label_array *labels)
{
    int64_t n = 1;
    for (int a = 0; a < labels->rank; a++) n *= labels->dims[a];
    for (int64_t i = 0; i < n; i++)
        if (labels->ids[i] != LABEL_NONE) return false;
    return labels->rank >= 0;
}

/* ids[c]: the unit of channel c. What meets in a channel shares its parameters: it is united. */
static void channel_units(op_labels *call, int64_t channels, int64_t *ids)
{
    const label_array *x = &call->labels[X];
    int64_t outer = x->dims[0], inner = 1;
    for (int a = 2; a < x->rank; a++) inner *= x->dims[a];
    for (int64_t c = 0; c < channels; c++) {
        const int64_t at = x->dims[1] > 1 ? c : 0;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t i = 0; i < inner; i++) {
                const int64_t id = x->ids[(o * x->dims[1] + at) * inner + i];
                if (ids[c] == LABEL_NONE) ids[c] = id;
                labels_unite(call->set, ids[c], id, "shares a channel of BatchNormalization");
            }
    }
}

static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    const label_array *x = &call->labels[X];
    TRY(labels_unary(call));
    if (x->rank < 0) goto done;
    bool has_slots = x->rank >= 2 && per_channel(&call->at);
    for (int i = SCALE; i < N_INPUTS; i++) has_slots = has_slots && is_constant(&call->labels[i]);
    if (!has_slots) {
        for (int i = X; i < N_INPUTS; i++)
            labels_freeze(call, &call->labels[i],
                          "BatchNormalization without constant parameters for its channels");
        goto done;
    }
    const int64_t channels = call->in[X].shape.dims[1];
    label_array units;
    TRY(labels_make(call->set, 1, &channels, LABEL_NONE, &units));
    channel_units(call, channels, units.ids);
    for (int i = SCALE; i < N_INPUTS; i++) TRY(labels_slot(call, i, 0, SLOT_SCALE, units.ids));
done:
    return status;
}

static int64_t macs(const op_infer *call)
{
    return shape_product(&call->in[X].shape, 0, call->in[X].shape.rank);
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
    .macs = macs,
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
    .macs = macs,
};
