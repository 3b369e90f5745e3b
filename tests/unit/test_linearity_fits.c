/* What linearity knows of units: rates and fits against brute force, bounds against samples. */
#include "support/cut_graph.h"
#include "support/linalg.h"

#include <math.h>
#include <string.h>

#include "methods/linearity/activity.h"
#include "methods/linearity/bounds.h"

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

static void close_to(double found, double expected, double slack, const char *what)
{
    if (!(fabs(found - expected) <= slack))
        fail_msg("%s is %.17g, not %.17g", what, found, expected);
}

/* ---- fits ------------------------------------------------------------------------------------------- */

enum { UNITS = 12, SAMPLES = 500 };

typedef struct activations {
    float z[SAMPLES][UNITS], h[SAMPLES][UNITS];
    pair_moments *pairs;
    double weight[UNITS];
} activations;

static float leaky(float z, float leak)
{
    return z > 0 ? z : leak * z;
}

/* Units of every kind: unit 0 is always on, unit 1 never, the others somewhere between. tanh: another function. */
static activations *random_activations(uint64_t seed, float leak, bool tanh)
{
    rng random = rng_seed(seed, 0);
    activations *self = calloc(1, sizeof *self);
    assert_non_null(self);
    for (int u = 0; u < UNITS; u++) {
        double offset = u == 0 ? 9 : u == 1 ? -9 : 1.5 * rng_normal(&random);
        self->weight[u] = rng_uniform(&random);
        for (int s = 0; s < SAMPLES; s++) {
            self->z[s][u] = (float)(offset + rng_normal(&random));
            self->h[s][u] = tanh ? tanhf(self->z[s][u]) : leaky(self->z[s][u], leak);
        }
    }
    const moments_view z = {.values = self->z[0], .outer = SAMPLES, .features = UNITS, .inner = 1};
    const moments_view h = {.values = self->h[0], .outer = SAMPLES, .features = UNITS, .inner = 1};
    study_expect(ctx, pair_moments_new(ctx, UNITS, &self->pairs));
    study_expect(ctx, pair_moments_add(ctx, self->pairs, &z, &h));
    study_expect(ctx, pair_moments_finish(ctx, self->pairs));
    return self;
}

static void activations_free(activations *self)
{
    pair_moments_free(ctx, self->pairs);
    free(self);
}

/* Mean of (h - slope z - shift)^2. */
static double mean_residual(const activations *self, int64_t u, double slope, double shift)
{
    double sum = 0;
    for (int s = 0; s < SAMPLES; s++) {
        double d = (double)self->h[s][u] - slope * (double)self->z[s][u] - shift;
        sum += d * d;
    }
    return sum / SAMPLES;
}

/* Heights fall with k, errors are those of the units that have left, and all units are there once. */
static void check_fit(const activations *self, const linear_fit *fit)
{
    bool seen[UNITS] = {false};
    assert_int_equal(fit->n, UNITS);
    assert_true(fit->height[UNITS] == 0 && fit->error[UNITS] == 0);
    for (int64_t k = UNITS - 1; k >= 0; k--) {
        int64_t u = fit->order[k];
        assert_true(u >= 0 && u < UNITS && !seen[u]);
        seen[u] = true;
        assert_true(fit->height[k] >= fit->height[k + 1]);
        double cost = self->weight[u] * mean_residual(self, u, fit->slope[u], fit->shift[u]);
        close_to(fit->error[k] - fit->error[k + 1], cost, 1e-9, "the error of a unit");
    }
}

static void check_rates(float leak, double dead)
{
    activations *self = random_activations(3, leak, false);
    const unit_group group = {.n = UNITS, .function = UNIT_RELU, .leak = leak};
    linear_fit *fit = NULL;
    int idle_units = 0;
    study_expect(ctx, fit_rate(ctx, &group, self->pairs, self->weight, dead, &fit));
    check_fit(self, fit);
    for (int64_t k = 0; k < UNITS; k++) {
        int64_t u = fit->order[k];
        int on = 0;
        double mean_z = 0, mean_h = 0;
        for (int s = 0; s < SAMPLES; s++) {
            on += self->z[s][u] > 0;
            mean_z += (double)self->z[s][u] / SAMPLES;
            mean_h += (double)self->h[s][u] / SAMPLES;
        }
        bool idle = on <= dead * SAMPLES;
        idle_units += idle;
        close_to(fit->height[k], idle ? 0 : (SAMPLES - on) / (double)SAMPLES, 0, "a height");
        close_to(fit->slope[u], idle ? (double)leak : 1, 0, "a slope");
        close_to(fit->shift[u], idle ? mean_h - (double)leak * mean_z : 0, 1e-12, "a shift");
    }
    assert_true(fit->height[UNITS - 2] ==
                0); /* the one that is always on, and the one that never is */
    assert_true(dead == 0 ? idle_units == 1 : idle_units > 1);
    linear_fit_free(ctx, fit);
    activations_free(self);
}

static void test_rates(void **state)
{
    (void)state;
    check_rates(0, 0);
    check_rates(0.25f, 0);
    check_rates(0, 0.4);
    check_rates(0.25f, 0.4);
}

static void test_affine_fits(void **state)
{
    (void)state;
    for (int tanh = 0; tanh < 2; tanh++) {
        activations *self = random_activations(4, 0, tanh == 1);
        linear_fit *fit = NULL, *still = NULL;
        study_expect(ctx, fit_affine(ctx, self->pairs, self->weight, &fit));
        study_expect(ctx, fit_constant(ctx, self->pairs, self->weight, &still));
        check_fit(self, fit);
        check_fit(self, still);
        for (int64_t u = 0; u < UNITS; u++) {
            /* No other line, and no other constant, does better. */
            double least = mean_residual(self, u, fit->slope[u], fit->shift[u]);
            double flat = mean_residual(self, u, 0, still->shift[u]);
            for (int d = 0; d < 4; d++) {
                double step = d % 2 ? 0.01 : -0.01;
                assert_true(least <= mean_residual(self, u, fit->slope[u] + (d < 2 ? step : 0),
                                                   fit->shift[u] + (d < 2 ? 0 : step)));
                assert_true(flat < mean_residual(self, u, 0, still->shift[u] + step));
            }
            assert_true(still->slope[u] == 0 && least <= flat + 1e-12);
        }
        for (int64_t k = 0; k <= UNITS; k++) {
            close_to(fit->height[k], sqrt(fit->error[k]), 1e-15, "a height");
            assert_true(fit->error[k] <= still->error[k] + 1e-12);
        }
        if (tanh == 0) {
            assert_true(fit->slope[0] == 1 && fit->shift[0] == 0);
            assert_true(fit->slope[1] == 0 && fit->shift[1] == 0 && fit->height[UNITS - 2] == 0);
        }
        linear_fit_free(ctx, fit);
        linear_fit_free(ctx, still);
        activations_free(self);
    }
}

/* Functions that are not made of two lines; units that lie on one of them for sure. */
static void test_bounds_of_units(void **state)
{
    (void)state;
    const double low[4] = {0, -1, -3, -1}, high[4] = {5, 0, -2, 1};
    const unit_group relu = {.n = 4, .function = UNIT_RELU, .leak = 0.5f};
    const unit_group other = {.n = 4, .function = UNIT_ODD};
    linear_fit *fit = NULL, *idle = NULL;
    study_expect(ctx, fit_bounds(ctx, &relu, low, high, &fit));
    assert_true(fit->slope[0] == 1 && fit->slope[1] == 0.5 && fit->slope[2] == 0.5);
    assert_int_equal(fit->order[0], 3);
    assert_true(isinf(fit->height[0]) && fit->height[1] == 0 && fit->error[1] == 0);
    study_expect(ctx, fit_idle(ctx, fit, &idle));
    assert_true(isinf(idle->height[3])); /* with a leak no unit is constant */
    linear_fit_free(ctx, idle);
    linear_fit_free(ctx, fit);
    study_expect(ctx, fit_bounds(ctx, &other, low, high, &fit));
    assert_true(isinf(fit->height[3]));
    linear_fit_free(ctx, fit);
}

/* Widths that count the line stand for fewer units. */
static void test_paths(void **state)
{
    (void)state;
    activations *self = random_activations(5, 0, false);
    linear_fit *fit = NULL;
    path *made = NULL;
    lumping *map = NULL;
    int64_t stays[UNITS + 1];
    for (int64_t k = 0; k <= UNITS; k++) stays[k] = k - 4;
    study_expect(ctx, fit_affine(ctx, self->pairs, self->weight, &fit));
    study_expect(ctx, linear_fit_path(ctx, fit, "linearity", stays, &made));
    for (int64_t k = 1; k < UNITS; k++) {
        assert_true(k < 4 ? isinf(made->error[k]) : made->error[k] == fit->error[k - 4]);
        study_expect(ctx, path_lumping(ctx, made, k, &map));
        assert_int_equal(map->k, k < 4 ? 0 : k - 4);
        study_expect(ctx, lumping_check(ctx, map));
        lumping_free(ctx, map);
    }
    assert_true(made->error[UNITS] == 0 && made->height[UNITS] == 0);
    path_free(ctx, made);
    linear_fit_free(ctx, fit);
    activations_free(self);
}

/* ---- bounds ----------------------------------------------------------------------------------------- */

/* Every value of the graph is an output, so that all of them can be looked at. */
static void show_all(builder *b)
{
    for (int64_t v = 0; v < b->graph->n_values; v++)
        if (b->graph->values[v].constant == NULL && !b->graph->values[v].is_input)
            build_output(b, (int32_t)v);
    build_finish(b);
}

/* What samples of the box give lies within the bounds; f32 rounds beside exact arithmetic. Returns the number of
 * values with finite bounds. */
static int check_bounds(const coset_graph *graph, double low, double high)
{
    studied self = study(ctx, graph);
    value_bounds *bounds = NULL;
    int finite = 0;
    study_expect(ctx, bounds_find(ctx, graph, self.groups, low, high, &bounds));
    for (uint64_t seed = 1; seed <= 30; seed++) {
        int64_t count = 0, at = 0;
        double *values = study_run(ctx, graph, seed, true, &count);
        for (int64_t o = 0; o < graph->n_outputs; o++) {
            const shape *dims = &graph_fact(self.facts, graph->outputs[o])->shape;
            const interval_array *of = &bounds->of[graph->outputs[o]];
            int64_t n = shape_product(dims, 0, dims->rank);
            interval_array full = {.rank = 0};
            assert_int_equal(of->rank, dims->rank);
            for (int a = 0; a < dims->rank; a++)
                assert_true(of->dims[a] == 1 || of->dims[a] == dims->dims[a]);
            study_expect(ctx, interval_expand(ctx, of, dims->rank, dims->dims, &full));
            for (int64_t e = 0; e < n; e++) {
                double slack = 1e-5 * (1 + fabs(values[at + e]));
                if (values[at + e] < full.low[e] - slack || values[at + e] > full.high[e] + slack)
                    fail_msg("%s: %g is not in [%g, %g]", graph->values[graph->outputs[o]].name,
                             values[at + e], full.low[e], full.high[e]);
            }
            if (seed == 1) finite += n > 0 && isfinite(full.low[0]) && isfinite(full.high[0]);
            interval_free(ctx, &full);
            at += n;
        }
        free(values);
    }
    bounds_free(ctx, bounds);
    study_end(&self);
    return finite;
}

static int32_t constant(builder *b, rng *random, const char *name, const char *dims)
{
    float values[256];
    shape known = build_shape(dims);
    int64_t n = shape_product(&known, 0, known.rank);
    assert_true(n <= 256);
    for (int64_t i = 0; i < n; i++) values[i] = (float)rng_normal(random);
    return build_constant(b, name, COSET_F32, dims, values);
}

static void ints_attr(builder *b, const char *name, int64_t value, int n)
{
    const int64_t ints[4] = {value, value, value, value};
    graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = ints, .n = n};
    assert_int_equal(graph_add_attr(b->ctx, b->graph, (int32_t)b->graph->n_nodes - 1, &attr),
                     COSET_OK);
}

/* An image network: padding, windows, two branches, quotients, a transposed Gemm. */
static void image_net(builder *b, rng *random)
{
    const float scale[2] = {2, -0.5f}, mean[2] = {0.25f, -1};
    int32_t x = build_input(b, "x", COSET_F32, "2 2 6 6");
    x = build_op(b, "Sub", x, build_constant(b, "mean", COSET_F32, "2 1 1", mean), "centred");
    x = build_op(b, "Div", x, build_constant(b, "scale", COSET_F32, "2 1 1", scale), "scaled");
    int32_t c = build_op(b, "Conv", x, constant(b, random, "k", "5 2 3 3"), "c");
    ints_attr(b, "pads", 1, 4);
    int32_t r = build_op(b, "LeakyRelu", c, -1, "r"), t = build_op(b, "Tanh", c, -1, "t");
    int32_t s = build_op(b, "Add", r, t, "s"), m = build_op(b, "Mul", r, t, "m");
    int32_t both[2] = {s, m}, joined = build_value(b, "joined");
    int32_t node = build_node_n(b, "", "Concat", both, 2, &joined, 1);
    build_int_attr(b, node, "axis", 1);
    int32_t p = build_op(b, "MaxPool", joined, -1, "p");
    ints_attr(b, "kernel_shape", 2, 2);
    ints_attr(b, "strides", 2, 2);
    int32_t a = build_op(b, "AveragePool", p, -1, "a");
    ints_attr(b, "kernel_shape", 2, 2);
    ints_attr(b, "pads", 1, 4);
    int32_t u = build_op(b, "ConvTranspose", p, constant(b, random, "ku", "10 2 2 2"), "u");
    build_op(b, "Sigmoid", u, -1, "su");
    int32_t f = build_op(b, "Flatten", build_op(b, "GlobalAveragePool", a, -1, "g"), -1, "f");
    int32_t w = constant(b, random, "w", "7 10"), bias = constant(b, random, "b", "7");
    int32_t inputs[3] = {f, w, bias}, y = build_value(b, "y");
    node = build_node_n(b, "", "Gemm", inputs, 3, &y, 1);
    build_int_attr(b, node, "transB", 1);
    build_op(b, "Softplus", y, -1, "sp");
    build_op(b, "Transpose", y, -1, "turned");
}

static void test_bounds_hold(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        rng random = rng_seed(seed, 5);
        builder b = build_start(ctx, 13);
        image_net(&b, &random);
        show_all(&b);
        int finite = check_bounds(b.graph, -1, 1);
        assert_int_equal(finite, b.graph->n_outputs); /* every operator here has a rule */
        coset_graph_free(ctx, b.graph);
    }
}

/* Flatten keeps channels apart; an operator without a rule gives no bounds. */
static void test_moves_and_strangers(void **state)
{
    (void)state;
    rng random = rng_seed(4, 5);
    builder b = build_start(ctx, 13);
    const float offset[2] = {0, 100};
    int32_t x = build_input(&b, "x", COSET_F32, "1 2 3 3");
    int32_t c = build_op(&b, "Add", x, build_constant(&b, "o", COSET_F32, "2 1 1", offset), "c");
    int32_t f = build_op(&b, "Flatten", c, -1, "f"), e = build_op(&b, "Exp", f, -1, "e");
    int32_t w = constant(&b, &random, "w", "18 3");
    build_op(&b, "MatMul", e, w, "y");
    show_all(&b);
    studied self = study(ctx, b.graph);
    value_bounds *bounds = NULL;
    study_expect(ctx, bounds_find(ctx, b.graph, self.groups, -1, 1, &bounds));
    const interval_array *flat = &bounds->of[f];
    assert_int_equal(interval_count(flat), 18);
    close_to(flat->high[8], 1, 1e-12, "the upper bound of the first channel");
    close_to(flat->low[9], 99, 1e-12, "the lower bound of the second");
    assert_true(isinf(bounds->of[e].low[0]) && isinf(bounds->of[e].high[0]));
    bounds_free(ctx, bounds);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

/* One layer: the corner of the box where every term is largest attains the bound. Exact where nothing is rounded. */
static void test_bounds_are_tight(void **state)
{
    (void)state;
    const float w[6] = {1, -2, 0.5f, 0, 4, 0}, bias[3] = {0.25f, -6, 0};
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "1 2");
    int32_t inputs[3] = {x, build_constant(&b, "w", COSET_F32, "2 3", w),
                         build_constant(&b, "b", COSET_F32, "3", bias)};
    int32_t z = build_value(&b, "z");
    build_node_n(&b, "", "Gemm", inputs, 3, &z, 1);
    build_output(&b, z);
    build_finish(&b);
    studied self = study(ctx, b.graph);
    value_bounds *bounds = NULL;
    const double low[3] = {0.25, -10, 0}, high[3] = {2.25, 2, 1};
    study_expect(ctx, bounds_find(ctx, b.graph, self.groups, 0, 2, &bounds));
    const interval_array *of = &bounds->of[z];
    for (int o = 0; o < 3; o++) { /* z = (x0, -2 x0 + 4 x1, x0 / 2) + bias */
        assert_true(of->low[o] <= low[o] && of->high[o] >= high[o]);
        close_to(of->low[o], low[o], 1e-13, "a lower bound");
        close_to(of->high[o], high[o], 1e-13, "an upper bound");
    }
    assert_true(of->low[2] ==
                0); /* zero is not rounded: what is never negative is known not to be */
    bounds_free(ctx, bounds);
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

static void test_intervals(void **state)
{
    (void)state;
    rng random = rng_seed(1, 1);
    static const interval_function functions[] = {interval_add, interval_subtract,
                                                  interval_multiply, interval_divide};
    for (int trial = 0; trial < 20000; trial++) {
        double a[2], b[2], low = 0, high = 0;
        for (int i = 0; i < 2; i++) {
            a[i] = rng_normal(&random) * pow(10, rng_uniform(&random) * 20 - 10);
            b[i] = rng_normal(&random) * pow(10, rng_uniform(&random) * 20 - 10);
        }
        if (a[0] > a[1]) a[1] = a[0];
        if (b[0] > b[1]) b[1] = b[0];
        for (int f = 0; f < 4; f++) {
            functions[f](a, b, &low, &high);
            for (int corner = 0; corner < 4; corner++) {
                long double x = (long double)a[corner & 1], y = (long double)b[corner >> 1];
                long double exact = f == 0 ? x + y : f == 1 ? x - y : f == 2 ? x * y : x / y;
                assert_true((long double)low <= exact && exact <= (long double)high);
            }
        }
    }
    const double zero[2] = {0, 0}, any[2] = {-(double)INFINITY, (double)INFINITY}, one[2] = {0, 1};
    double low = 0, high = 0;
    interval_multiply(zero, any, &low, &high);
    assert_true(low == 0 && high == 0);
    interval_add(any, any, &low, &high);
    assert_true(isinf(low) && isinf(high) && low < high);
    interval_divide(one, one, &low, &high);
    assert_true(isinf(low) && isinf(high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_affine_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds_of_units, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_moves_and_strangers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds_are_tight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_intervals, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
