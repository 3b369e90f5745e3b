/* Squeeze: removes the listed axes of size 1, or all of them. Source: ONNX Squeeze-1, -11 (negative
 * axes), -13 (axes as an input). */
#include "ops/elementwise.h"
#include "ops/operand.h"

enum { AXES_ARE_INPUT = 13 };

static coset_status check_size(const op_infer *call, int axis)
{
    int64_t dim = call->in[0].shape.dims[axis];
    if (dim == 1 || dim < 0) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT, "axis %d has size %lld, not 1",
                     axis, (long long)dim);
}

static coset_status infer(op_infer *call)
{
    const shape *in = &call->in[0].shape;
    shape result = {.rank = 0};
    axes_list axes;
    unsigned mask = 0;
    call->out[0].dtype = call->in[0].dtype;
    coset_status status = axes_infer(call, AXES_ARE_INPUT, &axes);
    if (status != COSET_OK || in->rank < 0 || !axes.known) return status;
    status = axes_mask(&call->at, &axes, in->rank, &mask);
    for (int a = 0; status == COSET_OK && a < in->rank; a++) {
        if (!axes.given && in->dims[a] < 0) return COSET_OK; /* stays or goes: the rank is open */
        bool removed = axes.given ? (mask >> a & 1) != 0 : in->dims[a] == 1;
        if (removed)
            status = check_size(call, a);
        else
            result.dims[result.rank++] = in->dims[a];
    }
    if (status == COSET_OK) call->out[0].shape = result;
    return status;
}

const coset_op op_squeeze = {
    .type = "Squeeze",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = copy_forward,
    .labels = labels_reshape,
};
