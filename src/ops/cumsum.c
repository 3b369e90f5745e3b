/* CumSum: running sums along one axis; exclusive: without the element itself; reverse: from the end.
 * Source: ONNX CumSum-11, -14. */
#include "ops/elementwise.h"
#include "ops/operand.h"

enum { LANES = 16 }; /* neighbouring rows that are summed side by side */

/* The axis is known where its data is. */
static coset_status find_axis(const op_node *at, const array *input, int rank, int *axis_out)
{
    if (shape_product(&input->shape, 0, input->shape.rank) != 1)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected one axis in input 1");
    return axis_resolve(at, input->i[0], rank, axis_out);
}

static coset_status infer(op_infer *call)
{
    const fact *axis = &call->in[1];
    int unused = 0;
    coset_status status = infer_same_number(call);
    if (status == COSET_OK) status = infer_takes(call, 1, TAKES_INTEGER);
    if (status != COSET_OK || axis->constant == NULL || call->in[0].shape.rank < 0) return status;
    return find_axis(&call->at, axis->constant, call->in[0].shape.rank, &unused);
}

typedef struct walk {
    int64_t n, inner; /* elements of a row, and how far apart they are */
    bool exclusive, reverse;
} walk;

/* `lanes` neighbouring rows. */
#define SUM_ROWS(name, type, sum)                                                                  \
    static void name(const walk *self, const type *x, type *y, int64_t lanes)                      \
    {                                                                                              \
        sum sums[LANES] = {0};                                                                     \
        for (int64_t k = 0; k < self->n; k++) {                                                    \
            const int64_t at = (self->reverse ? self->n - 1 - k : k) * self->inner;                \
            for (int64_t l = 0; l < lanes; l++) {                                                  \
                const sum before = sums[l];                                                        \
                sums[l] += (sum)x[at + l];                                                         \
                y[at + l] = (type)(self->exclusive ? before : sums[l]);                            \
            }                                                                                      \
        }                                                                                          \
    }

SUM_ROWS(sum_f32, float, double)
SUM_ROWS(sum_i64, int64_t, uint64_t)

static coset_status forward(op_call *call)
{
    const array *x = &call->in[0];
    array *y = &call->out[0];
    int axis = 0;
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = find_axis(&call->at, &call->in[1], x->shape.rank, &axis);
    if (status != COSET_OK) return status;
    const walk self = {.n = x->shape.dims[axis],
                       .inner = shape_product(&x->shape, axis + 1, x->shape.rank),
                       .exclusive = node_attr_int(call->at.node, "exclusive", 0) != 0,
                       .reverse = node_attr_int(call->at.node, "reverse", 0) != 0};
    const int64_t outer = shape_product(&x->shape, 0, axis);
    if (self.n == 0 || self.inner == 0) return COSET_OK;
#pragma omp parallel for if (outer * self.n * self.inner > 1 << 15) num_threads(call->threads)     \
    schedule(static)
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < self.inner; i += LANES) {
            const int64_t at = o * self.n * self.inner + i;
            const int64_t lanes = self.inner - i < LANES ? self.inner - i : LANES;
            if (dtype_is_float(x->dtype))
                sum_f32(&self, x->f + at, y->f + at, lanes);
            else
                sum_i64(&self, x->i + at, y->i + at, lanes);
        }
    array_normalise(y);
    return COSET_OK;
}

static coset_status labels(op_labels *call)
{
    const fact *input = &call->in[1];
    int axis = 0;
    if (input->constant == NULL)
        return labels_freeze_all(call, "it is summed along an axis that is computed");
    coset_status status = find_axis(&call->at, input->constant, call->in[0].shape.rank, &axis);
    if (status != COSET_OK) return status;
    const int64_t axes = axis;
    return labels_over_axes(call, &axes, 1, true, "its units are summed up one after another");
}

const coset_op op_cumsum = {
    .type = "CumSum",
    .domain = "",
    .since = 11,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
