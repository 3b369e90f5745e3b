/* Building, checking and cloning graphs. */
#include "support/build.h"

#include "graph/op.h"

/* x -> Relu -> h -> Tanh -> y, added in the given order. */
static builder chain(coset_ctx *ctx, bool reversed)
{
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "2 3");
    int32_t h = build_value(&build, "h"), y = build_value(&build, "y");
    if (reversed) build_node_n(&build, "", "Tanh", &h, 1, &y, 1);
    build_node_n(&build, "", "Relu", &x, 1, &h, 1);
    if (!reversed) build_node_n(&build, "", "Tanh", &h, 1, &y, 1);
    build_output(&build, y);
    return build;
}

/* The check fails, and its text has every part. Frees the graph. */
static void assert_refused(builder *build, const char *a, const char *b)
{
    assert_int_equal(graph_check(build->ctx, build->graph), COSET_EFORMAT);
    const char *text = coset_ctx_error(build->ctx);
    if (strstr(text, "built.onnx: ") != text || strstr(text, a) == NULL || strstr(text, b) == NULL)
        fail_msg("unexpected text: %s", text);
    coset_graph_free(build->ctx, build->graph);
}

static void in_order_stays(void **state)
{
    builder build = chain(*state, false);
    const coset_graph *graph = build_finish(&build);
    assert_string_equal(graph->nodes[0].op_type, "Relu");
    assert_string_equal(graph->nodes[1].op_type, "Tanh");
    assert_ptr_equal(graph->nodes[0].op, op_find("", "Relu", 13));
    assert_int_equal(graph->values[1].producer, 0);
    assert_int_equal(graph->values[1].n_consumers, 1);
    assert_int_equal(graph->values[1].consumers[0], 1);
    assert_int_equal(graph->values[0].producer, -1);
    assert_int_equal(graph->values[2].n_consumers, 0);
    coset_graph_free(build.ctx, build.graph);
}

static void out_of_order_is_sorted(void **state)
{
    builder build = chain(*state, true);
    const coset_graph *graph = build_finish(&build);
    assert_string_equal(graph->nodes[0].op_type, "Relu");
    assert_int_equal(graph->values[1].producer, 0);
    assert_int_equal(graph->values[2].producer, 1);
    assert_int_equal(graph->values[1].consumers[0], 1);
    coset_graph_free(build.ctx, build.graph);
}

/* A node reads a value twice, and a subgraph captures it: three entries, ascending. */
static void consumers_count_reads(void **state)
{
    builder build = build_start(*state, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "2");
    int32_t both = build_op(&build, "Add", x, x, "both");
    int32_t y = build_op(&build, "Unheard", both, -1, "y");
    assert_int_equal(graph_set_captures(build.ctx, build.graph, 1, &x, 1), COSET_OK);
    build_output(&build, y);
    const coset_graph *graph = build_finish(&build);
    assert_int_equal(graph->values[x].n_consumers, 3);
    const int32_t expected[] = {0, 0, 1};
    assert_memory_equal(graph->values[x].consumers, expected, sizeof expected);
    assert_null(graph->nodes[1].op);
    coset_graph_free(build.ctx, build.graph);
}

static void captures_order_nodes(void **state)
{
    builder build = build_start(*state, 13);
    int32_t x = build_input(&build, "x", COSET_BOOL, "");
    int32_t y = build_op(&build, "If", x, -1, "y");
    int32_t late = build_op(&build, "Not", x, -1, "late");
    assert_int_equal(graph_set_captures(build.ctx, build.graph, 0, &late, 1), COSET_OK);
    build_output(&build, y);
    const coset_graph *graph = build_finish(&build);
    assert_string_equal(graph->nodes[0].op_type, "Not");
    assert_string_equal(graph->nodes[1].op_type, "If");
    coset_graph_free(build.ctx, build.graph);
}

static void cycle_is_refused(void **state)
{
    builder build = build_start(*state, 13);
    int32_t a = build_value(&build, "a"), b = build_value(&build, "b");
    build_node_n(&build, "", "Relu", &a, 1, &b, 1);
    build_node_n(&build, "", "Tanh", &b, 1, &a, 1);
    build_output(&build, b);
    assert_refused(&build, "node '", "cycle");
    build = build_start(*state, 13);
    a = build_value(&build, "self");
    build_node_n(&build, "", "Relu", &a, 1, &a, 1);
    assert_refused(&build, "'Relu_0' (Relu)", "cycle through 'self'");
}

static void names_must_be_unique(void **state)
{
    builder build = chain(*state, false);
    build_value(&build, "h");
    assert_refused(&build, "two values", "'h'");
    build = chain(*state, false);
    build_value(&build, "");
    assert_refused(&build, "value 3", "no name");
    build = chain(*state, false);
    build_int_attr(&build, 0, "axis", 1);
    build_int_attr(&build, 0, "axis", 2);
    assert_refused(&build, "'Relu_0' (Relu)", "two attributes are named 'axis'");
    build = chain(*state, false);
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "a%d", i == 99 ? 42 : i);
        build_int_attr(&build, 0, name, i);
    }
    assert_refused(&build, "'Relu_0' (Relu)", "two attributes are named 'a42'");
}

static void values_need_one_producer(void **state)
{
    builder build = chain(*state, false);
    int32_t x = 0, y = 2;
    build_node_n(&build, "", "Exp", &x, 1, &y, 1);
    assert_refused(&build, "'Exp_2' (Exp)", "'y' is produced by node 'Tanh_1' already");
    build = chain(*state, false);
    build_node_n(&build, "", "Exp", &y, 1, &x, 1);
    assert_refused(&build, "'Exp_2' (Exp)", "'x' is also a graph input");
    build = chain(*state, false);
    float one = 1;
    int32_t w = build_constant(&build, "w", COSET_F32, "", &one);
    build_node_n(&build, "", "Exp", &x, 1, &w, 1);
    assert_refused(&build, "'Exp_2' (Exp)", "'w' is also a graph initialiser");
    build = chain(*state, false);
    build.graph->nodes[0].outputs[0] = -1;
    assert_refused(&build, "'Tanh_1' (Tanh)", "'h' is no graph input, initialiser or output");
    build = build_start(*state, 13);
    build_output(&build, build_value(&build, "nowhere"));
    assert_refused(&build, "graph output 'nowhere'", "produced by no node");
    build = chain(*state, false);
    int32_t stray = build_value(&build, "stray");
    assert_int_equal(graph_set_captures(build.ctx, build.graph, 0, &stray, 1), COSET_OK);
    assert_refused(&build, "'Relu_0' (Relu)", "'stray', which nothing defines");
}

static void ids_must_exist(void **state)
{
    builder build = chain(*state, false);
    build.graph->nodes[0].inputs[0] = 99;
    assert_refused(&build, "'Relu_0' (Relu)", "input 0 is no value");
    build = chain(*state, false);
    build.graph->nodes[0].outputs[0] = -2;
    assert_refused(&build, "'Relu_0' (Relu)", "output 0 is no value");
    build = chain(*state, false);
    int32_t far = 3;
    assert_int_equal(graph_set_captures(build.ctx, build.graph, 1, &far, 1), COSET_OK);
    assert_refused(&build, "'Tanh_1' (Tanh)", "capture 0 is no value");
    build = chain(*state, false);
    build.graph->inputs[0] = 17;
    assert_refused(&build, "graph input 0", "no value");
    build = chain(*state, false);
    build.graph->outputs[0] = -1;
    assert_refused(&build, "graph output 0", "no value");
    build = chain(*state, false);
    assert_int_equal(graph_add_input(build.ctx, build.graph, 0), COSET_OK);
    assert_refused(&build, "'x'", "graph input twice");
    build = chain(*state, false);
    build_output(&build, 2);
    assert_refused(&build, "'y'", "graph output twice");
}

static void arity_is_checked(void **state)
{
    builder build = build_start(*state, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "2");
    build_op(&build, "Relu", x, x, "y");
    assert_refused(&build, "'Relu_0' (Relu)", "expected 1 inputs, found 2");
    build = build_start(*state, 13);
    x = build_input(&build, "x", COSET_F32, "2 2");
    build_op(&build, "Gemm", x, -1, "y");
    assert_refused(&build, "'Gemm_0' (Gemm)", "expected 2 to 3 inputs, found 1");
    build = build_start(*state, 13);
    int32_t absent = -1, y = build_value(&build, "y");
    build_node_n(&build, "", "Relu", &absent, 1, &y, 1);
    assert_refused(&build, "'Relu_0' (Relu)", "input 0 is required");
    /* Of an operator that is not known, nothing is known. */
    build = build_start(*state, 13);
    y = build_value(&build, "y");
    build_node_n(&build, "org.example", "Relu", &absent, 1, &y, 1);
    build_finish(&build);
    assert_null(build.graph->nodes[0].op);
    coset_graph_free(build.ctx, build.graph);
}

static void constants_must_fit_their_declaration(void **state)
{
    const float two[] = {1, 2};
    builder build = build_start(*state, 13);
    int32_t w = build_constant(&build, "w", COSET_F32, "2", two);
    build.graph->values[w].dtype = COSET_F64;
    assert_refused(&build, "'w': declared as double", "data are float");
    build = build_start(*state, 13);
    w = build_constant(&build, "w", COSET_F32, "2", two);
    build.graph->values[w].shape = build_shape("3");
    assert_refused(&build, "'w': declared with shape [3]", "have [2]");
    build = build_start(*state, 13);
    w = build_constant(&build, "w", COSET_F32, "2", two);
    build.graph->values[w].shape = build_shape("2 1");
    assert_refused(&build, "'w': declared with shape [2, 1]", "have [2]");
    build = build_start(*state, 13);
    w = build_constant(&build, "w", COSET_F32, "2", two);
    build.graph->values[w].shape = build_shape("?");
    build.graph->values[w].dtype = COSET_UNDEFINED;
    build_finish(&build);
    assert_int_equal(build.graph->values[w].dtype, COSET_F32);
    coset_graph_free(build.ctx, build.graph);
}

/* An input that gets data is an initialiser from then on. */
static void constant_input_is_no_input(void **state)
{
    builder build = chain(*state, false);
    const float six[6] = {0};
    int32_t spare = build_constant(&build, "spare", COSET_F32, "2 3", six);
    graph_set_constant(build.ctx, build.graph, 0, build.graph->values[spare].constant);
    build_finish(&build);
    assert_int_equal(coset_graph_inputs(build.graph), 0);
    assert_true(build.graph->values[0].is_initialiser && build.graph->values[0].is_input);
    assert_true(build.graph->values[0].changed);
    coset_graph_free(build.ctx, build.graph);
}

static void getters_answer(void **state)
{
    builder build = build_start(*state, 13);
    build_output(&build,
                 build_op(&build, "Relu", build_input(&build, "x", COSET_F16, "? 3"), -1, "y"));
    const coset_graph *graph = build_finish(&build);
    int rank = 0;
    int64_t dims[8] = {0};
    assert_int_equal(coset_graph_inputs(graph), 1);
    assert_int_equal(coset_graph_outputs(graph), 1);
    assert_string_equal(coset_graph_input_name(graph, 0), "x");
    assert_string_equal(coset_graph_output_name(graph, 0), "y");
    assert_int_equal(coset_graph_input_type(graph, 0, &rank, dims), COSET_F16);
    assert_int_equal(rank, 2);
    assert_int_equal(dims[0], -1);
    assert_int_equal(dims[1], 3);
    assert_null(coset_graph_input_name(graph, 1));
    assert_null(coset_graph_output_name(graph, -1));
    assert_int_equal(coset_graph_input_type(graph, 1, &rank, dims), COSET_UNDEFINED);
    assert_int_equal(rank, -1);
    coset_graph_free(build.ctx, build.graph);
}

/* One attribute of every kind. */
static void add_attrs(builder *build, int32_t node, tensor *constant)
{
    const float floats[] = {1.5F, -2};
    const int64_t ints[] = {3, 4, 5};
    const char *const strings[] = {"p", "qr"};
    const graph_attr attrs[] = {
        {.name = "f", .kind = ATTR_FLOAT, .f = 0.25F},
        {.name = "i", .kind = ATTR_INT, .i = -7},
        {.name = "s", .kind = ATTR_STRING, .s = "text", .n = 4},
        {.name = "t", .kind = ATTR_TENSOR, .t = constant},
        {.name = "floats", .kind = ATTR_FLOATS, .floats = floats, .n = 2},
        {.name = "ints", .kind = ATTR_INTS, .ints = ints, .n = 3, .changed = true},
        {.name = "strings", .kind = ATTR_STRINGS, .strings = strings, .n = 2},
        {.name = "other", .kind = ATTR_OTHER},
    };
    for (size_t i = 0; i < sizeof attrs / sizeof attrs[0]; i++)
        assert_int_equal(graph_add_attr(build->ctx, build->graph, node, &attrs[i]), COSET_OK);
}

static void assert_attrs(const graph_node *node, const tensor *constant)
{
    int64_t n = 0;
    assert_int_equal(node->n_attrs, 8);
    assert_true(node_attr_float(node, "f", 0) == 0.25F);
    assert_int_equal(node_attr_int(node, "i", 0), -7);
    assert_string_equal(node_attr_string(node, "s", ""), "text");
    assert_int_equal(node_attr(node, "s")->n, 4);
    assert_ptr_equal(node_attr(node, "t")->t, constant);
    assert_true(node_attr(node, "floats")->floats[1] == -2);
    const int64_t *ints = node_attr_ints(node, "ints", &n);
    assert_int_equal(n, 3);
    assert_int_equal(ints[2], 5);
    assert_true(node_attr(node, "ints")->changed);
    assert_string_equal(node_attr(node, "strings")->strings[1], "qr");
    /* Absent, or of another kind than asked for. */
    assert_int_equal(node_attr_int(node, "f", 11), 11);
    assert_true(node_attr_float(node, "none", 2.5F) == 2.5F);
    assert_string_equal(node_attr_string(node, "i", "else"), "else");
    assert_null(node_attr_ints(node, "strings", &n));
    assert_int_equal(n, 0);
    assert_null(node_attr(node, "none"));
}

static void clone_is_deep(void **state)
{
    builder build = chain(*state, false);
    const float one = 1;
    int32_t w = build_constant(&build, "w", COSET_F32, "", &one);
    tensor *constant = build.graph->values[w].constant;
    const char *const names[] = {"N", NULL};
    build.graph->values[0].dim_names = names;
    add_attrs(&build, 0, constant);
    build_finish(&build);
    build.graph->changed = false;
    coset_graph *clone = NULL;
    assert_int_equal(graph_clone(build.ctx, build.graph, &clone), COSET_OK);
    tensor_retain(constant);
    coset_graph_free(build.ctx, build.graph);
    assert_false(clone->changed);
    assert_int_equal(graph_check(build.ctx, clone), COSET_OK);
    assert_string_equal(clone->name, "built.onnx");
    assert_string_equal(clone->values[0].dim_names[0], "N");
    assert_null(clone->values[0].dim_names[1]);
    assert_ptr_equal(clone->values[w].constant, constant);
    assert_attrs(&clone->nodes[0], constant);
    assert_string_equal(coset_graph_output_name(clone, 0), "y");
    coset_graph_free(build.ctx, clone);
    assert_int_equal(constant->references, 1);
    tensor_release(build.ctx, constant);
}

static void node_fail_names_the_node(void **state)
{
    builder build = chain(*state, false);
    assert_int_equal(node_fail(*state, &build.graph->nodes[0], COSET_EFORMAT, "got %d", 3),
                     COSET_EFORMAT);
    assert_string_equal(coset_ctx_error(*state), "node 'Relu_0' (Relu): got 3");
    build.graph->nodes[0].name = "";
    assert_int_equal(node_fail(*state, &build.graph->nodes[0], COSET_EFORMAT, "got"),
                     COSET_EFORMAT);
    assert_string_equal(coset_ctx_error(*state), "unnamed node (Relu): got");
    /* Control characters in a name do not split the line. */
    build.graph->nodes[0].name = "a\n\x1b[31mb\x7F";
    assert_int_equal(node_fail(*state, &build.graph->nodes[0], COSET_EFORMAT, "got"),
                     COSET_EFORMAT);
    assert_string_equal(coset_ctx_error(*state), "node 'a??[31mb?' (Relu): got");
    coset_graph_free(build.ctx, build.graph);
}

/* A chain in reverse order: as deep as it is long, so a recursive check would overflow the stack. */
static void a_million_nodes(void **state)
{
    enum { N = 1000000 };
    coset_ctx *ctx = *state;
    coset_graph *graph = NULL;
    int32_t value = 0, node = 0;
    char name[24];
    assert_int_equal(graph_new(ctx, "long", 13, &graph), COSET_OK);
    assert_int_equal(graph_reserve(ctx, graph, N, N + 1), COSET_OK);
    for (int i = 0; i <= N; i++) {
        snprintf(name, sizeof name, "v%d", i);
        assert_int_equal(graph_add_value(ctx, graph, name, &value), COSET_OK);
    }
    for (int32_t i = N; i-- > 0;) {
        int32_t next = i + 1;
        assert_int_equal(graph_add_node(ctx, graph, "", "", "Relu", &i, 1, &next, 1, &node),
                         COSET_OK);
    }
    assert_int_equal(graph_add_input(ctx, graph, 0), COSET_OK);
    assert_int_equal(graph_add_output(ctx, graph, N), COSET_OK);
    assert_int_equal(graph_check(ctx, graph), COSET_OK);
    for (int32_t i = 0; i < N; i++) assert_true(graph->nodes[i].inputs[0] == i);
    coset_graph_free(ctx, graph);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = chain(ctx, true);
    const float one = 1;
    build_constant(&build, "w", COSET_F32, "", &one);
    add_attrs(&build, 0, build.graph->values[3].constant);
    bool cloned = false, checked = false;
    for (int64_t fail = 0; !cloned || !checked; fail++) {
        coset_graph *clone = NULL;
        int64_t alive = memory.alive;
        memory.fail_from = memory.made + fail;
        cloned = graph_clone(ctx, build.graph, &clone) == COSET_OK;
        if (cloned) {
            checked = graph_check(ctx, clone) == COSET_OK;
            coset_graph_free(ctx, clone);
        } else {
            assert_null(clone);
        }
        assert_int_equal(memory.alive, alive);
        assert_in_range(fail, 0, 200);
    }
    memory.fail_from = -1;
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

static int start(void **state)
{
    coset_ctx *ctx = NULL;
    int failed = coset_ctx_new(NULL, &ctx) != COSET_OK;
    *state = ctx;
    return failed;
}

static int end(void **state)
{
    coset_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order_stays, start, end),
        cmocka_unit_test_setup_teardown(out_of_order_is_sorted, start, end),
        cmocka_unit_test_setup_teardown(consumers_count_reads, start, end),
        cmocka_unit_test_setup_teardown(captures_order_nodes, start, end),
        cmocka_unit_test_setup_teardown(cycle_is_refused, start, end),
        cmocka_unit_test_setup_teardown(names_must_be_unique, start, end),
        cmocka_unit_test_setup_teardown(values_need_one_producer, start, end),
        cmocka_unit_test_setup_teardown(ids_must_exist, start, end),
        cmocka_unit_test_setup_teardown(arity_is_checked, start, end),
        cmocka_unit_test_setup_teardown(constants_must_fit_their_declaration, start, end),
        cmocka_unit_test_setup_teardown(constant_input_is_no_input, start, end),
        cmocka_unit_test_setup_teardown(getters_answer, start, end),
        cmocka_unit_test_setup_teardown(clone_is_deep, start, end),
        cmocka_unit_test_setup_teardown(node_fail_names_the_node, start, end),
        cmocka_unit_test_setup_teardown(a_million_nodes, start, end),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
