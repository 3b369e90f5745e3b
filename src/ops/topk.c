/* TopK: the k largest (or smallest) elements along one axis, best first, and their places. Of equal elements
 * the first comes first; NaN is larger than everything.
 * Source: ONNX TopK-1 (k is an attribute), -10 (k is an input), -11 (largest, sorted), -24. */
#include "ops/elementwise.h"
#include "ops/operand.h"

enum { K_IS_INPUT = 10 };

/* k, or -1 if it is not known yet. Errors: COSET_EFORMAT if it is not one non-negative number. */
static coset_status read_k(const op_node *at, const array *input, int64_t *k_out)
{
    const bool is_input = at->opset >= K_IS_INPUT;
    *k_out = -1;
    if (is_input && (input == NULL || input->data == NULL)) return COSET_OK;
    if (is_input && shape_product(&input->shape, 0, input->shape.rank) != 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected one number in input 1 (K)");
    *k_out = is_input ? input->i[0] : node_attr_int(at->node, "k", -1);
    if (*k_out >= 0) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected k of at least 0, found %lld",
                     (long long)*k_out);
}

static coset_status find_axis(const op_node *at, int rank, int *axis_out)
{
    return axis_resolve(at, node_attr_int(at->node, "axis", -1), rank, axis_out);
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[0].shape;
    int64_t k = -1;
    int axis = 0;
    TRY(infer_same_number(call));
    TRY(infer_takes(call, 1, TAKES_INTEGER));
    TRY(read_k(&call->at, call->at.n_in > 1 ? call->in[1].constant : NULL, &k));
    if (x->rank >= 0) {
        TRY(find_axis(&call->at, x->rank, &axis));
        if (x->dims[axis] >= 0 && k > x->dims[axis]) {
            status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                               "k of %lld is more than the %lld elements along axis %d",
                               (long long)k, (long long)x->dims[axis], axis);
            goto done;
        }
        call->out[0].shape.dims[axis] = k;
    }
    if (call->at.n_out > 1) {
        call->out[1].dtype = COSET_I64;
        call->out[1].shape = call->out[0].shape;
    }
done:
    return status;
}

/* The candidates of one row: a heap of places, the worst one on top. Elements are `stride` apart in x, and
 * so are places. */
typedef struct row {
    const void *x;
    int64_t n, k, stride;
    coset_dtype dtype;
    bool largest;
    int64_t *places;
} row;

static int compare_values(const row *self, int64_t a, int64_t b)
{
    if (dtype_is_float(self->dtype)) {
        const float *x = self->x, va = x[a * self->stride], vb = x[b * self->stride];
        if (va != va || vb != vb) return (va != va) - (vb != vb);
        return (va > vb) - (va < vb);
    }
    const int64_t *x = self->x, va = x[a * self->stride], vb = x[b * self->stride];
    if (self->dtype == COSET_U64)
        return ((uint64_t)va > (uint64_t)vb) - ((uint64_t)va < (uint64_t)vb);
    return (va > vb) - (va < vb);
}

static bool is_worse(const row *self, int64_t a, int64_t b)
{
    const int order = compare_values(self, a, b);
    if (order == 0) return a > b;
    return self->largest ? order < 0 : order > 0;
}

/* Puts `place` on top of the first `count` candidates and restores the heap. */
static void sift_down(const row *self, int64_t count, int64_t at, int64_t place)
{
    int64_t *heap = self->places;
    for (int64_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count &&
            is_worse(self, heap[(child + 1) * self->stride], heap[child * self->stride]))
            child++;
        if (!is_worse(self, heap[child * self->stride], place)) break;
        heap[at * self->stride] = heap[child * self->stride];
        at = child;
    }
    heap[at * self->stride] = place;
}

static void select_best(const row *self)
{
    int64_t *heap = self->places;
    const int64_t k = self->k, stride = self->stride;
    if (k == 0) return;
    for (int64_t i = 0; i < k; i++) heap[i * stride] = i;
    for (int64_t i = k / 2 - 1; i >= 0; i--) sift_down(self, k, i, heap[i * stride]);
    for (int64_t i = k; i < self->n; i++)
        if (is_worse(self, heap[0], i)) sift_down(self, k, 0, i);
    for (int64_t count = k - 1; count > 0; count--) {
        const int64_t worst = heap[0], last = heap[count * stride];
        sift_down(self, count, 0, last);
        heap[count * stride] = worst;
    }
}

static void write_values(const row *self, void *values)
{
    for (int64_t i = 0; i < self->k; i++) {
        const int64_t from = self->places[i * self->stride] * self->stride;
        if (dtype_is_float(self->dtype))
            ((float *)values)[i * self->stride] = ((const float *)self->x)[from];
        else
            ((int64_t *)values)[i * self->stride] = ((const int64_t *)self->x)[from];
    }
}

/* The places, where nobody asks for them. */
static size_t scratch(const op_infer *call)
{
    const shape *out = &call->out[0].shape;
    if (call->at.n_out > 1 && call->at.node->outputs[1] >= 0) return 0;
    return (size_t)shape_product(out, 0, out->rank) * sizeof(int64_t);
}

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0];
    const size_t size = array_element_size(x->dtype);
    int64_t k = 0;
    int axis = 0;
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = find_axis(&call->at, x->shape.rank, &axis);
    if (status == COSET_OK) status = read_k(&call->at, call->at.n_in > 1 ? &call->in[1] : NULL, &k);
    if (status != COSET_OK) return status;
    if (k != call->out[0].shape.dims[axis])
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                         "k is %lld, the result has room for %lld", (long long)k,
                         (long long)call->out[0].shape.dims[axis]);
    const int64_t n = x->shape.dims[axis];
    const int64_t inner = shape_product(&x->shape, axis + 1, x->shape.rank);
    const int64_t rows = shape_product(&x->shape, 0, axis) * inner;
    const bool asked = call->at.n_out > 1 && call->out[1].data != NULL;
    int64_t *places = asked ? call->out[1].i : call->scratch;
    const bool largest = node_attr_int(call->at.node, "largest", 1) != 0;
    if (k == 0) return COSET_OK;
#pragma omp parallel for if (rows * n > 1 << 14) num_threads(call->threads) schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const int64_t from = r / inner * n * inner + r % inner;
        const int64_t to = r / inner * k * inner + r % inner;
        const row self = {.x = (const char *)x->data + (size_t)from * size,
                          .n = n,
                          .k = k,
                          .stride = inner,
                          .dtype = x->dtype,
                          .largest = largest,
                          .places = places + to};
        select_best(&self);
        write_values(&self, (char *)call->out[0].data + (size_t)to * size);
    }
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    const int64_t axes = node_attr_int(call->at.node, "axis", -1);
    if (call->at.n_in > 1 && !labels_none(&call->labels[1]))
        return labels_freeze_all(call, "as many as a computed number are selected");
    coset_status status =
        labels_over_axes(call, &axes, 1, true, "the best of its units are selected");
    for (int o = 1; o < call->at.n_out; o++)
        if (call->result[o].rank < 0) call->result[o] = call->result[0];
    return status;
}

const coset_op op_topk = {
    .type = "TopK",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 2,
    .max_outputs = 2,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = labels,
};

const coset_op op_topk_10 = {
    .type = "TopK",
    .domain = "",
    .since = K_IS_INPUT,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 2,
    .max_outputs = 2,
    .infer = infer,
    .forward = forward,
    .scratch = scratch,
    .labels = labels,
};
