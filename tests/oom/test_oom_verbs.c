/* Every allocation of inspect, eval and compress fails once, and every one after it, ours and jansson's: an
 * error comes back, nothing leaks, and the next call works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <cmocka.h>

#include <coset/coset.h>

/* Fails at allocation `at`, or from there on. */
typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static failing_memory ours, theirs;

static bool fails(failing_memory *self)
{
    int64_t number = self->made++;
    return self->at >= 0 && (self->from_there_on ? number >= self->at : number == self->at);
}

static void *our_alloc(void *user, size_t alignment, size_t size)
{
    if (fails(user)) return NULL;
    ours.alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void our_release(void *user, void *memory)
{
    (void)user;
    ours.alive--;
    free(memory);
}

static void *their_alloc(size_t size)
{
    if (fails(&theirs)) return NULL;
    theirs.alive++;
    return malloc(size);
}

static void their_release(void *memory)
{
    if (memory != NULL) theirs.alive--;
    free(memory);
}

static coset_graph *graph;
static coset_data *data;

static coset_status draw(coset_ctx *ctx, coset_status status, coset_report *report)
{
    char *text = NULL, *json = NULL;
    if (status == COSET_OK) status = coset_report_text(ctx, report, &text);
    if (status == COSET_OK) status = coset_report_json(ctx, report, &json);
    coset_memory_free(ctx, text);
    coset_memory_free(ctx, json);
    coset_report_free(ctx, report);
    return status;
}

static coset_status inspect(coset_ctx *ctx)
{
    coset_report *report = NULL;
    coset_status status = coset_inspect(ctx, graph, &report);
    return draw(ctx, status, report);
}

static coset_status eval(coset_ctx *ctx)
{
    coset_report *report = NULL;
    coset_status status = coset_eval(ctx, graph, graph, data, &report);
    return draw(ctx, status, report);
}

static coset_status compress_by(coset_ctx *ctx, const char *method)
{
    coset_report *report = NULL;
    coset_graph *small = NULL;
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    options.method = method;
    options.calib_samples = 8;
    coset_status status = coset_compress(ctx, graph, data, &options, &small, &report);
    assert_true((status == COSET_OK) == (small != NULL));
    coset_graph_free(ctx, small);
    return draw(ctx, status, report);
}

static coset_status compress_auto(coset_ctx *ctx)
{
    return compress_by(ctx, "auto");
}

static coset_status compress_afde(coset_ctx *ctx)
{
    return compress_by(ctx, "afde");
}

static coset_status compress_magnitude(coset_ctx *ctx)
{
    return compress_by(ctx, "magnitude");
}

/* Two refits in a row, and a mask. */
static coset_status compress_in_turn(coset_ctx *ctx)
{
    return compress_by(ctx, "select+random+magnitude");
}

static coset_status compress_on_random(coset_ctx *ctx)
{
    coset_report *report = NULL;
    coset_graph *small = NULL;
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    options.method = "wanda+flap";
    options.calib = COSET_CALIB_RANDOM;
    options.calib_samples = 4;
    coset_status status = coset_compress(ctx, graph, NULL, &options, &small, &report);
    coset_graph_free(ctx, small);
    return draw(ctx, status, report);
}

static void fail_everywhere(coset_ctx *ctx, failing_memory *memory,
                            coset_status (*work)(coset_ctx *ctx))
{
    for (int mode = 0; mode < 2; mode++) {
        coset_status status = COSET_EMEMORY;
        int64_t failures = 0;
        for (int64_t at = 0; status != COSET_OK; at++) {
            int64_t our_alive = ours.alive, their_alive = theirs.alive;
            memory->made = 0;
            memory->at = at;
            memory->from_there_on = mode == 1;
            status = work(ctx);
            memory->at = -1;
            assert_int_equal(ours.alive, our_alive);
            assert_int_equal(theirs.alive, their_alive);
            failures += status != COSET_OK;
            if (status != COSET_OK) assert_int_equal(status, COSET_EMEMORY);
            assert_true(at < 100000);
        }
        assert_true(failures > 20);
        assert_int_equal(work(ctx), COSET_OK);
    }
}

static void verbs_survive(void **state)
{
    (void)state;
    const coset_allocator allocator = {our_alloc, our_release, &ours};
    const coset_data_options data_options = COSET_DATA_OPTIONS_INIT;
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    char path[4096];
    const char *source = getenv("COSET_SOURCE");
    assert_non_null(source);
    ours.at = theirs.at = -1;
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    snprintf(path, sizeof path, "%s/tests/cli/data/mlp.onnx", source);
    assert_int_equal(coset_graph_load(ctx, path, &graph), COSET_OK);
    snprintf(path, sizeof path, "%s/tests/cli/data/table.csv", source);
    assert_int_equal(coset_data_load(ctx, path, &data_options, &data), COSET_OK);

    json_set_alloc_funcs(their_alloc, their_release);
    fail_everywhere(ctx, &ours, inspect);
    fail_everywhere(ctx, &theirs, inspect);
    fail_everywhere(ctx, &ours, eval);
    fail_everywhere(ctx, &theirs, eval);
    fail_everywhere(ctx, &ours, compress_auto);
    fail_everywhere(ctx, &theirs, compress_auto);
    fail_everywhere(ctx, &ours, compress_afde);
    fail_everywhere(ctx, &ours, compress_magnitude);
    fail_everywhere(ctx, &ours, compress_in_turn);
    fail_everywhere(ctx, &theirs, compress_in_turn);
    fail_everywhere(ctx, &ours, compress_on_random);

    coset_data_free(ctx, data);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    assert_int_equal(ours.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(verbs_survive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
