/* Unsqueeze: inserts axes of size 1 at the listed places of the result. Source: ONNX Unsqueeze-1,
 * -11 (negative axes), -13 (axes as an input). */
#include "ops/elementwise.h"
#include "ops/operand.h"

enum { AXES_ARE_INPUT = 13 };

static coset_status infer(op_infer *call)
{
    const shape *in = &call->in[0].shape;
    shape result = {.rank = 0};
    axes_list axes;
    unsigned mask = 0;
    call->out[0].dtype = call->in[0].dtype;
    coset_status status = axes_infer(call, AXES_ARE_INPUT, &axes);
    if (status != COSET_OK) return status;
    if (!axes.given)
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT, "axes are missing");
    if (in->rank < 0 || !axes.known) return COSET_OK;
    if (axes.n > TENSOR_MAX_RANK - in->rank)
        return node_fail(call->at.ctx, call->at.node, COSET_ELIMIT,
                         "%lld new axes on an input of rank %d: at most %d axes in all",
                         (long long)axes.n, in->rank, TENSOR_MAX_RANK);
    result.rank = in->rank + (int)axes.n;
    status = axes_mask(&call->at, &axes, result.rank, &mask);
    if (status != COSET_OK) return status;
    for (int a = 0, own = 0; a < result.rank; a++)
        result.dims[a] = (mask >> a & 1) ? 1 : in->dims[own++];
    call->out[0].shape = result;
    return COSET_OK;
}

const coset_op op_unsqueeze = {
    .type = "Unsqueeze",
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
