/* What is cut instead of the loaded graph, and the sizes that are assumed where a file leaves them open. */
#include "support/cut_graph.h"

#include "graph/fold_shuffle.h"
#include "graph/prepare.h"

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

static void ints_attr(builder *b, const char *name, const int64_t *ints, int64_t n)
{
    const graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = ints, .n = n};
    assert_int_equal(graph_add_attr(ctx, b->graph, (int32_t)b->graph->n_nodes - 1, &attr),
                     COSET_OK);
}

/* ---- shuffles ---------------------------------------------------------------------------------------- */

/* x -> Reshape to `wide` -> Transpose by `perm` (NULL: reversed) -> Reshape to `narrow` -> Relu. */
typedef struct chain {
    const char *x;
    int64_t wide[5], perm[5], narrow[4];
    int rank; /* of x */
    int seen; /* an inner value that is read elsewhere, too: 0 none, 1 or 2 */
    bool folds;
} chain;

static coset_graph *chain_build(const chain *self)
{
    builder b = build_start(ctx, 13);
    char dims[8];
    int32_t h[4] = {build_input(&b, "x", COSET_F32, self->x)};
    snprintf(dims, sizeof dims, "%d", self->rank + 1);
    h[1] = build_op(&b, "Reshape", h[0], build_constant(&b, "wide", COSET_I64, dims, self->wide),
                    "split");
    h[2] = build_op(&b, "Transpose", h[1], -1, "swapped");
    ints_attr(&b, "perm", self->perm, self->rank + 1);
    snprintf(dims, sizeof dims, "%d", self->rank);
    h[3] = build_op(&b, "Reshape", h[2],
                    build_constant(&b, "narrow", COSET_I64, dims, self->narrow), "joined");
    build_output(&b, build_op(&b, "Relu", h[3], -1, "y"));
    if (self->seen > 0) build_output(&b, build_op(&b, "Neg", h[self->seen], -1, "seen"));
    build_finish(&b);
    return b.graph;
}

static void shuffles_become_selections(void **state)
{
    (void)state;
    static const chain chains[] = {
        {"2 6 3", {2, 2, 3, 3}, {0, 2, 1, 3}, {2, 6, 3}, 3, 0, true},
        {"? 6 3", {-1, 3, 2, 3}, {0, 2, 1, 3}, {0, 6, 3}, 3, 0, true},
        {"? 4 2 8",
         {-1, 4, 2, 4, 2},
         {0, 1, 2, 4, 3},
         {-1, 4, 2, 8},
         4,
         0,
         true},                                                         /* the last axis */
        {"? 12", {0, 1, 12}, {0, 2, 1}, {-1, 12}, 2, 0, true},          /* nothing moves */
        {"? 6 3", {1, 2, 3, 3}, {0, 2, 1, 3}, {-1, 6, 3}, 3, 0, false}, /* the batch must be 1 */
        {"2 6 3", {2, 2, 3, 3}, {0, 2, 1, 3}, {2, 3, 6}, 3, 0, false},  /* joined otherwise */
        {"2 6 3",
         {2, 3, 2, 3},
         {0, 1, 3, 2},
         {2, 6, 3},
         3,
         0,
         false}, /* swaps with the next axis */
        {"2 6 3", {2, 2, 3, 3}, {0, 2, 3, 1}, {2, 6, 3}, 3, 0, false}, /* rotates three */
        {"6 2 3", {2, 3, 2, 3}, {1, 0, 2, 3}, {6, 2, 3}, 3, 0, false}, /* samples */
        {"2 6 3", {2, 2, 3, 3}, {0, 2, 1, 3}, {2, 6, 3}, 3, 1, false},
        {"2 6 3", {2, 2, 3, 3}, {0, 2, 1, 3}, {2, 6, 3}, 3, 2, false},
    };
    for (size_t c = 0; c < sizeof chains / sizeof *chains; c++) {
        coset_graph *graph = chain_build(&chains[c]), *folded = NULL;
        study_expect(ctx, graph_fold_shuffles(ctx, graph, &folded));
        if ((folded != NULL) != chains[c].folds) fail_msg("chain %d", (int)c);
        if (folded != NULL) {
            assert_true(folded->n_nodes == 2);
            assert_string_equal(folded->nodes[0].op_type, "Gather");
            assert_string_equal(folded->values[folded->nodes[0].outputs[0]].name, "joined");
            assert_true(study_difference(ctx, graph, folded, c) == 0);
        }
        coset_graph_free(ctx, folded);
        coset_graph_free(ctx, graph);
    }
}

/* ---- open sizes --------------------------------------------------------------------------------------- */

/* y = pooled x, with windows of `window`; inferred with what is assumed. */
static coset_graph *pooled(const char *dims, const int64_t *window, int64_t n)
{
    builder b = build_start(ctx, 13);
    int32_t x = build_input(&b, "x", COSET_F32, dims);
    int32_t y = build_op(&b, "MaxPool", x, -1, "y");
    ints_attr(&b, "kernel_shape", window, n);
    build_output(&b, y);
    build_finish(&b);
    return b.graph;
}

static void open_sizes_are_assumed(void **state)
{
    (void)state;
    static const struct {
        const char *dims;
        int64_t window[2];
        int n;
        shape x; /* rank -1: no size fits */
    } cases[] = {
        {"? 3 8 8", {2, 2}, 2, {4, {1, 3, 8, 8}}},
        {"? 3 ? ?", {2, 2}, 2, {4, {1, 3, 224, 224}}},
        {"? 3 ? 8", {2, 2}, 2, {4, {1, 3, 224, 8}}},
        {"? 3 ? ?", {300, 1}, 2, {4, {1, 3, 512, 512}}},
        {"? 3 ?", {1}, 1, {3, {1, 3, 1}}},
        {"? 3 ?", {30}, 1, {3, {1, 3, 32}}},
        {"? 3 ?", {4000}, 1, {3, {1, 3, 4096}}},
        {"? 3 ?", {5000}, 1, SHAPE_UNKNOWN},
        {"? 3 4", {5}, 1, SHAPE_UNKNOWN},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        coset_graph *graph = pooled(cases[c].dims, cases[c].window, cases[c].n);
        graph_facts *facts = NULL;
        coset_status status = graph_infer(ctx, graph, NULL, &facts);
        if ((status == COSET_OK) != (cases[c].x.rank >= 0)) fail_msg("case %d", (int)c);
        if (status != COSET_OK) assert_non_null(strstr(coset_ctx_error(ctx), "MaxPool"));
        if (status == COSET_OK)
            assert_true(shape_equal(&graph_fact(facts, graph->inputs[0])->shape, &cases[c].x));
        graph_facts_free(ctx, facts);
        coset_graph_free(ctx, graph);
    }
}

/* ---- constants of nodes ------------------------------------------------------------------------------ */

enum { UNITS = 6 };

static int32_t stored(builder *b, const char *name, const char *dims, uint64_t seed)
{
    float *values = NULL;
    tensor *data = NULL;
    const shape of = build_shape(dims);
    const int64_t n = shape_product(&of, 0, of.rank);
    rng random = rng_seed(seed, 1);
    int32_t value = build_value(b, name);
    study_expect(ctx, ctx_alloc(ctx, n, sizeof *values, &values));
    for (int64_t i = 0; i < n; i++) values[i] = (float)rng_normal(&random);
    study_expect(ctx, tensor_new(ctx, COSET_F32, &of, values, (size_t)n * sizeof *values, &data));
    const graph_attr attr = {.name = "value", .kind = ATTR_TENSOR, .t = data};
    const int32_t node = build_node_n(b, "", "Constant", NULL, 0, &value, 1);
    study_expect(ctx, graph_add_attr(ctx, b->graph, node, &attr));
    graph_set_constant(ctx, b->graph, value, data);
    tensor_release(ctx, data);
    return value;
}

static int64_t count_type(const coset_graph *graph, const char *type)
{
    int64_t n = 0;
    for (int64_t i = 0; i < graph->n_nodes; i++) n += strcmp(graph->nodes[i].op_type, type) == 0;
    return n;
}

/* Weights in Constant nodes: one behind an Identity, one that two layers of different width share with the
 * transposed one. What was folded or cut leaves no old weight in the model. */
static void constants_that_nobody_reads_go(void **state)
{
    (void)state;
    builder b = build_start(ctx, 13);
    coset_graph *prepared = NULL, *small = NULL;
    coset_plan *plan = NULL;
    const int32_t x = build_input(&b, "x", COSET_F32, "2 4");
    const int32_t w = build_op(&b, "Identity", stored(&b, "a", "4 6", 1), -1, "w");
    const int32_t shared = stored(&b, "b", "6 6", 2);
    int32_t h = build_op(&b, "Relu", build_op(&b, "MatMul", x, w, "m"), -1, "h");
    h = build_op(&b, "Relu", build_op(&b, "MatMul", h, shared, "n"), -1, "k");
    const int32_t inputs[2] = {h, shared};
    const int32_t z = build_value(&b, "z");
    build_node_n(&b, "", "Gemm", inputs, 2, &z, 1);
    build_int_attr(&b, (int32_t)b.graph->n_nodes - 1, "transB", 1);
    const int32_t last = stored(&b, "c", "6 2", 3);
    build_output(&b, build_op(&b, "MatMul", build_op(&b, "Tanh", z, -1, "t"), last, "y"));
    build_finish(&b);
    study_expect(ctx, graph_prepare(ctx, b.graph, &prepared));
    assert_int_equal(count_type(prepared, "Identity"), 0);
    assert_int_equal(count_type(prepared, "Constant"), 2);
    studied self = study(ctx, prepared);
    study_expect(ctx, plan_new(ctx, prepared, self.groups, &plan));
    for (int64_t g = 0; g < self.groups->n; g++)
        if (self.groups->groups[g].frozen == NULL) {
            const int64_t keep[2] = {0, 3};
            study_expect(ctx, lumping_select(ctx, UNITS, keep, 2, &plan->groups[g].map));
        }
    study_expect(ctx, plan_apply(ctx, prepared, self.facts, self.groups, plan, &small));
    assert_int_equal(count_type(small, "Constant"), 1); /* c: the shared one has become two */
    plan_free(ctx, plan);
    study_end(&self);
    coset_graph_free(ctx, small);
    coset_graph_free(ctx, prepared);
    coset_graph_free(ctx, b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shuffles_become_selections, start, end),
        cmocka_unit_test_setup_teardown(open_sizes_are_assumed, start, end),
        cmocka_unit_test_setup_teardown(constants_that_nobody_reads_go, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
