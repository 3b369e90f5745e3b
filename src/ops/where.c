/* Where: y = x where the condition holds, z elsewhere; all three broadcast. */
#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/operand.h"

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    TRY(infer_takes(call, 0, TAKES_BOOL));
    TRY(infer_same_type(call, 1, 2));
    TRY(shape_broadcast_all(call, &call->out[0].shape));
    call->out[0].dtype =
        call->in[1].dtype != COSET_UNDEFINED ? call->in[1].dtype : call->in[2].dtype;
done:
    return status;
}

#define WHERE_KERNEL(name, type)                                                                   \
    static void name(const broadcast *walk, broadcast_place place, const int64_t *condition,       \
                     const type *x, const type *z, type *y)                                        \
    {                                                                                              \
        const int inner = walk->rank - 1;                                                          \
        const int64_t c_step = walk->step[0][inner], x_step = walk->step[1][inner],                \
                      z_step = walk->step[2][inner];                                               \
        do {                                                                                       \
            for (int64_t i = 0; i < place.run; i++)                                                \
                y[place.at + i] = condition[place.from[0] + i * c_step] != 0                       \
                                      ? x[place.from[1] + i * x_step]                              \
                                      : z[place.from[2] + i * z_step];                             \
        } while (broadcast_next(walk, &place));                                                    \
    }

WHERE_KERNEL(where_f32, float)
WHERE_KERNEL(where_i64, int64_t)

static coset_status forward(op_call *call)
{
    const array *in = call->in;
    array *y = &call->out[0];
    const size_t size = array_element_size(y->dtype);
    if (size == 0)
        return node_fail(call->at.ctx, call->at.node, COSET_EUNSUPPORTED,
                         "cannot compute with element type %s", coset_dtype_name(y->dtype));
    const shape *const shapes[3] = {&in[0].shape, &in[1].shape, &in[2].shape};
    const broadcast walk = broadcast_make(&y->shape, shapes, 3);
    const broadcast_place place =
        broadcast_start(&walk, 0, shape_product(&y->shape, 0, y->shape.rank));
    if (place.run == 0) return COSET_OK;
    if (dtype_is_float(y->dtype))
        where_f32(&walk, place, in[0].i, in[1].f, in[2].f, y->f);
    else
        where_i64(&walk, place, in[0].i, in[1].i, in[2].i, y->i);
    return COSET_OK;
}

const coset_op op_where = {
    .type = "Where",
    .domain = "",
    .since = 9,
    .min_inputs = 3,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_scaled,
};
