#include "ops/quantize.h"

#include "ops/operand.h"

static bool has_zero(const op_node *at)
{
    return at->n_in > QUANTIZE_ZERO && at->node->inputs[QUANTIZE_ZERO] >= 0;
}

/* An axis is given from opset 13 on; before, there is one scale. */
static int64_t axis_of(const op_node *at)
{
    return node_attr_int(at->node, "axis", 1);
}

static int64_t block_of(const op_node *at)
{
    return at->opset >= 21 ? node_attr_int(at->node, "block_size", 0) : 0;
}

static bool is_single(const shape *scale)
{
    return scale->rank == 0 || (scale->rank == 1 && scale->dims[0] == 1);
}

static coset_status misfit(const op_infer *call, const char *expected)
{
    char x[SHAPE_TEXT], scale[SHAPE_TEXT];
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "expected %s, found scales of shape %s for an input of shape %s", expected,
                     shape_text(&call->in[QUANTIZE_SCALE].shape, scale, sizeof scale),
                     shape_text(&call->in[QUANTIZE_X].shape, x, sizeof x));
}

static bool dims_differ(int64_t a, int64_t b)
{
    return a >= 0 && b >= 0 && a != b;
}

static coset_status check_blocks(const op_infer *call, int64_t block)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[QUANTIZE_X].shape, *scale = &call->in[QUANTIZE_SCALE].shape;
    int axis = 0;
    TRY(axis_resolve(&call->at, axis_of(&call->at), x->rank, &axis));
    bool fits = scale->rank == x->rank && block > 0;
    for (int a = 0; fits && a < x->rank; a++) {
        int64_t want = x->dims[a];
        if (a == axis && want >= 0) want = want / block + (want % block != 0);
        fits = !dims_differ(want, scale->dims[a]);
    }
    if (!fits) status = misfit(call, "one scale for each block");
done:
    return status;
}

static coset_status check_scales(const op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[QUANTIZE_X].shape, *scale = &call->in[QUANTIZE_SCALE].shape;
    const int64_t block = block_of(&call->at);
    if (scale->rank < 0 || x->rank < 0) goto done;
    if (block != 0) {
        TRY(check_blocks(call, block));
    } else if (scale->rank > 1) {
        status = misfit(call, "a scalar or a vector");
    } else if (scale->rank == 1 && scale->dims[0] != 1 && scale->dims[0] >= 0) {
        int axis = 0;
        TRY(axis_resolve(&call->at, axis_of(&call->at), x->rank, &axis));
        if (dims_differ(scale->dims[0], x->dims[axis]))
            status = misfit(call, "one scale for each index of the axis");
    }
done:
    return status;
}

coset_status quantize_check(const op_infer *call)
{
    coset_status status = COSET_OK;
    char zeros[SHAPE_TEXT], scales[SHAPE_TEXT];
    TRY(check_scales(call));
    if (!has_zero(&call->at)) goto done;
    const shape *scale = &call->in[QUANTIZE_SCALE].shape, *zero = &call->in[QUANTIZE_ZERO].shape;
    if (scale->rank < 0 || zero->rank < 0 || (is_single(scale) && is_single(zero))) goto done;
    bool fits = scale->rank == zero->rank;
    for (int a = 0; fits && a < scale->rank; a++)
        fits = !dims_differ(scale->dims[a], zero->dims[a]);
    if (!fits)
        status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                           "expected a zero point for each scale, found shapes %s and %s",
                           shape_text(zero, zeros, sizeof zeros),
                           shape_text(scale, scales, sizeof scales));
done:
    return status;
}

quantize_layout quantize_layout_of(const op_call *call)
{
    const shape *x = &call->in[QUANTIZE_X].shape, *scale = &call->in[QUANTIZE_SCALE].shape;
    quantize_layout self = {
        .outer = 1, .size = 1, .inner = shape_product(x, 0, x->rank), .block = 1};
    if (is_single(scale) && block_of(&call->at) == 0) return self;
    const int64_t given = axis_of(&call->at);
    const int axis = (int)(given < 0 ? given + x->rank : given);
    self.outer = shape_product(x, 0, axis);
    self.size = x->dims[axis];
    self.inner = shape_product(x, axis + 1, x->rank);
    self.axis_step = 1;
    if (scale->rank == 1 && block_of(&call->at) == 0) return self;
    self.block = block_of(&call->at);
    self.inner_step = 1;
    self.axis_step = self.inner;
    self.outer_step = scale->dims[axis] * self.inner;
    return self;
}

const int64_t *quantize_zero(const op_call *call)
{
    if (!has_zero(&call->at) || dtype_is_float(call->in[QUANTIZE_ZERO].dtype)) return NULL;
    return call->in[QUANTIZE_ZERO].i;
}

coset_status quantize_labels(op_labels *call)
{
    for (int i = QUANTIZE_SCALE; i < call->at.n_in; i++)
        if (call->at.node->inputs[i] >= 0 && !labels_none(&call->labels[i]))
            return labels_freeze_all(call, "its scale or zero point is computed");
    const shape *scale = &call->in[QUANTIZE_SCALE].shape;
    const label_array *units = &call->labels[QUANTIZE_X];
    if (!is_single(scale)) {
        const int64_t given = axis_of(&call->at);
        const int axis = (int)(given < 0 ? given + units->rank : given);
        for (int a = 0; a < units->rank; a++)
            if (units->dims[a] > 1 && (a == axis || scale->rank > 1))
                return labels_freeze_all(call, "its units have quantisation scales of their own");
    }
    return labels_unary(call);
}
