/* Size: number of elements of the input, an int64 scalar. */
#include "graph/labels.h"
#include "graph/op.h"

static coset_status infer(op_infer *call)
{
    call->out[0].dtype = COSET_I64;
    call->out[0].shape = (shape){.rank = 0};
    return COSET_OK;
}

static coset_status forward(op_call *call)
{
    const shape *in = &call->in[0].shape;
    call->out[0].i[0] = shape_product(in, 0, in->rank);
    return COSET_OK;
}

/* The result is no unit, and follows a cut of the input by itself. */
static coset_status labels(op_labels *call)
{
    return labels_make(call->set, 0, NULL, LABEL_NONE, &call->result[0]);
}

const coset_op op_size = {
    .type = "Size",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .from_shapes = true,
    .labels = labels,
};
