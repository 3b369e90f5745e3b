/* Lumping of weighted graphs against the plain fixed point of its definition. */
#include "ode/lump_graph.h"

#include <string.h>

#include "support/linalg.h"

enum { MAX_NODES = 60 };

/* A graph as a matrix of weights (source, target), and as edges by target. */
typedef struct sample {
    int64_t n;
    uint64_t weight[MAX_NODES][MAX_NODES];
    int64_t start[MAX_NODES + 1];
    int32_t source[MAX_NODES * MAX_NODES * 2];
    uint64_t weights[MAX_NODES * MAX_NODES * 2];
} sample;

static uint64_t small_weight(rng *random)
{
    int64_t value = rng_below(random, 7) - 3;
    return value < 0 ? NUMBER_PRIME - (uint64_t)-value : (uint64_t)value;
}

/* Every source of one planted block has the same sum into each planted block. */
static void random_sample(rng *random, sample *s, bool planted)
{
    int32_t block[MAX_NODES];
    int64_t n_blocks = 1 + rng_below(random, 8);
    memset(s, 0, sizeof *s);
    s->n = 1 + rng_below(random, MAX_NODES);
    for (int64_t i = 0; i < s->n; i++) block[i] = (int32_t)rng_below(random, n_blocks);
    for (int64_t from = 0; from < n_blocks; from++) {
        for (int64_t into = 0; into < n_blocks; into++) {
            uint64_t sum = rng_below(random, 3) == 0 ? small_weight(random) : 0;
            for (int64_t i = 0; i < s->n; i++) {
                uint64_t left = planted ? sum : small_weight(random);
                int64_t last = -1;
                for (int64_t j = 0; j < s->n && block[i] == from; j++) {
                    if (block[j] != into) continue;
                    last = j;
                    if (rng_below(random, 6) > 0) continue;
                    uint64_t part = small_weight(random);
                    s->weight[i][j] = residue_add(s->weight[i][j], part);
                    left = residue_sub(left, part);
                }
                if (last >= 0 && (planted || rng_below(random, 4) == 0))
                    s->weight[i][last] = residue_add(s->weight[i][last], left);
            }
        }
    }
}

/* Some edges are in two parts, and some pairs are joined by parts that cancel. */
static lump_graph edges_of(rng *random, sample *s)
{
    int64_t used = 0;
    for (int64_t j = 0; j < s->n; j++) {
        for (int64_t i = 0; i < s->n; i++) {
            uint64_t part = rng_below(random, 10) == 0 ? small_weight(random) : 0;
            uint64_t rest = residue_sub(s->weight[i][j], part);
            if (part != 0) s->source[used] = (int32_t)i, s->weights[used++] = part;
            if (rest != 0 || rng_below(random, 10) == 0)
                s->source[used] = (int32_t)i, s->weights[used++] = lump_weight(rest);
        }
        s->start[j + 1] = used;
    }
    return (lump_graph){s->n, s->start, s->source, s->weights};
}

static bool alike(const sample *s, const int32_t *block, int64_t a, int64_t b)
{
    uint64_t gap[MAX_NODES] = {0};
    for (int64_t j = 0; j < s->n; j++) {
        uint64_t *sum = &gap[block[j]];
        *sum = residue_sub(residue_add(*sum, s->weight[a][j]), s->weight[b][j]);
    }
    for (int64_t j = 0; j < s->n; j++)
        if (gap[j] != 0) return false;
    return true;
}

/* Blocks named by their smallest members are split until all members of each are alike. */
static void fixed_point(const sample *s, int32_t *block)
{
    int32_t next[MAX_NODES];
    for (bool changed = true; changed;) {
        changed = false;
        for (int64_t i = 0; i < s->n; i++) {
            next[i] = (int32_t)i;
            for (int64_t j = 0; j < i; j++) {
                if (block[j] != block[i] || !alike(s, block, i, j)) continue;
                next[i] = next[j];
                break;
            }
            changed = changed || next[i] != block[i];
        }
        memcpy(block, next, (size_t)s->n * sizeof *next);
    }
}

static void name_by_smallest(int64_t n, int32_t *block)
{
    int32_t first[MAX_NODES];
    memset(first, -1, sizeof first);
    for (int64_t i = 0; i < n; i++) {
        if (first[block[i]] < 0) first[block[i]] = (int32_t)i;
        block[i] = first[block[i]];
    }
}

static int64_t count_blocks(int64_t n, const int32_t *block)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += block[i] == i;
    return count;
}

static void test_random(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(1, 0);
    sample *s = malloc(sizeof *s);
    assert_non_null(s);
    int64_t between = 0; /* results that are neither discrete nor what was given */
    for (int64_t round = 0; round < 3000; round++) {
        int32_t block[MAX_NODES] = {0}, expected[MAX_NODES] = {0};
        random_sample(&random, s, round % 4 != 0);
        lump_graph graph = edges_of(&random, s);
        int64_t n_blocks = 1 + rng_below(&random, s->n < 4 ? s->n : 4);
        for (int64_t i = 0; i < s->n; i++)
            block[i] = (int32_t)(i < n_blocks ? i : rng_below(&random, n_blocks));
        memcpy(expected, block, sizeof block);
        assert_int_equal(lump_graph_refine(ctx, &graph, n_blocks, block), COSET_OK);
        name_by_smallest(s->n, block);
        name_by_smallest(s->n, expected);
        fixed_point(s, expected);
        assert_memory_equal(block, expected, (size_t)s->n * sizeof *block);
        int64_t found = count_blocks(s->n, block);
        between += found > n_blocks && found < s->n;
    }
    assert_true(between > 500);
    free(s);
    counted_ctx_end(ctx, &memory);
}

/* A path is split node by node: n splitters, which must not cost n each. With 10^6 nodes and a visit of
 * every node for each splitter this would be 10^12 steps. */
static void test_path(void **state)
{
    (void)state;
    enum { N = 1000000 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    lump_graph graph = {.n = N};
    int32_t *block = NULL;
    bool *seen = NULL;
    assert_int_equal(ctx_alloc(ctx, N + 1, sizeof *graph.start, &graph.start), COSET_OK);
    assert_int_equal(ctx_alloc(ctx, N, sizeof *graph.source, &graph.source), COSET_OK);
    assert_int_equal(ctx_alloc(ctx, N, sizeof *graph.weight, &graph.weight), COSET_OK);
    assert_int_equal(ctx_alloc(ctx, N, sizeof *block, &block), COSET_OK);
    assert_int_equal(ctx_alloc(ctx, N, sizeof *seen, &seen), COSET_OK);
    for (int32_t i = 0; i < N; i++) {
        graph.start[i + 1] = i < N - 1 ? i + 1 : i;
        if (i < N - 1) graph.source[i] = i + 1, graph.weight[i] = 1;
    }
    assert_int_equal(lump_graph_refine(ctx, &graph, 1, block), COSET_OK);
    for (int64_t i = 0; i < N; i++) {
        assert_false(seen[block[i]]);
        seen[block[i]] = true;
    }
    ctx_free(ctx, seen);
    ctx_free(ctx, block);
    lump_graph_free(ctx, &graph);
    counted_ctx_end(ctx, &memory);
}

static void test_no_nodes(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    int64_t start = 0;
    int32_t block = 0;
    lump_graph graph = {0, &start, &block, NULL};
    assert_int_equal(lump_graph_refine(ctx, &graph, 0, &block), COSET_OK);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_no_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
