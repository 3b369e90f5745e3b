/* Polynomial systems: built term by term, and expanded from models. */
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

/* ---- building ---- */

static void terms_add_up(void **state)
{
    (void)state;
    /* 0.1 + 0.2 - 0.3 is nothing, and its monomial goes. */
    ode_system *system =
        ODE_SYSTEM(ctx, 3, {2, "1", {3, 1, 1}}, {0, "0.1", {2}}, {0, "4", {0}}, {0, "0.2", {2}},
                   {0, "-0.3", {2}}, {2, "2", {1, 3, 1}}, {0, "-1", {1, 3, 1}}, {1, "0", {2, 2}});
    ode_system_check(system);
    assert_int_equal(system->n_monomials, 2);
    const factor square[] = {{0, 2}, {2, 1}};
    assert_true(ode_find(system, 2, square, 2)->value == 3);
    assert_true(ode_find(system, 0, square, 2)->value == -1);
    assert_true(ode_find(system, 0, NULL, 0)->value == 4);
    assert_int_equal(system->row_start[1], system->row_start[2]);
    /* Monomials stand in order of first appearance. */
    assert_int_equal(system->factor_start[1], 2);
    assert_int_equal(system->factor_start[2], 2);
    system_free(system);
    /* A sum is rounded once. */
    system = ODE_SYSTEM(ctx, 1, {0, "0.1", {1}}, {0, "0.2", {1}});
    assert_true(system->coefficient[0].value == 0.3);
    system_free(system);
    system = ODE_SYSTEM(ctx, 0, {0, "0", {0}});
    ode_system_check(system);
    assert_int_equal(system->n_monomials, 0);
    system_free(system);
    system_free(NULL);
    system_builder_free(NULL);
}

static void degrees(void **state)
{
    (void)state;
    const number initial[3] = {{0, 0}};
    const factor high[] = {{1, 40}, {0, 24}}, over[] = {{1, 40}, {0, 24}, {1, 1}};
    const factor symbol[] = {{2, 1000}, {0, 1}, {2, 1000}};
    system_builder *builder = NULL;
    ode_system *system = NULL;
    assert_int_equal(system_builder_new(ctx, 2, 1, NULL, initial, &builder), COSET_OK);
    assert_int_equal(system_builder_add(builder, 0, high, 2, number_of(1)), COSET_OK);
    assert_int_equal(system_builder_add(builder, 0, over, 3, number_of(1)), COSET_ELIMIT);
    assert_non_null(strstr(coset_ctx_error(ctx), "degree"));
    /* The degree is that of variables. */
    assert_int_equal(system_builder_add(builder, 1, symbol, 3, number_of(1)), COSET_OK);
    assert_int_equal(system_builder_finish(builder, &system), COSET_OK);
    ode_system_check(system);
    assert_int_equal(system->factors[3].power, 2000);
    system_free(system);
    assert_int_equal(system_builder_new(ctx, INT32_MAX, 1, NULL, initial, &builder), COSET_ELIMIT);
    assert_null(builder);
}

static void not_finite(void **state)
{
    (void)state;
    const char *const names[] = {"x", "y"};
    const number initial[2] = {{0, 0}};
    system_builder *builder = NULL;
    ode_system *system = NULL;
    assert_int_equal(system_builder_new(ctx, 2, 0, names, initial, &builder), COSET_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(system_builder_add(builder, 1, NULL, 0, number_of(1.7e308)), COSET_OK);
    assert_int_equal(system_builder_finish(builder, &system), COSET_ENUMERIC);
    assert_null(system);
    assert_non_null(strstr(coset_ctx_error(ctx), "d(y)"));
}

/* ---- expanding ---- */

static void equations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        ode_term terms[8];
        int n_terms;
    } cases[] = {
        {ODE_MODEL("k = 2", "x0 = 1 x1 = 2", "d(x0) = -((x0 - k*x1)^2) d(x1) = 0"),
         {{0, "-1", {1, 1}}, {0, "4", {1, 2}}, {0, "-4", {2, 2}}},
         3},
        {ODE_MODEL("k = 2", "x0 = 1 x1 = 2", "d(x0) = (x0 + x1)*(x0 - x1)/k - 3 d(x1) = x0^0"),
         {{0, "0.5", {1, 1}}, {0, "-0.5", {2, 2}}, {0, "-3", {0}}, {1, "1", {0}}},
         4},
        {ODE_MODEL("k = 9", "x0 = 1 x1 = 2",
                   "d(x0) = k^0.5*x0 + 2^-1*x1 d(x1) = min(k, 4)*x0*x0 + max(k, 4) + abs(-k/2)"),
         {{0, "3", {1}}, {0, "0.5", {2}}, {1, "4", {1, 1}}, {1, "13.5", {0}}},
         4},
        {ODE_MODEL("k = 1", "x0 = 1 x1 = 2",
                   "d(x0) = (x0 - x0)*x1^20 + 0*x1 d(x1) = (x1 + 1)^3 - x1^3 - 3*x1^2 - 1"),
         {{1, "3", {2}}},
         1},
        {ODE_MODEL("k = 1", "x0 = 1 x1 = 2", "d(x0) = x1/(x0 - x0 + 4) d(x1) = x0^(3 - x1 + x1)"),
         {{0, "0.25", {2}}, {1, "1", {1, 1, 1}}},
         2},
        /* Exact: three thirds are one. */
        {ODE_MODEL("k = 3", "x0 = 1 x1 = 2",
                   "d(x0) = x0/k + x0/k + x0/k - x0 d(x1) = 0.1*x0 + 0.2*x0"),
         {{1, "0.3", {1}}},
         1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ode_system *system = ode_system_text(ctx, cases[i].text, false);
        ode_system *wanted = ode_system_of(ctx, 2, cases[i].terms, cases[i].n_terms);
        ode_system_check(system);
        ode_systems_same(system, wanted, 1e-15);
        for (int64_t t = 0; t < system->row_start[2]; t++) {
            /* Rows hold the same monomials, and residues know no rounding. */
            int64_t m = system->monomial[t], begin = system->factor_start[m];
            const number *other =
                ode_find(wanted, t >= system->row_start[1], system->factors + begin,
                         system->factor_start[m + 1] - begin);
            assert_true(number_equal(*other, system->coefficient[t]));
        }
        system_free(system);
        system_free(wanted);
    }
}

static void reactions(void **state)
{
    (void)state;
    /* x0 + x1 -> x2 at 3; 2 x2 -> x2 + x0 at k; a catalyst; from and to nothing; a negative rate. */
    ode_system *system = ode_system_text(
        ctx,
        ODE_NETWORK(
            "k = 0.5", "x0 = 1 x1 = 2 x2 = 3",
            "x0 + x1 -> x2, 3\n 2*x2 -> x2 + x0, k\n x1 -> x1 + x0, -k\n x0 + x0 -> 3*x0, 2\n"
            "x1 + x2 -> x1 + x2, 7"),
        false);
    ode_system *wanted =
        ODE_SYSTEM(ctx, 3, {0, "-3", {1, 2}}, {1, "-3", {1, 2}}, {2, "3", {1, 2}},
                   {0, "0.5", {3, 3}}, {2, "-0.5", {3, 3}}, {0, "-0.5", {2}}, {0, "2", {1, 1}});
    ode_system_check(system);
    ode_systems_same(system, wanted, 0);
    system_free(system);
    system_free(wanted);
}

/* A speed that is given instead of a constant does not see the reagents. */
static void arbitrary_rate(void **state)
{
    (void)state;
    ode_model *model = NULL;
    ode_system *system = NULL;
    const expression *x = NULL, *y = NULL, *rate = NULL;
    assert_int_equal(model_new(ctx, "m", &model), COSET_OK);
    model->is_network = true;
    assert_int_equal(model_add_variable(model, "x0", NULL, NULL), COSET_OK);
    assert_int_equal(model_add_variable(model, "x1", NULL, NULL), COSET_OK);
    assert_int_equal(expression_name(ctx, &model->arena, ~0, &x), COSET_OK);
    assert_int_equal(expression_name(ctx, &model->arena, ~1, &y), COSET_OK);
    assert_int_equal(expression_make(ctx, &model->arena, EXPRESSION_ADD, x, y, &rate), COSET_OK);
    const reaction_side from[] = {{0, 1}, {0, 1}}, to[] = {{1, 1}, {0, 1}};
    const model_reaction reaction = {.reagents = from,
                                     .products = to,
                                     .n_reagents = 2,
                                     .n_products = 2,
                                     .arbitrary = true,
                                     .rate = rate};
    assert_int_equal(model_add_reaction(model, &reaction), COSET_OK);
    assert_int_equal(system_from_model(model, false, &system), COSET_OK);
    const factor first = {0, 1}, second = {1, 1};
    assert_int_equal(system->row_start[2], 4);
    assert_true(ode_find(system, 0, &first, 1)->value == -1);
    assert_true(ode_find(system, 0, &second, 1)->value == -1);
    assert_true(ode_find(system, 1, &first, 1)->value == 1);
    system_free(system);
    model_free(model);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        coset_status status;
        const char *message;
    } cases[] = {
        {ODE_MODEL("k = 2", "x y", "d(x) = k*x\nd(y) = 3 + x / (y + 1)"), COSET_EUNSUPPORTED,
         "10:12: \"x/(y + 1)\" is not polynomial"},
        {ODE_MODEL("k = 2", "x y", "d(x) = x^0.5\nd(y) = 0"), COSET_EUNSUPPORTED,
         "9:8: \"x^0.5\" is not polynomial"},
        {ODE_MODEL("k = 2", "x y", "d(x) = x^-1\nd(y) = 0"), COSET_EUNSUPPORTED, "9:8: \"x^-1\""},
        {ODE_MODEL("k = 2", "x y", "d(x) = 2^x\nd(y) = 0"), COSET_EUNSUPPORTED, "9:8: \"2^x\""},
        {ODE_MODEL("k = 2", "x y", "d(x) = min(x, 3)\nd(y) = 0"), COSET_EUNSUPPORTED,
         "\"min(x, 3)\" is not polynomial"},
        {ODE_MODEL("k = 2", "x y", "d(x) = abs(x)\nd(y) = 0"), COSET_EUNSUPPORTED, "\"abs(x)\""},
        {ODE_MODEL("k = 2", "x y", "d(x) = max(k, y*y)\nd(y) = 0"), COSET_EUNSUPPORTED,
         "\"max(k, y*y)\""},
        {ODE_MODEL("k = 2", "x y", "d(x) = x/(k - 2)\nd(y) = 0"), COSET_EFORMAT,
         "division by zero"},
        {ODE_MODEL("k = 0.3", "x y", "d(x) = x/(0.1 + 0.2 - k)\nd(y) = 0"), COSET_EFORMAT,
         "9:11: division by zero"},
        {ODE_MODEL("k = 2", "x y", "d(x) = x/(y - y)\nd(y) = 0"), COSET_EFORMAT,
         "division by zero"},
        {ODE_MODEL("k = 2", "x y", "d(x) = x*(y - y)^-1\nd(y) = 0"), COSET_EFORMAT,
         "a negative power of zero"},
        {ODE_MODEL("k = 2", "x y", "d(x) = x*(x - x - 1)^0.5\nd(y) = 0"), COSET_EFORMAT, "power"},
        {ODE_MODEL("k = 2", "x y", "d(x) = (1e300*x)*(1e300*y)\nd(y) = 0"), COSET_ENUMERIC,
         "9:9: a coefficient is not finite"},
        {ODE_MODEL("k = 2", "x y", "d(x) = x^64*y\nd(y) = 0"), COSET_ELIMIT, "9:8: a monomial"},
        {ODE_MODEL("k = 2", "x y", "d(x) = x^65\nd(y) = 0"), COSET_ELIMIT, "9:8: "},
        {ODE_MODEL("k = 2", "x y", "d(x) = x^1000000000000\nd(y) = 0"), COSET_ELIMIT,
         "9:8: a power"},
        {ODE_MODEL("k = 2", "x y", "d(x) = (x + y)^65\nd(y) = 0"), COSET_ELIMIT, "9:"},
        {ODE_MODEL("k = 2", "x y", "d(x) = 1\nd(y) = (x^9)^1000000000"), COSET_ELIMIT, "10:"},
        {ODE_NETWORK("k = 2", "x y", "x -> y, k/(k - 2)"), COSET_EFORMAT, "division by zero"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int symbols = 0; symbols < 2; symbols++) {
            ode_model *model = NULL;
            ode_system *system = NULL;
            coset_status status =
                model_parse(ctx, cases[i].text, strlen(cases[i].text), "t", &model);
            if (status == COSET_OK) status = system_from_model(model, symbols, &system);
            assert_null(system);
            if (status != cases[i].status || strstr(coset_ctx_error(ctx), cases[i].message) == NULL)
                fail_msg("%s: %s: %s", cases[i].text, coset_status_name(status),
                         coset_ctx_error(ctx));
            model_free(model);
        }
    }
}

/* ---- bombs ---- */

/* Bytes asked for at once, as an upper bound of what is used. */
static struct {
    int64_t now, peak;
} heap;

static void *weighed_alloc(void *user, size_t alignment, size_t size)
{
    (void)user;
    size_t *block = aligned_alloc(alignment, (size + 2 * alignment - 1) / alignment * alignment);
    if (block == NULL) return NULL;
    (void)alignment;
    block[0] = size;
    heap.now += (int64_t)size;
    if (heap.now > heap.peak) heap.peak = heap.now;
    return (char *)block + 64;
}

static void weighed_release(void *user, void *bytes)
{
    (void)user;
    size_t *block = (size_t *)(void *)((char *)bytes - 64);
    heap.now -= (int64_t)block[0];
    free(block);
}

static void bombs(void **state)
{
    (void)state;
#define TEN "(a + b + c + e + f + g + h + i + j + l)"
#define DEEP8(x) "((((((((" x "^2+a)^2+b)^2+c)^2+e)^2+f)^2+g)^2+h)^2+i)"
    static const char *const CASES[] = {
        "d(a) = " TEN "^64",
        "d(a) = " TEN "*" TEN "*" TEN "*" TEN "*" TEN "*" TEN "*" TEN "*" TEN "*" TEN "*" TEN
        "*" TEN,
        "d(a) = (" TEN "^4 + " TEN "^5)^7 - " TEN "^33",
        "d(a) = " DEEP8("a"),
        "d(a) = (1 + " TEN "^3)*(2 + " TEN "^4)*(3 + " TEN "^5)*(4 + " TEN "^6)",
        "d(a) = (((p16 + a)*(p16 + b))*((p16 + c)*(p16 + e)))^3",
    };
    coset_allocator allocator = {weighed_alloc, weighed_release, NULL};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *own = NULL;
    options.allocator = &allocator;
    assert_int_equal(coset_ctx_new(&options, &own), COSET_OK);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        for (int symbols = 0; symbols < 2; symbols++) {
            char text[4096];
            ode_model *model = NULL;
            ode_system *system = NULL;
            int used =
                snprintf(text, sizeof text, "begin model m begin parameters p0 = 0.3 q = 0.5");
            /* p16 is a polynomial of degree 65536 in p0 and q if it stays symbolic. */
            for (int p = 1; p <= 16; p++)
                used += snprintf(text + used, sizeof text - (size_t)used,
                                 " p%d = (p%d + q)*(p%d - q)", p, p - 1, p - 1);
            snprintf(text + used, sizeof text - (size_t)used,
                     " end parameters begin init a b c e f g h i j l end init begin ODE\n%s "
                     "end ODE end model",
                     CASES[i]);
            heap.peak = 0;
            if (model_parse(own, text, strlen(text), "t", &model) != COSET_OK)
                fail_msg("%s", coset_ctx_error(own));
            coset_status status = system_from_model(model, symbols, &system);
            bool numbers = strstr(CASES[i], "p16") != NULL && symbols == 0;
            if (status != (numbers ? COSET_OK : COSET_ELIMIT))
                fail_msg("%s: %s: %s", CASES[i], coset_status_name(status), coset_ctx_error(own));
            if (status != COSET_OK) assert_true(strchr("12", coset_ctx_error(own)[0]) != NULL);
            assert_true(heap.peak < 256 << 20);
            system_free(system);
            model_free(model);
        }
    }
    coset_ctx_free(own);
    assert_int_equal(heap.now, 0);
}

/* 10^6 operands on one left spine. */
static void long_spines(void **state)
{
    (void)state;
    enum { N = 1000000 };
    static const struct {
        const char *first, *next;
        int64_t terms;
    } cases[] = {
        {"a", " + 2*b", 2}, {"a + b", " - a", 2}, {"(a + b)", "*1", 2}, {"(a + b + c)", "/1", 3},
        {"3", " + 1", 1},   {"1", "*1", 1},       {"(a - a)", "*b", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t step = strlen(cases[i].next), head = 0;
        char *text = malloc(N * step + 512);
        assert_non_null(text);
        head = (size_t)sprintf(text, "begin model m begin init a b c end init begin ODE d(a) = %s",
                               cases[i].first);
        for (size_t k = 0; k < N; k++) memcpy(text + head + k * step, cases[i].next, step + 1);
        strcpy(text + head + N * step, " end ODE end model");
        ode_system *system = ode_system_text(ctx, text, false);
        free(text);
        assert_int_equal(system->row_start[3], cases[i].terms);
        system_free(system);
    }
}

/* ---- random expressions, against their values ---- */

static const expression *node(ode_model *model, expression_kind kind, const expression *left,
                              const expression *right)
{
    const expression *made = NULL;
    assert_int_equal(expression_make(ctx, &model->arena, kind, left, right, &made), COSET_OK);
    return made;
}

static const expression *decimal(ode_model *model, const char *text)
{
    const expression *made = NULL;
    assert_int_equal(expression_number(ctx, &model->arena, ode_number(text), &made), COSET_OK);
    return made;
}

/* variables: 3 variables may stand in it; else 4 parameters only. */
static const expression *random_expression(rng *random, ode_model *model, int depth, bool variables)
{
    static const char *const DECIMALS[] = {"0.5", "1", "1.25", "2", "0.1"};
    const expression *made = NULL;
    int64_t choice = depth == 0 ? rng_below(random, 3) : rng_below(random, 12);
    if (choice == 0) return decimal(model, DECIMALS[rng_below(random, 5)]);
    if (choice <= 2) {
        name_id id = variables && choice == 1 ? ~(name_id)rng_below(random, 3)
                                              : (name_id)rng_below(random, 4);
        assert_int_equal(expression_name(ctx, &model->arena, id, &made), COSET_OK);
        return made;
    }
    const expression *left = random_expression(random, model, depth - 1, variables);
    if (choice == 3) return node(model, EXPRESSION_NEGATE, left, NULL);
    if (choice == 4) {
        /* Parameters are 1 or more, so the divisor is no zero. */
        const expression *by = random_expression(random, model, 0, false);
        return node(model, EXPRESSION_DIV, left, by);
    }
    if (choice == 5)
        return node(model, EXPRESSION_POWER, left,
                    decimal(model, DECIMALS[1 + 2 * rng_below(random, 2)]));
    if (choice == 6) {
        left = random_expression(random, model, depth - 1, false);
        if (rng_below(random, 2)) return node(model, EXPRESSION_ABS, left, NULL);
        return node(model, rng_below(random, 2) ? EXPRESSION_MIN : EXPRESSION_MAX, left,
                    random_expression(random, model, depth - 1, false));
    }
    const expression *right = random_expression(random, model, depth - 1, variables);
    if (choice <= 8) return node(model, EXPRESSION_MUL, left, right);
    return node(model, choice <= 10 ? EXPRESSION_ADD : EXPRESSION_SUB, left, right);
}

/* Three variables and four parameters, two of them made from the first two. */
static ode_model *random_model(rng *random)
{
    static const char *const PARAMETERS[] = {"k", "h", "p", "q"}, *const VARIABLES[] = {"x", "y",
                                                                                        "z"};
    ode_model *model = NULL;
    const expression *k = NULL, *h = NULL;
    assert_int_equal(model_new(ctx, "m", &model), COSET_OK);
    assert_int_equal(expression_name(ctx, &model->arena, 0, &k), COSET_OK);
    assert_int_equal(expression_name(ctx, &model->arena, 1, &h), COSET_OK);
    const expression *values[] = {decimal(model, "1.5"), decimal(model, "2.5"),
                                  node(model, EXPRESSION_ADD, k, h),
                                  node(model, EXPRESSION_MUL, k, decimal(model, "3"))};
    for (int p = 0; p < 4; p++)
        assert_int_equal(model_add_parameter(model, PARAMETERS[p], values[p], NULL), COSET_OK);
    for (int v = 0; v < 3; v++) {
        assert_int_equal(model_add_variable(model, VARIABLES[v], NULL, NULL), COSET_OK);
        model->variables[v].equation = random_expression(random, model, 4, true);
    }
    return model;
}

static void random_expressions(void **state)
{
    (void)state;
    rng random = rng_seed(4, 0);
    const double parameters[] = {1.5, 2.5, 4, 4.5};
    for (int round = 0; round < 1000; round++) {
        ode_model *model = random_model(&random);
        double x[16], wanted[3], found[3], size[3];
        for (int v = 0; v < 3; v++) x[v] = 2 * rng_uniform(&random) - 1;
        for (int v = 0; v < 3; v++)
            wanted[v] = expression_value(model->variables[v].equation, parameters, x);
        for (int symbols = 0; symbols < 2; symbols++) {
            ode_system *system = NULL;
            system_evaluator *evaluator = NULL;
            coset_status status = system_from_model(model, symbols, &system);
            if (status == COSET_ELIMIT) continue; /* a degree over 64 */
            if (status != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
            ode_system_check(system);
            assert_true(symbols == 0 ? system->n_symbols == 0 : system->n_symbols <= 2);
            for (int64_t s = 0; s < system->n_symbols; s++) x[3 + s] = system->initial[3 + s].value;
            assert_int_equal(system_evaluator_new(system, &evaluator), COSET_OK);
            system_slope(evaluator, x, found);
            /* Rounding is that of the terms, which may cancel. */
            for (int v = 0; v < 3; v++) {
                size[v] = 1;
                for (int64_t t = system->row_start[v]; t < system->row_start[v + 1]; t++) {
                    double term = fabs(system->coefficient[t].value);
                    int64_t m = system->monomial[t];
                    for (int64_t f = system->factor_start[m]; f < system->factor_start[m + 1]; f++)
                        term *=
                            pow(fmax(1, fabs(x[system->factors[f].id])), system->factors[f].power);
                    size[v] += term;
                }
                assert_true(fabs(found[v] - wanted[v]) <= 1e-11 * size[v]);
            }
            system_evaluator_free(evaluator);
            system_free(system);
        }
        model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_add_up), cmocka_unit_test(degrees),
        cmocka_unit_test(not_finite),   cmocka_unit_test(equations),
        cmocka_unit_test(reactions),    cmocka_unit_test(arbitrary_rate),
        cmocka_unit_test(refused),      cmocka_unit_test(bombs),
        cmocka_unit_test(long_spines),  cmocka_unit_test(random_expressions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
