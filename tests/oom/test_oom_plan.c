/* Every allocation of plan_save and plan_load fails once, and every one after it, those of jansson
 * included: an error comes back, nothing leaks, the old files stay, and the next call works. */
#include "support/files.h"
#include "support/plans.h"

#include <jansson.h>

/* An allocator that fails once at allocation `at`, or from there on. */
typedef struct failing_memory {
    int64_t alive, made, at;
    bool from_there_on;
} failing_memory;

static failing_memory memory;

static bool fails(void)
{
    int64_t number = memory.made++;
    return memory.at >= 0 && (memory.from_there_on ? number >= memory.at : number == memory.at);
}

static void *failing_alloc(void *user, size_t alignment, size_t size)
{
    (void)user;
    if (fails()) return NULL;
    memory.alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void failing_release(void *user, void *bytes)
{
    (void)user;
    memory.alive--;
    free(bytes);
}

static void *json_alloc(size_t size)
{
    if (fails()) return NULL;
    memory.alive++;
    return malloc(size);
}

static void json_release(void *bytes)
{
    if (bytes == NULL) return;
    memory.alive--;
    free(bytes);
}

typedef coset_status (*usage)(coset_ctx *ctx, const coset_plan *plan);

static coset_status use_save(coset_ctx *ctx, const coset_plan *plan)
{
    return plan_save(ctx, plan, "plan.json");
}

static coset_status use_load(coset_ctx *ctx, const coset_plan *plan)
{
    coset_plan *back = NULL;
    coset_status status = plan_load(ctx, "plan.json", &back);
    assert_true((back != NULL) == (status == COSET_OK));
    if (back != NULL) plans_same(plan, back);
    plan_free(ctx, back);
    return status;
}

static void every_allocation(coset_ctx *ctx, const coset_plan *plan, usage use, bool from_there_on)
{
    memory.made = 0;
    assert_int_equal(use(ctx, plan), COSET_OK);
    int64_t total = memory.made, alive = memory.alive;
    assert_true(total > 50);
    char *text = files_get("plan.json", NULL);
    for (int64_t at = 0; at < total; at++) {
        memory.made = 0;
        memory.at = at;
        memory.from_there_on = from_there_on;
        coset_status status = use(ctx, plan);
        memory.at = -1;
        if (status != COSET_EMEMORY)
            fail_msg("allocation %d of %d: %s, %s", (int)at, (int)total, coset_status_name(status),
                     coset_ctx_error(ctx));
        if (memory.alive != alive)
            fail_msg("allocation %d of %d: %d leaked", (int)at, (int)total,
                     (int)(memory.alive - alive));
        assert_int_equal(files_count("."), 2);
        files_expect("plan.json", text);
    }
    free(text);
    assert_int_equal(use(ctx, plan), COSET_OK);
}

static void plans(void **state)
{
    (void)state;
    coset_allocator allocator = {failing_alloc, failing_release, NULL};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    rng random = rng_seed(1, 0);
    memory = (failing_memory){.at = -1};
    json_set_alloc_funcs(json_alloc, json_release);
    files_start("oom_plan");
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    coset_plan *plan = plans_chain(ctx, &random, 2, 5, 2);
    for (int from = 0; from < 2; from++) {
        every_allocation(ctx, plan, use_save, from == 1);
        every_allocation(ctx, plan, use_load, from == 1);
    }
    plan_free(ctx, plan);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
