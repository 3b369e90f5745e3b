/* BatchNormalization folded into the layer in front of it: the same function, with constants worked out in
 * f64; and everything that must stay as it is. */
#include "support/build.h"

#include <math.h>

#include "base/rng.h"
#include "exec/exec.h"
#include "graph/fold_batchnorm.h"

enum { MOST = 4096, NAME = 32 };

/* A graph of one input, random constants and outputs, and its random input data. */
typedef struct fixture {
    coset_ctx *ctx;
    builder build;
    rng random;
    int32_t x;
    int n_names;
    float data[MOST];
} fixture;

static const char *fresh(fixture *self, const char *stem)
{
    static char name[NAME];
    snprintf(name, sizeof name, "%s %d", stem, self->n_names++);
    return name;
}

static fixture *start(coset_ctx *ctx, int64_t opset, const char *dims)
{
    fixture *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->ctx = ctx;
    if (ctx == NULL) assert_int_equal(coset_ctx_new(NULL, &self->ctx), COSET_OK);
    self->build = build_start(self->ctx, opset);
    self->random = rng_seed(3, 0);
    self->x = build_input(&self->build, "x", COSET_F32, dims);
    for (int i = 0; i < MOST; i++) self->data[i] = (float)rng_normal(&self->random);
    return self;
}

static void stop(fixture *self)
{
    coset_graph_free(self->ctx, self->build.graph);
    coset_ctx_free(self->ctx);
    free(self);
}

static int32_t constant(fixture *self, const char *dims, float low, float high)
{
    static float values[MOST];
    const shape of = build_shape(dims);
    assert_true(shape_product(&of, 0, of.rank) <= MOST);
    for (int i = 0; i < MOST; i++)
        values[i] = low + (high - low) * (float)rng_uniform(&self->random);
    return build_constant(&self->build, fresh(self, "constant"), COSET_F32, dims, values);
}

static int32_t node(fixture *self, const char *type, const int32_t *inputs, int n,
                    int32_t *node_out)
{
    const int32_t y = build_value(&self->build, fresh(self, "value"));
    const int32_t id = build_node_n(&self->build, "", type, inputs, n, &y, 1);
    if (node_out != NULL) *node_out = id;
    return y;
}

static int32_t norm_of(fixture *self, int32_t x, const char *channels, int32_t *node_out)
{
    const int32_t inputs[5] = {x, constant(self, channels, 0.5F, 2),
                               constant(self, channels, -1, 1), constant(self, channels, -1, 1),
                               constant(self, channels, 0.1F, 3)};
    return node(self, "BatchNormalization", inputs, 5, node_out);
}

static int32_t norm(fixture *self, int32_t x, const char *channels)
{
    return norm_of(self, x, channels, NULL);
}

/* bias: "" for none. */
static int32_t layer(fixture *self, const char *type, int32_t x, const char *weight,
                     const char *bias, int32_t *node_out)
{
    const int32_t w = constant(self, weight, -1, 1);
    const int32_t b = bias[0] != '\0' ? constant(self, bias, -1, 1) : -1;
    return node(self, type, (const int32_t[]){x, w, b}, b < 0 ? 2 : 3, node_out);
}

static int64_t count_type(const coset_graph *graph, const char *type)
{
    int64_t n = 0;
    for (int64_t i = 0; i < graph->n_nodes; i++) n += strcmp(graph->nodes[i].op_type, type) == 0;
    return n;
}

/* Output `o` of a run, as a copy. */
static float *run(fixture *self, const coset_graph *graph, int64_t o, int64_t *n_out)
{
    executor *exec = NULL;
    const array input = {
        .dtype = COSET_F32, .shape = self->build.graph->values[self->x].shape, .f = self->data};
    if (executor_new(self->ctx, graph, &input.shape, NULL, 0, &exec) != COSET_OK ||
        executor_run(exec, &input) != COSET_OK)
        fail_msg("%s", coset_ctx_error(self->ctx));
    const array *result = executor_value(exec, graph->outputs[o]);
    assert_non_null(result);
    *n_out = shape_product(&result->shape, 0, result->shape.rank);
    float *copy = malloc((size_t)*n_out * sizeof *copy + 1);
    assert_non_null(copy);
    memcpy(copy, result->f, (size_t)*n_out * sizeof *copy);
    executor_free(self->ctx, exec);
    return copy;
}

/* Sums of up to 100 products of numbers near 1, rounded in another order: a few 1e-6. */
static void assert_same_function(fixture *self, const coset_graph *folded)
{
    const coset_graph *graph = self->build.graph;
    assert_int_equal(folded->n_outputs, graph->n_outputs);
    for (int64_t o = 0; o < graph->n_outputs; o++) {
        int64_t n = 0, m = 0;
        float *want = run(self, graph, o, &n), *got = run(self, folded, o, &m);
        assert_string_equal(folded->values[folded->outputs[o]].name,
                            graph->values[graph->outputs[o]].name);
        assert_int_equal(m, n);
        assert_true(n > 0);
        for (int64_t i = 0; i < n; i++)
            if (fabsf(got[i] - want[i]) > 1e-5F * (1 + fabsf(want[i])))
                fail_msg("element %lld: expected %.9g, got %.9g", (long long)i, (double)want[i],
                         (double)got[i]);
        free(want);
        free(got);
    }
}

static int64_t count_initialisers(const coset_graph *graph)
{
    int64_t n = 0;
    for (int64_t v = 0; v < graph->n_values; v++) n += graph->values[v].is_initialiser;
    return n;
}

/* The graph ends in `y`; `left` norms stay and the written file has so many initialisers. */
static void check_folds(fixture *self, int32_t y, int64_t left, int64_t initialisers)
{
    coset_graph *folded = NULL, *again = NULL, *read = NULL;
    void *bytes = NULL;
    size_t size = 0;
    build_output(&self->build, y);
    const coset_graph *graph = build_finish(&self->build);
    if (graph_fold_batchnorm(self->ctx, graph, &folded) != COSET_OK)
        fail_msg("%s", coset_ctx_error(self->ctx));
    assert_non_null(folded);
    assert_int_equal(count_type(folded, "BatchNormalization"), left);
    assert_same_function(self, folded);
    assert_int_equal(coset_graph_encode(self->ctx, folded, &bytes, &size), COSET_OK);
    assert_int_equal(coset_graph_decode(self->ctx, bytes, size, "folded.onnx", NULL, &read),
                     COSET_OK);
    assert_int_equal(count_initialisers(read), initialisers);
    assert_same_function(self, read);
    /* Nothing is left to fold. */
    assert_int_equal(graph_fold_batchnorm(self->ctx, folded, &again), COSET_OK);
    assert_null(again);
    ctx_free(self->ctx, bytes);
    coset_graph_free(self->ctx, read);
    coset_graph_free(self->ctx, folded);
    stop(self);
}

/* The graph ends in `y` and keeps every node. */
static void check_stays(fixture *self, int32_t y)
{
    coset_graph *folded = NULL;
    build_output(&self->build, y);
    const coset_graph *graph = build_finish(&self->build);
    if (graph_fold_batchnorm(self->ctx, graph, &folded) != COSET_OK)
        fail_msg("%s", coset_ctx_error(self->ctx));
    assert_null(folded);
    stop(self);
}

/* ---- what is folded --------------------------------------------------------------------------- */

static void convolutions(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "2 3 5 4");
    check_folds(self, norm(self, layer(self, "Conv", self->x, "6 3 3 2", "", NULL), "6"), 0, 2);
    self = start(NULL, 17, "2 3 5 4");
    check_folds(self, norm(self, layer(self, "Conv", self->x, "6 3 3 2", "6", NULL), "6"), 0, 2);
    self = start(NULL, 17, "2 4 5");
    int32_t id = -1;
    int32_t y = layer(self, "Conv", self->x, "6 2 3", "6", &id);
    build_int_attr(&self->build, id, "group", 2);
    check_folds(self, norm(self, y, "6"), 0, 2);
}

static void absent_bias(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "2 3 5 4");
    const int32_t inputs[3] = {self->x, constant(self, "6 3 3 2", -1, 1), -1};
    check_folds(self, norm(self, node(self, "Conv", inputs, 3, NULL), "6"), 0, 2);
}

static void transposed_convolutions(void **state)
{
    (void)state;
    if (op_find("", "ConvTranspose", 17) == NULL) {
        printf("SKIP: there is no ConvTranspose\n");
        return;
    }
    for (int groups = 1; groups <= 2; groups++) {
        fixture *self = start(NULL, 17, "2 4 5 3");
        int32_t id = -1;
        int32_t y = layer(self, "ConvTranspose", self->x, groups == 1 ? "4 6 3 2" : "4 3 3 2",
                          groups == 1 ? "" : "6", &id);
        build_int_attr(&self->build, id, "group", groups);
        check_folds(self, norm(self, y, "6"), 0, 2);
    }
}

static void dense_layers(void **state)
{
    (void)state;
    static const char *const biases[] = {"", "1", "5", "1 5", "1 1", ""};
    for (int k = 0; k < 12; k++) {
        fixture *self = start(NULL, 17, "7 4");
        const bool transposed = k % 2 != 0;
        int32_t id = -1;
        int32_t y = layer(self, "Gemm", self->x, transposed ? "5 4" : "4 5", biases[k / 2], &id);
        build_int_attr(&self->build, id, "transB", transposed);
        const graph_attr alpha = {.name = "alpha", .kind = ATTR_FLOAT, .f = 0.5F};
        const graph_attr beta = {.name = "beta", .kind = ATTR_FLOAT, .f = 3};
        assert_int_equal(graph_add_attr(self->ctx, self->build.graph, id, &alpha), COSET_OK);
        assert_int_equal(graph_add_attr(self->ctx, self->build.graph, id, &beta), COSET_OK);
        check_folds(self, norm(self, y, "5"), 0, 2);
    }
    fixture *self = start(NULL, 17, "7 4");
    check_folds(self, norm(self, layer(self, "MatMul", self->x, "4 5", "", NULL), "5"), 0, 2);
}

static void added_biases(void **state)
{
    (void)state;
    static const struct {
        const char *type, *x, *weight, *bias, *added;
        int64_t initialisers;
    } cases[] = {{"MatMul", "7 4", "4 5", "", "5", 2},
                 {"MatMul", "7 4", "4 5", "", "1 5", 2},
                 {"MatMul", "7 4", "4 5", "", "1", 2},
                 {"MatMul", "7 4", "4 5", "", "", 2},
                 {"Gemm", "7 4", "4 5", "5", "5", 3},
                 {"Conv", "2 3 5 4", "6 3 2 2", "", "6 1 1", 2},
                 {"Conv", "2 3 5 4", "6 3 2 2", "6", "1 6 1 1", 3},
                 {"Conv", "2 3 5 4", "6 3 2 2", "6", "1", 3}};
    for (size_t k = 0; k < 2 * sizeof cases / sizeof *cases; k++) {
        fixture *self = start(NULL, 17, cases[k / 2].x);
        int32_t y =
            layer(self, cases[k / 2].type, self->x, cases[k / 2].weight, cases[k / 2].bias, NULL);
        const int32_t b = constant(self, cases[k / 2].added, -1, 1);
        const int32_t sides[2][2] = {{y, b}, {b, y}};
        y = node(self, "Add", sides[k % 2], 2, NULL);
        check_folds(self,
                    norm(self, y, self->build.graph->values[self->x].shape.rank == 2 ? "5" : "6"),
                    0, cases[k / 2].initialisers);
    }
}

/* Conv, norm, norm, Relu, Conv, norm: all go. */
static void chains(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "2 3 5 4");
    int32_t y = layer(self, "Conv", self->x, "6 3 3 2", "", NULL);
    y = norm(self, norm(self, y, "6"), "6");
    y = node(self, "Relu", &y, 1, NULL);
    y = layer(self, "Conv", y, "2 6 1 1", "2", NULL);
    check_folds(self, norm(self, y, "2"), 0, 4);
}

/* Two layers with one weight and one bias, and two norms with the same parameters: each gets its own. */
static void shared_constants(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "2 3 5 4");
    const int32_t w = constant(self, "3 3 1 1", -1, 1), b = constant(self, "3", -1, 1);
    int32_t y = self->x;
    for (int k = 0; k < 3; k++) {
        y = node(self, "Conv", (const int32_t[]){y, w, b}, 3, NULL);
        if (k < 2) y = norm(self, y, "3");
    }
    check_folds(self, y, 0, 6);
}

/* Parameters from Constant nodes: those nodes go, too. */
static void constant_nodes(void **state)
{
    (void)state;
    static const float ones[5] = {1, 2, 3, 4, 5};
    fixture *self = start(NULL, 17, "7 4");
    int32_t inputs[5] = {layer(self, "Gemm", self->x, "4 5", "5", NULL)};
    for (int i = 1; i < 5; i++) {
        inputs[i] = build_value(&self->build, fresh(self, "stored"));
        const graph_attr value = {
            .name = "value_floats", .kind = ATTR_FLOATS, .floats = ones, .n = 5};
        const int32_t id = build_node_n(&self->build, "", "Constant", NULL, 0, &inputs[i], 1);
        assert_int_equal(graph_add_attr(self->ctx, self->build.graph, id, &value), COSET_OK);
        float *copy = NULL;
        tensor *data = NULL;
        assert_int_equal(ctx_alloc(self->ctx, 5, sizeof *copy, &copy), COSET_OK);
        memcpy(copy, ones, sizeof ones);
        assert_int_equal(
            tensor_new(self->ctx, COSET_F32, &(shape){1, {5}}, copy, sizeof ones, &data), COSET_OK);
        graph_set_constant(self->ctx, self->build.graph, inputs[i], data);
        tensor_release(self->ctx, data);
    }
    check_folds(self, node(self, "BatchNormalization", inputs, 5, NULL), 0, 2);
}

/* A chain is folded in place: what one step has added, the next one replaces. */
static void chains_add_one_bias(void **state)
{
    (void)state;
    enum { NORMS = 40 };
    fixture *self = start(NULL, 17, "2 3 5 4");
    int32_t y = layer(self, "Conv", self->x, "4 3 1 1", "", NULL);
    coset_graph *folded = NULL;
    for (int k = 0; k < NORMS; k++) y = norm(self, y, "4");
    build_output(&self->build, y);
    const coset_graph *graph = build_finish(&self->build);
    assert_int_equal(graph_fold_batchnorm(self->ctx, graph, &folded), COSET_OK);
    assert_int_equal(folded->n_nodes, 1);
    assert_int_equal(folded->n_values, graph->n_values + 1);
    coset_graph_free(self->ctx, folded);
    stop(self);
}

/* The constants are those of the formula in f64, rounded once. */
static void constants_are_exact(void **state)
{
    (void)state;
    static const float weight[2] = {3, -0.7F}, bias[1] = {0.3F}, scale[1] = {1.1F},
                       shift[1] = {0.2F}, mean[1] = {-0.6F}, variance[1] = {0.9F};
    fixture *self = start(NULL, 17, "1 2");
    builder *b = &self->build;
    const int32_t w = build_constant(b, "w", COSET_F32, "2 1", weight);
    const int32_t c = build_constant(b, "c", COSET_F32, "1", bias);
    const int32_t y = node(self, "Gemm", (const int32_t[]){self->x, w, c}, 3, NULL);
    const int32_t inputs[5] = {y, build_constant(b, "scale", COSET_F32, "1", scale),
                               build_constant(b, "shift", COSET_F32, "1", shift),
                               build_constant(b, "mean", COSET_F32, "1", mean),
                               build_constant(b, "variance", COSET_F32, "1", variance)};
    build_output(b, node(self, "BatchNormalization", inputs, 5, NULL));
    coset_graph *folded = NULL;
    assert_int_equal(graph_fold_batchnorm(self->ctx, build_finish(b), &folded), COSET_OK);
    assert_non_null(folded);
    const double a = (double)scale[0] / sqrt((double)variance[0] + (double)1e-5F);
    const float *got_w = folded->values[w].constant->data,
                *got_c = folded->values[c].constant->data;
    for (int i = 0; i < 2; i++) assert_true(got_w[i] == (float)(a * (double)weight[i]));
    assert_true(got_c[0] ==
                (float)(a * (double)bias[0] + ((double)shift[0] - a * (double)mean[0])));
    assert_true(((const float *)b->graph->values[w].constant->data)[0] == weight[0]);
    coset_graph_free(self->ctx, folded);
    stop(self);
}

/* ---- what stays ------------------------------------------------------------------------------- */

static void others_read_the_input(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "2 3 5 4");
    int32_t y = layer(self, "Conv", self->x, "6 3 1 1", "", NULL);
    check_stays(self, node(self, "Add", (const int32_t[]){norm(self, y, "6"), y}, 2, NULL));
    self = start(NULL, 17, "2 3 5 4");
    y = layer(self, "Conv", self->x, "6 3 1 1", "", NULL);
    build_output(&self->build, y);
    check_stays(self, norm(self, y, "6"));
}

static void no_layer_in_front(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "2 3 5 4");
    check_stays(self, norm(self, self->x, "3"));
    self = start(NULL, 17, "2 3 5 4");
    int32_t y = layer(self, "Conv", self->x, "6 3 1 1", "", NULL);
    check_stays(self, norm(self, node(self, "Relu", &y, 1, NULL), "6"));
    self = start(NULL, 17, "2 3 5 4"); /* an Add that enlarges */
    y = node(self, "Add",
             (const int32_t[]){layer(self, "Conv", self->x, "1 3 1 1", "", NULL),
                               constant(self, "6 1 1", -1, 1)},
             2, NULL);
    check_stays(self, norm(self, y, "6"));
    self = start(NULL, 17, "2 3 5 4"); /* one constant for each position */
    y = node(self, "Add",
             (const int32_t[]){layer(self, "Conv", self->x, "6 3 1 1", "", NULL),
                               constant(self, "5 4", -1, 1)},
             2, NULL);
    check_stays(self, norm(self, y, "6"));
    self = start(NULL, 17, "2 3 4"); /* channels are not the axis of the weight */
    check_stays(self, norm(self, layer(self, "MatMul", self->x, "4 3", "", NULL), "3"));
}

static void weight_is_computed(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "5 5");
    check_stays(
        self, norm(self, node(self, "MatMul", (const int32_t[]){self->x, self->x}, 2, NULL), "5"));
}

static void training(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "2 3 5 4");
    int32_t id = -1;
    const int32_t y = norm_of(self, layer(self, "Conv", self->x, "6 3 1 1", "", NULL), "6", &id);
    build_int_attr(&self->build, id, "training_mode", 1);
    check_stays(self, y);
}

static void bias_that_takes_nothing_in(void **state)
{
    (void)state;
    fixture *self = start(NULL, 17, "7 4");
    int32_t id = -1;
    const int32_t y = layer(self, "Gemm", self->x, "4 5", "5", &id);
    const graph_attr beta = {.name = "beta", .kind = ATTR_FLOAT, .f = 0};
    assert_int_equal(graph_add_attr(self->ctx, self->build.graph, id, &beta), COSET_OK);
    check_stays(self, norm(self, y, "5"));
}

static void results_that_are_not_finite(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) { /* a negative variance; a scale that overflows */
        fixture *self = start(NULL, 17, "7 4");
        const int32_t y = layer(self, "Gemm", self->x, "4 5", "5", NULL);
        const float top = k == 0 ? 2 : 3e38F, low = k == 0 ? -2 : 1e-9F;
        const int32_t inputs[5] = {y, constant(self, "5", top, top), constant(self, "5", -1, 1),
                                   constant(self, "5", 1, 1), constant(self, "5", low, low)};
        check_stays(self, node(self, "BatchNormalization", inputs, 5, NULL));
    }
}

/* ---- memory ----------------------------------------------------------------------------------- */

typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    failing_memory *self = user;
    const int64_t number = self->made++;
    if (self->at >= 0 && (self->from_there_on ? number >= self->at : number == self->at))
        return NULL;
    self->alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *memory)
{
    ((failing_memory *)user)->alive--;
    free(memory);
}

static void every_allocation_fails(void **state)
{
    (void)state;
    failing_memory memory = {.at = -1};
    const coset_allocator allocator = {failing_alloc, failing_release, &memory};
    const coset_ctx_options options = {.allocator = &allocator, .threads = 1};
    coset_ctx *ctx = NULL;
    coset_graph *folded = NULL;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    fixture *self = start(ctx, 17, "2 3 5 4");
    int32_t y = layer(self, "Conv", self->x, "6 3 3 2", "", NULL);
    y = norm(self, norm(self, y, "6"), "6");
    y = node(self, "Flatten", &y, 1, NULL);
    build_output(&self->build, norm(self, layer(self, "MatMul", y, "54 5", "", NULL), "5"));
    const coset_graph *graph = build_finish(&self->build);
    for (int mode = 0; mode < 2; mode++) {
        coset_status status = COSET_EMEMORY;
        memory.from_there_on = mode == 1;
        const int64_t alive = memory.alive;
        for (int64_t k = 0; status == COSET_EMEMORY; k++) {
            memory.made = 0;
            memory.at = k;
            status = graph_fold_batchnorm(ctx, graph, &folded);
            memory.at = -1;
            if (status != COSET_EMEMORY) break;
            assert_null(folded);
            assert_int_equal(memory.alive, alive);
        }
        assert_int_equal(status, COSET_OK);
        assert_int_equal(count_type(folded, "BatchNormalization"), 0);
        coset_graph_free(ctx, folded);
        assert_int_equal(memory.alive, alive);
    }
    stop(self);
    assert_int_equal(memory.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(absent_bias),
        cmocka_unit_test(transposed_convolutions),
        cmocka_unit_test(dense_layers),
        cmocka_unit_test(added_biases),
        cmocka_unit_test(chains),
        cmocka_unit_test(shared_constants),
        cmocka_unit_test(constant_nodes),
        cmocka_unit_test(chains_add_one_bias),
        cmocka_unit_test(constants_are_exact),
        cmocka_unit_test(others_read_the_input),
        cmocka_unit_test(no_layer_in_front),
        cmocka_unit_test(weight_is_computed),
        cmocka_unit_test(training),
        cmocka_unit_test(bias_that_takes_nothing_in),
        cmocka_unit_test(results_that_are_not_finite),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
