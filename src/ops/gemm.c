/* Gemm: Y = alpha A' B' + beta C, with A' = A or its transpose, (M, K); B' (K, N); C broadcast to
 * (M, N). Source: ONNX Gemm-7, -9 (integers), -11 (C optional), -13. */
#include "linalg/blas.h"
#include "ops/operand.h"
#include "ops/product.h"

static bool transposes(const op_node *at, const char *name)
{
    return node_attr_int(at->node, name, 0) != 0;
}

static bool has_bias(const op_node *at)
{
    return at->n_in > 2 && at->node->inputs[2] >= 0;
}

static coset_status check_matrix(const op_infer *call, int input)
{
    char text[SHAPE_TEXT];
    const shape *given = &call->in[input].shape;
    if (given->rank < 0 || given->rank == 2) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "input %c must be a matrix, not of shape %s", "AB"[input],
                     shape_text(given, text, sizeof text));
}

/* C must broadcast to (M, N) from one side. */
static coset_status check_bias(const op_infer *call, const shape *out)
{
    char found[SHAPE_TEXT], expected[SHAPE_TEXT];
    const shape *bias = &call->in[2].shape;
    bool fits = bias->rank <= 2;
    for (int a = 0; fits && a < bias->rank; a++) {
        int64_t have = bias->dims[a], want = out->dims[2 - bias->rank + a];
        fits = have == 1 || have < 0 || want < 0 || have == want;
    }
    if (fits) return COSET_OK;
    return node_fail(
        call->at.ctx, call->at.node, COSET_EFORMAT, "input C of shape %s does not broadcast to %s",
        shape_text(bias, found, sizeof found), shape_text(out, expected, sizeof expected));
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    char left[SHAPE_TEXT], right[SHAPE_TEXT];
    const fact *a = &call->in[0], *b = &call->in[1];
    bool trans_a = transposes(&call->at, "transA"), trans_b = transposes(&call->at, "transB");
    fact *out = &call->out[0];
    TRY(infer_same_type(call, 0, 1));
    TRY(check_matrix(call, 0));
    TRY(check_matrix(call, 1));
    int64_t k = fact_dim(a, trans_a ? 0 : 1), also_k = fact_dim(b, trans_b ? 1 : 0);
    if (k >= 0 && also_k >= 0 && k != also_k) {
        status = node_fail(
            call->at.ctx, call->at.node, COSET_EFORMAT, "inner sizes differ: A %s%s, B %s%s",
            shape_text(&a->shape, left, sizeof left), trans_a ? " transposed" : "",
            shape_text(&b->shape, right, sizeof right), trans_b ? " transposed" : "");
        goto done;
    }
    out->dtype = a->dtype != COSET_UNDEFINED ? a->dtype : b->dtype;
    out->shape =
        (shape){.rank = 2, .dims = {fact_dim(a, trans_a ? 1 : 0), fact_dim(b, trans_b ? 0 : 1)}};
    if (has_bias(&call->at)) {
        TRY(infer_same_type(call, 0, 2));
        TRY(check_bias(call, &out->shape));
    }
done:
    return status;
}

/* Element (i, j) of C is at i * row + j * column. */
static void bias_strides(const shape *bias, int64_t *row_out, int64_t *column_out)
{
    int64_t width = bias->rank > 0 ? bias->dims[bias->rank - 1] : 1;
    *column_out = width == 1 ? 0 : 1;
    *row_out = bias->rank < 2 || bias->dims[0] == 1 ? 0 : width;
}

static void spread_f32(const array *bias, float beta, int64_t m, int64_t n, float *y)
{
    int64_t row = 0, column = 0;
    bias_strides(&bias->shape, &row, &column);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) y[i * n + j] = beta * bias->f[i * row + j * column];
}

static void spread_i64(const array *bias, int64_t beta, int64_t m, int64_t n, int64_t *y)
{
    int64_t row = 0, column = 0;
    bias_strides(&bias->shape, &row, &column);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            y[i * n + j] = (int64_t)((uint64_t)beta * (uint64_t)bias->i[i * row + j * column]);
}

/* alpha and beta of an integer product, which must be integers. */
static coset_status integer_factor(const op_call *call, const char *name, int64_t *factor_out)
{
    float factor = node_attr_float(call->at.node, name, 1.0F);
    if (!(factor >= -1e6F && factor <= 1e6F) || (float)(int64_t)factor != factor)
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "%s = %g in a product of integers", name, (double)factor);
    *factor_out = (int64_t)factor;
    return COSET_OK;
}

static coset_status forward(op_call *call)
{
    coset_status status = COSET_OK;
    const array *a = &call->in[0], *b = &call->in[1];
    array *y = &call->out[0];
    bool trans_a = transposes(&call->at, "transA"), trans_b = transposes(&call->at, "transB");
    bool bias = has_bias(&call->at);
    int64_t m = y->shape.dims[0], n = y->shape.dims[1], k = a->shape.dims[trans_a ? 0 : 1];
    int64_t lda = a->shape.dims[1], ldb = b->shape.dims[1];
    TRY(call_same_kind(call, 3));
    if (dtype_is_float(y->dtype)) {
        float alpha = node_attr_float(call->at.node, "alpha", 1.0F);
        if (bias)
            spread_f32(&call->in[2], node_attr_float(call->at.node, "beta", 1.0F), m, n, y->f);
        gemm_f32(call->at.ctx, trans_a, trans_b, m, n, k, alpha, a->f, lda, b->f, ldb,
                 bias ? 1.0F : 0.0F, y->f, n);
    } else {
        int64_t alpha = 1, beta = 1;
        TRY(integer_factor(call, "alpha", &alpha));
        TRY(integer_factor(call, "beta", &beta));
        if (bias) spread_i64(&call->in[2], beta, m, n, y->i);
        product_i64(trans_a, trans_b, m, n, k, alpha, a->i, lda, b->i, ldb, bias ? 1 : 0, y->i, n);
        array_normalise(y);
    }
done:
    return status;
}

/* Each unit of the output needs an element of C of its own. */
static coset_status bias_labels(op_labels *call)
{
    if (!has_bias(&call->at)) return COSET_OK;
    label_array *result = &call->result[0];
    if (!labels_none(&call->labels[2])) {
        labels_freeze(call, &call->labels[2], "input C of a product is not a constant");
        labels_freeze(call, result, "input C of the product is not a constant");
        return COSET_OK;
    }
    const shape *bias = &call->in[2].shape;
    for (int a = 0; a < 2; a++) {
        int axis = bias->rank - 2 + a;
        if (result->dims[a] == 1) continue;
        if (axis < 0 || bias->dims[axis] != result->dims[a]) {
            labels_freeze(call, result, "its units share one bias");
            continue;
        }
        coset_status status = labels_slot(call, 2, axis, SLOT_ADD, result->ids);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    bool trans_a = transposes(&call->at, "transA"), trans_b = transposes(&call->at, "transB");
    if (labels_none(&call->labels[1])) {
        int from[2] = {trans_a ? 1 : 0, -1};
        TRY(labels_contract(call, 0, trans_a ? 0 : 1, 1, trans_b ? 1 : 0, trans_b ? 0 : 1, 1,
                            from));
        TRY(bias_labels(call));
    } else if (labels_none(&call->labels[0])) {
        int from[2] = {-1, trans_b ? 0 : 1};
        TRY(labels_contract(call, 1, trans_b ? 1 : 0, 0, trans_a ? 0 : 1, trans_a ? 1 : 0, 0,
                            from));
        TRY(bias_labels(call));
    } else {
        TRY(labels_freeze_all(call, "it is multiplied with another activation"));
    }
done:
    return status;
}

static int64_t macs(const op_infer *call)
{
    const shape *out = &call->out[0].shape;
    int64_t k = call->in[0].shape.dims[transposes(&call->at, "transA") ? 0 : 1];
    return product_macs(out->dims[0], out->dims[1], k);
}

const coset_op op_gemm = {
    .type = "Gemm",
    .domain = "",
    .since = 7,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
    .macs = macs,
};
