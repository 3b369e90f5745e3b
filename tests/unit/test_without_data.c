/* Compressing without data: what weights alone can tell, and what must not be read into them. */
#include "support/build.h"

#include <coset/compress.h>
#include <coset/eval.h>

enum { INPUTS = 3, UNITS = 12, OUTPUTS = 2 };

static coset_ctx *ctx;

static int set_up(void **state)
{
    (void)state;
    return coset_ctx_new(NULL, &ctx) == COSET_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    return 0;
}

#define OK(expression) assert_int_equal((expression), COSET_OK)

/* x [?, 3] -> 12 ReLU units, more than there are inputs and none like another -> y [?, 2]; the second
 * weight is a graph output, too, or is not. */
static coset_graph *wide_model_showing(bool weight)
{
    float first[INPUTS * UNITS], bias[UNITS], second[UNITS * OUTPUTS];
    rng random = rng_seed(7, 0);
    for (int i = 0; i < INPUTS * UNITS; i++) first[i] = (float)rng_normal(&random);
    for (int i = 0; i < UNITS; i++) bias[i] = (float)rng_normal(&random);
    for (int i = 0; i < UNITS * OUTPUTS; i++) second[i] = (float)rng_normal(&random);
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "? 3");
    int32_t w1 = build_constant(&build, "w1", COSET_F32, "3 12", first);
    int32_t b1 = build_constant(&build, "b1", COSET_F32, "12", bias);
    int32_t w2 = build_constant(&build, "w2", COSET_F32, "12 2", second);
    int32_t z = build_op(&build, "Add", build_op(&build, "MatMul", x, w1, "m"), b1, "z");
    int32_t h = build_op(&build, "Relu", z, -1, "h");
    build_output(&build, build_op(&build, "MatMul", h, w2, "y"));
    if (weight) build_output(&build, w2);
    build_finish(&build);
    return build.graph;
}

static coset_graph *wide_model(void)
{
    return wide_model_showing(false);
}

/* Units that 3 inputs and a bias span linearly are no duplicates: at tolerance 0 all of them stay. */
static void test_no_tolerance_merges_duplicates_only(void **state)
{
    (void)state;
    static const char *const methods[] = {"auto", "merge", "select", "afde"};
    coset_graph *graph = wide_model();
    for (int m = 0; m < 4; m++) {
        coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
        coset_graph *small = NULL;
        coset_report *report = NULL;
        options.method = methods[m];
        options.rule = COSET_RULE_EPS;
        options.value = 0;
        OK(coset_compress(ctx, graph, NULL, &options, &small, &report));
        if (coset_report_number(report, "compressed.params", -1) !=
            INPUTS * UNITS + UNITS + UNITS * OUTPUTS)
            fail_msg("%s cut a unit at tolerance 0", methods[m]);
        coset_report_free(ctx, report);
        coset_graph_free(ctx, small);
    }
    coset_graph_free(ctx, graph);
}

/* x -> equal weights and biases -> slopes of PRelu, of which two are equal -> scales of which two are. */
static coset_graph *model_of_scales(void)
{
    static const float weight[INPUTS * 4] = {1, 1, 1, 1, -2, -2, -2, -2, 3, 3, 3, 3};
    static const float slope[4] = {0.1F, 0.2F, 0.2F, 0.2F}, scale[4] = {1, 1, 2, 1};
    static const float second[4 * OUTPUTS] = {1, -1, 2, 1, -1, 3, 1, 1};
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "? 3");
    int32_t w1 = build_constant(&build, "w1", COSET_F32, "3 4", weight);
    int32_t w2 = build_constant(&build, "w2", COSET_F32, "4 2", second);
    int32_t a = build_constant(&build, "a", COSET_F32, "4", slope);
    int32_t s = build_constant(&build, "s", COSET_F32, "4", scale);
    int32_t z = build_op(&build, "MatMul", x, w1, "z");
    int32_t h = build_op(&build, "Mul", build_op(&build, "PRelu", z, a, "p"), s, "h");
    build_output(&build, build_op(&build, "MatMul", h, w2, "y"));
    build_finish(&build);
    return build.graph;
}

/* Units are the same if everything that belongs to them is, not only their incoming weights. */
static void test_units_differ_by_their_scales(void **state)
{
    (void)state;
    static const char *const methods[] = {"merge", "select", "afde"};
    coset_graph *graph = model_of_scales();
    for (int m = 0; m < 3; m++) {
        coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
        coset_graph *small = NULL;
        coset_report *report = NULL;
        options.method = methods[m];
        options.rule = COSET_RULE_EPS;
        options.value = 0;
        OK(coset_compress(ctx, graph, NULL, &options, &small, &report));
        double left = coset_report_number(report, "compressed.params", -1);
        /* Units 1 and 3 are equal: without one of them 3 columns of weight, 2 scalars, 2 rows. */
        double least = 3 * (INPUTS + 2 + OUTPUTS);
        if (left < least || (strcmp(methods[m], "select") != 0 && left > least))
            fail_msg("%s leaves %g parameters at tolerance 0", methods[m], left);
        coset_report_free(ctx, report);
        coset_graph_free(ctx, small);
    }
    coset_graph_free(ctx, graph);
}

/* The bytes of a model that a method makes at half the parameters. */
static void *half(const coset_graph *graph, const char *method, size_t *size_out)
{
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    coset_graph *small = NULL;
    coset_report *report = NULL;
    void *bytes = NULL;
    options.method = method;
    OK(coset_compress(ctx, graph, NULL, &options, &small, &report));
    OK(coset_graph_encode(ctx, small, &bytes, size_out));
    coset_report_free(ctx, report);
    coset_graph_free(ctx, small);
    return bytes;
}

static void test_afde_stands_in_for_auto(void **state)
{
    (void)state;
    coset_graph *graph = wide_model();
    size_t by_auto = 0, by_afde = 0, by_merge = 0;
    void *automatic = half(graph, "auto", &by_auto), *afde = half(graph, "afde", &by_afde);
    void *merge = half(graph, "merge", &by_merge);
    assert_int_equal(by_auto, by_afde);
    assert_memory_equal(automatic, afde, by_afde);
    assert_false(by_merge == by_afde && memcmp(merge, afde, by_afde) == 0); /* it could differ */
    coset_memory_free(ctx, automatic);
    coset_memory_free(ctx, afde);
    coset_memory_free(ctx, merge);
    coset_graph_free(ctx, graph);
}

/* A setting of the method that was asked for is still checked, and taken. */
static void test_settings_are_those_of_the_method_asked_for(void **state)
{
    (void)state;
    coset_graph *graph = wide_model();
    coset_setting settings[] = {{"auto.ridge", "0.01"}, {"auto.nothing", "1"}};
    for (int s = 0; s < 2; s++) {
        coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
        coset_graph *small = NULL;
        coset_report *report = NULL;
        options.settings = &settings[s];
        options.n_settings = 1;
        assert_int_equal(coset_compress(ctx, graph, NULL, &options, &small, &report),
                         s == 0 ? COSET_OK : COSET_EARGUMENT);
        coset_report_free(ctx, report);
        coset_graph_free(ctx, small);
    }
    coset_graph_free(ctx, graph);
}

/* A share rounded up in every tensor would keep more than the share of all. */
static void test_layer_masks_keep_no_more_than_their_share(void **state)
{
    (void)state;
    coset_graph *graph = wide_model();
    coset_setting layer = {"magnitude.scope", "layer"};
    for (int percent = 25; percent <= 100; percent += 5) {
        coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
        coset_graph *small = NULL;
        coset_report *report = NULL;
        options.method = "magnitude";
        options.settings = &layer;
        options.n_settings = 1;
        options.value = percent / 100.0;
        OK(coset_compress(ctx, graph, NULL, &options, &small, &report));
        double all = coset_report_number(report, "original.params", 0);
        double left = coset_report_number(report, "compressed.nonzero", all + 1);
        if (left > all * percent / 100 || left < all * percent / 100 - 2) /* 2 tensors: 1 each */
            fail_msg("%g of %g non-zeros at %d %%", left, all, percent);
        coset_report_free(ctx, report);
        coset_graph_free(ctx, small);
    }
    coset_graph_free(ctx, graph);
}

static const tensor *weight_named(const coset_graph *graph, const char *name)
{
    for (int64_t v = 0; v < graph->n_values; v++)
        if (strcmp(graph->values[v].name, name) == 0) return graph->values[v].constant;
    fail_msg("no weight '%s'", name);
    return NULL;
}

/* A mask on a weight that is a graph output would change that output. */
static void test_masks_spare_weights_that_are_outputs(void **state)
{
    (void)state;
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    coset_graph *graph = wide_model_showing(true), *small = NULL;
    coset_report *report = NULL;
    options.method = "magnitude";
    options.rule = COSET_RULE_RATIO;
    options.value = 0.5;
    OK(coset_compress(ctx, graph, NULL, &options, &small, &report));
    const tensor *shown = weight_named(graph, "w2"), *same = weight_named(small, "w2");
    assert_memory_equal(same->data, shown->data, shown->bytes);
    const float *masked = weight_named(small, "w1")->data;
    int zeros = 0;
    for (int i = 0; i < INPUTS * UNITS; i++) zeros += masked[i] == 0;
    assert_int_equal(zeros, INPUTS * UNITS / 2);
    coset_report_free(ctx, report);
    coset_graph_free(ctx, small);
    coset_graph_free(ctx, graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_masks_spare_weights_that_are_outputs, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_tolerance_merges_duplicates_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_units_differ_by_their_scales, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_afde_stands_in_for_auto, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_layer_masks_keep_no_more_than_their_share, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_settings_are_those_of_the_method_asked_for, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
