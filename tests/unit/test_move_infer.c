/* Shape arithmetic through operators that move or make data, and sizes that nobody can have. */
#include "support/build.h"

#include <time.h>

#include "graph/infer.h"

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

static int32_t ints(builder *b, const char *name, int n, const int64_t *values)
{
    char dims[16];
    snprintf(dims, sizeof dims, "%d", n);
    return build_constant(b, name, COSET_I64, dims, values);
}

static int32_t node(builder *b, const char *type, int n, const int32_t *inputs, const char *name)
{
    int32_t y = build_value(b, name);
    build_node_n(b, "", type, inputs, n, &y, 1);
    return y;
}

/* ---- folding --------------------------------------------------------------------------------------- */

static void expect_ints(const graph_facts *facts, int32_t value, int n, const int64_t *wanted)
{
    const array *found = graph_fact(facts, value)->constant;
    assert_non_null(found);
    assert_int_equal(shape_product(&found->shape, 0, found->shape.rank), n);
    for (int i = 0; i < n; i++) assert_int_equal(found->i[i], wanted[i]);
}

static void shapes_are_computed(void **state)
{
    (void)state;
    static const int64_t one[1] = {1}, four[1] = {4}, two[2] = {2, 2}, three[1] = {3};
    static const int64_t parts[2] = {1, 3}, zero = 0, step = 2;
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "2 5 7 9");
    int32_t dims = build_op(&b, "Shape", x, -1, "dims");
    int32_t bounds[3] = {dims, ints(&b, "one", 1, one), ints(&b, "four", 1, four)};
    int32_t sliced = node(&b, "Slice", 3, bounds, "sliced");
    int32_t split[2] = {build_value(&b, "batch"), build_value(&b, "rest")};
    int32_t split_in[2] = {dims, ints(&b, "parts", 2, parts)};
    build_node_n(&b, "", "Split", split_in, 2, split, 2);
    int32_t tiled = build_op(&b, "Tile", split[0], ints(&b, "three", 1, three), "tiled");
    int32_t wide = build_op(&b, "Expand", split[0], ints(&b, "two", 2, two), "wide");
    int32_t padded = build_op(&b, "Pad", sliced, ints(&b, "pads", 2, parts), "padded");
    int32_t made = build_op(&b, "ConstantOfShape", sliced, -1, "made");
    int32_t index = build_constant(&b, "index", COSET_I64, "", &step);
    int32_t size = build_op(&b, "Gather", dims, index, "size");
    int32_t range_in[3] = {build_constant(&b, "zero", COSET_I64, "", &zero), size,
                           build_constant(&b, "step", COSET_I64, "", &step)};
    int32_t range = node(&b, "Range", 3, range_in, "range");
    build_output(&b, made);
    graph_facts *facts = NULL;
    assert_int_equal(graph_infer(ctx, build_finish(&b), NULL, &facts), COSET_OK);
    expect_ints(facts, sliced, 3, (const int64_t[]){5, 7, 9});
    expect_ints(facts, split[1], 3, (const int64_t[]){5, 7, 9});
    expect_ints(facts, tiled, 3, (const int64_t[]){2, 2, 2});
    expect_ints(facts, wide, 4, (const int64_t[]){2, 2, 2, 2});
    expect_ints(facts, padded, 7, (const int64_t[]){0, 5, 7, 9, 0, 0, 0});
    expect_ints(facts, range, 4, (const int64_t[]){0, 2, 4, 6});
    assert_true(shape_equal(&graph_fact(facts, made)->shape, &(shape){3, {5, 7, 9}}));
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

/* ---- refusals -------------------------------------------------------------------------------------- */

/* Refused by inference, without work and without memory to speak of. */
static void expect_refused(builder *b, coset_status status, const char *text)
{
    graph_facts *facts = NULL;
    struct timespec before, after;
    coset_status found = graph_check(ctx, b->graph);
    if (found != COSET_OK) fail_msg("graph_check: %s", coset_ctx_error(ctx));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    found = graph_infer(ctx, b->graph, NULL, &facts);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    if (found != status || strstr(coset_ctx_error(ctx), text) == NULL)
        fail_msg("%s: %s instead of %s", coset_status_name(found), coset_ctx_error(ctx), text);
    assert_true(after.tv_sec - before.tv_sec <= 1);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b->graph);
}

/* One node of an input [2, 3] and lists of integers. */
typedef struct refusal {
    const char *type;
    int64_t opset;
    int n_lists;
    int n[3];
    int64_t lists[3][4];
    coset_status status;
    const char *text;
} refusal;

static void refuse(const refusal *self)
{
    builder b = build_start(ctx, self->opset);
    int32_t inputs[4] = {build_input(&b, "x", COSET_F32, "2 3")};
    for (int i = 0; i < self->n_lists; i++) {
        char name[8];
        snprintf(name, sizeof name, "p%d", i);
        inputs[i + 1] = ints(&b, name, self->n[i], self->lists[i]);
    }
    node(&b, self->type, self->n_lists + 1, inputs, "y");
    expect_refused(&b, self->status, self->text);
}

static void bombs(void **state)
{
    (void)state;
    const int64_t huge = (int64_t)1 << 60, big = (int64_t)1 << 39;
    const refusal cases[] = {
        {"Expand", 13, 1, {3}, {{huge, 1, 1}}, COSET_ELIMIT, "over the limit"},
        {"Expand", 13, 1, {4}, {{big, big, 2, 3}}, COSET_ELIMIT, "over the limit"},
        {"Tile", 13, 1, {2}, {{huge, 1}}, COSET_ELIMIT, "over the limit"},
        {"Tile", 13, 1, {2}, {{huge, huge}}, COSET_ELIMIT, "over the limit"},
        {"Tile", 13, 1, {2}, {{INT64_MAX, 1}}, COSET_ELIMIT, "over the limit"},
        {"Pad", 13, 1, {4}, {{huge, 0, 0, 0}}, COSET_ELIMIT, "over the limit"},
        {"Pad", 13, 1, {4}, {{INT64_MAX, 0, 5, 0}}, COSET_ELIMIT, "over the limit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuse(&cases[i]);

    builder b = build_start(ctx, 13);
    build_op(&b, "ConstantOfShape", ints(&b, "dims", 1, &huge), -1, "y");
    expect_refused(&b, COSET_ELIMIT, "over the limit");

    b = build_start(ctx, 13);
    const int64_t numbers[3] = {INT64_MIN, INT64_MAX, 1};
    int32_t range[3];
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "r%d", i);
        range[i] = build_constant(&b, name, COSET_I64, "", &numbers[i]);
    }
    node(&b, "Range", 3, range, "y");
    expect_refused(&b, COSET_ELIMIT, "over the limit");

    b = build_start(ctx, 13);
    int32_t resize[4] = {build_input(&b, "x", COSET_F32, "2 3"), -1, -1, -1};
    const float scales[2] = {0x1p60F, 1};
    resize[2] = build_constant(&b, "scales", COSET_F32, "2", scales);
    node(&b, "Resize", 3, resize, "y");
    expect_refused(&b, COSET_ELIMIT, "over the limit");

    b = build_start(ctx, 13);
    build_op(&b, "SpaceToDepth", build_input(&b, "x", COSET_F32, "1 2 4 4"), -1, "y");
    build_int_attr(&b, 0, "blocksize", (int64_t)1 << 33);
    expect_refused(&b, COSET_EFORMAT, "blocksize");
}

static void what_does_not_fit(void **state)
{
    (void)state;
    const refusal cases[] = {
        {"Slice", 13, 2, {1, 2}, {{0}, {1, 1}}, COSET_EFORMAT, "not of one length"},
        {"Slice", 13, 3, {2, 2, 2}, {{0, 0}, {1, 1}, {0, -2}}, COSET_EFORMAT, "sliced twice"},
        {"Slice", 13, 3, {1, 1, 1}, {{0}, {1}, {2}}, COSET_EFORMAT, "axis 2 is not in"},
        {"Split", 13, 1, {1}, {{1}}, COSET_EFORMAT, "sum to 1, axis 0 has 2"},
        {"Split", 13, 1, {2}, {{1, 1}}, COSET_EFORMAT, "2 sizes for 1 outputs"},
        {"Split", 13, 1, {1}, {{-2}}, COSET_EFORMAT, "the size of output 0 is -2"},
        {"Pad", 13, 1, {3}, {{1, 1, 1}}, COSET_EFORMAT, "3 pads for 2 axes"},
        {"Pad", 13, 1, {4}, {{-2, 0, -1, 0}}, COSET_EFORMAT, "remove more than"},
        {"Pad", 13, 1, {4}, {{INT64_MIN, 0, INT64_MIN, 0}}, COSET_ELIMIT, "over the limit"},
        {"Expand", 13, 1, {2}, {{2, 4}}, COSET_EFORMAT, "expected shapes that broadcast"},
        {"Expand", 13, 1, {2}, {{2, -1}}, COSET_EFORMAT, "dimension 1 of the shape is -1"},
        {"Tile", 13, 1, {1}, {{2}}, COSET_EFORMAT, "1 repeats for 2 axes"},
        {"Tile", 13, 1, {2}, {{2, -1}}, COSET_EFORMAT, "repeated -1 times"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) refuse(&cases[i]);

    builder b = build_start(ctx, 13);
    build_op(&b, "DepthToSpace", build_input(&b, "x", COSET_F32, "1 6 4 4"), -1, "y");
    build_int_attr(&b, 0, "blocksize", 2);
    expect_refused(&b, COSET_EFORMAT, "not a multiple of 4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shapes_are_computed, start, end),
        cmocka_unit_test_setup_teardown(bombs, start, end),
        cmocka_unit_test_setup_teardown(what_does_not_fit, start, end),
    };
    return cmocka_run_group_tests_name("move_infer", tests, NULL, NULL);
}
