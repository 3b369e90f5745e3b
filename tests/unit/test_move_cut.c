/* Cutting behind operators that move data: their own parameters follow, and units that were planted as
 * duplicates or zeros can go without changing any output. */
#include "support/cut_graph.h"

enum { ROUNDS = 40, ROWS = 3, INPUTS = 6 };

/* f32 sums of a few dozen terms in another order. */
#define TOLERANCE 2e-5

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

/* ---- building -------------------------------------------------------------------------------------- */

typedef struct net {
    builder b;
    rng random;
    int names;
    int32_t x; /* [ROWS, INPUTS] */
} net;

static const char *name_of(net *self)
{
    static char name[16];
    snprintf(name, sizeof name, "n%d", self->names++);
    return name;
}

static net begin(int64_t opset, uint64_t seed)
{
    net self = {.b = build_start(ctx, opset), .random = rng_seed(seed, 5)};
    self.x = build_input(&self.b, "x", COSET_F32, "3 6");
    return self;
}

static int32_t matrix(net *self, int64_t n, int64_t m)
{
    float values[1024];
    char dims[32];
    assert_true(n * m <= 1024);
    for (int64_t i = 0; i < n * m; i++) values[i] = (float)rng_normal(&self->random);
    snprintf(dims, sizeof dims, "%d %d", (int)n, (int)m);
    return build_constant(&self->b, name_of(self), COSET_F32, dims, values);
}

static int32_t dense(net *self, int32_t x, int64_t n, int64_t m)
{
    int32_t w = matrix(self, n, m);
    return build_op(&self->b, "MatMul", x, w, name_of(self));
}

static int32_t list(net *self, int n, const int64_t *values)
{
    char dims[16];
    snprintf(dims, sizeof dims, "%d", n);
    return build_constant(&self->b, name_of(self), COSET_I64, dims, values);
}

#define LIST(self, ...)                                                                            \
    list(self, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static int32_t op(net *self, const char *type, int n, const int32_t *inputs)
{
    int32_t y = build_value(&self->b, name_of(self));
    build_node_n(&self->b, "", type, inputs, n, &y, 1);
    return y;
}

#define OP(self, type, ...)                                                                        \
    op(self, type, (int)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)),                      \
       (int32_t[]){__VA_ARGS__})

/* Attributes of the newest node. */
static void set_int(net *self, const char *name, int64_t i)
{
    build_int_attr(&self->b, (int32_t)self->b.graph->n_nodes - 1, name, i);
}

static void set_attr(net *self, graph_attr attr)
{
    assert_int_equal(graph_add_attr(ctx, self->b.graph, (int32_t)self->b.graph->n_nodes - 1, &attr),
                     COSET_OK);
}

static void set_ints(net *self, const char *name, int64_t n, const int64_t *values)
{
    set_attr(self, (graph_attr){.name = name, .kind = ATTR_INTS, .ints = values, .n = n});
}

static void set_text(net *self, const char *name, const char *text)
{
    set_attr(self, (graph_attr){
                       .name = name, .kind = ATTR_STRING, .s = text, .n = (int64_t)strlen(text)});
}

static int32_t joined(net *self, int32_t a, int32_t b)
{
    int32_t y = OP(self, "Concat", a, b);
    set_int(self, "axis", 1);
    return y;
}

/* ---- trials ---------------------------------------------------------------------------------------- */

typedef int32_t (*part)(net *self, int64_t *width_out);

static coset_plan *random_plan(const studied *self, rng *random, int *cut)
{
    coset_plan *plan = NULL;
    study_expect(ctx, plan_new(ctx, self->graph, self->groups, &plan));
    for (int64_t g = 0; g < self->groups->n; g++) {
        const unit_group *group = &self->groups->groups[g];
        if (group->frozen != NULL) continue;
        plan->groups[g].map = study_lumping(ctx, random, group->n);
        *cut += 1;
    }
    return plan;
}

/* Cuts the graph that `build` makes in random ways; at least `least` groups of it may be cut. */
static void try_part(part build, int64_t opset, int least)
{
    int planted = 0;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        net made = begin(opset, seed);
        int64_t width = 0;
        int cut = 0;
        int32_t y = build(&made, &width);
        build_output(&made.b, dense(&made, y, width, 2));
        studied self = study(ctx, build_finish(&made.b));
        coset_plan *plan = random_plan(&self, &made.random, &cut);
        if (cut < least) fail_msg("only %d groups can be cut", cut);
        if (study_plant(&self, plan)) {
            coset_graph *small = NULL;
            study_expect(ctx, plan_apply(ctx, self.graph, self.facts, self.groups, plan, &small));
            double worst = study_difference(ctx, self.graph, small, seed);
            if (worst > TOLERANCE) fail_msg("seed %d: outputs differ by %g", (int)seed, worst);
            coset_graph_free(ctx, small);
            planted++;
        }
        plan_free(ctx, plan);
        study_end(&self);
        coset_graph_free(ctx, made.b.graph);
    }
    assert_true(planted > ROUNDS / 2);
}

/* Every group but the head's is frozen, at least one of them for this reason. */
static void expect_frozen(part build, int64_t opset, const char *reason)
{
    net made = begin(opset, 1);
    int64_t width = 0;
    bool found = false;
    int32_t y = build(&made, &width);
    build_output(&made.b, dense(&made, y, width, 2));
    studied self = study(ctx, build_finish(&made.b));
    for (int64_t g = 0; g < self.groups->n; g++) {
        const char *why = self.groups->groups[g].frozen;
        found = found || (why != NULL && strstr(why, reason) != NULL);
    }
    if (!found) fail_msg("no group is frozen because '%s'", reason);
    study_end(&self);
    coset_graph_free(ctx, made.b.graph);
}

/* ---- Split ----------------------------------------------------------------------------------------- */

static int32_t split(net *self, bool sizes, bool count, int64_t *width_out)
{
    static const int64_t uneven[2] = {3, 6};
    int32_t inputs[2] = {dense(self, self->x, INPUTS, 9), -1}, parts[3], n = 1;
    int n_parts = sizes ? 2 : 3;
    int64_t opset = self->b.graph->opset;
    if (sizes && opset >= 13) inputs[n++] = LIST(self, 3, 6);
    for (int p = 0; p < n_parts; p++) parts[p] = build_value(&self->b, name_of(self));
    build_node_n(&self->b, "", "Split", inputs, n, parts, n_parts);
    set_int(self, "axis", opset >= 11 ? -1 : 1);
    if (sizes && opset < 13) set_ints(self, "split", 2, uneven);
    if (count) set_int(self, "num_outputs", n_parts);
    int32_t first = OP(self, "Relu", parts[0]), last = OP(self, "Tanh", parts[n_parts - 1]);
    *width_out = sizes ? 9 : 6;
    return joined(self, last, first);
}

static int32_t split_sizes(net *self, int64_t *width_out)
{
    return split(self, true, false, width_out);
}

static int32_t split_evenly(net *self, int64_t *width_out)
{
    return split(self, false, false, width_out);
}

static int32_t split_in_three(net *self, int64_t *width_out)
{
    return split(self, false, true, width_out);
}

static void splits(void **state)
{
    (void)state;
    try_part(split_sizes, 7, 2);
    try_part(split_sizes, 11, 2);
    try_part(split_sizes, 13, 2);
    try_part(split_evenly, 9, 2);
    try_part(split_evenly, 13, 2);
    try_part(split_in_three, 18, 2);
}

/* ---- Slice ----------------------------------------------------------------------------------------- */

/* The two halves of h as exporters of chunk() write them: bounds computed from its own shape. */
static void halves(net *self, int32_t h, int32_t *low, int32_t *high)
{
    int32_t dims = OP(self, "Shape", h);
    int32_t width = OP(self, "Gather", dims, LIST(self, 1));
    int32_t half = OP(self, "Div", OP(self, "Add", width, LIST(self, 1)), LIST(self, 2));
    int32_t twice = OP(self, "Mul", half, LIST(self, 2)), axis = LIST(self, 1);
    *low = OP(self, "Slice", h, LIST(self, 0), half, axis);
    *high = OP(self, "Slice", h, half, twice, axis);
}

static int32_t slice_halves(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, 8), low = -1, high = -1;
    halves(self, h, &low, &high);
    *width_out = 12;
    return joined(self, h, OP(self, "Relu", OP(self, "Add", high, dense(self, low, 4, 4))));
}

static int32_t slice_by_attributes(net *self, int64_t *width_out)
{
    static const int64_t starts[2] = {0, -5}, ends[2] = {3, 7};
    int32_t h = OP(self, "Slice", dense(self, self->x, INPUTS, 8));
    set_ints(self, "starts", 2, starts);
    set_ints(self, "ends", 2, ends);
    *width_out = 4;
    return h;
}

/* Odd units, then even ones: a shuffle. */
static int32_t slice_in_steps(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, 9), axis = LIST(self, 1), step = LIST(self, 2);
    int32_t even = OP(self, "Slice", h, LIST(self, 0), LIST(self, INT64_MAX), axis, step);
    int32_t odd = OP(self, "Slice", h, LIST(self, -1), LIST(self, -100), axis, LIST(self, -2));
    *width_out = 10;
    return joined(self, OP(self, "Relu", odd), OP(self, "Tanh", even));
}

static int32_t slice_backwards(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, 7), other = dense(self, self->x, INPUTS, 5);
    int32_t back =
        OP(self, "Slice", h, LIST(self, 5), LIST(self, 0), LIST(self, 1), LIST(self, -1));
    *width_out = 5;
    return OP(self, "Relu", OP(self, "Add", back, other));
}

/* Rows only: units pass. */
static int32_t slice_rows(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, 5);
    *width_out = 5;
    return OP(self, "Slice", h, LIST(self, 1), LIST(self, 3), LIST(self, 0));
}

static void slices(void **state)
{
    (void)state;
    try_part(slice_halves, 13, 2);
    try_part(slice_by_attributes, 9, 1);
    try_part(slice_in_steps, 13, 1);
    try_part(slice_backwards, 13, 2);
    try_part(slice_rows, 11, 1);
}

static const graph_node *find_node(const coset_graph *graph, const char *type, int which)
{
    for (int64_t n = 0; n < graph->n_nodes; n++)
        if (strcmp(graph->nodes[n].op_type, type) == 0 && which-- == 0) return &graph->nodes[n];
    fail_msg("no %s", type);
    return NULL;
}

/* Keeps the first `low` units of the lower half and the first `high` of the upper one. */
static coset_graph *cut_halves(const studied *self, int64_t low, int64_t high)
{
    coset_plan *plan = NULL;
    coset_graph *small = NULL;
    int64_t first[4] = {0, 1, 2, 3};
    study_expect(ctx, plan_new(ctx, self->graph, self->groups, &plan));
    study_expect(ctx, lumping_select(ctx, 4, first, low, &plan->groups[0].map));
    study_expect(ctx, lumping_select(ctx, 4, first, high, &plan->groups[1].map));
    study_expect(ctx, plan_apply(ctx, self->graph, self->facts, self->groups, plan, &small));
    plan_free(ctx, plan);
    return small;
}

static int32_t only_halves(net *self, int64_t *width_out)
{
    int32_t low = -1, high = -1;
    halves(self, dense(self, self->x, INPUTS, 8), &low, &high);
    *width_out = 4;
    return OP(self, "Add", dense(self, OP(self, "Relu", low), 4, 4),
              dense(self, OP(self, "Tanh", high), 4, 4));
}

/* Bounds that a model computes stay its own where they are still right, and only there. */
static void computed_bounds_are_replaced_only_where_they_are_wrong(void **state)
{
    (void)state;
    net made = begin(13, 1);
    int64_t width = 0;
    int32_t y = only_halves(&made, &width);
    build_output(&made.b, dense(&made, y, width, 2));
    studied self = study(ctx, build_finish(&made.b));
    assert_true(self.groups->n >= 2 && self.groups->groups[0].n == 4);
    coset_graph *small = cut_halves(&self, 3, 3);
    for (int s = 0; s < 2; s++)
        assert_true(small->values[find_node(small, "Slice", s)->inputs[2]].producer >= 0);
    coset_graph_free(ctx, small);
    small = cut_halves(&self, 1, 4);
    const graph_node *low = find_node(small, "Slice", 0), *high = find_node(small, "Slice", 1);
    assert_true(small->values[low->inputs[2]].producer < 0);
    assert_int_equal(((const int64_t *)small->values[low->inputs[2]].constant->data)[0], 1);
    assert_int_equal(((const int64_t *)small->values[high->inputs[1]].constant->data)[0], 1);
    assert_int_equal(((const int64_t *)small->values[high->inputs[2]].constant->data)[0], 5);
    coset_graph_free(ctx, small);
    study_end(&self);
    coset_graph_free(ctx, made.b.graph);
}

/* ---- Pad ------------------------------------------------------------------------------------------- */

/* relu(pad(h)) + a wider layer, as in the shortcuts of ResNet-20. */
static int32_t with_shortcut(net *self, int32_t padded, int64_t width, int64_t *width_out)
{
    *width_out = width;
    return OP(self, "Relu", OP(self, "Add", padded, dense(self, self->x, INPUTS, width)));
}

static int32_t pad_shortcut(net *self, int64_t *width_out)
{
    int32_t h = OP(self, "Relu", dense(self, self->x, INPUTS, 4));
    return with_shortcut(self, OP(self, "Pad", h, LIST(self, 0, 2, 0, 3)), 9, width_out);
}

static int32_t pad_by_attributes(net *self, int64_t *width_out)
{
    static const int64_t pads[4] = {0, 3, 0, -1};
    int32_t h = OP(self, "Pad", dense(self, self->x, INPUTS, 4));
    set_ints(self, "pads", 4, pads);
    return with_shortcut(self, h, 6, width_out);
}

/* Nobody adds to the zeros: they stay. */
static int32_t pad_alone(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, 4);
    *width_out = 7;
    return OP(self, "Pad", h, LIST(self, 2, 1), -1, LIST(self, 1));
}

/* As PyTorch exports it: the pads are computed from constants, last axis first. */
static int32_t pad_computed(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, 4);
    int32_t zeros = OP(self, "ConstantOfShape", LIST(self, 2));
    const int64_t zero = 0;
    tensor *value = NULL;
    array one = {.dtype = COSET_I64, .shape = {1, {1}}, .i = (int64_t *)(uintptr_t)&zero};
    assert_int_equal(tensor_from_array(ctx, &one, &value), COSET_OK);
    set_attr(self, (graph_attr){.name = "value", .kind = ATTR_TENSOR, .t = value});
    tensor_release(ctx, value);
    int32_t all = OP(self, "Concat", LIST(self, 2, 3), zeros);
    set_int(self, "axis", 0);
    int32_t rows = OP(self, "Reshape", all, LIST(self, -1, 2));
    int32_t back = OP(self, "Slice", rows, LIST(self, -1), LIST(self, -INT64_MAX), LIST(self, 0),
                      LIST(self, -1));
    int32_t turned = OP(self, "Transpose", back);
    int32_t pads = OP(self, "Reshape", turned, LIST(self, -1));
    return with_shortcut(self, OP(self, "Pad", h, pads), 9, width_out);
}

static int32_t pad_reflect(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, 4);
    *width_out = 6;
    int32_t y = OP(self, "Pad", h, LIST(self, 0, 1, 0, 1));
    set_text(self, "mode", "reflect");
    return y;
}

static int32_t pad_with_one(net *self, int64_t *width_out)
{
    const float one = 1;
    int32_t h = dense(self, self->x, INPUTS, 4);
    int32_t value = build_constant(&self->b, "one", COSET_F32, "", &one);
    *width_out = 6;
    return OP(self, "Pad", h, LIST(self, 0, 1, 0, 1), value);
}

static int32_t pad_rows(net *self, int64_t *width_out)
{
    int32_t y = OP(self, "Pad", dense(self, self->x, INPUTS, 4), LIST(self, 1, 0, 1, 0));
    set_text(self, "mode", "reflect");
    *width_out = 4;
    return y;
}

static void pads(void **state)
{
    (void)state;
    try_part(pad_shortcut, 13, 2);
    try_part(pad_by_attributes, 10, 1);
    try_part(pad_alone, 18, 1);
    try_part(pad_computed, 13, 2);
    try_part(pad_rows, 13, 1);
    expect_frozen(pad_reflect, 13, "copies of its own units");
    expect_frozen(pad_with_one, 13, "not zero");
}

/* Constants that are joined to units have no labels: what meets them must not be cut. */
static int32_t joined_to_constants(net *self, int64_t *width_out)
{
    int32_t h = joined(self, dense(self, self->x, INPUTS, 4), matrix(self, ROWS, 3));
    return with_shortcut(self, h, 7, width_out);
}

static void constants_between_units(void **state)
{
    (void)state;
    expect_frozen(joined_to_constants, 13, "it meets a constant");
}

/* ---- Expand, Tile ---------------------------------------------------------------------------------- */

static int32_t expand_stored(net *self, int64_t *width_out)
{
    int32_t h = OP(self, "Unsqueeze", dense(self, self->x, INPUTS, 5), LIST(self, 1));
    *width_out = 5;
    return OP(self, "Expand", h, LIST(self, ROWS, 2, 5));
}

/* To the shape of something that is cut as well, and of something that is not. */
static int32_t expand_alike(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, 5);
    int32_t y = OP(self, "Expand", h, OP(self, "Shape", OP(self, "Relu", h)));
    *width_out = 5;
    return y;
}

static int32_t expand_unlike(net *self, int64_t *width_out)
{
    int32_t h = dense(self, self->x, INPUTS, INPUTS);
    *width_out = INPUTS;
    return OP(self, "Expand", h, OP(self, "Shape", self->x));
}

static int32_t tile_units(net *self, int64_t *width_out)
{
    *width_out = 10;
    return OP(self, "Tile", dense(self, self->x, INPUTS, 5), LIST(self, 2, 2));
}

static void repetitions(void **state)
{
    (void)state;
    try_part(expand_stored, 13, 1);
    try_part(expand_alike, 13, 1);
    try_part(expand_unlike, 13, 1);
    try_part(tile_units, 13, 1);
}

/* ---- DepthToSpace, SpaceToDepth, Resize ------------------------------------------------------------ */

static int32_t image(net *self, int64_t channels)
{
    return OP(self, "Reshape", dense(self, self->x, INPUTS, channels),
              LIST(self, ROWS, channels, 1, 1));
}

static int32_t there_and_back(net *self, const char *mode, int64_t *width_out)
{
    int32_t y = OP(self, "DepthToSpace", image(self, 12));
    set_int(self, "blocksize", 2);
    set_text(self, "mode", mode);
    y = OP(self, "SpaceToDepth", OP(self, "Relu", y));
    set_int(self, "blocksize", 2);
    *width_out = 12;
    return OP(self, "Flatten", y);
}

static int32_t depth_first(net *self, int64_t *width_out)
{
    return there_and_back(self, "DCR", width_out);
}

static int32_t column_first(net *self, int64_t *width_out)
{
    return there_and_back(self, "CRD", width_out);
}

static int32_t to_space(net *self, int64_t *width_out)
{
    int32_t y = OP(self, "DepthToSpace", image(self, 12));
    set_int(self, "blocksize", 2);
    *width_out = 12;
    return OP(self, "Flatten", y);
}

static int32_t resize(net *self, int32_t scales, int32_t sizes, int64_t *width_out)
{
    int32_t y = OP(self, "Resize", image(self, 5), -1, scales, sizes);
    *width_out = 20;
    return OP(self, "Flatten", y);
}

static int32_t resize_scales(net *self, int64_t *width_out)
{
    static const float scales[4] = {1, 1, 2, 2};
    int32_t list_of = build_constant(&self->b, "scales", COSET_F32, "4", scales);
    return resize(self, list_of, -1, width_out);
}

static int32_t resize_sizes(net *self, int64_t *width_out)
{
    return resize(self, -1, LIST(self, ROWS, 5, 2, 2), width_out);
}

static int32_t resize_units(net *self, int64_t *width_out)
{
    int32_t y = OP(self, "Resize", image(self, 5), -1, -1, LIST(self, ROWS, 10, 1, 2));
    *width_out = 20;
    return OP(self, "Flatten", y);
}

static void spaces(void **state)
{
    (void)state;
    try_part(depth_first, 13, 1);
    try_part(column_first, 13, 1);
    try_part(to_space, 13, 1);
    try_part(resize_scales, 13, 1);
    try_part(resize_sizes, 13, 1);
    expect_frozen(resize_units, 13, "resized along its units");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(splits, start, end),
        cmocka_unit_test_setup_teardown(slices, start, end),
        cmocka_unit_test_setup_teardown(computed_bounds_are_replaced_only_where_they_are_wrong,
                                        start, end),
        cmocka_unit_test_setup_teardown(pads, start, end),
        cmocka_unit_test_setup_teardown(constants_between_units, start, end),
        cmocka_unit_test_setup_teardown(repetitions, start, end),
        cmocka_unit_test_setup_teardown(spaces, start, end),
    };
    return cmocka_run_group_tests_name("move_cut", tests, NULL, NULL);
}
