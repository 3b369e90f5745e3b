/* Bypasses that are carried out: whatever a plan bypasses, the cut model gives what its lumpings say. */
#include "support/bypass_net.h"
#include "support/files.h"
#include "support/random_graph.h"

#include <math.h>
#include <string.h>

static coset_ctx *ctx;
static counted_memory memory;

/* Results are stored in f32: some roundings of it, relative to the largest output. */
static const double ROUNDING = 1e-6;

static int set_up(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    files_start("bypass_lay");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* A network that is studied, its lines, and an empty plan. */
typedef struct subject {
    studied of;
    bypass_lines *lines;
    coset_plan *plan;
} subject;

static subject subject_of(const coset_graph *graph)
{
    subject self = {.of = study(ctx, graph)};
    study_expect(ctx, bypass_lines_find(ctx, graph, self.of.facts, self.of.groups, &self.lines));
    study_expect(ctx, plan_new(ctx, graph, self.of.groups, &self.plan));
    return self;
}

static void subject_end(subject *self)
{
    plan_free(ctx, self->plan);
    bypass_lines_free(ctx, self->lines);
    study_end(&self->of);
}

/* Bypasses what is positive in every group, at most `most` of them. */
static void bypass_all(const subject *self, int every, int most)
{
    for (int64_t g = 0; g < self->plan->n_groups && most > 0; g++)
        if (self->lines->lines[g].producer >= 0) {
            net_bypass(ctx, self->plan, g, every);
            most--;
        }
    assert_int_equal(most, 0);
}

/* The cut model gives what the network gives on the box, and what the lumpings say anywhere. It is written for
 * judge.models, too. */
static coset_graph *check_applied(const subject *self, bool exact)
{
    static int written = 0;
    char name[32];
    coset_graph *cut = net_apply(&self->of, self->plan);
    snprintf(name, sizeof name, "laid_%d.onnx", written++);
    study_expect(ctx, coset_graph_save(ctx, cut, name));
    coset_graph *wanted = net_reference(&self->of, self->lines, self->plan);
    for (uint64_t seed = 0; seed < 3; seed++) {
        double apart = study_difference(ctx, wanted, cut, seed);
        if (apart > ROUNDING) fail_msg("%g away from what the lumpings say", apart);
        apart = exact ? study_difference_in(ctx, self->of.graph, cut, seed, true) : 0;
        if (apart > ROUNDING) fail_msg("%g away from the network on the box", apart);
    }
    coset_graph_free(ctx, wanted);
    return cut;
}

static int64_t count_nodes(const coset_graph *graph, const char *type)
{
    int64_t n = 0;
    for (int64_t i = 0; i < graph->n_nodes; i++) n += strcmp(graph->nodes[i].op_type, type) == 0;
    return n;
}

/* ---- planted linear units ----------------------------------------------------------------------- */

static void check_half(layer_form form, const char *input, layer_spec reader)
{
    box_net net = net_start(ctx, (uint64_t)form);
    int32_t x = build_input(&net.b, "x", COSET_F32, input);
    int32_t h = net_relu(&net, x, (layer_spec){.form = form, .in = 4, .out = 40, .every = 2});
    const coset_graph *graph = net_finish(&net, net_layer(&net, h, reader));
    subject self = subject_of(graph);
    bypass_all(&self, 2, 1);
    coset_graph *cut = check_applied(&self, reader.pad == 0);
    assert_true(net_params(ctx, cut) < net_params(ctx, graph));
    assert_int_equal(count_nodes(cut, "Concat"), 1);
    coset_graph_free(ctx, cut);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

static void test_half_of_a_layer(void **state)
{
    (void)state;
    check_half(GEMM, "5 4", (layer_spec){.form = GEMM_TURNED, .in = 40, .out = 7});
    check_half(GEMM_TURNED, "5 4", (layer_spec){.form = GEMM, .in = 40, .out = 7});
    check_half(MATMUL_ADD, "2 3 4", (layer_spec){.form = MATMUL_ADD, .in = 40, .out = 7});
    check_half(MATMUL_ADD, "4", (layer_spec){.form = MATMUL_ADD, .in = 40, .out = 7});
    check_half(GEMM, "5 4", (layer_spec){.form = MATMUL, .in = 40, .out = 7, .plain = true});
    check_half(CONV, "2 4 6 5", (layer_spec){.form = CONV, .in = 40, .out = 7});
    check_half(CONV, "2 4 6 5", (layer_spec){.form = CONV, .in = 40, .out = 7, .plain = true});
    check_half(CONV, "2 4 6 5", (layer_spec){.form = CONV, .in = 40, .out = 7, .kernel = 3});
    check_half(CONV, "2 4 7 5",
               (layer_spec){.form = CONV, .in = 40, .out = 7, .kernel = 3, .stride = 2});
}

/* Skips over several layers: what one layer's line carries is part of the next one's input. */
static void test_chain(void **state)
{
    (void)state;
    for (int form = GEMM; form <= CONV; form++) {
        if (form == MATMUL) continue;
        box_net net = net_start(ctx, 7);
        int32_t x = build_input(&net.b, "x", COSET_F32, form == CONV ? "2 3 4 4" : "6 3");
        int64_t in = 3, widths[] = {30, 24, 28};
        for (int l = 0; l < 3; l++) {
            x = net_relu(
                &net, x,
                (layer_spec){.form = (layer_form)form, .in = in, .out = widths[l], .every = 2});
            in = widths[l];
        }
        const coset_graph *graph = net_finish(
            &net, net_layer(&net, x, (layer_spec){.form = (layer_form)form, .in = in, .out = 5}));
        subject self = subject_of(graph);
        bypass_all(&self, 2, 3);
        coset_graph *cut = check_applied(&self, true);
        for (int64_t n = 0; n < cut->n_nodes; n++) /* [h3, h2, h1, x], not [h3, [h2, [h1, x]]] */
            for (int32_t i = 0; i < cut->nodes[n].n_inputs; i++) {
                int32_t from = cut->values[cut->nodes[n].inputs[i]].producer;
                assert_false(from >= 0 && strcmp(cut->nodes[n].op_type, "Concat") == 0 &&
                             strcmp(cut->nodes[from].op_type, "Concat") == 0);
            }
        coset_graph_free(ctx, cut);
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
}

/* A whole layer that is linear: two layers become one, and its bias lives on in the next one's. */
static void test_whole_layer(void **state)
{
    static const layer_spec readers[] = {{.form = GEMM, .in = 12, .out = 5},
                                         {.form = MATMUL, .in = 12, .out = 5, .plain = true},
                                         {.form = MATMUL_ADD, .in = 12, .out = 5},
                                         {.form = CONV, .in = 12, .out = 5, .kernel = 2}};
    (void)state;
    for (size_t r = 0; r < sizeof readers / sizeof *readers; r++)
        for (int identity = 0; identity < 2; identity++) {
            const bool conv = readers[r].form == CONV;
            box_net net = net_start(ctx, r);
            int32_t x = build_input(&net.b, "x", COSET_F32, conv ? "2 3 5 5" : "6 3");
            layer_spec first = {
                .form = conv ? CONV : GEMM, .in = 3, .out = 12, .every = identity ? 0 : 1};
            int32_t z = net_layer(&net, x, first);
            int32_t h = net_unary(&net, identity ? "Identity" : "Relu", z);
            const coset_graph *graph = net_finish(&net, net_layer(&net, h, readers[r]));
            subject self = subject_of(graph);
            bypass_all(&self, 1, 1);
            assert_int_equal(self.plan->groups[0].map->k, 0);
            coset_graph *cut = check_applied(&self, true);
            assert_int_equal(count_nodes(cut, "Relu") + count_nodes(cut, "Identity") +
                                 count_nodes(cut, "Concat"),
                             0);
            assert_int_equal(net_params(ctx, cut), 5 * 3 * (conv ? 4 : 1) + 5);
            coset_graph_free(ctx, cut);
            subject_end(&self);
            coset_graph_free(ctx, net.b.graph);
        }
}

/* Linear layers in a row shrink to one. */
static void test_linear_chain(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 11);
    int32_t x = build_input(&net.b, "x", COSET_F32, "6 3");
    x = net_layer(&net, x, (layer_spec){.form = GEMM, .in = 3, .out = 9});
    x = net_layer(&net, x, (layer_spec){.form = MATMUL_ADD, .in = 9, .out = 8});
    x = net_unary(&net, "Identity", x);
    x = net_layer(&net, x, (layer_spec){.form = GEMM_TURNED, .in = 8, .out = 7});
    const coset_graph *graph = net_finish(&net, x);
    subject self = subject_of(graph);
    bypass_all(&self, 1, 2);
    coset_graph *cut = check_applied(&self, true);
    assert_int_equal(cut->n_nodes, 1);
    assert_int_equal(net_params(ctx, cut), 3 * 7 + 7);
    coset_graph_free(ctx, cut);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* Units that never vary leave no line behind, only a bias. */
static void test_constant_units(void **state)
{
    (void)state;
    const int64_t keep[2] = {0, 3};
    const double slope[4] = {0}, shift[4] = {7, 0.5, -2, 7};
    box_net net = net_start(ctx, 2);
    int32_t x = build_input(&net.b, "x", COSET_F32, "6 3");
    int32_t h = net_relu(&net, x, (layer_spec){.form = GEMM, .in = 3, .out = 4});
    const coset_graph *graph = net_finish(
        &net, net_layer(&net, h, (layer_spec){.form = MATMUL, .in = 4, .out = 5, .plain = true}));
    subject self = subject_of(graph);
    study_expect(ctx, lumping_bypass(ctx, 4, keep, 2, slope, shift, &self.plan->groups[0].map));
    coset_graph *cut = check_applied(&self, false);
    assert_int_equal(count_nodes(cut, "Concat"), 0);
    assert_int_equal(net_params(ctx, cut), 3 * 2 + 2 + 2 * 5 + 5);
    coset_graph_free(ctx, cut);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* Half the units are linear, but what they do has rank 2: the line carries two values. */
static void test_low_rank(void **state)
{
    (void)state;
    for (int conv = 0; conv < 2; conv++) {
        box_net net = net_start(ctx, 5);
        int32_t x = build_input(&net.b, "x", COSET_F32, conv ? "2 16 4 3" : "6 16");
        int32_t h = net_relu(
            &net, x,
            (layer_spec){.form = conv ? CONV : MATMUL_ADD, .in = 16, .out = 60, .every = 2});
        const coset_graph *graph = net_finish(
            &net, net_layer(&net, h,
                            (layer_spec){.form = conv ? CONV : GEMM_TURNED, .in = 60, .out = 20}));
        subject self = subject_of(graph);
        /* rows of W2 of the linear units: combinations of the first two of them */
        const contraction *reader = &self.of.groups->contractions[self.lines->lines[0].readers[0]];
        float *weight = study_values(&self.of, reader->weight);
        for (int64_t o = 2; o < 20; o++)
            for (int64_t u = 1; u < 60; u += 2)
                weight[o * 60 + u] = (float)(o % 3) * weight[u] + (float)(o % 5) * weight[60 + u];
        bypass_all(&self, 2, 1);
        coset_graph *cut = check_applied(&self, false);
        assert_int_equal(net_params(ctx, cut), 16 * 30 + 30 + (30 + 2) * 20 + 20 + 16 * 2);
        assert_int_equal(count_nodes(cut, conv ? "Conv" : "MatMul"), conv ? 3 : 2);
        coset_graph_free(ctx, cut);
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
}

/* ---- readers ------------------------------------------------------------------------------------ */

/* Two readers share one line; their shared weight is copied once, and what is seen outside stays. */
static void test_shared_weight(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 6);
    int32_t x = build_input(&net.b, "x", COSET_F32, "6 3");
    int32_t h = net_relu(&net, x, (layer_spec){.form = GEMM, .in = 3, .out = 30, .every = 2}),
            node = -1;
    float *values = net_values(&net, 30 * 5, 0.2);
    int32_t shared = net_constant(&net, "W", "30 5", values);
    free(values);
    const int32_t inputs[2] = {h, shared};
    int32_t left = net_node(&net, "MatMul", inputs, 2, &node);
    int32_t right = net_unary(&net, "Tanh", net_node(&net, "MatMul", inputs, 2, &node));
    const int32_t sum[2] = {left, right};
    build_output(&net.b, shared);
    const coset_graph *graph = net_finish(&net, net_node(&net, "Add", sum, 2, &node));
    subject self = subject_of(graph);
    bypass_all(&self, 2, 1);
    coset_graph *cut = check_applied(&self, true);
    assert_int_equal(count_nodes(cut, "Concat"), 1);
    /* One wide weight for both, a bias for each; nothing reads the weight that is an output any more. */
    assert_int_equal(net_params(ctx, cut), (15 + 3) * 5 + 2 * 5 + 3 * 15 + 15);
    const tensor *seen = cut->values[cut->outputs[0]].constant;
    assert_true(seen == graph->values[shared].constant);
    coset_graph_free(ctx, cut);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* Residual reads: x is read by others besides the producer, and the readers' outputs meet. */
static void test_several_readers(void **state)
{
    (void)state;
    for (int conv = 0; conv < 2; conv++) {
        layer_form form = conv ? CONV : GEMM;
        box_net net = net_start(ctx, 9);
        int32_t x = build_input(&net.b, "x", COSET_F32, conv ? "2 5 4 4" : "6 5"), node = -1;
        int32_t stem =
            net_relu(&net, x, (layer_spec){.form = form, .in = 5, .out = 20, .every = 2});
        int32_t h =
            net_relu(&net, stem, (layer_spec){.form = form, .in = 20, .out = 44, .every = 2});
        int32_t back = net_layer(&net, h, (layer_spec){.form = form, .in = 44, .out = 20});
        int32_t past =
            net_layer(&net, stem, (layer_spec){.form = form, .in = 20, .out = 20, .plain = true});
        const int32_t sum[2] = {back, past};
        int32_t met = net_unary(&net, "Relu", net_node(&net, "Add", sum, 2, &node));
        build_output(
            &net.b,
            net_layer(&net, h,
                      (layer_spec){.form = form, .in = 44, .out = 3, .kernel = conv ? 3 : 0}));
        const coset_graph *graph =
            net_finish(&net, net_layer(&net, met, (layer_spec){.form = form, .in = 20, .out = 4}));
        subject self = subject_of(graph);
        bypass_all(&self, 2, 2);
        coset_graph *cut = check_applied(&self, true);
        assert_int_equal(count_nodes(cut, "Concat"), 2);
        coset_graph_free(ctx, cut);
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
}

/* Padding: exact where nothing constant is bypassed, and the line says so. */
static void test_padded_reader(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 10);
    int32_t x = build_input(&net.b, "x", COSET_F32, "2 4 6 5");
    int32_t z = net_layer(&net, x, (layer_spec){.form = CONV, .in = 4, .out = 16, .plain = true});
    const coset_graph *graph = net_finish(
        &net, net_layer(&net, net_unary(&net, "Tanh", z),
                        (layer_spec){.form = CONV, .in = 16, .out = 7, .kernel = 3, .pad = 1}));
    subject self = subject_of(graph);
    assert_true(self.lines->lines[0].padded);
    bypass_all(&self, 2, 1);
    coset_graph *cut = check_applied(&self, false);
    coset_graph_free(ctx, cut);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* ---- element types ------------------------------------------------------------------------------ */

static void to_type(coset_graph *graph, coset_dtype dtype)
{
    for (int64_t v = 0; v < graph->n_values; v++) {
        graph_value *value = &graph->values[v];
        double *values = NULL;
        tensor *made = NULL;
        if (value->dtype == COSET_F32) value->dtype = dtype;
        if (value->constant == NULL) continue;
        study_expect(ctx, tensor_to_f64(ctx, value->constant, &values));
        study_expect(ctx, tensor_from_f64(ctx, dtype, &value->constant->shape, values, &made));
        graph_set_constant(ctx, graph, (int32_t)v, made);
        tensor_release(ctx, made);
        ctx_free(ctx, values);
    }
}

static void test_types(void **state)
{
    static const coset_dtype types[] = {COSET_F16, COSET_BF16, COSET_F64};
    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int every = 1; every < 3; every++) {
            box_net net = net_start(ctx, 12);
            int32_t x = build_input(&net.b, "x", COSET_F32, "6 16");
            int32_t h = net_relu(
                &net, x, (layer_spec){.form = MATMUL_ADD, .in = 16, .out = 8, .every = every});
            int32_t y =
                net_layer(&net, h, (layer_spec){.form = MATMUL, .in = 8, .out = 16, .plain = true});
            to_type(net.b.graph, types[t]);
            const coset_graph *graph = net_finish(&net, y);
            subject self = subject_of(graph);
            bypass_all(&self, every, 1);
            coset_graph *cut = net_apply(&self.of, self.plan);
            for (int64_t v = 0; v < cut->n_values; v++)
                if (cut->values[v].constant != NULL && cut->values[v].n_consumers > 0)
                    assert_int_equal(cut->values[v].constant->dtype, types[t]);
            /* half a unit in the last place of weights and sums: 8 to 24 bits */
            double apart = study_difference_in(ctx, graph, cut, 1, true);
            assert_true(apart < (types[t] == COSET_F64   ? 1e-6
                                 : types[t] == COSET_F16 ? 1e-2
                                                         : 0.1));
            coset_graph_free(ctx, cut);
            subject_end(&self);
            coset_graph_free(ctx, net.b.graph);
        }
}

/* ---- anything ----------------------------------------------------------------------------------- */

/* Some groups are merged where that changes nothing: units are made equal before. */
static void plant_merges(const subject *self, rng *random)
{
    for (int64_t g = 0; g < self->plan->n_groups; g++)
        if (self->of.groups->groups[g].frozen == NULL && rng_uniform(random) < 0.5)
            self->plan->groups[g].map = study_lumping(ctx, random, self->plan->groups[g].units);
    if (study_plant(&self->of, self->plan)) return;
    for (int64_t g = 0; g < self->plan->n_groups; g++) {
        lumping_free(ctx, self->plan->groups[g].map);
        self->plan->groups[g].map = NULL;
    }
}

/* Random graphs, random units, random slopes; other groups are merged by the same plan. */
static void test_random(void **state)
{
    int64_t laid = 0, whole = 0, merged = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        grown grown_net = grow_graph(ctx, seed, 12);
        subject self = subject_of(grown_net.b.graph);
        rng random = rng_seed(seed, 5);
        plant_merges(&self, &random);
        for (int64_t g = 0; g < self.plan->n_groups; g++) {
            lumping **map = &self.plan->groups[g].map;
            merged += *map != NULL;
            if (self.lines->lines[g].producer < 0 || *map != NULL) continue;
            net_bypass_any(ctx, &random, self.plan, g);
            laid++;
            whole += (*map)->k == 0;
        }
        coset_graph *cut = net_apply(&self.of, self.plan);
        coset_graph *wanted = net_reference(&self.of, self.lines, self.plan);
        double apart = study_difference(ctx, wanted, cut, seed);
        /* divisions and products of units may magnify roundings */
        if (apart > 1e-4) fail_msg("seed %d: %g apart", (int)seed, apart);
        coset_graph_free(ctx, wanted);
        coset_graph_free(ctx, cut);
        subject_end(&self);
        coset_graph_free(ctx, grown_net.b.graph);
    }
    assert_true(laid > 100 && whole > 20 && merged > 100);
}

/* A plan that bypasses what has no line is refused with the reason. */
static void test_no_line(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 13);
    int32_t x = build_input(&net.b, "x", COSET_F32, "1 3 4 4");
    int32_t h = net_relu(&net, x, (layer_spec){.form = CONV, .in = 3, .out = 8, .kernel = 3});
    const coset_graph *graph =
        net_finish(&net, net_layer(&net, h, (layer_spec){.form = CONV, .in = 8, .out = 3}));
    subject self = subject_of(graph);
    coset_graph *cut = NULL;
    net_bypass(ctx, self.plan, 0, 2);
    assert_int_equal(plan_apply(ctx, graph, self.of.facts, self.of.groups, self.plan, &cut),
                     COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "1x1"));
    assert_null(cut);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

/* What does not fit the type of a weight is an error, not an infinity. */
static void test_overflow(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        box_net net = net_start(ctx, 14);
        int32_t x = build_input(&net.b, "x", COSET_F32, "6 3");
        int32_t h = net_relu(&net, x, (layer_spec){.form = GEMM, .in = 3, .out = 8, .every = 2});
        const coset_graph *graph = net_finish(
            &net,
            net_layer(&net, h, (layer_spec){.form = GEMM, .in = 8, .out = 3, .plain = plain}));
        subject self = subject_of(graph);
        coset_graph *cut = NULL;
        net_bypass(ctx, self.plan, 0, 2);
        lumping *map = self.plan->groups[0].map;
        if (plain)
            map->shift[1] = 1e300;
        else
            map->slope[1] = 1e300;
        assert_int_equal(plan_apply(ctx, graph, self.of.facts, self.of.groups, self.plan, &cut),
                         COSET_ENUMERIC);
        assert_null(cut);
        subject_end(&self);
        coset_graph_free(ctx, net.b.graph);
    }
}

static void test_allocation_failures(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 15);
    int32_t x = build_input(&net.b, "x", COSET_F32, "6 16");
    int32_t h = net_relu(&net, x, (layer_spec){.form = MATMUL_ADD, .in = 16, .out = 6, .every = 2});
    h = net_relu(&net, h, (layer_spec){.form = GEMM, .in = 6, .out = 8, .every = 1});
    h = net_relu(&net, h, (layer_spec){.form = GEMM, .in = 8, .out = 40, .every = 2});
    const coset_graph *graph = net_finish(
        &net, net_layer(&net, h, (layer_spec){.form = MATMUL, .in = 40, .out = 16, .plain = true}));
    subject self = subject_of(graph);
    bypass_all(&self, 2, 1);
    net_bypass(ctx, self.plan, 1, 1);
    net_bypass(ctx, self.plan, 2, 2);
    int64_t alive = memory.alive, made = memory.made;
    coset_graph *cut = check_applied(&self, false);
    coset_graph_free(ctx, cut);
    assert_int_equal(memory.alive, alive);
    made = memory.made;
    coset_status status = COSET_EMEMORY;
    for (int64_t at = 0; status != COSET_OK; at++) {
        memory.fail_from = memory.made + at;
        status = plan_apply(ctx, graph, self.of.facts, self.of.groups, self.plan, &cut);
        memory.fail_from = -1;
        if (status == COSET_OK) break;
        assert_int_equal(status, COSET_EMEMORY);
        assert_null(cut);
        assert_int_equal(memory.alive, alive);
    }
    assert_true(memory.made > made);
    coset_graph_free(ctx, cut);
    subject_end(&self);
    coset_graph_free(ctx, net.b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_of_a_layer),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_whole_layer),
        cmocka_unit_test(test_linear_chain),
        cmocka_unit_test(test_constant_units),
        cmocka_unit_test(test_low_rank),
        cmocka_unit_test(test_shared_weight),

        cmocka_unit_test(test_several_readers),
        cmocka_unit_test(test_padded_reader),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_line),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
