/* Every allocation of building, expanding, reducing, checking, substituting and evaluating systems and
 * of partitions fails once, and every one after it: an error comes back, nothing leaks, inputs stay,
 * and the next call works. */
#include "support/ode_systems.h"

#include "ode/reduce.h"

/* An allocator that fails once at allocation `at`, or from there on. */
typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static failing_memory memory;

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    (void)user;
    int64_t made = memory.made++;
    bool fails = memory.from_there_on ? made >= memory.at : made == memory.at;
    if (memory.at >= 0 && fails) return NULL;
    memory.alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *bytes)
{
    (void)user;
    memory.alive--;
    free(bytes);
}

/* What a usage works on. */
typedef struct subject {
    const ode_model *model, *network;
    const ode_system *numeric, *symbolic;
    const partition *blocks;
} subject;

typedef coset_status (*usage)(coset_ctx *ctx, const subject *with);

/* Passes the status on; a result is there if and only if it is COSET_OK. */
static coset_status done(coset_status status, ode_system **system)
{
    assert_true((*system != NULL) == (status == COSET_OK));
    system_free(*system);
    *system = NULL;
    return status;
}

static coset_status use_builder(coset_ctx *ctx, const subject *with)
{
    enum { TERMS = 300 };
    system_builder *builder = NULL;
    ode_system *system = NULL;
    const ode_system *like = with->symbolic;
    coset_status status =
        system_builder_new(ctx, like->n, like->n_symbols, like->names, like->initial, &builder);
    for (int t = 0; t < TERMS && status == COSET_OK; t++) {
        const factor factors[] = {{t % 3, 1 + t % 5}, {3, 1 + t / 5}, {0, 1}};
        status = system_builder_add(builder, t % 3, factors, 3, number_of(t + 1));
    }
    if (status != COSET_OK) {
        system_builder_free(builder);
        return status;
    }
    return done(system_builder_finish(builder, &system), &system);
}

static coset_status use_expand(coset_ctx *ctx, const subject *with)
{
    (void)ctx;
    ode_system *system = NULL;
    coset_status status = done(system_from_model(with->model, false, &system), &system);
    if (status != COSET_OK) return status;
    status = done(system_from_model(with->model, true, &system), &system);
    if (status != COSET_OK) return status;
    return done(system_from_model(with->network, true, &system), &system);
}

static coset_status use_to_model(coset_ctx *ctx, const subject *with)
{
    (void)ctx;
    ode_model *model = NULL;
    coset_status status = system_to_model(with->symbolic, "again", &model);
    assert_true((model != NULL) == (status == COSET_OK));
    model_free(model);
    return status;
}

static coset_status use_substitute(coset_ctx *ctx, const subject *with)
{
    (void)ctx;
    const bool keep[] = {true, false, true, false};
    ode_system *system = NULL;
    return done(system_substitute(with->symbolic, NULL, keep, &system), &system);
}

static coset_status use_free_coefficients(coset_ctx *ctx, const subject *with)
{
    (void)ctx;
    ode_system *system = NULL;
    return done(system_free_coefficients(with->numeric, &system), &system);
}

static coset_status use_reduce(coset_ctx *ctx, const subject *with)
{
    (void)ctx;
    ode_system *system = NULL;
    coset_status status =
        done(system_reduce(with->symbolic, EQUIVALENCE_FORWARD, with->blocks, &system), &system);
    if (status != COSET_OK) return status;
    return done(system_reduce(with->symbolic, EQUIVALENCE_BACKWARD, with->blocks, &system),
                &system);
}

static coset_status use_violation(coset_ctx *ctx, const subject *with)
{
    (void)ctx;
    double violation = 0;
    int64_t worst = 0;
    coset_status status =
        system_violation(with->numeric, EQUIVALENCE_FORWARD, with->blocks, &violation, &worst);
    if (status != COSET_OK) return status;
    return system_violation(with->numeric, EQUIVALENCE_BACKWARD, with->blocks, &violation, &worst);
}

static coset_status use_evaluator(coset_ctx *ctx, const subject *with)
{
    (void)ctx;
    system_evaluator *evaluator = NULL;
    coset_status status = system_evaluator_new(with->symbolic, &evaluator);
    assert_true((evaluator != NULL) == (status == COSET_OK));
    system_evaluator_free(evaluator);
    return status;
}

static coset_status use_partitions(coset_ctx *ctx, const subject *with)
{
    partition made = {0};
    coset_status status = partition_copy(ctx, with->blocks, &made);
    partition_free(ctx, &made);
    if (status == COSET_OK) status = partition_one(ctx, 3, &made);
    partition_free(ctx, &made);
    if (status == COSET_OK) status = partition_by_initial(with->numeric, &made);
    partition_free(ctx, &made);
    if (status == COSET_OK) status = partition_parse(with->numeric, "{a, c}, {b}", &made);
    partition_free(ctx, &made);
    return status;
}

static void every_allocation(coset_ctx *ctx, const subject *with, usage use, int64_t least)
{
    memory.made = 0;
    assert_int_equal(use(ctx, with), COSET_OK);
    int64_t total = memory.made, alive = memory.alive;
    assert_true(total >= least);
    for (int64_t at = 0; at < 2 * total; at++) {
        memory.made = 0;
        memory.at = at / 2;
        memory.from_there_on = at % 2 == 1;
        coset_status status = use(ctx, with);
        memory.at = -1;
        if (status != COSET_EMEMORY)
            fail_msg("allocation %d of %d: %s, %s", (int)(at / 2), (int)total,
                     coset_status_name(status), coset_ctx_error(ctx));
        if (memory.alive != alive)
            fail_msg("allocation %d of %d: %d leaked", (int)(at / 2), (int)total,
                     (int)(memory.alive - alive));
    }
    assert_int_equal(use(ctx, with), COSET_OK);
}

static ode_model *parse(coset_ctx *ctx, const char *text)
{
    ode_model *model = NULL;
    if (model_parse(ctx, text, strlen(text), "text", &model) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    return model;
}

static void systems(void **state)
{
    (void)state;
    coset_allocator allocator = {failing_alloc, failing_release, NULL};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    memory = (failing_memory){.at = -1};
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    ode_model *model =
        parse(ctx, "begin model m begin parameters k = 2 h = 0.1 p = k*(h + 3) q = 4 "
                   "r = 5 end parameters begin init a = 1 b = k c end init begin ODE "
                   "d(a) = (a + b + k*c)^7/q - p*(a - b)*(1 + c)/2 "
                   "d(b) = min(q, 3)*b^3*abs(-2) - max(q, h^0.5)*a + r^2*c*c*b "
                   "d(c) = -(a + b)*(a - b)*(r + c)^5 end ODE end model");
    ode_model *network =
        parse(ctx, "begin model m begin parameters k = 2 h = 3 end parameters begin "
                   "init a b c end init begin reactions a + b -> c, k*h + 1 "
                   "2*c -> a, h/2 end reactions end model");
    ode_system *numeric = NULL, *symbolic = NULL;
    partition blocks;
    assert_int_equal(system_from_model(model, false, &numeric), COSET_OK);
    assert_int_equal(system_from_model(model, true, &symbolic), COSET_OK);
    assert_int_equal(symbolic->n_symbols, 2);
    assert_int_equal(partition_parse(numeric, "{a, b}", &blocks), COSET_OK);
    const subject with = {model, network, numeric, symbolic, &blocks};
    every_allocation(ctx, &with, use_builder, 20);
    every_allocation(ctx, &with, use_expand, 100);
    every_allocation(ctx, &with, use_to_model, 5);
    every_allocation(ctx, &with, use_substitute, 20);
    every_allocation(ctx, &with, use_free_coefficients, 20);
    every_allocation(ctx, &with, use_reduce, 40);
    every_allocation(ctx, &with, use_violation, 20);
    every_allocation(ctx, &with, use_evaluator, 8);
    every_allocation(ctx, &with, use_partitions, 12);
    partition_free(ctx, &blocks);
    system_free(numeric);
    system_free(symbolic);
    model_free(model);
    model_free(network);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(systems)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
