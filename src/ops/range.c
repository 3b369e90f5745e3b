/* Range: start, start + delta, ... before limit. Source: ONNX Range-11. */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/operand.h"

/* Numbers of a range of integers; delta is not 0. */
static int64_t count_whole(int64_t start, int64_t limit, int64_t delta)
{
    if (delta > 0 ? start >= limit : start <= limit) return 0;
    uint64_t span =
        delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : -(uint64_t)delta;
    uint64_t count = (span - 1) / step + 1;
    return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

static coset_status count_real(const op_node *at, double start, double limit, double delta,
                               int64_t *count_out)
{
    double count = ceil((limit - start) / delta);
    if (!isfinite(count))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "there is no range from %g to %g by %g",
                         start, limit, delta);
    *count_out = count <= 0 ? 0 : int64_truncate(count);
    return COSET_OK;
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const op_node *at = &call->at;
    const array *values[3];
    fact *out = &call->out[0];
    bool known = true;
    TRY(infer_takes(call, 0, TAKES_NUMBER));
    TRY(infer_same_type(call, 0, 1));
    TRY(infer_same_type(call, 0, 2));
    out->shape = (shape){1, {-1}};
    for (int i = 0; i < 3; i++) {
        if (out->dtype == COSET_UNDEFINED) out->dtype = call->in[i].dtype;
        values[i] = call->in[i].constant;
        known = known && values[i] != NULL;
        if (values[i] != NULL && shape_product(&values[i]->shape, 0, values[i]->shape.rank) != 1) {
            status = node_fail(at->ctx, at->node, COSET_EFORMAT, "input %d is no scalar", i);
            goto done;
        }
    }
    if (!known) goto done;
    if (dtype_is_float(out->dtype)) {
        TRY(count_real(at, (double)values[0]->f[0], (double)values[1]->f[0],
                       (double)values[2]->f[0], &out->shape.dims[0]));
    } else if (values[2]->i[0] == 0) {
        status = node_fail(at->ctx, at->node, COSET_EFORMAT, "delta is 0");
    } else {
        out->shape.dims[0] = count_whole(values[0]->i[0], values[1]->i[0], values[2]->i[0]);
    }
done:
    return status;
}

static coset_status forward(op_call *call)
{
    array *y = &call->out[0];
    coset_status status = call_same_kind(call, 3);
    if (status != COSET_OK) return status;
    if (dtype_is_float(y->dtype)) {
        double start = (double)call->in[0].f[0], delta = (double)call->in[2].f[0];
        for (int64_t i = 0; i < y->shape.dims[0]; i++) y->f[i] = (float)(start + (double)i * delta);
    } else {
        uint64_t start = (uint64_t)call->in[0].i[0], delta = (uint64_t)call->in[2].i[0];
        for (int64_t i = 0; i < y->shape.dims[0]; i++)
            y->i[i] = (int64_t)(start + (uint64_t)i * delta);
    }
    array_normalise(y);
    return COSET_OK;
}

const coset_op op_range = {
    .type = "Range",
    .domain = "",
    .since = 11,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
};
