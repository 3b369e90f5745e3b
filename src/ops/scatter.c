#include "ops/scatter.h"

#include <string.h>

#include "ops/operand.h"

coset_status scatter_find(const op_node *at, scatter_reduction *reduction_out)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *name = node_attr_string(at->node, "reduction", "none");
    for (int r = SCATTER_NONE; r <= SCATTER_MIN; r++)
        if (strcmp(name, names[r]) == 0) {
            *reduction_out = (scatter_reduction)r;
            return COSET_OK;
        }
    return node_fail(at->ctx, at->node, COSET_EFORMAT, "reduction '%s' is unknown", name);
}

coset_status scatter_infer(op_infer *call)
{
    scatter_reduction reduction = SCATTER_NONE;
    coset_dtype indices = call->in[1].dtype;
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = call->in[0].shape;
    if (indices != COSET_UNDEFINED && !dtype_is_integer(indices))
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                         "indices must be integers, not %s", coset_dtype_name(indices));
    coset_status status = scatter_find(&call->at, &reduction);
    return status == COSET_OK ? infer_same_type(call, 0, 2) : status;
}

coset_status scatter_start(op_call *call)
{
    const array *data = &call->in[0], *indices = &call->in[1], *updates = &call->in[2];
    coset_status status = call_same_kind(call, 1);
    if (status != COSET_OK) return status;
    if (updates->data == NULL || dtype_is_float(updates->dtype) != dtype_is_float(data->dtype) ||
        array_element_size(updates->dtype) == 0 || indices->data == NULL ||
        !dtype_is_integer(indices->dtype))
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED, "cannot scatter %s by %s",
                         coset_dtype_name(updates->dtype), coset_dtype_name(indices->dtype));
    int64_t n = shape_product(&data->shape, 0, data->shape.rank);
    if (n > 0) memcpy(call->out[0].data, data->data, (size_t)n * array_element_size(data->dtype));
    return COSET_OK;
}

int64_t scatter_place(int64_t index, int64_t size)
{
    if (index < 0) index += size;
    return index >= 0 && index < size ? index : -1;
}

static void apply_real(scatter_reduction reduction, const float *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        switch (reduction) {
        case SCATTER_NONE: y[i] = x[i]; break;
        case SCATTER_ADD: y[i] += x[i]; break;
        case SCATTER_MUL: y[i] *= x[i]; break;
        case SCATTER_MAX: y[i] = x[i] > y[i] || x[i] != x[i] ? x[i] : y[i]; break;
        case SCATTER_MIN: y[i] = x[i] < y[i] || x[i] != x[i] ? x[i] : y[i]; break;
        }
    }
}

/* Sums and products wrap, without undefined behaviour. */
static void apply_whole(scatter_reduction reduction, const int64_t *x, int64_t *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        switch (reduction) {
        case SCATTER_NONE: y[i] = x[i]; break;
        case SCATTER_ADD: y[i] = (int64_t)((uint64_t)y[i] + (uint64_t)x[i]); break;
        case SCATTER_MUL: y[i] = (int64_t)((uint64_t)y[i] * (uint64_t)x[i]); break;
        case SCATTER_MAX: y[i] = x[i] > y[i] ? x[i] : y[i]; break;
        case SCATTER_MIN: y[i] = x[i] < y[i] ? x[i] : y[i]; break;
        }
    }
}

void scatter_apply(scatter_reduction reduction, coset_dtype dtype, const void *from, void *to,
                   int64_t n)
{
    if (dtype_is_float(dtype))
        apply_real(reduction, from, to, n);
    else
        apply_whole(reduction, from, to, n);
}
