/* Every allocation of the executor, the batch runner, the collection of moments and coset_run fails
 * once, and every one after it: an error comes back, nothing leaks, and the next call works. */
#include "support/build.h"

#include <coset/run.h>

#include "stats/collect.h"

enum { WIDTH = 4, SAMPLES = 11 };

static float weights[WIDTH * WIDTH], inputs[SAMPLES * WIDTH];

/* An allocator that fails once at allocation `at`, or from there on. */
typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    failing_memory *self = user;
    int64_t number = self->made++;
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

/* x -> MatMul -> z -> Add (f16 bias, cast) -> Relu -> h, y. */
static builder network(coset_ctx *ctx)
{
    static const uint16_t halves[WIDTH] = {0x3c00, 0xbc00, 0, 0x3800};
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "1 4");
    int32_t w = build_constant(&build, "w", COSET_F32, "4 4", weights);
    int32_t half = build_constant(&build, "half", COSET_F16, "4", halves);
    int32_t bias = build_value(&build, "bias");
    build_int_attr(&build, build_node_n(&build, "", "Cast", &half, 1, &bias, 1), "to", COSET_F32);
    int32_t z = build_op(&build, "Add", build_op(&build, "MatMul", x, w, "m"), bias, "z");
    int32_t h = build_op(&build, "Relu", z, -1, "h");
    build_output(&build, build_op(&build, "MatMul", h, w, "y"));
    build_output(&build, x);
    build_output(&build, half);
    build_finish(&build);
    return build;
}

static int32_t find_value(const coset_graph *graph, const char *name)
{
    for (int64_t k = 0; k < graph->n_values; k++)
        if (strcmp(graph->values[k].name, name) == 0) return (int32_t)k;
    fail_msg("no value '%s'", name);
    return -1;
}

static coset_status fill(coset_ctx *ctx, void *user, int64_t input, int64_t first, int64_t count,
                         void *out)
{
    (void)ctx, (void)user, (void)input;
    memcpy(out, inputs + first * WIDTH, (size_t)(count * WIDTH) * sizeof(float));
    return COSET_OK;
}

static coset_status use_executor(coset_ctx *ctx, const coset_graph *graph)
{
    coset_status status = COSET_OK;
    executor *self = NULL;
    array input = {.dtype = COSET_F32, .shape = build_shape("11 4"), .f = inputs};
    int32_t taps[2] = {find_value(graph, "z"), find_value(graph, "h")};
    TRY(executor_new(ctx, graph, &input.shape, taps, 2, &self));
    TRY(executor_run(self, &input));
    assert_true(executor_value(self, taps[0])->f[0] == 1.0f + inputs[0]);
done:
    executor_free(ctx, self);
    return status;
}

static coset_status visit(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                          const executor *values)
{
    int64_t *seen = user;
    (void)ctx, (void)first, (void)values;
    *seen += count;
    return COSET_OK;
}

static coset_status use_batches(coset_ctx *ctx, const coset_graph *graph)
{
    coset_status status = COSET_OK;
    batch_runner *self = NULL;
    shape one = build_shape("4");
    batch_source source = {SAMPLES, fill, NULL};
    int32_t tap = find_value(graph, "h");
    int64_t seen = 0;
    TRY(batch_runner_new(ctx, graph, &one, 4, &tap, 1, &self));
    TRY(batch_run(ctx, self, &source, NULL, visit, &seen));
    assert_int_equal(seen, SAMPLES);
done:
    batch_runner_free(ctx, self);
    return status;
}

static coset_status use_collection(coset_ctx *ctx, const coset_graph *graph)
{
    const coset_graph *graphs[2] = {graph, graph};
    shape one = build_shape("4");
    batch_source source = {SAMPLES, fill, NULL};
    int32_t z = find_value(graph, "z"), h = find_value(graph, "h");
    stats_moments wanted[2] = {{.of = {0, z, 1}}, {.of = {1, h, 1}, .second = true}};
    stats_cross pair[1] = {{{0, z, 1}, {1, h, 1}, NULL}};
    stats_signs signs[1] = {{.of = {1, z, 1}}};
    stats_pairs pairs[1] = {{.x = {0, z, 1}, .y = {0, h, 1}}};
    stats_job job = {.graphs = graphs,
                     .n_graphs = 2,
                     .source = &source,
                     .sample_shapes = &one,
                     .moments = wanted,
                     .n_moments = 2,
                     .cross = pair,
                     .n_cross = 1,
                     .signs = signs,
                     .n_signs = 1,
                     .pairs = pairs,
                     .n_pairs = 1};
    coset_status status = stats_collect(ctx, &job);
    for (int k = 0; k < 2; k++) {
        assert_true((wanted[k].result != NULL) == (status == COSET_OK));
        if (status == COSET_OK) assert_int_equal(wanted[k].result->count, SAMPLES);
        moments_free(ctx, wanted[k].result);
    }
    assert_true((pair[0].result != NULL) == (status == COSET_OK));
    assert_true((signs[0].result != NULL) == (status == COSET_OK));
    assert_true((pairs[0].result != NULL) == (status == COSET_OK));
    cross_moments_free(ctx, pair[0].result);
    sign_counts_free(ctx, signs[0].result);
    pair_moments_free(ctx, pairs[0].result);
    return status;
}

/* A whole run (samples as declared), then batches, with an input that has to be converted. */
static coset_status use_run(coset_ctx *ctx, const coset_graph *graph)
{
    coset_status status = COSET_OK;
    coset_array *outputs = NULL;
    int64_t n = 0;
    double wide[SAMPLES * WIDTH] = {1};
    coset_array given = {.name = "x",
                         .dtype = COSET_F64,
                         .rank = 2,
                         .dims = {1, WIDTH},
                         .data = wide,
                         .bytes = WIDTH * sizeof(double)};
    for (int64_t samples = 1; samples <= SAMPLES; samples += SAMPLES - 1) {
        given.dims[0] = samples;
        given.bytes = (size_t)samples * WIDTH * sizeof(double);
        TRY(coset_run(ctx, graph, &given, 1, &outputs, &n));
        assert_int_equal(outputs[0].dims[0], samples);
        coset_arrays_free(ctx, outputs, n);
        outputs = NULL;
    }
done:
    assert_null(outputs);
    return status;
}

typedef coset_status (*usage)(coset_ctx *ctx, const coset_graph *graph);

static void every_allocation(usage use, bool from_there_on)
{
    failing_memory memory = {.at = -1};
    coset_allocator allocator = {failing_alloc, failing_release, &memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    builder build = network(ctx);
    memory.made = 0;
    assert_int_equal(use(ctx, build.graph), COSET_OK);
    int64_t total = memory.made, alive = memory.alive, refused = 0;
    assert_true(total > 10);
    for (int64_t at = 0; at < total; at++) {
        memory.made = 0;
        memory.at = at;
        memory.from_there_on = from_there_on;
        coset_status status = use(ctx, build.graph);
        memory.at = -1;
        if (status != COSET_OK && status != COSET_EMEMORY)
            fail_msg("allocation %d of %d: %s, %s", (int)at, (int)total, coset_status_name(status),
                     coset_ctx_error(ctx));
        refused += status == COSET_EMEMORY;
        assert_int_equal(memory.alive, alive);
    }
    assert_int_equal(refused, total);
    assert_int_equal(use(ctx, build.graph), COSET_OK);
    coset_graph_free(ctx, build.graph);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
}

static void prepare(void)
{
    for (int k = 0; k < WIDTH; k++) weights[k * WIDTH + k] = 1;
    for (int k = 0; k < SAMPLES * WIDTH; k++) inputs[k] = (float)(k % 7) - 3;
}

static void executors(void **state)
{
    (void)state;
    every_allocation(use_executor, false);
    every_allocation(use_executor, true);
}

static void batches(void **state)
{
    (void)state;
    every_allocation(use_batches, false);
    every_allocation(use_batches, true);
}

static void collections(void **state)
{
    (void)state;
    every_allocation(use_collection, false);
    every_allocation(use_collection, true);
}

static void runs(void **state)
{
    (void)state;
    every_allocation(use_run, false);
    every_allocation(use_run, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(executors),
        cmocka_unit_test(batches),
        cmocka_unit_test(collections),
        cmocka_unit_test(runs),
    };
    prepare();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
