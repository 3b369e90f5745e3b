/* Every allocation of coset_ode_encode fails once, and every one after it, those of jansson included: an
 * error comes back, nothing leaks, and the next call works. */
#include "support/build.h"

#include <jansson.h>

#include <coset/ode.h>

/* An allocator that fails once at allocation `at`, or from there on. */
typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static failing_memory memory;

static bool fails(void)
{
    int64_t number = memory.made++;
    return memory.at >= 0 && (memory.from_there_on ? number >= memory.at : number == memory.at);
}

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    (void)user;
    if (fails()) return NULL;
    memory.alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *bytes)
{
    (void)user;
    memory.alive--;
    free(bytes);
}

static void *json_alloc(size_t size)
{
    if (fails()) return NULL;
    memory.alive++;
    return malloc(size);
}

static void json_release(void *bytes)
{
    if (bytes == NULL) return;
    memory.alive--;
    free(bytes);
}

static coset_status use(coset_ctx *ctx, const coset_graph *graph,
                        const coset_ode_encode_options *options)
{
    coset_ode *ode = NULL;
    coset_report *report = NULL;
    coset_status status = coset_ode_encode(ctx, graph, options, &ode, &report);
    assert_true((ode != NULL) == (status == COSET_OK));
    assert_true((report != NULL) == (status == COSET_OK));
    coset_ode_free(ctx, ode);
    coset_report_free(ctx, report);
    return status;
}

static void every_allocation(coset_ctx *ctx, const coset_graph *graph,
                             const coset_ode_encode_options *options)
{
    for (int from = 0; from < 2; from++) {
        memory.made = 0;
        if (use(ctx, graph, options) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
        int64_t total = memory.made, alive = memory.alive;
        assert_true(total > 50);
        for (int64_t at = 0; at < total; at++) {
            memory.made = 0;
            memory.at = at;
            memory.from_there_on = from == 1;
            coset_status status = use(ctx, graph, options);
            memory.at = -1;
            if (status != COSET_EMEMORY)
                fail_msg("allocation %d of %d: %s, %s", (int)at, (int)total,
                         coset_status_name(status), coset_ctx_error(ctx));
            if (memory.alive != alive)
                fail_msg("allocation %d of %d: %d leaked", (int)at, (int)total,
                         (int)(memory.alive - alive));
        }
    }
}

/* Everything that an encoding does: contractions, moves, products, activations, linear layers. */
static builder network(coset_ctx *ctx, const char *activation)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(1, 1);
    float w[3 * 4];
    const int64_t order[3] = {2, 0, 1};
    for (int i = 0; i < 12; i++) w[i] = (float)rng_normal(&random);
    int32_t x = build_input(&b, "x", COSET_F32, "1 3");
    int32_t up = build_constant(&b, "up", COSET_F32, "3 4", w);
    int32_t down = build_constant(&b, "down", COSET_F32, "4 3", w);
    int32_t h = build_op(&b, activation, build_op(&b, "MatMul", x, up, "z"), -1, "h");
    int32_t v = build_op(&b, "MatMul", build_op(&b, "Mul", h, h, "square"), down, "v");
    int32_t gathered = build_value(&b, "gathered");
    int32_t inputs[2] = {v, build_constant(&b, "order", COSET_I64, "3", order)};
    build_int_attr(&b, build_node_n(&b, "", "Gather", inputs, 2, &gathered, 1), "axis", 1);
    int32_t sum = build_op(&b, "Add", gathered, x, "sum");
    build_output(&b, build_op(&b, "MatMul", sum, up, "y"));
    build_finish(&b);
    return b;
}

static void encodings(void **state)
{
    (void)state;
    coset_allocator allocator = {failing_alloc, failing_release, NULL};
    coset_ctx_options ctx_options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    coset_data *data = NULL;
    const float rows[6] = {0.5F, -1, 2, 1.5F, 0.25F, -0.75F};
    coset_array input = {.dtype = COSET_F32, .rank = 1, .dims = {3}, .data = rows, .bytes = 12};
    memory = (failing_memory){.at = -1};
    json_set_alloc_funcs(json_alloc, json_release);
    ctx_options.allocator = &allocator;
    ctx_options.threads = 1;
    assert_int_equal(coset_ctx_new(&ctx_options, &ctx), COSET_OK);
    assert_int_equal(coset_data_from_rows(ctx, rows, 2, 3, &data), COSET_OK);
    for (int drift = COSET_ODE_LINEAR; drift <= COSET_ODE_EXACT; drift++) {
        coset_ode_encode_options options = COSET_ODE_ENCODE_OPTIONS_INIT;
        builder b = network(ctx, drift == COSET_ODE_EXACT ? "Tanh" : "Relu");
        options.drift = (coset_ode_drift)drift;
        options.degree = 3;
        options.split = drift == COSET_ODE_POLYNOMIAL;
        options.data = drift == COSET_ODE_POLYNOMIAL ? data : NULL;
        options.input = &input;
        every_allocation(ctx, b.graph, &options);
        coset_graph_free(ctx, b.graph);
    }
    coset_data_free(ctx, data);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(encodings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
