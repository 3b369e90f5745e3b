/* Gelu: y = x Phi(x), Phi the standard normal distribution, or its tanh approximation.
 * Source: Hendrycks and Gimpel, 2016; ONNX Gelu-20; com.microsoft Gelu is the exact one. */
#include <math.h>
#include <string.h>

#include "ops/elementwise.h"

static const float SQRT_HALF = 0.70710678F, SQRT_2_BY_PI = 0.79788456F;

/* Phi(x) = erfc(-x / sqrt 2) / 2: no digits are lost where x is far below 0. */
UNARY_KERNEL(exact_f32, float, 0.5F * x * erfcf(-SQRT_HALF * x))

/* (1 + tanh z) / 2 = 1 / (1 + e^-2z), which keeps its digits and overflows to the right limits. */
UNARY_KERNEL(tanh_f32, float, x / (1.0F + expf(-2.0F * SQRT_2_BY_PI * (x + 0.044715F * x * x * x))))

static bool is_tanh(const op_node *at)
{
    return strcmp(node_attr_string(at->node, "approximate", "none"), "tanh") == 0;
}

static coset_status infer(op_infer *call)
{
    const char *approximate = node_attr_string(call->at.node, "approximate", "none");
    if (strcmp(approximate, "none") != 0 && strcmp(approximate, "tanh") != 0)
        return node_fail(call->at.ctx, call->at.node, COSET_EFORMAT,
                         "expected approximate to be none or tanh, found '%s'", approximate);
    return infer_same_float(call);
}

static coset_status forward(op_call *call)
{
    return unary_forward(call, is_tanh(&call->at) ? tanh_f32 : exact_f32, NULL, NULL);
}

static coset_status forward_exact(op_call *call)
{
    return unary_forward(call, exact_f32, NULL, NULL);
}

const coset_op op_gelu = {
    .type = "Gelu",
    .domain = "",
    .since = 20,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer,
    .forward = forward,
    .labels = labels_unary,
};

const coset_op op_gelu_microsoft = {
    .type = "Gelu",
    .domain = "com.microsoft",
    .since = 1,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_same_float,
    .forward = forward_exact,
    .labels = labels_unary,
};
