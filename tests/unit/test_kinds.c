/* What calibration collects where it is asked to: signs of what contractions produce, pairs along bypass lines. */
#include "support/cut_graph.h"

#include "lump/sites.h"

enum { SAMPLES = 30, IN = 5, WIDTH = 6, OUT = 2 };

static float samples[SAMPLES * IN];

static coset_status fill(coset_ctx *ctx, void *user, int64_t input, int64_t first, int64_t count,
                         void *out)
{
    (void)ctx, (void)user, (void)input;
    memcpy(out, samples + first * IN, (size_t)(count * IN) * sizeof(float));
    return COSET_OK;
}

static int32_t dense(builder *b, rng *random, int32_t x, int64_t in, int64_t n, const char *name)
{
    float w[WIDTH * WIDTH];
    char text[32], dims[32];
    for (int64_t k = 0; k < in * n; k++) w[k] = (float)rng_normal(random);
    snprintf(text, sizeof text, "w%s", name);
    snprintf(dims, sizeof dims, "%d %d", (int)in, (int)n);
    return build_op(b, "MatMul", x, build_constant(b, text, COSET_F32, dims, w), name);
}

/* x -> z1 -Relu- h1 -> z2 -Tanh- h2 -> z3; z3 + h1 -Relu- h3 -> y: z1 and z3 make one group. */
static builder network(coset_ctx *ctx)
{
    builder b = build_start(ctx, 13);
    rng random = rng_seed(1, 1);
    int32_t x = build_input(&b, "x", COSET_F32, "? 5");
    int32_t h1 = build_op(&b, "Relu", dense(&b, &random, x, IN, WIDTH, "z1"), -1, "h1");
    int32_t h2 = build_op(&b, "Tanh", dense(&b, &random, h1, WIDTH, WIDTH, "z2"), -1, "h2");
    int32_t sum = build_op(&b, "Add", dense(&b, &random, h2, WIDTH, WIDTH, "z3"), h1, "s");
    int32_t h3 = build_op(&b, "Relu", sum, -1, "h3");
    build_output(&b, dense(&b, &random, h3, WIDTH, OUT, "y"));
    build_finish(&b);
    return b;
}

static int32_t value_named(const coset_graph *graph, const char *name)
{
    for (int32_t v = 0; v < graph->n_values; v++)
        if (strcmp(graph->values[v].name, name) == 0) return v;
    fail_msg("no value '%s'", name);
    return -1;
}

/* A value on all samples, (SAMPLES, WIDTH); freed by the caller. */
static float *values_of(coset_ctx *ctx, const coset_graph *graph, const char *name)
{
    executor *self = NULL;
    array input = {.dtype = COSET_F32, .shape = build_shape("30 5"), .f = samples};
    int32_t tap = value_named(graph, name);
    float *copy = malloc(SAMPLES * WIDTH * sizeof *copy);
    assert_non_null(copy);
    study_expect(ctx, executor_new(ctx, graph, &input.shape, &tap, 1, &self));
    study_expect(ctx, executor_run(self, &input));
    memcpy(copy, executor_value(self, tap)->f, SAMPLES * WIDTH * sizeof *copy);
    executor_free(ctx, self);
    return copy;
}

static coset_status collect(coset_ctx *ctx, const studied *of, unsigned kinds, calibration **out)
{
    batch_source source = {SAMPLES, fill, NULL};
    shape one = build_shape("5");
    return calibration_collect(ctx, of->graph, of->facts, of->groups, &source, &one, kinds, out);
}

static void check_signs(coset_ctx *ctx, const studied *of, const calibration *stats, int64_t c)
{
    const char *name = of->graph->values[of->groups->contractions[c].result].name;
    const sign_counts *signs = stats->signs[c];
    if (strcmp(name, "y") == 0) { /* the outputs stay */
        assert_null(signs);
        return;
    }
    float *z = values_of(ctx, of->graph, name);
    assert_int_equal(signs->n, WIDTH);
    assert_int_equal(signs->places, 1);
    assert_int_equal(signs->count, SAMPLES);
    for (int u = 0; u < WIDTH; u++) {
        int64_t positive = 0;
        for (int s = 0; s < SAMPLES; s++) positive += z[s * WIDTH + u] > 0;
        assert_int_equal(signs->positive[u], positive);
    }
    free(z);
}

/* Only z2 and h2 have a line: z1 is read by a sum, too. */
static void check_pairs(coset_ctx *ctx, const studied *of, const calibration *stats, int64_t g)
{
    const pair_moments *pairs = stats->pairs[g];
    int64_t unit = 0;
    int32_t z2 = value_named(of->graph, "z2");
    bool is_line = false;
    for (int64_t c = 0; c < of->groups->n_contractions; c++)
        is_line |= of->groups->contractions[c].result == z2 &&
                   groups_at(of->groups, of->groups->contractions[c].out_slot, 0, &unit) == g;
    assert_true((pairs != NULL) == is_line);
    if (!is_line) return;
    float *z = values_of(ctx, of->graph, "z2"), *h = values_of(ctx, of->graph, "h2");
    assert_int_equal(pairs->n, WIDTH);
    assert_int_equal(pairs->count, SAMPLES);
    for (int u = 0; u < WIDTH; u++) {
        double mean_z = 0, mean_h = 0, product = 0;
        for (int s = 0; s < SAMPLES; s++) {
            mean_z += (double)z[s * WIDTH + u] / SAMPLES;
            mean_h += (double)h[s * WIDTH + u] / SAMPLES;
        }
        for (int s = 0; s < SAMPLES; s++)
            product += ((double)z[s * WIDTH + u] - mean_z) * ((double)h[s * WIDTH + u] - mean_h);
        /* Batches of another size may sum in another order in f32. */
        assert_true(fabs(pairs->mean_x[u] - mean_z) < 1e-5);
        assert_true(fabs(pairs->mean_y[u] - mean_h) < 1e-5);
        assert_true(fabs(pairs->xy[u] - product) < 1e-4 * (1 + fabs(product)));
    }
    free(z);
    free(h);
}

static void only_what_is_asked_for(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder b = network(ctx);
    studied of = study(ctx, b.graph);
    for (unsigned kinds = 0; kinds < 4; kinds++) {
        calibration *stats = NULL;
        study_expect(ctx, collect(ctx, &of, kinds, &stats));
        assert_true((stats->signs != NULL) == ((kinds & CALIBRATION_SIGNS) != 0));
        assert_true((stats->pairs != NULL) == ((kinds & CALIBRATION_PAIRS) != 0));
        for (int64_t c = 0; stats->signs != NULL && c < of.groups->n_contractions; c++)
            check_signs(ctx, &of, stats, c);
        assert_true(stats->pairs == NULL || stats->n_groups == of.groups->n);
        for (int64_t g = 0; stats->pairs != NULL && g < stats->n_groups; g++)
            check_pairs(ctx, &of, stats, g);
        calibration_free(ctx, stats);
    }
    study_end(&of);
    coset_graph_free(ctx, b.graph);
    counted_ctx_end(ctx, &memory);
}

/* An allocator that fails at allocation `at`. */
typedef struct failing_memory {
    int64_t alive, made, at;
} failing_memory;

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    failing_memory *self = user;
    if (self->made++ == self->at) return NULL;
    self->alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *bytes)
{
    ((failing_memory *)user)->alive--;
    free(bytes);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    failing_memory memory = {.at = -1};
    coset_allocator allocator = {failing_alloc, failing_release, &memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    builder b = network(ctx);
    studied of = study(ctx, b.graph);
    int64_t before = memory.alive;
    for (int64_t at = 0, failed = 1; failed; at++) {
        calibration *stats = NULL;
        memory.made = 0;
        memory.at = at;
        coset_status status = collect(ctx, &of, CALIBRATION_SIGNS | CALIBRATION_PAIRS, &stats);
        failed = memory.made > at;
        memory.at = -1;
        assert_int_equal(status, failed ? COSET_EMEMORY : COSET_OK);
        assert_true((stats != NULL) == !failed);
        calibration_free(ctx, stats);
        assert_int_equal(memory.alive, before);
        assert_true(failed || at > 50);
    }
    study_end(&of);
    coset_graph_free(ctx, b.graph);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
}

static int set_up(void **state)
{
    (void)state;
    rng random = rng_seed(2, 2);
    for (int k = 0; k < SAMPLES * IN; k++) samples[k] = (float)rng_normal(&random);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_asked_for),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
