/* Operators whose work is in no cost are folded only while that work is small: a file must not make loading
 * take hours by a window over a constant. */
#include "support/build.h"

#include "graph/infer.h"

static void add_ints(builder *build, int32_t node, const char *name, int64_t first, int64_t second,
                     int64_t n)
{
    const int64_t values[2] = {first, second};
    const graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = values, .n = n};
    assert_int_equal(graph_add_attr(build->ctx, build->graph, node, &attr), COSET_OK);
}

/* Whether an operator over a constant [1, 1, size] (LRN: [1, size, 1]) is folded. */
static bool is_folded(const char *type, int64_t size, int64_t window)
{
    coset_ctx *ctx = NULL;
    graph_facts *facts = NULL;
    char dims[64];
    const bool is_lrn = strcmp(type, "LRN") == 0;
    float *data = calloc((size_t)size, sizeof *data);
    assert_non_null(data);
    assert_int_equal(coset_ctx_new(NULL, &ctx), COSET_OK);
    builder build = build_start(ctx, 18);
    snprintf(dims, sizeof dims, is_lrn ? "1 %lld 1" : "1 1 %lld", (long long)size);
    const int32_t x = build_constant(&build, "x", COSET_F32, dims, data);
    const int32_t y = build_value(&build, "y");
    const int32_t node = build_node_n(&build, "", type, &x, 1, &y, 1);
    if (is_lrn) {
        build_int_attr(&build, node, "size", window);
    } else {
        add_ints(&build, node, "kernel_shape", window, 0, 1);
        add_ints(&build, node, "pads", window - 1, 0, 2);
    }
    build_output(&build, y);
    assert_int_equal(graph_infer(ctx, build_finish(&build), NULL, &facts), COSET_OK);
    const fact *known = graph_fact(facts, y);
    assert_true(shape_known(&known->shape));
    const bool folded = known->constant != NULL;
    graph_facts_free(ctx, facts);
    coset_graph_free(ctx, build.graph);
    coset_ctx_free(ctx);
    free(data);
    return folded;
}

static void windows(void **state)
{
    (void)state;
    static const char *const types[] = {"MaxPool", "AveragePool", "LpPool", "LRN"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        assert_true(is_folded(types[t], 64, 5));
        assert_false(is_folded(types[t], 1 << 19, 1 << 18));
        assert_false(is_folded(types[t], 1 << 19, INT64_C(1) << 39));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(windows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
