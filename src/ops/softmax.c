/* Softmax: y = exp(x) / sum of exp(x). Source: ONNX Softmax-1, -11 (negative axes), -13 (one
 * axis). */
#include "ops/softmax.h"

#include <math.h>

#include "ops/elementwise.h"
#include "ops/operand.h"

enum { ONE_AXIS = 13 };

/* Axes [first, end) that are normalised together. */
static coset_status find_axes(const op_node *at, int rank, int *first_out, int *end_out)
{
    bool one = at->opset >= ONE_AXIS;
    coset_status status =
        axis_resolve(at, node_attr_int(at->node, "axis", one ? -1 : 1), rank, first_out);
    *end_out = one ? *first_out + 1 : rank;
    return status;
}

coset_status softmax_infer(op_infer *call)
{
    int first = 0, end = 0, rank = call->in[0].shape.rank;
    coset_status status = infer_same_float(call);
    if (status != COSET_OK || rank < 0) return status;
    return find_axes(&call->at, rank, &first, &end);
}

/* One row of n elements, `stride` apart. */
static void normalise(const float *x, float *y, int64_t n, int64_t stride, bool log_result)
{
    float top = -INFINITY;
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        if (x[i * stride] > top || isnan(x[i * stride])) top = x[i * stride];
    for (int64_t i = 0; i < n; i++) {
        float power = expf(x[i * stride] - top);
        sum += (double)power;
        if (!log_result) y[i * stride] = power;
    }
    double log_sum = log_result ? log(sum) : 0.0;
    for (int64_t i = 0; i < n; i++)
        y[i * stride] = log_result ? (float)((double)(x[i * stride] - top) - log_sum)
                                   : (float)((double)y[i * stride] / sum);
}

coset_status softmax_forward(op_call *call, bool log)
{
    const shape *in = &call->in[0].shape;
    int first = 0, end = 0;
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = find_axes(&call->at, in->rank, &first, &end);
    if (status != COSET_OK) return status;
    int64_t outer = shape_product(in, 0, first), n = shape_product(in, first, end);
    int64_t inner = shape_product(in, end, in->rank);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            int64_t offset = o * n * inner + i;
            normalise(call->in[0].f + offset, call->out[0].f + offset, n, inner, log);
        }
    return COSET_OK;
}

coset_status softmax_labels(struct op_labels *call)
{
    int first = 0, end = 0;
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    coset_status status = find_axes(&call->at, call->in[0].shape.rank, &first, &end);
    if (status != COSET_OK) return status;
    for (int a = first; a < end; a++) axes[n++] = a;
    return labels_over_axes(call, axes, n, true, "it is normalised over its units");
}

static coset_status forward(op_call *call)
{
    return softmax_forward(call, false);
}

const coset_op op_softmax = {
    .type = "Softmax",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = softmax_infer,
    .forward = forward,
    .labels = softmax_labels,
};
