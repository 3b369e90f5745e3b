/* DepthToSpace: the channels of blocks of b x b become neighbours in space.
 *   x (n, c b b, h, w), y (n, c, h b, w b)
 * Channel (i b + j) c + k (mode DCR), or (k b + i) b + j (CRD), goes to row i and column j of its block.
 * Source: ONNX DepthToSpace-1 (DCR only), -11, -13. */
#include <string.h>

#include "ops/box.h"
#include "ops/operand.h"
#include "ops/space.h"

static coset_status is_crd(const op_node *at, bool *crd_out)
{
    const char *mode = at->opset >= 11 ? node_attr_string(at->node, "mode", "DCR") : "DCR";
    *crd_out = strcmp(mode, "CRD") == 0;
    if (*crd_out || strcmp(mode, "DCR") == 0) return COSET_OK;
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "mode '%s' is neither DCR nor CRD", mode);
}

static coset_status infer(op_infer *call)
{
    const op_node *at = &call->at;
    int64_t block = 0, area = 0;
    bool crd = false;
    shape *out = &call->out[0].shape;
    coset_status status = space_infer(call, &block, &area);
    if (status == COSET_OK) status = is_crd(at, &crd);
    if (status != COSET_OK || call->in[0].shape.rank < 0) return status;
    *out = call->in[0].shape;
    status = space_divide(call, 1, area, &out->dims[1]);
    if (status == COSET_OK) status = space_multiply(call, 2, block, &out->dims[2]);
    if (status == COSET_OK) status = space_multiply(call, 3, block, &out->dims[3]);
    return status;
}

static coset_status forward(op_call *call)
{
    const shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    int64_t b = node_attr_int(call->at.node, "blocksize", 0), from[4], to[4];
    bool crd = false;
    box moved = {.rank = 0};
    coset_status status = call_same_kind(call, 1);
    if (status == COSET_OK) status = is_crd(&call->at, &crd);
    if (status != COSET_OK) return status;
    shape_strides(x, from);
    shape_strides(y, to);
    /* Steps of the input's channel axis along k, i and j. */
    int64_t k = crd ? b * b : 1, i = crd ? b : b * y->dims[1], j = crd ? 1 : y->dims[1];
    box_add(&moved, x->dims[0], from[0], to[0]);
    box_add(&moved, y->dims[1], k * from[1], to[1]);
    box_add(&moved, x->dims[2], from[2], b * to[2]);
    box_add(&moved, b, i * from[1], to[2]);
    box_add(&moved, x->dims[3], from[3], b * to[3]);
    box_add(&moved, b, j * from[1], to[3]);
    box_copy(&moved, call->in[0].data, call->out[0].data, array_element_size(call->out[0].dtype),
             call->threads);
    return COSET_OK;
}

/* A unit of the output is all b b channels of the input that are its pixels. */
static coset_status labels(op_labels *call)
{
    coset_status status = COSET_OK;
    const label_array *in = &call->labels[0];
    int64_t *index = NULL, b = node_attr_int(call->at.node, "blocksize", 0);
    int64_t count = call->out[0].shape.dims[1], area = b * b;
    bool crd = false;
    if (in->dims[2] > 1 || in->dims[3] > 1)
        return labels_freeze_all(call, "units of its spatial axes are spread");
    if (in->dims[1] <= 1) {
        call->result[0] = *in;
        return COSET_OK;
    }
    if (count < 1 || in->dims[0] > 1)
        return labels_freeze_all(call, "units of several axes are moved to space");
    TRY(is_crd(&call->at, &crd));
    TRY(ctx_alloc_raw(call->at.ctx, count, sizeof *index, &index));
    for (int64_t k = 0; k < count; k++) {
        bool none = false, some = false;
        index[k] = crd ? k * area : k;
        for (int64_t p = 0; p < area; p++) {
            int64_t id = in->ids[crd ? k * area + p : p * count + k];
            none = none || id == LABEL_NONE;
            some = some || id != LABEL_NONE;
            labels_unite(call->set, in->ids[index[k]], id, "some of its pixels are frozen");
        }
        for (int64_t p = 0; p < area && none && some; p++)
            labels_unite(call->set, in->ids[crd ? k * area + p : p * count + k], LABEL_FROZEN,
                         "some of its pixels are constants");
    }
    TRY(labels_pick(call, 0, 1, index, count));
done:
    ctx_free(call->at.ctx, index);
    return status;
}

const coset_op op_depthtospace = {
    .type = "DepthToSpace",
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
