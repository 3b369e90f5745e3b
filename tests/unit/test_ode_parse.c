/* The reader of model files: real files, every construct, every refusal with its place, caps, hostile text. */
#include "support/files.h"

#include <sys/mman.h>

#include "ode/evaluate.h"
#include "ode/model.h"

/* Texts whose sections say little are put into this frame. */
static char *frame(const char *sections)
{
    char *text = NULL;
    assert_true(asprintf(&text, "begin model m\n%s\nend model\n", sections) > 0);
    return text;
}

static ode_model *read_text(coset_ctx *ctx, const char *text)
{
    ode_model *model = NULL;
    if (model_parse(ctx, text, strlen(text), "t", &model) != COSET_OK)
        fail_msg("%s", coset_ctx_error(ctx));
    return model;
}

static ode_model *read_sections(coset_ctx *ctx, const char *sections)
{
    char *text = frame(sections);
    ode_model *model = read_text(ctx, text);
    free(text);
    return model;
}

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

static const char EVERYTHING[] =
    "\xEF\xBB\xBF// first line\r\n"
    "/* second\n"
    " * third */\r"
    "begin model big [logger = true]\r\n"
    "begin\tparameters a=2 b = a*3 /* twice */ c=-b+1E-2 d = min(a, 4) e=2^-1 // end parameters\n"
    "end parameters\n"
    "setIC(species=x, expr=1) // a command between sections\n"
    "begin  init x = a + b y z=0.5 (\"the z\") w // the w \r\n v end init\n"
    "begin partition {x,y}/*, {z}*/ , {w} end partition\n"
    "begin reactions\n"
    "x + 2*y -> z + x, -a\n"
    "z -> w, a  w + w -> 3*x + y + y, arbitrary a*x^2/(1 + y) [r1 r2]\n"
    "-> x, 1 x ->, 2*b\n"
    "x->y,1  2*z -> w, (b)\n"
    "end reactions\n"
    "begin views x = x total = x+y*a end views\n"
    "write(file=\"a // b.ode\", list={[(1)]},\n"
    "   deep=f(g( h )))\n\n"
    "simulateODE ( csv = \"t(1)\" , tEnd = 2.5e1 )\n"
    "nonsense %$& ~ 'it is' \" open\n"
    "end /* really */\n"
    "model and more \x01 text /* that nobody reads";

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

/* Refusals -------------------------------------------------------------------------------------- */

#define INIT "begin init x y alpha end init "
#define BODY "begin ODE end ODE "
#define PARAMETER(text) "begin parameters " text " end parameters " INIT BODY
#define ODE(text) INIT "begin ODE " text " end ODE "
#define REACTION(text)                                                                             \
    "begin parameters k=1 end parameters " INIT "begin reactions " text " end reactions "
#define BLOCKS(text) INIT "begin partition " text " end partition " BODY

static const struct refusal {
    const char *sections; /* behind "begin model m\n" */
    coset_status status;
    const char *message; /* the beginning of */
} REFUSALS[] = {
    {PARAMETER("p 1"), COSET_EFORMAT, "t:2:20: found '1', expected '='"},
    {PARAMETER("p = ;"), COSET_EFORMAT, "t:2:22: found ';', expected a number, a name or '('"},
    {PARAMETER("p = 1 )"), COSET_EFORMAT, "t:2:24: found ')', expected a parameter or 'end'"},
    {PARAMETER("p = (1"), COSET_EFORMAT, "t:2:25: found 'end', expected an operator or ')'"},
    {PARAMETER("p = q q = 1"), COSET_EFORMAT,
     "t:2:22: found 'q', expected a name that is declared before its use"},
    {PARAMETER("p = p"), COSET_EFORMAT, "t:2:22: found 'p', expected a name that is declared"},
    {PARAMETER("rate1 = 1 p = rate2"), COSET_EFORMAT,
     "t:2:32: found 'rate2', expected a name that is declared before its use; the nearest is 'rate1'"},
    {PARAMETER("p = 1 p = 2"), COSET_EFORMAT,
     "t:2:24: found 'p', expected a new name: it is declared already, at line 2"},
    {PARAMETER("x = 1"), COSET_EFORMAT, "t:2:50: found 'x', expected a new name"},
    {PARAMETER("arbitrary = 1"), COSET_EFORMAT, "t:2:18: 'arbitrary' is no name for a parameter"},
    {PARAMETER("p = 1/0"), COSET_EFORMAT, "t:2:24: division by zero"},
    {PARAMETER("p = 1/(0.3-0.1-0.2)"), COSET_EFORMAT, "t:2:25: division by zero"},
    {PARAMETER("p = (1-1)^-1"), COSET_EFORMAT, "t:2:23: a negative power of zero"},
    {PARAMETER("p = (1-2)^0.5"), COSET_EFORMAT, "t:2:23: a power that is not a finite real number"},
    {PARAMETER("p = 1e308*10"), COSET_EFORMAT, "t:2:22: the value is not finite"},
    {PARAMETER("p = 10^999"), COSET_EFORMAT, "t:2:22: the value is not finite"},
    {PARAMETER("p = 10^99999999999"), COSET_EFORMAT, "t:2:22: a power that is not a finite"},
    {PARAMETER("p = 1e999"), COSET_EFORMAT,
     "t:2:22: found the number '1e999', expected one that f64 can hold"},
    {PARAMETER("p = 1e-999"), COSET_EFORMAT, "t:2:22: found the number '1e-999'"},
    {PARAMETER("p = 1e"), COSET_EFORMAT, "t:2:22: found the malformed number '1e', expected"},
    {PARAMETER("p = 2x"), COSET_EFORMAT, "t:2:22: found the malformed number '2x', expected"},
    {PARAMETER("p = 1.2.3"), COSET_EFORMAT, "t:2:22: found the malformed number '1.2.3', expected"},
    {PARAMETER("p = -2^2"), COSET_EFORMAT,
     "t:2:24: found '^', expected parentheses behind a sign: -(a^b) or (-a)^b"},
    {PARAMETER("p = --2"), COSET_EFORMAT, "t:2:23: found '-', expected a number, a name or '('"},
    {PARAMETER("p = 2^-2^2"), COSET_EFORMAT,
     "t:2:26: found '^', expected parentheses behind a sign"},
    {PARAMETER("p = 2^2^2"), COSET_EFORMAT,
     "t:2:25: found '^', expected parentheses: (a^b)^c or a^(b^c)"},
    {PARAMETER("p = exp(1)"), COSET_EUNSUPPORTED,
     "t:2:22: found the function 'exp', expected min, max or abs"},
    {PARAMETER("p = min(1)"), COSET_EFORMAT,
     "t:2:27: found ')', expected ',' and a second argument"},
    {PARAMETER("p = abs(1, 2)"), COSET_EFORMAT, "t:2:27: found ',', expected an operator or ')'"},
    {PARAMETER("p = 1 \xC3\xA9"), COSET_EFORMAT, "t:2:24: found '\xC3\xA9', expected a parameter"},
    {PARAMETER("/* \xC3\xA9 */ p = \xFF"), COSET_EFORMAT, "t:2:30: found the byte 0xFF, expected"},
    {PARAMETER("p = \x07"), COSET_EFORMAT, "t:2:22: found the byte 0x07, expected"},
    {PARAMETER("p = 1 /* x"), COSET_EFORMAT, "t:2:24: found a comment without end, expected '*/'"},
    {PARAMETER("\r\rp = /* \r\n\n */ ?"), COSET_EFORMAT, "t:6:5: found '?', expected"},
    {PARAMETER("p = \"text\""), COSET_EFORMAT, "t:2:22: found '\"text\"', expected a number"},
    {PARAMETER("p = 1 begin"), COSET_EFORMAT,
     "t:2:24: found 'begin', expected a parameter or 'end'"},
    {"begin init end init " BODY, COSET_EFORMAT, "t:2:12: found 'end', expected a variable"},
    {"begin init x = y y end init " BODY, COSET_EFORMAT, "t:2:16: found 'y', expected a name"},
    {"begin init y x = y end init " BODY, COSET_EFORMAT,
     "t:2:18: found the variable 'y', expected numbers and parameters"},
    {"begin init x\n x end init " BODY, COSET_EFORMAT,
     "t:3:2: found 'x', expected a new name: it is declared already, at line 2"},
    {"begin init x (name) end init " BODY, COSET_EFORMAT,
     "t:2:15: found 'name', expected a text in quotes"},
    {BODY, COSET_EFORMAT, "t:2:1: the section 'ODE' stands there, expected 'init' before it"},
    {INIT, COSET_EFORMAT, "t:3:1: found 'end', expected a section 'reactions' or 'ODE'"},
    {"", COSET_EFORMAT, "t:3:1: found 'end', expected a section 'init'"},
    {INIT BODY INIT, COSET_EFORMAT, "t:2:49: the section 'init' stands there already, at line 2"},
    {INIT BODY "begin reactions end reactions", COSET_EFORMAT,
     "t:2:49: the section 'reactions' stands beside 'ODE' at line 2, expected one of them"},
    {INIT "begin algebraic end algebraic" BODY, COSET_EUNSUPPORTED,
     "t:2:31: the section 'algebraic' is not known"},
    {"begin symbolic parameters", COSET_EUNSUPPORTED, "t:2:1: the section 'symbolic' is not known"},
    {INIT "begin ODE end reactions", COSET_EFORMAT,
     "t:2:45: found 'reactions', expected 'ODE' behind 'end'"},
    {ODE("d(z) = 1"), COSET_EFORMAT, "t:2:43: found 'z', expected a name that is declared"},
    {ODE("d(alpa) = 1"), COSET_EFORMAT,
     "t:2:43: found 'alpa', expected a name that is declared before its use; the nearest is 'alpha'"},
    {ODE("d(x) = 1 d(x) = 2"), COSET_EFORMAT,
     "t:2:52: found a second equation of 'x', expected one"},
    {ODE("d x = 1"), COSET_EFORMAT, "t:2:43: found 'x', expected '(' behind 'd'"},
    {ODE("e(x) = 1"), COSET_EFORMAT, "t:2:41: found 'e', expected 'd(' or 'end'"},
    {ODE("d(x) = x/0"), COSET_EFORMAT, "t:2:50: division by zero"},
    {ODE("d(x) = y + (1 - 1)^-2*x"), COSET_EFORMAT, "t:2:53: a negative power of zero"},
    {ODE("d(x) = d(y)"), COSET_EUNSUPPORTED, "t:2:48: found the function 'd', expected min"},
    {ODE("d(x) = x^65"), COSET_ELIMIT, "t:2:48: a power of more than 64"},
    {REACTION("x y, 1"), COSET_EFORMAT, "t:2:85: found 'y', expected '+' or '->'"},
    {REACTION("x -> y 1"), COSET_EFORMAT, "t:2:90: found '1', expected '+', or ',' and a rate"},
    {REACTION("x -> y,"), COSET_EFORMAT, "t:2:91: found 'end', expected a number"},
    {REACTION("x -> k, 1"), COSET_EFORMAT, "t:2:88: found the parameter 'k', expected a variable"},
    {REACTION("2 x -> y, 1"), COSET_EFORMAT,
     "t:2:85: found 'x', expected '*' between a number and a variable"},
    {REACTION("0*x -> y, 1"), COSET_EFORMAT,
     "t:2:83: found '0', expected a whole number of at least 1"},
    {REACTION("1.5*x -> y, 1"), COSET_EFORMAT, "t:2:83: found '1.5', expected a whole number"},
    {REACTION("x + -> y, 1"), COSET_EFORMAT, "t:2:87: found '->', expected a variable"},
    {REACTION("x -> y, Hill h_K 1 h_R1 1"), COSET_EUNSUPPORTED,
     "t:2:91: Hill rates are not supported"},
    {REACTION("x -> y, 1 [r(1)]"), COSET_EFORMAT, "t:2:95: found '(', expected ']'"},
    {REACTION("x -> y, 1/(k - 1)"), COSET_EFORMAT, "t:2:94: division by zero"},
    {REACTION("65*x -> y, 1"), COSET_ELIMIT, "t:2:83: a stoichiometry of more than 64"},
    {REACTION("1e300*x -> y, 1"), COSET_ELIMIT, "t:2:83: a stoichiometry of more than 64"},
    {REACTION("1e999*x -> y, 1"), COSET_EFORMAT, "t:2:83: found '1e999', expected a whole number"},
    {REACTION("64*x + y -> y, 1"), COSET_ELIMIT, "t:2:83: reagents of more than 64"},
    {BLOCKS("{x}, {y, x}"), COSET_EFORMAT,
     "t:2:56: found 'x', expected a variable that is in no block yet"},
    {BLOCKS("{x, x}"), COSET_EFORMAT, "t:2:51: found 'x', expected a variable that is in no block"},
    {BLOCKS("{}"), COSET_EFORMAT, "t:2:48: found '}', expected a variable"},
    {BLOCKS("{x y}"), COSET_EFORMAT, "t:2:50: found 'y', expected ',' or '}'"},
    {BLOCKS("{x} {y}"), COSET_EFORMAT, "t:2:51: found '{', expected ',' or 'end'"},
    {BLOCKS("{x},"), COSET_EFORMAT, "t:2:52: found 'end', expected '{'"},
    {BLOCKS("x"), COSET_EFORMAT, "t:2:47: found 'x', expected '{'"},
    {INIT BODY "begin views v = x v = y end views", COSET_EFORMAT,
     "t:2:67: found 'v', expected a new name: it is declared already, at line 2"},
    {INIT BODY "begin views v = v end views", COSET_EFORMAT, "t:2:65: found 'v', expected a name"},
    {INIT BODY "begin views v x end views", COSET_EFORMAT, "t:2:63: found 'x', expected '='"},
};

static void expect_refusal(coset_ctx *ctx, const char *text, size_t size, coset_status expected,
                           const char *message)
{
    ode_model *model = NULL;
    coset_status status = model_parse(ctx, text, size, "t", &model);
    if (status != expected)
        fail_msg("expected %s, '%s', found %s, '%s'", coset_status_name(expected), message,
                 coset_status_name(status), status == COSET_OK ? "" : coset_ctx_error(ctx));
    assert_null(model);
    if (strncmp(coset_ctx_error(ctx), message, strlen(message)) != 0)
        fail_msg("expected '%s', found '%s'", message, coset_ctx_error(ctx));
}

static void test_refusals(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; i++) {
        char *text = frame(REFUSALS[i].sections);
        expect_refusal(ctx, text, strlen(text), REFUSALS[i].status, REFUSALS[i].message);
        free(text);
    }
    counted_ctx_end(ctx, &memory);
}

/* Of the text as a whole. */
static void test_refused_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size; /* 0: all */
        coset_status status;
        const char *message;
    } cases[] = {
        {"", 0, COSET_EFORMAT, "t:1:1: found the end of the text, expected 'begin model'"},
        {"// x\n", 0, COSET_EFORMAT, "t:2:1: found the end of the text, expected 'begin model'"},
        {"\xEF\xBB\xBFx", 0, COSET_EFORMAT, "t:1:1: found 'x', expected 'begin model'"},
        {"begin init", 0, COSET_EFORMAT, "t:1:7: found 'init', expected 'model'"},
        {"begin Boolean network", 0, COSET_EUNSUPPORTED,
         "t:1:7: Boolean networks are not supported"},
        {"begin model", 0, COSET_EFORMAT, "t:1:12: found the end of the text, expected the name"},
        {"begin model 1", 0, COSET_EFORMAT, "t:1:13: found '1', expected the name of the model"},
        {"begin model arbitrary", 0, COSET_EFORMAT, "t:1:13: found 'arbitrary', expected the name"},
        {"begin model end", 0, COSET_EFORMAT,
         "t:1:13: found 'end', expected the name of the model"},
        {"begin model m", 0, COSET_EFORMAT,
         "t:1:14: found the end of the text, expected 'end model'"},
        {"begin model m [x", 0, COSET_EFORMAT, "t:1:17: found the end of the text, expected ']'"},
        {"begin model m begin init x end init", 0, COSET_EFORMAT,
         "t:1:36: found the end of the text, expected 'end model'"},
        {"begin model m begin init x", 0, COSET_EFORMAT,
         "t:1:27: found the end of the text, expected a variable or 'end'"},
        {"begin model m foo( end", 0, COSET_EFORMAT,
         "t:1:23: found the end of the text, expected 'end model'"},
        {"begin model m foo /* end model", 0, COSET_EFORMAT,
         "t:1:19: found a comment without end, expected '*/'"},
        {"begin model m foo end /* model", 0, COSET_EFORMAT,
         "t:1:23: found a comment without end, expected '*/'"},
        {"/*/", 0, COSET_EFORMAT, "t:1:1: found a comment without end, expected '*/'"},
        {"begin model m //\0\nend model", 26, COSET_EFORMAT,
         "t:1:17: found the byte 0x00, expected text"},
        {"// \xC3\xA9 \0", 8, COSET_EFORMAT, "t:1:6: found the byte 0x00, expected text"},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(ctx, cases[i].text,
                       cases[i].size > 0 ? cases[i].size : strlen(cases[i].text), cases[i].status,
                       cases[i].message);
    counted_ctx_end(ctx, &memory);
}

/* Every cut of a text is refused or, behind its end, read. */
static void test_cut_texts(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    size_t size = sizeof EVERYTHING - 1,
           end = (size_t)(strstr(EVERYTHING, "model and") - EVERYTHING) + 5;
    for (size_t length = 0; length <= size; length++) {
        ode_model *model = NULL;
        /* A copy of exactly this size shows any read past its end. */
        char *text = malloc(length > 0 ? length : 1);
        assert_non_null(text);
        memcpy(text, EVERYTHING, length);
        coset_status status = model_parse(ctx, text, length, "t", &model);
        /* A cut name of a section is that of an unknown one. */
        if (length < end)
            assert_true(status == COSET_EFORMAT || status == COSET_EUNSUPPORTED);
        else
            assert_int_equal(status, COSET_OK);
        free(text);
        model_free(model);
    }
    counted_ctx_end(ctx, &memory);
}

/* Caps ------------------------------------------------------------------------------------------ */

static char *repeated(const char *before, const char *part, int64_t times, const char *middle,
                      const char *part_behind, const char *behind)
{
    size_t a = strlen(part), b = strlen(part_behind);
    char *text =
        malloc(strlen(before) + (a + b) * (size_t)times + strlen(middle) + strlen(behind) + 1);
    assert_non_null(text);
    char *at = stpcpy(text, before);
    for (int64_t i = 0; i < times; i++) at = stpcpy(at, part);
    at = stpcpy(at, middle);
    for (int64_t i = 0; i < times; i++) at = stpcpy(at, part_behind);
    strcpy(at, behind);
    return text;
}

#define BEFORE "begin model m begin parameters p = "
#define BEHIND " end parameters begin init x end init begin ODE end ODE end model"

static coset_status status_of(coset_ctx *ctx, char *text)
{
    ode_model *model = NULL;
    coset_status status = model_parse(ctx, text, strlen(text), "t", &model);
    model_free(model);
    free(text);
    return status;
}

static void test_nesting(void **state)
{
    (void)state;
    static const char *const parts[][2] = {{"(", ")"},    {"-(", ")"},     {"+", ""},
                                           {"abs(", ")"}, {"min(2,", ")"}, {"max(", ",2)"},
                                           {"1+(", ")*2"}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (int over = 0; over < 2; over++) {
            /* A sign is one level, its parentheses another. */
            int times = (parts[i][0][0] == '-' ? MODEL_MAX_NESTING / 2 : MODEL_MAX_NESTING) + over;
            char *text = repeated(BEFORE, parts[i][0], times, "1", parts[i][1], BEHIND);
            assert_int_equal(status_of(ctx, text), over ? COSET_ELIMIT : COSET_OK);
        }
        assert_non_null(
            strstr(coset_ctx_error(ctx),
                   "more than 64 parentheses, signs, functions and powers in each other"));
    }
    assert_int_equal(status_of(ctx, repeated(BEFORE, "1^(", 32, "1", ")", BEHIND)), COSET_OK);
    assert_int_equal(status_of(ctx, repeated(BEFORE, "1^(", 33, "1", ")", BEHIND)), COSET_ELIMIT);
    assert_int_equal(status_of(ctx, repeated(BEFORE, "(", 1000000, "1", ")", BEHIND)),
                     COSET_ELIMIT);
    counted_ctx_end(ctx, &memory);
}

static void test_caps(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const char init[] = "begin model m begin init ";
    for (int over = 0; over < 2; over++) {
        char *text = repeated(init, "a", MODEL_MAX_NAME + over, "", "",
                              " end init begin ODE end ODE end model");
        assert_int_equal(status_of(ctx, text), over ? COSET_ELIMIT : COSET_OK);
        text = repeated("begin model ", "a", MODEL_MAX_NAME + over, "", "",
                        " begin init x end init begin ODE end ODE end model");
        assert_int_equal(status_of(ctx, text), over ? COSET_ELIMIT : COSET_OK);
    }
    ode_model *model = read_sections(
        ctx,
        REACTION("64*x -> 64*y, 1 63*x + y -> 64*x + 64*x, 1") "begin views v = x^64 end views");
    model_free(model);
    /* Pages of zeros: refused for their size, or read and refused for their first byte. */
    size_t size = (size_t)MODEL_MAX_TEXT + 1;
    char *zeros = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(zeros != MAP_FAILED);
    expect_refusal(ctx, zeros, size - 1, COSET_EFORMAT, "t:1:1: found the byte 0x00");
    expect_refusal(ctx, zeros, size, COSET_ELIMIT, "t: a text of more than 1073741824 bytes");
    munmap(zeros, size);
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

/* Memory ---------------------------------------------------------------------------------------- */

typedef struct measured_memory {
    size_t now, most;
} measured_memory;

enum { HEAD = 64 };

static void *measured_alloc(void *user, size_t alignment, size_t size)
{
    measured_memory *self = user;
    assert_true(alignment <= HEAD);
    char *memory = aligned_alloc(HEAD, (size + 2 * HEAD - 1) / HEAD * HEAD);
    if (memory == NULL) return NULL;
    memcpy(memory, &size, sizeof size);
    self->now += size;
    if (self->now > self->most) self->most = self->now;
    return memory + HEAD;
}

static void measured_release(void *user, void *memory)
{
    size_t size = 0;
    if (memory == NULL) return;
    memcpy(&size, (char *)memory - HEAD, sizeof size);
    ((measured_memory *)user)->now -= size;
    free((char *)memory - HEAD);
}

/* Names of three letters, one after the other. */
static char *dense_names(const char *before, const char *between, const char *behind)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    char *text = malloc(53 * 53 * 53 * (4 + strlen(between)) + 512), *at = stpcpy(text, before);
    for (int i = 0; i < 53 * 53 * 53; i++) {
        char name[4] = {letters[i / 53 / 53], letters[i / 53 % 53], letters[i % 53], '\0'};
        if (strcmp(name, "end") == 0 || strcmp(name, "xxx") == 0) continue;
        at = stpcpy(stpcpy(at, name), between);
    }
    strcpy(at, behind);
    return text;
}

static void test_memory(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    char *texts[] = {
        repeated("begin model m begin init x y end init begin ODE d(x) = 0", "+x", MANY, "", "",
                 " end ODE end model"),
        repeated("begin model m begin init x y end init begin reactions ", "->,1", MANY, "", "",
                 " end reactions end model"),
        repeated("begin model m begin init x y end init begin reactions -> x", "+x", MANY, "", "",
                 ", 1 end reactions end model"),
        dense_names("begin model m begin init ", " ", " end init begin ODE end ODE end model"),
        dense_names("begin model m begin parameters ", "=1 ", BEHIND),
        dense_names("begin model m begin init xxx end init begin ODE end ODE begin views ", "=1 ",
                    "end views end model"),
        repeated("begin model m begin init x end init begin ODE end ODE ", "\xFF ", MANY, "", "",
                 "end model"),
        repeated("", "//\xFF\n", MANY, "", "",
                 "begin model m begin init x end init begin ODE end ODE end model"),
        repeated("begin model m begin parameters p = 1", "+1", MANY, "", "", BEHIND),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        measured_memory memory = {0, 0};
        coset_allocator allocator = {measured_alloc, measured_release, &memory};
        coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
        coset_ctx *ctx = NULL;
        options.allocator = &allocator;
        assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
        ode_model *model = read_text(ctx, texts[i]);
        size_t allowed = 64 * strlen(texts[i]) + 1024 * 1024;
        if (memory.most > allowed)
            fail_msg("text %zu of %zu bytes took %zu", i, strlen(texts[i]), memory.most);
        model_free(model);
        coset_ctx_free(ctx);
        assert_true(memory.now == 0);
        free(texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),         cmocka_unit_test(test_everything),
        cmocka_unit_test(test_equations),     cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_commands),      cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refused_texts), cmocka_unit_test(test_cut_texts),
        cmocka_unit_test(test_nesting),       cmocka_unit_test(test_caps),
        cmocka_unit_test(test_long_sums),     cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
