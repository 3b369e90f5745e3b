/* NonMaxSuppression: indices (batch, class, box) of the boxes that are kept. How many there are
 * depends on the data, so that it cannot be run here. Source: ONNX NonMaxSuppression-10, -11. */
#include "ops/elementwise.h"

static coset_status check_rank(const op_infer *call, int input, int rank)
{
    char text[SHAPE_TEXT];
    const shape *found = &call->in[input].shape;
    if (found->rank < 0 || found->rank == rank) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "input %d must have rank %d, not shape %s", input, rank,
                     shape_text(found, text, sizeof text));
}

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    TRY(infer_takes(call, 0, TAKES_FLOAT));
    TRY(infer_takes(call, 1, TAKES_FLOAT));
    TRY(check_rank(call, 0, 3));
    TRY(check_rank(call, 1, 3));
    call->out[0].dtype = COSET_I64;
    call->out[0].shape = (shape){.rank = 2, .dims = {-1, 3}};
done:
    return status;
}

static coset_status labels(op_labels *call)
{
    return labels_freeze_all(call, "it is read as boxes and scores");
}

const coset_op op_nonmaxsuppression = {
    .type = "NonMaxSuppression",
    .domain = "",
    .since = 10,
    .min_inputs = 2,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .labels = labels,
};
