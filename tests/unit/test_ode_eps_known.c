/* The eps-refinement of the files of the ERODE tool. */
#include "support/files.h"
#include "support/ode_systems.h"

static ode_system *load(coset_ctx *ctx, const char *name)
{
    char path[64];
    ode_model *model = NULL;
    ode_system *system = NULL;
    snprintf(path, sizeof path, "ode/%s.ode", name);
    const char *found = files_data(path);
    if (found == NULL) return NULL;
    if (model_load(ctx, found, &model) != COSET_OK ||
        system_from_model(model, false, &system) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    model_free(model);
    return system;
}

/* Asserts the blocks at eps, from one block, by both linkages. */
static void assert_blocks(const ode_system *system, equivalence kind, double eps,
                          const char *expected)
{
    partition one = {0}, wanted = {0};
    assert_int_equal(partition_one(system->ctx, system->n, &one), COSET_OK);
    assert_int_equal(partition_parse(system, expected, &wanted), COSET_OK);
    for (int linkage = EPS_SINGLE; linkage <= EPS_COMPLETE; linkage++) {
        partition out = {0};
        assert_int_equal(
            partition_refine_eps(system, kind, &one, eps, (eps_linkage)linkage, &out, NULL),
            COSET_OK);
        assert_true(partition_equal(&out, &wanted));
        partition_free(system->ctx, &out);
    }
    partition_free(system->ctx, &one);
    partition_free(system->ctx, &wanted);
}

static void htree(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    ode_system *system = load(ctx, "andrea_hTreeCircuit3_1");
    if (system == NULL) {
        counted_ctx_end(ctx, &memory);
        skip();
    }
    const char *levels = "{vn1k1}, {vn2k1, vn2k2}, {vn3k1, vn3k2, vn3k3, vn3k4}";
    assert_blocks(system, EQUIVALENCE_BACKWARD, .0006, levels);
    assert_blocks(system, EQUIVALENCE_FORWARD, .0006, levels);
    /* The coefficients of level 2 itself and of the level above. */
    double apart = 2 * (0.5233235724597057 - 0.5232821916287071);
    assert_blocks(system, EQUIVALENCE_BACKWARD, apart * (1 - 1e-6),
                  "{vn1k1}, {vn2k1}, {vn2k2}, {vn3k1}, {vn3k2}, {vn3k3, vn3k4}");
    system_free(system);
    counted_ctx_end(ctx, &memory);
}

/* Ends 1 and 2 of the polymer are exchanged. The last to agree are A1p and A2p: the difference of b1 and b2
 * counts three times in each of the three blocks whose sums it changes. */
static void polymers(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    ode_system *system = load(ctx, "andrea_perturbedpolymers2ODE");
    if (system == NULL) {
        counted_ctx_end(ctx, &memory);
        skip();
    }
    const char *swapped = "{A1, A2}, {A1p, A2p}, {A1CHCHp, A2CHCHp}, {H}, {H2}, {C2H2}, {I}";
    assert_blocks(system, EQUIVALENCE_FORWARD, .8, swapped);
    assert_blocks(system, EQUIVALENCE_FORWARD, 9 * (2.0003 - 1.9985), swapped);
    assert_blocks(system, EQUIVALENCE_FORWARD, 9 * (2.0003 - 1.9985) * (1 - 1e-6),
                  "{A1}, {A2}, {A1p}, {A2p}, {A1CHCHp}, {A2CHCHp}, {H}, {H2}, {C2H2}, {I}");
    system_free(system);
    counted_ctx_end(ctx, &memory);
}

/* eps 0 is the exact equivalence. */
static void zero(void **state)
{
    static const char *const NAMES[] = {"OrderedPhosphorylation",
                                        "ProteinPhosphorylation4",
                                        "andrea_AM",
                                        "andrea_e2",
                                        "andrea_e3",
                                        "andrea_hTreeCircuit3_1",
                                        "andrea_htreeFE",
                                        "andrea_kaic",
                                        "andrea_perturbedpolymers2",
                                        "fceri_ji"};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t f = 0; f < sizeof NAMES / sizeof *NAMES; f++) {
        ode_system *system = load(ctx, NAMES[f]);
        if (system == NULL) {
            counted_ctx_end(ctx, &memory);
            skip();
        }
        for (int k = 0; k < 8; k++) {
            equivalence kind = k % 2 == 0 ? EQUIVALENCE_FORWARD : EQUIVALENCE_BACKWARD;
            eps_linkage linkage = k / 2 % 2 == 0 ? EPS_SINGLE : EPS_COMPLETE;
            partition initial = {0}, exact = {0}, out = {0};
            assert_int_equal(k < 4 ? partition_one(ctx, system->n, &initial)
                                   : partition_by_initial(system, &initial),
                             COSET_OK);
            assert_int_equal(partition_refine_exact(system, kind, &initial, &exact), COSET_OK);
            assert_int_equal(partition_refine_eps(system, kind, &initial, 0, linkage, &out, NULL),
                             COSET_OK);
            if (!partition_equal(&exact, &out)) fail_msg("%s differs", NAMES[f]);
            partition_free(ctx, &initial);
            partition_free(ctx, &exact);
            partition_free(ctx, &out);
        }
        system_free(system);
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(htree),
        cmocka_unit_test(polymers),
        cmocka_unit_test(zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
