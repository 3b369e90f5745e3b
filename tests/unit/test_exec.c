/* The executor against plain evaluation: lifetimes, buffer reuse, taps, constants, and what it
 * refuses. */
#include "support/build.h"

#include <math.h>

#include "exec/exec.h"
#include "exec/workspace.h"

static executor *new_executor(coset_ctx *ctx, const coset_graph *graph, const shape *inputs,
                              const int32_t *taps, int64_t n_taps)
{
    executor *made = NULL;
    coset_status status = executor_new(ctx, graph, inputs, taps, n_taps, &made);
    if (status != COSET_OK) fail_msg("executor_new: %s", coset_ctx_error(ctx));
    return made;
}

static void run(coset_ctx *ctx, executor *self, const array *inputs)
{
    coset_status status = executor_run(self, inputs);
    if (status != COSET_OK) fail_msg("executor_run: %s", coset_ctx_error(ctx));
}

static void assert_floats(const array *values, const float *expected, int64_t count)
{
    assert_non_null(values);
    assert_int_equal(shape_product(&values->shape, 0, values->shape.rank), count);
    for (int64_t k = 0; k < count; k++)
        if (values->f[k] != expected[k])
            fail_msg("element %d is %.9g, expected %.9g", (int)k, (double)values->f[k],
                     (double)expected[k]);
}

static array f32_array(const char *dims, float *data)
{
    return (array){.dtype = COSET_F32, .shape = build_shape(dims), .f = data};
}

/* ---- workspace --------------------------------------------------------------------------------- */

/* Random reservations: those alive never overlap, all are aligned, and all that is given back joins
 * into one span again. */
static void workspace_never_overlaps(void **state)
{
    (void)state;
    enum { PIECES = 60, STEPS = 4000 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    workspace self = {0};
    rng random = rng_seed(1, 0);
    size_t offset[PIECES], bytes[PIECES];
    bool alive[PIECES] = {false};
    for (int step = 0; step < STEPS; step++) {
        int64_t k = rng_below(&random, PIECES);
        if (alive[k]) {
            assert_int_equal(workspace_give(ctx, &self, offset[k], bytes[k]), COSET_OK);
            alive[k] = false;
            continue;
        }
        bytes[k] = (size_t)rng_below(&random, 1000);
        assert_int_equal(workspace_take(ctx, &self, bytes[k], &offset[k]), COSET_OK);
        assert_int_equal(offset[k] % WORKSPACE_ALIGNMENT, 0);
        assert_true(offset[k] + bytes[k] <= self.end);
        alive[k] = true;
        for (int64_t j = 0; j < PIECES; j++)
            if (j != k && alive[j])
                assert_true(offset[j] + (bytes[j] ? bytes[j] : 1) <= offset[k] ||
                            offset[k] + (bytes[k] ? bytes[k] : 1) <= offset[j]);
    }
    for (int64_t k = 0; k < PIECES; k++)
        if (alive[k]) assert_int_equal(workspace_give(ctx, &self, offset[k], bytes[k]), COSET_OK);
    assert_int_equal(self.n_free, 1);
    assert_int_equal(self.free[0].bytes, self.end);
    assert_true(self.end < (size_t)PIECES * 1024);
    workspace_free(ctx, &self);
    size_t ignored = 0;
    assert_int_equal(workspace_take(ctx, &self, SIZE_MAX, &ignored), COSET_EMEMORY);
    assert_int_equal(workspace_take(ctx, &self, SIZE_MAX / 2 + 100, &ignored), COSET_EMEMORY);
    counted_ctx_end(ctx, &memory);
}

/* ---- lifetimes --------------------------------------------------------------------------------- */

/* x feeds both arms of a diamond whose arms differ in length. */
static void diamond(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 17);
    int32_t x = build_input(&build, "x", COSET_F32, "? 3");
    int32_t left = build_op(&build, "Relu", x, -1, "left");
    int32_t right = build_op(&build, "Neg", x, -1, "right");
    int32_t longer = build_op(&build, "Abs", right, -1, "longer");
    int32_t longest = build_op(&build, "Mul", longer, right, "longest");
    int32_t y = build_op(&build, "Add", left, longest, "y");
    build_output(&build, y);
    const coset_graph *graph = build_finish(&build);
    float data[6] = {1, -2, 3, -4, 5, -6}, expected[6];
    for (int k = 0; k < 6; k++)
        expected[k] = (data[k] > 0 ? data[k] : 0) - fabsf(data[k]) * data[k];
    array input = f32_array("2 3", data);
    executor *self = new_executor(ctx, graph, &input.shape, NULL, 0);
    for (int again = 0; again < 2; again++) {
        run(ctx, self, &input);
        assert_floats(executor_value(self, y), expected, 6);
        assert_ptr_equal(executor_value(self, x)->data, data);
        assert_null(executor_value(self, left));
        assert_null(executor_value(self, -1));
        assert_null(executor_value(self, (int32_t)graph->n_values));
    }
    executor_free(ctx, self);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

/* A chain needs two buffers however long it is. */
static void chain_reuses(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 17);
    int32_t value = build_input(&build, "x", COSET_F32, "1 1024");
    for (int k = 0; k < 20; k++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", k);
        value = build_op(&build, "Neg", value, -1, name);
    }
    build_output(&build, value);
    shape input = build_shape("1 1024");
    executor *self = new_executor(ctx, build_finish(&build), &input, NULL, 0);
    assert_int_equal(executor_workspace(self), 2 * 1024 * sizeof(float));
    executor_free(ctx, self);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

enum { DAG_NODES = 80, DAG_COLUMNS = 37 };

typedef struct dag {
    builder build;
    int32_t value[DAG_NODES + 1];
    float *expected[DAG_NODES + 1];
} dag;

/* A random graph, and all of its values worked out one by one, each in memory of its own. */
static void dag_start(dag *self, coset_ctx *ctx, rng *random, float *data, int64_t count)
{
    static const char *const types[] = {"Neg", "Relu", "Abs", "Add", "Sub", "Mul"};
    self->build = build_start(ctx, 17);
    self->value[0] = build_input(&self->build, "x", COSET_F32, "? 37");
    self->expected[0] = data;
    for (int k = 1; k <= DAG_NODES; k++) {
        char name[16];
        snprintf(name, sizeof name, "v%d", k);
        /* Old values stay in use for long. */
        int kind = (int)rng_below(random, 6), a = (int)rng_below(random, k),
            b = kind == 5 ? 0 : (int)rng_below(random, k);
        self->value[k] = build_op(&self->build, types[kind], self->value[a],
                                  kind < 3 ? -1 : self->value[b], name);
        self->expected[k] = malloc((size_t)count * sizeof(float));
        assert_non_null(self->expected[k]);
        for (int64_t i = 0; i < count; i++) {
            float p = self->expected[a][i], q = self->expected[b][i];
            self->expected[k][i] = kind == 0   ? -p
                                   : kind == 1 ? (p > 0 ? p : 0)
                                   : kind == 2 ? fabsf(p)
                                   : kind == 3 ? p + q
                                   : kind == 4 ? p - q
                                               : p * q;
        }
    }
}

static void dag_end(dag *self)
{
    coset_graph_free(self->build.ctx, self->build.graph);
    for (int k = 1; k <= DAG_NODES; k++) free(self->expected[k]);
}

/* Values of random graphs equal those of the evaluation that reuses nothing, whatever is tapped. */
static void random_graphs(void **state)
{
    (void)state;
    enum { ROWS = 3, COUNT = ROWS * DAG_COLUMNS };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(7, 0);
    float data[COUNT];
    for (int round = 0; round < 60; round++) {
        dag self;
        /* Sums of -1, 0 and 1, multiplied by such only: everything stays finite. */
        for (int k = 0; k < COUNT; k++) data[k] = (float)rng_below(&random, 3) - 1.0f;
        dag_start(&self, ctx, &random, data, COUNT);
        int32_t taps[8];
        int tap_index[8], outputs[3];
        for (int k = 0; k < 3; k++) {
            outputs[k] = DAG_NODES - (int)rng_below(&random, 20) * 3 - k;
            build_output(&self.build, self.value[outputs[k]]);
        }
        int64_t n_taps = rng_below(&random, 9);
        for (int64_t k = 0; k < n_taps; k++) {
            tap_index[k] = (int)rng_below(&random, DAG_NODES + 1);
            taps[k] = self.value[tap_index[k]];
        }
        array input = f32_array("3 37", data);
        executor *runs = new_executor(ctx, build_finish(&self.build), &input.shape, taps, n_taps);
        assert_true(executor_workspace(runs) < DAG_NODES * 512);
        run(ctx, runs, &input);
        for (int k = 0; k < 3; k++)
            assert_floats(executor_value(runs, self.value[outputs[k]]), self.expected[outputs[k]],
                          COUNT);
        for (int64_t k = 0; k < n_taps; k++)
            assert_floats(executor_value(runs, taps[k]), self.expected[tap_index[k]], COUNT);
        executor_free(ctx, runs);
        dag_end(&self);
    }
    counted_ctx_end(ctx, &memory);
}

/* ---- special values ---------------------------------------------------------------------------- */

/* Outputs that are graph inputs or constants; constants in other element types; a tapped input. */
static void outputs_without_nodes(void **state)
{
    (void)state;
    static const uint16_t halves[2] = {0x3e00, 0xc100}; /* 1.5, -2.5 */
    static const float stored[3] = {7, 8, 9};
    static const int8_t bytes[2] = {-3, 100};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 17);
    int32_t x = build_input(&build, "x", COSET_F16, "2");
    int32_t passed = build_input(&build, "passed", COSET_I64, "2");
    int32_t half = build_constant(&build, "half", COSET_F16, "2", halves);
    int32_t fixed = build_constant(&build, "fixed", COSET_F32, "3", stored);
    int32_t small = build_constant(&build, "small", COSET_I8, "2", bytes);
    int32_t unread = build_constant(&build, "unread", COSET_F16, "2", halves);
    int32_t twice = build_op(&build, "Add", half, half, "twice"); /* folded */
    int32_t y = build_op(&build, "Mul", x, half, "y");
    int32_t z = build_op(&build, "Mul", y, twice, "z");
    int32_t outputs[] = {z, passed, fixed, small, twice};
    for (int k = 0; k < 5; k++) build_output(&build, outputs[k]);
    const coset_graph *graph = build_finish(&build);
    float data[2] = {10, 20};
    int64_t numbers[2] = {5, -6};
    array inputs[2] = {f32_array("2", data),
                       {.dtype = COSET_I64, .shape = build_shape("2"), .i = numbers}};
    shape shapes[2] = {inputs[0].shape, inputs[1].shape};
    int32_t taps[] = {x, y, half, x};
    executor *self = new_executor(ctx, graph, shapes, taps, 4);
    run(ctx, self, inputs);
    data[0] = data[1] = 0; /* kept inputs do not depend on the caller's memory */
    numbers[0] = numbers[1] = 0;
    assert_floats(executor_value(self, x), (float[]){10, 20}, 2);
    assert_floats(executor_value(self, half), (float[]){1.5f, -2.5f}, 2);
    assert_floats(executor_value(self, y), (float[]){15, -50}, 2);
    assert_floats(executor_value(self, z), (float[]){45, 250}, 2);
    assert_floats(executor_value(self, twice), (float[]){3, -5}, 2);
    assert_floats(executor_value(self, fixed), stored, 3);
    assert_ptr_equal(executor_value(self, fixed)->data, graph->values[fixed].constant->data);
    const array *integers = executor_value(self, passed);
    assert_true(integers != NULL && integers->i[0] == 5 && integers->i[1] == -6);
    integers = executor_value(self, small);
    assert_true(integers != NULL && integers->i[0] == -3 && integers->i[1] == 100);
    assert_null(executor_value(self, unread));
    executor_free(ctx, self);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

/* An optional output may be named or absent, and read or not. */
static void optional_outputs(void **state)
{
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        counted_memory memory;
        coset_ctx *ctx = counted_ctx(&memory, 1);
        builder build = build_start(ctx, 13);
        int32_t x = build_input(&build, "x", COSET_F32, "2 2");
        int32_t dropped[2] = {build_value(&build, "y"), -1};
        if (variant > 0) dropped[1] = build_value(&build, "mask");
        build_node_n(&build, "", "Dropout", &x, 1, dropped, 2);
        int32_t z = build_op(&build, "Neg", dropped[0], -1, "z");
        build_output(&build, z);
        if (variant > 1) build_output(&build, dropped[1]);
        float data[4] = {1, 2, 3, 4};
        array input = f32_array("2 2", data);
        executor *self = new_executor(ctx, build_finish(&build), &input.shape, NULL, 0);
        run(ctx, self, &input);
        assert_floats(executor_value(self, z), (float[]){-1, -2, -3, -4}, 4);
        const array *mask = executor_value(self, dropped[1]);
        if (variant < 2) assert_null(mask);
        if (variant == 2)
            for (int k = 0; k < 4; k++) assert_int_equal(mask->i[k], 1);
        executor_free(ctx, self);
        coset_graph_free(ctx, build.graph);
        counted_ctx_end(ctx, &memory);
    }
}

/* Values without elements pass through. */
static void empty_values(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 17);
    int32_t x = build_input(&build, "x", COSET_F32, "? 3");
    int32_t y = build_op(&build, "Neg", build_op(&build, "Relu", x, -1, "r"), -1, "y");
    build_output(&build, y);
    float none = 0;
    array input = f32_array("0 3", &none);
    executor *self = new_executor(ctx, build_finish(&build), &input.shape, NULL, 0);
    run(ctx, self, &input);
    assert_int_equal(executor_value(self, y)->shape.dims[0], 0);
    executor_free(ctx, self);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

/* ---- refusals ---------------------------------------------------------------------------------- */

static void refuses(coset_ctx *ctx, const coset_graph *graph, const shape *inputs,
                    const int32_t *taps, int64_t n_taps, coset_status expected, const char *text)
{
    executor *self = NULL;
    assert_int_equal(executor_new(ctx, graph, inputs, taps, n_taps, &self), expected);
    assert_null(self);
    if (strstr(coset_ctx_error(ctx), text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", coset_ctx_error(ctx), text);
}

/* An unknown operator stops a run that needs it, and no other. */
static void unknown_operator(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 15);
    int32_t x = build_input(&build, "x", COSET_F32, "2");
    int32_t y = build_op(&build, "Relu", x, -1, "y");
    int32_t odd = build_op(&build, "Frobnicate", y, -1, "odd");
    int32_t after = build_op(&build, "Neg", odd, -1, "after");
    int32_t foreign = build_value(&build, "foreign");
    build_node_n(&build, "org.example", "Twist", &y, 1, &foreign, 1);
    build_output(&build, y);
    const coset_graph *graph = build_finish(&build);
    float data[2] = {1, -1};
    array input = f32_array("2", data);
    executor *self = new_executor(ctx, graph, &input.shape, NULL, 0);
    run(ctx, self, &input);
    assert_floats(executor_value(self, y), (float[]){1, 0}, 2);
    executor_free(ctx, self);
    refuses(ctx, graph, &input.shape, &after, 1, COSET_EUNSUPPORTED,
            "node 'Frobnicate_1' (Frobnicate): no kernel for operator Frobnicate of domain "
            "ai.onnx, opset 15");
    refuses(ctx, graph, &input.shape, &foreign, 1, COSET_EUNSUPPORTED,
            "node 'Twist_3' (Twist): no kernel for operator Twist of domain org.example");
    int32_t bad = (int32_t)graph->n_values;
    refuses(ctx, graph, &input.shape, &bad, 1, COSET_EARGUMENT, "does not exist");
    bad = -1;
    refuses(ctx, graph, &input.shape, &bad, 1, COSET_EARGUMENT, "does not exist");
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

/* The target shape of a Reshape that comes as data. */
static void shape_from_data(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 15);
    int32_t x = build_input(&build, "x", COSET_F32, "4");
    int32_t target = build_input(&build, "target", COSET_I64, "2");
    int32_t y = build_op(&build, "Reshape", x, target, "y");
    build_output(&build, y);
    const coset_graph *graph = build_finish(&build);
    shape shapes[2] = {build_shape("4"), build_shape("2")};
    refuses(ctx, graph, shapes, NULL, 0, COSET_EUNSUPPORTED,
            "node 'Reshape_0' (Reshape): cannot run: the shape of output 'y' depends on data");
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

static void string_input(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 15);
    int32_t x = build_input(&build, "x", COSET_STRING, "4");
    build_output(&build, build_op(&build, "Identity", x, -1, "y"));
    const coset_graph *graph = build_finish(&build);
    shape input = build_shape("4");
    refuses(ctx, graph, &input, NULL, 0, COSET_EUNSUPPORTED, "input 'x' has element type string");
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

static void wrong_inputs(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 15);
    int32_t x = build_input(&build, "x", COSET_F32, "? 3");
    build_output(&build, build_op(&build, "Relu", x, -1, "y"));
    float data[6] = {0};
    int64_t numbers[6] = {0};
    shape planned = build_shape("2 3");
    executor *self = new_executor(ctx, build_finish(&build), &planned, NULL, 0);
    array input = f32_array("3 2", data);
    assert_int_equal(executor_run(self, &input), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "input 'x' must have shape [2, 3], not [3, 2]"));
    input = (array){.dtype = COSET_I32, .shape = planned, .i = numbers};
    assert_int_equal(executor_run(self, &input), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "input 'x' must be float, not int32"));
    input = f32_array("2 3", NULL);
    assert_int_equal(executor_run(self, &input), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "absent"));
    input.f = data;
    input.dtype = COSET_F16; /* computes in float as well */
    run(ctx, self, &input);
    executor_free(ctx, self);
    executor_free(ctx, NULL);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workspace_never_overlaps),
        cmocka_unit_test(diamond),
        cmocka_unit_test(chain_reuses),
        cmocka_unit_test(random_graphs),
        cmocka_unit_test(outputs_without_nodes),
        cmocka_unit_test(optional_outputs),
        cmocka_unit_test(empty_values),
        cmocka_unit_test(unknown_operator),
        cmocka_unit_test(shape_from_data),
        cmocka_unit_test(string_input),
        cmocka_unit_test(wrong_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
