/* linearity as a whole: what is provably linear is found and bypassed, rules are followed, nothing grows. */
#include "support/bypass_net.h"
#include "support/files.h"

#include <math.h>
#include <string.h>

#include "methods/data_paths.h"
#include "methods/search.h"

static coset_ctx *ctx;
static counted_memory memory;

/* Results are stored in f32: some roundings of it, relative to the largest output; more in deep networks whose
 * outputs are small against what they are computed from. */
static const double ROUNDING = 1e-6, DEEP_ROUNDING = 1e-5;

static int set_up(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* ---- a network and the method on it --------------------------------------------------------------- */

enum { SAMPLES = 400 };

typedef struct subject {
    studied of;
    calibration *stats;
    cost_model *cost;
    bool *allowed;
} subject;

/* Uniform samples in the box [-1, 1]; user: elements of one. */
static coset_status fill_box(coset_ctx *context, void *user, int64_t input, int64_t first,
                             int64_t count, void *out)
{
    (void)context, (void)input;
    int64_t elements = *(const int64_t *)user;
    float *values = out;
    for (int64_t s = 0; s < count; s++) {
        rng random = rng_seed((uint64_t)(first + s), 17);
        for (int64_t e = 0; e < elements; e++)
            values[s * elements + e] = (float)(2 * rng_uniform(&random) - 1);
    }
    return COSET_OK;
}

/* sample: shape of one sample; NULL: without data. */
static subject subject_of(const coset_graph *graph, const char *sample)
{
    subject self = {.of = study(ctx, graph)};
    study_expect(ctx, cost_model_new(ctx, graph, self.of.facts, self.of.groups, &self.cost));
    study_expect(ctx, ctx_alloc(ctx, self.of.groups->n, sizeof *self.allowed, &self.allowed));
    for (int64_t g = 0; g < self.of.groups->n; g++)
        self.allowed[g] = self.of.groups->groups[g].frozen == NULL;
    if (sample == NULL) return self;
    shape one = build_shape(sample);
    int64_t elements = shape_product(&one, 0, one.rank);
    batch_source source = {SAMPLES, fill_box, &elements};
    study_expect(ctx, calibration_collect(ctx, graph, self.of.facts, self.of.groups, &source, &one,
                                          CALIBRATION_PAIRS | CALIBRATION_SKIPS, &self.stats));
    return self;
}

static void subject_end(subject *self)
{
    ctx_free(ctx, self->allowed);
    cost_model_free(ctx, self->cost);
    calibration_free(ctx, self->stats);
    study_end(&self->of);
}

static const coset_setting BOX[] = {
    {"linearity.mode", "provable"}, {"linearity.low", "-1"}, {"linearity.high", "1"}};
static const coset_setting RATE[] = {{"linearity.mode", "rate"}};
static const coset_setting AFFINE[] = {{"linearity.mode", "affine"}};

typedef struct wish {
    const coset_setting *settings;
    int n_settings;
    coset_rule rule;
    double value;
    int64_t budget;
    const int64_t *steps;
} wish;

/* Cuts by a rule; the plan is owned by the caller. */
static coset_status try_cut(const subject *self, wish at, coset_plan **plan_out, bool *reached_out)
{
    coset_status status = COSET_OK;
    const coset_method *method = method_find("linearity");
    coset_plan *plan = NULL;
    search *found = NULL;
    method_call call = {
        .ctx = ctx, .graph = self->of.graph, .groups = self->of.groups, .stats = self->stats};
    *plan_out = NULL;
    TRY(method_configure(method, &call, at.settings, at.n_settings));
    search_request request = {.method = method,
                              .call = &call,
                              .cost = self->cost,
                              .steps = at.steps,
                              .allowed = self->allowed};
    TRY(search_new(&request, &found));
    TRY(plan_new(ctx, self->of.graph, self->of.groups, &plan));
    TRY(search_cut(found, at.rule, at.value, at.budget, plan, reached_out));
    *plan_out = plan;
    plan = NULL;
done:
    plan_free(ctx, plan);
    search_free(ctx, found);
    return status;
}

static coset_plan *cut_by(const subject *self, wish at)
{
    coset_plan *plan = NULL;
    bool reached = false;
    study_expect(ctx, try_cut(self, at, &plan, &reached));
    assert_true(reached);
    return plan;
}

/* Bypasses what is provable on the box. */
static coset_plan *cut_provable(const subject *self)
{
    return cut_by(self, (wish){.settings = BOX, .n_settings = 3, .rule = COSET_RULE_EPS});
}

static bool leaves(const coset_plan *plan, int64_t g, int64_t u)
{
    const lumping *map = plan->groups[g].map;
    return map != NULL && map->block[u] < 0;
}

static void same_plans(const coset_plan *a, const coset_plan *b)
{
    assert_int_equal(a->n_groups, b->n_groups);
    for (int64_t g = 0; g < a->n_groups; g++) {
        const lumping *x = a->groups[g].map, *y = b->groups[g].map;
        assert_true((x == NULL) == (y == NULL));
        if (x == NULL) continue;
        size_t n = (size_t)x->n;
        assert_true(x->n == y->n && x->k == y->k);
        assert_true((x->slope == NULL) == (y->slope == NULL));
        assert_memory_equal(x->block, y->block, n * sizeof *x->block);
        if (x->slope != NULL) assert_memory_equal(x->slope, y->slope, n * sizeof *x->slope);
        if (x->shift != NULL) assert_memory_equal(x->shift, y->shift, n * sizeof *x->shift);
    }
}

/* The outputs stay as they are for inputs in the box. */
static void expect_same_in_box(const coset_graph *graph, const coset_graph *cut, double rounding)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        double worst = study_difference_in(ctx, graph, cut, seed, true);
        if (worst > rounding) fail_msg("outputs differ by %g", worst);
    }
}

/* ---- networks --------------------------------------------------------------------------------------- */

/* Three layers whose units are positive on the box, every second one of the first two. */
static box_net planted_net(layer_form form, uint64_t seed)
{
    box_net net = net_start(ctx, seed);
    int32_t x = build_input(&net.b, "x", COSET_F32, form == CONV ? "2 3 4 4" : "6 3");
    int64_t in = 3, widths[] = {30, 24};
    for (int l = 0; l < 2; l++) {
        x = net_relu(&net, x, (layer_spec){.form = form, .in = in, .out = widths[l], .every = 2});
        in = widths[l];
    }
    net_finish(&net, net_layer(&net, x, (layer_spec){.form = form, .in = in, .out = 5}));
    return net;
}

static const char *sample_of(layer_form form)
{
    return form == CONV ? "3 4 4" : "3";
}

/* A random network of up to four layers, some of them linear, some with units that are always positive. */
static box_net random_net(uint64_t seed)
{
    box_net net = net_start(ctx, seed);
    rng *random = &net.random;
    layer_form form = (layer_form)rng_below(random, CONV + 1);
    int32_t x = build_input(&net.b, "x", COSET_F32, form == CONV ? "2 3 4 4" : "6 3");
    int64_t in = 3, layers = 1 + rng_below(random, 4);
    static const char *const functions[] = {"Relu", "Relu", "Identity", "Tanh", "LeakyRelu"};
    for (int64_t l = 0; l < layers; l++) {
        layer_spec at = {.form = form, .in = in, .out = 1 + rng_below(random, 40)};
        at.every = (int)rng_below(random, 4);
        at.plain = at.every == 0 && rng_below(random, 3) == 0;
        x = net_unary(&net, functions[rng_below(random, 5)], net_layer(&net, x, at));
        in = at.out;
    }
    bool plain = rng_below(random, 2) == 0;
    layer_spec last = {.form = form, .in = in, .out = 1 + rng_below(random, 9), .plain = plain};
    net_finish(&net, net_layer(&net, x, last));
    return net;
}

/* ---- provable --------------------------------------------------------------------------------------- */

/* What was planted is found, bypassed, and bypassed again from the plan as it was saved. */
static void check_planted(layer_form form)
{
    box_net net = planted_net(form, 3 + (uint64_t)form);
    const coset_graph *graph = net.b.graph;
    subject self = subject_of(graph, NULL);
    coset_plan *plan = cut_provable(&self), *again = cut_provable(&self), *back = NULL;
    same_plans(plan, again);
    for (int64_t g = 0; g < 2; g++) {
        assert_non_null(plan->groups[g].map);
        assert_non_null(plan->groups[g].map->slope);
        assert_string_equal(plan->groups[g].method, "linearity");
        assert_true(plan->groups[g].height == 0);
        for (int64_t u = 0; u < plan->groups[g].units; u++)
            if (net_is_on(2, u)) assert_true(leaves(plan, g, u));
    }
    coset_graph *cut = net_apply(&self.of, plan);
    assert_true(net_params(ctx, cut) < net_params(ctx, graph));
    expect_same_in_box(graph, cut, ROUNDING);
    study_expect(ctx, plan_save(ctx, plan, "linear.json"));
    study_expect(ctx, plan_load(ctx, "linear.json", &back));
    same_plans(plan, back);
    coset_graph *repeated = net_apply(&self.of, back);
    assert_true(study_difference_in(ctx, cut, repeated, 1, true) == 0);
    coset_graph_free(ctx, repeated);
    coset_graph_free(ctx, cut);
    plan_free(ctx, plan);
    plan_free(ctx, again);
    plan_free(ctx, back);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

static void test_planted_units(void **state)
{
    (void)state;
    files_start("linearity");
    for (int form = 0; form <= CONV; form++) check_planted((layer_form)form);
}

/* Whatever is proved on whatever network: outputs stay. */
static void test_proofs_hold(void **state)
{
    (void)state;
    int bypassed = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        box_net net = random_net(seed);
        subject self = subject_of(net.b.graph, NULL);
        coset_plan *plan = cut_provable(&self);
        coset_graph *cut = net_apply(&self.of, plan);
        for (int64_t g = 0; g < plan->n_groups; g++) bypassed += plan->groups[g].map != NULL;
        expect_same_in_box(net.b.graph, cut, DEEP_ROUNDING);
        coset_graph_free(ctx, cut);
        plan_free(ctx, plan);
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
    assert_true(bypassed > 30);
}

/* Without a box nothing is known of what ReLU units read; an empty one is refused. */
static void test_boxes(void **state)
{
    (void)state;
    box_net net = planted_net(GEMM, 3);
    subject self = subject_of(net.b.graph, NULL);
    coset_plan *plan = cut_by(&self, (wish){.settings = BOX, .n_settings = 1});
    assert_null(plan->groups[0].map);
    plan_free(ctx, plan);
    const coset_setting empty[] = {BOX[0], {"linearity.low", "1"}, {"linearity.high", "0.5"}};
    bool reached = false;
    assert_int_equal(try_cut(&self, (wish){.settings = empty, .n_settings = 3}, &plan, &reached),
                     COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "--linearity.low"));
    assert_int_equal(try_cut(&self, (wish){.settings = RATE, .n_settings = 1}, &plan, &reached),
                     COSET_EARGUMENT);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* Units that are never active need no line: they leave also where none would pay. */
static void test_dead_units(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 5);
    int32_t x = build_input(&net.b, "x", COSET_F32, "6 20");
    int32_t z = net_layer(&net, x, (layer_spec){.form = GEMM, .in = 20, .out = 16});
    net_finish(&net, net_layer(&net, net_unary(&net, "Relu", z),
                               (layer_spec){.form = GEMM, .in = 16, .out = 20}));
    subject self = subject_of(net.b.graph, "20");
    float *bias = study_values(&self.of, self.of.groups->contractions[0].bias);
    bias[3] = bias[7] = -100;
    subject_end(&self);
    self = subject_of(net.b.graph, "20"); /* statistics of what is planted */
    const wish wishes[] = {{.settings = BOX, .n_settings = 3},
                           {.settings = RATE, .n_settings = 1},
                           {.settings = AFFINE, .n_settings = 1}};
    for (int w = 0; w < 3; w++) {
        coset_plan *plan = cut_by(&self, wishes[w]);
        const lumping *map = plan->groups[0].map;
        assert_non_null(map);
        assert_null(map->slope);
        assert_int_equal(map->k, 14);
        assert_true(leaves(plan, 0, 3) && leaves(plan, 0, 7));
        coset_graph *cut = net_apply(&self.of, plan);
        assert_int_equal(net_params(ctx, cut), 14 * 20 + 14 + 20 * 14 + 20);
        expect_same_in_box(net.b.graph, cut, ROUNDING);
        coset_graph_free(ctx, cut);
        plan_free(ctx, plan);
    }
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* Linear layers in a row are merged where that is smaller, and refused with a reason where it is not. */
static void test_linear_chains(void **state)
{
    (void)state;
    for (int64_t middle = 3; middle <= 12; middle++) {
        box_net net = net_start(ctx, 9);
        int32_t x = build_input(&net.b, "x", COSET_F32, "6 10");
        x = net_layer(&net, x, (layer_spec){.form = MATMUL_ADD, .in = 10, .out = middle});
        x = net_unary(&net, "Identity", x);
        net_finish(&net, net_layer(&net, x, (layer_spec){.form = GEMM, .in = middle, .out = 10}));
        subject self = subject_of(net.b.graph, NULL);
        coset_plan *plan = cut_by(&self, (wish){.settings = BOX, .n_settings = 1});
        coset_graph *cut = net_apply(&self.of, plan);
        bool pays = middle * (10 + 10 + 1) > 10 * 10;
        if (pays) {
            assert_int_equal(plan->groups[0].map->k, 0);
            assert_int_equal(net_params(ctx, cut), 10 * 10 + 10);
        } else {
            assert_null(plan->groups[0].map);
            assert_non_null(strstr(plan->groups[0].skipped, "linearity: a line for"));
        }
        expect_same_in_box(net.b.graph, cut, ROUNDING);
        coset_graph_free(ctx, cut);
        plan_free(ctx, plan);
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
}

/* ---- rules ------------------------------------------------------------------------------------------ */

/* Under every rule and mode: no more parameters than before, and no more than the budget if it was reached. */
static void check_rules(const subject *self, const coset_setting *mode)
{
    const int64_t whole = net_params(ctx, self->of.graph);
    for (int rule = 0; rule < 3; rule++)
        for (double value = 1; value > 0.1; value -= 0.3) {
            static const coset_rule rules[] = {COSET_RULE_EPS, COSET_RULE_RATIO, COSET_RULE_PARAMS};
            wish at = {.settings = mode, .n_settings = 1, .rule = rules[rule], .value = value};
            at.budget = (int64_t)(value * (double)whole);
            coset_plan *plan = NULL;
            bool reached = false;
            study_expect(ctx, try_cut(self, at, &plan, &reached));
            coset_graph *cut = net_apply(&self->of, plan);
            int64_t params = net_params(ctx, cut);
            if (params > whole) fail_msg("%d parameters became %d", (int)whole, (int)params);
            /* The constants of units that leave without a line may give a reader its first bias. */
            if (rule == 2 && reached && params > at.budget + 9)
                fail_msg("%d parameters at a budget of %d", (int)params, (int)at.budget);
            coset_graph_free(ctx, cut);
            plan_free(ctx, plan);
        }
}

static void test_nothing_grows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        box_net net = random_net(seed);
        bool image = net.b.graph->values[net.b.graph->inputs[0]].shape.rank == 4;
        subject self = subject_of(net.b.graph, image ? "3 4 4" : "3");
        check_rules(&self, RATE);
        check_rules(&self, AFFINE);
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
}

/* A larger eps, or a smaller tau, takes more units, and those that left before among them. */
static void test_tolerances_are_nested(void **state)
{
    (void)state;
    box_net net = planted_net(GEMM, 8);
    subject self = subject_of(net.b.graph, "3");
    coset_plan *before = NULL;
    for (int step = 0; step <= 10; step++) {
        char text[2][32];
        snprintf(text[0], sizeof text[0], "%.17g", 1 - 0.1 * step);
        const coset_setting tau[] = {RATE[0], {"linearity.tau", text[0]}};
        coset_plan *by_tau = cut_by(&self, (wish){.settings = tau, .n_settings = 2});
        coset_plan *by_eps =
            cut_by(&self, (wish){.settings = RATE, .n_settings = 1, .value = 0.1 * step + 1e-12});
        same_plans(by_tau, by_eps);
        for (int64_t g = 0; before != NULL && g < 2; g++)
            for (int64_t u = 0; u < before->groups[g].units; u++)
                if (leaves(before, g, u)) assert_true(leaves(by_tau, g, u));
        plan_free(ctx, before);
        plan_free(ctx, by_eps);
        before = by_tau;
    }
    assert_int_equal(before->groups[0].map->k, 0); /* tau 0 takes every unit */
    plan_free(ctx, before);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* Budgets are reached exactly where a smaller tolerance would not do. */
static void test_budgets(void **state)
{
    (void)state;
    box_net net = planted_net(GEMM, 8);
    subject self = subject_of(net.b.graph, "3");
    const int64_t whole = net_params(ctx, net.b.graph);
    int64_t before = whole;
    for (double share = 0.9; share > 0.2; share -= 0.1) {
        wish at = {.settings = AFFINE, .n_settings = 1, .rule = COSET_RULE_PARAMS};
        at.budget = (int64_t)(share * (double)whole);
        coset_plan *plan = cut_by(&self, at);
        coset_graph *cut = net_apply(&self.of, plan);
        int64_t params = net_params(ctx, cut);
        assert_true(params <= at.budget && params <= before);
        before = params;
        coset_graph_free(ctx, cut);
        plan_free(ctx, plan);
    }
    coset_plan *plan = NULL;
    bool reached = true;
    wish impossible = {.settings = AFFINE, .n_settings = 1, .rule = COSET_RULE_MACS, .budget = 3};
    study_expect(ctx, try_cut(&self, impossible, &plan, &reached));
    assert_false(reached);
    assert_int_equal(plan->groups[0].map->k, 0);
    plan_free(ctx, plan);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* A share of the units; widths that a machine likes. */
static void test_ratios_and_rounding(void **state)
{
    (void)state;
    box_net net = planted_net(MATMUL_ADD, 8);
    subject self = subject_of(net.b.graph, "3");
    for (int64_t step = 1; step <= 8; step *= 2) {
        const int64_t steps[4] = {step, step, step, step};
        coset_plan *plan = cut_by(&self, (wish){.settings = AFFINE,
                                                .n_settings = 1,
                                                .rule = COSET_RULE_RATIO,
                                                .value = 0.4,
                                                .steps = steps});
        assert_int_equal(plan->groups[0].map->k, (12 + step - 1) / step * step);
        assert_int_equal(plan->groups[1].map->k, (10 + step - 1) / step * step);
        plan_free(ctx, plan);
    }
    /* What is not linear stays, whatever the share. */
    coset_plan *plan = cut_by(
        &self, (wish){.settings = BOX, .n_settings = 3, .rule = COSET_RULE_RATIO, .value = 0.1});
    for (int64_t u = 0; u < 30; u++)
        if (leaves(plan, 0, u)) assert_true(plan->groups[0].map->slope[u] == 1 || !net_is_on(2, u));
    coset_graph *cut = net_apply(&self.of, plan);
    expect_same_in_box(net.b.graph, cut, ROUNDING);
    coset_graph_free(ctx, cut);
    plan_free(ctx, plan);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* Groups that a line cannot pass carry the reason; those that may not be cut are left alone. */
static void test_reasons(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 2);
    int32_t x = build_input(&net.b, "x", COSET_F32, "2 3 6 6");
    layer_spec at = {.form = CONV, .in = 3, .out = 8, .kernel = 3, .pad = 1, .every = 1};
    x = net_relu(&net, x, at);
    x = net_relu(&net, x, (layer_spec){.form = CONV, .in = 8, .out = 20, .every = 1});
    net_finish(&net, net_layer(&net, x, (layer_spec){.form = CONV, .in = 20, .out = 4}));
    subject self = subject_of(net.b.graph, NULL);
    coset_plan *plan = cut_provable(&self);
    assert_null(plan->groups[0].map);
    assert_non_null(strstr(plan->groups[0].skipped, "linearity: "));
    assert_non_null(strstr(plan->groups[0].skipped, "1x1"));
    assert_int_equal(plan->groups[1].map->k, 0);
    plan_free(ctx, plan);
    self.allowed[1] = false;
    plan = cut_provable(&self);
    assert_null(plan->groups[1].map);
    assert_null(plan->groups[1].skipped);
    plan_free(ctx, plan);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* ---- for auto ---------------------------------------------------------------------------------------- */

static path *path_for_auto(const subject *self, int64_t g, calibration *stats)
{
    bypass_lines *lines = NULL;
    path *made = NULL;
    method_call call = {
        .ctx = ctx, .graph = self->of.graph, .groups = self->of.groups, .stats = stats};
    study_expect(ctx,
                 bypass_lines_find(ctx, self->of.graph, self->of.facts, self->of.groups, &lines));
    study_expect(ctx, bypass_path(&call, g, lines, 1e-3, &made));
    bypass_lines_free(ctx, lines);
    return made;
}

/* With joint moments the errors are those of readers that are refitted to x: none where all units are linear, and
 * never more than what lines of single units leave, but for the ridge and what is added for other samples. */
static void test_errors_after_recovery(void **state)
{
    (void)state;
    for (int every = 0; every < 2; every++) {
        box_net net = net_start(ctx, 12);
        int32_t x = build_input(&net.b, "x", COSET_F32, "6 3");
        x = net_relu(&net, x, (layer_spec){.form = GEMM, .in = 3, .out = 40, .every = every});
        net_finish(&net, net_layer(&net, x, (layer_spec){.form = GEMM, .in = 40, .out = 30}));
        subject self = subject_of(net.b.graph, "3");
        skip_moments *skips = self.stats->skips;
        path *refitted = path_for_auto(&self, 0, self.stats), *lines = NULL;
        self.stats->skips = NULL;
        lines = path_for_auto(&self, 0, self.stats);
        self.stats->skips = skips;
        assert_non_null(skips[0].of_units);
        assert_memory_equal(refitted->stays, lines->stays, 41 * sizeof *lines->stays);
        assert_true(lines->stays[40] == 40 - 3 && lines->stays[3] == 0); /* 3 * 30 / 34 */
        for (int64_t k = 3; k < 40; k++) {
            assert_true(refitted->error[k] <= lines->error[k] * 1.1 + 1e-5);
            if (every == 1) assert_true(refitted->error[k] < 1e-4);
        }
        if (every == 0) {
            assert_true(refitted->error[3] > 1e-3);
            assert_true(refitted->error[10] < 0.9 * lines->error[10]);
        }
        path_free(ctx, refitted);
        path_free(ctx, lines);
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
}

/* ---- memory ----------------------------------------------------------------------------------------- */

static void check_memory(const subject *self, wish at)
{
    coset_plan *plan = NULL;
    bool reached = false;
    int64_t alive = memory.alive, made = memory.made;
    study_expect(ctx, try_cut(self, at, &plan, &reached));
    plan_free(ctx, plan);
    int64_t total = memory.made - made;
    assert_true(total > 30);
    for (int64_t i = 0; i < total; i++) {
        memory.fail_from = memory.made + i;
        coset_status status = try_cut(self, at, &plan, &reached);
        memory.fail_from = -1;
        assert_int_equal(status, COSET_EMEMORY);
        assert_int_equal(memory.alive, alive);
    }
}

static void test_memory(void **state)
{
    (void)state;
    for (int form = GEMM; form <= CONV; form += CONV - GEMM) {
        box_net net = planted_net((layer_form)form, 4);
        subject self = subject_of(net.b.graph, sample_of((layer_form)form));
        const coset_setting *modes[] = {BOX, RATE, AFFINE};
        for (int m = 0; m < 3; m++) {
            wish at = {.settings = modes[m], .n_settings = m == 0 ? 3 : 1, .budget = 300};
            at.rule = form == CONV ? COSET_RULE_MACS : COSET_RULE_PARAMS;
            check_memory(&self, at);
        }
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_planted_units, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_proofs_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_boxes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead_units, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_linear_chains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_grows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tolerances_are_nested, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_budgets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ratios_and_rounding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reasons, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_after_recovery, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
