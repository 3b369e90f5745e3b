#include "ops/gate_functions.h"

#include <math.h>

static float sigmoid(float x, float alpha, float beta)
{
    (void)alpha, (void)beta;
    return 1.0F / (1.0F + expf(-x));
}

static float hyperbolic(float x, float alpha, float beta)
{
    (void)alpha, (void)beta;
    return tanhf(x);
}

static float relu(float x, float alpha, float beta)
{
    (void)alpha, (void)beta;
    return x < 0.0F ? 0.0F : x;
}

static float affine(float x, float alpha, float beta)
{
    return alpha * x + beta;
}

static float leaky_relu(float x, float alpha, float beta)
{
    (void)beta;
    return x < 0.0F ? alpha * x : x;
}

static float thresholded_relu(float x, float alpha, float beta)
{
    (void)beta;
    return x > alpha ? x : 0.0F;
}

static float scaled_tanh(float x, float alpha, float beta)
{
    return alpha * tanhf(beta * x);
}

static float hard_sigmoid(float x, float alpha, float beta)
{
    const float y = alpha * x + beta;
    return y < 0.0F ? 0.0F : y > 1.0F ? 1.0F : y;
}

static float elu(float x, float alpha, float beta)
{
    (void)beta;
    return x < 0.0F ? alpha * expm1f(x) : x;
}

static float softsign(float x, float alpha, float beta)
{
    (void)alpha, (void)beta;
    return x / (1.0F + fabsf(x));
}

static float softplus(float x, float alpha, float beta)
{
    (void)alpha, (void)beta;
    return (x > 0.0F ? x : 0.0F) + log1pf(expf(-fabsf(x)));
}

typedef struct known_function {
    const char *name; /* in lower case */
    gate_function function;
    int parameters; /* 0, 1: alpha, 2: alpha and beta */
} known_function;

static const known_function known[] = {
    {"sigmoid", {sigmoid, 0, 0}, 0},
    {"tanh", {hyperbolic, 0, 0}, 0},
    {"relu", {relu, 0, 0}, 0},
    {"affine", {affine, 1.0F, 0}, 2},
    {"leakyrelu", {leaky_relu, 0.01F, 0}, 1},
    {"thresholdedrelu", {thresholded_relu, 1.0F, 0}, 1},
    {"scaledtanh", {scaled_tanh, 1.0F, 1.0F}, 2},
    {"hardsigmoid", {hard_sigmoid, 0.2F, 0.5F}, 2},
    {"elu", {elu, 1.0F, 0}, 1},
    {"softsign", {softsign, 0, 0}, 0},
    {"softplus", {softplus, 0, 0}, 0},
};

/* Names are compared without regard to case, as exporters write them in either. */
static bool same_name(const char *given, const char *lower)
{
    for (; *given != '\0' && *lower != '\0'; given++, lower++) {
        const char letter = *given >= 'A' && *given <= 'Z' ? (char)(*given - 'A' + 'a') : *given;
        if (letter != *lower) return false;
    }
    return *given == *lower;
}

static const known_function *find(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (same_name(name, known[i].name)) return &known[i];
    return NULL;
}

/* Values of a FLOATS attribute, taken one after the other. */
typedef struct supply {
    const graph_attr *attr;
    int64_t at;
} supply;

static void take(supply *from, float *value)
{
    if (from->attr == NULL || from->attr->kind != ATTR_FLOATS || from->at >= from->attr->n) return;
    *value = from->attr->floats[from->at++];
}

coset_status gate_functions_read(const op_node *at, const recurrent_kind *kind, int directions,
                                 gate_function (*functions_out)[GATE_FUNCTIONS])
{
    const graph_attr *names = node_attr(at->node, "activations");
    supply alphas = {node_attr(at->node, "activation_alpha"), 0};
    supply betas = {node_attr(at->node, "activation_beta"), 0};
    const int count = directions * kind->n_functions;
    if (names != NULL && names->kind != ATTR_STRINGS) names = NULL;
    if (names != NULL && names->n != count)
        return node_fail(at->ctx, at->node, COSET_EFORMAT,
                         "expected %d functions in activations, found %lld", count,
                         (long long)names->n);
    for (int i = 0; i < count; i++) {
        const int place = i % kind->n_functions;
        const char *name = names != NULL ? names->strings[i] : kind->functions[place];
        const known_function *found = find(name);
        if (found == NULL)
            return node_fail(at->ctx, at->node, COSET_EFORMAT, "'%.100s' is no activation", name);
        gate_function function = found->function;
        if (found->parameters > 0) take(&alphas, &function.alpha);
        if (found->parameters > 1) take(&betas, &function.beta);
        functions_out[i / kind->n_functions][place] = function;
    }
    return COSET_OK;
}
