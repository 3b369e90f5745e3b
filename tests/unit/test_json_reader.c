/* The JSON reader against the grammar of RFC 8259, and against jansson. */
#include "support/linalg.h"

#include <jansson.h>
#include <string.h>

#include "base/json_reader.h"

static counted_memory memory;
static coset_ctx *ctx;

static int start(void **state)
{
    (void)state;
    ctx = counted_ctx(&memory, 1);
    return 0;
}

static int end(void **state)
{
    (void)state;
    counted_ctx_end(ctx, &memory);
    return 0;
}

/* Reads from bytes that end where the text ends, so that sanitizers see every overrun. */
static json_document *read_bytes(const char *text, size_t size, coset_status expected)
{
    json_document *json = NULL;
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) memcpy(copy, text, size);
    coset_status status = json_read(ctx, copy, size, "x.json", &json);
    free(copy);
    if (status != expected)
        fail_msg("%.*s: %s, %s", (int)size, text, coset_status_name(status), coset_ctx_error(ctx));
    assert_true((json != NULL) == (status == COSET_OK));
    return json;
}

static json_document *read_text(const char *text)
{
    return read_bytes(text, strlen(text), COSET_OK);
}

/* The value of {"v": TEXT}. */
static json_document *read_value(const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "{\"v\":%s}", text);
    return read_text(whole);
}

static const jvalue *value_of(const json_document *json)
{
    const jvalue *value = jvalue_get(json_root(json), "v");
    assert_non_null(value);
    return value;
}

static void numbers(void **state)
{
    (void)state;
    const struct {
        const char *text;
        jvalue_kind kind;
        int64_t integer;
        double real;
    } cases[] = {
        {"0", JVALUE_INTEGER, 0, 0},
        {"-0", JVALUE_INTEGER, 0, 0},
        {"-12", JVALUE_INTEGER, -12, 0},
        {"9223372036854775807", JVALUE_INTEGER, INT64_MAX, 0},
        {"-9223372036854775808", JVALUE_INTEGER, INT64_MIN, 0},
        {"0.0", JVALUE_REAL, 0, 0},
        {"-0.5", JVALUE_REAL, 0, -0.5},
        {"1e3", JVALUE_REAL, 0, 1000},
        {"1E+3", JVALUE_REAL, 0, 1000},
        {"25e-1", JVALUE_REAL, 0, 2.5},
        {"5e-324", JVALUE_REAL, 0, 5e-324},
        {"1e-999", JVALUE_REAL, 0, 0},
        {"1.7976931348623157e308", JVALUE_REAL, 0, 1.7976931348623157e308},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_document *json = read_value(cases[i].text);
        const jvalue *value = value_of(json);
        assert_int_equal(value->kind, cases[i].kind);
        if (value->kind == JVALUE_INTEGER)
            assert_true(value->integer == cases[i].integer);
        else
            assert_true(value->real == cases[i].real);
        json_document_free(ctx, json);
    }
}

static void texts(void **state)
{
    (void)state;
    const char *cases[][2] = {
        {"\"\"", ""},
        {"\"a b\"", "a b"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\"", "A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\udbff\\udfff\"",
         "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf"},
        {"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"",
         "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_document *json = read_value(cases[i][0]);
        assert_string_equal(jvalue_text(value_of(json)), cases[i][1]);
        json_document_free(ctx, json);
    }
}

static void structure(void **state)
{
    (void)state;
    json_document *json =
        read_text(" {\"b\" : [1, [ ], {} ,true,false,null],\r\n\t\"a\":\"x\"} \n");
    const jvalue *root = json_root(json), *list = jvalue_get(root, "b");
    assert_true(root->kind == JVALUE_OBJECT && root->n == 2 && root->key == NULL);
    assert_string_equal(root->items[0].key, "a");
    assert_true(list->kind == JVALUE_LIST && list->n == 6);
    assert_true(list->items[1].kind == JVALUE_LIST && list->items[1].n == 0);
    assert_true(list->items[2].kind == JVALUE_OBJECT && list->items[2].n == 0);
    assert_true(list->items[3].kind == JVALUE_BOOL && list->items[3].truth);
    assert_true(list->items[4].kind == JVALUE_BOOL && !list->items[4].truth);
    assert_true(jvalue_is_null(&list->items[5]) && jvalue_is_null(NULL));
    assert_null(jvalue_get(root, "c"));
    assert_null(jvalue_get(list, "c"));
    assert_null(jvalue_get(&list->items[2], "c"));
    assert_null(jvalue_get(NULL, "c"));
    assert_null(jvalue_text(list));
    assert_null(jvalue_text(NULL));
    json_document_free(ctx, json);
}

static const char *const refused[] = {
    "",
    " ",
    "[]",
    "1",
    "\"a\"",
    "null",
    "{",
    "}",
    "{}}",
    "{} 1",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\" 1}",
    "{\"a\":1,}",
    "{,\"a\":1}",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{1:1}",
    "{\"a\":1]",
    "{\"a\":[1}",
    "{\"a\":[1,]}",
    "{\"a\":[,1]}",
    "{\"a\":[1 2]}",
    "{\"a\":[",
    "{\"a\":[1",
    "{\"a\":1",
    "{\"a",
    "{\"a\\",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"a\":\"\\ud800\\n12345\"}",
    "{\"a\":\"\\udc00\"}",
    "{\"a\":\"\\ud83d\\ude0\"}",
    "{\"a\":\"\x01\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\x80\"}",
    "{\"a\":\"\xc3\"}",
    "{\"a\":\"\xc0\x80\"}",
    "{\"a\":\"\xe0\x80\x80\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xf4\x90\x80\x80\"}",
    "{\"a\":\"\xf8\x88\x80\x80\x80\"}",
    "{\"a\":01}",
    "{\"a\":-}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":-01}",
    "{\"a\":0x1}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":-inf}",
    "{\"a\":1e999}",
    "{\"a\":-1e999}",
    "{\"a\":9223372036854775808}",
    "{\"a\":-9223372036854775809}",
    "{\"a\":tru}",
    "{\"a\":True}",
    "{\"a\":truefalse}",
    "{\"a\":nul",
    "{\"a\":1,\"a\":2}",
    "{\"b\":1,\"a\":1,\"b\":1}",
    "{\"a\":1,\"\\u0061\":2}",
    "{/* */}",
    "\xef\xbb\xbf{}",
};

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        read_bytes(refused[i], strlen(refused[i]), COSET_EFORMAT);
        assert_int_equal(strncmp(coset_ctx_error(ctx), "x.json: line 1", 14), 0);
    }
    read_bytes("{\0}", 3, COSET_EFORMAT);
    read_bytes("{\"a\0\":1}", 8, COSET_EFORMAT);
    read_bytes("{\"\\\0\":1}", 8, COSET_EFORMAT);
    read_bytes("{\"a\":1\n\n  ,x}", 13, COSET_EFORMAT);
    assert_string_equal(coset_ctx_error(ctx), "x.json: line 3, column 4: expected a key");
    char digits[1024] = "{\"a\":0.";
    memset(digits + 7, '1', 900);
    strcat(digits, "}");
    read_bytes(digits, strlen(digits), COSET_EFORMAT);
}

/* ---- against jansson: the same texts are accepted, with the same values -------------------------- */

static void same_value(const jvalue *ours, const json_t *theirs)
{
    switch (ours->kind) {
    case JVALUE_NULL: assert_true(json_is_null(theirs)); break;
    case JVALUE_BOOL:
        assert_true(ours->truth ? json_is_true(theirs) : json_is_false(theirs));
        break;
    case JVALUE_INTEGER:
        assert_true(json_is_integer(theirs) && ours->integer == json_integer_value(theirs));
        break;
    case JVALUE_REAL:
        assert_true(json_is_real(theirs));
        double value = json_real_value(theirs);
        assert_memory_equal(&ours->real, &value, sizeof value);
        break;
    case JVALUE_TEXT: assert_string_equal(ours->text, json_string_value(theirs)); break;
    case JVALUE_LIST:
        assert_true(json_is_array(theirs) && (size_t)ours->n == json_array_size(theirs));
        for (int64_t i = 0; i < ours->n; i++)
            same_value(&ours->items[i], json_array_get(theirs, (size_t)i));
        break;
    case JVALUE_OBJECT:
        assert_true(json_is_object(theirs) && (size_t)ours->n == json_object_size(theirs));
        for (int64_t i = 0; i < ours->n; i++)
            same_value(&ours->items[i], json_object_get(theirs, ours->items[i].key));
        break;
    }
}

static json_t *random_value(rng *random, int depth)
{
    static const char *const words[] = {"", "a", "\xc3\xa4", "\"\\\n\x01", "long long long text"};
    char key[16];
    json_t *made = NULL;
    switch (rng_below(random, depth < 5 ? 8 : 6)) {
    case 0: return json_null();
    case 1: return json_boolean(rng_below(random, 2));
    case 2: return json_integer((json_int_t)(rng_u64(random) >> rng_below(random, 64)));
    case 3: return json_integer(-(json_int_t)(rng_u64(random) >> (1 + rng_below(random, 63))));
    case 4: return json_real(rng_normal(random) * pow(10, 600 * rng_uniform(random) - 300));
    case 5: return json_string(words[rng_below(random, 5)]);
    case 6:
        made = json_array();
        for (int64_t n = rng_below(random, 6); n > 0; n--)
            json_array_append_new(made, random_value(random, depth + 1));
        return made;
    default:
        made = json_object();
        for (int64_t n = rng_below(random, 6); n > 0; n--) {
            snprintf(key, sizeof key, "k%d\n", (int)rng_below(random, 20));
            json_object_set_new(made, key, random_value(random, depth + 1));
        }
        return made;
    }
}

static void agrees_with_jansson(void **state)
{
    (void)state;
    rng random = rng_seed(5, 0);
    int accepted = 0, refused_both = 0;
    for (int round = 0; round < 2000; round++) {
        json_t *made = json_object();
        for (int n = 0; n < 4; n++) {
            char key[8];
            snprintf(key, sizeof key, "%d", n);
            json_object_set_new(made, key, random_value(&random, 0));
        }
        size_t flags = round % 3 == 0   ? JSON_INDENT(2)
                       : round % 3 == 1 ? JSON_COMPACT
                                        : JSON_ENSURE_ASCII;
        char *text = json_dumps(made, flags | JSON_REAL_PRECISION(17));
        assert_non_null(text);
        json_document *json = read_text(text);
        same_value(json_root(json), made);
        json_document_free(ctx, json);
        json_decref(made);
        /* The same with one byte changed. */
        size_t size = strlen(text), at = (size_t)rng_below(&random, (int64_t)size);
        text[at] = (char)(text[at] ^ (1 << rng_below(&random, 8)));
        json_t *theirs = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        coset_status status = json_read(ctx, text, size, "x.json", &json);
        if ((status == COSET_OK) != json_is_object(theirs))
            fail_msg("%s: %s, jansson %s", text, coset_status_name(status),
                     theirs ? "accepts" : "refuses");
        accepted += status == COSET_OK;
        refused_both += status != COSET_OK;
        if (status == COSET_OK) same_value(json_root(json), theirs);
        json_document_free(ctx, json);
        json_decref(theirs);
        free(text);
    }
    printf("changed texts: %d accepted by both, %d refused by both\n", accepted, refused_both);
    assert_true(accepted > 100 && refused_both > 100);
}

/* ---- caps, just under and just over ---- */

/* {"x":OPEN BODY CLOSE} with BODY repeated. */
static char *repeated(const char *open, const char *body, int64_t times, const char *close)
{
    size_t a = strlen(open), b = strlen(body);
    char *text = malloc(a + b * (size_t)times + strlen(close) + 16), *at = text;
    assert_non_null(text);
    at += sprintf(at, "{\"x\":%s", open);
    for (int64_t i = 0; i < times; i++, at += b) memcpy(at, body, b);
    sprintf(at, "%s}", close);
    return text;
}

static coset_status parse(char *text)
{
    json_document *json = NULL;
    coset_status status = json_read(ctx, text, strlen(text), "cap.json", &json);
    assert_true((status == COSET_OK) == (json != NULL));
    json_document_free(ctx, json);
    free(text);
    return status;
}

static void nesting_is_capped(void **state)
{
    (void)state;
    for (int deep = JSON_MAX_NESTING - 1; deep <= JSON_MAX_NESTING + 1; deep++) {
        char close[128] = "";
        memset(close, ']', (size_t)deep - 1);
        coset_status status = parse(repeated("", "[", deep - 1, close));
        assert_int_equal(status, deep <= JSON_MAX_NESTING ? COSET_OK : COSET_ELIMIT);
    }
    /* Without an end, as deep as the file is long. */
    assert_int_equal(parse(repeated("", "[", 1 << 20, "")), COSET_ELIMIT);
    assert_int_equal(parse(repeated("", "{\"a\":", 1 << 20, "")), COSET_ELIMIT);
    assert_int_equal(parse(repeated("\"", "[", 1000, "\"")), COSET_OK); /* text nests nothing */
    assert_int_equal(parse(repeated("\"\\\"", "[", 1000, "\"")), COSET_OK);
}

static void values_are_capped(void **state)
{
    (void)state;
    /* The object, the list and its first entry are counted already. */
    const int64_t most = JSON_MAX_VALUES - 3;
    assert_int_equal(parse(repeated("[0", ",0", most, "]")), COSET_OK);
    assert_int_equal(parse(repeated("[0", ",0", most + 1, "]")), COSET_ELIMIT);
}

static void strings_are_capped(void **state)
{
    (void)state;
    for (int64_t n = JSON_MAX_STRING; n <= JSON_MAX_STRING + 1; n++) {
        coset_status expected = n == JSON_MAX_STRING ? COSET_OK : COSET_ELIMIT;
        assert_int_equal(parse(repeated("\"", "a", n, "\"")), expected);
        assert_int_equal(parse(repeated("\"", "\\u0001", n, "\"")), expected);
        assert_int_equal(parse(repeated("1,\"", "a", n, "\":1")), expected);
    }
    /* Characters of four bytes, of which the last reaches over the cap. */
    assert_int_equal(parse(repeated("\"a", "\xf0\x9f\x98\x80", JSON_MAX_STRING / 4, "\"")),
                     COSET_ELIMIT);
    assert_int_equal(parse(repeated("\"", "\\ud83d\\ude00", JSON_MAX_STRING / 4, "\"")), COSET_OK);
}

static void every_allocation_fails(void **state)
{
    (void)state;
    const char *text = "{\"a\":[1,[2,{\"b\":\"c\"}]],\"d\":\"a text that is longer than sixteen\"}";
    json_document *json = NULL;
    int64_t alive = memory.alive;
    for (int64_t at = 0;; at++) {
        memory.fail_from = memory.made + at;
        coset_status status = json_read(ctx, text, strlen(text), "x.json", &json);
        memory.fail_from = -1;
        if (status == COSET_OK) {
            assert_true(at >= 4);
            break;
        }
        assert_int_equal(status, COSET_EMEMORY);
        assert_null(json);
        assert_true(memory.alive == alive);
    }
    json_document_free(ctx, json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers, start, end),
        cmocka_unit_test_setup_teardown(texts, start, end),
        cmocka_unit_test_setup_teardown(structure, start, end),
        cmocka_unit_test_setup_teardown(what_is_not_json_is_refused, start, end),
        cmocka_unit_test_setup_teardown(agrees_with_jansson, start, end),
        cmocka_unit_test_setup_teardown(nesting_is_capped, start, end),
        cmocka_unit_test_setup_teardown(values_are_capped, start, end),
        cmocka_unit_test_setup_teardown(strings_are_capped, start, end),
        cmocka_unit_test_setup_teardown(every_allocation_fails, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
