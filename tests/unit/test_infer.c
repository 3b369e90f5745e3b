/* Shape inference: concrete shapes, folding of shape arithmetic, declarations, refusals. */
#include "support/build.h"

#include "graph/infer.h"

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

static int32_t ints(builder *b, const char *name, int64_t n, const int64_t *values)
{
    char dims[16];
    snprintf(dims, sizeof dims, "%d", (int)n);
    return build_constant(b, name, COSET_I64, dims, values);
}

static void ints_attr(builder *b, const char *name, int64_t n, const int64_t *values)
{
    graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = values, .n = n};
    int32_t last = (int32_t)b->graph->n_nodes - 1;
    assert_int_equal(graph_add_attr(ctx, b->graph, last, &attr), COSET_OK);
}

static void int_attr(builder *b, const char *name, int64_t value)
{
    build_int_attr(b, (int32_t)b->graph->n_nodes - 1, name, value);
}

/* Names the dimensions of a value: "N ? T"; '?' has no name. */
static void dim_names(builder *b, int32_t value, const char *const *names)
{
    b->graph->values[value].dim_names = names;
}

static graph_facts *infer(const coset_graph *graph, const shape *inputs)
{
    graph_facts *facts = NULL;
    coset_status status = graph_infer(ctx, graph, inputs, &facts);
    if (status != COSET_OK) fail_msg("graph_infer: %s", coset_ctx_error(ctx));
    return facts;
}

static void assert_shape(const graph_facts *facts, int32_t value, const char *expected)
{
    char have[SHAPE_TEXT], want[SHAPE_TEXT];
    shape wanted = build_shape(expected);
    const shape *found = &graph_fact(facts, value)->shape;
    if (!shape_equal(found, &wanted))
        fail_msg("value %d has shape %s instead of %s", (int)value,
                 shape_text(found, have, sizeof have), shape_text(&wanted, want, sizeof want));
}

static void assert_ints(const graph_facts *facts, int32_t value, int64_t n, const int64_t *expected)
{
    const array *constant = graph_fact(facts, value)->constant;
    assert_non_null(constant);
    assert_int_equal(shape_product(&constant->shape, 0, constant->shape.rank), n);
    for (int64_t i = 0; i < n; i++) assert_int_equal(constant->i[i], expected[i]);
}

static void assert_refused(builder *b, coset_status expected, const char *says)
{
    graph_facts *facts = NULL;
    const coset_graph *graph = build_finish(b);
    assert_int_equal(graph_infer(ctx, graph, NULL, &facts), expected);
    assert_null(facts);
    if (!strstr(coset_ctx_error(ctx), says))
        fail_msg("the error '%s' does not say '%s'", coset_ctx_error(ctx), says);
    coset_graph_free(ctx, b->graph);
}

/* ---- shape arithmetic ------------------------------------------------------------------------ */

typedef struct flattening {
    int32_t x, joined, result;
} flattening;

/* x.view(x.size(0), -1) as PyTorch exports it. */
static flattening add_flattening(builder *b)
{
    static const char *const names[] = {"N", NULL, NULL};
    const int64_t zero = 0, minus = -1;
    flattening made;
    made.x = build_input(b, "x", COSET_F32, "? 3 4");
    dim_names(b, made.x, names);
    int32_t place = build_constant(b, "place", COSET_I64, "", &zero);
    int32_t dims = build_op(b, "Shape", made.x, -1, "dims");
    int32_t batch = build_op(b, "Gather", dims, place, "batch");
    int_attr(b, "axis", 0);
    int32_t axes = ints(b, "axes", 1, &zero);
    int32_t row = build_op(b, "Unsqueeze", batch, axes, "row");
    int32_t rest = ints(b, "rest", 1, &minus);
    made.joined = build_op(b, "Concat", row, rest, "joined");
    int_attr(b, "axis", 0);
    made.result = build_op(b, "Reshape", made.x, made.joined, "result");
    build_output(b, made.result);
    return made;
}

static void test_shape_arithmetic_folds(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    flattening made = add_flattening(&b);
    const coset_graph *graph = build_finish(&b);
    graph_facts *facts = infer(graph, NULL);
    assert_ints(facts, made.joined, 2, (const int64_t[]){1, -1});
    assert_shape(facts, made.result, "1 12");
    assert_null(graph_fact(facts, made.result)->constant);
    graph_facts_free(ctx, facts);

    shape five = build_shape("5 3 4");
    facts = infer(graph, &five);
    assert_ints(facts, made.joined, 2, (const int64_t[]){5, -1});
    assert_shape(facts, made.result, "5 12");
    assert_int_equal(graph_fact(facts, made.result)->dtype, COSET_F32);
    assert_int_equal(graph_fact(facts, -1)->shape.rank, -1);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    add_flattening(&b);
    const coset_graph *graph = build_finish(&b);
    int64_t alive = memory.alive, fail = 0;
    graph_facts *facts = NULL;
    for (;; fail++) {
        memory.fail_from = memory.made + fail;
        coset_status status = graph_infer(ctx, graph, NULL, &facts);
        memory.fail_from = -1;
        if (status == COSET_OK) break;
        assert_int_equal(status, COSET_EMEMORY);
        assert_null(facts);
        assert_int_equal(memory.alive, alive);
    }
    assert_true(fail > 10);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

static void test_shape_slices(void **state)
{
    (void)state;
    builder b = build_start(ctx, 15);
    int32_t x = build_input(&b, "x", COSET_F32, "2 3 4");
    int32_t tail = build_op(&b, "Shape", x, -1, "tail");
    int_attr(&b, "start", -2);
    int32_t none = build_op(&b, "Shape", x, -1, "none");
    int_attr(&b, "start", 2);
    int_attr(&b, "end", 1);
    graph_facts *facts = infer(build_finish(&b), NULL);
    assert_ints(facts, tail, 2, (const int64_t[]){3, 4});
    assert_ints(facts, none, 0, NULL);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

static void test_shape_of_something_unknown(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "2 3");
    int32_t odd = build_op(&b, "Mystery", x, -1, "odd");
    int32_t dims = build_op(&b, "Shape", odd, -1, "dims");
    int32_t y = build_op(&b, "Reshape", x, dims, "y");
    int32_t z = build_op(&b, "MatMul", odd, x, "z");
    graph_facts *facts = infer(build_finish(&b), NULL);
    assert_null(graph_fact(facts, dims)->constant);
    assert_shape(facts, dims, "?");
    assert_int_equal(graph_fact(facts, odd)->shape.rank, -1);
    assert_int_equal(graph_fact(facts, y)->shape.rank, -1);
    assert_int_equal(graph_fact(facts, z)->shape.rank, -1);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

/* ---- declarations ---------------------------------------------------------------------------- */

static void test_declared_shapes_follow_symbols(void **state)
{
    (void)state;
    static const char *const in_names[] = {"N", NULL}, *const out_names[] = {"N", NULL, "M"};
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "? 3");
    dim_names(&b, x, in_names);
    int32_t odd = build_op(&b, "Mystery", x, -1, "odd");
    b.graph->values[odd].dtype = COSET_F32;
    b.graph->values[odd].shape = build_shape("? 7 ?");
    dim_names(&b, odd, out_names);
    int32_t y = build_op(&b, "Relu", odd, -1, "y");
    const coset_graph *graph = build_finish(&b);

    graph_facts *facts = infer(graph, NULL);
    assert_shape(facts, y, "1 7 ?");
    graph_facts_free(ctx, facts);

    shape five = build_shape("5 3");
    facts = infer(graph, &five);
    assert_shape(facts, y, "5 7 ?");
    assert_int_equal(graph_fact(facts, y)->dtype, COSET_F32);
    graph_facts_free(ctx, facts);

    /* The file says 3: with 9 columns nothing that it declares can be trusted. */
    shape other = build_shape("5 9");
    facts = infer(graph, &other);
    assert_shape(facts, odd, "5 ? ?");
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

static void test_two_inputs_that_disagree_about_a_symbol(void **state)
{
    (void)state;
    static const char *const names[] = {"N"};
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "?");
    int32_t y = build_input(&b, "y", COSET_F32, "?");
    int32_t odd = build_op(&b, "Mystery", x, y, "odd");
    b.graph->values[odd].shape = build_shape("?");
    dim_names(&b, x, names);
    dim_names(&b, y, names);
    dim_names(&b, odd, names);
    const shape given[2] = {build_shape("4"), build_shape("6")};
    graph_facts *facts = infer(build_finish(&b), given);
    assert_shape(facts, x, "4");
    assert_shape(facts, y, "6");
    assert_shape(facts, odd, "?");
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

/* A file may claim any shape for a result that depends on data: a kernel would write past its
 * end. */
static void test_claims_about_data_are_not_believed(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "100 100");
    int32_t target = build_input(&b, "target", COSET_I64, "2");
    int32_t y = build_op(&b, "Reshape", x, target, "y");
    b.graph->values[y].shape = build_shape("1 1");
    graph_facts *facts = infer(build_finish(&b), NULL);
    assert_shape(facts, y, "? ?");
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

/* ---- constants ------------------------------------------------------------------------------- */

static void test_constants_are_lent_or_left_alone(void **state)
{
    (void)state;
    const int32_t axis[] = {0};
    builder b = build_start(ctx, 13);
    float *zeros = calloc(2048 * 1024, sizeof *zeros);
    assert_non_null(zeros);
    int32_t x = build_input(&b, "x", COSET_F32, "1 2048");
    int32_t w = build_constant(&b, "w", COSET_F32, "2048 1024", zeros);
    int32_t half = build_constant(&b, "half", COSET_F16, "2048 1024", zeros);
    int32_t turned = build_constant(&b, "turned", COSET_F16, "2 3", zeros);
    int32_t place = build_constant(&b, "place", COSET_I32, "1", axis);
    free(zeros);
    int32_t y = build_op(&b, "MatMul", x, w, "y");
    int32_t wide = build_op(&b, "Transpose", half, -1, "wide");
    int32_t small = build_op(&b, "Transpose", turned, -1, "small");
    build_op(&b, "Gather", y, place, "z");
    int64_t before = memory.alive;
    graph_facts *facts = infer(build_finish(&b), NULL);
    const array *lent = graph_fact(facts, w)->constant;
    assert_non_null(lent);
    assert_ptr_equal(lent->data, b.graph->values[w].constant->data);
    assert_null(graph_fact(facts, half)->constant);
    assert_null(graph_fact(facts, wide)->constant);
    assert_shape(facts, wide, "1024 2048");
    assert_non_null(graph_fact(facts, small)->constant);
    assert_shape(facts, small, "3 2");
    assert_int_equal(graph_fact(facts, small)->dtype, COSET_F16);
    assert_ints(facts, place, 1, (const int64_t[]){0});
    assert_true(memory.alive > before);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

static void test_folding_has_a_budget(void **state)
{
    (void)state;
    enum { NODES = 2000, SIDE = 1024 };
    static float side[SIDE];
    int32_t results[NODES];
    int folded = 0;
    char name[16];
    builder b = build_start(ctx, 13);
    int32_t column = build_constant(&b, "column", COSET_F32, "1024 1", side);
    int32_t row = build_constant(&b, "row", COSET_F32, "1 1024", side);
    for (int i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "y%d", i);
        results[i] = build_op(&b, "MatMul", column, row, name);
    }
    graph_facts *facts = infer(build_finish(&b), NULL);
    for (int i = 0; i < NODES; i++) {
        assert_shape(facts, results[i], "1024 1024");
        folded += graph_fact(facts, results[i])->constant != NULL;
    }
    assert_in_range(folded, 1, 16);
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

static void test_index_out_of_bounds_in_constants(void **state)
{
    (void)state;
    const int64_t index = 3;
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "2 3");
    int32_t dims = build_op(&b, "Shape", x, -1, "dims");
    int32_t place = build_constant(&b, "place", COSET_I64, "", &index);
    build_op(&b, "Gather", dims, place, "y");
    assert_refused(&b, COSET_EFORMAT, "index 3 is not in [-2, 2) of axis 0");
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuse_pair(const char *type, const char *a, const char *b_dims, coset_status expected,
                        const char *says)
{
    builder b = build_start(ctx, 13);
    int32_t left = build_input(&b, "a", COSET_F32, a);
    int32_t right = build_input(&b, "b", COSET_F32, b_dims);
    build_op(&b, type, left, right, "y");
    if (strcmp(type, "Concat") == 0) int_attr(&b, "axis", 1);
    assert_refused(&b, expected, says);
}

static void test_inputs_that_do_not_fit(void **state)
{
    (void)state;
    refuse_pair("Gemm", "2 3 4", "4 5", COSET_EFORMAT,
                "node 'Gemm_0' (Gemm): input A must be a matrix, not of shape [2, 3, 4]");
    refuse_pair("Gemm", "2 3", "", COSET_EFORMAT, "input B must be a matrix");
    refuse_pair("Gemm", "2 3", "4 5", COSET_EFORMAT, "inner sizes differ: A [2, 3], B [4, 5]");
    refuse_pair("MatMul", "2 3", "4 5", COSET_EFORMAT, "node 'MatMul_0' (MatMul): inner sizes");
    refuse_pair("MatMul", "", "4 5", COSET_EFORMAT, "scalars");
    refuse_pair("MatMul", "2 3 4", "3 4 5", COSET_EFORMAT, "batch axes");
    refuse_pair("Concat", "2 3", "3 3", COSET_EFORMAT, "input 1 of shape [3, 3] does not continue");
    refuse_pair("Concat", "2 3", "2 3 1", COSET_EFORMAT, "does not continue");
    refuse_pair("Concat", "2", "2", COSET_EFORMAT, "axis 1 is not in [-1, 1)");
    refuse_pair("Gather", "2 3", "1", COSET_EFORMAT, "indices must be integers");
}

static void test_types_that_differ(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    int32_t left = build_input(&b, "a", COSET_F32, "2 3");
    int32_t right = build_input(&b, "b", COSET_I64, "3 2");
    build_op(&b, "MatMul", left, right, "y");
    assert_refused(&b, COSET_EFORMAT, "one element type, not float and int64");
}

static void test_the_file_is_named(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    int32_t left = build_input(&b, "a", COSET_F32, "2");
    build_op(&b, "Softmax", left, -1, "y");
    int_attr(&b, "axis", 7);
    assert_refused(&b, COSET_EFORMAT,
                   "built.onnx: node 'Softmax_0' (Softmax): axis 7 is not in [-1, 1)");
}

static void refuse_reshape(int64_t n, const int64_t *target, coset_status expected,
                           const char *says)
{
    builder b = build_start(ctx, 14);
    int32_t x = build_input(&b, "x", COSET_F32, "2 3");
    build_op(&b, "Reshape", x, ints(&b, "target", n, target), "y");
    assert_refused(&b, expected, says);
}

static void test_targets_that_do_not_fit(void **state)
{
    (void)state;
    const int64_t large = (int64_t)1 << 62;
    refuse_reshape(1, (const int64_t[]){7}, COSET_EFORMAT, "shape [2, 3] cannot become [7]");
    refuse_reshape(2, (const int64_t[]){4, -1}, COSET_EFORMAT, "cannot become");
    refuse_reshape(2, (const int64_t[]){-1, -1}, COSET_EFORMAT, "-1 at two places");
    refuse_reshape(2, (const int64_t[]){6, -2}, COSET_EFORMAT, "dimension 1 of the target is -2");
    refuse_reshape(3, (const int64_t[]){2, 3, 0}, COSET_EFORMAT, "is 0, but the input has rank 2");
    refuse_reshape(2, (const int64_t[]){large, large}, COSET_EFORMAT, "cannot become");
    refuse_reshape(3, (const int64_t[]){large, 4, -1}, COSET_EFORMAT, "cannot become");
    refuse_reshape(9, (const int64_t[]){1, 1, 1, 1, 1, 1, 1, 2, 3}, COSET_ELIMIT, "at most 8");
}

static void test_bombs(void **state)
{
    (void)state;
    const int64_t axes[] = {0, 1, 2, 3, 4, 5, 6, 7};
    /* An outer product of 2^78 elements. */
    refuse_pair("MatMul", "549755813888 1", "1 549755813888", COSET_ELIMIT,
                "is over the limit of 2^40 elements");
    refuse_pair("Gemm", "2097152 0", "0 2097152", COSET_ELIMIT, "is over the limit");
    refuse_pair("Concat", "1 1099511627776", "1 1099511627776", COSET_ELIMIT, "over the limit");

    builder b = build_start(ctx, 13);
    build_input(&b, "x", COSET_F32, "1048577 1048576");
    assert_refused(&b, COSET_ELIMIT, "input 'x': shape [1048577, 1048576] is over the limit");

    b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, "2");
    build_op(&b, "Unsqueeze", x, ints(&b, "axes", 8, axes), "y");
    assert_refused(&b, COSET_ELIMIT, "at most 8 axes");

    /* Shapes that double with every node. */
    b = build_start(ctx, 13);
    int32_t value = build_input(&b, "x", COSET_F32, "1 2");
    for (int i = 0; i < 64; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        value = build_op(&b, "Concat", value, value, name);
        int_attr(&b, "axis", 1);
    }
    assert_refused(&b, COSET_ELIMIT, "node 'Concat_39' (Concat): output 0 would have shape");
}

static void test_attributes_that_do_not_fit(void **state)
{
    (void)state;
    const int64_t perm[] = {0, 0}, twice[] = {1, -1}, wide[] = {1};
    builder b = build_start(ctx, 11);
    build_op(&b, "Transpose", build_input(&b, "x", COSET_F32, "2 3"), -1, "y");
    ints_attr(&b, "perm", 2, perm);
    assert_refused(&b, COSET_EFORMAT, "perm is not a permutation");

    b = build_start(ctx, 11);
    build_op(&b, "ReduceSum", build_input(&b, "x", COSET_F32, "2 3"), -1, "y");
    ints_attr(&b, "axes", 2, twice);
    assert_refused(&b, COSET_EFORMAT, "axis -1 is listed twice");

    b = build_start(ctx, 11);
    build_op(&b, "Squeeze", build_input(&b, "x", COSET_F32, "2 3"), -1, "y");
    ints_attr(&b, "axes", 1, wide);
    assert_refused(&b, COSET_EFORMAT, "axis 1 has size 3, not 1");

    b = build_start(ctx, 13);
    build_op(&b, "Unsqueeze", build_input(&b, "x", COSET_F32, "2 3"), -1, "y");
    assert_refused(&b, COSET_EFORMAT, "axes are missing");

    b = build_start(ctx, 13);
    build_op(&b, "Flatten", build_input(&b, "x", COSET_F32, "2 3"), -1, "y");
    int_attr(&b, "axis", -3);
    assert_refused(&b, COSET_EFORMAT, "axis -3 is not in [-2, 2]");
}

/* Deep graphs: nothing recurses, nothing is quadratic (the time limit of the suite would tell). */
static void test_a_long_chain(void **state)
{
    (void)state;
    enum { NODES = 100000 };
    builder b = build_start(ctx, 13);
    int32_t value = build_input(&b, "x", COSET_F32, "2 3");
    assert_int_equal(graph_reserve(ctx, b.graph, NODES, NODES + 1), COSET_OK);
    for (int i = 0; i < NODES; i++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", i);
        value = build_op(&b, i % 2 ? "Relu" : "Shape", i % 2 ? value : 0, -1, name);
    }
    graph_facts *facts = infer(build_finish(&b), NULL);
    assert_ints(facts, value, 2, (const int64_t[]){2, 3});
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_arithmetic_folds),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_shape_slices),
        cmocka_unit_test(test_shape_of_something_unknown),
        cmocka_unit_test(test_declared_shapes_follow_symbols),
        cmocka_unit_test(test_two_inputs_that_disagree_about_a_symbol),
        cmocka_unit_test(test_claims_about_data_are_not_believed),
        cmocka_unit_test(test_constants_are_lent_or_left_alone),
        cmocka_unit_test(test_folding_has_a_budget),
        cmocka_unit_test(test_index_out_of_bounds_in_constants),
        cmocka_unit_test(test_inputs_that_do_not_fit),
        cmocka_unit_test(test_types_that_differ),
        cmocka_unit_test(test_the_file_is_named),
        cmocka_unit_test(test_targets_that_do_not_fit),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_attributes_that_do_not_fit),
        cmocka_unit_test(test_a_long_chain),
    };
    return cmocka_run_group_tests_name("infer", tests, setup, teardown);
}
