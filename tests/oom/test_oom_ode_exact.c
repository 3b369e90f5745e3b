/* Every allocation of partition_refine_exact fails once, and every one after it: an error comes back,
 * nothing leaks, and the next call gives the same partition. */
#include "ode/partition.h"

#include "support/linalg.h"

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

/* Two copies of x' = -x + 3 x z, y' = 2 x^2 + 5 y z with the same z: backward both are one, forward
 * only their y, as the derivatives of x^2 differ. */
static ode_system *system_of_copies(coset_ctx *ctx)
{
    enum { N = 5 };
    number initial[N] = {{0}};
    system_builder *builder = NULL;
    ode_system *system = NULL;
    assert_int_equal(system_builder_new(ctx, N, 0, NULL, initial, &builder), COSET_OK);
    for (int32_t x = 0; x < 4; x += 2) {
        const struct {
            int32_t row, n_factors;
            factor factors[2];
            double coefficient;
        } terms[] = {{x, 1, {{x, 1}}, -1},
                     {x, 2, {{x, 1}, {4, 1}}, 3},
                     {x + 1, 1, {{x, 2}}, 2},
                     {x + 1, 2, {{x + 1, 1}, {4, 1}}, 5}};
        for (size_t t = 0; t < sizeof terms / sizeof *terms; t++)
            assert_int_equal(system_builder_add(builder, terms[t].row, terms[t].factors,
                                                terms[t].n_factors,
                                                number_of(terms[t].coefficient)),
                             COSET_OK);
    }
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    return system;
}

static void every_allocation(const ode_system *system, equivalence kind, const partition *one)
{
    partition expected, found;
    memory.made = 0;
    assert_int_equal(partition_refine_exact(system, kind, one, &expected), COSET_OK);
    assert_int_equal(expected.n_blocks, kind == EQUIVALENCE_BACKWARD ? 3 : 4);
    int64_t total = memory.made, alive = memory.alive;
    assert_true(total > 10);
    for (int64_t at = 0; at < total; at++) {
        memory.made = 0;
        memory.at = at;
        coset_status status = partition_refine_exact(system, kind, one, &found);
        memory.at = -1;
        if (status != COSET_EMEMORY || memory.alive != alive)
            fail_msg("allocation %d of %d: %s, %d leaked", (int)at, (int)total,
                     coset_status_name(status), (int)(memory.alive - alive));
        assert_null(found.block_of);
        partition_free(system->ctx, &found);
    }
    assert_int_equal(partition_refine_exact(system, kind, one, &found), COSET_OK);
    assert_true(partition_equal(&found, &expected));
    partition_free(system->ctx, &found);
    partition_free(system->ctx, &expected);
}

static void refinement(void **state)
{
    (void)state;
    coset_allocator allocator = {failing_alloc, failing_release, NULL};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    partition one;
    memory = (failing_memory){.at = -1};
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    ode_system *system = system_of_copies(ctx);
    assert_int_equal(partition_one(ctx, system->n, &one), COSET_OK);
    for (int from = 0; from < 2; from++) {
        memory.from_there_on = from == 1;
        every_allocation(system, EQUIVALENCE_FORWARD, &one);
        every_allocation(system, EQUIVALENCE_BACKWARD, &one);
    }
    partition_free(ctx, &one);
    system_free(system);
    coset_ctx_free(ctx);
    assert_int_equal(memory.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refinement)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
