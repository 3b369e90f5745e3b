/* SpaceToDepth: the pixels of blocks of b x b become channels.
 *   x (n, c, h b, w b), y (n, c b b, h, w)
 * Row i and column j of a block of channel k go to channel (i b + j) c + k.
 * Source: ONNX SpaceToDepth-1, -13. */
#include "ops/box.h"
#include "ops/operand.h"
#include "ops/space.h"

static coset_status infer(op_infer *call)
{
    int64_t block = 0, area = 0;
    shape *out = &call->out[0].shape;
    coset_status status = space_infer(call, &block, &area);
    if (status != COSET_OK || call->in[0].shape.rank < 0) return status;
    *out = call->in[0].shape;
    status = space_multiply(call, 1, area, &out->dims[1]);
    if (status == COSET_OK) status = space_divide(call, 2, block, &out->dims[2]);
    if (status == COSET_OK) status = space_divide(call, 3, block, &out->dims[3]);
    return status;
}

static coset_status forward(op_call *call)
{
    const shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    int64_t b = node_attr_int(call->at.node, "blocksize", 0), from[4], to[4];
    box moved = {.rank = 0};
    coset_status status = call_same_kind(call, 1);
    if (status != COSET_OK) return status;
    shape_strides(x, from);
    shape_strides(y, to);
    box_add(&moved, x->dims[0], from[0], to[0]);
    box_add(&moved, b, from[2], b * x->dims[1] * to[1]);
    box_add(&moved, b, from[3], x->dims[1] * to[1]);
    box_add(&moved, x->dims[1], from[1], to[1]);
    box_add(&moved, y->dims[2], b * from[2], to[2]);
    box_add(&moved, y->dims[3], b * from[3], to[3]);
    box_copy(&moved, call->in[0].data, call->out[0].data, array_element_size(call->out[0].dtype),
             call->threads);
    return COSET_OK;
}

/* A unit of the input is b b channels of the output. */
static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    const label_array *in = &call->labels[0];
    int64_t *index = NULL, n = call->out[0].shape.dims[1];
    if (in->dims[2] > 1 || in->dims[3] > 1)
        return labels_freeze_all(call, "units of its spatial axes are spread");
    if (in->dims[1] <= 1) {
        call->result[0] = *in;
        return COSET_OK;
    }
    if (n < 1) return labels_freeze_all(call, "the number of its channels is unknown");
    TRY(ctx_alloc_raw(call->at.ctx, n, sizeof *index, &index));
    for (int64_t i = 0; i < n; i++) index[i] = i % in->dims[1];
    TRY(labels_pick(call, 0, 1, index, n));
done:
    ctx_free(call->at.ctx, index);
    return status;
}

const coset_op op_spacetodepth = {
    .type = "SpaceToDepth",
    .domain = "",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
