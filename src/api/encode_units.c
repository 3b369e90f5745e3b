/* Where affine forms end and neurons begin: activations, products, linear layers, outputs. */
#include <math.h>
#include <string.h>

#include "api/encode.h"
#include "linalg/chebyshev.h"
#include "ode/system.h"

/* A layer that is being filled. */
typedef struct filling {
    encoder *of;
    const graph_node *node; /* NULL: outputs */
    int32_t layer;
    const coset_ode_encode_options *options;
    /* The last fit, for units with the same law. */
    unit_law fitted;
    const double *powers; /* NULL: there is none yet */
    double centre;
} filling;

/* Many exporters leave nodes without names; their outputs have some. */
static const char *name_of(const encoder *self, const graph_node *node)
{
    if (node->name[0] != '\0' || node->outputs[0] < 0) return node->name;
    return self->graph->values[node->outputs[0]].name;
}

static coset_status start_layer(filling *self, char prefix, int depth, const char *name,
                                const char *activation)
{
    neuron_layer layer = {.name = name,
                          .activation = activation,
                          .prefix = prefix,
                          .depth = depth,
                          .error = (double)NAN};
    self->layer = (int32_t)self->of->net.n_layers;
    return neurons_add_layer(&self->of->net, &layer);
}

/* Adds a neuron to the layer and makes `to` that variable. */
static coset_status add_neuron(filling *self, neuron made, affine *to, int32_t *id_out)
{
    coset_status status = COSET_OK;
    encoder *of = self->of;
    int32_t id = -1;
    made.layer = self->layer;
    TRY(neurons_add(&of->net, &made, &id));
    if (of->net.monomials > (double)SYSTEM_MAX_TERMS)
        FAIL(of->ctx, COSET_ELIMIT,
             "layer %s: the equations have over %d monomials once they are expanded%s",
             of->net.layers[self->layer].name, (int)SYSTEM_MAX_TERMS,
             self->options->drift == COSET_ODE_POLYNOMIAL && !self->options->split
                 ? "; split them (--split)"
                 : "");
    TRY(affine_variable(of->ctx, &of->net.arena, id, to));
    if (id_out != NULL) *id_out = id;
done:
    return status;
}

/* ---- affine pieces ----------------------------------------------------------------------------- */

/* The form  slope * form + shift  of a piece; both must be finite. */
static coset_status affine_piece(filling *self, const affine *at, double slope, double shift,
                                 affine *out)
{
    encoder *of = self->of;
    if (!isfinite(slope) || !isfinite(shift))
        return node_fail(of->ctx, self->node, COSET_ENUMERIC,
                         "its value or slope is not finite at the given input");
    coset_status status = affine_sum_add(&of->sum, at, number_of(slope));
    if (status == COSET_OK) status = affine_sum_take(&of->sum, out);
    if (status == COSET_OK) *out = affine_shift(*out, number_of(shift));
    return status;
}

static coset_status linear_neuron(filling *self, const unit_law *law, const affine *at,
                                  neuron *made)
{
    made->kind = NEURON_AFFINE;
    made->a = *at;
    if (self->options->input == NULL) {
        self->of->left_out = true;
        return COSET_OK;
    }
    double z = affine_value(at, self->of->net.rest), slope = unit_law_slope(law, z);
    return affine_piece(self, at, slope, unit_law_value(law, z) - slope * z, &made->a);
}

/* ---- polynomials ------------------------------------------------------------------------------- */

static double law_value(const void *law, double z)
{
    return unit_law_value(law, z);
}

/* Fits the law on its layer's range, unless that was just done for another unit. */
static coset_status fit_law(filling *self, const unit_law *law)
{
    coset_status status = COSET_OK;
    encoder *of = self->of;
    neuron_layer *layer = &of->net.layers[self->layer];
    int32_t value = self->node->inputs[0];
    double kinks[2], error = 0, *powers = NULL;
    if (self->powers != NULL && self->fitted.p == law->p && self->fitted.q == law->q)
        return COSET_OK;
    chebyshev_problem problem = {.at = law_value,
                                 .user = law,
                                 .low = of->low != NULL ? of->low[value] : self->options->low,
                                 .high = of->high != NULL ? of->high[value] : self->options->high,
                                 .kinks = kinks,
                                 .n_kinks = unit_law_kinks(law, kinks)};
    if (!isfinite(problem.low) || !isfinite(problem.high) || !(problem.low < problem.high)) {
        status = node_fail(
            of->ctx, self->node, COSET_EARGUMENT,
            "fitting it needs calibration data (--data), or a range with low < high (--range)");
        goto done;
    }
    TRY(arena_alloc(of->ctx, &of->net.arena, (int64_t)self->options->degree + 1, sizeof *powers,
                    &powers));
    status = chebyshev_fit(of->ctx, &problem, self->options->degree, powers, &self->centre, &error);
    if (status != COSET_OK) {
        status =
            ctx_fail_in(of->ctx, status, "node '%s' (%s)", self->node->name, self->node->op_type);
        goto done;
    }
    layer->degree = self->options->degree;
    layer->low = problem.low;
    layer->high = problem.high;
    layer->error = layer->error >= error ? layer->error : error;
    self->fitted = *law;
    self->powers = powers;
done:
    return status;
}

/* x^degree. */
static coset_status whole_power(filling *self, int degree, neuron *made)
{
    encoder *of = self->of;
    double *powers = NULL;
    coset_status status =
        arena_alloc(of->ctx, &of->net.arena, (int64_t)degree + 1, sizeof *powers, &powers);
    if (status != COSET_OK) return status;
    powers[degree] = 1;
    made->kind = NEURON_POLYNOMIAL;
    made->powers = powers;
    made->degree = degree;
    return COSET_OK;
}

static coset_status polynomial_neuron(filling *self, const unit_law *law, const affine *at,
                                      neuron *made)
{
    int degree = unit_law_degree(law);
    made->a = *at;
    if (degree >= 0) return whole_power(self, degree, made);
    coset_status status = fit_law(self, law);
    if (status != COSET_OK) return status;
    const neuron_layer *layer = &self->of->net.layers[self->layer];
    double z = affine_value(at, self->of->net.rest);
    if (self->options->input != NULL && !(z >= layer->low && z <= layer->high))
        self->of->outside = true;
    made->kind = NEURON_POLYNOMIAL;
    made->powers = self->powers;
    made->degree = self->options->degree;
    made->a = affine_shift(*at, number_of(-self->centre));
    return COSET_OK;
}

/* ---- activations ------------------------------------------------------------------------------- */

static bool follows(const unit_law *law)
{
    return law->kind == LAW_TANH || law->kind == LAW_SIGMOID;
}

/* Whether z gets a variable of its own. */
static bool needs_argument(const filling *self, const unit_law *law, const affine *at)
{
    coset_ode_drift drift = self->options->drift;
    if (drift == COSET_ODE_EXACT && follows(law)) return true;
    bool several = at->n + !number_is_zero(at->constant) > 1;
    return drift != COSET_ODE_LINEAR && self->options->split && unit_law_degree(law) != 0 &&
           unit_law_degree(law) != 1 && several;
}

/* The layer of z = form; forms of units that need no z stay. sources [n]: ids or -1. */
static coset_status add_arguments(filling *self, int depth, const unit_law *laws, int64_t n,
                                  const affine *forms, affine *arguments, int32_t *sources)
{
    coset_status status = COSET_OK;
    bool any = false;
    for (int64_t e = 0; e < n; e++) {
        sources[e] = -1;
        arguments[e] = forms[e];
        any = any || needs_argument(self, &laws[e], &forms[e]);
    }
    if (any) TRY(start_layer(self, 'z', depth, name_of(self->of, self->node), "sums"));
    for (int64_t e = 0; e < n; e++) {
        neuron made = {.kind = NEURON_AFFINE, .a = forms[e]};
        if (needs_argument(self, &laws[e], &forms[e]))
            TRY(add_neuron(self, made, &arguments[e], &sources[e]));
    }
done:
    return status;
}

/* s starts on the curve s = act(z), on which its equation keeps it. */
static void following_neuron(const unit_law *law, const affine *at, int32_t source, neuron *made)
{
    made->kind = law->kind == LAW_TANH ? NEURON_TANH : NEURON_SIGMOID;
    made->initial = unit_law_value(law, 0);
    made->source = source;
    made->a = *at;
}

static coset_status check_exact(encoder *self, const graph_node *node, const unit_law *law)
{
    if (self->options->drift != COSET_ODE_EXACT || follows(law) || unit_law_degree(law) >= 0)
        return COSET_OK;
    return node_fail(self->ctx, node, COSET_EUNSUPPORTED,
                     "exact drift knows Tanh, Sigmoid and polynomials only");
}

/* Laws of all elements: parameters p and q are inputs 1 and 2, where the operator has them. */
static coset_status read_laws(encoder *self, const graph_node *node, const shape *out, int64_t n,
                              unit_law *laws)
{
    coset_status status = COSET_OK;
    double *values[2] = {NULL, NULL};
    shape dims[2];
    if (!unit_law_of(node, self->graph->opset, &laws[0]))
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED, "it does not act unit by unit");
    for (int i = 0; i < 2; i++) TRY(encode_constant(self, node, i + 1, &values[i], &dims[i]));
    unit_law common = laws[0];
    for (int64_t e = 0; e < n; e++) {
        laws[e] = common;
        if (values[0] != NULL) laws[e].p = values[0][broadcast_place(out, &dims[0], e)];
        if (values[1] != NULL) laws[e].q = values[1][broadcast_place(out, &dims[1], e)];
        TRY(check_exact(self, node, &laws[e]));
    }
done:
    ctx_free(self->ctx, values[0]);
    ctx_free(self->ctx, values[1]);
    return status;
}

/* The units of a layer whose laws and forms are known. */
static coset_status add_units(filling *self, int depth, const unit_law *laws, const affine *forms,
                              const symbolic *y)
{
    coset_status status = COSET_OK;
    encoder *of = self->of;
    affine *arguments = NULL;
    int32_t *sources = NULL;
    bool all_follow = self->options->drift == COSET_ODE_EXACT && follows(&laws[0]);
    TRY(ctx_alloc(of->ctx, y->n, sizeof *arguments, &arguments));
    TRY(ctx_alloc(of->ctx, y->n, sizeof *sources, &sources));
    TRY(add_arguments(self, depth, laws, y->n, forms, arguments, sources));
    TRY(start_layer(self, all_follow ? 's' : 'h', depth, name_of(self->of, self->node),
                    self->node->op_type));
    for (int64_t e = 0; e < y->n; e++) {
        neuron made = {.source = -1};
        if (self->options->drift == COSET_ODE_LINEAR)
            TRY(linear_neuron(self, &laws[e], &forms[e], &made));
        else if (self->options->drift == COSET_ODE_EXACT && follows(&laws[e]))
            following_neuron(&laws[e], &forms[e], sources[e], &made);
        else
            TRY(polynomial_neuron(self, &laws[e], &arguments[e], &made));
        TRY(add_neuron(self, made, &y->at[e]->value, NULL));
    }
done:
    ctx_free(of->ctx, arguments);
    ctx_free(of->ctx, sources);
    return status;
}

coset_status encode_units(encoder *self, const graph_node *node)
{
    coset_status status = COSET_OK;
    filling at = {.of = self, .node = node, .options = self->options};
    unit_law *laws = NULL;
    affine *forms = NULL;
    symbolic x, y;
    shape out, in;
    int64_t n = 0, in_n = 0;
    TRY(encode_operand(self, node, 0, &x));
    TRY(encode_shape(self, node, node->outputs[0], &out, &n));
    TRY(encode_shape(self, node, node->inputs[0], &in, &in_n));
    TRY(encode_result(self, node, false, &y));
    if (n == 0) return COSET_OK;
    TRY(ctx_alloc(self->ctx, n, sizeof *laws, &laws));
    TRY(ctx_alloc(self->ctx, n, sizeof *forms, &forms));
    TRY(read_laws(self, node, &out, n, laws));
    for (int64_t e = 0; e < n; e++) forms[e] = x.at[broadcast_place(&out, &in, e)]->value;
    TRY(add_units(&at, ++self->layers, laws, forms, &y));
done:
    ctx_free(self->ctx, laws);
    ctx_free(self->ctx, forms);
    return status;
}

/* ---- products ---------------------------------------------------------------------------------- */

/* a b, around the given input a(0) b + b(0) a - a(0) b(0). */
static coset_status linear_product(filling *self, const affine *a, const affine *b, neuron *made)
{
    coset_status status = COSET_OK;
    encoder *of = self->of;
    made->kind = NEURON_AFFINE;
    made->a = *a;
    if (self->options->input == NULL) {
        of->left_out = true;
        if (affine_equal(a, b)) return COSET_OK;
        return node_fail(of->ctx, self->node, COSET_EUNSUPPORTED,
                         "a product of two activations is not linear; give an input to linearise "
                         "it there");
    }
    double at_a = affine_value(a, of->net.rest), at_b = affine_value(b, of->net.rest);
    affine left, right;
    TRY(affine_piece(self, a, at_b, -at_a * at_b, &left));
    TRY(affine_piece(self, b, at_a, 0, &right));
    TRY(affine_sum_add(&of->sum, &left, number_of(1)));
    TRY(affine_sum_add(&of->sum, &right, number_of(1)));
    TRY(affine_sum_take(&of->sum, &made->a));
done:
    return status;
}

static coset_status product_neuron(filling *self, const affine *a, const affine *b, neuron *made)
{
    if (self->options->drift == COSET_ODE_LINEAR) return linear_product(self, a, b, made);
    made->kind = NEURON_PRODUCT;
    made->a = *a;
    made->b = *b;
    return affine_equal(a, b) ? whole_power(self, 2, made) : COSET_OK;
}

coset_status encode_product(encoder *self, const graph_node *node, const symbolic *a,
                            const symbolic *b)
{
    coset_status status = COSET_OK;
    filling at = {.of = self, .node = node, .options = self->options};
    affine *forms = NULL, *arguments = NULL;
    unit_law *laws = NULL;
    int32_t *sources = NULL;
    symbolic y;
    int depth = ++self->layers;
    int64_t n = a->n;
    TRY(encode_result(self, node, false, &y));
    TRY(ctx_alloc(self->ctx, 2 * n, sizeof *forms, &forms));
    TRY(ctx_alloc(self->ctx, 2 * n, sizeof *arguments, &arguments));
    TRY(ctx_alloc(self->ctx, 2 * n, sizeof *laws, &laws));
    TRY(ctx_alloc(self->ctx, 2 * n, sizeof *sources, &sources));
    for (int64_t e = 0; e < n; e++) {
        const affine *left = &a->at[e]->value, *right = &b->at[e]->value;
        forms[e] = *left;
        forms[n + e] = *right;
        /* The two factors of a square share their z: the second gets none. */
        laws[e] = (unit_law){.kind = LAW_POWER, .p = 2};
        laws[n + e] = (unit_law){.kind = LAW_POWER, .p = affine_equal(left, right) ? 1 : 2};
    }
    TRY(add_arguments(&at, depth, laws, 2 * n, forms, arguments, sources));
    TRY(start_layer(&at, 'h', depth, name_of(self, node), node->op_type));
    for (int64_t e = 0; e < n; e++) {
        neuron made = {.source = -1};
        const affine *right = &arguments[laws[n + e].p == 1 ? e : n + e];
        TRY(product_neuron(&at, &arguments[e], right, &made));
        TRY(add_neuron(&at, made, &y.at[e]->value, NULL));
    }
done:
    ctx_free(self->ctx, forms);
    ctx_free(self->ctx, arguments);
    ctx_free(self->ctx, laws);
    ctx_free(self->ctx, sources);
    return status;
}

/* ---- linear layers and outputs ----------------------------------------------------------------- */

coset_status encode_settle(encoder *self, const symbolic *values)
{
    coset_status status = COSET_OK;
    filling at = {.of = self, .layer = -1, .options = self->options};
    for (int64_t e = 0; e < values->n; e++) {
        form *one = values->at[e];
        if (one->pending < 0) continue;
        at.node = &self->graph->nodes[one->pending];
        if (at.layer < 0)
            TRY(start_layer(&at, 'h', ++self->layers, name_of(self, at.node), "none"));
        neuron made = {.kind = NEURON_AFFINE, .a = one->value, .source = -1};
        TRY(add_neuron(&at, made, &one->value, NULL));
        one->pending = -1;
    }
done:
    return status;
}

/* The neuron that an element is and that can be named as an output; -1: none. */
static int32_t output_neuron(const encoder *self, const form *one)
{
    int32_t id = affine_is_variable(&one->value);
    if (id < 0 || self->net.all[id].layer < 0 || self->net.all[id].output > 0) return -1;
    return id;
}

static coset_status add_outputs(encoder *self, int32_t value, int64_t *count)
{
    coset_status status = COSET_OK;
    filling at = {.of = self, .layer = -1, .options = self->options};
    symbolic y;
    const graph_node reader = {.name = self->graph->values[value].name,
                               .op_type = "output",
                               .n_inputs = 1,
                               .inputs = &value};
    TRY(encode_operand(self, &reader, 0, &y));
    TRY(encode_settle(self, &y));
    for (int64_t e = 0; e < y.n; e++) {
        int32_t id = output_neuron(self, y.at[e]);
        if (id < 0) {
            neuron made = {.kind = NEURON_AFFINE, .a = y.at[e]->value, .source = -1};
            affine unused;
            if (at.layer < 0)
                TRY(start_layer(&at, 'h', ++self->layers, self->graph->values[value].name, "none"));
            TRY(add_neuron(&at, made, &unused, &id));
        }
        self->net.all[id].output = ++*count;
    }
done:
    return status;
}

coset_status encode_outputs(encoder *self)
{
    coset_status status = COSET_OK;
    int64_t count = 0;
    for (int64_t o = 0; o < self->graph->n_outputs; o++)
        TRY(add_outputs(self, self->graph->outputs[o], &count));
done:
    return status;
}
