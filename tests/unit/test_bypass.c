/* Lumpings with bypassed units, where their lines can run, and what they cost. */
#include "support/bypass_net.h"

#include <math.h>
#include <string.h>

static coset_ctx *ctx;
static counted_memory memory;

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

/* ---- lumpings ----------------------------------------------------------------------------------- */

static void test_lumping_bypass(void **state)
{
    (void)state;
    const int64_t keep[2] = {1, 3};
    const double slope[4] = {2, 7, 0, 7}, shift[4] = {-1, 7, 0.5, 7};
    lumping *map = NULL;
    study_expect(ctx, lumping_bypass(ctx, 4, keep, 2, slope, shift, &map));
    study_expect(ctx, lumping_check(ctx, map));
    assert_true(map->slope[0] == 2 && map->slope[1] == 0 && map->slope[2] == 0);
    assert_true(map->shift[0] == -1 && map->shift[2] == 0.5 && map->shift[3] == 0);
    assert_true(map->block[0] == -1 && map->block[1] == 0 && map->block[3] == 1);
    assert_false(lumping_is_identity(map));
    map->slope[1] = 1;
    assert_int_equal(lumping_check(ctx, map), COSET_EFORMAT);
    map->slope[1] = (double)NAN;
    assert_int_equal(lumping_check(ctx, map), COSET_ENUMERIC);
    lumping_free(ctx, map);
    study_expect(ctx, lumping_bypass(ctx, 4, keep, 0, slope, shift, &map));
    study_expect(ctx, lumping_check(ctx, map));
    lumping_free(ctx, map);
    study_expect(ctx, lumping_select(ctx, 4, keep, 0, &map));
    assert_int_equal(lumping_check(ctx, map), COSET_EFORMAT); /* nothing is left, and no line */
    lumping_free(ctx, map);
}

/* R of a lumping as a matrix (k, n). */
static double *reduction(const lumping *self)
{
    double *r = doubles(self->k * self->n);
    for (int64_t u = 0; u < self->n; u++)
        if (self->block[u] >= 0) r[self->block[u] * self->n + u] = self->reduce[u];
    return r;
}

static void test_compose(void **state)
{
    (void)state;
    rng random = rng_seed(3, 0);
    for (int round = 0; round < 50; round++) {
        lumping *first = study_lumping(ctx, &random, 2 + rng_below(&random, 12)), *both = NULL;
        lumping *second = study_lumping(ctx, &random, first->k);
        study_expect(ctx, lumping_compose(ctx, first, second, &both));
        double *a = reduction(first), *b = reduction(second), *c = reduction(both);
        assert_true(both->n == first->n && both->k == second->k);
        for (int64_t i = 0; i < both->k; i++) {
            assert_int_equal(both->keep[i], first->keep[second->keep[i]]);
            for (int64_t u = 0; u < both->n; u++) {
                double sum = 0;
                for (int64_t j = 0; j < first->k; j++)
                    sum += b[i * first->k + j] * a[j * first->n + u];
                assert_true(fabs(sum - c[i * both->n + u]) < 1e-15);
            }
        }
        assert_true(both->lift == NULL && both->shift == NULL && both->slope == NULL);
        lumping *alone = NULL;
        study_expect(ctx, lumping_compose(ctx, NULL, second, &alone));
        assert_memory_equal(alone->block, second->block, (size_t)second->n * sizeof(int64_t));
        lumping_free(ctx, alone);
        study_expect(ctx, lumping_compose(ctx, first, NULL, &alone));
        assert_memory_equal(alone->keep, first->keep, (size_t)first->k * sizeof(int64_t));
        lumping_free(ctx, alone);
        if (first->k != first->n)
            assert_int_equal(lumping_compose(ctx, second, first, &alone), COSET_EARGUMENT);
        lumping_free(ctx, first);
        lumping_free(ctx, second);
        lumping_free(ctx, both);
        free(a);
        free(b);
        free(c);
    }
    lumping *none = NULL;
    assert_int_equal(lumping_compose(ctx, NULL, NULL, &none), COSET_EARGUMENT);
    assert_null(none);
}

/* ---- where lines run ---------------------------------------------------------------------------- */

typedef struct refused_case {
    const char *reason;
    int32_t (*build)(box_net *net, int32_t x);
    const char *input;
} refused_case;

static const layer_spec wide = {.form = CONV, .in = 4, .out = 8};
static const layer_spec narrow = {.form = CONV, .in = 8, .out = 3};
static const layer_spec first = {.form = GEMM, .in = 4, .out = 8};
static const layer_spec last = {.form = GEMM, .in = 8, .out = 3};

static int32_t net_two(box_net *net, const char *type, int32_t a, int32_t b)
{
    const int32_t inputs[2] = {a, b};
    int32_t node = -1;
    return net_node(net, type, inputs, 2, &node);
}

static int32_t through_pool(box_net *net, int32_t x)
{
    int32_t pooled = net_unary(net, "MaxPool", net_relu(net, x, wide));
    net_ints(net, (int32_t)net->b.graph->n_nodes - 1, "kernel_shape", 2, 2);
    return net_layer(net, pooled, narrow);
}

static int32_t through_flatten(box_net *net, int32_t x)
{
    int32_t flat = net_unary(net, "Flatten", net_relu(net, x, wide));
    return net_layer(net, flat, (layer_spec){.form = GEMM, .in = 8 * 25, .out = 3});
}

static int32_t to_groups(box_net *net, int32_t x)
{
    int32_t h = net_relu(net, x, wide);
    int32_t y = net_layer(net, h, (layer_spec){.form = CONV, .in = 4, .out = 6});
    build_int_attr(&net->b, (int32_t)net->b.graph->n_nodes - 1, "group", 2);
    return y;
}

static int32_t from_groups(box_net *net, int32_t x)
{
    int32_t z = net_layer(net, x, wide);
    build_int_attr(&net->b, (int32_t)net->b.graph->n_nodes - 1, "group", 2);
    return net_layer(net, net_unary(net, "Relu", z), narrow);
}

static int32_t to_transposed(box_net *net, int32_t x)
{
    int32_t h = net_relu(net, x, wide);
    float *values = net_values(net, 8 * 3, 1);
    int32_t weight = net_constant(net, "W", "8 3 1 1", values);
    free(values);
    return net_two(net, "ConvTranspose", h, weight);
}

static int32_t wide_kernel(box_net *net, int32_t x)
{
    return net_layer(
        net, net_relu(net, x, (layer_spec){.form = CONV, .in = 4, .out = 8, .kernel = 3}), narrow);
}

static int32_t with_stride(box_net *net, int32_t x)
{
    return net_layer(
        net, net_relu(net, x, (layer_spec){.form = CONV, .in = 4, .out = 8, .stride = 2}), narrow);
}

static int32_t normalised(box_net *net, int32_t x)
{
    int32_t h = net_layer(net, x, first);
    float *values = net_values(net, 8, 1);
    int32_t y = net_two(net, "LayerNormalization", h, net_constant(net, "s", "8", values));
    free(values);
    return net_layer(net, y, last);
}

static int32_t as_output(box_net *net, int32_t x)
{
    int32_t h = net_relu(net, x, first);
    build_output(&net->b, h);
    return net_layer(net, h, last);
}

static int32_t as_sum(box_net *net, int32_t x)
{
    int32_t sum = net_two(net, "Add", net_layer(net, x, first), net_layer(net, x, first));
    return net_layer(net, net_unary(net, "Relu", sum), last);
}

static int32_t two_forms(box_net *net, int32_t x)
{
    int32_t z = net_layer(net, x, first);
    return net_two(net, "Add", net_layer(net, z, last),
                   net_layer(net, net_unary(net, "Relu", z), last));
}

static int32_t gated(box_net *net, int32_t x)
{
    int32_t h = net_relu(net, x, first);
    int32_t gate =
        net_unary(net, "Sigmoid", net_layer(net, x, (layer_spec){.form = GEMM, .in = 4, .out = 1}));
    return net_layer(net, net_two(net, "Mul", h, gate), last);
}

static int32_t joined(box_net *net, int32_t x)
{
    int32_t both = net_two(net, "Concat", net_relu(net, x, first), x);
    build_int_attr(&net->b, (int32_t)net->b.graph->n_nodes - 1, "axis", 1);
    return net_layer(net, both, (layer_spec){.form = GEMM, .in = 12, .out = 3});
}

static int32_t dead_end(box_net *net, int32_t x)
{
    int32_t h = net_relu(net, x, first);
    net_unary(net, "Tanh", h);
    return net_layer(net, h, last);
}

static int32_t other_type(box_net *net, int32_t x)
{
    int32_t h = net_unary(net, "Cast", net_layer(net, x, first));
    build_int_attr(&net->b, (int32_t)net->b.graph->n_nodes - 1, "to", 11); /* DOUBLE */
    double weight[24] = {0};
    int32_t w = build_constant(&net->b, "Wd", COSET_F64, "8 3", weight);
    return net_two(net, "MatMul", h, w);
}

static int32_t scaled_by_nothing(box_net *net, int32_t x)
{
    int32_t y = net_layer(net, net_relu(net, x, first), last);
    const graph_attr zero = {.name = "alpha", .kind = ATTR_FLOAT, .f = 0};
    assert_int_equal(graph_add_attr(ctx, net->b.graph, (int32_t)net->b.graph->n_nodes - 1, &zero),
                     COSET_OK);
    return y;
}

static int32_t shared_bias(box_net *net, int32_t x)
{
    float *values = net_values(net, 5 * 8, 0.5);
    const int32_t inputs[3] = {x, net_constant(net, "W", "4 8", values),
                               net_constant(net, "b", "5 8", values)};
    int32_t node = -1, z = net_node(net, "Gemm", inputs, 3, &node);
    free(values);
    return net_layer(net, net_unary(net, "Relu", z), last);
}

static int32_t split_units(box_net *net, int32_t x)
{
    int32_t h = net_relu(net, x, first), parts[2];
    parts[0] = build_value(&net->b, "left");
    parts[1] = build_value(&net->b, "right");
    int32_t node = build_node_n(&net->b, "", "Split", &h, 1, parts, 2);
    build_int_attr(&net->b, node, "axis", 1);
    return net_two(net, "Add",
                   net_layer(net, parts[0], (layer_spec){.form = GEMM, .in = 4, .out = 3}),
                   net_layer(net, parts[1], (layer_spec){.form = GEMM, .in = 4, .out = 3}));
}

static int32_t from_the_left(box_net *net, int32_t x)
{
    float *values = net_values(net, 40, 0.5);
    int32_t h =
        net_unary(net, "Relu", net_two(net, "MatMul", net_constant(net, "W", "8 5", values), x));
    int32_t y = net_two(net, "MatMul", net_constant(net, "V", "3 8", values), h);
    free(values);
    return y;
}

static void test_refused(void **state)
{
    static const refused_case cases[] = {
        {"MaxPool 'MaxPool_2' reads it", through_pool, "2 4 5 5"},
        {"Flatten 'Flatten_2' reads it", through_flatten, "2 4 5 5"},
        {"Conv 'Conv_0' does not make just its units, each once", to_groups, "2 4 5 5"},
        {"Conv 'Conv_0' is a convolution of several groups", from_groups, "2 8 5 5"},
        {"ConvTranspose 'ConvTranspose_2' is no matrix product", to_transposed, "2 4 5 5"},
        {"Conv 'Conv_0' is a convolution that is not 1x1", wide_kernel, "2 4 5 5"},
        {"Conv 'Conv_0' is a convolution that is not 1x1", with_stride, "2 4 5 5"},
        {"", normalised, "5 4"}, /* frozen */
        {"it is a graph output", as_output, "5 4"},
        {"several layers make its units", as_sum, "5 4"},
        {"its readers see it in two forms", two_forms, "5 4"},
        {"Mul 'Mul_4' brings in other units", gated, "5 4"},
        {"Concat 'Concat_2' reads it", joined, "5 4"},
        {"Tanh 'Tanh_2' makes something that nothing reads", dead_end, "5 4"},
        {"Cast 'Cast_1' changes its shape or type", other_type, "5 4"},
        {"Gemm 'Gemm_2' multiplies with 0", scaled_by_nothing, "5 4"},
        {"Gemm 'Gemm_0' has a bias that is not one for each unit", shared_bias, "5 4"},
        {"Gemm 'Gemm_0' does not make just its units, each once", split_units, "5 4"},
        {"MatMul 'MatMul_0' has its weight on the left", from_the_left, "5 4"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        box_net net = net_start(ctx, i);
        if (cases[i].build == normalised) net.b.graph->opset = 17;
        int32_t x = build_input(&net.b, "x", COSET_F32, cases[i].input);
        const coset_graph *graph = net_finish(&net, cases[i].build(&net, x));
        studied of = study(ctx, graph);
        bypass_lines *lines = NULL;
        study_expect(ctx, bypass_lines_find(ctx, graph, of.facts, of.groups, &lines));
        assert_true(lines->n == of.groups->n && lines->n > 0);
        if (lines->lines[0].producer >= 0 || strstr(lines->reason[0], cases[i].reason) == NULL)
            fail_msg("case %d: %s", (int)i,
                     lines->reason[0] != NULL ? lines->reason[0] : "it has a line");
        bypass_lines_free(ctx, lines);
        study_end(&of);
        coset_graph_free(ctx, net.b.graph);
    }
}

/* h may be any elementwise function of z, by any number of nodes and with constants for each unit. */
static void test_between(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 1);
    int32_t x = build_input(&net.b, "x", COSET_F32, "5 4");
    int32_t z = net_layer(&net, x, (layer_spec){.form = MATMUL_ADD, .in = 4, .out = 8});
    float *values = net_values(&net, 8, 1);
    int32_t scaled = net_two(&net, "PRelu", z, net_constant(&net, "s", "8", values));
    int32_t gate = net_two(&net, "Add", net_unary(&net, "Sigmoid", scaled),
                           net_constant(&net, "c", "1 8", values));
    int32_t h = net_unary(&net, "Identity", net_two(&net, "Mul", scaled, gate));
    free(values);
    const coset_graph *graph =
        net_finish(&net, net_two(&net, "Add", net_layer(&net, h, last), net_layer(&net, h, last)));
    studied of = study(ctx, graph);
    bypass_lines *lines = NULL;
    study_expect(ctx, bypass_lines_find(ctx, graph, of.facts, of.groups, &lines));
    const bypass_line *line = &lines->lines[0];
    assert_null(lines->reason[0]);
    assert_true(line->producer == 0 && line->x == x && line->z == z && line->h == h);
    assert_true(line->n_readers == 2 && line->readers[0] == 1 && line->readers[1] == 2);
    assert_false(line->padded);
    bypass_lines_free(ctx, lines);
    study_end(&of);
    coset_graph_free(ctx, net.b.graph);
}

/* ---- costs -------------------------------------------------------------------------------------- */

/* A net of plain layers of random forms and widths, one of which has two readers. */
static box_net random_net(rng *random, bool conv)
{
    box_net net = net_start(ctx, rng_u64(random));
    int64_t in = 2 + rng_below(random, 6), n = 2 + rng_below(random, 4),
            twice = rng_below(random, n);
    char dims[32];
    snprintf(dims, sizeof dims, conv ? "2 %d 9 9" : "5 %d", (int)in);
    int32_t x = build_input(&net.b, "x", COSET_F32, dims);
    for (int64_t l = 0; l < n; l++) {
        layer_spec at = {.form = conv ? CONV : (layer_form)rng_below(random, 4),
                         .in = in,
                         .out = 2 + rng_below(random, 20),
                         .kernel = conv && rng_uniform(random) < 0.3 ? 2 : 1,
                         .plain = rng_uniform(random) < 0.3};
        if (l == twice) build_output(&net.b, net_layer(&net, x, at));
        x = net_layer(&net, x, at);
        if (l + 1 < n) x = net_unary(&net, "Tanh", x);
        in = at.out;
    }
    net_finish(&net, x);
    return net;
}

/* How often each weight is used: places of the output. */
static double uses_of(const studied *of, int64_t c)
{
    const contraction *at = &of->groups->contractions[c];
    const shape *y = &graph_fact(of->facts, at->output)->shape;
    return (double)(shape_product(y, 0, y->rank) / y->dims[at->output_axis]);
}

/* Groups as they are, cut, or bypassed in part or whole; kept and bypassed tell what became of them. */
static coset_plan *random_plan(const studied *of, const bypass_lines *lines, rng *random,
                               int64_t *kept, bool *bypassed)
{
    coset_plan *plan = NULL;
    study_expect(ctx, plan_new(ctx, of->graph, of->groups, &plan));
    for (int64_t g = 0; g < plan->n_groups; g++) {
        int64_t choice = rng_below(random, 3);
        kept[g] = of->groups->groups[g].n;
        bypassed[g] = false;
        if (of->groups->groups[g].frozen != NULL || choice == 0) continue;
        if (choice == 1) {
            plan->groups[g].map = study_lumping(ctx, random, kept[g]);
        } else if (lines->lines[g].producer >= 0) {
            net_bypass_any(ctx, random, plan, g);
            for (int64_t u = 0; u < plan->groups[g].map->n; u++)
                if (plan->groups[g].map->block[u] < 0)
                    plan->groups[g].map->slope[u] = plan->groups[g].map->shift[u] =
                        rng_normal(random);
        } else {
            continue;
        }
        bypassed[g] = choice == 2 && plan->groups[g].map->k < kept[g];
        kept[g] = plan->groups[g].map->k;
    }
    return plan;
}

enum { MAX_GROUPS = 16 };

/* What the written model has: exactly, unless a line is cheaper at a lower rank. */
static void test_costs_of_models(void **state)
{
    int exact = 0, cheaper = 0;
    rng random = rng_seed(21, 0);
    (void)state;
    for (int round = 0; round < 200; round++) {
        box_net net = random_net(&random, round % 2 == 1);
        studied of = study(ctx, net.b.graph);
        bypass_lines *lines = NULL;
        bypass_costs *params = NULL, *macs = NULL;
        int64_t kept[MAX_GROUPS];
        bool bypassed[MAX_GROUPS];
        double ones[MAX_GROUPS], uses[MAX_GROUPS];
        assert_true(of.groups->n <= MAX_GROUPS && of.groups->n_contractions <= MAX_GROUPS);
        for (int64_t c = 0; c < of.groups->n_contractions; c++) {
            ones[c] = 1;
            uses[c] = uses_of(&of, c);
        }
        study_expect(ctx, bypass_lines_find(ctx, of.graph, of.facts, of.groups, &lines));
        study_expect(ctx, bypass_costs_new(ctx, of.graph, of.groups, lines, ones, 1, &params));
        study_expect(ctx, bypass_costs_new(ctx, of.graph, of.groups, lines, uses, 0, &macs));
        coset_plan *plan = random_plan(&of, lines, &random, kept, bypassed);
        coset_graph *cut = net_apply(&of, plan);
        coset_graph_size size = {0};
        study_expect(ctx, coset_graph_measure(ctx, cut, &size));
        double found = bypass_cost_of(params, kept, bypassed);
        int64_t layers = 0;
        for (int64_t n = 0; n < cut->n_nodes; n++) layers += cut->nodes[n].op->macs != NULL;
        for (int64_t g = 0; g < of.groups->n; g++) layers += kept[g] == 0;
        if (layers == of.groups->n_contractions) {
            assert_true(found == (double)size.params);
            assert_true(bypass_cost_of(macs, kept, bypassed) == (double)size.macs);
            exact++;
        } else {
            assert_true((double)size.params < found);
            cheaper++;
        }
        coset_graph_free(ctx, cut);
        plan_free(ctx, plan);
        bypass_costs_free(ctx, params);
        bypass_costs_free(ctx, macs);
        bypass_lines_free(ctx, lines);
        study_end(&of);
        coset_graph_free(ctx, net.b.graph);
    }
    assert_true(exact > 50 && cheaper > 20);
}

static void test_savings(void **state)
{
    int64_t compared = 0;
    rng random = rng_seed(22, 0);
    (void)state;
    for (int round = 0; round < 200; round++) {
        box_net net = random_net(&random, round % 2 == 1);
        studied of = study(ctx, net.b.graph);
        bypass_lines *lines = NULL;
        bypass_costs *costs = NULL;
        int64_t kept[MAX_GROUPS];
        bool bypassed[MAX_GROUPS];
        double unit[MAX_GROUPS];
        for (int64_t c = 0; c < of.groups->n_contractions; c++)
            unit[c] = round % 3 == 0 ? uses_of(&of, c) : 1;
        study_expect(ctx, bypass_lines_find(ctx, of.graph, of.facts, of.groups, &lines));
        study_expect(
            ctx, bypass_costs_new(ctx, of.graph, of.groups, lines, unit, round % 3 != 0, &costs));
        plan_free(ctx, random_plan(&of, lines, &random, kept, bypassed));
        for (int64_t g = 0; g < of.groups->n; g++) {
            if (lines->lines[g].producer < 0) {
                assert_true(bypass_saving(costs, g, 1) == 0);
                continue;
            }
            int64_t units = rng_below(&random, kept[g] + 1);
            bool was = bypassed[g];
            double before = bypass_cost_of(costs, kept, bypassed);
            double saved = bypass_saving(costs, g, units);
            kept[g] -= units;
            bypassed[g] = true;
            assert_true(before - bypass_cost_of(costs, kept, bypassed) == saved);
            bypassed[g] = was || rng_below(&random, 2) == 1;
            if (!bypassed[g]) kept[g] += units;
            compared++;
        }
        bypass_costs_free(ctx, costs);
        bypass_lines_free(ctx, lines);
        study_end(&of);
        coset_graph_free(ctx, net.b.graph);
    }
    assert_true(compared > 200);
}

/* The rule of METHODS.md section 6: n (P + Q + 1) - P Q. */
static void test_counting_rule(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 1);
    int32_t x = build_input(&net.b, "x", COSET_F32, "5 4");
    int32_t h = net_relu(&net, x, first);
    studied of = study(ctx, net_finish(&net, net_layer(&net, h, last)));
    const double ones[2] = {1, 1};
    const int64_t kept[2] = {8, 3};
    const bool bypassed[2] = {false, false};
    bypass_lines *lines = NULL;
    bypass_costs *costs = NULL;
    study_expect(ctx, bypass_lines_find(ctx, of.graph, of.facts, of.groups, &lines));
    study_expect(ctx, bypass_costs_new(ctx, of.graph, of.groups, lines, ones, 1, &costs));
    assert_true(bypass_cost_of(costs, kept, bypassed) == 4 * 8 + 8 + 8 * 3 + 3);
    for (int64_t n = 0; n <= 8; n++)
        assert_true(bypass_saving(costs, 0, n) == (double)(n * (4 + 3 + 1) - 4 * 3));
    bypass_costs_free(ctx, costs);
    bypass_lines_free(ctx, lines);
    study_end(&of);
    coset_graph_free(ctx, net.b.graph);
}

static void test_allocation_failures(void **state)
{
    (void)state;
    box_net net = net_start(ctx, 1);
    int32_t x = build_input(&net.b, "x", COSET_F32, "5 4");
    int32_t h = net_relu(&net, x, first);
    build_output(&net.b, net_unary(&net, "Softmax", net_layer(&net, h, last)));
    studied of = study(ctx, net_finish(&net, net_layer(&net, h, last)));
    const double ones[3] = {1, 1, 1};
    coset_status status = COSET_EMEMORY;
    int64_t alive = memory.alive, failed = 0;
    for (int64_t at = 0; status != COSET_OK; at++, failed++) {
        bypass_lines *lines = NULL;
        bypass_costs *costs = NULL;
        memory.fail_from = memory.made + at;
        status = bypass_lines_find(ctx, of.graph, of.facts, of.groups, &lines);
        if (status == COSET_OK)
            status = bypass_costs_new(ctx, of.graph, of.groups, lines, ones, 1, &costs);
        memory.fail_from = -1;
        if (status != COSET_OK) assert_int_equal(status, COSET_EMEMORY);
        bypass_costs_free(ctx, costs);
        bypass_lines_free(ctx, lines);
        assert_int_equal(memory.alive, alive);
    }
    assert_true(failed > 10);
    study_end(&of);
    coset_graph_free(ctx, net.b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lumping_bypass),  cmocka_unit_test(test_compose),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_between),
        cmocka_unit_test(test_costs_of_models), cmocka_unit_test(test_savings),
        cmocka_unit_test(test_counting_rule),   cmocka_unit_test(test_allocation_failures),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
