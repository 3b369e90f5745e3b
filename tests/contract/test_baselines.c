/* Structured baselines against their formulas: on convolutions, sums of several layers, flattened channels and
 * groups of convolutions. And methods that cut by a rule of their own. */
#include "support/method_subject.h"

#include "methods/importance.h"
#include "methods/ranking.h"

/* ---- networks -------------------------------------------------------------------------------------------- */

enum { CHANNELS = 3, SIDE = 8, PIXELS = CHANNELS * SIDE * SIDE, IMAGES = 40, LAYERS = 4 };

/* A convolution or a dense layer. */
typedef struct layer {
    int32_t x, weight, bias;
    int64_t out, in, taps, groups; /* in: of one group */
} layer;

/* A network, its layers in order, and statistics over the images. */
typedef struct net {
    builder b;
    studied s;
    calibration *stats;
    rng random;
    layer layers[LAYERS];
    int n;
} net;

static float images[IMAGES][PIXELS];

static coset_status fill_images(coset_ctx *context, void *user, int64_t input, int64_t first,
                                int64_t count, void *out)
{
    (void)context, (void)user, (void)input;
    memcpy(out, images[first], (size_t)count * sizeof *images);
    return COSET_OK;
}

static int32_t random_constant(net *self, const char *dims)
{
    static float values[1024];
    char name[16];
    shape of = build_shape(dims);
    int64_t n = shape_product(&of, 0, of.rank);
    assert_true(n <= 1024);
    snprintf(name, sizeof name, "c%d", (int)self->b.graph->n_values);
    for (int64_t i = 0; i < n; i++) values[i] = (float)rng_normal(&self->random);
    return build_constant(&self->b, name, COSET_F32, dims, values);
}

/* kernel 0: a dense layer. */
static int32_t add_layer(net *self, int32_t x, int64_t in, int64_t out, int kernel, int64_t groups)
{
    char dims[48], name[16];
    layer *made = &self->layers[self->n++];
    snprintf(name, sizeof name, "z%d", self->n);
    snprintf(dims, sizeof dims, kernel > 0 ? "%d %d %d %d" : "%d %d", (int)out, (int)in, kernel,
             kernel);
    *made = (layer){.x = x, .out = out, .in = in, .taps = kernel > 0 ? kernel * kernel : 1};
    made->groups = groups;
    made->weight = random_constant(self, dims);
    snprintf(dims, sizeof dims, "%d", (int)out);
    made->bias = random_constant(self, dims);
    int32_t inputs[3] = {x, made->weight, made->bias}, y = build_value(&self->b, name);
    int32_t node = build_node_n(&self->b, "", kernel > 0 ? "Conv" : "Gemm", inputs, 3, &y, 1);
    build_int_attr(&self->b, node, kernel > 0 ? "group" : "transB", kernel > 0 ? groups : 1);
    return y;
}

static void net_finish(net *self, int32_t y)
{
    build_output(&self->b, y);
    self->s = study(ctx, build_finish(&self->b));
    const shape one = build_shape("3 8 8");
    const batch_source source = {IMAGES, fill_images, NULL};
    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < PIXELS; p++) images[i][p] = (float)rng_normal(&self->random);
    study_expect(ctx, calibration_collect(ctx, self->b.graph, self->s.facts, self->s.groups,
                                          &source, &one, 0, &self->stats));
}

/* Two producers whose sum is read by a 3x3 kernel, one of them by the other; then flattened channels. */
static net residual_net(void)
{
    net self = {.b = build_start(ctx, 13), .random = rng_seed(5, 1)};
    builder *b = &self.b;
    int32_t x = build_input(b, "x", COSET_F32, "1 3 8 8");
    int32_t h = build_op(b, "Relu", add_layer(&self, x, 3, 6, 3, 1), -1, "h1");
    int32_t sum = build_op(b, "Add", h, add_layer(&self, h, 6, 6, 1, 1), "sum");
    sum = build_op(b, "Relu", sum, -1, "h2");
    h = build_op(b, "Relu", add_layer(&self, sum, 6, 5, 3, 1), -1, "h3");
    h = build_op(b, "Flatten", h, -1, "flat");
    net_finish(&self, add_layer(&self, h, 5 * 16, 2, 0, 1));
    assert_int_equal(self.s.groups->n, 3);
    return self;
}

/* The reader has two groups, so that channels p and 3 + p are one unit. */
static net grouped_net(void)
{
    net self = {.b = build_start(ctx, 13), .random = rng_seed(6, 1)};
    builder *b = &self.b;
    int32_t x = build_input(b, "x", COSET_F32, "1 3 8 8");
    int32_t h = build_op(b, "Relu", add_layer(&self, x, 3, 6, 3, 1), -1, "h1");
    net_finish(&self, add_layer(&self, h, 3, 4, 3, 2));
    assert_int_equal(self.s.groups->groups[0].n, 3);
    return self;
}

static void net_end(net *self)
{
    calibration_free(ctx, self->stats);
    study_end(&self->s);
    coset_graph_free(ctx, self->b.graph);
}

/* ---- formulas, channel by channel ------------------------------------------------------------------------ */

static double element(const net *self, int32_t value, int64_t i)
{
    return tensor_value(self->b.graph->values[value].constant, i);
}

/* Mean, variance and mean square of one feature of a value over all images and places. */
static void measure(const net *self, int32_t value, int64_t feature, double *mean, double *variance,
                    double *square)
{
    executor *run = NULL;
    const shape whole = build_shape("1 3 8 8");
    double sum = 0, squares = 0;
    int64_t count = 0;
    study_expect(ctx, executor_new(ctx, self->b.graph, &whole, &value, 1, &run));
    for (int i = 0; i < IMAGES; i++) {
        array input = {.dtype = COSET_F32, .shape = whole, .f = images[i]};
        study_expect(ctx, executor_run(run, &input));
        const array *h = executor_value(run, value);
        int64_t places = shape_product(&h->shape, 2, h->shape.rank);
        for (int64_t p = 0; p < places; p++) {
            double at = (double)h->f[feature * places + p];
            sum += at;
            squares += at * at;
            count++;
        }
    }
    executor_free(ctx, run);
    *mean = sum / (double)count;
    *square = squares / (double)count;
    *variance = *square - *mean * *mean;
}

/* Sums over the outputs and taps that read a feature. */
static void column(const net *self, const layer *of, int64_t feature, double *absolute,
                   double *squares)
{
    int64_t j = feature / of->in, i = feature % of->in, outputs = of->out / of->groups;
    *absolute = *squares = 0;
    for (int64_t o = j * outputs; o < (j + 1) * outputs; o++)
        for (int64_t t = 0; t < of->taps; t++) {
            double w = element(self, of->weight, (o * of->in + i) * of->taps + t);
            *absolute += fabs(w);
            *squares += w * w;
        }
}

typedef struct expected {
    double wanda[8], fluctuation[8], mean[8];
} expected;

/* Adds what one layer makes of a group of n units: unit u lies at the features u * repeats and following, or, if
 * strided, at those whose remainder by n is u. */
static void read_by(const net *self, const layer *of, int64_t n, int64_t repeats, bool strided,
                    expected *into, double *weight)
{
    for (int64_t f = 0; f < of->in * of->groups; f++) {
        double mean = 0, variance = 0, square = 0, absolute = 0, squares = 0;
        int64_t u = strided ? f % n : f / repeats;
        measure(self, of->x, f, &mean, &variance, &square);
        column(self, of, f, &absolute, &squares);
        into->wanda[u] += absolute * sqrt(square);
        into->fluctuation[u] += variance * squares;
        into->mean[u] += mean * squares;
        weight[u] += squares;
    }
}

static void divide(expected *self, const double *weight, int64_t n)
{
    for (int64_t u = 0; u < n; u++) self->mean[u] /= weight[u];
}

static void same(const double *found, const double *wanted, int64_t n)
{
    for (int64_t u = 0; u < n; u++)
        if (fabs(found[u] - wanted[u]) > 1e-5 * fabs(wanted[u]))
            fail_msg("unit %d: %g, not %g", (int)u, found[u], wanted[u]);
}

static path *path_of(const net *self, const char *name, const coset_setting *setting, int64_t g)
{
    const coset_method *method = method_find(name);
    method_call call = {
        .ctx = ctx, .graph = self->b.graph, .groups = self->s.groups, .stats = self->stats};
    path *made = NULL;
    assert_non_null(method);
    study_expect(ctx, method_configure(method, &call, setting, setting != NULL));
    assert_false(call.masks);
    study_expect(ctx, method->path(&call, g, NULL, &made));
    assert_null(made->error);
    return made;
}

static void expect_scores(const net *self, const char *name, const coset_setting *setting,
                          int64_t g, const double *wanted)
{
    path *made = path_of(self, name, setting, g);
    same(made->score, wanted, made->n);
    path_free(ctx, made);
}

static const coset_setting whole_units[] = {{"wanda.structured", "true"},
                                            {"magnitude.structured", "true"}};

static void expect_readings(const net *self, int64_t g, const expected *wanted)
{
    expect_scores(self, "wanda", &whole_units[0], g, wanted->wanda);
    expect_scores(self, "flap", NULL, g, wanted->fluctuation);
    path *made = path_of(self, "flap", NULL, g);
    assert_null(made->slope);
    same(made->shift, wanted->mean, made->n);
    path_free(ctx, made);
}

static void outgoing_scores_are_those_of_the_formulas(void **state)
{
    (void)state;
    net self = residual_net();
    expected sums = {.wanda = {0}}, channels = sums, tied = sums;
    double weight[3][8] = {{0}};
    read_by(&self, &self.layers[1], 6, 1, false, &sums, weight[0]);
    read_by(&self, &self.layers[2], 6, 1, false, &sums, weight[0]);
    divide(&sums, weight[0], 6);
    expect_readings(&self, 0, &sums);
    read_by(&self, &self.layers[3], 5, 16, false, &channels, weight[1]);
    divide(&channels, weight[1], 5);
    expect_readings(&self, 1, &channels);
    net_end(&self);
    self = grouped_net();
    read_by(&self, &self.layers[1], 3, 1, true, &tied, weight[2]);
    divide(&tied, weight[2], 3);
    expect_readings(&self, 0, &tied);
    net_end(&self);
}

/* ---- incoming weights -------------------------------------------------------------------------------------- */

/* The weights and biases of unit u in layers [0, layers), whose outputs are o with o % n = u. */
static int64_t incoming(const net *self, int layers, int64_t n, int64_t u, double *row)
{
    int64_t width = 0;
    for (int l = 0; l < layers; l++) {
        const layer *of = &self->layers[l];
        int64_t size = of->in * of->taps;
        for (int64_t o = u; o < of->out; o += n) {
            for (int64_t i = 0; i < size; i++)
                row[width++] = element(self, of->weight, o * size + i);
            row[width++] = element(self, of->bias, o);
        }
    }
    return width;
}

static void expect_incoming(const net *self, int layers, int64_t n)
{
    static double rows[8][1024];
    double l1[8] = {0}, l2[8] = {0}, apart[8] = {0};
    int64_t width = 0;
    for (int64_t u = 0; u < n; u++) width = incoming(self, layers, n, u, rows[u]);
    for (int64_t u = 0; u < n; u++) {
        for (int64_t i = 0; i < width; i++) {
            l1[u] += fabs(rows[u][i]);
            l2[u] += rows[u][i] * rows[u][i];
        }
        l2[u] = sqrt(l2[u]);
        for (int64_t v = 0; v < n; v++) {
            double square = 0;
            for (int64_t i = 0; i < width; i++) square += pow(rows[u][i] - rows[v][i], 2);
            apart[u] += sqrt(square);
        }
    }
    method_call call = {.ctx = ctx, .graph = self->b.graph, .groups = self->s.groups};
    double found[8];
    study_expect(ctx, importance_of(&call, 0, IMPORTANCE_L2, found));
    same(found, l2, n);
    expect_scores(self, "magnitude", &whole_units[1], 0, l1);
    expect_scores(self, "geometric-median", NULL, 0, apart);
}

static void incoming_scores_are_those_of_the_formulas(void **state)
{
    (void)state;
    net self = residual_net();
    expect_incoming(&self, 2, 6);
    net_end(&self);
    self = grouped_net();
    expect_incoming(&self, 1, 3);
    net_end(&self);
}

/* ---- flap -------------------------------------------------------------------------------------------------- */

/* Heights order the units of all groups as their standardised scores do; those of equal scores are equal. */
static void flap_ranks_standardised_scores(void **state)
{
    (void)state;
    net self = residual_net();
    double z[16], height[16];
    int64_t count = 0;
    for (int64_t g = 0; g < 2; g++) {
        path *one = path_of(&self, "flap", NULL, g);
        double mean = 0, square = 0;
        for (int64_t u = 0; u < one->n; u++) mean += one->score[u] / (double)one->n;
        for (int64_t u = 0; u < one->n; u++) square += pow(one->score[u] - mean, 2);
        for (int64_t k = 1; k < one->n; k++) {
            z[count] = (one->score[one->order[k]] - mean) / sqrt(square / (double)(one->n - 1));
            height[count++] = one->height[k];
            assert_true(one->height[k] > 0);
        }
        path_free(ctx, one);
    }
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < count; j++)
            if (z[i] > z[j] + 1e-9) assert_true(height[i] > height[j]);
    net_end(&self);
    double same_scores[4] = {2, 2, 2, 2};
    path *flat = NULL;
    study_expect(ctx, ranking_path(ctx, "test", same_scores, 4, &flat));
    for (int64_t k = 1; k < 4; k++) assert_true(flat->height[k] == 1 && flat->order[k] == k);
    path_free(ctx, flat);
    same_scores[2] = (double)INFINITY;
    assert_int_equal(ranking_path(ctx, "test", same_scores, 4, &flat), COSET_ENUMERIC);
    assert_non_null(strstr(coset_ctx_error(ctx), "unit 2"));
    assert_null(flat);
}

/* Units that never vary are replaced by what they are, without any recovery. */
static void flap_puts_means_into_biases(void **state)
{
    (void)state;
    subject on = subject_new("Relu", PLANT_NONE, 3, false);
    const group_slot *slots = on.s.groups->groups[0].slots;
    for (int32_t s = 0; s < on.s.groups->groups[0].n_slots; s++) {
        const label_slot *at = &on.s.groups->slots[slots[s].slot];
        if (slots[s].role == SLOT_CONSUMER) continue;
        float *values = study_values(&on.s, at->value);
        bool bias = on.b.graph->values[at->value].constant->shape.rank == 1;
        for (int64_t i = 0; i < (bias ? 1 : INPUTS); i++)
            for (int64_t u = 4; u < FIRST; u++) values[i * FIRST + u] = bias ? 0.1f * (float)u : 0;
    }
    const shape one = build_shape("5");
    const batch_source source = {SAMPLES, fill, NULL};
    study_expect(ctx, calibration_collect(ctx, on.b.graph, on.s.facts, on.s.groups, &source, &one,
                                          0, &on.stats));
    const coset_method *flap = method_find("flap");
    method_call call = {.ctx = ctx, .graph = on.b.graph, .groups = on.s.groups, .stats = on.stats};
    path *made = NULL;
    coset_plan *plan = empty_plan(&on);
    study_expect(ctx, method_configure(flap, &call, NULL, 0));
    study_expect(ctx, flap->path(&call, 0, NULL, &made));
    study_expect(ctx, path_lumping(ctx, made, 4, &plan->groups[0].map));
    for (int64_t u = 0; u < FIRST; u++)
        assert_true((plan->groups[0].map->block[u] >= 0) == (u < 4));
    assert_true(difference_after(&on, plan) < SAME);
    ctx_free(ctx, plan->groups[0].map->shift);
    plan->groups[0].map->shift = NULL;
    assert_true(difference_after(&on, plan) > 1000 * SAME);
    plan_free(ctx, plan);
    path_free(ctx, made);
    subject_end(&on);
}

/* ---- what methods answer ------------------------------------------------------------------------------------- */

static void answers_start_from_defaults(void **state)
{
    (void)state;
    const struct {
        const char *method;
        coset_setting setting;
        cut_allocation allocation;
    } cases[] = {{"magnitude", {"magnitude.scope", "model"}, CUT_BY_HEIGHT},
                 {"magnitude", {"magnitude.scope", "layer"}, CUT_BY_SHARE},
                 {"geometric-median", {"geometric-median.scope", "model"}, CUT_BY_HEIGHT},
                 {"geometric-median", {"geometric-median.scope", "layer"}, CUT_BY_SHARE},
                 {"flap", {"flap.scope", "model"}, CUT_BY_HEIGHT},
                 {"flap", {"flap.scope", "layer"}, CUT_BY_SHARE},
                 {"wanda", {"wanda.structured", "true"}, CUT_BY_SHARE},
                 {"select", {"select.ridge", "0.1"}, CUT_BY_ERROR}};
    method_call call = {.ctx = ctx};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        call.kinds = 3;
        call.rounds = 5;
        call.masks = true;
        study_expect(ctx,
                     method_configure(method_find(cases[i].method), &call, &cases[i].setting, 1));
        assert_int_equal(call.allocation, cases[i].allocation);
        assert_true(call.kinds == 0 && call.rounds == 1);
        assert_int_equal(call.masks, strcmp(cases[i].setting.name, "magnitude.scope") == 0);
    }
    study_expect(ctx, method_configure(method_find("random"), &call, NULL, 0));
    assert_int_equal(call.allocation, CUT_BY_SHARE);
    assert_true(coset_method_has_setting("wanda", "structured"));
    assert_false(coset_method_has_setting("wanda", "scope"));
    assert_false(coset_method_has_setting("no such", "structured"));
}

/* A plan says by which scores a ranking chose. */
static void plans_hold_scores(void **state)
{
    (void)state;
    subject on = subject_new("Relu", PLANT_NONE, 3, false);
    method_call call = {.ctx = ctx, .graph = on.b.graph, .groups = on.s.groups};
    const char *const names[] = {"geometric-median", "merge"};
    for (int m = 0; m < 2; m++) {
        const coset_method *method = method_find(names[m]);
        study_expect(ctx, method_configure(method, &call, NULL, 0));
        search *found = search_of(&on, method, &call, NULL);
        coset_plan *plan = empty_plan(&on);
        bool reached = false;
        for (double share = 0.3; share <= 1; share += 0.7) { /* whole groups, too */
            study_expect(ctx, search_cut(found, COSET_RULE_RATIO, share, 0, plan, &reached));
            for (int64_t g = 0; g < 2; g++) {
                path *one = NULL;
                study_expect(ctx, method->path(&call, g, NULL, &one));
                assert_true((plan->groups[g].score != NULL) == (m == 0));
                if (m == 0)
                    assert_memory_equal(plan->groups[g].score, one->score,
                                        (size_t)one->n * sizeof *one->score);
                path_free(ctx, one);
            }
        }
        plan_free(ctx, plan);
        search_free(ctx, found);
    }
    subject_end(&on);
}

/* ---- a rule of a method's own ----------------------------------------------------------------------------- */

static method_cut asked;

/* Keeps the first unit of every group that may be cut. */
static coset_status cut_to_one(const method_call *call, const method_cut *wanted, coset_plan *plan,
                               bool *reached_out)
{
    coset_status status = COSET_OK;
    const int64_t first = 0;
    asked = *wanted;
    for (int64_t g = 0; g < plan->n_groups; g++) {
        assert_null(plan->groups[g].map);
        if (!wanted->allowed[g]) continue;
        TRY(lumping_select(call->ctx, plan->groups[g].units, &first, 1, &plan->groups[g].map));
        TRY(ctx_strdup(call->ctx, "own", &plan->groups[g].method));
    }
    *reached_out = wanted->rule != COSET_RULE_PARAMS;
done:
    return status;
}

static void methods_may_cut_themselves(void **state)
{
    (void)state;
    const coset_method own = {.name = "own", .cut = cut_to_one}; /* and no paths */
    subject on = subject_new("Relu", PLANT_NONE, 3, false);
    method_call call = {.ctx = ctx, .graph = on.b.graph, .groups = on.s.groups};
    study_expect(ctx, method_configure(&own, &call, NULL, 0));
    const int64_t steps[3] = {4, 4, 4};
    search *found = search_of(&on, &own, &call, steps);
    coset_plan *plan = empty_plan(&on);
    bool reached = false;
    study_expect(ctx, search_cut(found, COSET_RULE_MACS, 0, 77, plan, &reached));
    assert_true(reached && asked.rule == COSET_RULE_MACS && asked.budget == 77);
    assert_true(asked.steps == steps && asked.allowed == allowed);
    study_expect(ctx, search_cut(found, COSET_RULE_PARAMS, 0, 1, plan, &reached));
    assert_false(reached);
    assert_true(plan->groups[0].map->k == 1 && plan->groups[2].map == NULL);
    plan_free(ctx, plan);
    search_free(ctx, found);
    subject_end(&on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outgoing_scores_are_those_of_the_formulas, start, end),
        cmocka_unit_test_setup_teardown(incoming_scores_are_those_of_the_formulas, start, end),
        cmocka_unit_test_setup_teardown(flap_ranks_standardised_scores, start, end),
        cmocka_unit_test_setup_teardown(flap_puts_means_into_biases, start, end),
        cmocka_unit_test_setup_teardown(answers_start_from_defaults, start, end),
        cmocka_unit_test_setup_teardown(plans_hold_scores, start, end),
        cmocka_unit_test_setup_teardown(methods_may_cut_themselves, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
