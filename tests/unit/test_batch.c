/* Batches: models that declare a batch of one, many or none give the same values for each sample as a
 * run of their own, and samples of the wrong size are refused. */
#include "support/build.h"

#include "exec/batch.h"

/* Samples with value(first + k, j) = (7 s + 3 j) mod 23 - 11. */
typedef struct rows {
    int64_t width;
    int64_t calls, fail_at; /* fail_at: first sample that cannot be read; -1: none */
} rows;

static float row_value(int64_t sample, int64_t j)
{
    return (float)((7 * sample + 3 * j) % 23 - 11);
}

static coset_status fill_rows(coset_ctx *ctx, void *user, int64_t input, int64_t first,
                              int64_t count, void *out)
{
    rows *self = user;
    (void)input;
    self->calls++;
    if (self->fail_at >= 0 && first + count > self->fail_at)
        return ctx_fail(ctx, COSET_EIO, "cannot read sample %d", (int)self->fail_at);
    for (int64_t s = 0; s < count; s++)
        for (int64_t j = 0; j < self->width; j++)
            ((float *)out)[s * self->width + j] = row_value(first + s, j);
    return COSET_OK;
}

/* What a visitor sees: samples in order, and values gathered by sample. */
typedef struct gathered {
    const batch_runner *runner;
    int32_t value;
    int64_t next, batches;
    float values[4096];
} gathered;

static coset_status gather(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                           const executor *values)
{
    gathered *self = user;
    (void)ctx;
    assert_int_equal(first, self->next);
    assert_true(count >= 1 && count <= batch_size(self->runner));
    int64_t width = batch_sample_elements(self->runner, self->value);
    const array *found = executor_value(values, self->value);
    assert_non_null(found);
    assert_true(shape_product(&found->shape, 0, found->shape.rank) >= count * width);
    assert_true((first + count) * width <= 4096);
    memcpy(self->values + first * width, found->f, (size_t)(count * width) * sizeof(float));
    self->next += count;
    self->batches++;
    return COSET_OK;
}

static batch_runner *new_runner(coset_ctx *ctx, const coset_graph *graph, const shape *samples,
                                int64_t batch, const int32_t *taps, int64_t n_taps)
{
    batch_runner *made = NULL;
    if (batch_runner_new(ctx, graph, samples, batch, taps, n_taps, &made) != COSET_OK)
        fail_msg("batch_runner_new: %s", coset_ctx_error(ctx));
    return made;
}

/* x -> Neg -> y. */
static builder negation(coset_ctx *ctx, const char *dims, int32_t *y_out)
{
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, dims);
    *y_out = build_op(&build, "Neg", x, -1, "y");
    build_output(&build, *y_out);
    build_finish(&build);
    return build;
}

/* Runs `samples` samples through negation of an input of shape `dims`, and checks every one. */
static void check_negation(const char *dims, const char *sample, int64_t width, int64_t samples,
                           int64_t batch, int64_t expected_batch)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    int32_t y = -1;
    builder build = negation(ctx, dims, &y);
    shape one = build_shape(sample);
    rows data = {.width = width, .fail_at = -1};
    batch_source source = {samples, fill_rows, &data};
    batch_runner *runner = new_runner(ctx, build.graph, &one, batch, NULL, 0);
    if (expected_batch > 0) assert_int_equal(batch_size(runner), expected_batch);
    assert_int_equal(batch_sample_elements(runner, y), width);
    assert_int_equal(shape_product(batch_shape(runner, y), 0, batch_shape(runner, y)->rank),
                     width * batch_size(runner));
    for (int again = 0; again < 2; again++) {
        gathered seen = {.runner = runner, .value = y};
        if (batch_run(ctx, runner, &source, NULL, gather, &seen) != COSET_OK)
            fail_msg("batch_run: %s", coset_ctx_error(ctx));
        assert_int_equal(seen.next, samples);
        assert_int_equal(seen.batches, (samples + batch_size(runner) - 1) / batch_size(runner));
        for (int64_t s = 0; s < samples; s++)
            for (int64_t j = 0; j < width; j++)
                assert_true(seen.values[s * width + j] == -row_value(s, j));
    }
    batch_runner_free(ctx, runner);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

static void shapes_that_fit(void **state)
{
    (void)state;
    check_negation("? 5", "5", 5, 103, 10, 10);       /* symbolic batch, short tail */
    check_negation("? 5", "5", 5, 108, 10, 10);       /* long tail, padded */
    check_negation("? 5", "5", 5, 3, 10, 10);         /* fewer samples than a batch */
    check_negation("? 5", "5", 5, 0, 10, 10);         /* none */
    check_negation("1 5", "5", 5, 33, 8, 8);          /* declared batch of one, overridden */
    check_negation("1 1 1 5", "5", 5, 33, 8, 8);      /* more axes than the data */
    check_negation("16 5", "5", 5, 33, 3, 3);         /* declared batch, overridden */
    check_negation("1 784 1", "28 28", 784, 5, 2, 2); /* rearranged */
    check_negation("? 784", "28 28", 784, 5, 0, 0);   /* flattened; batch chosen */
    check_negation("? 1 4 7", "4 7 1", 28, 5, 2, 2);  /* one channel is as well last */
    check_negation("? ?", "28 28", 784, 5, 4, 4);     /* one symbolic dimension takes all */
    check_negation("? 1 ? ?", "28 28", 784, 5, 4, 4); /* symbolic dimensions take the data's */
    check_negation("? ? 4", "3 4", 12, 9, 4, 4);      /* sequence length */
    check_negation("?", "", 1, 9, 4, 4);              /* scalars */
    check_negation("0 5", "5", 5, 9, 4, 4);           /* 0 as "unknown" */
    check_negation("5", "5", 5, 9, 4, 1);             /* no batch axis */
    check_negation("", "", 1, 9, 4, 1);               /* a scalar input */
    check_negation("2 3", "2 3", 6, 9, 4, 1);         /* the sample fills the declared shape */
    check_negation("? 5", "5", 5, 600, 0, 0);
}

/* Reshape to a fixed shape: a declared batch that cannot be changed. The last batch is padded. */
static void fixed_batch(void **state)
{
    (void)state;
    static const int64_t flat[1] = {20}, back[2] = {4, 5};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "4 5");
    int32_t to_flat = build_constant(&build, "flat", COSET_I64, "1", flat);
    int32_t to_rows = build_constant(&build, "back", COSET_I64, "2", back);
    int32_t middle = build_op(&build, "Reshape", x, to_flat, "middle");
    int32_t y = build_op(&build, "Reshape", build_op(&build, "Neg", middle, -1, "n"), to_rows, "y");
    build_output(&build, y);
    const coset_graph *graph = build_finish(&build);
    shape one = build_shape("5");
    for (int64_t samples = 0; samples < 10; samples++) {
        rows data = {.width = 5, .fail_at = -1};
        batch_source source = {samples, fill_rows, &data};
        batch_runner *runner = new_runner(ctx, graph, &one, 16, &middle, 1);
        gathered seen = {.runner = runner, .value = y};
        assert_int_equal(batch_size(runner), 4);
        assert_int_equal(batch_run(ctx, runner, &source, NULL, gather, &seen), COSET_OK);
        assert_int_equal(seen.next, samples);
        for (int64_t k = 0; k < samples * 5; k++)
            assert_true(seen.values[k] == -row_value(k / 5, k % 5));
        batch_runner_free(ctx, runner);
    }
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

/* A tap whose leading dimension is not the samples forbids larger batches. */
static void tap_decides(void **state)
{
    (void)state;
    static const int64_t turned[2] = {5, -1};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "? 5");
    int32_t by = build_constant(&build, "by", COSET_I64, "2", turned);
    int32_t side = build_op(&build, "Reshape", x, by, "side");
    int32_t y = build_op(&build, "Relu", x, -1, "y");
    build_output(&build, y);
    const coset_graph *graph = build_finish(&build);
    shape one = build_shape("5");
    batch_runner *runner = new_runner(ctx, graph, &one, 16, &side, 1);
    assert_int_equal(batch_size(runner), 1);
    assert_int_equal(batch_shape(runner, side)->dims[0], 5);
    batch_runner_free(ctx, runner);
    runner = new_runner(ctx, graph, &one, 16, &y, 1);
    assert_int_equal(batch_size(runner), 16);
    assert_null(batch_shape(runner, side));
    assert_int_equal(batch_sample_elements(runner, side), 0);
    batch_runner_free(ctx, runner);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

/* The chosen batch keeps the workspace of wide models near 64 MB. */
static void chosen_batch(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    int32_t y = -1;
    builder build = negation(ctx, "? 1000000", &y);
    shape one = build_shape("1000000");
    batch_runner *runner = new_runner(ctx, build.graph, &one, 0, NULL, 0);
    assert_int_equal(batch_size(runner), (64 << 20) / 4000000);
    batch_runner_free(ctx, runner);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

static coset_status fill_pair(coset_ctx *ctx, void *user, int64_t input, int64_t first,
                              int64_t count, void *out)
{
    (void)ctx, (void)user;
    for (int64_t s = 0; s < count; s++) {
        if (input == 0)
            for (int j = 0; j < 3; j++) ((float *)out)[3 * s + j] = row_value(first + s, j);
        else
            ((int64_t *)out)[s] = first + s;
    }
    return COSET_OK;
}

/* Two inputs of different element types; scalars beside rows, with and without a batch axis. */
static void two_inputs(void **state)
{
    (void)state;
    static const char *const second[] = {"?", "1", "? 1", ""};
    for (int variant = 0; variant < 4; variant++) {
        counted_memory memory;
        coset_ctx *ctx = counted_ctx(&memory, 1);
        builder build = build_start(ctx, 13);
        int32_t x = build_input(&build, "x", COSET_F32, variant == 3 ? "1 3" : "? 3");
        int32_t k = build_input(&build, "k", COSET_I64, second[variant]);
        int32_t cast = build_value(&build, "cast");
        build_int_attr(&build, build_node_n(&build, "", "Cast", &k, 1, &cast, 1), "to", COSET_F32);
        int32_t z = build_op(&build, "Neg", cast, -1, "z");
        int32_t y = build_op(&build, "Neg", x, -1, "y");
        build_output(&build, y);
        if (variant < 3) build_output(&build, z); /* a scalar has no leading dimension to follow */
        const coset_graph *graph = build_finish(&build);
        shape samples[2] = {build_shape("3"), build_shape("")};
        batch_runner *runner = new_runner(ctx, graph, samples, 4, &z, 1);
        assert_int_equal(batch_size(runner), variant < 3 ? 4 : 1);
        batch_source source = {9, fill_pair, NULL};
        int32_t values[2] = {y, z};
        for (int v = 0; v < 2; v++) {
            gathered seen = {.runner = runner, .value = values[v]};
            assert_int_equal(batch_run(ctx, runner, &source, NULL, gather, &seen), COSET_OK);
            for (int64_t s = 0; s < 9; s++) {
                if (v == 1) assert_true(seen.values[s] == -(float)s);
                for (int j = 0; v == 0 && j < 3; j++)
                    assert_true(seen.values[3 * s + j] == -row_value(s, j));
            }
        }
        batch_runner_free(ctx, runner);
        coset_graph_free(ctx, build.graph);
        counted_ctx_end(ctx, &memory);
    }
}

static void refuses(const char *dims, const char *sample, coset_dtype dtype, int64_t batch,
                    coset_status expected, const char *text)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", dtype, dims);
    build_output(&build, build_op(&build, "Identity", x, -1, "y"));
    build_finish(&build);
    shape one = build_shape(sample);
    batch_runner *runner = NULL;
    assert_int_equal(batch_runner_new(ctx, build.graph, &one, batch, NULL, 0, &runner), expected);
    assert_null(runner);
    if (strstr(coset_ctx_error(ctx), text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", coset_ctx_error(ctx), text);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

static void samples_that_do_not_fit(void **state)
{
    (void)state;
    refuses("? 784 1", "785", COSET_F32, 0, COSET_EARGUMENT,
            "input 'x' expects samples of shape [784, 1], the data has samples of shape [785]");
    /* A symbolic batch axis does not swallow data that is twice as wide. */
    refuses("? 5", "10", COSET_F32, 0, COSET_EARGUMENT, "expects samples of shape [5]");
    refuses("1 ? 7", "10", COSET_F32, 0, COSET_EARGUMENT, "expects samples of shape [?, 7]");
    /* Channels last for channels first: as many elements, but not those. */
    refuses("? 3 8 8", "8 8 3", COSET_F32, 0, COSET_EARGUMENT,
            "expects samples of shape [3, 8, 8], the data has samples of shape [8, 8, 3]");
    refuses("1 8 ? 3", "3 8 8", COSET_F32, 0, COSET_EARGUMENT, "expects samples of shape");
    refuses("? ?", "?", COSET_F32, 0, COSET_EARGUMENT, "samples of input 'x'");
    refuses("? 5", "5", COSET_F32, -1, COSET_EARGUMENT, "batch size must be >= 0");
    refuses("? 5", "5", COSET_STRING, 0, COSET_EUNSUPPORTED, "element type string");
}

static coset_status stop_visiting(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                                  const executor *values)
{
    (void)user, (void)count, (void)values;
    return first < 8 ? COSET_OK : ctx_fail(ctx, COSET_ECHECK, "enough");
}

/* Failures of the source and of the visitor end the run with their status and text. */
static void failures_pass_through(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    int32_t y = -1;
    builder build = negation(ctx, "? 5", &y);
    shape one = build_shape("5");
    rows data = {.width = 5, .fail_at = 10};
    batch_source source = {20, fill_rows, &data};
    batch_runner *runner = new_runner(ctx, build.graph, &one, 4, NULL, 0);
    gathered seen = {.runner = runner, .value = y};
    assert_int_equal(batch_run(ctx, runner, &source, NULL, gather, &seen), COSET_EIO);
    assert_non_null(strstr(coset_ctx_error(ctx), "cannot read sample 10"));
    assert_int_equal(seen.next, 8);
    data.fail_at = -1;
    assert_int_equal(batch_run(ctx, runner, &source, NULL, stop_visiting, NULL), COSET_ECHECK);
    const executor *values = NULL;
    assert_int_equal(batch_step(ctx, runner, &source, 0, 5, &values), COSET_EARGUMENT);
    assert_int_equal(batch_step(ctx, runner, &source, 0, 0, &values), COSET_EARGUMENT);
    assert_int_equal(batch_step(ctx, runner, &source, 0, 4, &values), COSET_OK);
    batch_runner_free(ctx, runner);
    batch_runner_free(ctx, NULL);
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

static void note_progress(void *user, const char *stage, int64_t done, int64_t total)
{
    int64_t *last = user;
    assert_string_equal(stage, "counting");
    assert_int_equal(total, 10);
    assert_true(done > *last && done <= total);
    *last = done;
}

static coset_status visit_nothing(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                                  const executor *values)
{
    (void)ctx, (void)user, (void)first, (void)count, (void)values;
    return COSET_OK;
}

static void progress_reaches_the_end(void **state)
{
    (void)state;
    int64_t last = 0;
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    options.progress = note_progress;
    options.user = &last;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    int32_t y = -1;
    builder build = negation(ctx, "? 5", &y);
    shape one = build_shape("5");
    rows data = {.width = 5, .fail_at = -1};
    batch_source source = {10, fill_rows, &data};
    batch_runner *runner = new_runner(ctx, build.graph, &one, 4, NULL, 0);
    assert_int_equal(batch_run(ctx, runner, &source, "counting", visit_nothing, NULL), COSET_OK);
    assert_int_equal(last, 10);
    batch_runner_free(ctx, runner);
    coset_graph_free(ctx, build.graph);
    coset_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_that_fit),
        cmocka_unit_test(fixed_batch),
        cmocka_unit_test(tap_decides),
        cmocka_unit_test(chosen_batch),
        cmocka_unit_test(two_inputs),
        cmocka_unit_test(samples_that_do_not_fit),
        cmocka_unit_test(failures_pass_through),
        cmocka_unit_test(progress_reaches_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
