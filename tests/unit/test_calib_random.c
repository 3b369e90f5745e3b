/* Methods that take their statistics from inputs drawn at random. */
#include "support/runs.h"

static bytes by_random(const char *method, const coset_graph *of, uint64_t seed)
{
    coset_ctx *other = NULL;
    coset_ctx_options seeded = COSET_CTX_OPTIONS_INIT;
    coset_compress_options options = options_of(method, COSET_RULE_RATIO, 0.5, NULL);
    coset_graph *small = NULL;
    coset_report *report = NULL;
    bytes made = {NULL, 0};
    seeded.threads = 1;
    seeded.seed = seed;
    options.calib = COSET_CALIB_RANDOM;
    options.calib_samples = 64;
    assert_int_equal(coset_ctx_new(&seeded, &other), COSET_OK);
    coset_status status = coset_compress(other, of, NULL, &options, &small, &report);
    if (status != COSET_OK) fail_msg("%s: %s", method, coset_ctx_error(other));
    assert_int_equal(coset_graph_encode(other, small, &made.data, &made.size), COSET_OK);
    coset_report_free(other, report);
    coset_graph_free(other, small);
    coset_ctx_free(other);
    return made;
}

/* Methods that need statistics do without data; the seed decides. */
static void test_random_inputs_replace_data(void **state)
{
    (void)state;
    static const char *const methods[] = {"wanda", "flap", "expressiveness", "linearity", "select"};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        bytes first = by_random(methods[m], graph, 1), other = by_random(methods[m], graph, 2);
        if (first.size == other.size && memcmp(first.data, other.data, first.size) == 0)
            fail_msg("%s: the seed makes no difference", methods[m]);
        coset_memory_free(ctx, other.data);
        expect_same(first, by_random(methods[m], graph, 1), methods[m]);
    }
}

/* With data, methods see the random inputs all the same, and recovery the data. */
static void test_random_inputs_beside_data(void **state)
{
    (void)state;
    coset_compress_options options = options_of("wanda", COSET_RULE_PARAMS, 0.5, NULL);
    options.calib = COSET_CALIB_RANDOM;
    options.calib_samples = ROWS;
    bytes drawn = compressed(graph, NULL, &options, NULL);
    expect_same(drawn, compressed(graph, data, &options, NULL), "wanda on random inputs");
    options.method = "random";
    options.calib_samples = 64;
    bytes recovered = compressed(graph, data, &options, NULL);
    options.calib = COSET_CALIB_DATA;
    expect_same(recovered, compressed(graph, data, &options, NULL), "recovery on the data");
}

static coset_graph *two_inputs(coset_dtype second)
{
    builder build = build_start(ctx, 13);
    rng random = rng_seed(5, 0);
    int32_t a = build_input(&build, "a", COSET_F32, "? 4");
    int32_t b = build_input(&build, "b", second, "? 4");
    if (second != COSET_F32) {
        int32_t cast = build_value(&build, "cast");
        int32_t node = build_node_n(&build, "", "Cast", &b, 1, &cast, 1);
        build_int_attr(&build, node, "to", 1);
        b = cast;
    }
    int32_t h = build_op(&build, "Add", a, b, "sum");
    h = build_op(&build, "Relu", layer(&build, &random, h, INPUTS, FIRST, 1), -1, "h1");
    build_output(&build, layer(&build, &random, h, FIRST, 2, 2));
    build_finish(&build);
    return build.graph;
}

static void test_random_inputs_need_floats_of_known_sizes(void **state)
{
    (void)state;
    coset_graph *floats = two_inputs(COSET_F32), *integers = two_inputs(COSET_I64);
    bytes small = by_random("wanda", floats, 1);
    coset_memory_free(ctx, small.data);
    coset_compress_options options = options_of("wanda", COSET_RULE_PARAMS, 0.5, NULL);
    coset_graph *none = NULL;
    coset_report *report = NULL;
    options.calib = COSET_CALIB_RANDOM;
    assert_int_equal(coset_compress(ctx, integers, NULL, &options, &none, &report),
                     COSET_EUNSUPPORTED);
    assert_non_null(strstr(coset_ctx_error(ctx), "input 'b' has element type"));
    assert_int_equal(coset_compress(ctx, floats, data, &options, &none, &report),
                     COSET_EUNSUPPORTED);
    assert_non_null(strstr(coset_ctx_error(ctx), "has 2 inputs"));
    floats->values[floats->inputs[1]].shape.rank = -1;
    assert_int_equal(coset_compress(ctx, floats, NULL, &options, &none, &report),
                     COSET_EUNSUPPORTED);
    assert_non_null(strstr(coset_ctx_error(ctx), "input 'b' has shape"));
    assert_true(none == NULL && report == NULL);
    coset_graph_free(ctx, floats);
    coset_graph_free(ctx, integers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_inputs_replace_data),
        TEST(test_random_inputs_beside_data),
        TEST(test_random_inputs_need_floats_of_known_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
