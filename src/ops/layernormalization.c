/* LayerNormalization: y = scale (x - mean) / sqrt(var + epsilon) + bias with the moments over the axes from
 * `axis` on; mean and 1 / sqrt(var + epsilon) are outputs 1 and 2. Source: ONNX LayerNormalization-17. */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/operand.h"
#include "ops/row.h"

enum { X, SCALE, BIAS, BFLOAT16 = 16 };

static coset_status find_axis(const op_node *at, int rank, int *axis_out)
{
    return axis_resolve(at, node_attr_int(at->node, "axis", -1), rank, axis_out);
}

/* A parameter broadcasts to the normalised axes. */
static coset_status check_parameter(const op_infer *call, int index, int axis)
{
    const shape *x = &call->in[X].shape, *own = &call->in[index].shape;
    bool fits = own->rank <= x->rank - axis;
    for (int a = 1; fits && a <= own->rank; a++) {
        const int64_t dim = own->dims[own->rank - a], wide = x->dims[x->rank - a];
        fits = dim == 1 || dim < 0 || wide < 0 || dim == wide;
    }
    if (fits) return COSET_OK;
    char text[SHAPE_TEXT], x_text[SHAPE_TEXT];
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "input %d of shape %s does not broadcast to the axes of %s from %d on", index,
                     shape_text(own, text, sizeof text), shape_text(x, x_text, sizeof x_text),
                     axis);
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[X].shape;
    const bool stash_narrow = node_attr_int(call->at.node, "stash_type", 1) == BFLOAT16;
    shape moments = *x;
    int axis = 0;
    for (int i = SCALE; i < call->at.n_in; i++) TRY(infer_takes(call, i, TAKES_FLOAT));
    TRY(infer_same_float(call));
    if (x->rank >= 0) {
        TRY(find_axis(&call->at, x->rank, &axis));
        for (int i = SCALE; i < call->at.n_in; i++) TRY(check_parameter(call, i, axis));
        for (int a = axis; a < x->rank; a++) moments.dims[a] = 1;
    }
    for (int o = 1; o < call->at.n_out; o++) {
        call->out[o].dtype = stash_narrow ? COSET_BF16 : COSET_F32;
        call->out[o].shape = moments;
    }
done:
    return status;
}

static int64_t row_length(const op_node *at, const shape *x)
{
    int axis = 0;
    if (find_axis(at, x->rank, &axis) != COSET_OK) return 0;
    return shape_product(x, axis, x->rank);
}

/* Scale and bias, each expanded to one row. */
static size_t scratch(const op_infer *call)
{
    return (size_t)row_length(&call->at, &call->in[X].shape) * 2 * sizeof(float);
}

/* A parameter as one element for each element of the normalised axes of x; `otherwise` if it is absent. */
static void expand(const array *from, const shape *x, int axis, float otherwise, float *row)
{
    const int64_t n = shape_product(x, axis, x->rank);
    int64_t position[TENSOR_MAX_RANK] = {0};
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int a = 0; from != NULL && a < from->shape.rank; a++) {
            const int64_t dim = from->shape.dims[a];
            at = at * dim + (dim > 1 ? position[a + x->rank - from->shape.rank] : 0);
        }
        row[i] = from != NULL ? from->f[at] : otherwise;
        for (int a = x->rank - 1; a >= axis; a--) {
            if (++position[a] < x->dims[a]) break;
            position[a] = 0;
        }
    }
}

static void normalise(const float *restrict x, double mean, double inverse,
                      const float *restrict scale, const float *restrict bias, float *restrict y,
                      int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(((double)x[i] - mean) * inverse * (double)scale[i] + (double)bias[i]);
}

static float *moment_output(const op_call *call, int output)
{
    return call->at.n_out > output ? call->out[output].f : NULL;
}

static coset_status forward(op_call *call)
{
    const array *in = call->in;
    const shape *x = &in[X].shape;
    int axis = 0;
    coset_status status = call_same_kind(call, 3);
    if (status == COSET_OK) status = find_axis(&call->at, x->rank, &axis);
    if (status != COSET_OK) return status;
    const int64_t rows = shape_product(x, 0, axis), n = shape_product(x, axis, x->rank);
    const bool has_bias = call->at.n_in > BIAS && in[BIAS].data != NULL;
    const double epsilon = (double)node_attr_float(call->at.node, "epsilon", 1e-5F);
    float *scale = call->scratch, *bias = scale + n;
    float *y = call->out[0].f, *means = moment_output(call, 1), *inverses = moment_output(call, 2);
    expand(&in[SCALE], x, axis, 1, scale);
    expand(has_bias ? &in[BIAS] : NULL, x, axis, 0, bias);
#pragma omp parallel for if (rows * n > 1 << 15) num_threads(call->threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const float *from = in[X].f + r * n;
        const double mean = row_sum(from, n) / (double)n;
        const double inverse = 1 / sqrt(row_deviation(from, mean, n) / (double)n + epsilon);
        normalise(from, mean, inverse, scale, bias, y + r * n, n);
        if (means != NULL) means[r] = (float)mean;
        if (inverses != NULL) inverses[r] = (float)inverse;
    }
    for (int o = 0; o < call->at.n_out; o++)
        if (call->out[o].data != NULL) array_normalise(&call->out[o]);
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    int axis = 0;
    for (int i = SCALE; i < call->at.n_in; i++)
        if (call->at.node->inputs[i] >= 0 && !labels_none(&call->labels[i]))
            return labels_freeze_all(call, "LayerNormalization with computed parameters");
    TRY(find_axis(&call->at, call->in[X].shape.rank, &axis));
    for (int a = axis; a < call->in[X].shape.rank; a++) axes[n++] = a;
    TRY(labels_over_axes(call, axes, n, true, "it is normalised over its units"));
    for (int o = 1; o < call->at.n_out; o++)
        if (call->result[o].rank < 0) call->result[o] = call->result[0];
done:
    return status;
}

const coset_op op_layernormalization = {
    .type = "LayerNormalization",
    .domain = "",
    .since = 17,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 3,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = labels,
};
