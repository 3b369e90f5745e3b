/* If: the outputs of one of two subgraphs. Where the decoder has built them as graphs, inference goes
 * through them and the executor runs the one that the condition chooses; there is no kernel. */
#include "ops/elementwise.h"

static coset_status infer(op_infer *call)
{
    char text[SHAPE_TEXT];
    const shape *condition = &call->in[0].shape;
    coset_status status = infer_takes(call, 0, TAKES_BOOL);
    if (status != COSET_OK || !shape_known(condition)) return status;
    if (shape_product(condition, 0, condition->rank) == 1) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "the condition must have one element, not shape %s",
                     shape_text(condition, text, sizeof text));
}

static coset_status labels(op_labels *call)
{
    return labels_freeze_all(call, "a subgraph reads or makes it");
}

const coset_op op_if = {
    .type = "If",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = -1,
    .infer = infer,
    .labels = labels,
};
