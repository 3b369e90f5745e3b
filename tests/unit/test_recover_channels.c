/* Refits by channels: layers whose inputs x taps are too many. */
#include "support/recovery.h"

#include "lump/sites.h"

/* ---- networks ------------------------------------------------------------------------------------- */

enum { SCALE = 5, BIG = SIDE * SCALE }; /* images that windows of 27 x 27 fit in */

/* Units 3 and 5 of a transposed convolution become combinations of others. */
static void plant(builder *b, int32_t y, float offset)
{
    const graph_node *node = &b->graph->nodes[b->graph->values[y].producer];
    const tensor *weight = b->graph->values[node->inputs[1]].constant;
    float *w = (float *)(uintptr_t)weight->data;
    float *bias = (float *)(uintptr_t)b->graph->values[node->inputs[2]].constant->data;
    int64_t taps = shape_product(&weight->shape, 2, 4), n = weight->shape.dims[1];
    for (int i = 0; i < 2; i++) {
        int first = i, second = 2 + 2 * i, to = 3 + 2 * i;
        for (int64_t c = 0; c < weight->shape.dims[0]; c++)
            for (int64_t t = 0; t < taps; t++) {
                float *at = w + c * n * taps + t;
                at[to * taps] = 0.5f * at[first * taps] - 1.5f * at[second * taps];
            }
        bias[to] = 0.5f * bias[first] - 1.5f * bias[second] + offset;
    }
}

/* x -> 6 channels, `scale` times as large. */
static int32_t enlarged(builder *b, rng *random, int32_t x, int64_t scale)
{
    const conv_shape larger = {CHANNELS, WIDTH, 5, scale, 0, 1, 1},
                     same = {CHANNELS, WIDTH, 5, 1, 2, 1, 1};
    return convolve_by(b, random, "ConvTranspose", x, scale > 1 ? larger : same, "z1");
}

static int32_t dense(builder *b, rng *random, int32_t x, int inputs, int outputs, bool bias,
                     const char *name)
{
    char dims[32], text[32];
    snprintf(dims, sizeof dims, "%d %d", inputs, outputs);
    snprintf(text, sizeof text, "w%s", name);
    int32_t w = random_constant(b, random, text, dims, sqrt(2.0 / inputs));
    if (!bias) return build_op(b, "MatMul", x, w, name);
    snprintf(dims, sizeof dims, "%d", outputs);
    snprintf(text, sizeof text, "b%s", name);
    int32_t operands[3] = {x, w, random_constant(b, random, text, dims, 0.3)};
    int32_t y = build_value(b, name);
    build_node_n(b, "", "Gemm", operands, 3, &y, 1);
    return y;
}

/* The layers that are looked at. */
typedef enum wide_layer {
    WIDE_CONV,   /* 6 x 27 x 27 = 4374 columns */
    WIDE_DENSE,  /* 6 x 30 x 30 = 5400 inputs behind a Flatten */
    WIDE_MATMUL, /* the same without a bias */
    TRANSPOSED   /* a convolution with as many taps */
} wide_layer;

static int32_t wide(builder *b, rng *random, int32_t x, wide_layer kind, const char *name)
{
    const conv_shape wide_conv = {WIDTH, 4, 27, 1, 0, 1, 1},
                     transposed = {WIDTH, 4, 27, 2, 1, 1, 1};
    if (kind == WIDE_CONV) return conv(b, random, x, wide_conv, name);
    if (kind == TRANSPOSED) return convolve_by(b, random, "ConvTranspose", x, transposed, name);
    return dense(b, random, build_op(b, "Flatten", x, -1, "flat"), WIDTH * BIG * BIG, 4,
                 kind == WIDE_DENSE, name);
}

static builder start(int32_t *x_out)
{
    builder b = build_start(ctx, 13);
    *x_out = build_input(&b, "x", COSET_F32, "? 2 6 6");
    return b;
}

/* x -> 6 channels, two of them combinations -> the layer -> output. */
static builder planted(wide_layer kind, float offset)
{
    rng random = rng_seed(9, 3);
    int32_t x = -1;
    builder b = start(&x);
    int32_t h = enlarged(&b, &random, x, kind == TRANSPOSED ? 1 : SCALE);
    build_output(&b, wide(&b, &random, h, kind, "y"));
    build_finish(&b);
    plant(&b, h, offset);
    return b;
}

/* ---- what is not lost ------------------------------------------------------------------------------ */

static const layer_target *target_of(const cut_model *self, const char *result)
{
    for (int64_t t = 0; t < self->targets->n; t++)
        if (strcmp(self->b.graph->values[self->targets->layers[t].result].name, result) == 0)
            return &self->targets->of[t];
    fail_msg("no target of %s", result);
    return NULL;
}

static void expect_restored(cut_model *self)
{
    coset_graph *refitted = NULL;
    double before = relative_error(self->small, self->b.graph);
    expect(reconstruct(ctx, self->plan, self->targets, self->small, 1e-9, &refitted));
    double after = relative_error(refitted, self->b.graph);
    assert_true(before > 0.05);
    if (!(after < 1e-4)) fail_msg("%g", after); /* f32 weights, and a ridge of 1e-9 */
    coset_graph_free(ctx, refitted);
}

static void check_restored(wide_layer kind, float offset)
{
    const int64_t keep[4] = {0, 1, 2, 4};
    bool flat = kind == WIDE_DENSE || kind == WIDE_MATMUL;
    cut_model self = cut_first(planted(kind, offset), keep, 4);
    const layer_target *of = target_of(&self, "y");
    assert_true(of->by_channels);
    assert_int_equal(of->channels.n, WIDTH);
    assert_int_equal(of->channels.repeats, flat ? BIG * BIG : 1);
    assert_int_equal(of->choice.rows, kind == TRANSPOSED ? SAMPLES * SIDE * SIDE : 8192);
    expect_restored(&self);
    cut_end(&self);
}

static void test_combinations_are_restored(void **state)
{
    (void)state;
    check_restored(WIDE_CONV, 0.4f);
    check_restored(WIDE_DENSE, 0.4f);
    /* Without an offset: the one has no bias that could take it, and the taps of the other do not all
     * meet in every result. */
    check_restored(WIDE_MATMUL, 0);
    check_restored(TRANSPOSED, 0);
}

/* A channel that is lost is made up for by one of another group that the layer reads, too; inputs of no
 * group stay. */
static void test_groups_stand_in_for_each_other(void **state)
{
    (void)state;
    rng random = rng_seed(9, 4);
    int32_t x = -1, both = -1;
    builder b = start(&x);
    const conv_shape point = {CHANNELS, WIDTH, 1, 1, 0, 1, 1};
    int32_t first = conv(&b, &random, x, point, "z1"), other = conv(&b, &random, x, point, "z2");
    for (int i = 1; i < 3;
         i++) { /* weight and bias: units 1 and 2 of one are 4 and 5 of the other */
        const graph_node *nodes = b.graph->nodes;
        int64_t size = i == 1 ? CHANNELS : 1;
        float *to = (float *)(uintptr_t)b.graph->values[nodes[0].inputs[i]].constant->data;
        const float *from = b.graph->values[nodes[1].inputs[i]].constant->data;
        memcpy(to + size, from + 4 * size, (size_t)(2 * size) * sizeof *to);
    }
    int32_t operands[3] = {build_op(&b, "Relu", first, -1, "h1"), x,
                           build_op(&b, "Relu", other, -1, "h2")};
    both = build_value(&b, "both");
    int32_t node = build_node_n(&b, "", "Concat", operands, 3, &both, 1);
    build_int_attr(&b, node, "axis", 1);
    build_output(&b, convolve_by(&b, &random, "ConvTranspose", both,
                                 (conv_shape){2 * WIDTH + CHANNELS, 4, 19, 2, 1, 1, 1}, "y"));
    build_finish(&b);
    const int64_t keep[4] = {0, 3, 4, 5};
    cut_model self = cut_first(b, keep, 4);
    assert_int_equal(target_of(&self, "y")->channels.n, 2 * WIDTH);
    assert_int_equal(target_of(&self, "y")->channels.width, 2 * WIDTH + CHANNELS);
    expect_restored(&self);
    cut_end(&self);
}

/* ---- what is lost ---------------------------------------------------------------------------------- */

/* A least-squares lift of one group, and the model that the plan makes then. */
static void lift(cut_model *self, int64_t group)
{
    calibration *stats = NULL;
    group_sites *sites = NULL;
    expect(calibration_collect(ctx, self->b.graph, self->s.facts, self->s.groups, &source,
                               &one_image, 0, &stats));
    expect(group_sites_new(ctx, self->b.graph, self->s.groups, stats, group, &sites));
    expect(group_sites_lift(ctx, sites, 1e-3, self->plan->groups[group].map));
    group_sites_free(ctx, sites);
    calibration_free(ctx, stats);
    coset_graph_free(ctx, self->small);
    expect(plan_apply(ctx, self->b.graph, self->s.facts, self->s.groups, self->plan, &self->small));
}

static void leave_all_but(cut_model *self, const char *result)
{
    for (int64_t t = 0; t < self->targets->n; t++)
        if (&self->targets->of[t] != target_of(self, result)) self->targets->of[t].choice.rows = 0;
}

/* x -> 6 channels -> 6 -> the layer, which alone has a target. Two of the first channels are combinations
 * of those that are kept, which nothing makes up for yet; those that the layer reads are merged and lifted. */
static cut_model cut_deep(wide_layer kind, bool linear)
{
    const int64_t keep[4] = {0, 1, 2, 4}, block[WIDTH] = {0, 0, 1, 2, 2, 3};
    rng random = rng_seed(9, 6);
    int32_t x = -1;
    builder b = start(&x);
    int32_t first = enlarged(&b, &random, x, kind == TRANSPOSED ? 1 : SCALE);
    int32_t h = conv(&b, &random, first, (conv_shape){WIDTH, WIDTH, 1, 1, 0, 1, 1}, "z2");
    if (!linear) h = build_op(&b, "Relu", h, -1, "h2");
    build_output(&b, wide(&b, &random, h, kind, "y"));
    build_finish(&b);
    plant(&b, first, 0.4f);
    cut_model self = cut_first(b, keep, 4);
    expect(lumping_merge(ctx, WIDTH, block, 4, &self.plan->groups[1].map));
    lift(&self, 1);
    leave_all_but(&self, "y");
    return self;
}

static void test_errors_of_earlier_layers_are_made_up_for(void **state)
{
    (void)state;
    static const struct {
        wide_layer kind;
        bool linear;
        double most;                      /* of the error, on other samples */
    } cases[] = {{WIDE_CONV, true, 1e-4}, /* nothing is lost but for a ridge of 1e-6 */
                 {WIDE_DENSE, true, 1e-4},
                 {WIDE_CONV, false, 0.8},
                 {WIDE_DENSE, false, 0.8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cut_model self = cut_deep(cases[i].kind, cases[i].linear);
        coset_graph *refitted[2] = {NULL, NULL};
        double before = relative_error_on(&held_out, self.small, self.b.graph);
        for (int k = 0; k < 2; k++)
            expect(reconstruct(ctx, self.plan, self.targets, self.small, 1e-6, &refitted[k]));
        double after = relative_error_on(&held_out, refitted[0], self.b.graph);
        if (!(after < cases[i].most * before))
            fail_msg("case %d: %g, was %g", (int)i, after, before);
        assert_true(relative_error(refitted[0], refitted[1]) == 0);
        coset_graph_free(ctx, refitted[0]);
        coset_graph_free(ctx, refitted[1]);
        cut_end(&self);
    }
}

/* ---- what is left alone ---------------------------------------------------------------------------- */

static const tensor *constant_of(const coset_graph *graph, const char *name)
{
    for (int64_t v = 0; v < graph->n_values; v++)
        if (strcmp(graph->values[v].name, name) == 0) return graph->values[v].constant;
    fail_msg("no constant %s", name);
    return NULL;
}

/* Too many channels, and channels of unequally many places. */
static void test_other_layers_keep_the_lift(void **state)
{
    (void)state;
    enum { MANY = COLUMNS_MAX + 1 };
    rng random = rng_seed(9, 6);
    int32_t x = -1;
    builder b = start(&x);
    int32_t flat = build_op(&b, "Flatten", x, -1, "flat x");
    int32_t h = build_op(&b, "Relu", enlarged(&b, &random, x, SCALE), -1, "h1");
    int32_t g = build_op(&b, "Relu", dense(&b, &random, flat, IMAGE, MANY, true, "z2"), -1, "h2");
    int32_t operands[2] = {build_op(&b, "Flatten", h, -1, "flat h"), g}, both = -1;
    both = build_value(&b, "both");
    int32_t node = build_node_n(&b, "", "Concat", operands, 2, &both, 1);
    build_int_attr(&b, node, "axis", 1);
    build_output(&b, dense(&b, &random, both, WIDTH * BIG * BIG + MANY, 2, true, "y1"));
    build_output(&b, dense(&b, &random, g, MANY, 2, true, "y2"));
    build_finish(&b);
    const int64_t keep[4] = {0, 2, 3, 5};
    cut_model self = cut_first(b, keep, 4);
    coset_graph *refitted = NULL;
    assert_true(target_of(&self, "y1")->by_channels);
    assert_int_equal(target_of(&self, "y1")->choice.rows, 0);
    assert_int_equal(target_of(&self, "y2")->channels.n, MANY);
    assert_int_equal(target_of(&self, "y2")->choice.rows, 0);
    expect(reconstruct(ctx, self.plan, self.targets, self.small, 1e-3, &refitted));
    for (int i = 0; i < 2; i++) {
        static const char *const names[] = {"wy1", "wy2"};
        const tensor *left = constant_of(self.small, names[i]);
        const tensor *found = constant_of(refitted, names[i]);
        assert_int_equal(left->bytes, found->bytes);
        assert_memory_equal(left->data, found->data, left->bytes);
    }
    coset_graph_free(ctx, refitted);
    cut_end(&self);
}

/* ---- memory ---------------------------------------------------------------------------------------- */

static coset_status recover_all(const cut_model *self)
{
    coset_status status = COSET_OK;
    recovery_targets *targets = NULL;
    coset_graph *refitted = NULL;
    TRY(recovery_targets_new(ctx, self->b.graph, self->s.groups, &source, &one_image, &targets));
    TRY(reconstruct(ctx, self->plan, targets, self->small, 1e-3, &refitted));
done:
    recovery_targets_free(ctx, targets);
    coset_graph_free(ctx, refitted);
    return status;
}

static void test_memory_may_run_out(void **state)
{
    (void)state;
    cut_model self = cut_deep(TRANSPOSED, false);
    int64_t before = memory.alive;
    memory.made = 0;
    expect(recover_all(&self));
    int64_t all = memory.made;
    assert_true(all > 100);
    for (int64_t at = 0; at < all; at += at < 50 ? 1 : all / 200 + 1) {
        memory.made = 0;
        memory.at = at;
        coset_status status = recover_all(&self);
        memory.at = -1;
        assert_int_equal(status, COSET_EMEMORY);
        assert_int_equal(memory.alive, before);
    }
    cut_end(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combinations_are_restored),
        cmocka_unit_test(test_groups_stand_in_for_each_other),
        cmocka_unit_test(test_errors_of_earlier_layers_are_made_up_for),
        cmocka_unit_test(test_other_layers_keep_the_lift),
        cmocka_unit_test(test_memory_may_run_out),
    };
    return cmocka_run_group_tests_name("recover channels", tests, set_up, tear_down);
}
