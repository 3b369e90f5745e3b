/* Symbols of polynomial systems, systems as models, evaluation, and the systems of real files. */
#include "support/files.h"
#include "support/ode_systems.h"

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

/* ---- symbols ---- */

static void which_stay(void **state)
{
    (void)state;
    static const struct {
        const char *text, *symbols;
    } cases[] = {
        {ODE_MODEL("k = 2 h = 3*2 q = k + h", "x y", "d(x) = q*x d(y) = k*y"), "k h "},
        {ODE_MODEL("k = 2 h = 3", "x y", "d(x) = h*x/k d(y) = k*y"), "h "},
        {ODE_MODEL("k = 2 h = 3 q = 1/k", "x y", "d(x) = h*x d(y) = q*y"), "h "},
        {ODE_MODEL("k = 2 h = 3 q = 1/k", "x y", "d(x) = h*x d(y) = y"),
         "k h "}, /* q is not used */
        {ODE_MODEL("k = 2 h = 3 q = k*h", "x y", "d(x) = x/q d(y) = y"), ""},
        {ODE_MODEL("k = 2 h = 3 q = 4", "x y", "d(x) = x*k^2 d(y) = y*h^0.5*q^-1"), "k "},
        {ODE_MODEL("k = 2 h = 3", "x y", "d(x) = x*(k + 1)^64 d(y) = y*(h + 1)^65"), "k "},
        {ODE_MODEL("k = 2 h = 3", "x y", "d(x) = x^k d(y) = h*y"), "h "},
        {ODE_MODEL("k = 2 h = 3 q = 4 p = 5", "x y",
                   "d(x) = min(k, 1)*x + p d(y) = abs(h)*y*max(1, q)"),
         "p "},
        {ODE_MODEL("k = 2 h = 3", "x y", "d(x) = 1/(1 + (k + h)) d(y) = k"), ""},
        {ODE_NETWORK("k = 2 h = 3", "x y", "x -> y, k/2\ny -> x, 2/h"), "k "},
        /* Where it only sets an initial value a parameter stays. */
        {ODE_MODEL("k = 2", "x = 1/k y", "d(x) = k*x d(y) = y"), "k "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char found[64] = "";
        ode_system *system = ode_system_text(ctx, cases[i].text, true), *put_in = NULL;
        ode_system *plain = ode_system_text(ctx, cases[i].text, false);
        ode_system_check(system);
        for (int64_t s = 0; s < system->n_symbols; s++) {
            strcat(found, system->names[system->n + s]);
            strcat(found, " ");
        }
        assert_string_equal(found, cases[i].symbols);
        assert_int_equal(system_substitute(system, NULL, NULL, &put_in), COSET_OK);
        ode_system_check(put_in);
        ode_systems_same(put_in, plain, 1e-14);
        system_free(system);
        system_free(put_in);
        system_free(plain);
    }
}

static void substitution(void **state)
{
    (void)state;
    static const char *const EQUATIONS = "d(x) = a*b^2*x + c*x - a*x*y d(y) = (b - c)*y";
    char text[512];
    static const char *const FORMAT =
        "begin model m begin parameters a = %s b = %s c = %s end "
        "parameters begin init x y end init begin ODE %s end ODE end model";
    snprintf(text, sizeof text, FORMAT, "1", "2", "3", EQUATIONS);
    ode_system *system = ode_system_text(ctx, text, true), *some = NULL, *all = NULL;
    const number values[] = {ode_number("0.1"), ode_number("5"), ode_number("-2.5")};
    const bool keep[] = {true, false, true};
    /* a stays with its new value, b is put in, c stays. */
    assert_int_equal(system_substitute(system, values, keep, &some), COSET_OK);
    ode_system_check(some);
    assert_int_equal(some->n_symbols, 2);
    assert_string_equal(some->names[2], "a");
    assert_string_equal(some->names[3], "c");
    assert_true(some->initial[2].value == 0.1 && some->initial[3].value == -2.5);
    const factor ax[] = {{0, 1}, {2, 1}};
    assert_true(ode_find(some, 0, ax, 2)->value == 25);
    assert_int_equal(system_substitute(some, NULL, NULL, &all), COSET_OK);
    snprintf(text, sizeof text, FORMAT, "0.1", "5", "-2.5", EQUATIONS);
    ode_system *wanted = ode_system_text(ctx, text, false);
    ode_systems_same(all, wanted, 1e-15);
    system_free(some);
    system_free(all);
    system_free(wanted);
    /* Terms that meet are added up, those that vanish go: b = c. */
    const number equal[] = {{0, 0}, {2, 2}, {2, 2}};
    assert_int_equal(system_substitute(system, equal, NULL, &all), COSET_OK);
    ode_system_check(all);
    assert_int_equal(all->row_start[2], 1);
    system_free(all);
    system_free(system);
}

static void free_coefficients(void **state)
{
    (void)state;
    rng random = rng_seed(5, 0);
    for (int round = 0; round < 100; round++) {
        ode_system *system = ode_system_random(ctx, &random, 1 + rng_below(&random, 6), 8,
                                               (ode_symmetry)(round % 4), NULL);
        ode_system *freed = NULL, *back = NULL;
        assert_int_equal(system_free_coefficients(system, &freed), COSET_OK);
        ode_system_check(freed);
        assert_int_equal(freed->n_symbols, system->row_start[system->n]);
        assert_int_equal(system_substitute(freed, NULL, NULL, &back), COSET_OK);
        ode_systems_same(system, back, 0);
        system_free(system);
        system_free(freed);
        system_free(back);
    }
    /* Names unlike the variables'. */
    ode_system *system = ode_system_text(
        ctx, ODE_MODEL("", "c1 c_7 cx c c_", "d(c1) = 2*c_7 d(cx) = c1 - 3"), false);
    ode_system *freed = NULL;
    assert_int_equal(system_free_coefficients(system, &freed), COSET_OK);
    assert_string_equal(freed->names[5], "c__1");
    assert_string_equal(freed->names[7], "c__3");
    assert_true(freed->initial[5].value == 2);
    system_free(system);
    system_free(freed);
}

/* ---- back to models ---- */

static void round_trip(void **state)
{
    (void)state;
    rng random = rng_seed(6, 0);
    for (int round = 0; round < 200; round++) {
        ode_system *system = ode_system_random(ctx, &random, 1 + rng_below(&random, 6), 8,
                                               (ode_symmetry)(round % 4), NULL);
        if (round % 2 == 1) {
            ode_system *freed = NULL;
            assert_int_equal(system_free_coefficients(system, &freed), COSET_OK);
            system_free(system);
            system = freed;
        }
        ode_model *model = NULL, *read = NULL;
        ode_system *back = NULL;
        char *text = NULL;
        size_t size = 0;
        assert_int_equal(system_to_model(system, "again", &model), COSET_OK);
        assert_int_equal(system_from_model(model, true, &back), COSET_OK);
        ode_systems_same(system, back, 0);
        system_free(back);
        assert_int_equal(model_text(model, &text, &size), COSET_OK);
        if (model_parse(ctx, text, size, "text", &read) != COSET_OK)
            fail_msg("%s\n%s", coset_ctx_error(ctx), text);
        assert_int_equal(system_from_model(read, true, &back), COSET_OK);
        ode_systems_same(system, back, 0);
        for (int64_t t = 0; t < system->row_start[system->n]; t++) {
            int64_t row = 0, m = system->monomial[t], begin = system->factor_start[m];
            while (system->row_start[row + 1] <= t) row++;
            const number *other =
                ode_find(back, row, system->factors + begin, system->factor_start[m + 1] - begin);
            assert_true(number_equal(*other, system->coefficient[t]));
        }
        ctx_free(ctx, text);
        system_free(back);
        system_free(system);
        model_free(model);
        model_free(read);
    }
}

static void nameless(void **state)
{
    (void)state;
    const number initial[1] = {{0, 0}};
    system_builder *builder = NULL;
    ode_system *system = NULL;
    ode_model *model = NULL;
    assert_int_equal(system_builder_new(ctx, 1, 0, NULL, initial, &builder), COSET_OK);
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    assert_int_equal(system_to_model(system, "m", &model), COSET_EARGUMENT);
    assert_null(model);
    system_free(system);
}

/* ---- evaluation ---- */

static void jacobian(void **state)
{
    (void)state;
    rng random = rng_seed(7, 0);
    for (int round = 0; round < 200; round++) {
        int64_t n = 1 + rng_below(&random, 6);
        ode_system *plain = ode_system_random(ctx, &random, n, 6, (ode_symmetry)(round % 4), NULL);
        ode_system *system = NULL;
        system_evaluator *evaluator = NULL;
        assert_int_equal(system_free_coefficients(plain, &system), COSET_OK);
        int64_t all = n + system->n_symbols;
        double *x = doubles(all), *up = doubles(n), *down = doubles(n), *dense = doubles(n * all);
        for (int64_t i = 0; i < all; i++)
            x[i] = i < n ? 2 * rng_uniform(&random) - 1 : system->initial[i].value;
        if (round % 3 == 0) x[0] = 0; /* where a quotient by x would fail */
        assert_int_equal(system_evaluator_new(system, &evaluator), COSET_OK);
        system_pattern pattern = system_jacobian_pattern(evaluator);
        double *entries = doubles(pattern.n_entries);
        assert_int_equal(pattern.row_start[0], 0);
        assert_int_equal(pattern.row_start[n], pattern.n_entries);
        system_jacobian(evaluator, x, entries);
        for (int64_t i = 0; i < n; i++) {
            for (int64_t e = pattern.row_start[i]; e < pattern.row_start[i + 1]; e++) {
                assert_true(e == pattern.row_start[i] || pattern.column[e - 1] < pattern.column[e]);
                dense[i * all + pattern.column[e]] = entries[e];
            }
        }
        for (int64_t j = 0; j < all; j++) {
            const double step = 1e-4;
            double at = x[j];
            x[j] = at + step;
            system_slope(evaluator, x, up);
            x[j] = at - step;
            system_slope(evaluator, x, down);
            x[j] = at;
            /* Third derivatives are at most some hundreds: an error of some 1e-6, and rounding of 1e-11. */
            for (int64_t i = 0; i < n; i++)
                assert_true(fabs((up[i] - down[i]) / (2 * step) - dense[i * all + j]) <= 1e-5);
        }
        free(x);
        free(up);
        free(down);
        free(dense);
        free(entries);
        system_evaluator_free(evaluator);
        system_free(system);
        system_free(plain);
    }
}

/* ---- files ---- */

static void files(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t n;
    } cases[] = {
        {"andrea_AM", 3},
        {"andrea_e2", 18},
        {"andrea_e3", 66},
        {"andrea_kaic", 4},
        {"andrea_hTreeCircuit3_1", 7},
        {"andrea_perturbedpolymers2ODE", 10},
        {"BIOMD0000000504", -1},
        {"OrderedPhosphorylation", -1},
        {"ProteinPhosphorylation4", -1},
        {"fceri_ji", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[128];
        ode_model *model = NULL;
        ode_system *numeric = NULL, *symbolic = NULL, *put_in = NULL;
        snprintf(path, sizeof path, "ode/%s.ode", cases[i].name);
        const char *found = files_data(path);
        if (found == NULL) continue;
        if (model_load(ctx, found, &model) != COSET_OK ||
            system_from_model(model, false, &numeric) != COSET_OK ||
            system_from_model(model, true, &symbolic) != COSET_OK)
            fail_msg("%s", coset_ctx_error(ctx));
        ode_system_check(numeric);
        ode_system_check(symbolic);
        if (cases[i].n >= 0) assert_int_equal(numeric->n, cases[i].n);
        assert_int_equal(system_substitute(symbolic, NULL, NULL, &put_in), COSET_OK);
        ode_systems_same(numeric, put_in, 1e-12);
        model_free(model);
        system_free(numeric);
        system_free(symbolic);
        system_free(put_in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_stay),
        cmocka_unit_test(substitution),
        cmocka_unit_test(free_coefficients),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(nameless),
        cmocka_unit_test(jacobian),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
