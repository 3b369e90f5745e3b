/* Every allocation of the calls on ODE models fails once, and every one after it, ours and jansson's: an error
 * comes back, nothing leaks, the model is untouched, and the next call works. What SUNDIALS allocates is
 * its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* One of everything: derived and unused parameters, a partition, views, a command. */
static const char text[] =
    "begin model pair\n"
    " begin parameters\n  ka = 1\n  kb = 1.1\n  twice = 2 * ka\n end parameters\n"
    " begin init\n  a = 3\n  b = 1\n  c = ka\n end init\n"
    " begin partition\n  {a, b}, {c}\n end partition\n"
    " begin reactions\n  a -> c, ka\n  b -> c, kb\n  a + b -> a + a, ka\n end reactions\n"
    " begin views\n  ab = a + b\n  weighted = a + 2 * b\n  all = -(a + b) / 2 + 3 * c\n end views\n"
    " simulateODE(tEnd=2)\n"
    "end model\n";

static coset_ode *model;
static coset_graph *graph;

static coset_status draw(coset_ctx *ctx, coset_status status, coset_report *report)
{
    char *page = NULL, *json = NULL;
    if (status == COSET_OK) status = coset_report_text(ctx, report, &page);
    if (status == COSET_OK) status = coset_report_json(ctx, report, &json);
    coset_memory_free(ctx, page);
    coset_memory_free(ctx, json);
    coset_report_free(ctx, report);
    return status;
}

static coset_status parse(coset_ctx *ctx)
{
    coset_ode *ode = NULL;
    char *written = NULL;
    coset_status status = coset_ode_parse(ctx, text, strlen(text), "pair.ode", &ode);
    assert_true((status == COSET_OK) == (ode != NULL));
    if (status == COSET_OK) status = coset_ode_set(ctx, ode, "kb", 2);
    if (status == COSET_OK) status = coset_ode_text(ctx, ode, &written);
    if (status == COSET_OK) assert_non_null(strstr(written, "kb = 2"));
    coset_memory_free(ctx, written);
    coset_ode_free(ctx, ode);
    return status;
}

static coset_status reduce_with(coset_ctx *ctx, const coset_ode_reduce_options *options)
{
    coset_ode *reduced = NULL, *closest = NULL;
    coset_report *report = NULL;
    coset_status status = coset_ode_reduce(ctx, model, options, &reduced, &closest, &report);
    assert_true((status == COSET_OK) == (reduced != NULL));
    assert_true((status == COSET_OK) == (closest != NULL));
    assert_true((status == COSET_OK) == (report != NULL));
    coset_ode_free(ctx, reduced);
    coset_ode_free(ctx, closest);
    return draw(ctx, status, report);
}

static coset_status reduce_near(coset_ctx *ctx)
{
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    options.eps = 5;
    options.perturb = "ka, kb";
    options.t_end = 0.1;
    options.dt = 0.05;
    options.sweep = 1;
    return reduce_with(ctx, &options);
}

static coset_status reduce_coefficients(coset_ctx *ctx)
{
    coset_ode_reduce_options options = COSET_ODE_REDUCE_OPTIONS_INIT;
    options.equivalence = COSET_ODE_BACKWARD;
    options.eps = 5;
    options.perturb = "coefficients";
    options.partition = "{a, b}, {c}";
    return reduce_with(ctx, &options);
}

static coset_status simulate(coset_ctx *ctx)
{
    coset_ode_reduce_options reduce = COSET_ODE_REDUCE_OPTIONS_INIT;
    coset_ode_simulate_options options = COSET_ODE_SIMULATE_OPTIONS_INIT;
    coset_trajectory *trajectory = NULL;
    coset_report *report = NULL;
    reduce.equivalence = COSET_ODE_BACKWARD;
    options.reduce = &reduce;
    options.views = 1;
    options.steps = 3;
    coset_status status = coset_ode_simulate(ctx, model, &options, &trajectory, &report);
    assert_true((status == COSET_OK) == (trajectory != NULL));
    if (status == COSET_OK) status = coset_trajectory_save(ctx, trajectory, "oom.svg");
    if (status == COSET_OK) status = coset_trajectory_save(ctx, trajectory, "oom.csv");
    if (status == COSET_OK) status = coset_trajectory_save(ctx, trajectory, "oom.npz");
    coset_trajectory_free(ctx, trajectory);
    return draw(ctx, status, report);
}

static coset_status encode_with(coset_ctx *ctx, coset_ode_drift drift)
{
    coset_ode_encode_options options = COSET_ODE_ENCODE_OPTIONS_INIT;
    coset_ode *ode = NULL;
    coset_report *report = NULL;
    options.drift = drift;
    options.degree = 2;
    options.split = drift == COSET_ODE_POLYNOMIAL;
    options.low = -1;
    options.high = 1;
    coset_status status = coset_ode_encode(ctx, graph, &options, &ode, &report);
    assert_true((status == COSET_OK) == (ode != NULL));
    coset_ode_free(ctx, ode);
    return draw(ctx, status, report);
}

static coset_status encode_linear(coset_ctx *ctx)
{
    return encode_with(ctx, COSET_ODE_LINEAR);
}

static coset_status encode_polynomial(coset_ctx *ctx)
{
    return encode_with(ctx, COSET_ODE_POLYNOMIAL);
}

static coset_status dataset(coset_ctx *ctx)
{
    coset_ode_dataset_options options = COSET_ODE_DATASET_OPTIONS_INIT;
    coset_ode *ode = NULL;
    coset_report *report = NULL;
    options.trajectories = 3;
    options.pairs = 2;
    options.t_end = 0.1;
    coset_status status = coset_ode_family(ctx, "htree", 2, 0.1, &ode);
    assert_true((status == COSET_OK) == (ode != NULL));
    if (status == COSET_OK) status = coset_ode_dataset(ctx, ode, &options, "oom_set", &report);
    coset_ode_free(ctx, ode);
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

static coset_ctx *begin(void)
{
    static const coset_allocator allocator = {our_alloc, our_release, &ours};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    char path[4096];
    const char *source = getenv("COSET_SOURCE");
    assert_non_null(source);
    ours = theirs = (failing_memory){.at = -1};
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    assert_int_equal(coset_ode_parse(ctx, text, strlen(text), "pair.ode", &model), COSET_OK);
    snprintf(path, sizeof path, "%s/tests/cli/data/mlp.onnx", source);
    assert_int_equal(coset_graph_load(ctx, path, &graph), COSET_OK);
    json_set_alloc_funcs(their_alloc, their_release);
    return ctx;
}

static void end(coset_ctx *ctx)
{
    coset_ode_free(ctx, model);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    assert_int_equal(ours.alive, 0);
}

static void models_survive(void **state)
{
    (void)state;
    coset_ctx *ctx = begin();
    fail_everywhere(ctx, &ours, parse);
    end(ctx);
}

static void reductions_survive(void **state)
{
    (void)state;
    coset_ctx *ctx = begin();
    fail_everywhere(ctx, &ours, reduce_near);
    fail_everywhere(ctx, &theirs, reduce_near);
    fail_everywhere(ctx, &ours, reduce_coefficients);
    end(ctx);
}

static void trajectories_survive(void **state)
{
    (void)state;
    coset_ctx *ctx = begin();
    fail_everywhere(ctx, &ours, simulate);
    fail_everywhere(ctx, &theirs, simulate);
    end(ctx);
}

static void networks_survive(void **state)
{
    (void)state;
    coset_ctx *ctx = begin();
    fail_everywhere(ctx, &ours, encode_linear);
    fail_everywhere(ctx, &ours, encode_polynomial);
    fail_everywhere(ctx, &theirs, encode_polynomial);
    end(ctx);
}

static void data_sets_survive(void **state)
{
    (void)state;
    coset_ctx *ctx = begin();
    fail_everywhere(ctx, &ours, dataset);
    fail_everywhere(ctx, &theirs, dataset);
    end(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_survive), cmocka_unit_test(reductions_survive),
        cmocka_unit_test(trajectories_survive), cmocka_unit_test(networks_survive),
        cmocka_unit_test(data_sets_survive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
