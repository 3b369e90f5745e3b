#include "ops/comparison.h"

#include "ops/operand.h"

coset_status comparison_infer(op_infer *call, unsigned takes)
{
    coset_status status = COSET_OK;
    TRY(infer_takes(call, 0, takes));
    TRY(infer_takes(call, 1, takes));
    TRY(infer_same_type(call, 0, 1));
    TRY(shape_broadcast(call, 0, 1, &call->out[0].shape));
    call->out[0].dtype = COSET_BOOL;
done:
    return status;
}

coset_status comparison_forward(op_call *call, binary_kernel f32, binary_kernel i64,
                                binary_kernel u64)
{
    const coset_dtype dtype = call->in[0].dtype;
    binary_kernel kernel = dtype == COSET_U64 ? u64 : i64;
    if (dtype_is_float(dtype)) kernel = f32;
    if (kernel != NULL) return binary_forward(call, kernel, "an element has no result");
    return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED, "cannot compare values of %s",
                     coset_dtype_name(dtype));
}
