#include "ops/variadic.h"

#include "ops/broadcast.h"
#include "ops/operand.h"

coset_status variadic_infer(op_infer *call, unsigned takes)
{
    coset_status status = COSET_OK;
    fact *out = &call->out[0];
    int typed = 0; /* an input whose type is known, if there is one */
    for (int i = 0; i < call->at.n_in; i++) {
        if (call->at.node->inputs[i] < 0) {
            status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT, "input %d is absent", i);
            goto done;
        }
        TRY(infer_takes(call, i, takes));
        TRY(infer_same_type(call, typed, i));
        if (out->dtype != COSET_UNDEFINED) continue;
        out->dtype = call->in[i].dtype;
        typed = i;
    }
    TRY(shape_broadcast_all(call, &out->shape));
done:
    return status;
}

FOLD_KERNEL(take_f32, float, ((void)y, x))
FOLD_KERNEL(take_i64, int64_t, ((void)y, x))

static void fold(const op_call *call, int input, fold_kernel kernel)
{
    const array *x = &call->in[input], *y = &call->out[0];
    const size_t size = array_element_size(y->dtype);
    const shape *const shapes[1] = {&x->shape};
    const broadcast walk = broadcast_make(&y->shape, shapes, 1);
    const int inner = walk.rank - 1;
    broadcast_place place = broadcast_start(&walk, 0, shape_product(&y->shape, 0, y->shape.rank));
    if (place.run == 0) return;
    do {
        kernel((char *)y->data + (size_t)place.at * size,
               (const char *)x->data + (size_t)place.from[0] * size, walk.step[0][inner],
               place.run);
    } while (broadcast_next(&walk, &place));
}

coset_status variadic_forward(op_call *call, fold_kernel f32, fold_kernel i64)
{
    coset_status status = call_same_kind(call, call->at.n_in);
    if (status != COSET_OK) return status;
    const bool is_float = dtype_is_float(call->out[0].dtype);
    const fold_kernel kernel = is_float ? f32 : i64;
    if (kernel == NULL)
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot compute with element type %s",
                         coset_dtype_name(call->out[0].dtype));
    fold(call, 0, is_float ? take_f32 : take_i64);
    for (int i = 1; i < call->at.n_in; i++) fold(call, i, kernel);
    array_normalise(&call->out[0]);
    return COSET_OK;
}
