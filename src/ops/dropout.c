/* Dropout as in inference: y = x, and a mask that keeps everything. */
#include "ops/elementwise.h"

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    TRY(infer_same_float(call));
    if (call->at.n_out > 1) {
        /* The mask became bool with opset 10. */
        call->out[1].dtype = call->at.opset < 10 ? call->in[0].dtype : COSET_BOOL;
        call->out[1].shape = call->in[0].shape;
    }
done:
    return status;
}

/* Since opset 12 an input asks for training; with ratio 0 that drops nothing. */
static bool drops_something(const op_call *call)
{
    if (call->at.n_in < 3 || !call->in[2].data || call->in[2].i[0] == 0) return false;
    return !call->in[1].data || call->in[1].f[0] != 0.0F;
}

static coset_status forward(op_call *call)
{
    coset_status status = COSET_OK;
    if (drops_something(call)) {
        status = node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                           "expected training_mode false, found true: only inference can be run");
        goto done;
    }
    TRY(copy_forward(call));
    if (call->at.n_out > 1 && call->out[1].data) {
        const int64_t n = shape_product(&call->out[1].shape, 0, call->out[1].shape.rank);
        const bool is_float = dtype_is_float(call->out[1].dtype);
        for (int64_t i = 0; i < n; i++) {
            if (is_float) call->out[1].f[i] = 1.0F;
            if (!is_float) call->out[1].i[i] = 1;
        }
    }
done:
    return status;
}

const coset_op op_dropout = {
    .type = "Dropout",
    .domain = "",
    .since = 7,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 2,
    .infer = infer,
    .forward = forward,
    .labels = labels_unary,
};

const coset_op op_dropout_12 = {
    .type = "Dropout",
    .domain = "",
    .since = 12,
    .min_inputs = 1,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 2,
    .infer = infer,
    .forward = forward,
    .labels = labels_unary,
};
