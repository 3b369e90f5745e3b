/* Networks as ODE systems: where they come to rest, what is fitted, what is refused. */
#include "support/encoded.h"

#include "support/random_graph.h"
#include "support/samples.h"

#include "api/unit_law.h"
#include "linalg/chebyshev.h"
#include "ode/partition.h"

/* The network runs in f32, its encoding in f64. */
#define SINGLE 1e-6

static counted_memory memory;
static coset_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

static void expect_rest(const coset_graph *graph, coset_ode_encode_options options, const float *x,
                        int64_t n, double t_end, double tolerance, const char *label)
{
    coset_array sample = encoded_sample(x, n);
    options.input = &sample;
    encoded self = encode_graph(ctx, graph, &options);
    double found = encoded_difference(&self, graph, x, n, t_end);
    if (!(found <= tolerance)) fail_msg("%s: outputs differ by %g", label, found);
    encoded_end(&self);
}

static coset_ode_encode_options with_drift(coset_ode_drift drift)
{
    coset_ode_encode_options options = COSET_ODE_ENCODE_OPTIONS_INIT;
    options.drift = drift;
    return options;
}

/* ---- networks ---------------------------------------------------------------------------------- */

static const float point[5] = {0.3f, -1.2f, 0.8f, 2.1f, -0.4f};

static int32_t weights(builder *b, rng *random, const char *name, int64_t rows, int64_t columns,
                       double centre)
{
    float values[256];
    char dims[32];
    assert_true(rows * columns <= 256);
    for (int64_t i = 0; i < rows * columns; i++)
        values[i] = (float)(centre + rng_normal(random) / sqrt((double)rows));
    snprintf(dims, sizeof dims, rows > 1 ? "%d %d" : "%.0d%d", rows > 1 ? (int)rows : 0,
             (int)columns);
    return build_constant(b, name, COSET_F32, dims, values);
}

static int32_t dense(builder *b, rng *random, int32_t x, int64_t in, int64_t out, const char *name)
{
    char text[32];
    snprintf(text, sizeof text, "w_%s", name);
    int32_t w = weights(b, random, text, in, out, 0);
    snprintf(text, sizeof text, "b_%s", name);
    int32_t inputs[3] = {x, w, weights(b, random, text, 1, out, 0)}, y = build_value(b, name);
    build_node_n(b, "", "Gemm", inputs, 3, &y, 1);
    return y;
}

/* Adds the activation to a value; operators with parameters get constants. */
static int32_t act(builder *b, rng *random, const char *type, int32_t x, int64_t n,
                   const char *name)
{
    if (strcmp(type, "PRelu") == 0) {
        char text[32];
        snprintf(text, sizeof text, "slope_%s", name);
        return build_op(b, type, x, weights(b, random, text, 1, n, 0.2), name);
    }
    if (strcmp(type, "Clip") == 0) {
        const float low = -0.5f, high = 0.75f;
        char text[2][32];
        snprintf(text[0], sizeof text[0], "low_%s", name);
        snprintf(text[1], sizeof text[1], "high_%s", name);
        int32_t inputs[3] = {x, build_constant(b, text[0], COSET_F32, "", &low),
                             build_constant(b, text[1], COSET_F32, "", &high)};
        int32_t y = build_value(b, name);
        build_node_n(b, "", type, inputs, 3, &y, 1);
        return y;
    }
    if (strcmp(type, "Square") == 0) return build_op(b, "Mul", x, x, name);
    if (strncmp(type, "Pow", 3) == 0) {
        const float exponent = (float)(type[3] - '0');
        char text[32];
        snprintf(text, sizeof text, "power_%s", name);
        return build_op(b, "Pow", x, build_constant(b, text, COSET_F32, "", &exponent), name);
    }
    return build_op(b, type, x, -1, name);
}

/* 5 - 6 - 4 - 2 with one activation. */
static builder network(const char *type, uint64_t seed)
{
    builder b = build_start(ctx, 20);
    rng random = rng_seed(seed, 3);
    int32_t h = build_input(&b, "x", COSET_F32, "1 5");
    h = act(&b, &random, type, dense(&b, &random, h, 5, 6, "z1"), 6, "h1");
    h = act(&b, &random, type, dense(&b, &random, h, 6, 4, "z2"), 4, "h2");
    build_output(&b, dense(&b, &random, h, 4, 2, "y"));
    build_finish(&b);
    return b;
}

/* ---- linear drift ------------------------------------------------------------------------------ */

static void affine_pieces_rest_at_the_outputs(void **state)
{
    (void)state;
    static const char *const types[] = {
        "Identity", "Relu", "LeakyRelu",   "Tanh", "Sigmoid", "Softplus", "Elu",    "Gelu", "Erf",
        "Exp",      "Abs",  "HardSigmoid", "Clip", "Neg",     "PRelu",    "Square", "Pow2", "Pow3"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            builder b = network(types[t], seed);
            /* e^z turns what z is off by in f32 into that share of e^z, here up to 100. */
            double tolerance = strcmp(types[t], "Exp") == 0 ? 1e-5 : SINGLE;
            expect_rest(b.graph, with_drift(COSET_ODE_LINEAR), point, 5, 60, tolerance, types[t]);
            coset_graph_free(ctx, b.graph);
        }
}

/* Without an input the activations are left out, and inputs can be set afterwards. */
static void linear_networks_need_no_input(void **state)
{
    (void)state;
    builder b = network("Identity", 4);
    encoded self = encode_graph(ctx, b.graph, NULL);
    assert_true(coset_report_number(self.report, "variables", 0) == 5 + 1 + 6 + 4 + 2);
    system_free(self.system);
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "x%d", i + 1);
        study_expect(ctx, coset_ode_set(ctx, self.ode, name, (double)point[i]));
    }
    study_expect(ctx, system_from_model(self.ode->model, false, &self.system));
    assert_true(encoded_difference(&self, b.graph, point, 5, 60) <= SINGLE);
    encoded_end(&self);
    coset_graph_free(ctx, b.graph);
    b = network("Relu", 4);
    encoded bent = encode_graph(ctx, b.graph, NULL);
    char *text = NULL;
    study_expect(ctx, coset_report_json(ctx, bent.report, &text));
    assert_non_null(strstr(text, "leaves the activations out"));
    assert_true(encoded_difference(&bent, b.graph, (float[5]){0}, 5, 60) > 1e-3);
    coset_memory_free(ctx, text);
    encoded_end(&bent);
    coset_graph_free(ctx, b.graph);
}

/* Residuals, concatenations, reshapes, normalisation, products from both sides, several outputs. */
static void random_graphs_rest_at_their_outputs(void **state)
{
    (void)state;
    int known = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        grown g = grow_graph(ctx, seed, 14);
        int64_t n = seed % 2 == 1 ? 24 : 12;
        float x[24];
        rng random = rng_seed(seed, 5);
        for (int i = 0; i < 24; i++) x[i] = (float)rng_normal(&random);
        coset_ode_encode_options options = with_drift(COSET_ODE_LINEAR);
        coset_ode *ode = NULL;
        for (int batch = 3; batch >= 1; batch -= 2) { /* of one, unless the model insists */
            coset_array sample = encoded_sample(x, n * batch / 3);
            options.input = &sample;
            coset_status status = coset_ode_encode(ctx, g.b.graph, &options, &ode, NULL);
            coset_ode_free(ctx, ode);
            if (status == COSET_EUNSUPPORTED) break;
            if (status == COSET_EARGUMENT) continue;
            study_expect(ctx, status);
            char label[32];
            snprintf(label, sizeof label, "graph %d", (int)seed);
            expect_rest(g.b.graph, options, x, n * batch / 3, 120, 2e-6, label);
            known++;
        }
        coset_graph_free(ctx, g.b.graph);
    }
    printf("%d of 150 random graphs are dense networks\n", known);
    assert_true(known >= 50);
}

/* ---- polynomial drift -------------------------------------------------------------------------- */

static void polynomial_networks_rest_at_the_outputs(void **state)
{
    (void)state;
    static const char *const types[] = {"Square", "Pow2", "Pow3", "Pow1", "Identity"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int split = 0; split < 2; split++) {
            builder b = network(types[t], 7);
            coset_ode_encode_options options = with_drift(COSET_ODE_POLYNOMIAL);
            options.split = split;
            expect_rest(b.graph, options, point, 5, 60, SINGLE, types[t]);
            options.drift = COSET_ODE_EXACT;
            expect_rest(b.graph, options, point, 5, 60, SINGLE, types[t]);
            coset_graph_free(ctx, b.graph);
        }
}

/* x x x as two products, x sigmoid-free gate: two different activations multiplied. */
static void products_of_activations(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(1, 3);
    int32_t x = build_input(&b, "x", COSET_F32, "1 5");
    int32_t z = dense(&b, &random, x, 5, 4, "z"), g = dense(&b, &random, x, 5, 4, "g");
    int32_t cube = build_op(&b, "Mul", build_op(&b, "Mul", z, z, "square"), z, "cube");
    build_output(&b, dense(&b, &random, build_op(&b, "Mul", cube, g, "gated"), 4, 2, "y"));
    build_finish(&b);
    for (int split = 0; split < 2; split++) {
        coset_ode_encode_options options = with_drift(COSET_ODE_POLYNOMIAL);
        options.split = split;
        expect_rest(b.graph, options, point, 5, 60, SINGLE, "product");
    }
    expect_rest(b.graph, with_drift(COSET_ODE_LINEAR), point, 5, 60, SINGLE, "product");
    coset_graph_free(ctx, b.graph);
}

static double absolute(const void *user, double x)
{
    (void)user;
    return fabs(x);
}

static double cubic(const void *user, double x)
{
    (void)user;
    return 1 - 2 * x + 0.5 * x * x * x;
}

static void fits_are_least_squares(void **state)
{
    (void)state;
    double powers[CHEBYSHEV_MAX_DEGREE + 1], centre = 0, error = 0;
    const double pi = 3.14159265358979323846, kink = 0;
    chebyshev_problem problem = {absolute, NULL, -1, 1, &kink, 1};
    /* |x| = 2/pi - 4/pi sum (-1)^k T_2k / (4 k^2 - 1). */
    study_expect(ctx, chebyshev_fit(ctx, &problem, 3, powers, &centre, &error));
    assert_true(centre == 0);
    assert_true(fabs(powers[0] - (2 / pi - 4 / (3 * pi))) < 1e-6);
    assert_true(fabs(powers[2] - 8 / (3 * pi)) < 1e-6);
    assert_true(fabs(powers[1]) < 1e-12 && fabs(powers[3]) < 1e-12);
    assert_true(fabs(error - powers[0]) < 1e-12); /* worst at the kink */
    problem = (chebyshev_problem){cubic, NULL, 2, 7, NULL, 0};
    for (int degree = 3; degree <= CHEBYSHEV_MAX_DEGREE; degree++) {
        study_expect(ctx, chebyshev_fit(ctx, &problem, degree, powers, &centre, &error));
        assert_true(centre == 4.5 && error < 1e-10);
        for (double x = 2; x <= 7; x += 0.125)
            assert_true(fabs(polynomial_value(powers, degree, x - 4.5) - cubic(NULL, x)) < 1e-10);
    }
    assert_int_equal(chebyshev_fit(ctx, &problem, 17, powers, &centre, &error), COSET_EARGUMENT);
    problem.low = 7;
    assert_int_equal(chebyshev_fit(ctx, &problem, 3, powers, &centre, &error), COSET_EARGUMENT);
}

static double law_at(const void *law, double z)
{
    return unit_law_value(law, z);
}

/* No sample of f - fit exceeds the reported error, and it is not far below; slopes are derivatives. */
static void fit_errors_are_honest(void **state)
{
    (void)state;
    rng random = rng_seed(3, 1);
    for (int kind = LAW_TANH; kind <= LAW_SQRT; kind++)
        for (int degree = 1; degree <= CHEBYSHEV_MAX_DEGREE; degree += 3) {
            unit_law law = {(law_kind)kind, 0.3, 1.2};
            double low = kind >= LAW_LOG || kind == LAW_POWER ? 0.5 : -4 + rng_uniform(&random);
            double high = low + 1 + 7 * rng_uniform(&random), kinks[2], centre = 0, error = 0;
            double powers[CHEBYSHEV_MAX_DEGREE + 1], worst = 0;
            chebyshev_problem problem = {law_at, &law,  low,
                                         high,   kinks, unit_law_kinks(&law, kinks)};
            study_expect(ctx, chebyshev_fit(ctx, &problem, degree, powers, &centre, &error));
            for (int i = 0; i < 20000; i++) {
                double z = low + (high - low) * rng_uniform(&random);
                double fitted = polynomial_value(powers, degree, z - centre), step = 1e-5;
                worst = fmax(worst, fabs(unit_law_value(&law, z) - fitted));
                bool smooth = true;
                for (int k = 0; k < problem.n_kinks; k++)
                    smooth = smooth && fabs(z - kinks[k]) > 2 * step;
                double slope =
                    (unit_law_value(&law, z + step) - unit_law_value(&law, z - step)) / (2 * step);
                if (smooth && fabs(slope - unit_law_slope(&law, z)) > 1e-6 * (1 + fabs(slope)))
                    fail_msg("slope of law %d at %g", kind, z);
            }
            if (!(worst <= error * (1 + 1e-9) + 1e-13) || !(worst > 0.9 * error - 1e-10))
                fail_msg("law %d, degree %d: %g found, %g reported", kind, degree, worst, error);
        }
}

/* The fitted network is off by no more than the fit's error carried through the last layer. */
static void fitted_networks_rest_near_the_outputs(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(2, 3);
    float rows[200 * 5], worst_sum = 0;
    int32_t x = build_input(&b, "x", COSET_F32, "1 5");
    int32_t h = build_op(&b, "Relu", dense(&b, &random, x, 5, 6, "z"), -1, "h");
    build_output(&b, dense(&b, &random, h, 6, 2, "y"));
    build_finish(&b);
    const float *w = NULL;
    for (int64_t v = 0; v < b.graph->n_values; v++)
        if (strcmp(b.graph->values[v].name, "w_y") == 0) w = b.graph->values[v].constant->data;
    for (int o = 0; o < 2; o++) {
        float sum = 0;
        for (int i = 0; i < 6; i++) sum += fabsf(w[i * 2 + o]);
        worst_sum = fmaxf(worst_sum, sum);
    }
    for (int i = 0; i < 1000; i++) rows[i] = (float)rng_normal(&random);
    coset_data *data = NULL;
    study_expect(ctx, coset_data_from_rows(ctx, rows, 200, 5, &data));
    double last = (double)INFINITY;
    for (int degree = 2; degree <= 8; degree += 3)
        for (int split = 0; split < 2; split++) {
            coset_ode_encode_options options = with_drift(COSET_ODE_POLYNOMIAL);
            coset_array sample = encoded_sample(rows + 35, 5);
            options.data = data;
            options.degree = degree;
            options.split = split;
            options.input = &sample;
            encoded self = encode_graph(ctx, b.graph, &options);
            double error = coset_report_number(self.report, "fits.0.error", -1);
            double low = coset_report_number(self.report, "fits.0.low", 1);
            assert_true(low < 0 && coset_report_number(self.report, "fits.0.high", -1) > 0);
            assert_true(error > 0 && (split ? error == last : error < last));
            last = error;
            double found = encoded_difference(&self, b.graph, rows + 35, 5, 60);
            assert_true(found > 0 && found <= error * (double)worst_sum + SINGLE);
            encoded_end(&self);
        }
    coset_data_free(ctx, data);
    coset_graph_free(ctx, b.graph);
}

/* ---- exact drift ------------------------------------------------------------------------------- */

static void exact_drift_follows_the_activation(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        builder b = network(kind ? "Sigmoid" : "Tanh", 9);
        coset_ode_encode_options options = with_drift(COSET_ODE_EXACT);
        coset_array sample = encoded_sample(point, 5);
        options.input = &sample;
        encoded self = encode_graph(ctx, b.graph, &options);
        assert_true(encoded_difference(&self, b.graph, point, 5, 60) <= 1e-5);
        /* Not only at rest. */
        const char *const pairs[][2] = {{"z1_1", "s1_1"}, {"z1_6", "s1_6"}, {"z2_3", "s2_3"}};
        for (double t = 0.25; t < 4; t *= 2) {
            double *at = encoded_state(&self, t);
            for (int i = 0; i < 3; i++) {
                double z = at[encoded_find(&self, pairs[i][0])];
                double s = at[encoded_find(&self, pairs[i][1])];
                assert_true(fabs(z) > 1e-4);
                assert_true(fabs(s - (kind ? 1 / (1 + exp(-z)) : tanh(z))) < 1e-8);
            }
            free(at);
        }
        encoded_end(&self);
        coset_graph_free(ctx, b.graph);
    }
}

/* ---- the model --------------------------------------------------------------------------------- */

/* One block for each layer; inputs, outputs and the constant alone. */
static void partition_has_the_layers(void **state)
{
    (void)state;
    for (int drift = 0; drift < 3; drift++) {
        builder b = network("Tanh", 11);
        coset_ode_encode_options options = with_drift((coset_ode_drift)drift);
        options.low = -3;
        options.high = 3;
        encoded self = encode_graph(ctx, b.graph, &options);
        const int64_t *block = self.ode->model->block_of;
        assert_non_null(block);
        for (int64_t i = 0; i < self.system->n; i++)
            for (int64_t j = 0; j < self.system->n; j++) {
                const char *a = self.system->names[i], *c = self.system->names[j];
                const char *line = strchr(a, '_');
                bool same = i == j || (line != NULL && strncmp(a, c, (size_t)(line - a) + 1) == 0);
                assert_true((block[i] == block[j]) == same);
            }
        assert_true(coset_report_number(self.report, "variables", 0) == (double)self.system->n);
        encoded_end(&self);
        coset_graph_free(ctx, b.graph);
    }
}

/* What is written reads back as the same system. */
static void text_reads_back(void **state)
{
    (void)state;
    for (int drift = 0; drift < 3; drift++) {
        builder b = network("Sigmoid", 12);
        coset_ode_encode_options options = with_drift((coset_ode_drift)drift);
        coset_array sample = encoded_sample(point, 5);
        options.input = &sample;
        options.low = -3;
        options.high = 3;
        encoded self = encode_graph(ctx, b.graph, &options), again = {.ctx = ctx};
        char *text = NULL, *second = NULL;
        study_expect(ctx, coset_ode_text(ctx, self.ode, &text));
        study_expect(ctx, coset_ode_parse(ctx, text, strlen(text), "again", &again.ode));
        study_expect(ctx, coset_ode_text(ctx, again.ode, &second));
        assert_string_equal(text, second);
        study_expect(ctx, system_from_model(again.ode->model, false, &again.system));
        const ode_system *a = self.system, *c = again.system;
        assert_true(a->n == c->n && a->row_start[a->n] == c->row_start[c->n]);
        for (int64_t t = 0; t < a->row_start[a->n]; t++)
            assert_true(number_equal(a->coefficient[t], c->coefficient[t]) &&
                        a->coefficient[t].value == c->coefficient[t].value);
        coset_memory_free(ctx, text);
        coset_memory_free(ctx, second);
        encoded_end(&again);
        encoded_end(&self);
        coset_graph_free(ctx, b.graph);
    }
}

/* An odd function has an odd fit, and numbers stand in the text as a person would write them. */
static void equations_are_readable(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    const float w[2] = {0.5F, -0.25F}, bias[1] = {-0.125F};
    int32_t x = build_input(&b, "x", COSET_F32, "1 2");
    int32_t z = build_op(&b, "MatMul", x, build_constant(&b, "w", COSET_F32, "2 1", w), "z");
    z = build_op(&b, "Add", z, build_constant(&b, "b", COSET_F32, "1", bias), "shifted");
    int32_t h = build_value(&b, "act"), node = -1;
    assert_int_equal(graph_add_node(ctx, b.graph, "", "", "Tanh", &z, 1, &h, 1, &node), COSET_OK);
    build_output(&b, build_op(&b, "Neg", h, -1, "y"));
    build_finish(&b);
    coset_ode_encode_options options = with_drift(COSET_ODE_POLYNOMIAL);
    const float far[2] = {10, 0};
    coset_array sample = encoded_sample(far, 2);
    options.degree = 3;
    options.low = -1;
    options.high = 1;
    options.input = &sample;
    encoded self = encode_graph(ctx, b.graph, &options);
    char *text = NULL, *json = NULL;
    study_expect(ctx, coset_ode_text(ctx, self.ode, &text));
    study_expect(ctx, coset_report_json(ctx, self.report, &json));
    const char *sum = "(-0.125*one + 0.5*x1 - 0.25*x2)", *at = strstr(text, sum);
    assert_non_null(at);
    assert_true(strncmp(at + strlen(sum), " - ", 3) == 0); /* a straight line, and a cube */
    assert_non_null(strstr(at + 1, "(-0.125*one + 0.5*x1 - 0.25*x2)^3"));
    assert_null(strstr(text, "^2"));
    assert_non_null(strstr(text, "d(y1) = -y1 - h1_1"));
    assert_non_null(strstr(json, "out of the ranges"));
    assert_non_null(strstr(json, "\"act\"")); /* the node has no name of its own */
    coset_memory_free(ctx, text);
    coset_memory_free(ctx, json);
    encoded_end(&self);
    options.drift = COSET_ODE_EXACT;
    self = encode_graph(ctx, b.graph, &options);
    study_expect(ctx, coset_ode_text(ctx, self.ode, &text));
    assert_non_null(strstr(text, "d(z1_1) = -z1_1 - 0.125*one + 0.5*x1 - 0.25*x2\n"));
    assert_non_null(strstr(text, "d(s1_1) = (1 - s1_1^2)*(-z1_1 - 0.125*one + 0.5*x1 - 0.25*x2)"));
    coset_memory_free(ctx, text);
    encoded_end(&self);
    coset_graph_free(ctx, b.graph);
}

/* ---- refusals ---------------------------------------------------------------------------------- */

static void expect_refused_by(const coset_graph *graph, const coset_ode_encode_options *options,
                              coset_status status, const char *says)
{
    coset_ode *ode = NULL;
    coset_report *report = NULL;
    coset_status found = coset_ode_encode(ctx, graph, options, &ode, &report);
    if (found != status || strstr(coset_ctx_error(ctx), says) == NULL ||
        strstr(coset_ctx_error(ctx), "built.onnx") == NULL)
        fail_msg("%s: %s instead of %s", coset_status_name(found), coset_ctx_error(ctx), says);
    assert_null(ode);
    assert_null(report);
}

static void refusals_name_the_node(void **state)
{
    (void)state;
    coset_ode_encode_options options = with_drift(COSET_ODE_EXACT);
    builder b = network("Softmax", 1);
    expect_refused_by(b.graph, NULL, COSET_EUNSUPPORTED, "node 'Softmax_1'");
    coset_graph_free(ctx, b.graph);
    b = network("Relu", 1);
    expect_refused_by(b.graph, &options, COSET_EUNSUPPORTED, "node 'Relu_1' (Relu): exact drift");
    options.drift = COSET_ODE_POLYNOMIAL;
    expect_refused_by(b.graph, &options, COSET_EARGUMENT, "node 'Relu_1' (Relu): fitting");
    coset_array sample = encoded_sample(point, 4);
    options = with_drift(COSET_ODE_LINEAR);
    options.input = &sample;
    expect_refused_by(b.graph, &options, COSET_EARGUMENT, "has 4 elements, the model takes 5");
    options.input = NULL;
    options.drift = (coset_ode_drift)7;
    coset_ode *ode = NULL;
    assert_int_equal(coset_ode_encode(ctx, b.graph, &options, &ode, NULL), COSET_EARGUMENT);
    options.drift = COSET_ODE_POLYNOMIAL;
    options.degree = 17;
    assert_int_equal(coset_ode_encode(ctx, b.graph, &options, &ode, NULL), COSET_EARGUMENT);
    coset_graph_free(ctx, b.graph);
    b = network("Log", 1); /* not defined on the range */
    options.degree = 5;
    options.low = -1;
    options.high = 1;
    expect_refused_by(b.graph, &options, COSET_ENUMERIC, "node 'Log_1' (Log)");
    sample = encoded_sample(point, 5);
    options = with_drift(COSET_ODE_LINEAR);
    options.input = &sample;
    expect_refused_by(b.graph, &options, COSET_ENUMERIC, "not finite at the given input");
    coset_graph_free(ctx, b.graph);
}

/* An expansion that no budget would hold is refused before it starts; split, it is small. */
static void large_expansions_are_refused(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    static float values[64 * 64];
    rng random = rng_seed(1, 1);
    for (int i = 0; i < 64 * 64; i++) values[i] = (float)rng_normal(&random);
    int32_t x = build_input(&b, "x", COSET_F32, "? 64");
    int32_t z = build_op(&b, "MatMul", x, build_constant(&b, "w", COSET_F32, "64 64", values), "z");
    build_output(&b, build_op(&b, "Tanh", z, -1, "y"));
    build_finish(&b);
    coset_ode_encode_options options = with_drift(COSET_ODE_POLYNOMIAL);
    options.low = -3;
    options.high = 3;
    options.degree = 9;
    expect_refused_by(b.graph, &options, COSET_ELIMIT, "split");
    options.split = 1;
    encoded self = encode_graph(ctx, b.graph, &options);
    assert_int_equal(self.system->n, 64 + 1 + 64 + 64);
    encoded_end(&self);
    coset_graph_free(ctx, b.graph);
}

/* ---- models of the data folder ----------------------------------------------------------------- */

static void trained_networks_rest_at_the_outputs(void **state)
{
    (void)state;
    static const char *const names[] = {"abalone_relu", "abalone_tanh", "glyc_relu", "metro_tanh"};
    for (size_t m = 0; m < sizeof names / sizeof *names; m++) {
        char file[64];
        snprintf(file, sizeof file, "models/pytorch_mlp/%s.onnx", names[m]);
        const char *path = files_data(file);
        if (path == NULL) return;
        coset_graph *graph = NULL;
        study_expect(ctx, coset_graph_load(ctx, path, &graph));
        int64_t n = graph->values[graph->inputs[0]].shape.dims[1];
        float x[64];
        rng random = rng_seed(m, 1);
        assert_true(n <= 64);
        for (int64_t i = 0; i < n; i++) x[i] = (float)rng_normal(&random);
        expect_rest(graph, with_drift(COSET_ODE_LINEAR), x, n, 60, SINGLE, names[m]);
        if (strstr(names[m], "tanh") != NULL)
            expect_rest(graph, with_drift(COSET_ODE_EXACT), x, n, 60, 1e-5, names[m]);
        coset_graph_free(ctx, graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(affine_pieces_rest_at_the_outputs, setup, teardown),
        cmocka_unit_test_setup_teardown(linear_networks_need_no_input, setup, teardown),
        cmocka_unit_test_setup_teardown(random_graphs_rest_at_their_outputs, setup, teardown),
        cmocka_unit_test_setup_teardown(polynomial_networks_rest_at_the_outputs, setup, teardown),
        cmocka_unit_test_setup_teardown(products_of_activations, setup, teardown),
        cmocka_unit_test_setup_teardown(fits_are_least_squares, setup, teardown),
        cmocka_unit_test_setup_teardown(fit_errors_are_honest, setup, teardown),
        cmocka_unit_test_setup_teardown(fitted_networks_rest_near_the_outputs, setup, teardown),
        cmocka_unit_test_setup_teardown(exact_drift_follows_the_activation, setup, teardown),
        cmocka_unit_test_setup_teardown(partition_has_the_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(text_reads_back, setup, teardown),
        cmocka_unit_test_setup_teardown(equations_are_readable, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals_name_the_node, setup, teardown),
        cmocka_unit_test_setup_teardown(large_expansions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(trained_networks_rest_at_the_outputs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
