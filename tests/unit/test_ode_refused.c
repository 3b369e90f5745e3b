/* What the reader of model files refuses, with its place; caps; cut texts; the bound on its memory. */
#include "support/ode_texts.h"

#include <sys/mman.h>

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
    {ODE("d(x) = x^1e300"), COSET_ELIMIT, "t:2:48: a power of more than 64"},
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
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_refused_texts),
        cmocka_unit_test(test_cut_texts), cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_caps),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
