/* The order in which eps-refinement visits blocks, and feed-forward systems, which one sweep settles. */
#include "support/ode_systems.h"

#include "linalg/cluster.h"
#include "ode/dependency.h"

static const equivalence KINDS[] = {EQUIVALENCE_FORWARD, EQUIVALENCE_BACKWARD};

/* ---- order of blocks ---- */

static void order_of_blocks(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    /* x0 reads x3, x3 reads x1, x1 and x4 read each other, x2 reads itself and x0. */
    ode_system *system = ODE_SYSTEM(ctx, 5, {0, "1", {4, 4}}, {3, "2", {2}}, {1, "1", {5}},
                                    {4, "1", {2}}, {2, "1", {3, 1}});
    const int64_t expected[2][5] = {{2, 0, 3, 4, 1}, {4, 1, 3, 0, 2}};
    int64_t labels[5] = {0, 1, 2, 3, 4}, order[5];
    partition single = {0};
    assert_int_equal(partition_from_labels(ctx, labels, 5, &single), COSET_OK);
    for (int k = 0; k < 2; k++) {
        block_graph graph = {0};
        assert_int_equal(dependency_graph(system, KINDS[k], &single, &graph), COSET_OK);
        assert_int_equal(graph.start[5], 6);
        assert_int_equal(dependency_order(ctx, &graph, order), COSET_OK);
        assert_memory_equal(order, expected[k], sizeof order);
        dependency_graph_free(ctx, &graph);
    }
    partition_free(ctx, &single);
    system_free(system);
    counted_ctx_end(ctx, &memory);
}

/* A chain of 200000 blocks, each reading the one before: no recursion. */
static void long_chain(void **state)
{
    enum { N = 200000 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_term *terms = calloc(N, sizeof *terms);
    int64_t *labels = calloc(N, sizeof *labels), *order = calloc(N, sizeof *order);
    assert_true(terms != NULL && labels != NULL && order != NULL);
    (void)state;
    for (int i = 0; i < N; i++) {
        terms[i] = (ode_term){i, "1", {1 + (i > 0 ? i - 1 : 0)}};
        labels[i] = i;
    }
    ode_system *system = ode_system_of(ctx, N, terms, N);
    partition single = {0};
    block_graph graph = {0};
    assert_int_equal(partition_from_labels(ctx, labels, N, &single), COSET_OK);
    assert_int_equal(dependency_graph(system, EQUIVALENCE_FORWARD, &single, &graph), COSET_OK);
    assert_int_equal(dependency_order(ctx, &graph, order), COSET_OK);
    for (int64_t i = 0; i < N; i++) assert_int_equal(order[i], N - 1 - i);
    dependency_graph_free(ctx, &graph);
    partition_free(ctx, &single);
    system_free(system);
    free(terms);
    free(labels);
    free(order);
    counted_ctx_end(ctx, &memory);
}

/* What starts at one place of a ring goes around in a few passes, not in one for each block. */
static void ring(void **state)
{
    enum { N = 1000 };
    static ode_term terms[N];
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (int turn = 0; turn < 4; turn++) {
        int64_t labels[N], order[N], place[N];
        block_graph graph = {0};
        partition single = {0};
        for (int i = 0; i < N; i++) {
            terms[i] = (ode_term){i, "1", {1 + (i + (turn < 2 ? 1 : N - 1)) % N}};
            labels[i] = i;
        }
        ode_system *system = ode_system_of(ctx, N, terms, N);
        assert_int_equal(partition_from_labels(ctx, labels, N, &single), COSET_OK);
        assert_int_equal(dependency_graph(system, KINDS[turn % 2], &single, &graph), COSET_OK);
        assert_int_equal(dependency_order(ctx, &graph, order), COSET_OK);
        for (int64_t k = 0; k < N; k++) place[order[k]] = k;
        int64_t behind = 0;
        for (int64_t b = 0; b < N; b++) behind += place[b] > place[graph.on[graph.start[b]]];
        assert_int_equal(behind, N - 1);
        dependency_graph_free(ctx, &graph);
        partition_free(ctx, &single);
        system_free(system);
    }
    counted_ctx_end(ctx, &memory);
}

/* ---- feed-forward systems ---- */

enum { LAYERS = 5, WIDTH = 9 };

/* x_k' = -x_k + b_k one + sum w_ki x_i: 3 inputs, three hidden layers, 2 outputs, and the constant. */
typedef struct network {
    int64_t size[LAYERS], first[LAYERS], n;
    double weight[LAYERS][WIDTH][WIDTH], bias[LAYERS][WIDTH]; /* [l]: into layer l, from l - 1 */
    ode_system *system;
    partition layers;
} network;

static network network_random(coset_ctx *ctx, rng *random)
{
    static const int64_t SIZES[LAYERS] = {3, WIDTH, WIDTH, WIDTH - 1, 2};
    network self = {0};
    int64_t labels[64] = {0};
    number initial[64] = {{0, 0}};
    const char *names[64] = {NULL};
    for (int l = 0; l < LAYERS; l++) {
        self.size[l] = SIZES[l];
        self.first[l] = self.n;
        for (int64_t k = 0; k < SIZES[l]; k++, self.n++)
            labels[self.n] = l > 0 && l < LAYERS - 1 ? self.first[l] : self.n;
    }
    labels[self.n] = self.n;
    system_builder *builder = NULL;
    assert_int_equal(system_builder_new(ctx, self.n + 1, 0, names, initial, &builder), COSET_OK);
    for (int l = 1; l < LAYERS; l++) {
        for (int64_t k = 0; k < self.size[l]; k++) {
            int32_t row = (int32_t)(self.first[l] + k);
            self.bias[l][k] = (double)rng_below(random, 3) + 0.125 * rng_uniform(random);
            ode_add(builder, row, &(factor){row, 1}, 1, number_of(-1));
            ode_add(builder, row, &(factor){(int32_t)self.n, 1}, 1, number_of(self.bias[l][k]));
            for (int64_t i = 0; i < self.size[l - 1]; i++) {
                double w = (double)rng_below(random, 2) + 0.125 * rng_uniform(random);
                self.weight[l][k][i] = w;
                ode_add(builder, row, &(factor){(int32_t)(self.first[l - 1] + i), 1}, 1,
                        number_of(w));
            }
        }
    }
    assert_int_equal(system_builder_finish(builder, &self.system), COSET_OK);
    assert_int_equal(partition_from_labels(ctx, labels, self.n + 1, &self.layers), COSET_OK);
    return self;
}

/* The blocks of layer l, given those of its neighbour: label_out by unit of the layer. */
static void sweep_layer(coset_ctx *ctx, const network *net, equivalence kind, eps_linkage linkage,
                        double eps, int l, const int64_t *neighbour, int64_t *label_out)
{
    double points[WIDTH][WIDTH + 1] = {{0}};
    bool forward = kind == EQUIVALENCE_FORWARD;
    int64_t others = net->size[forward ? l + 1 : l - 1];
    cluster_tree tree = {0};
    for (int64_t u = 0; u < net->size[l]; u++) {
        if (!forward) points[u][WIDTH] = net->bias[l][u];
        for (int64_t o = 0; o < others; o++)
            points[u][neighbour[o]] +=
                forward ? 3 * net->weight[l + 1][o][u] : net->weight[l][u][o];
    }
    assert_int_equal(cluster_build(ctx, &points[0][0], net->size[l], WIDTH + 1, NULL, CLUSTER_L1,
                                   linkage == EPS_SINGLE ? CLUSTER_SINGLE : CLUSTER_COMPLETE,
                                   &tree),
                     COSET_OK);
    cluster_cut_height(&tree, eps, label_out);
    cluster_tree_free(ctx, &tree);
}

/* One sweep over the layers settles it, also for complete linkage. */
static void layer_by_layer(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(15, 0);
    int64_t lumped = 0;
    (void)state;
    for (int trial = 0; trial < 200; trial++) {
        network net = network_random(ctx, &random);
        equivalence kind = KINDS[trial % 2];
        eps_linkage linkage = trial / 2 % 2 == 0 ? EPS_SINGLE : EPS_COMPLETE;
        double eps = (kind == EQUIVALENCE_FORWARD ? 18 : 6) * rng_uniform(&random);
        partition out = {0}, swept = {0};
        assert_int_equal(
            partition_refine_eps(net.system, kind, &net.layers, eps, linkage, &out, NULL),
            COSET_OK);
        int64_t labels[64], within[LAYERS][WIDTH];
        for (int64_t i = 0; i <= net.n; i++) labels[i] = i;
        for (int l = 0; l < LAYERS; l++)
            for (int64_t u = 0; u < net.size[l]; u++) within[l][u] = u;
        for (int step = 1; step < LAYERS - 1; step++) {
            int l = kind == EQUIVALENCE_FORWARD ? LAYERS - 1 - step : step;
            sweep_layer(ctx, &net, kind, linkage, eps, l,
                        within[kind == EQUIVALENCE_FORWARD ? l + 1 : l - 1], within[l]);
            for (int64_t u = 0; u < net.size[l]; u++)
                labels[net.first[l] + u] = 1000 * l + within[l][u];
        }
        assert_int_equal(partition_from_labels(ctx, labels, net.n + 1, &swept), COSET_OK);
        assert_true(partition_equal(&swept, &out));
        lumped += out.n_blocks < net.n - 1 && out.n_blocks > net.layers.n_blocks;
        partition_free(ctx, &swept);
        partition_free(ctx, &out);
        partition_free(ctx, &net.layers);
        system_free(net.system);
    }
    assert_true(lumped > 80);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_blocks),
        cmocka_unit_test(long_chain),
        cmocka_unit_test(ring),
        cmocka_unit_test(layer_by_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
