/* The reader of model files: real files, every construct, commands, long files. */
#include "support/files.h"

#include "support/ode_texts.h"

/* Real files ------------------------------------------------------------------------------------ */

typedef struct known_file {
    const char *name;
    int64_t parameters, variables, reactions, equations, views, blocks; /* 0 blocks: no partition */
    double t_end;
} known_file;

static const known_file FILES[] = {
    {"BIOMD0000000504", 0, 206, 133, 0, 4, 0, 14},
    {"OrderedPhosphorylation", 18, 213, 2230, 0, 8, 68, NAN},
    {"ProteinPhosphorylation4", 0, 267, 1536, 0, 0, 0, NAN},
    {"andrea_AM", 4, 3, 4, 0, 4, 3, NAN},
    {"andrea_e2", 9, 18, 48, 0, 3, 3, 1},
    {"andrea_e2FE", 9, 12, 24, 0, 12, 0, NAN},
    {"andrea_e3", 9, 66, 288, 0, 3, 3, NAN},
    {"andrea_e3FE", 9, 22, 60, 0, 22, 0, NAN},
    {"andrea_hTreeCircuit3_1", 9, 7, 0, 7, 0, 0, 7},
    {"andrea_hTreeCircuit3_1RN", 9, 7, 15, 0, 0, 0, NAN},
    {"andrea_htreeBE", 9, 3, 6, 0, 3, 0, NAN},
    {"andrea_htreeFE", 9, 3, 6, 0, 3, 0, NAN},
    {"andrea_kaic", 4, 4, 8, 0, 3, 3, NAN},
    {"andrea_perturbedpolymers2", 11, 10, 11, 0, 0, 0, 0.8},
    {"andrea_perturbedpolymers2ODE", 11, 10, 0, 10, 0, 0, 0.06},
    {"fceri_ji", 0, 380, 3680, 0, 0, 0, NAN},
};

static int64_t count_blocks(const ode_model *model)
{
    int64_t last = -1;
    for (int64_t v = 0; model->block_of != NULL && v < model->n_variables; v++)
        if (model->block_of[v] > last) last = model->block_of[v];
    return last + 1;
}

static void test_files(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        const known_file *known = &FILES[i];
        char name[128];
        snprintf(name, sizeof name, "ode/%s.ode", known->name);
        const char *path = files_data(name);
        if (path == NULL) continue;
        ode_model *model = NULL;
        if (model_load(ctx, path, &model) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
        int64_t equations = 0;
        for (int64_t v = 0; v < model->n_variables; v++)
            equations += model->variables[v].equation != NULL;
        assert_int_equal(model->n_parameters, known->parameters);
        assert_int_equal(model->n_variables, known->variables);
        assert_int_equal(model->n_reactions, known->reactions);
        assert_int_equal(equations, known->equations);
        assert_int_equal(model->n_views, known->views);
        assert_int_equal(count_blocks(model), known->blocks);
        assert_true(model->is_network == (known->reactions > 0));
        assert_true(isnan(known->t_end) ? isnan(model->t_end) : model->t_end == known->t_end);
        model_free(model);
    }
    ode_model *none = NULL;
    assert_int_equal(model_load(ctx, "/nowhere/to/be.ode", &none), COSET_EIO);
    assert_null(none);
    counted_ctx_end(ctx, &memory);
}

/* Constructs ------------------------------------------------------------------------------------ */

static void check_side(const reaction_side *side, int32_t n, int32_t count, int32_t variable,
                       int32_t index)
{
    assert_true(index < n);
    assert_int_equal(side[index].count, count);
    assert_int_equal(side[index].variable, variable);
}

static void check_reactions(const ode_model *model)
{
    enum { X, Y, Z, W };
    assert_int_equal(model->n_reactions, 7);
    const model_reaction *r = model->reactions;
    check_side(r[0].reagents, r[0].n_reagents, 1, X, 0);
    check_side(r[0].reagents, r[0].n_reagents, 2, Y, 1);
    check_side(r[0].products, r[0].n_products, 1, Z, 0);
    check_side(r[0].products, r[0].n_products, 1, X, 1);
    assert_int_equal(r[0].rate->kind, EXPRESSION_NEGATE);
    assert_int_equal(r[2].n_reagents, 2);
    check_side(r[2].reagents, r[2].n_reagents, 1, W, 1);
    assert_int_equal(r[2].n_products, 3);
    check_side(r[2].products, r[2].n_products, 3, X, 0);
    assert_true(r[2].arbitrary && !r[1].arbitrary);
    assert_true(r[3].n_reagents == 0 && r[3].n_products == 1);
    assert_true(r[4].n_reagents == 1 && r[4].n_products == 0);
    check_side(r[6].reagents, r[6].n_reagents, 2, Z, 0);
    assert_int_equal(r[2].place.line, 13);
    assert_int_equal(r[2].place.column, 12);
    assert_int_equal(r[6].place.column, 9);
}

static void check_values(const ode_model *model)
{
    number parameters[5], initial[5];
    assert_int_equal(model_parameter_values(model, parameters), COSET_OK);
    assert_int_equal(model_initial_values(model, parameters, initial), COSET_OK);
    static const double expected[] = {2, 6, -5.99, 2, 0.5}, start[] = {8, 0, 0.5, 0, 0};
    for (int i = 0; i < 5; i++) {
        assert_true(parameters[i].value == expected[i] && initial[i].value == start[i]);
        assert_true(number_equal(parameters[i], number_of_decimal(expected[i])));
    }
    /* 2 x^2 / (1 + y) at x = 3, y = 1 */
    const double p[] = {2, 6, -5.99, 2, 0.5}, v[] = {3, 1, 0, 0, 0};
    assert_true(expression_value(model->reactions[2].rate, p, v) == 9);
    assert_true(expression_value(model->views[1].value, p, v) == 5);
}

static void test_everything(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    ode_model *model = read_text(ctx, EVERYTHING);
    assert_string_equal(model->name, "big");
    assert_string_equal(model->header, "first line\nsecond\nthird");
    assert_int_equal(model->n_parameters, 5);
    assert_int_equal(model->n_variables, 5);
    assert_string_equal(model->variables[4].name, "v");
    assert_string_equal(model->variables[2].comment, "the z");
    assert_string_equal(model->variables[3].comment, "the w");
    assert_null(model->variables[4].comment);
    static const int64_t blocks[] = {0, 0, 2, 1, 2};
    assert_memory_equal(model->block_of, blocks, sizeof blocks);
    check_reactions(model);
    check_values(model);
    assert_int_equal(model->n_views, 2);
    assert_string_equal(model->views[0].name, "x");
    assert_true(model->t_end == 25);
    assert_string_equal(model->commands, "setIC(species=x, expr=1)\n"
                                         "write(file=\"a // b.ode\", list={[(1)]},\n"
                                         "deep=f(g( h )))\n"
                                         "simulateODE ( csv = \"t(1)\" , tEnd = 2.5e1 )\n"
                                         "nonsense %$& ~ 'it is' \" open");
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

static void test_equations(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    /* Where an expression ends, the next begins; d is a name like any other. */
    ode_model *model =
        read_sections(ctx, "begin parameters k=3 end parameters\n"
                           "begin init d x=1 y init end init begin ODE\n"
                           "d(x) = k*x*d d(d)=abs(y-k)*max(x,y)-min(x,2)d(y)=-((x^2)^2)/-2\n"
                           "end ODE");
    const double p[] = {3}, v[] = {2, 5, 7, 0}; /* d, x, y, init */
    assert_false(model->is_network);
    assert_true(expression_value(model->variables[1].equation, p, v) == 30);
    assert_true(expression_value(model->variables[0].equation, p, v) == 4 * 7 - 2);
    assert_true(expression_value(model->variables[2].equation, p, v) == 312.5);
    assert_null(model->variables[3].equation);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

/* Values of constant expressions, in f64 and exactly. */
static void test_arithmetic(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value; /* of `value` = numerator/denominator */
        int64_t over;
    } cases[] = {
        {"1 - 2 - 3", "-4", 1},
        {"12/3/2", "2", 1},
        {"1 - 2*3 + 4", "-1", 1},
        {"(1 - 2)*3", "-3", 1},
        {"2^10", "1024", 1},
        {"2^-2", "0.25", 1},
        {"(-2)^3", "-8", 1},
        {"-(2^2)", "-4", 1},
        {"+5 - -3", "8", 1},
        {"2*-3", "-6", 1},
        {"-(-2)", "2", 1},
        {"1/3", "1", 3},
        {"0.1 + 0.2", "0.3", 1},
        {"4^0.5", "2", 1},
        {"min(3, 2)", "2", 1},
        {"max(3, -2)", "3", 1},
        {"abs(-0.5)", "0.5", 1},
        {"0^0", "1", 1},
        {"+2^2", "4", 1},
        {"2^(1 + 1)^1", NULL, 1},
        {"(1 - 0.01/2)", "0.995", 1},
        {"0.3 - 0.1 - 0.2", "0", 1},
        {"1e-2*1E2", "1", 1},
        {"2^(3^2)", "512", 1},
        {"(2^3)^2", "64", 1},
        {"min(max(1,2), 3)", "2", 1},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *sections = NULL;
        ode_model *model = NULL;
        number found, expected, over = number_of((double)cases[i].over);
        assert_true(asprintf(&sections,
                             "begin model m begin parameters p = %s end parameters begin init x "
                             "end init begin ODE end ODE end model",
                             cases[i].text) > 0);
        coset_status status = model_parse(ctx, sections, strlen(sections), "t", &model);
        free(sections);
        if (cases[i].value == NULL) {
            assert_int_equal(status, COSET_EFORMAT);
            continue;
        }
        if (status != COSET_OK) fail_msg("%s: %s", cases[i].text, coset_ctx_error(ctx));
        assert_int_equal(model_parameter_values(model, &found), COSET_OK);
        bool minus = cases[i].value[0] == '-';
        assert_true(
            number_parse(cases[i].value + minus, strlen(cases[i].value + minus), &expected));
        if (minus) expected = number_negate(expected);
        assert_true(number_div(expected, over, &expected));
        if (!number_equal(found, expected) || fabs(found.value - expected.value) > 1e-15)
            fail_msg("%s is %.17g", cases[i].text, found.value);
        double plain = expression_value(model->parameters[0].value, NULL, NULL);
        assert_true(fabs(plain - expected.value) < 1e-15);
        model_free(model);
    }
    counted_ctx_end(ctx, &memory);
}

/* Commands -------------------------------------------------------------------------------------- */

static void test_commands(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kept;
        double t_end;
    } cases[] = {
        {"", NULL, NAN},
        {"// only a comment", NULL, NAN},
        {"simulateODE(tEnd=7)", "simulateODE(tEnd=7)", 7},
        {"simulateODE(tEnd=7)simulateODE(tEnd=8)", "simulateODE(tEnd=7)simulateODE(tEnd=8)", 7},
        {"simulateODE(steps=3)\nsimulateODE(tEnd=8)", "simulateODE(steps=3)\nsimulateODE(tEnd=8)",
         NAN},
        {"x(s=\"simulateODE(tEnd=7)\")", "x(s=\"simulateODE(tEnd=7)\")", NAN},
        {"//simulateODE(tEnd=7)\nsimulateODE(tEnd=8,x=1)", "simulateODE(tEnd=8,x=1)", 8},
        {"simulateODE(tEnd=2*3)", "simulateODE(tEnd=2*3)", NAN},
        {"simulateODE tEnd=3", "simulateODE tEnd=3", NAN},
        {"tEnd = 3", "tEnd = 3", NAN},
        {"simulateODE(tEnd", "simulateODE(tEnd", NAN},
        {"((( unbalanced \"\n } ) x", "((( unbalanced \"\n} ) x", NAN},
        {"f(begin x end)", "f(begin x end)", NAN},
        {"end\nbegin", NULL, 0}, /* begins a section 'end' */
        {"the end", "the end", NAN},
        {"end/**/begin(\n model)", "end begin(\nmodel)", NAN},
        {"a/*\n*/b /* */ c", "a\nb c", NAN},
        {"1e 1.2.3 2x \xFF \xC3\xA9", "1e 1.2.3 2x \xEF\xBF\xBD \xC3\xA9", NAN},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        ode_model *model = NULL;
        assert_true(asprintf(&text,
                             "begin model m begin init x end init begin ODE end ODE\n%s\nend model",
                             cases[i].text) > 0);
        coset_status status = model_parse(ctx, text, strlen(text), "t", &model);
        free(text);
        if (cases[i].t_end == 0) {
            assert_int_equal(status, COSET_EUNSUPPORTED);
            continue;
        }
        if (status != COSET_OK) fail_msg("%s: %s", cases[i].text, coset_ctx_error(ctx));
        if (cases[i].kept == NULL)
            assert_null(model->commands);
        else if (model->commands == NULL)
            fail_msg("%s was not kept", cases[i].text);
        else
            assert_string_equal(model->commands, cases[i].kept);
        assert_true(isnan(cases[i].t_end) ? isnan(model->t_end) : model->t_end == cases[i].t_end);
        model_free(model);
    }
    /* Words of two places do not make a pair: "end" before a section, "model" behind it. */
    ode_model *model = read_sections(ctx, "begin init x end init end begin ODE end ODE model x");
    assert_string_equal(model->commands, "end ;\nmodel x");
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

/* Size ------------------------------------------------------------------------------------------ */

static void test_long_sums(void **state)
{
    (void)state;
    enum { TERMS = 300000 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    char *text = repeated("begin model m begin init x y end init begin ODE d(x) = 0", "+x*y-1/2",
                          TERMS, "", "", " d(y) = 1 end ODE end model");
    ode_model *model = read_text(ctx, text), *copy = NULL;
    free(text);
    const double values[] = {3, 0.5};
    assert_true(expression_value(model->variables[0].equation, NULL, values) == TERMS);
    assert_int_equal(model_clone(model, &copy), COSET_OK);
    model_free(model);
    assert_true(expression_value(copy->variables[0].equation, NULL, values) == TERMS);
    model_free(copy);
    text = repeated("begin model m begin parameters p = 1", "*2/2", TERMS, "", "", BEHIND);
    model = read_text(ctx, text);
    free(text);
    number value;
    assert_int_equal(model_parameter_values(model, &value), COSET_OK);
    assert_true(value.value == 1 && value.residue == 1);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

static void test_many_names(void **state)
{
    (void)state;
    enum { NAMES = 200000 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    char *text = malloc(64 * NAMES);
    assert_non_null(text);
    char *at = stpcpy(text, "begin model m begin parameters p0 = 1 ");
    for (int i = 1; i < NAMES; i++) at += sprintf(at, "p%d = p%d + 1\n", i, i - 1);
    strcpy(at, BEHIND);
    ode_model *model = read_text(ctx, text);
    assert_int_equal(model->n_parameters, NAMES);
    number *values = calloc(NAMES, sizeof *values);
    assert_non_null(values);
    assert_int_equal(model_parameter_values(model, values), COSET_OK);
    assert_true(values[NAMES - 1].value == NAMES);
    free(values);
    free(text);
    model_free(model);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),      cmocka_unit_test(test_everything),
        cmocka_unit_test(test_equations),  cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_commands),   cmocka_unit_test(test_long_sums),
        cmocka_unit_test(test_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
