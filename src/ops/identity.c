/* Identity: y = x, of any type. */
#include "ops/elementwise.h"

static coset_status infer(op_infer *call)
{
    call->out[0] = call->in[0];
    call->out[0].constant = NULL;
    return COSET_OK;
}

const coset_op op_identity = {
    .type = "Identity",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = copy_forward,
    .labels = labels_unary,
};
