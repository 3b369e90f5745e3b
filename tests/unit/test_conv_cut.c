/* Unit groups through convolutions: which channels belong together, and that cutting planted duplicates
 * and planted zeros leaves the function of random convolutional graphs as it was. */
#include "support/cut_graph.h"

enum { GRAPHS = 300, LAYERS = 6, BATCH = 2 };

/* f32 sums of up to a few hundred terms in another order, through some ten layers. */
#define TOLERANCE 5e-5

static counted_memory memory;
static coset_ctx *ctx;

static int start(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* A graph being built: images [BATCH, channels, size, size] at `value`. */
typedef struct net {
    builder b;
    rng random;
    int names;
    int32_t value;
    int64_t channels, size;
} net;

static const char *fresh_name(net *self, const char *stem)
{
    static char name[64];
    snprintf(name, sizeof name, "%s_%d", stem, self->names++);
    return name;
}

static int32_t constant(net *self, const char *stem, int rank, const int64_t *dims, double spread,
                        double centre)
{
    char text[SHAPE_TEXT] = "";
    int64_t n = 1;
    for (int a = 0; a < rank; a++) {
        n *= dims[a];
        snprintf(text + strlen(text), sizeof text - strlen(text), "%lld ", (long long)dims[a]);
    }
    float *values = calloc((size_t)n, sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)(centre + spread * rng_normal(&self->random));
    int32_t value = build_constant(&self->b, fresh_name(self, stem), COSET_F32, text, values);
    free(values);
    return value;
}

static int32_t vector(net *self, const char *stem, int64_t n, double spread, double centre)
{
    return constant(self, stem, 1, &n, spread, centre);
}

static net begin(uint64_t seed, int64_t channels, int64_t size)
{
    char text[64];
    net self = {.random = rng_seed(seed, 3), .channels = channels, .size = size};
    self.b = build_start(ctx, 13);
    snprintf(text, sizeof text, "%d %d %d %d", BATCH, (int)channels, (int)size, (int)size);
    self.value = build_input(&self.b, "x", COSET_F32, text);
    return self;
}

static void set_ints(net *self, int32_t node, const char *name, int64_t n, int64_t value)
{
    int64_t values[4] = {value, value, value, value};
    graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = values, .n = n};
    assert_int_equal(graph_add_attr(ctx, self->b.graph, node, &attr), COSET_OK);
}

typedef struct layer {
    const char *type; /* Conv or ConvTranspose */
    int64_t out, kernel, stride, pad, groups;
    bool bias;
} layer;

/* Returns the weight. */
static int32_t add_layer(net *self, const layer *at)
{
    bool transposed = strcmp(at->type, "ConvTranspose") == 0;
    int64_t in = self->channels;
    const int64_t conv[4] = {at->out, in / at->groups, at->kernel, at->kernel};
    const int64_t back[4] = {in, at->out / at->groups, at->kernel, at->kernel};
    double spread = 1 / sqrt((double)(in / at->groups * at->kernel * at->kernel));
    int32_t inputs[3] = {self->value, constant(self, "w", 4, transposed ? back : conv, spread, 0),
                         -1};
    if (at->bias) inputs[2] = vector(self, "b", at->out, 0.3, 0);
    int32_t y = build_value(&self->b, fresh_name(self, "conv"));
    int32_t node = build_node_n(&self->b, "", at->type, inputs, at->bias ? 3 : 2, &y, 1);
    set_ints(self, node, "strides", 2, at->stride);
    set_ints(self, node, "pads", 4, at->pad);
    if (at->groups > 1) build_int_attr(&self->b, node, "group", at->groups);
    self->size = transposed ? (self->size - 1) * at->stride + at->kernel - 2 * at->pad
                            : (self->size + 2 * at->pad - at->kernel) / at->stride + 1;
    self->channels = at->out;
    self->value = y;
    return inputs[1];
}

static int32_t add_conv(net *self, int64_t out, int64_t groups)
{
    return add_layer(self, &(layer){"Conv", out, 3, 1, 1, groups, true});
}

static void add_relu(net *self)
{
    self->value = build_op(&self->b, "Relu", self->value, -1, fresh_name(self, "relu"));
}

static void add_normalisation(net *self)
{
    int64_t c = self->channels;
    int32_t inputs[5] = {self->value, vector(self, "scale", c, 0.2, 1),
                         vector(self, "shift", c, 0.2, 0), vector(self, "mean", c, 0.2, 0),
                         vector(self, "var", c, 0.1, 2)};
    int32_t y = build_value(&self->b, fresh_name(self, "bn"));
    build_node_n(&self->b, "", "BatchNormalization", inputs, 5, &y, 1);
    self->value = y;
}

/* The head: channels times positions to three outputs, which are frozen. */
static const coset_graph *finish(net *self)
{
    int64_t dims[2] = {self->channels * self->size * self->size, 3};
    int32_t flat = build_op(&self->b, "Flatten", self->value, -1, fresh_name(self, "flat"));
    int32_t w = constant(self, "head", 2, dims, 1 / sqrt((double)dims[0]), 0);
    build_output(&self->b, build_op(&self->b, "MatMul", flat, w, "y"));
    return build_finish(&self->b);
}

/* ---- random graphs ----------------------------------------------------------------------------- */

static void add_random(net *self)
{
    int64_t c = self->channels, wide = 2 + rng_below(&self->random, 6);
    int32_t before = self->value;
    switch (rng_below(&self->random, 9)) {
    case 0: add_conv(self, wide, 1); break;
    case 1: /* depthwise, with one or two outputs for each channel */
        add_layer(self, &(layer){"Conv", c * (1 + rng_below(&self->random, 2)), 3, 1, 1, c, true});
        break;
    case 2: /* groups */
        if (c % 2 == 0)
            add_conv(self, 2 * wide, 2);
        else if (c % 3 == 0)
            add_conv(self, 3 * wide, 3);
        break;
    case 3: /* residual */
        add_conv(self, c, 1);
        self->value = build_op(&self->b, "Add", self->value, before, fresh_name(self, "sum"));
        break;
    case 4: /* concatenated along channels */
        add_conv(self, wide, 1);
        self->value = build_op(&self->b, "Concat", before, self->value, fresh_name(self, "both"));
        build_int_attr(&self->b, (int32_t)self->b.graph->n_nodes - 1, "axis", 1);
        self->channels += c;
        break;
    case 5: add_normalisation(self); break;
    case 6: add_relu(self); break;
    case 7:
        add_layer(self, &(layer){"ConvTranspose", wide, 2, 1 + rng_below(&self->random, 2), 0, 1,
                                 rng_below(&self->random, 2) != 0});
        break;
    default: /* transposed and depthwise, then back */
        add_layer(self, &(layer){"ConvTranspose", c, 2, 2, 0, c, true});
        add_layer(self, &(layer){"Conv", wide, 2, 2, 0, 1, false});
    }
}

static int graphs_cut, groups_cut, grouped_cut;

static void try_graph(uint64_t seed)
{
    net made = begin(seed, 2 + (int64_t)(seed % 3), 5);
    add_conv(&made, 2 + rng_below(&made.random, 7), 1);
    for (int i = 0; i < LAYERS; i++) add_random(&made);
    studied self = study(ctx, finish(&made));
    coset_plan *plan = NULL;
    study_expect(ctx, plan_new(ctx, self.graph, self.groups, &plan));
    int cut = 0;
    for (int64_t g = 0; g < self.groups->n; g++) {
        const unit_group *group = &self.groups->groups[g];
        if (group->frozen != NULL || rng_uniform(&made.random) > 0.8) continue;
        plan->groups[g].map = study_lumping(ctx, &made.random, group->n);
        cut++;
    }
    if (study_plant(&self, plan)) {
        coset_graph *small = NULL;
        coset_status status = plan_apply(ctx, self.graph, self.facts, self.groups, plan, &small);
        if (status != COSET_OK) fail_msg("graph %d: %s", (int)seed, coset_ctx_error(ctx));
        double worst = study_difference(ctx, self.graph, small, seed);
        if (worst > TOLERANCE) fail_msg("graph %d: outputs differ by %g", (int)seed, worst);
        coset_graph_free(ctx, small);
        graphs_cut += cut > 0;
        groups_cut += cut;
        for (int64_t c = 0; c < self.groups->n_contractions; c++)
            grouped_cut += self.groups->contractions[c].groups > 1;
    }
    plan_free(ctx, plan);
    study_end(&self);
    coset_graph_free(ctx, made.b.graph);
}

static void random_graphs_keep_their_function(void **state)
{
    (void)state;
    const char *only = getenv("COSET_SEED");
    for (uint64_t seed = 1; seed <= GRAPHS; seed++)
        if (only == NULL || strtoull(only, NULL, 10) == seed) try_graph(seed);
    printf("%d graphs and %d groups cut, %d convolutions of several groups\n", graphs_cut,
           groups_cut, grouped_cut);
    assert_true(only != NULL ||
                (graphs_cut > GRAPHS * 8 / 10 && groups_cut > GRAPHS && grouped_cut > GRAPHS / 10));
}

/* ---- what belongs together --------------------------------------------------------------------- */

static const group_slot *slot_of(const studied *self, const unit_group *group, int32_t value,
                                 int axis)
{
    for (int32_t s = 0; s < group->n_slots; s++) {
        const label_slot *at = &self->groups->slots[group->slots[s].slot];
        if (at->value == value && at->axis == axis) return &group->slots[s];
    }
    return NULL;
}

static void expect_slot(const studied *self, const unit_group *group, int32_t value, int axis,
                        slot_role role, int64_t repeats)
{
    const group_slot *slot = slot_of(self, group, value, axis);
    assert_non_null(slot);
    assert_int_equal(slot->role, role);
    assert_int_equal(slot->repeats, repeats);
}

static void drop(net *made, studied *self)
{
    study_end(self);
    coset_graph_free(ctx, made->b.graph);
}

static void convolutions_are_contractions(void **state)
{
    (void)state;
    net made = begin(1, 3, 4);
    int32_t first = add_conv(&made, 5, 1);
    add_relu(&made);
    int32_t second = add_layer(&made, &(layer){"ConvTranspose", 4, 2, 2, 0, 1, true});
    studied self = study(ctx, finish(&made));
    assert_int_equal(self.groups->n, 3); /* the two and the head */
    const unit_group *group = &self.groups->groups[0], *next = &self.groups->groups[1];
    assert_int_equal(group->n, 5);
    assert_null(group->frozen);
    assert_int_equal(group->function, UNIT_RELU);
    assert_int_equal(group->n_slots, 3);
    expect_slot(&self, group, first, 0, SLOT_PRODUCER, 1);
    expect_slot(&self, group, second, 0, SLOT_CONSUMER, 1);
    expect_slot(&self, next, second, 1, SLOT_PRODUCER, 1);
    assert_int_equal(next->n, 4);
    const contraction *conv = &self.groups->contractions[0], *back = &self.groups->contractions[1];
    assert_int_equal(conv->weight, first);
    assert_int_equal(conv->input_axis, 1);
    assert_int_equal(conv->output_axis, 1);
    assert_true(conv->bias >= 0 && conv->bias_slot >= 0 && conv->tap_share == 1);
    weight_view view = contraction_weight(self.graph, self.groups, conv);
    assert_int_equal(view.n_out, 5);
    assert_int_equal(view.n_in, 3);
    assert_int_equal(view.n_taps, 9);
    view = contraction_weight(self.graph, self.groups, back);
    assert_int_equal(view.n_out, 4);
    assert_int_equal(view.n_in, 5);
    assert_int_equal(view.n_taps, 4);
    assert_true(back->tap_share == 0.25);
    drop(&made, &self);
}

static void depthwise_convolutions_pass_units(void **state)
{
    (void)state;
    net made = begin(2, 3, 4);
    int32_t first = add_conv(&made, 4, 1), slim = 0, last = 0;
    slim = add_layer(&made, &(layer){"Conv", 8, 3, 1, 1, 4, true});
    last = add_conv(&made, 2, 1);
    studied self = study(ctx, finish(&made));
    const unit_group *group = &self.groups->groups[0];
    assert_int_equal(group->n, 4);
    assert_null(group->frozen);
    assert_int_equal(group->n_slots, 5);
    expect_slot(&self, group, first, 0, SLOT_PRODUCER, 1);
    expect_slot(&self, group, slim, 0, SLOT_SCALE, 2);
    expect_slot(&self, group, last, 1, SLOT_CONSUMER, 2);
    assert_int_equal(group->function, UNIT_OTHER);
    for (int64_t c = 0; c < self.groups->n_contractions; c++)
        assert_int_not_equal(self.groups->contractions[c].weight, slim);
    coset_plan *plan = NULL;
    coset_graph *small = NULL;
    const int64_t kept[2] = {1, 3};
    study_expect(ctx, plan_new(ctx, self.graph, self.groups, &plan));
    study_expect(ctx, lumping_select(ctx, 4, kept, 2, &plan->groups[0].map));
    study_expect(ctx, plan_apply(ctx, self.graph, self.facts, self.groups, plan, &small));
    assert_int_equal(node_attr_int(&small->nodes[1], "group", 0), 2);
    assert_int_equal(small->values[slim].constant->shape.dims[0], 4);
    coset_graph_free(ctx, small);
    plan_free(ctx, plan);
    drop(&made, &self);
}

/* Unit p is channel p of every group. */
static void groups_lose_the_same_channels(void **state)
{
    (void)state;
    net made = begin(3, 3, 4);
    int32_t first = add_conv(&made, 6, 1), middle = add_conv(&made, 8, 2);
    int32_t last = add_conv(&made, 2, 1);
    studied self = study(ctx, finish(&made));
    const unit_group *in = &self.groups->groups[0], *out = &self.groups->groups[1];
    assert_int_equal(in->n, 3);
    assert_int_equal(out->n, 4);
    assert_true(in->frozen == NULL && out->frozen == NULL);
    expect_slot(&self, in, first, 0, SLOT_PRODUCER, 2);
    expect_slot(&self, in, middle, 1, SLOT_CONSUMER, 1);
    expect_slot(&self, out, middle, 0, SLOT_PRODUCER, 2);
    expect_slot(&self, out, last, 1, SLOT_CONSUMER, 2);
    const group_slot *rows = slot_of(&self, in, first, 0);
    for (int64_t u = 0; u < 3; u++) {
        assert_int_equal(rows->index[2 * u], u);
        assert_int_equal(rows->index[2 * u + 1], 3 + u);
    }
    assert_int_equal(self.groups->contractions[1].groups, 2);
    drop(&made, &self);
}

static void expect_frozen(net *made, const char *why)
{
    studied self = study(ctx, finish(made));
    const unit_group *group = &self.groups->groups[0];
    assert_non_null(group->frozen);
    if (strstr(group->frozen, why) == NULL) fail_msg("'%s' is not '%s'", group->frozen, why);
    drop(made, &self);
}

static void what_convolutions_freeze(void **state)
{
    (void)state;
    net made = begin(4, 2, 4);
    add_conv(&made, 6, 1); /* transposed with groups */
    add_layer(&made, &(layer){"ConvTranspose", 4, 2, 1, 0, 2, true});
    expect_frozen(&made, "transposed");

    made = begin(5, 2, 4);
    add_conv(&made, 4, 1); /* units that slide: channels on the last axis */
    int32_t turned = build_value(&made.b, "turned");
    int32_t node = build_node_n(&made.b, "", "Transpose", &made.value, 1, &turned, 1);
    const int64_t order[4] = {0, 2, 3, 1};
    graph_attr perm = {.name = "perm", .kind = ATTR_INTS, .ints = order, .n = 4};
    assert_int_equal(graph_add_attr(ctx, made.b.graph, node, &perm), COSET_OK);
    made.value = turned;
    add_conv(&made, 2, 1);
    expect_frozen(&made, "slides");

    made = begin(6, 2, 4);
    add_conv(&made, 4, 1); /* the weight is an activation */
    int32_t inputs[2] = {made.value, made.value}, y = build_value(&made.b, "own");
    build_node_n(&made.b, "", "Conv", inputs, 2, &y, 1);
    assert_int_equal(BATCH, 2); /* filters, and channels of y */
    made.value = y;
    made.channels = BATCH;
    made.size = 1;
    expect_frozen(&made, "another activation");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs_keep_their_function),
        cmocka_unit_test(convolutions_are_contractions),
        cmocka_unit_test(depthwise_convolutions_pass_units),
        cmocka_unit_test(groups_lose_the_same_channels),
        cmocka_unit_test(what_convolutions_freeze),
    };
    return cmocka_run_group_tests(tests, start, end);
}
