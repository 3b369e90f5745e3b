/* expressiveness: scores against patterns that are stored and compared pair by pair. */
#include "support/cut_graph.h"

#include "lump/sites.h"
#include "methods/method.h"

enum { SAMPLES = 25, CHANNELS = 2, SIDE = 6, WIDTH = 5, PIXELS = CHANNELS * SIDE * SIDE };

static float images[SAMPLES * PIXELS];
static coset_ctx *ctx;

static coset_status fill(coset_ctx *context, void *user, int64_t input, int64_t first,
                         int64_t count, void *out)
{
    (void)context, (void)user, (void)input;
    memcpy(out, images + first * PIXELS, (size_t)(count * PIXELS) * sizeof(float));
    return COSET_OK;
}

/* ---- networks ---------------------------------------------------------------------------------- */

static int32_t random_constant(builder *b, rng *random, const char *name, const char *dims,
                               double deviation)
{
    float w[400];
    shape known = build_shape(dims);
    int64_t n = shape_product(&known, 0, known.rank);
    assert_true(n <= 400);
    for (int64_t k = 0; k < n; k++) w[k] = (float)(deviation * rng_normal(random));
    return build_constant(b, name, COSET_F32, dims, w);
}

/* Units 0 and 1 are shifted down and up by `level`: dead and always on, if that is much. */
static int32_t conv(builder *b, rng *random, int32_t x, const char *dims, float level,
                    const char *name)
{
    char text[2][16];
    float bias[WIDTH] = {-level, level, 0.1f, -0.3f, 0.5f};
    snprintf(text[0], sizeof text[0], "w%s", name);
    snprintf(text[1], sizeof text[1], "b%s", name);
    int32_t y = build_value(b, name);
    int32_t inputs[3] = {x, random_constant(b, random, text[0], dims, 0.4),
                         build_constant(b, text[1], COSET_F32, "5", bias)};
    build_node_n(b, "", "Conv", inputs, 3, &y, 1);
    return y;
}

/* x -> z1 -Relu- h1 -> z2 -Sigmoid- h2 -> z3; z3 + h1 -Relu-> Flatten -> y. z1 and z3 give one group, of which
 * the reader sees every unit at 16 places. */
static builder network(void)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(1, 1);
    int32_t x = build_input(&b, "x", COSET_F32, "? 2 6 6");
    int32_t h1 = build_op(&b, "Relu", conv(&b, &random, x, "5 2 3 3", 1, "z1"), -1, "h1");
    int32_t h2 = build_op(&b, "Sigmoid", conv(&b, &random, h1, "5 5 1 1", 1000, "z2"), -1, "h2");
    int32_t sum = build_op(&b, "Add", conv(&b, &random, h2, "5 5 1 1", 1, "z3"), h1, "s");
    int32_t flat = build_op(&b, "Flatten", build_op(&b, "Relu", sum, -1, "h3"), -1, "f");
    build_output(&b,
                 build_op(&b, "MatMul", flat, random_constant(&b, &random, "w", "80 3", 1), "y"));
    build_finish(&b);
    return b;
}

typedef struct subject {
    builder b;
    studied s;
    calibration *stats;
} subject;

static subject subject_new(builder b, const char *sample, int64_t n)
{
    subject self = {.b = b, .s = study(ctx, b.graph)};
    batch_source source = {n, fill, NULL};
    shape one = build_shape(sample);
    study_expect(ctx, calibration_collect(ctx, b.graph, self.s.facts, self.s.groups, &source, &one,
                                          CALIBRATION_SIGNS, &self.stats));
    return self;
}

static void subject_end(subject *self)
{
    calibration_free(ctx, self->stats);
    study_end(&self->s);
    coset_graph_free(ctx, self->b.graph);
}

/* The path of a group under up to two settings. */
static path *path_of(const subject *on, const char *method, int64_t g,
                     const coset_setting *settings, int64_t n)
{
    path *made = NULL;
    const coset_method *found = method_find(method);
    method_call call = {
        .ctx = ctx, .graph = on->b.graph, .groups = on->s.groups, .stats = on->stats};
    study_expect(ctx, method_configure(found, &call, settings, n));
    study_expect(ctx, found->path(&call, g, NULL, &made));
    assert_non_null(made->score);
    return made;
}

/* ---- the judge --------------------------------------------------------------------------------- */

/* score [WIDTH] += share of the pairs that every channel of a value tells apart, the mean over places. */
static void compare_patterns(const coset_graph *graph, const char *name, double *score)
{
    executor *self = NULL;
    array input = {.dtype = COSET_F32, .shape = build_shape("25 2 6 6"), .f = images};
    int32_t tap = -1;
    for (int32_t v = 0; v < graph->n_values; v++)
        if (strcmp(graph->values[v].name, name) == 0) tap = v;
    assert_true(tap >= 0);
    study_expect(ctx, executor_new(ctx, graph, &input.shape, &tap, 1, &self));
    study_expect(ctx, executor_run(self, &input));
    const array *z = executor_value(self, tap);
    int64_t places = shape_product(&z->shape, 2, 4), pairs = SAMPLES * (SAMPLES - 1) / 2;
    assert_int_equal(z->shape.dims[1], WIDTH);
    for (int64_t u = 0; u < WIDTH; u++)
        for (int64_t p = 0; p < places; p++)
            for (int64_t i = 0; i < SAMPLES; i++)
                for (int64_t j = 0; j < i; j++)
                    if ((z->f[(i * WIDTH + u) * places + p] > 0) !=
                        (z->f[(j * WIDTH + u) * places + p] > 0))
                        score[u] += 1 / (double)(pairs * places);
    executor_free(ctx, self);
}

/* Sums of a few thousand terms in f64. */
static void expect_scores(const path *of, const double *expected)
{
    double mean = 0;
    for (int u = 0; u < WIDTH; u++) mean += expected[u] / WIDTH;
    for (int u = 0; u < WIDTH; u++)
        if (!(fabs(of->score[u] - expected[u] / mean) < 1e-12))
            fail_msg("unit %d scores %.17g instead of %.17g", u, of->score[u], expected[u] / mean);
    for (int k = 1; k < WIDTH; k++)
        assert_true(of->score[of->order[k - 1]] >= of->score[of->order[k]]);
}

/* The group of a contraction's outputs. */
static int64_t group_of(const subject *on, const char *name)
{
    const graph_groups *groups = on->s.groups;
    int64_t unit = 0;
    for (int64_t c = 0; c < groups->n_contractions; c++)
        if (strcmp(on->b.graph->values[groups->contractions[c].result].name, name) == 0)
            return groups_at(groups, groups->contractions[c].out_slot, 0, &unit);
    fail_msg("no contraction gives '%s'", name);
    return -1;
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void scores_are_pairs_told_apart(void **state)
{
    (void)state;
    subject on = subject_new(network(), "2 6 6", SAMPLES);
    double alone[WIDTH] = {0}, both[WIDTH] = {0};
    compare_patterns(on.b.graph, "z2", alone);
    compare_patterns(on.b.graph, "z1", both);
    compare_patterns(on.b.graph, "z3", both); /* the mean of two layers, up to a factor */
    path *inner = path_of(&on, "expressiveness", group_of(&on, "z2"), NULL, 0);
    path *outer = path_of(&on, "expressiveness", group_of(&on, "z1"), NULL, 0);
    assert_int_equal(group_of(&on, "z3"), group_of(&on, "z1"));
    assert_true(alone[0] == 0 && alone[1] == 0 && alone[2] > 0 && alone[2] <= 0.5 * 25 / 24);
    expect_scores(inner, alone);
    expect_scores(outer, both);
    /* Of two that score 0, the one with the higher index goes first. */
    assert_true(inner->order[WIDTH - 1] == 1 && inner->order[WIDTH - 2] == 0);
    assert_true(path_width(inner, 0) == WIDTH - 2);
    path_free(ctx, inner);
    path_free(ctx, outer);
    subject_end(&on);
}

/* alpha = 0 is the importance alone, which needs nothing else; what lies between is the mean of the two. */
static void hybrids_lie_between_their_parts(void **state)
{
    (void)state;
    static const coset_setting norm = {"magnitude.norm", "l2"},
                               structured[2] = {{"wanda.structured", "true"},
                                                {"magnitude.structured", "true"}};
    subject on = subject_new(network(), "2 6 6", SAMPLES);
    for (int64_t g = 0; g < on.s.groups->n; g++) {
        if (on.s.groups->groups[g].frozen != NULL) continue;
        path *signs = path_of(&on, "expressiveness", g, NULL, 0);
        for (int kind = 0; kind < 3; kind++) {
            static const char *const names[] = {"l1", "l2", "wanda"};
            coset_setting mixed[2] = {{"expressiveness.alpha", "0"},
                                      {"expressiveness.importance", names[kind]}};
            coset_setting weights[2] = {kind == 2 ? structured[0] : structured[1], norm};
            path *other =
                path_of(&on, kind == 2 ? "wanda" : "magnitude", g, weights, kind == 1 ? 2 : 1);
            path *none = path_of(&on, "expressiveness", g, mixed, 2);
            mixed[0].value = "0.25";
            path *some = path_of(&on, "expressiveness", g, mixed, 2);
            mixed[0].value = "1";
            path *all = path_of(&on, "expressiveness", g, mixed, 2);
            assert_memory_equal(none->order, other->order, sizeof(int64_t) * WIDTH);
            assert_memory_equal(all->score, signs->score, sizeof(double) * WIDTH);
            assert_memory_equal(all->order, signs->order, sizeof(int64_t) * WIDTH);
            for (int u = 0; u < WIDTH; u++)
                assert_true(fabs(some->score[u] - 0.25 * all->score[u] - 0.75 * none->score[u]) <
                            1e-12);
            path_free(ctx, other);
            path_free(ctx, none);
            path_free(ctx, some);
            path_free(ctx, all);
        }
        path_free(ctx, signs);
    }
    subject_end(&on);
}

static void settings_say_what_is_needed(void **state)
{
    (void)state;
    static const struct {
        const char *alpha, *importance, *scope, *rounds;
        unsigned kinds;
        bool needs_data;
        cut_allocation allocation;
        int n;
    } cases[] = {
        {"1", "wanda", "group", "1", CALIBRATION_SIGNS, true, CUT_BY_SHARE, 1},
        {"0.5", "l1", "global", "50", CALIBRATION_SIGNS, true, CUT_BY_HEIGHT, 50},
        {"0", "l2", "group", "7", 0, false, CUT_BY_SHARE, 7},
        {"0", "wanda", "global", "2", 0, true, CUT_BY_HEIGHT, 2},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        coset_setting settings[4] = {{"expressiveness.alpha", cases[k].alpha},
                                     {"expressiveness.importance", cases[k].importance},
                                     {"expressiveness.scope", cases[k].scope},
                                     {"expressiveness.rounds", cases[k].rounds}};
        method_call call = {.ctx = ctx};
        study_expect(ctx, method_configure(method_find("expressiveness"), &call, settings, 4));
        assert_int_equal(call.kinds, cases[k].kinds);
        assert_int_equal(call.needs_data, cases[k].needs_data);
        assert_int_equal(call.allocation, cases[k].allocation);
        assert_int_equal(call.rounds, cases[k].n);
    }
    static const char *const wrong[] = {"0", "51", "2.5", "some"};
    for (int k = 0; k < 4; k++) {
        coset_setting setting = {"expressiveness.rounds", wrong[k]};
        method_call call = {.ctx = ctx};
        assert_int_equal(method_configure(method_find("expressiveness"), &call, &setting, 1),
                         COSET_EARGUMENT);
        assert_non_null(strstr(coset_ctx_error(ctx), "a whole number from 1 to 50"));
    }
}

/* Units that no contraction gives have no signs: all alike, and none below the average. */
static void units_without_producers_are_alike(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    rng random = rng_seed(3, 3);
    int32_t x = build_input(&b, "x", COSET_F32, "? 2 6 6");
    int32_t flat = build_op(&b, "Flatten", x, -1, "flat");
    int32_t rows = build_op(&b, "Cast", build_op(&b, "ArgMax", flat, -1, "most"), -1, "rows");
    build_int_attr(&b, 1, "axis", 1);
    build_int_attr(&b, 1, "keepdims", 0);
    build_int_attr(&b, 2, "to", COSET_I64);
    int32_t table = random_constant(&b, &random, "table", "72 5", 1);
    int32_t h = build_op(&b, "Relu", build_op(&b, "Gather", table, rows, "row"), -1, "h");
    build_output(&b, build_op(&b, "MatMul", h, random_constant(&b, &random, "w", "5 3", 1), "y"));
    build_finish(&b);
    subject on = subject_new(b, "2 6 6", SAMPLES);
    int64_t found = 0;
    for (int64_t g = 0; g < on.s.groups->n; g++) {
        if (on.s.groups->groups[g].frozen != NULL) continue;
        path *one = path_of(&on, "expressiveness", g, NULL, 0);
        assert_int_equal(one->n, WIDTH);
        for (int u = 0; u < WIDTH; u++) assert_true(one->score[u] == 1 && one->order[u] == u);
        path_free(ctx, one);
        found++;
    }
    assert_int_equal(found, 1);
    subject_end(&on);
}

static int set_up(void **state)
{
    (void)state;
    rng random = rng_seed(2, 2);
    for (int k = 0; k < SAMPLES * PIXELS; k++) images[k] = (float)rng_normal(&random);
    return coset_ctx_new(NULL, &ctx) == COSET_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_pairs_told_apart),
        cmocka_unit_test(hybrids_lie_between_their_parts),
        cmocka_unit_test(settings_say_what_is_needed),
        cmocka_unit_test(units_without_producers_are_alike),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
