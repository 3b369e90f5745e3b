/* If: its branches as graphs, inference through them, and running the one that the condition chooses. */
#include "exec/exec.h"
#include "graph/labels.h"
#include "support/wire.h"

/* ---- models ------------------------------------------------------------------------------------ */

/* An input that is a bool scalar. */
static wire flag_value(const char *name)
{
    wire value = {0}, type = {0}, dense = {0}, dims = {0};
    wire_int(&dense, 1, COSET_BOOL);
    wire_message(&dense, 2, &dims);
    wire_message(&type, 1, &dense);
    wire_text(&value, 1, name);
    wire_message(&value, 2, &type);
    return value;
}

static wire flag_tensor(const char *name, int value)
{
    const uint8_t byte = (uint8_t)value;
    wire dense = wire_tensor(name, COSET_BOOL, NULL, 0);
    wire_bytes(&dense, 9, &byte, 1);
    return dense;
}

static void add_branch(wire *node, const char *name, wire *graph)
{
    wire attr = {0};
    wire_text(&attr, 1, name);
    wire_message(&attr, 6, graph);
    wire_int(&attr, 20, 5);
    wire_message(node, 5, &attr);
}

/* One node whose output is the branch's. */
static wire branch_of(const char *type, const char *inputs, const char *output)
{
    wire graph = {0}, node = wire_node(type, inputs, output), value = wire_value(output, NULL, -1);
    wire_text(&graph, 2, output);
    wire_message(&graph, 1, &node);
    wire_message(&graph, 12, &value);
    return graph;
}

static wire if_node(const char *condition, const char *output, wire *taken, wire *other)
{
    wire node = wire_node("If", condition, output);
    add_branch(&node, "then_branch", taken);
    add_branch(&node, "else_branch", other);
    return node;
}

/* h = Relu(x [2, 3]), w [2, 3] stored; y from an If on c; the graph gives out -y. constant: -1, or the
 * value of c if that is stored. The If is emptied. */
static wire model_around(wire *node, int constant)
{
    const int64_t dims[2] = {2, 3};
    const float numbers[6] = {1, 2, 3, 4, 5, 6};
    wire graph = {0}, part = wire_node("Relu", "x", "h");
    wire_text(&graph, 2, "main");
    wire_message(&graph, 1, &part);
    wire_message(&graph, 1, node);
    part = wire_node("Neg", "y", "z");
    wire_message(&graph, 1, &part);
    part = wire_tensor("w", COSET_F32, dims, 2);
    wire_bytes(&part, 9, numbers, sizeof numbers);
    wire_message(&graph, 5, &part);
    if (constant >= 0) {
        part = flag_tensor("c", constant);
        wire_message(&graph, 5, &part);
    }
    part = wire_value("x", dims, 2);
    wire_message(&graph, 11, &part);
    if (constant < 0) {
        part = flag_value("c");
        wire_message(&graph, 11, &part);
    }
    part = wire_value("z", NULL, -1);
    wire_message(&graph, 12, &part);
    return wire_model(&graph, 13);
}

static coset_status decode(coset_ctx *ctx, wire *model, coset_graph **graph_out)
{
    coset_status status =
        coset_graph_decode(ctx, model->bytes, model->size, "model", NULL, graph_out);
    free(model->bytes);
    *model = (wire){0};
    return status;
}

static coset_graph *decoded(coset_ctx *ctx, wire *model)
{
    coset_graph *graph = NULL;
    if (decode(ctx, model, &graph) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    return graph;
}

static const float data[6] = {-1, 2, -3, 4, -5, 6};

/* Runs for one value of c and compares -z with what y must be. */
static coset_status run(coset_ctx *ctx, const coset_graph *graph, int64_t flag, const float *want)
{
    coset_status status = COSET_OK;
    executor *exec = NULL;
    const shape shapes[2] = {{2, {2, 3}}, {.rank = 0}};
    float x[6];
    memcpy(x, data, sizeof x);
    const array inputs[2] = {{.dtype = COSET_F32, .shape = shapes[0], .f = x},
                             {.dtype = COSET_BOOL, .shape = shapes[1], .i = &flag}};
    TRY(executor_new(ctx, graph, shapes, NULL, 0, &exec));
    for (int repeat = 0; repeat < 2; repeat++) {
        TRY(executor_run(exec, inputs));
        const array *z = executor_value(exec, graph->outputs[0]);
        assert_non_null(z);
        for (int i = 0; i < 6; i++) assert_true(z->f[i] == -want[i]);
    }
done:
    executor_free(ctx, exec);
    return status;
}

static void assert_runs(coset_ctx *ctx, const coset_graph *graph, int64_t flag, const float *want)
{
    if (run(ctx, graph, flag, want) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
}

static void assert_says(coset_ctx *ctx, coset_status got, coset_status want, const char *text)
{
    assert_int_equal(got, want);
    if (strstr(coset_ctx_error(ctx), text) == NULL)
        fail_msg("'%s' does not say '%s'", coset_ctx_error(ctx), text);
}

/* ---- running ----------------------------------------------------------------------------------- */

static const float sum[6] = {1, 4, 3, 8, 5, 12}, square[6] = {0, 4, 0, 16, 0, 36};

static wire two_ways(void)
{
    wire taken = branch_of("Add", "h,w", "a"), other = branch_of("Mul", "h,h", "b");
    return if_node("c", "y", &taken, &other);
}

static void the_condition_chooses_while_it_runs(void **state)
{
    wire node = two_ways(), model = model_around(&node, -1);
    coset_graph *graph = decoded(*state, &model), *clone = NULL;
    assert_runs(*state, graph, 1, sum);
    assert_runs(*state, graph, 0, square);
    /* A copy shares the branches, and outlives what it was made from. */
    assert_int_equal(graph_clone(*state, graph, &clone), COSET_OK);
    assert_int_equal(graph_check(*state, clone), COSET_OK);
    coset_graph_free(*state, graph);
    assert_runs(*state, clone, 1, sum);
    coset_graph_free(*state, clone);
}

static void a_stored_condition_leaves_one_branch(void **state)
{
    /* The other one would not even fit. */
    for (int flag = 0; flag < 2; flag++) {
        wire good = branch_of("Add", "h,w", "a"), bad = branch_of("MatMul", "h,w", "b");
        wire node = flag ? if_node("c", "y", &good, &bad) : if_node("c", "y", &bad, &good);
        wire model = model_around(&node, flag);
        coset_graph *graph = decoded(*state, &model);
        assert_runs(*state, graph, -1, sum);
        coset_graph_free(*state, graph);
    }
    wire good = branch_of("Add", "h,w", "a"), bad = branch_of("MatMul", "h,w", "b");
    wire node = if_node("c", "y", &bad, &good), model = model_around(&node, 1);
    coset_graph *graph = decoded(*state, &model);
    assert_says(*state, run(*state, graph, 0, sum), COSET_EFORMAT, "then_branch");
    coset_graph_free(*state, graph);
}

static void branches_of_two_shapes_cannot_be_planned(void **state)
{
    wire taken = branch_of("Add", "h,w", "a"), other = branch_of("Transpose", "h", "b");
    wire node = if_node("c", "y", &taken, &other);
    wire model = model_around(&node, -1);
    coset_graph *graph = decoded(*state, &model);
    assert_says(*state, run(*state, graph, 1, sum), COSET_EUNSUPPORTED, "depends on data");
    coset_graph_free(*state, graph);
}

static void branches_may_hold_branches(void **state)
{
    /* The inner If reads h and w from two levels further out, and its own condition from one. */
    wire value = wire_value("i", NULL, -1), graph = {0};
    wire taken = branch_of("Add", "h,w", "a"), other = branch_of("Mul", "h,h", "b");
    wire inner = if_node("n", "i", &taken, &other);
    wire not = wire_node("Not", "c", "n");
    wire_text(&graph, 2, "outer");
    wire_message(&graph, 1, &not );
    wire_message(&graph, 1, &inner);
    wire_message(&graph, 12, &value);
    other = branch_of("Identity", "w", "o");
    wire node = if_node("c", "y", &graph, &other), model = model_around(&node, -1);
    coset_graph *made = decoded(*state, &model);
    const float stored[6] = {1, 2, 3, 4, 5, 6};
    assert_runs(*state, made, 1, square);
    assert_runs(*state, made, 0, stored);
    coset_graph_free(*state, made);
}

/* ---- units, and what is refused ---------------------------------------------------------------- */

static void what_a_branch_reads_is_frozen(void **state)
{
    wire node = two_ways(), model = model_around(&node, -1);
    coset_graph *graph = decoded(*state, &model);
    graph_facts *facts = NULL;
    label_set *set = NULL;
    assert_int_equal(graph_infer(*state, graph, NULL, &facts), COSET_OK);
    assert_int_equal(labels_run(*state, graph, facts, &set), COSET_OK);
    const label_array *labels = labels_of(set, graph->nodes[1].outputs[0]);
    assert_int_equal(labels->rank, 2);
    assert_int_equal(labels->ids[0], LABEL_FROZEN);
    labels_free(set);
    graph_facts_free(*state, facts);
    coset_graph_free(*state, graph);
}

static void malformed_branches_are_refused(void **state)
{
    coset_graph *graph = NULL;
    wire taken = branch_of("Add", "h,w", "a"), node = wire_node("If", "c", "y"), model = {0};
    add_branch(&node, "then_branch", &taken);
    model = model_around(&node, -1);
    assert_says(*state, decode(*state, &model, &graph), COSET_EFORMAT, "it has no else_branch");

    wire other = branch_of("Add", "h,w", "b"), input = wire_value("i", NULL, -1);
    taken = branch_of("Add", "h,w", "a");
    wire_message(&other, 11, &input);
    node = if_node("c", "y", &taken, &other);
    model = model_around(&node, -1);
    assert_says(*state, decode(*state, &model, &graph), COSET_EFORMAT, "without inputs");

    taken = branch_of("Add", "h,w", "a");
    other = branch_of("Add", "h,w", "b");
    node = if_node("c", "y,second", &taken, &other);
    model = model_around(&node, -1);
    assert_says(*state, decode(*state, &model, &graph), COSET_EFORMAT, "with 2 outputs");

    taken = branch_of("Add", "h,later", "a");
    wire late = wire_node("Neg", "a", "later");
    wire_message(&taken, 1, &late);
    other = branch_of("Add", "h,w", "b");
    node = if_node("c", "y", &taken, &other);
    model = model_around(&node, -1);
    assert_says(*state, decode(*state, &model, &graph), COSET_EFORMAT, "then_branch");
    assert_null(graph);
}

/* ---- memory ------------------------------------------------------------------------------------ */

typedef struct failing_memory {
    int64_t at, count, alive;
} failing_memory;

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    failing_memory *self = user;
    if (self->count++ == self->at) return NULL;
    self->alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *memory)
{
    ((failing_memory *)user)->alive--;
    free(memory);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    wire node = two_ways(), model = model_around(&node, -1);
    coset_status status = COSET_EMEMORY;
    int64_t at = -1;
    while (status != COSET_OK) {
        failing_memory memory = {.at = ++at};
        coset_allocator allocator = {failing_alloc, failing_release, &memory};
        const coset_ctx_options options = {.allocator = &allocator, .threads = 1};
        coset_ctx *ctx = NULL;
        coset_graph *graph = NULL;
        status = coset_ctx_new(&options, &ctx);
        if (status == COSET_OK)
            status = coset_graph_decode(ctx, model.bytes, model.size, "model", NULL, &graph);
        if (status == COSET_OK) status = run(ctx, graph, 1, sum);
        assert_true(status == COSET_OK || status == COSET_EMEMORY);
        coset_graph_free(ctx, graph);
        coset_ctx_free(ctx);
        assert_int_equal(memory.alive, 0);
    }
    assert_true(at > 100);
    free(model.bytes);
}

static int start(void **state)
{
    coset_ctx *ctx = NULL;
    const coset_status status = coset_ctx_new(NULL, &ctx);
    *state = ctx;
    return status != COSET_OK;
}

static int end(void **state)
{
    coset_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_condition_chooses_while_it_runs, start, end),
        cmocka_unit_test_setup_teardown(a_stored_condition_leaves_one_branch, start, end),
        cmocka_unit_test_setup_teardown(branches_of_two_shapes_cannot_be_planned, start, end),
        cmocka_unit_test_setup_teardown(branches_may_hold_branches, start, end),
        cmocka_unit_test_setup_teardown(what_a_branch_reads_is_frozen, start, end),
        cmocka_unit_test_setup_teardown(malformed_branches_are_refused, start, end),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
