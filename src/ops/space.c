#include "ops/space.h"

#include "base/size.h"

coset_status space_infer(op_infer *call, int64_t *block_out, int64_t *area_out)
{
    const op_node *at = &call->at;
    int rank = call->in[0].shape.rank;
    *block_out = node_attr_int(at->node, "blocksize", 0);
    call->out[0].dtype = call->in[0].dtype;
    if (*block_out < 1 || !dim_mul(*block_out, *block_out, area_out))
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "blocksize is %lld",
                         (long long)*block_out);
    if (rank >= 0 && rank != 4)
        return node_fail(at->ctx, at->node, COSET_EFORMAT, "expected an input of rank 4, not %d",
                         rank);
    return COSET_OK;
}

coset_status space_divide(const op_infer *call, int axis, int64_t by, int64_t *dim_out)
{
    int64_t dim = call->in[0].shape.dims[axis];
    *dim_out = dim < 0 ? -1 : dim / by;
    if (dim < 0 || dim % by == 0) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                     "axis %d has %lld indices, not a multiple of %lld", axis, (long long)dim,
                     (long long)by);
}

coset_status space_multiply(const op_infer *call, int axis, int64_t by, int64_t *dim_out)
{
    int64_t dim = call->in[0].shape.dims[axis];
    *dim_out = -1;
    if (dim < 0 || dim_mul(dim, by, dim_out)) return COSET_OK;
    return node_fail(call->at.ctx, call->at.node, COSET_ELIMIT,
                     "axis %d with %lld indices, times %lld: over the limit", axis, (long long)dim,
                     (long long)by);
}
