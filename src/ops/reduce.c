#include "ops/reduce.h"

#include <string.h>

#include "ops/elementwise.h"
#include "ops/operand.h"

static bool keeps_dims(const op_node *at)
{
    return node_attr_int(at->node, "keepdims", 1) != 0;
}

/* Bit a: axis a is summed. No axes: all of them, or none where the node says
 * noop_with_empty_axes. */
static coset_status find_mask(const op_node *at, const axes_list *axes, int rank,
                              unsigned *mask_out)
{
    if (axes->n == 0) {
        bool none = node_attr_int(at->node, "noop_with_empty_axes", 0) != 0;
        *mask_out = none ? 0 : (1U << rank) - 1;
        return COSET_OK;
    }
    return axes_mask(at, axes, rank, mask_out);
}

coset_status reduce_infer(op_infer *call, const reduction *rule)
{
    const shape *in = &call->in[0].shape;
    bool keep = keeps_dims(&call->at);
    shape result = {.rank = 0};
    axes_list axes;
    unsigned mask = 0;
    coset_status status = infer_takes(call, 0, TAKES_NUMBER);
    if (status == COSET_OK) status = axes_infer(call, rule->axes_are_input, &axes);
    if (status != COSET_OK) return status;
    call->out[0].dtype = call->in[0].dtype;
    if (in->rank < 0) return COSET_OK;
    if (!axes.known) {
        if (!keep) return COSET_OK;
        call->out[0].shape.rank = in->rank;
        for (int a = 0; a < in->rank; a++) call->out[0].shape.dims[a] = -1;
        return COSET_OK;
    }
    status = find_mask(&call->at, &axes, in->rank, &mask);
    if (status != COSET_OK) return status;
    for (int a = 0; a < in->rank; a++)
        if (!(mask >> a & 1))
            result.dims[result.rank++] = in->dims[a];
        else if (keep)
            result.dims[result.rank++] = 1;
    call->out[0].shape = result;
    return COSET_OK;
}

size_t reduce_scratch(const op_infer *call)
{
    const shape *out = &call->out[0].shape;
    return (size_t)shape_product(out, 0, out->rank) * sizeof(double);
}

/* The input as alternating runs of kept and summed axes. */
typedef struct runs {
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t step[TENSOR_MAX_RANK]; /* in the output; 0: summed */
} runs;

static runs plan_runs(const shape *in, unsigned mask)
{
    runs self = {.rank = 0};
    bool summed = false;
    for (int a = 0; a < in->rank; a++) {
        bool sum = (mask >> a & 1) != 0;
        if (self.rank > 0 && sum == summed) {
            self.dims[self.rank - 1] *= in->dims[a];
            continue;
        }
        summed = sum;
        self.step[self.rank] = sum ? 0 : 1;
        self.dims[self.rank++] = in->dims[a];
    }
    if (self.rank == 0) self = (runs){.rank = 1, .dims = {1}, .step = {1}};
    int64_t step = 1;
    for (int a = self.rank - 1; a >= 0; a--)
        if (self.step[a] != 0) {
            self.step[a] = step;
            step *= self.dims[a];
        }
    return self;
}

static void add_row_f32(const float *x, int64_t n, bool summed, double *sums)
{
    double sum = 0.0;
    if (!summed)
        for (int64_t i = 0; i < n; i++) sums[i] += (double)x[i];
    else
        for (int64_t i = 0; i < n; i++) sum += (double)x[i];
    if (summed) sums[0] += sum;
}

static void add_row_i64(const int64_t *x, int64_t n, bool summed, uint64_t *sums)
{
    for (int64_t i = 0; i < n; i++) sums[summed ? 0 : i] += (uint64_t)x[i];
}

/* Reads the input once, in order. */
static void accumulate(const array *x, const runs *self, void *sums)
{
    int64_t position[TENSOR_MAX_RANK] = {0}, to = 0;
    int last = self->rank - 1;
    int64_t row = self->dims[last], total = shape_product(&x->shape, 0, x->shape.rank);
    for (int64_t from = 0; from < total; from += row) {
        if (dtype_is_float(x->dtype))
            add_row_f32(x->f + from, row, self->step[last] == 0, (double *)sums + to);
        else
            add_row_i64(x->i + from, row, self->step[last] == 0, (uint64_t *)sums + to);
        for (int a = last - 1; a >= 0; a--) {
            to += self->step[a];
            if (++position[a] < self->dims[a]) break;
            to -= self->step[a] * self->dims[a];
            position[a] = 0;
        }
    }
}

/* The mean of nothing is NaN, 0 in integers. */
static void finish(array *y, const void *sums, int64_t count)
{
    int64_t n = shape_product(&y->shape, 0, y->shape.rank);
    if (dtype_is_float(y->dtype)) {
        const double *from = sums;
        for (int64_t i = 0; i < n; i++) y->f[i] = (float)(from[i] / (double)count);
        return;
    }
    const int64_t *from = sums;
    for (int64_t i = 0; i < n; i++) y->i[i] = count == 0 ? 0 : from[i] / count;
    array_normalise(y);
}

coset_status reduce_forward(op_call *call, const reduction *rule)
{
    const array *x = &call->in[0];
    array *y = &call->out[0];
    const array *input = call->at.n_in > 1 ? &call->in[1] : NULL;
    unsigned mask = 0;
    coset_status status = call_same_kind(call, 1);
    axes_list axes = axes_read(&call->at, rule->axes_are_input, input);
    if (status == COSET_OK) status = find_mask(&call->at, &axes, x->shape.rank, &mask);
    if (status != COSET_OK) return status;
    runs self = plan_runs(&x->shape, mask);
    int64_t outputs = shape_product(&y->shape, 0, y->shape.rank), count = 1;
    for (int a = 0; a < x->shape.rank && rule->mean; a++)
        if (mask >> a & 1) count *= x->shape.dims[a];
    if (outputs == 0) return COSET_OK;
    memset(call->scratch, 0, (size_t)outputs * sizeof(double));
    accumulate(x, &self, call->scratch);
    finish(y, call->scratch, count);
    return COSET_OK;
}

coset_status reduce_labels(struct op_labels *call, const reduction *rule)
{
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    const array *input = call->at.n_in > 1 ? call->in[1].constant : NULL;
    unsigned mask = 0;
    int rank = call->in[0].shape.rank;
    axes_list list = axes_read(&call->at, rule->axes_are_input, input);
    if (!list.known) return labels_freeze_all(call, "it is reduced over axes that are computed");
    coset_status status = find_mask(&call->at, &list, rank, &mask);
    if (status != COSET_OK) return status;
    for (int a = 0; a < rank; a++)
        if (mask >> a & 1) axes[n++] = a;
    return labels_over_axes(call, axes, n, keeps_dims(&call->at), "it is reduced over its units");
}
