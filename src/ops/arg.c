#include "ops/arg.h"

#include <string.h>

#include "ops/elementwise.h"
#include "ops/operand.h"

static coset_status find_axis(const op_node *at, int rank, int *axis_out)
{
    return axis_resolve(at, node_attr_int(at->node, "axis", 0), rank, axis_out);
}

coset_status arg_infer(op_infer *call)
{
    coset_status status = COSET_OK;
    const shape *x = &call->in[0].shape;
    const bool keep = node_attr_int(call->at.node, "keepdims", 1) != 0;
    shape result = {.rank = 0};
    int axis = 0;
    TRY(infer_takes(call, 0, TAKES_NUMBER));
    call->out[0].dtype = COSET_I64;
    if (x->rank < 0) goto done;
    TRY(find_axis(&call->at, x->rank, &axis));
    if (x->dims[axis] == 0) {
        char text[SHAPE_TEXT];
        status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                           "there is no element along axis %d of %s", axis,
                           shape_text(x, text, sizeof text));
        goto done;
    }
    for (int a = 0; a < x->rank; a++)
        if (a != axis)
            result.dims[result.rank++] = x->dims[a];
        else if (keep)
            result.dims[result.rank++] = 1;
    call->out[0].shape = result;
done:
    return status;
}

/* Finds the places of `inner` interleaved rows of n elements. */
typedef void (*arg_kernel)(const void *x, int64_t n, int64_t inner, bool last, int64_t *places);

#define ARG_KERNEL(name, type, sign)                                                               \
    static void name(const void *x_, int64_t n, int64_t inner, bool last, int64_t *places)         \
    {                                                                                              \
        const type *x = x_;                                                                        \
        memset(places, 0, (size_t)inner * sizeof *places);                                         \
        for (int64_t k = 1; k < n; k++)                                                            \
            for (int64_t i = 0; i < inner; i++) {                                                  \
                const type v = x[k * inner + i], best = x[places[i] * inner + i];                  \
                const bool is_nan = v != v, was_nan = best != best;                                \
                const bool better = is_nan ? !was_nan : !was_nan && v sign best;                   \
                if (better || (last && (v == best || (is_nan && was_nan)))) places[i] = k;         \
            }                                                                                      \
    }

ARG_KERNEL(max_f32, float, >)
ARG_KERNEL(min_f32, float, <)
ARG_KERNEL(max_i64, int64_t, >)
ARG_KERNEL(min_i64, int64_t, <)
ARG_KERNEL(max_u64, uint64_t, >)
ARG_KERNEL(min_u64, uint64_t, <)

static arg_kernel find_kernel(coset_dtype dtype, bool largest)
{
    if (dtype_is_float(dtype)) return largest ? max_f32 : min_f32;
    if (dtype == COSET_U64) return largest ? max_u64 : min_u64;
    return largest ? max_i64 : min_i64;
}

coset_status arg_forward(op_call *call, bool largest)
{
    const array *x = &call->in[0];
    const size_t size = array_element_size(x->dtype);
    const bool last = node_attr_int(call->at.node, "select_last_index", 0) != 0;
    int axis = 0;
    coset_status status = find_axis(&call->at, x->shape.rank, &axis);
    if (status != COSET_OK) return status;
    const int64_t n = x->shape.dims[axis],
                  inner = shape_product(&x->shape, axis + 1, x->shape.rank);
    const int64_t outer = shape_product(&x->shape, 0, axis);
    const arg_kernel kernel = find_kernel(x->dtype, largest);
    if (inner == 0) return COSET_OK;
#pragma omp parallel for if (outer * n * inner > 1 << 15) num_threads(call->threads)               \
    schedule(static)
    for (int64_t o = 0; o < outer; o++)
        kernel((const char *)x->data + (size_t)(o * n * inner) * size, n, inner, last,
               call->out[0].i + o * inner);
    return COSET_OK;
}

coset_status arg_labels(struct op_labels *call)
{
    int axis = 0;
    coset_status status = find_axis(&call->at, call->in[0].shape.rank, &axis);
    if (status != COSET_OK) return status;
    const int64_t axes = axis;
    return labels_over_axes(call, &axes, 1, node_attr_int(call->at.node, "keepdims", 1) != 0,
                            "the place of one of its units is asked for");
}
