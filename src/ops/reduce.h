/* Reductions over axes, each element read once. */
#ifndef COSET_OPS_REDUCE_H
#define COSET_OPS_REDUCE_H

#include "graph/op.h"

typedef enum reduce_kind {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_L1,
    REDUCE_L2,
    REDUCE_SUM_SQUARE,
    REDUCE_PROD,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_LOG_SUM,
    REDUCE_LOG_SUM_EXP
} reduce_kind;

typedef struct reduction {
    int64_t axes_are_input; /* from this opset on axes are input 1 */
    reduce_kind kind;
} reduction;

COSET_MUST_USE coset_status reduce_infer(op_infer *call, const reduction *rule);
/* Floats in f64, integers in int64_t that wraps; a mean or a root of integers is cut towards zero. Over
 * nothing: 0, 1 (product), NaN (mean; 0 in integers), -Inf or the type's lowest (largest, logarithms), Inf
 * or its highest (smallest). NaN is larger and smaller than everything.
 * Errors: COSET_EUNSUPPORTED for logarithms of integers. */
COSET_MUST_USE coset_status reduce_forward(op_call *call, const reduction *rule);
/* One accumulator per output element. */
size_t reduce_scratch(const op_infer *call);
COSET_MUST_USE coset_status reduce_labels(struct op_labels *call, const reduction *rule);

/* Defines the row `op_NAME` of one reduction. `input_since`: axes are an input from this opset on. */
#define REDUCTION(name, type_, input_since, kind_)                                                 \
    static const reduction rule = {.axes_are_input = input_since, .kind = kind_};                  \
    static coset_status infer(op_infer *call)                                                      \
    {                                                                                              \
        return reduce_infer(call, &rule);                                                          \
    }                                                                                              \
    static coset_status forward(op_call *call)                                                     \
    {                                                                                              \
        return reduce_forward(call, &rule);                                                        \
    }                                                                                              \
    static coset_status labels(struct op_labels *call)                                             \
    {                                                                                              \
        return reduce_labels(call, &rule);                                                         \
    }                                                                                              \
    const coset_op op_##name = {                                                                   \
        .type = type_,                                                                             \
        .domain = "",                                                                              \
        .since = 1,                                                                                \
        .min_inputs = 1,                                                                           \
        .max_inputs = 2,                                                                           \
        .min_outputs = 1,                                                                          \
        .max_outputs = 1,                                                                          \
        .infer = infer,                                                                            \
        .forward = forward,                                                                        \
        .scratch = reduce_scratch,                                                                 \
        .labels = labels,                                                                          \
    };

#endif
