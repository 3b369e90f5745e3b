/* Partitions: made from labels, initial values and text, and compared. */
#include "support/ode_systems.h"

/* A context that outlives a test; every test frees what it made. */
static coset_ctx *ctx;
static counted_memory memory;

static int setup(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* The invariants that partition.h promises. */
static void check(const partition *self)
{
    assert_int_equal(self->start[0], 0);
    assert_int_equal(self->start[self->n_blocks], self->n);
    for (int64_t b = 0, smallest = -1; b < self->n_blocks; b++) {
        assert_true(self->start[b] < self->start[b + 1]);
        assert_true(self->members[self->start[b]] > smallest);
        smallest = self->members[self->start[b]];
        for (int64_t i = self->start[b]; i < self->start[b + 1]; i++) {
            assert_int_equal(self->block_of[self->members[i]], b);
            assert_true(i == self->start[b] || self->members[i - 1] < self->members[i]);
        }
    }
}

static void labels(void **state)
{
    (void)state;
    rng random = rng_seed(1, 0);
    for (int round = 0; round < 300; round++) {
        int64_t n = rng_below(&random, 40), kinds = 1 + rng_below(&random, 10), label[40];
        for (int64_t i = 0; i < n; i++) {
            /* Also labels far apart and below 0. */
            int64_t kind = rng_below(&random, kinds);
            label[i] = kind % 2 ? INT64_MAX - kind : INT64_MIN + kind;
        }
        partition made;
        assert_int_equal(partition_from_labels(ctx, label, n, &made), COSET_OK);
        assert_int_equal(made.n, n);
        check(&made);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                assert_int_equal(label[i] == label[j], made.block_of[i] == made.block_of[j]);
        partition_free(ctx, &made);
    }
}

static void one_block(void **state)
{
    (void)state;
    partition made;
    assert_int_equal(partition_one(ctx, 5, &made), COSET_OK);
    check(&made);
    assert_int_equal(made.n_blocks, 1);
    partition_free(ctx, &made);
    assert_int_equal(partition_one(ctx, 0, &made), COSET_OK);
    check(&made);
    assert_int_equal(made.n_blocks, 0);
    partition_free(ctx, &made);
    partition_free(ctx, &made);
}

static void refinement(void **state)
{
    (void)state;
    const int64_t fine[] = {0, 1, 0, 2, 1}, coarse[] = {5, 7, 5, 5, 7}, other[] = {1, 1, 2, 2, 2};
    partition a, b, c, copy;
    assert_int_equal(partition_from_labels(ctx, fine, 5, &a), COSET_OK);
    assert_int_equal(partition_from_labels(ctx, coarse, 5, &b), COSET_OK);
    assert_int_equal(partition_from_labels(ctx, other, 5, &c), COSET_OK);
    assert_int_equal(partition_copy(ctx, &a, &copy), COSET_OK);
    assert_true(partition_refines(&a, &b));
    assert_true(partition_refines(&a, &a));
    assert_false(partition_refines(&b, &a));
    assert_false(partition_refines(&a, &c));
    assert_false(partition_refines(&c, &b));
    assert_true(partition_equal(&a, &copy));
    assert_false(partition_equal(&a, &b));
    assert_false(partition_equal(&b, &c)); /* two blocks each */
    check(&copy);
    partition_free(ctx, &a);
    partition_free(ctx, &b);
    partition_free(ctx, &c);
    partition_free(ctx, &copy);
}

static void initial_values(void **state)
{
    (void)state;
    ode_system *system = ode_system_text(
        ctx,
        "begin model m begin parameters k = 0.3 end parameters begin init a = 0.1 + 0.2 b = k c "
        "d = 0.30000000000000004 e = 0 end init begin ODE d(a) = a end ODE end model",
        false);
    partition made;
    assert_int_equal(partition_by_initial(system, &made), COSET_OK);
    check(&made);
    /* Values are equal as decimals: 0.1 + 0.2 is 0.3, whatever f64 says. */
    assert_int_equal(made.n_blocks, 3);
    assert_int_equal(made.block_of[0], made.block_of[1]);
    assert_int_equal(made.block_of[2], made.block_of[4]);
    partition_free(ctx, &made);
    system_free(system);
}

static void text(void **state)
{
    (void)state;
    ode_system *system = ODE_SYSTEM(ctx, 5, {0, "1", {1}});
    static const struct {
        const char *text;
        int64_t block_of[5];
    } good[] = {
        {"", {0, 0, 0, 0, 0}},
        {"  ", {0, 0, 0, 0, 0}},
        {"{x3}", {0, 0, 0, 1, 0}},
        {" { x4 ,x0 } , {x1}", {0, 1, 2, 2, 0}},
        {"{x0},{x1},{x2},{x3},{x4}", {0, 1, 2, 3, 4}},
        {"{x4,x3,x2},\n\t{x1,x0}", {0, 0, 1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        partition made;
        assert_int_equal(partition_parse(system, good[i].text, &made), COSET_OK);
        check(&made);
        for (int v = 0; v < 5; v++) assert_int_equal(made.block_of[v], good[i].block_of[v]);
        partition_free(ctx, &made);
    }
    system_free(system);
}

static void bad_text(void **state)
{
    (void)state;
    ode_system *system = ODE_SYSTEM(ctx, 3, {0, "1", {1}});
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"{}", "column 2: \"}\", expected the name"},
        {"{x0", "column 4: it ends, expected \",\" or \"}\""},
        {"{x0 x1}", "column 5: \"x\", expected \",\""},
        {"{x0}{x1}", "column 5: \"{\", expected \",\" or the end"},
        {"{x0},", "column 6: it ends, expected \"{\""},
        {"x0", "column 1: \"x\", expected \"{\""},
        {"{x0, }", "column 6: \"}\", expected the name"},
        {"{x0, x1, x0}", "column 10: \"x0\" is there twice"},
        {"{x0},{x0}", "column 7: \"x0\" is there twice"},
        {"{x0, x11}", "column 6: no variable \"x11\"; did you mean \"x1\"?"},
        {"{x0, whatever}", "column 6: no variable \"whatever\""},
        {"{x0, \xff}", "column 6"},
        {"{x0} trailing", "column 6: \"t\", expected \",\" or the end"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        partition made = {.n = 7};
        assert_int_equal(partition_parse(system, bad[i].text, &made), COSET_EARGUMENT);
        assert_null(made.block_of);
        if (strstr(coset_ctx_error(ctx), bad[i].message) == NULL)
            fail_msg("%s: %s", bad[i].text, coset_ctx_error(ctx));
    }
    system_free(system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels),         cmocka_unit_test(one_block), cmocka_unit_test(refinement),
        cmocka_unit_test(initial_values), cmocka_unit_test(text),      cmocka_unit_test(bad_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
