/* Shape: dimensions [start, end) of the input as int64. Source: ONNX Shape-1, -13, -15 (start,
 * end). */
#include "ops/operand.h"

/* A bound counted from the end if negative, and brought into [0, rank]. */
static int find_bound(const op_node *at, const char *name, int64_t otherwise, int rank)
{
    int64_t bound = at->opset >= 15 ? node_attr_int(at->node, name, otherwise) : otherwise;
    if (bound < 0) bound += rank;
    return (int)(bound < 0 ? 0 : bound > rank ? rank : bound);
}

static coset_status infer(op_infer *call)
{
    int rank = call->in[0].shape.rank;
    call->out[0].dtype = COSET_I64;
    call->out[0].shape = (shape){.rank = 1, .dims = {-1}};
    if (rank < 0) return COSET_OK;
    int start = find_bound(&call->at, "start", 0, rank);
    int end = find_bound(&call->at, "end", rank, rank);
    call->out[0].shape.dims[0] = end > start ? end - start : 0;
    return COSET_OK;
}

static coset_status forward(op_call *call)
{
    const shape *in = &call->in[0].shape;
    int start = find_bound(&call->at, "start", 0, in->rank);
    for (int64_t a = 0; a < call->out[0].shape.dims[0]; a++)
        call->out[0].i[a] = in->dims[start + a];
    return COSET_OK;
}

/* The result is no unit, and follows a cut of the input by itself. */
static coset_status labels(op_labels *call)
{
    return labels_make(call->set, 1, NULL, LABEL_NONE, &call->result[0]);
}

const coset_op op_shape = {
    .type = "Shape",
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
