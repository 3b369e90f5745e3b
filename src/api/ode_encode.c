/* coset_ode_encode: a dense network as an ODE system. */
#include <math.h>
#include <string.h>

#include "api/arrays.h"
#include "api/encode.h"
#include "api/ode.h"
#include "data/data.h"
#include "graph/fold.h"
#include "linalg/chebyshev.h"

static const char *const drifts[] = {"linear", "polynomial", "exact"};

typedef coset_status (*encode_rule)(encoder *self, const graph_node *node);

/* Operators that are no activations. */
static const struct {
    const char *type;
    encode_rule rule;
} rules[] = {
    {"Gemm", encode_gemm},       {"MatMul", encode_matmul},
    {"Add", encode_sum},         {"Sub", encode_sum},
    {"Mul", encode_scaled},      {"Div", encode_scaled},
    {"Neg", encode_scaled},      {"BatchNormalization", encode_normalised},
    {"Flatten", encode_copied},  {"Reshape", encode_copied},
    {"Squeeze", encode_copied},  {"Unsqueeze", encode_copied},
    {"Identity", encode_copied}, {"Cast", encode_copied},
    {"Dropout", encode_copied},  {"Transpose", encode_moved},
    {"Concat", encode_moved},    {"Gather", encode_moved},
};

static encode_rule rule_of(const graph_node *node)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].type, node->op_type) == 0) return rules[i].rule;
    return encode_units;
}

/* ---- before the walk --------------------------------------------------------------------------- */

static coset_status check_options(coset_ctx *ctx, const coset_ode_encode_options *options)
{
    if (options->drift < COSET_ODE_LINEAR || options->drift > COSET_ODE_EXACT)
        return ctx_fail(ctx, COSET_EARGUMENT, "there is no drift %d", (int)options->drift);
    if (options->drift == COSET_ODE_POLYNOMIAL &&
        (options->degree < 1 || options->degree > CHEBYSHEV_MAX_DEGREE))
        return ctx_fail(ctx, COSET_EARGUMENT, "the degree of the fits is 1 to %d, not %d",
                        (int)CHEBYSHEV_MAX_DEGREE, options->degree);
    return COSET_OK;
}

/* Shapes of the inputs as declared, or with `single` for one sample: the leading axis of a matrix counts
 * samples. *batch_out: how many samples the declared shapes hold; 0: inputs disagree. */
static coset_status input_shapes(encoder *self, bool single, shape *shapes, int64_t *batch_out)
{
    for (int64_t k = 0; k < self->graph->n_inputs; k++) {
        const graph_value *input = &self->graph->values[self->graph->inputs[k]];
        if (input->shape.rank < 0 || !dtype_is_float(input->dtype))
            return ctx_fail(self->ctx, COSET_EUNSUPPORTED,
                            "input '%s' is not declared as floating-point numbers with a shape",
                            input->name);
        shapes[k] = input->shape;
        for (int a = 0; a < shapes[k].rank; a++)
            if (shapes[k].dims[a] < 0) shapes[k].dims[a] = 1;
        int64_t batch = shapes[k].rank < 2 ? 1 : shapes[k].dims[0];
        *batch_out = k == 0 || batch == *batch_out ? batch : 0;
        if (single && shapes[k].rank >= 2) shapes[k].dims[0] = 1;
    }
    return COSET_OK;
}

/* Whether every value has `batch` times the elements for the declared batch that it has for one
 * sample: a Reshape to fixed sizes, for one, takes no other batch although it can be computed. */
static bool scales(const coset_graph *graph, const graph_facts *declared, const graph_facts *single,
                   int64_t batch)
{
    for (int32_t v = 0; v < graph->n_values; v++) {
        const fact *all = graph_fact(declared, v), *one = graph_fact(single, v);
        if (graph->values[v].producer < 0 || all->constant != NULL || !dtype_is_float(all->dtype))
            continue;
        if (!shape_known(&all->shape) || !shape_known(&one->shape)) continue;
        if (shape_product(&all->shape, 0, all->shape.rank) !=
            batch * shape_product(&one->shape, 0, one->shape.rank))
            return false;
    }
    return true;
}

/* Facts for one sample, or as declared if the model takes no other batch. */
static coset_status find_facts(encoder *self)
{
    coset_status status = COSET_OK;
    shape *shapes = NULL;
    graph_facts *single = NULL;
    int64_t batch = 1, unused = 0;
    TRY(ctx_alloc(self->ctx, self->graph->n_inputs, sizeof *shapes, &shapes));
    TRY(input_shapes(self, false, shapes, &batch));
    TRY(graph_infer(self->ctx, self->graph, shapes, &self->facts));
    if (batch <= 1) goto done;
    TRY(input_shapes(self, true, shapes, &unused));
    status = graph_infer(self->ctx, self->graph, shapes, &single);
    if (status == COSET_OK && scales(self->graph, self->facts, single, batch)) {
        graph_facts_free(self->ctx, self->facts);
        self->facts = single;
        single = NULL;
    }
    if (status != COSET_EMEMORY) status = COSET_OK;
done:
    graph_facts_free(self->ctx, single);
    ctx_free(self->ctx, shapes);
    return status;
}

static void mark_needed(encoder *self)
{
    const coset_graph *graph = self->graph;
    for (int64_t o = 0; o < graph->n_outputs; o++) self->needed[graph->outputs[o]] = true;
    for (int64_t i = graph->n_nodes - 1; i >= 0; i--) {
        const graph_node *node = &graph->nodes[i];
        bool any = false;
        for (int32_t o = 0; o < node->n_outputs; o++)
            any = any || (node->outputs[o] >= 0 && self->needed[node->outputs[o]] &&
                          !encode_is_constant(self, node->outputs[o]));
        for (int32_t k = 0; any && k < node->n_inputs; k++)
            if (node->inputs[k] >= 0) self->needed[node->inputs[k]] = true;
    }
}

/* ---- inputs ------------------------------------------------------------------------------------ */

/* The sample as the model sees it: rounded to the type of its input. values_out is owned. */
static coset_status read_sample(encoder *self, double **values_out, int64_t *n_out)
{
    coset_status status = COSET_OK;
    tensor view;
    array values = {.dtype = COSET_UNDEFINED};
    void *memory = NULL;
    TRY(array_view(self->ctx, self->options->input, &view));
    TRY(tensor_to_array(self->ctx, &view, &values, &memory));
    int64_t n = tensor_elements(&view);
    TRY(ctx_alloc(self->ctx, n, sizeof **values_out, values_out));
    for (int64_t i = 0; i < n; i++) {
        double x = dtype_is_float(values.dtype) ? (double)values.f[i] : (double)values.i[i];
        if (!isfinite(x))
            FAIL(self->ctx, COSET_EARGUMENT, "element %lld of the input is not finite",
                 (long long)i);
        (*values_out)[i] = x;
    }
    *n_out = n;
done:
    ctx_free(self->ctx, memory);
    return status;
}

static double rounded(double x, coset_dtype dtype)
{
    float value = (float)x;
    array one = {.dtype = dtype, .shape = {.rank = 0}, .f = &value};
    array_normalise(&one);
    return (double)value;
}

static coset_status add_inputs(encoder *self)
{
    coset_status status = COSET_OK;
    double *sample = NULL;
    int64_t given = 0, count = 0;
    int32_t id = -1;
    const coset_graph *graph = self->graph;
    if (self->options->input != NULL) TRY(read_sample(self, &sample, &given));
    for (int64_t k = 0; k < graph->n_inputs; k++) {
        const graph_value *input = &graph->values[graph->inputs[k]];
        symbolic *values = &self->values[graph->inputs[k]];
        form *forms = NULL;
        TRY(shape_elements(self->ctx, &graph_fact(self->facts, graph->inputs[k])->shape,
                           &values->n));
        if (values->n > MODEL_MAX_NAMES)
            FAIL(self->ctx, COSET_ELIMIT, "input '%s' has %lld elements, at most %d", input->name,
                 (long long)values->n, (int)MODEL_MAX_NAMES);
        TRY(arena_alloc(self->ctx, &self->net.arena, values->n, sizeof *forms, &forms));
        TRY(arena_alloc(self->ctx, &self->net.arena, values->n, sizeof *values->at, &values->at));
        for (int64_t e = 0; e < values->n; e++, count++) {
            neuron made = {.kind = NEURON_INPUT, .layer = -1, .source = -1, .unit = count + 1};
            if (count < given) made.initial = rounded(sample[count], input->dtype);
            TRY(neurons_add(&self->net, &made, &id));
            TRY(affine_variable(self->ctx, &self->net.arena, id, &forms[e].value));
            forms[e].pending = -1;
            values->at[e] = &forms[e];
        }
    }
    if (sample != NULL && given != count)
        FAIL(self->ctx, COSET_EARGUMENT, "the input has %lld elements, the model takes %lld",
             (long long)given, (long long)count);
    neuron one = {.kind = NEURON_ONE, .layer = -1, .source = -1, .initial = 1};
    TRY(neurons_add(&self->net, &one, &id));
done:
    ctx_free(self->ctx, sample);
    return status;
}

/* ---- the walk ---------------------------------------------------------------------------------- */

static coset_status encode_node(encoder *self, const graph_node *node)
{
    bool wanted = false;
    for (int32_t o = 0; o < node->n_outputs; o++)
        wanted = wanted || (node->outputs[o] >= 0 && self->needed[node->outputs[o]] &&
                            !encode_is_constant(self, node->outputs[o]));
    if (!wanted) return COSET_OK;
    bool complete =
        node->op != NULL && node->outputs[0] >= 0 && node->n_inputs >= node->op->min_inputs;
    for (int32_t i = 0; complete && i < node->op->min_inputs; i++) complete = node->inputs[i] >= 0;
    if (!complete)
        return node_fail(self->ctx, node, COSET_EUNSUPPORTED,
                         "it is no operator of a dense network");
    return rule_of(node)(self, node);
}

static coset_status walk(encoder *self)
{
    coset_status status = COSET_OK;
    const coset_graph *graph = self->graph;
    TRY(find_facts(self));
    TRY(ctx_alloc(self->ctx, graph->n_values, sizeof *self->values, &self->values));
    TRY(ctx_alloc(self->ctx, graph->n_values, sizeof *self->needed, &self->needed));
    mark_needed(self);
    TRY(encode_ranges(self));
    TRY(add_inputs(self));
    for (int64_t i = 0; i < graph->n_nodes; i++) TRY(encode_node(self, &graph->nodes[i]));
    TRY(encode_outputs(self));
done:
    return status;
}

static void encoder_free(encoder *self)
{
    affine_sum_free(&self->sum);
    neurons_free(&self->net);
    graph_facts_free(self->ctx, self->facts);
    ctx_free(self->ctx, self->values);
    ctx_free(self->ctx, self->needed);
    ctx_free(self->ctx, self->low);
    ctx_free(self->ctx, self->high);
}

/* ---- the report -------------------------------------------------------------------------------- */

static int64_t count_terms(const neurons *net)
{
    int64_t terms = 0;
    for (int64_t i = 0; i < net->n; i++) {
        const neuron *at = &net->all[i];
        if (at->kind == NEURON_INPUT || at->kind == NEURON_ONE) continue;
        terms += 1 + at->a.n + !number_is_zero(at->a.constant);
        if (at->kind == NEURON_PRODUCT) terms += at->b.n + !number_is_zero(at->b.constant);
    }
    return terms;
}

static coset_status report_layers(const encoder *self, report_node *root)
{
    coset_status status = COSET_OK;
    report_node *layers = NULL, *fits = NULL, *entry = NULL;
    TRY(report_list(self->ctx, root, "layers", &layers));
    TRY(report_list(self->ctx, root, "fits", &fits));
    for (int64_t l = 0; l < self->net.n_layers; l++) {
        const neuron_layer *at = &self->net.layers[l];
        TRY(report_add_object(self->ctx, layers, &entry));
        TRY(report_text(self->ctx, entry, "name", at->name));
        TRY(report_text(self->ctx, entry, "activation", at->activation));
        TRY(report_count(self->ctx, entry, "variables", at->units));
        if (isnan(at->error)) continue;
        TRY(report_add_object(self->ctx, fits, &entry));
        TRY(report_text(self->ctx, entry, "name", at->name));
        TRY(report_text(self->ctx, entry, "function", at->activation));
        TRY(report_count(self->ctx, entry, "degree", at->degree));
        TRY(report_real(self->ctx, entry, "low", at->low));
        TRY(report_real(self->ctx, entry, "high", at->high));
        TRY(report_real(self->ctx, entry, "error", at->error));
    }
done:
    return status;
}

static coset_status make_report(const encoder *self, double start, coset_report **report_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->ctx;
    coset_report *report = NULL;
    report_node *warnings = NULL;
    TRY(ode_report_new(ctx, "ode encode", NULL, &report));
    report_node *root = report_root(report);
    TRY(report_input(ctx, report, self->graph->name, self->graph->digest));
    if (self->options->data != NULL)
        TRY(report_input(ctx, report, self->options->data->name, self->options->data->digest));
    TRY(report_text(ctx, root, "model", self->graph->name));
    TRY(report_text(ctx, root, "drift", drifts[self->options->drift]));
    if (self->options->drift == COSET_ODE_POLYNOMIAL)
        TRY(report_count(ctx, root, "degree", self->options->degree));
    TRY(report_count(ctx, root, "variables", self->net.n));
    TRY(report_count(ctx, root, "terms", count_terms(&self->net)));
    TRY(report_layers(self, root));
    TRY(report_list(ctx, root, "warnings", &warnings));
    if (self->left_out)
        TRY(report_add_text(ctx, warnings,
                            "linear drift without an input leaves the activations out: it does not "
                            "come to rest at the network's outputs"));
    if (self->outside)
        TRY(report_add_text(ctx, warnings,
                            "the given input takes units out of the ranges of their fits"));
    TRY(report_finish(ctx, report, start));
    *report_out = report;
    report = NULL;
done:
    coset_report_free(ctx, report);
    return status;
}

/* ---- the call ---------------------------------------------------------------------------------- */

static coset_status make_model(const encoder *self, ode_model **model_out)
{
    char *header = NULL;
    coset_status status = ctx_format(self->ctx, &header, "%s as an ODE: %s drift",
                                     self->graph->name, drifts[self->options->drift]);
    if (status == COSET_OK)
        status = neurons_to_model(&self->net, self->graph->name, header, model_out);
    ctx_free(self->ctx, header);
    return status;
}

coset_status coset_ode_encode(coset_ctx *ctx, const coset_graph *graph,
                              const coset_ode_encode_options *options, coset_ode **ode_out,
                              coset_report **report_out)
{
    static const coset_ode_encode_options defaults = COSET_ODE_ENCODE_OPTIONS_INIT;
    coset_status status = COSET_OK;
    encoder self = {.ctx = ctx, .graph = graph, .net = {.ctx = ctx}, .sum = {.ctx = ctx}};
    coset_graph *folded = NULL;
    ode_model *model = NULL;
    coset_report *report = NULL;
    double start = report_clock();
    self.options = options != NULL ? options : &defaults;
    self.sum.into = &self.net.arena;
    *ode_out = NULL;
    if (report_out != NULL) *report_out = NULL;
    TRY(check_options(ctx, self.options));
    TRY(graph_fold(ctx, graph, &folded));
    if (folded != NULL) self.graph = folded;
    status = walk(&self);
    if (status == COSET_OK) status = make_model(&self, &model);
    if (status != COSET_OK && status != COSET_EMEMORY)
        status = ctx_fail_in(ctx, status, "%s", graph->name);
    if (status != COSET_OK) goto done;
    if (report_out != NULL) TRY(make_report(&self, start, &report));
    status = ode_own(ctx, model, ode_out);
    model = NULL; /* taken over, also on failure */
    if (status != COSET_OK) goto done;
    if (report_out != NULL) *report_out = report;
    report = NULL;
done:
    coset_report_free(ctx, report);
    model_free(model);
    encoder_free(&self);
    coset_graph_free(ctx, folded);
    return status;
}
