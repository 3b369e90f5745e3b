/* What widths become multiples of: which groups are wide convolutions. */
#include "support/cut_graph.h"

#include <coset/compress.h>

#include "lump/rounding.h"

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

static int32_t constant(builder *b, const char *name, const char *dims, rng *random)
{
    static float values[128 * 128 * 9];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        values[i] = (float)(0.1 * rng_normal(random));
    return build_constant(b, name, COSET_F32, dims, values);
}

/* Images to three outputs: conv (128, then a depthwise one), narrow (24), up (64, transposed), a dense
 * layer (128) on the means of up's channels, and the outputs. */
static builder network(void)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(1, 0);
    int32_t x = build_input(&b, "x", COSET_F32, "1 3 6 6");
    x = build_op(&b, "Conv", x, constant(&b, "w1", "128 3 3 3", &random), "conv");
    x = build_op(&b, "Relu", x, -1, "relu");
    x = build_op(&b, "Conv", x, constant(&b, "w2", "128 1 3 3", &random), "depthwise");
    build_int_attr(&b, (int32_t)b.graph->n_nodes - 1, "group", 128);
    x = build_op(&b, "Conv", x, constant(&b, "w3", "24 128 1 1", &random), "narrow");
    x = build_op(&b, "Relu", x, -1, "relu2");
    x = build_op(&b, "ConvTranspose", x, constant(&b, "w4", "24 64 1 1", &random), "up");
    x = build_op(&b, "GlobalAveragePool", x, -1, "mean");
    x = build_op(&b, "Flatten", x, -1, "flat");
    x = build_op(&b, "MatMul", x, constant(&b, "w5", "64 128", &random), "dense");
    x = build_op(&b, "Relu", x, -1, "relu3");
    build_output(&b, build_op(&b, "MatMul", x, constant(&b, "w6", "128 3", &random), "y"));
    return b;
}

static void expect_steps(const studied *self, int64_t round_to, const int64_t *wanted)
{
    int64_t steps[5] = {0};
    assert_int_equal(self->groups->n, 5);
    rounding_steps(self->graph, self->groups, round_to, steps);
    for (int64_t g = 0; g < 5; g++) assert_int_equal(steps[g], wanted[g]);
}

static void steps_follow_the_operators(void **state)
{
    (void)state;
    builder b = network();
    studied self = study(ctx, build_finish(&b));
    expect_steps(&self, COSET_ROUND_AUTO, (const int64_t[]){16, 8, 16, 8, 8});
    expect_steps(&self, 0, (const int64_t[]){1, 1, 1, 1, 1});
    expect_steps(&self, 1, (const int64_t[]){1, 1, 1, 1, 1});
    expect_steps(&self, 12, (const int64_t[]){12, 12, 12, 12, 12});
    study_end(&self);
    coset_graph_free(ctx, b.graph);
}

static int64_t parameters(int64_t a, int64_t b, int64_t c, int64_t d)
{
    return 27 * a + 9 * a + a * b + b * c + c * d + 3 * d;
}

/* The widths that a share of units leaves, by the parameters of what is written. */
static void expect_parameters(const coset_graph *graph, const char *method, int64_t wanted)
{
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    coset_graph *small = NULL;
    coset_report *report = NULL;
    coset_graph_size size = {0};
    options.method = method;
    options.rule = COSET_RULE_RATIO;
    options.value = 0.55;
    options.round_to = COSET_ROUND_AUTO;
    study_expect(ctx, coset_compress(ctx, graph, NULL, &options, &small, &report));
    study_expect(ctx, coset_graph_measure(ctx, small, &size));
    assert_int_equal(size.params, wanted);
    coset_graph_free(ctx, small);
    coset_report_free(ctx, report);
}

/* 55 % of 128, 24, 64 and 128 units are 70, 13, 35 and 70. afde sweeps, merge does not. */
static void compress_rounds_by_group(void **state)
{
    (void)state;
    builder b = network();
    const coset_graph *graph = build_finish(&b);
    expect_parameters(graph, "merge", parameters(64, 16, 32, 72));
    expect_parameters(graph, "afde", parameters(64, 16, 32, 72));
    coset_graph_free(ctx, b.graph);
}

static void other_numbers_are_refused(void **state)
{
    (void)state;
    builder b = network();
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    coset_graph *small = NULL;
    coset_report *report = NULL;
    options.round_to = COSET_ROUND_AUTO - 1;
    assert_int_equal(coset_compress(ctx, build_finish(&b), NULL, &options, &small, &report),
                     COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "--round-to"));
    assert_null(small);
    coset_report_free(ctx, report);
    coset_graph_free(ctx, b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(steps_follow_the_operators, start, end),
        cmocka_unit_test_setup_teardown(compress_rounds_by_group, start, end),
        cmocka_unit_test_setup_teardown(other_numbers_are_refused, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
