/* Clip: y = min(max(x, lowest), highest). The bounds are attributes before opset 11, and then
 * inputs of one element. */
#include <float.h>

#include "ops/elementwise.h"

typedef struct bounds {
    float low_f, high_f;
    int64_t low_i, high_i;
    uint64_t low_u, high_u;
} bounds;

/* NaN passes: comparisons with it are false. Where low > high, the result is high. */
static inline float clip_float(float x, const bounds *param)
{
    const float raised = x < param->low_f ? param->low_f : x;
    return raised > param->high_f ? param->high_f : raised;
}

static inline int64_t clip_signed(int64_t x, const bounds *param)
{
    const int64_t raised = x < param->low_i ? param->low_i : x;
    return raised > param->high_i ? param->high_i : raised;
}

static inline uint64_t clip_unsigned(uint64_t x, const bounds *param)
{
    const uint64_t raised = x < param->low_u ? param->low_u : x;
    return raised > param->high_u ? param->high_u : raised;
}

UNARY_KERNEL(clip_f32, float, clip_float(x, param))
UNARY_KERNEL(clip_i64, int64_t, clip_signed(x, param))
UNARY_KERNEL(clip_u64, uint64_t, clip_unsigned(x, param))

static coset_status infer(op_infer *call)
{
    coset_status status = COSET_OK;
    for (int i = 1; i < call->at.n_in; i++) {
        const fact *bound = &call->in[i];
        if (bound->dtype && call->in[0].dtype && bound->dtype != call->in[0].dtype) {
            status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                               "expected the bound in input %d to be %s as input 0, found %s", i,
                               coset_dtype_name(call->in[0].dtype), coset_dtype_name(bound->dtype));
            goto done;
        }
        if (shape_known(&bound->shape) && shape_product(&bound->shape, 0, bound->shape.rank) != 1) {
            char text[SHAPE_TEXT];
            status = node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                               "expected one element in the bound in input %d, found shape %s", i,
                               shape_text(&bound->shape, text, sizeof text));
            goto done;
        }
    }
    TRY(infer_same_number(call));
done:
    return status;
}

static const array *bound_input(const op_call *call, int index)
{
    return call->at.n_in > index && call->in[index].data ? &call->in[index] : NULL;
}

static coset_status forward(op_call *call)
{
    bounds param = {-FLT_MAX, FLT_MAX, INT64_MIN, INT64_MAX, 0, UINT64_MAX};
    const array *low = bound_input(call, 1), *high = bound_input(call, 2);
    if (call->at.opset < 11) {
        param.low_f = node_attr_float(call->at.node, "min", param.low_f);
        param.high_f = node_attr_float(call->at.node, "max", param.high_f);
    } else if (dtype_is_float(call->in[0].dtype)) {
        if (low) param.low_f = low->f[0];
        if (high) param.high_f = high->f[0];
    } else {
        if (low) param.low_u = (uint64_t)(param.low_i = low->i[0]);
        if (high) param.high_u = (uint64_t)(param.high_i = high->i[0]);
    }
    const bool is_unsigned = call->in[0].dtype == COSET_U64;
    return unary_forward(call, clip_f32, is_unsigned ? clip_u64 : clip_i64, &param);
}

/* A bound that is computed is no unit's own: what it depends on stays. */
static coset_status labels(op_labels *call)
{
    for (int i = 1; i < call->at.n_in; i++)
        labels_freeze(call, &call->labels[i], "is a bound of Clip");
    return labels_unary(call);
}

const coset_op op_clip = {
    .type = "Clip",
    .domain = "",
    .since = 6,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};

const coset_op op_clip_11 = {
    .type = "Clip",
    .domain = "",
    .since = 11,
    .min_inputs = 1,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels,
};
