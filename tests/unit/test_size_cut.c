/* Numbers that a model computes from shapes, where a cut changes those shapes: they follow, are replaced, or
 * freeze the units that they count. */
#include "support/cut_graph.h"

#include <math.h>

enum { ROUNDS = 20, SIDE = 4, UNITS = 6 };

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
    int32_t x; /* [2, 3, SIDE, SIDE] */
} net;

static const char *name_of(net *self)
{
    static char name[16];
    snprintf(name, sizeof name, "n%d", self->names++);
    return name;
}

static int32_t op(net *self, const char *type, int n, const int32_t *inputs)
{
    int32_t y = build_value(&self->b, name_of(self));
    build_node_n(&self->b, "", type, inputs, n, &y, 1);
    return y;
}

#define OP(self, type, ...)                                                                        \
    op(self, type, (int)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)),                      \
       (int32_t[]){__VA_ARGS__})

static int32_t list(net *self, int n, const int64_t *values)
{
    char dims[16];
    snprintf(dims, sizeof dims, "%d", n);
    return build_constant(&self->b, name_of(self), COSET_I64, dims, values);
}

#define LIST(self, ...)                                                                            \
    list(self, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

/* Attribute of the newest node. */
static void set_int(net *self, const char *name, int64_t i)
{
    build_int_attr(&self->b, (int32_t)self->b.graph->n_nodes - 1, name, i);
}

static int32_t conv(net *self, int32_t x, int64_t in, int64_t out)
{
    float values[256];
    char dims[32];
    assert_true(in * out <= 256);
    for (int64_t i = 0; i < in * out; i++) values[i] = (float)rng_normal(&self->random);
    snprintf(dims, sizeof dims, "%d %d 1 1", (int)out, (int)in);
    return OP(self, "Conv", x, build_constant(&self->b, name_of(self), COSET_F32, dims, values));
}

static int32_t relu_layer(net *self)
{
    return OP(self, "Relu", conv(self, self->x, 3, UNITS));
}

static int32_t dim(net *self, int32_t of, int64_t axis)
{
    return OP(self, "Gather", OP(self, "Shape", of), LIST(self, axis));
}

static int32_t cast(net *self, int32_t x, coset_dtype to)
{
    int32_t y = OP(self, "Cast", x);
    set_int(self, "to", to == COSET_F32 ? 1 : 7);
    return y;
}

static int32_t listed(net *self, int n, const int32_t *parts)
{
    int32_t y = op(self, "Concat", n, parts);
    set_int(self, "axis", 0);
    return y;
}

#define LISTED(self, ...)                                                                          \
    listed(self, (int)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)),                        \
           (int32_t[]){__VA_ARGS__})

static int32_t resize(net *self, int32_t x, int32_t sizes)
{
    return OP(self, "Resize", x, -1, -1, sizes);
}

/* ---- trials ---------------------------------------------------------------------------------------- */

/* What a part of a net gives: an image of `width` channels. */
typedef int32_t (*part)(net *self, int64_t *width_out);

static studied begin(part build, uint64_t seed, net *made)
{
    int64_t width = 0;
    *made = (net){.b = build_start(ctx, 13), .random = rng_seed(seed, 5)};
    made->x = build_input(&made->b, "x", COSET_F32, "2 3 4 4");
    int32_t y = build(made, &width);
    build_output(&made->b, conv(made, y, width, 2));
    return study(ctx, build_finish(&made->b));
}

/* Cuts in random ways; exactly `cuttable` groups may be cut, and of the others but the head, if `reason` is
 * given, one is frozen for it. */
static void try_part(part build, int cuttable, const char *reason)
{
    int planted = 0;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        net made;
        studied self = begin(build, seed, &made);
        coset_plan *plan = NULL;
        int cut = 0;
        bool found = reason == NULL;
        study_expect(ctx, plan_new(ctx, self.graph, self.groups, &plan));
        for (int64_t g = 0; g < self.groups->n; g++) {
            const unit_group *group = &self.groups->groups[g];
            if (group->frozen == NULL) {
                plan->groups[g].map = study_lumping(ctx, &made.random, group->n);
                cut++;
            } else if (reason != NULL && strstr(group->frozen, reason) != NULL) {
                found = true;
            }
        }
        if (cut != cuttable) fail_msg("%d groups can be cut, not %d", cut, cuttable);
        if (!found) fail_msg("no group is frozen because '%s'", reason);
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

#define INTO_COMPUTATION "the number of its units goes into a computation"

/* ---- numbers --------------------------------------------------------------------------------------- */

/* h / sqrt(n) as attention has it. */
static int32_t divided_by_root(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self);
    *width_out = UNITS;
    return OP(self, "Div", h, OP(self, "Sqrt", cast(self, dim(self, h, 1), COSET_F32)));
}

/* The same with a number that no cut changes. */
static int32_t divided_by_side(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self);
    *width_out = UNITS;
    return OP(self, "Div", h, OP(self, "Sqrt", cast(self, dim(self, h, 2), COSET_F32)));
}

/* n / n is 1. */
static int32_t divided_by_ratio(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), n = cast(self, dim(self, h, 1), COSET_F32);
    *width_out = UNITS;
    return OP(self, "Mul", h, OP(self, "Div", n, cast(self, dim(self, h, 1), COSET_F32)));
}

static int32_t number_is_output(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self);
    build_output(&self->b, cast(self, OP(self, "Shape", h), COSET_F32));
    *width_out = UNITS;
    return h;
}

static int32_t number_of_elements(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self);
    *width_out = UNITS;
    return OP(self, "Div", h, cast(self, OP(self, "Size", h), COSET_F32));
}

static void numbers_of_units_freeze_them(void **state)
{
    (void)state;
    try_part(divided_by_root, 0, INTO_COMPUTATION);
    try_part(divided_by_side, 1, NULL);
    try_part(divided_by_ratio, 1, NULL);
    try_part(number_of_elements, 0, INTO_COMPUTATION);
    try_part(number_is_output, 0, "the number of its units is a graph output");
}

/* ---- Resize ---------------------------------------------------------------------------------------- */

static int32_t other_image(net *self, int64_t channels)
{
    return OP(self, "Relu", conv(self, self->x, 3, channels));
}

/* [Shape(h)[0:2], Shape(other)[2:4]] */
static int32_t resize_to_image(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), other = other_image(self, 5);
    int32_t own = OP(self, "Slice", OP(self, "Shape", h), LIST(self, 0), LIST(self, 2));
    int32_t sides = OP(self, "Slice", OP(self, "Shape", other), LIST(self, 2), LIST(self, 4));
    int32_t up = resize(self, h, LISTED(self, own, OP(self, "Mul", sides, LIST(self, 2))));
    *width_out = UNITS;
    return up;
}

/* The number of channels is stored, the others are computed. */
static int32_t resize_to_stored(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), side = OP(self, "Mul", dim(self, h, 2), LIST(self, 2));
    *width_out = UNITS;
    return resize(self, h, LISTED(self, dim(self, h, 0), LIST(self, UNITS), side, side));
}

/* All four are stored, or computed from what is. */
static int32_t resize_to_constant(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self);
    *width_out = UNITS;
    return resize(self, h, LISTED(self, LIST(self, 2, UNITS), LIST(self, 7, 9)));
}

/* Shape(h) * [1, 1, 2, 2], by way of floats. */
static int32_t resize_by_factors(net *self, int64_t *width_out)
{
    static const float factors[4] = {1, 1, 2, 2};
    int32_t h = relu_layer(self), dims = cast(self, OP(self, "Shape", h), COSET_F32);
    int32_t by = build_constant(&self->b, name_of(self), COSET_F32, "4", factors);
    *width_out = UNITS;
    return resize(self, h, cast(self, OP(self, "Floor", OP(self, "Mul", dims, by)), COSET_I64));
}

/* To the shape of another image with as many channels: h stays as wide as the other one, which is frozen. */
static int32_t resize_to_shape(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), other = other_image(self, UNITS);
    *width_out = UNITS;
    return OP(self, "Concat", resize(self, h, OP(self, "Shape", other)), other);
}

static int32_t resize_to_other_shape(net *self, int64_t *width_out)
{
    int32_t y = resize_to_shape(self, width_out);
    set_int(self, "axis", 2);
    return OP(self, "Relu", y);
}

static int32_t resize_to_foreign_shape(net *self, int64_t *width_out)
{
    int32_t y = resize_to_shape(self, width_out);
    set_int(self, "axis", 1);
    *width_out = 2 * UNITS;
    return OP(self, "Relu", y);
}

/* What is resized is frozen, but its sizes are those of an image that is not. */
static int32_t resize_of_frozen(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), other = other_image(self, UNITS);
    static const int64_t channels = 1;
    int32_t up = resize(self, h, OP(self, "Shape", other)), mean = OP(self, "ReduceMean", up);
    const graph_attr axes = {.name = "axes", .kind = ATTR_INTS, .ints = &channels, .n = 1};
    study_expect(ctx,
                 graph_add_attr(ctx, self->b.graph, (int32_t)self->b.graph->n_nodes - 1, &axes));
    *width_out = 2;
    return OP(self, "Add", mean, conv(self, other, UNITS, 2));
}

static void sizes_of_resize(void **state)
{
    (void)state;
    try_part(resize_to_image, 2, NULL);
    try_part(resize_to_stored, 0, "the sizes that it is resized to are computed");
    try_part(resize_to_constant, 1, NULL);
    try_part(resize_by_factors, 1, NULL);
    try_part(resize_to_other_shape, 0, INTO_COMPUTATION);
    try_part(resize_to_foreign_shape, 0, INTO_COMPUTATION);
    try_part(resize_of_frozen, 1, INTO_COMPUTATION);
}

/* ---- Reshape, Expand ------------------------------------------------------------------------------- */

/* [N, C, H, W] -> [N, HW, C] -> a dense layer -> [N, H, W, M], all but the last computed. */
static int32_t tokens(net *self, bool follows)
{
    static const int64_t back[4] = {0, 3, 1, 2};
    const graph_attr perm = {.name = "perm", .kind = ATTR_INTS, .ints = back, .n = 4};
    int32_t h = relu_layer(self), flat = OP(self, "Reshape", h, LIST(self, 0, 0, -1));
    static const int64_t swap[3] = {0, 2, 1};
    const graph_attr swapped = {.name = "perm", .kind = ATTR_INTS, .ints = swap, .n = 3};
    int32_t rows = OP(self, "Transpose", flat);
    study_expect(ctx,
                 graph_add_attr(ctx, self->b.graph, (int32_t)self->b.graph->n_nodes - 1, &swapped));
    float values[UNITS * 5];
    for (int i = 0; i < UNITS * 5; i++) values[i] = (float)rng_normal(&self->random);
    int32_t y =
        OP(self, "MatMul", rows, build_constant(&self->b, name_of(self), COSET_F32, "6 5", values));
    int32_t width = follows ? dim(self, y, 2) : LIST(self, 5);
    int32_t wide = OP(self, "Reshape", y,
                      LISTED(self, dim(self, h, 0), dim(self, h, 2), dim(self, h, 3), width));
    int32_t image = OP(self, "Transpose", wide);
    study_expect(ctx,
                 graph_add_attr(ctx, self->b.graph, (int32_t)self->b.graph->n_nodes - 1, &perm));
    return image;
}

static int32_t reshape_with_own_width(net *self, int64_t *width_out)
{
    *width_out = 5;
    return tokens(self, true);
}

static int32_t reshape_with_stored_width(net *self, int64_t *width_out)
{
    *width_out = 5;
    return tokens(self, false);
}

/* [N, C H W], the product computed: it is replaced, N copied. */
static int32_t reshape_to_product(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), all = dim(self, h, 1);
    all = OP(self, "Mul", OP(self, "Mul", all, dim(self, h, 2)), dim(self, h, 3));
    int32_t flat = OP(self, "Reshape", h, LISTED(self, dim(self, h, 0), all));
    *width_out = UNITS * SIDE * SIDE;
    return OP(self, "Unsqueeze", flat, LIST(self, 2, 3));
}

static int32_t expand_to_shape(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), mean = OP(self, "GlobalAveragePool", h);
    *width_out = UNITS;
    return OP(self, "Expand", mean, OP(self, "Shape", h));
}

static int32_t expand_to_stored(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), mean = OP(self, "GlobalAveragePool", h);
    *width_out = UNITS;
    return OP(self, "Expand", mean,
              LISTED(self, dim(self, h, 0), LIST(self, UNITS), dim(self, h, 2), dim(self, h, 3)));
}

static void shapes_of_reshape_and_expand(void **state)
{
    (void)state;
    try_part(reshape_with_own_width, 2, NULL);
    try_part(reshape_with_stored_width, 1, "its target shape is computed from several dimensions");
    try_part(reshape_to_product, 1, NULL);
    try_part(expand_to_shape, 1, NULL);
    try_part(expand_to_stored, 0, "the shape that it is expanded to is computed");
}

/* ---- Gather, Slice, Split -------------------------------------------------------------------------- */

/* Indices of another type, made int64 by a node. */
static int32_t gather_by_cast(net *self, int64_t *width_out)
{
    static const int32_t order[UNITS] = {4, 1, 5, -6, 2, -3};
    int32_t h = relu_layer(self);
    int32_t index = build_constant(&self->b, name_of(self), COSET_I32, "6", order);
    int32_t y = OP(self, "Gather", h, cast(self, index, COSET_I64));
    set_int(self, "axis", 1);
    *width_out = UNITS;
    return y;
}

/* 0 .. n - 1, n the number of units. */
static int32_t gather_by_range(net *self, int64_t *width_out)
{
    static const int64_t zero = 0, one = 1;
    int32_t h = relu_layer(self), n = OP(self, "Squeeze", dim(self, h, 1), LIST(self, 0));
    int32_t from = build_constant(&self->b, name_of(self), COSET_I64, "", &zero);
    int32_t step = build_constant(&self->b, name_of(self), COSET_I64, "", &one);
    int32_t y = OP(self, "Gather", h, OP(self, "Range", from, n, step));
    set_int(self, "axis", 1);
    *width_out = UNITS;
    return y;
}

/* Cropped to the shape of another image, channels and all: those of the other one must stay. */
static int32_t slice_to_shape(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), other = other_image(self, UNITS + 1);
    int32_t y = OP(self, "Slice", h, LIST(self, 0, 0, 0, 0), OP(self, "Shape", other));
    *width_out = UNITS + UNITS + 1;
    y = OP(self, "Concat", y, other);
    set_int(self, "axis", 1);
    return y;
}

static int32_t split_in_halves(net *self, int64_t *width_out)
{
    int32_t h = relu_layer(self), half = OP(self, "Div", dim(self, h, 1), LIST(self, 2)), parts[2];
    const int32_t inputs[2] = {h, LISTED(self, half, half)};
    for (int p = 0; p < 2; p++) parts[p] = build_value(&self->b, name_of(self));
    build_node_n(&self->b, "", "Split", inputs, 2, parts, 2);
    set_int(self, "axis", 1);
    *width_out = UNITS / 2;
    return OP(self, "Add", OP(self, "Tanh", parts[0]), conv(self, parts[1], UNITS / 2, UNITS / 2));
}

static void places_of_units(void **state)
{
    (void)state;
    try_part(gather_by_cast, 1, NULL);
    try_part(gather_by_range, 0, INTO_COMPUTATION);
    try_part(slice_to_shape, 1, INTO_COMPUTATION);
    try_part(split_in_halves, 2, NULL);
}

/* ---- cost ------------------------------------------------------------------------------------------- */

/* A long chain of numbers, each computed from the one before it twice: what freezes their units visits each
 * number once. */
static void long_arithmetic_is_followed_once(void **state)
{
    (void)state;
    enum { STEPS = 20000 };
    net made = {.b = build_start(ctx, 13), .random = rng_seed(1, 5)};
    made.x = build_input(&made.b, "x", COSET_F32, "2 3 4 4");
    int32_t h = relu_layer(&made), n = cast(&made, dim(&made, h, 1), COSET_F32);
    for (int k = 0; k < STEPS; k++) n = OP(&made, k % 2 ? "Max" : "Min", n, n);
    build_output(&made.b, conv(&made, OP(&made, "Mul", h, n), UNITS, 2));
    studied self = study(ctx, build_finish(&made.b));
    assert_string_equal(self.groups->groups[0].frozen, INTO_COMPUTATION);
    study_end(&self);
    coset_graph_free(ctx, made.b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_of_units_freeze_them, start, end),
        cmocka_unit_test_setup_teardown(sizes_of_resize, start, end),
        cmocka_unit_test_setup_teardown(shapes_of_reshape_and_expand, start, end),
        cmocka_unit_test_setup_teardown(places_of_units, start, end),
        cmocka_unit_test_setup_teardown(long_arithmetic_is_followed_once, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
