/* Flatten: the axes before `axis` become one, the others another. Source: ONNX Flatten-1, -9, -11
 * (negative axes), -13. */
#include "base/size.h"
#include "ops/elementwise.h"
#include "ops/operand.h"

/* Product of dims[from..to), -1 if one of them is unknown and none is 0 before it. */
static int64_t joined(const shape *self, int from, int to)
{
    int64_t product = 1;
    for (int a = from; a < to; a++)
        if (self->dims[a] < 0 || !dim_mul(product, self->dims[a], &product)) return -1;
    return product;
}

static coset_status infer(op_infer *call)
{
    const shape *in = &call->in[0].shape;
    int64_t axis = node_attr_int(call->at.node, "axis", 1);
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = (shape){.rank = 2, .dims = {-1, -1}};
    if (in->rank < 0) return COSET_OK;
    if (axis < 0) axis += in->rank;
    if (axis < 0 || axis > in->rank)
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                         "axis %lld is not in [%d, %d] of an input of rank %d",
                         (long long)node_attr_int(call->at.node, "axis", 1), -in->rank, in->rank,
                         in->rank);
    call->out[0].shape.dims[0] = joined(in, 0, (int)axis);
    call->out[0].shape.dims[1] = joined(in, (int)axis, in->rank);
    return COSET_OK;
}

const coset_op op_flatten = {
    .type = "Flatten",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = copy_forward,
    .labels = labels_reshape,
};
