#include "api/unit_law.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const double SQRT_HALF = 0.70710678118654752440;
static const double SQRT_2_BY_PI = 0.79788456080286535588;
static const double SQRT_1_BY_2PI = 0.39894228040143267794;

static const struct {
    const char *type;
    law_kind kind;
} laws[] = {
    {"Tanh", LAW_TANH},         {"Sigmoid", LAW_SIGMOID}, {"Pow", LAW_POWER},
    {"Relu", LAW_LEAKY},        {"PRelu", LAW_LEAKY},     {"LeakyRelu", LAW_LEAKY},
    {"Clip", LAW_CLIP},         {"Abs", LAW_ABS},         {"Elu", LAW_ELU},
    {"Softplus", LAW_SOFTPLUS}, {"Gelu", LAW_GELU},       {"HardSigmoid", LAW_HARDSIGMOID},
    {"Erf", LAW_ERF},           {"Exp", LAW_EXP},         {"Log", LAW_LOG},
    {"Sqrt", LAW_SQRT},
};

bool unit_law_of(const graph_node *node, int64_t opset, unit_law *law_out)
{
    size_t found = 0, n = sizeof laws / sizeof *laws;
    while (found < n && strcmp(laws[found].type, node->op_type) != 0) found++;
    if (found == n) return false;
    unit_law law = {.kind = laws[found].kind};
    if (strcmp(node->op_type, "LeakyRelu") == 0)
        law.p = (double)node_attr_float(node, "alpha", 0.01F);
    if (law.kind == LAW_ELU) law.p = (double)node_attr_float(node, "alpha", 1.0F);
    if (law.kind == LAW_HARDSIGMOID) {
        law.p = (double)node_attr_float(node, "alpha", 0.2F);
        law.q = (double)node_attr_float(node, "beta", 0.5F);
    }
    if (law.kind == LAW_CLIP) {
        bool attributes = opset < 11;
        law.p = (double)(attributes ? node_attr_float(node, "min", -FLT_MAX) : -FLT_MAX);
        law.q = (double)(attributes ? node_attr_float(node, "max", FLT_MAX) : FLT_MAX);
    }
    if (law.kind == LAW_GELU && node->domain[0] == '\0' &&
        strcmp(node_attr_string(node, "approximate", "none"), "tanh") == 0)
        law.kind = LAW_GELU_TANH;
    *law_out = law;
    return true;
}

/* e^-|z| cannot overflow. */
static double sigmoid(double z)
{
    double e = exp(-fabs(z));
    return (z < 0 ? e : 1) / (1 + e);
}

/* The argument 2 sqrt(2/pi) (z + 0.044715 z^3) of the sigmoid in the tanh form of Gelu. */
static double gelu_argument(double z)
{
    return 2 * SQRT_2_BY_PI * (z + 0.044715 * z * z * z);
}

static double clipped(double z, double low, double high)
{
    return fmin(fmax(z, low), high);
}

double unit_law_value(const unit_law *self, double z)
{
    switch (self->kind) {
    case LAW_TANH: return tanh(z);
    case LAW_SIGMOID: return sigmoid(z);
    case LAW_POWER: return pow(z, self->p);
    case LAW_LEAKY: return z < 0 ? self->p * z : z;
    case LAW_CLIP: return clipped(z, self->p, self->q);
    case LAW_ABS: return fabs(z);
    case LAW_ELU: return z < 0 ? self->p * expm1(z) : z;
    case LAW_HARDSIGMOID: return clipped(self->p * z + self->q, 0, 1);
    case LAW_SOFTPLUS: return fmax(z, 0) + log1p(exp(-fabs(z)));
    case LAW_GELU: return 0.5 * z * erfc(-SQRT_HALF * z);
    case LAW_GELU_TANH: return z * sigmoid(gelu_argument(z));
    case LAW_ERF: return erf(z);
    case LAW_EXP: return exp(z);
    case LAW_LOG: return log(z);
    case LAW_SQRT: return sqrt(z);
    }
    return (double)NAN;
}

double unit_law_slope(const unit_law *self, double z)
{
    double s = sigmoid(self->kind == LAW_GELU_TANH ? gelu_argument(z) : z), t = tanh(z);
    double line = self->p * z + self->q;
    switch (self->kind) {
    case LAW_TANH: return 1 - t * t;
    case LAW_SIGMOID: return s * (1 - s);
    case LAW_POWER: return self->p == 0 ? 0 : self->p * pow(z, self->p - 1);
    case LAW_LEAKY: return z < 0 ? self->p : 1;
    case LAW_CLIP: return z >= self->p && z < self->q ? 1 : 0;
    case LAW_ABS: return z < 0 ? -1 : 1;
    case LAW_ELU: return z < 0 ? self->p * exp(z) : 1;
    case LAW_HARDSIGMOID: return line >= 0 && line < 1 ? self->p : 0;
    case LAW_SOFTPLUS: return s;
    case LAW_GELU: return 0.5 * erfc(-SQRT_HALF * z) + z * SQRT_1_BY_2PI * exp(-z * z / 2);
    case LAW_GELU_TANH: return s + z * s * (1 - s) * 2 * SQRT_2_BY_PI * (1 + 3 * 0.044715 * z * z);
    case LAW_ERF: return 2 * SQRT_HALF * SQRT_2_BY_PI * exp(-z * z);
    case LAW_EXP: return exp(z);
    case LAW_LOG: return 1 / z;
    case LAW_SQRT: return 0.5 / sqrt(z);
    }
    return (double)NAN;
}

int unit_law_kinks(const unit_law *self, double *kinks_out)
{
    kinks_out[0] = kinks_out[1] = 0;
    switch (self->kind) {
    case LAW_LEAKY:
    case LAW_ABS:
    case LAW_ELU: return 1;
    case LAW_CLIP:
        kinks_out[0] = self->p;
        kinks_out[1] = self->q;
        return 2;
    case LAW_HARDSIGMOID:
        if (self->p == 0) return 0;
        kinks_out[0] = -self->q / self->p;
        kinks_out[1] = (1 - self->q) / self->p;
        return 2;
    default: return 0;
    }
}

int unit_law_degree(const unit_law *self)
{
    bool whole = self->kind == LAW_POWER && self->p >= 0 && self->p <= LAW_MAX_DEGREE &&
                 self->p == floor(self->p);
    return whole ? (int)self->p : -1;
}
