/* The size of a model. */
#include "support/build.h"

static counted_memory memory;
static coset_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

static void assert_size(builder *b, int64_t params, int64_t nonzero, int64_t macs, int64_t bytes)
{
    coset_graph_size size;
    coset_status status = coset_graph_measure(ctx, build_finish(b), &size);
    if (status != COSET_OK) fail_msg("coset_graph_measure: %s", coset_ctx_error(ctx));
    assert_int_equal(size.params, params);
    assert_int_equal(size.nonzero, nonzero);
    assert_int_equal(size.macs, macs);
    assert_int_equal(size.bytes, bytes);
    coset_graph_free(ctx, b->graph);
}

static void test_weights_and_zeros(void **state)
{
    (void)state;
    const float w[] = {1, 0, -0.0F, 2, 3, 0}, bias[] = {0, 1};
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "? 3");
    int32_t inputs[3] = {x, build_constant(&b, "w", COSET_F32, "3 2", w),
                         build_constant(&b, "b", COSET_F32, "2", bias)};
    int32_t y = build_value(&b, "y");
    build_node_n(&b, "", "Gemm", inputs, 3, &y, 1);
    build_output(&b, y);
    assert_size(&b, 8, 4, 6, 32);
}

/* Zeros of every floating type, told by their bits. */
static void test_zeros_of_other_types(void **state)
{
    (void)state;
    const uint16_t half[] = {0, 0x8000, 0x3c00, 1}; /* 0, -0, 1, the smallest */
    const uint8_t fn[] = {0, 0x80, 0x38, 1};        /* the same */
    const uint8_t fnuz[] = {0, 0x80, 0x38, 1};      /* 0x80 is NaN */
    const double wide[] = {0, -0.0, 1, 5e-324};
    builder b = build_start(ctx, 13);
    const char *names[] = {"half", "brain", "fn", "fnuz", "wide"};
    const coset_dtype types[] = {COSET_F16, COSET_BF16, COSET_F8E5M2, COSET_F8E4M3FNUZ, COSET_F64};
    const void *data[] = {half, half, fn, fnuz, wide};
    for (int i = 0; i < 5; i++) {
        char result[16];
        snprintf(result, sizeof result, "y%d", i);
        int32_t x = build_constant(&b, names[i], types[i], "4", data[i]);
        build_output(&b, build_op(&b, "Identity", x, -1, result));
    }
    assert_size(&b, 20, 2 + 2 + 2 + 3 + 2, 0, 8 + 8 + 4 + 4 + 32);
}

static void test_shared_constants_count_once(void **state)
{
    (void)state;
    const float w[] = {1, 2, 3, 4}, scalar = 3;
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "1 2");
    int32_t weight = build_constant(&b, "w", COSET_F32, "2 2", w);
    build_constant(&b, "unread", COSET_F32, "2 2", w);
    int32_t s = build_constant(&b, "s", COSET_F32, "", &scalar);
    int32_t y = build_op(&b, "MatMul", x, weight, "y");
    int32_t z = build_op(&b, "MatMul", y, weight, "z");
    build_output(&b, build_op(&b, "Mul", z, s, "scaled"));
    /* What nothing reads is not written with a changed graph. */
    assert_size(&b, 4, 4, 8, 16 + 4);
}

/* Exponents, bounds, and floats on the way to a target shape hold no knowledge. */
static void test_settings_are_no_parameters(void **state)
{
    (void)state;
    const float factor[] = {2}, ten[] = {1, 1};
    const int64_t zero = 0, minus[] = {-1};
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "1 2");
    int32_t exponent = build_constant(&b, "exponent", COSET_F32, "2", ten);
    int32_t power = build_op(&b, "Pow", x, exponent, "power");
    int32_t dims = build_op(&b, "Shape", x, -1, "dims");
    int32_t place = build_constant(&b, "place", COSET_I64, "1", &zero);
    int32_t batch = build_op(&b, "Gather", dims, place, "batch");
    int32_t as_float = build_op(&b, "Cast", batch, -1, "as_float");
    build_int_attr(&b, (int32_t)b.graph->n_nodes - 1, "to", COSET_F32);
    int32_t scale = build_constant(&b, "factor", COSET_F32, "1", factor);
    int32_t doubled = build_op(&b, "Mul", as_float, scale, "doubled");
    int32_t rows = build_op(&b, "Cast", doubled, -1, "rows");
    build_int_attr(&b, (int32_t)b.graph->n_nodes - 1, "to", COSET_I64);
    int32_t rest = build_constant(&b, "rest", COSET_I64, "1", minus);
    int32_t target = build_op(&b, "Concat", rows, rest, "target");
    build_int_attr(&b, (int32_t)b.graph->n_nodes - 1, "axis", 0);
    build_output(&b, build_op(&b, "Reshape", power, target, "y"));
    assert_size(&b, 0, 0, 0, 8 + 8 + 4 + 8);
}

/* A weight that is turned first is a weight; what is computed from constants alone costs
 * nothing. */
static void test_computed_weights(void **state)
{
    (void)state;
    const float w[] = {1, 2, 3, 4, 5, 6};
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "4 3");
    int32_t weight = build_constant(&b, "w", COSET_F32, "2 3", w);
    int32_t square =
        build_op(&b, "MatMul", build_op(&b, "Transpose", weight, -1, "turned"), weight, "square");
    build_output(&b, build_op(&b, "MatMul", x, square, "y"));
    assert_size(&b, 6, 6, 4 * 3 * 3, 24);
}

static void test_unknown_cost(void **state)
{
    (void)state;
    const float w[] = {1, 2, 3, 4};
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "1 2");
    int32_t weight = build_constant(&b, "w", COSET_F32, "2 2", w);
    int32_t y = build_op(&b, "MatMul", x, weight, "y");
    build_output(&b, build_op(&b, "Mystery", y, weight, "z"));
    assert_size(&b, 4, 4, -1, 16);
}

static void test_cost_over_int64(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    int32_t a = build_input(&b, "a", COSET_F32, "1048576 1048576");
    int32_t c = build_input(&b, "c", COSET_F32, "1048576 1048576");
    int32_t y = build_op(&b, "MatMul", a, c, "y");
    int32_t z = build_op(&b, "MatMul", y, c, "z");
    for (int i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof name, "z%d", i);
        z = build_op(&b, "MatMul", z, c, name);
    }
    build_output(&b, z);
    assert_size(&b, 0, 0, INT64_MAX, 0);
}

/* A network of 128, 128 and 128 units between 7 inputs and 1 output, as its training wrote it. */
static void test_a_trained_network(void **state)
{
    (void)state;
    char path[1024];
    const char *folder = getenv("COSET_DATA");
    snprintf(path, sizeof path, "%s/models/pytorch_mlp/hepc_relu.onnx",
             folder ? folder : "../shared/data");
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        print_message("no %s: skipped\n", path);
        skip();
    }
    fclose(file);
    coset_graph *graph = NULL;
    coset_graph_size size;
    if (coset_graph_load(ctx, path, &graph) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    assert_int_equal(coset_graph_measure(ctx, graph, &size), COSET_OK);
    assert_int_equal(size.params, 34305);
    assert_in_range(size.nonzero, 34000, 34305);
    assert_int_equal(size.macs, 34305 - 3 * 128 - 1);
    assert_int_equal(size.bytes, 4 * 34305);
    coset_graph_free(ctx, graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_and_zeros),
        cmocka_unit_test(test_zeros_of_other_types),
        cmocka_unit_test(test_shared_constants_count_once),
        cmocka_unit_test(test_settings_are_no_parameters),
        cmocka_unit_test(test_computed_weights),
        cmocka_unit_test(test_unknown_cost),
        cmocka_unit_test(test_cost_over_int64),
        cmocka_unit_test(test_a_trained_network),
    };
    return cmocka_run_group_tests_name("measure", tests, setup, teardown);
}
