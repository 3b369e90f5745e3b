#include "methods/linearity/bounds.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct finder {
    coset_ctx *ctx;
    const coset_graph *graph;
    const graph_groups *groups;
    value_bounds *out;
} finder;

static const shape *shape_of(const finder *self, int32_t value)
{
    return &graph_fact(self->groups->facts, value)->shape;
}

/* An activation of which nothing is known. */
static coset_status unbounded(finder *self, int32_t value)
{
    int rank = shape_of(self, value)->rank;
    return interval_same(self->ctx, rank > 0 ? rank : 0, -(double)INFINITY, (double)INFINITY,
                         &self->out->of[value]);
}

/* ---- operands ---- */

static coset_status point_bounds(coset_ctx *ctx, const tensor *data, interval_array *made_out)
{
    coset_status status = interval_new(ctx, data->shape.rank, data->shape.dims, made_out);
    for (int64_t i = 0; status == COSET_OK && i < tensor_elements(data); i++)
        made_out->low[i] = made_out->high[i] = tensor_value(data, i);
    return status;
}

/* Bounds of an operand of any kind. own_out: of a constant, to be freed; else it is lent. */
static coset_status operand(finder *self, int32_t value, interval_array *own_out,
                            const interval_array **lent_out)
{
    coset_status status = COSET_OK;
    const tensor *data = value >= 0 ? self->graph->values[value].constant : NULL;
    *own_out = (interval_array){.rank = 0};
    *lent_out = own_out;
    if (value >= 0 && self->out->of[value].low != NULL)
        *lent_out = &self->out->of[value];
    else if (data != NULL && dtype_is_float(data->dtype) &&
             tensor_elements(data) <= INTERVAL_MAX_ELEMENTS)
        status = point_bounds(self->ctx, data, own_out);
    else
        status = interval_same(self->ctx, 0, -(double)INFINITY, (double)INFINITY, own_out);
    return status;
}

/* ---- functions of one value ---- */

typedef double (*monotone)(double x, double parameter);

static double identity(double x, double parameter)
{
    (void)parameter;
    return x;
}

static double leaky(double x, double leak)
{
    return x >= 0 ? x : leak * x;
}

static double hyperbolic_tangent(double x, double parameter)
{
    (void)parameter;
    return tanh(x);
}

static double logistic(double x, double parameter)
{
    (void)parameter;
    return 1 / (1 + exp(-x));
}

static double soft_plus(double x, double parameter)
{
    (void)parameter;
    return x > 30 ? x : log1p(exp(x)); /* the rest is below the slack */
}

/* Functions that rise everywhere; slack: the relative error of their evaluation. */
static const struct {
    const char *type;
    monotone function;
    double slack;
} functions[] = {{"Identity", identity, 0},
                 {"Dropout", identity, 0},
                 {"Relu", leaky, 0},
                 {"LeakyRelu", leaky, DBL_EPSILON},
                 {"Tanh", hyperbolic_tangent, 8 * DBL_EPSILON},
                 {"Sigmoid", logistic, 8 * DBL_EPSILON},
                 {"Softplus", soft_plus, 1e-12}};

static coset_status apply_function(finder *self, const graph_node *node, int which)
{
    const interval_array *x = NULL;
    interval_array own, *y = &self->out->of[node->outputs[0]];
    double parameter = 0, slack = functions[which].slack;
    if (strcmp(node->op_type, "LeakyRelu") == 0)
        parameter = (double)node_attr_float(node, "alpha", 0.01F);
    if (parameter < 0) return unbounded(self, node->outputs[0]);
    coset_status status = operand(self, node->inputs[0], &own, &x);
    if (status == COSET_OK) status = interval_new(self->ctx, x->rank, x->dims, y);
    for (int64_t i = 0; status == COSET_OK && i < interval_count(x); i++) {
        double low = functions[which].function(x->low[i], parameter);
        double high = functions[which].function(x->high[i], parameter);
        y->low[i] = low - slack * fabs(low);
        y->high[i] = high + slack * fabs(high);
    }
    interval_free(self->ctx, &own);
    return status;
}

/* ---- functions of two ---- */

static const struct {
    const char *type;
    interval_function function;
} operations[] = {{"Add", interval_add},
                  {"Sub", interval_subtract},
                  {"Mul", interval_multiply},
                  {"Div", interval_divide}};

static coset_status apply_operation(finder *self, const graph_node *node, int which)
{
    coset_status status = COSET_OK;
    interval_array own[2] = {{.rank = 0}, {.rank = 0}};
    const interval_array *x[2] = {NULL};
    for (int i = 0; i < 2; i++) TRY(operand(self, node->inputs[i], &own[i], &x[i]));
    TRY(interval_combine(self->ctx, x[0], x[1], operations[which].function,
                         &self->out->of[node->outputs[0]]));
done:
    for (int i = 0; i < 2; i++) interval_free(self->ctx, &own[i]);
    return status;
}

/* ---- contractions ---- */

/* Does a tap of the kernel meet zeros, or nothing, at some places? */
static bool meets_padding(const graph_node *node)
{
    int64_t n = 0;
    const int64_t *pads = node_attr_ints(node, "pads", &n);
    const char *automatic = node_attr_string(node, "auto_pad", "NOTSET");
    bool pad = strcmp(automatic, "NOTSET") != 0 && strcmp(automatic, "VALID") != 0;
    for (int64_t i = 0; i < n; i++) pad = pad || pads[i] != 0;
    return pad || strcmp(node->op_type, "ConvTranspose") == 0;
}

/* Bounds of one output: sum over (i, t) of w x_i, plus b. width: inputs of its group, taps each; a sum of m
 * terms is off by at most m eps times the sum of their magnitudes. */
static void bound_row(const double *row, int64_t width, int64_t taps, const double *low,
                      const double *high, double bias, double *low_out, double *high_out)
{
    double sums[2] = {bias, bias}, sizes[2] = {fabs(bias), fabs(bias)};
    for (int64_t i = 0; i < width * taps; i++) {
        double w = row[i], ends[2] = {low[i / taps], high[i / taps]};
        if (w == 0) continue; /* also times an unknown number */
        for (int end = 0; end < 2; end++) {
            double x = ends[w > 0 ? end : 1 - end], term = x == 0 ? 0 : w * x;
            sums[end] += term;
            sizes[end] += fabs(term);
        }
    }
    double slack = (double)(width * taps + 2) * DBL_EPSILON;
    *low_out = round_down(sums[0] - slack * sizes[0]);
    *high_out = round_up(sums[1] + slack * sizes[1]);
}

static double bias_of(const finder *self, const contraction *at, int64_t o)
{
    if (at->bias < 0 || at->bias_node != at->node) return 0;
    return at->bias_scale * tensor_value(self->graph->values[at->bias].constant, o);
}

static bool can_bound(const finder *self, const contraction *at)
{
    const graph_node *node = &self->graph->nodes[at->node];
    bool convolves = strcmp(node->op_type, "Conv") == 0;
    if (strcmp(node->op_type, "Gemm") != 0 && strcmp(node->op_type, "MatMul") != 0 && !convolves &&
        strcmp(node->op_type, "ConvTranspose") != 0)
        return false;
    const tensor *weight = self->graph->values[at->weight].constant;
    if (!convolves && strcmp(node->op_type, "ConvTranspose") != 0 && weight->shape.rank != 2)
        return false;
    bool adds = node->n_inputs > 2 && node->inputs[2] >= 0;
    return shape_of(self, at->output)->rank > at->output_axis && at->output_axis >= 0 &&
           (!adds || (at->bias >= 0 && at->bias_node == at->node));
}

static coset_status contract(finder *self, const contraction *at)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    if (!can_bound(self, at)) return unbounded(self, at->output);
    const graph_node *node = &self->graph->nodes[at->node];
    weight_view view = contraction_weight(self->graph, self->groups, at);
    int64_t inputs = view.n_in * at->groups, per_group = view.n_out / at->groups;
    int64_t dims[TENSOR_MAX_RANK];
    double *ends = NULL, *row = NULL;
    const interval_array *x = NULL;
    interval_array own = {.rank = 0}, *y = &self->out->of[at->output];
    TRY(operand(self, at->input, &own, &x));
    TRY(ctx_alloc(ctx, 2 * inputs, sizeof *ends, &ends));
    TRY(ctx_alloc(ctx, view.n_in * view.n_taps, sizeof *row, &row));
    interval_along(x, at->input_axis, inputs, ends, ends + inputs);
    for (int64_t i = 0; i < inputs && meets_padding(node); i++) {
        ends[i] = fmin(ends[i], 0);
        ends[inputs + i] = fmax(ends[inputs + i], 0);
    }
    int rank = shape_of(self, at->output)->rank;
    for (int a = 0; a < rank; a++) dims[a] = a == at->output_axis ? view.n_out : 1;
    TRY(interval_new(ctx, rank, dims, y));
    for (int64_t o = 0; o < view.n_out; o++) {
        int64_t first = o / per_group * view.n_in;
        weight_rows(&view, o, 1, row);
        bound_row(row, view.n_in, view.n_taps, ends + first, ends + inputs + first,
                  bias_of(self, at, o), &y->low[o], &y->high[o]);
    }
done:
    interval_free(ctx, &own);
    ctx_free(ctx, ends);
    ctx_free(ctx, row);
    return status;
}

/* ---- moves ---- */

static coset_status hull_of(finder *self, const interval_array *x, int32_t value)
{
    double low = 0, high = 0;
    int rank = shape_of(self, value)->rank;
    interval_hull(x, &low, &high);
    return interval_same(self->ctx, rank > 0 ? rank : 0, low, high, &self->out->of[value]);
}

/* Same elements in the same order, in another shape. */
static coset_status reshape(finder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    interval_array own = {.rank = 0}, *y = &self->out->of[node->outputs[0]];
    const interval_array *x = NULL;
    const shape *from = shape_of(self, node->inputs[0]), *to = shape_of(self, node->outputs[0]);
    TRY(operand(self, node->inputs[0], &own, &x));
    bool known = shape_known(from) && shape_known(to) && x->rank == from->rank;
    int64_t count = known ? shape_product(from, 0, from->rank) : 0;
    if (!known || interval_count(x) <= 1 || count > INTERVAL_MAX_ELEMENTS ||
        count != shape_product(to, 0, to->rank)) {
        TRY(hull_of(self, x, node->outputs[0]));
        goto done;
    }
    TRY(interval_expand(self->ctx, x, from->rank, from->dims, y));
    y->rank = to->rank;
    memcpy(y->dims, to->dims, sizeof y->dims);
done:
    interval_free(self->ctx, &own);
    return status;
}

static coset_status transpose(finder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    interval_array own = {.rank = 0}, *y = &self->out->of[node->outputs[0]];
    const interval_array *x = NULL;
    int64_t n = 0, dims[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK], stride = 1;
    const int64_t *order = node_attr_ints(node, "perm", &n);
    TRY(operand(self, node->inputs[0], &own, &x));
    if (x->rank != shape_of(self, node->inputs[0])->rank || (order != NULL && n != x->rank)) {
        TRY(hull_of(self, x, node->outputs[0]));
        goto done;
    }
    for (int a = x->rank - 1; a >= 0; a--) {
        strides[a] = stride;
        stride *= x->dims[a];
    }
    for (int a = 0; a < x->rank; a++) dims[a] = x->dims[order != NULL ? order[a] : x->rank - 1 - a];
    TRY(interval_new(self->ctx, x->rank, dims, y));
    for (int64_t e = 0; e < interval_count(y); e++) {
        int64_t from = 0, rest = e;
        for (int a = x->rank - 1; a >= 0; a--) {
            from += rest % dims[a] * strides[order != NULL ? order[a] : x->rank - 1 - a];
            rest /= dims[a];
        }
        y->low[e] = x->low[from];
        y->high[e] = x->high[from];
    }
done:
    interval_free(self->ctx, &own);
    return status;
}

/* The operands are told apart along the axis, and nothing is along others. */
static coset_status concat(finder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    const shape *to = shape_of(self, node->outputs[0]);
    int64_t axis = node_attr_int(node, "axis", 0), dims[TENSOR_MAX_RANK], first = 0;
    interval_array own = {.rank = 0}, *y = &self->out->of[node->outputs[0]];
    const interval_array *x = NULL;
    if (axis < 0) axis += to->rank;
    if (to->rank < 1 || axis < 0 || axis >= to->rank || to->dims[axis] < 0 ||
        to->dims[axis] > INTERVAL_MAX_ELEMENTS)
        return unbounded(self, node->outputs[0]);
    for (int a = 0; a < to->rank; a++) dims[a] = a == axis ? to->dims[axis] : 1;
    TRY(interval_new(self->ctx, to->rank, dims, y));
    for (int64_t i = 0; i < to->dims[axis]; i++) {
        y->low[i] = -(double)INFINITY;
        y->high[i] = (double)INFINITY;
    }
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const shape *part = shape_of(self, node->inputs[i]);
        if (part->rank != to->rank || part->dims[axis] < 0 ||
            first + part->dims[axis] > to->dims[axis])
            break;
        TRY(operand(self, node->inputs[i], &own, &x));
        interval_along(x, (int)axis, part->dims[axis], y->low + first, y->high + first);
        interval_free(self->ctx, &own);
        first += part->dims[axis];
    }
done:
    interval_free(self->ctx, &own);
    return status;
}

/* A maximum or a mean over windows of the axes behind the second; part of a window may be zeros. */
static coset_status pool(finder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    interval_array own = {.rank = 0}, *y = &self->out->of[node->outputs[0]];
    const interval_array *x = NULL;
    bool averages = strcmp(node->op_type, "AveragePool") == 0;
    TRY(operand(self, node->inputs[0], &own, &x));
    TRY(interval_collapse(self->ctx, x, 2, y));
    for (int64_t i = 0; i < interval_count(y) && averages; i++) {
        y->low[i] = fmin(y->low[i], 0);
        y->high[i] = fmax(y->high[i], 0);
    }
done:
    interval_free(self->ctx, &own);
    return status;
}

/* ---- the run ---- */

static bool is_one_of(const char *type, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(type, *list) == 0) return true;
    return false;
}

/* Bounds of the first output of a node that is no contraction. */
static coset_status bound_node(finder *self, const graph_node *node)
{
    static const char *const same_order[] = {"Flatten", "Reshape", "Squeeze", "Unsqueeze", NULL};
    static const char *const pools[] = {"MaxPool", "AveragePool", "GlobalMaxPool",
                                        "GlobalAveragePool", NULL};
    if (node->domain[0] != '\0') return unbounded(self, node->outputs[0]);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        if (strcmp(node->op_type, functions[f].type) == 0)
            return apply_function(self, node, (int)f);
    for (size_t f = 0; f < sizeof operations / sizeof *operations; f++)
        if (strcmp(node->op_type, operations[f].type) == 0)
            return apply_operation(self, node, (int)f);
    if (is_one_of(node->op_type, same_order)) return reshape(self, node);
    if (strcmp(node->op_type, "Transpose") == 0) return transpose(self, node);
    if (strcmp(node->op_type, "Concat") == 0) return concat(self, node);
    if (is_one_of(node->op_type, pools)) return pool(self, node);
    return unbounded(self, node->outputs[0]);
}

coset_status bounds_find(coset_ctx *ctx, const coset_graph *graph, const graph_groups *groups,
                         double low, double high, value_bounds **bounds_out)
{
    coset_status status = COSET_OK;
    finder self = {.ctx = ctx, .graph = graph, .groups = groups};
    int64_t *contraction_at = NULL; /* one more than its index; 0: none */
    *bounds_out = NULL;
    TRY(ctx_alloc(ctx, graph->n_nodes, sizeof *contraction_at, &contraction_at));
    TRY(ctx_alloc(ctx, 1, sizeof *self.out, &self.out));
    self.out->n = graph->n_values;
    TRY(ctx_alloc(ctx, graph->n_values, sizeof *self.out->of, &self.out->of));
    for (int64_t c = 0; c < groups->n_contractions; c++)
        contraction_at[groups->contractions[c].node] = c + 1;
    for (int64_t i = 0; i < graph->n_inputs; i++) {
        int rank = shape_of(&self, graph->inputs[i])->rank;
        TRY(interval_same(ctx, rank > 0 ? rank : 0, low, high, &self.out->of[graph->inputs[i]]));
    }
    for (int64_t n = 0; n < graph->n_nodes; n++) {
        const graph_node *node = &graph->nodes[n];
        for (int32_t o = 0; o < node->n_outputs; o++) {
            int32_t value = node->outputs[o];
            if (value < 0 || graph->values[value].constant != NULL) continue;
            if (o > 0)
                TRY(unbounded(&self, value));
            else if (contraction_at[n] > 0)
                TRY(contract(&self, &groups->contractions[contraction_at[n] - 1]));
            else
                TRY(bound_node(&self, node));
        }
    }
    *bounds_out = self.out;
    self.out = NULL;
done:
    ctx_free(ctx, contraction_at);
    bounds_free(ctx, self.out);
    return status;
}

void bounds_free(coset_ctx *ctx, value_bounds *self)
{
    if (self == NULL) return;
    for (int64_t v = 0; self->of != NULL && v < self->n; v++) interval_free(ctx, &self->of[v]);
    ctx_free(ctx, self->of);
    ctx_free(ctx, self);
}
