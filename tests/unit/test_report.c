/* Reports: the document, its JSON, the tables for people and the HTML page. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <cmocka.h>

#include "base/utf8.h"
#include "report/page.h"
#include "report/report.h"

/* An allocator whose allocation number `fail_at` fails, and that counts what is in use. */
typedef struct counting {
    int64_t calls, fail_at, in_use;
} counting;

static void *counting_alloc(void *user, size_t alignment, size_t size)
{
    counting *self = user;
    if (self->calls++ == self->fail_at) return NULL;
    void *memory = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (memory != NULL) self->in_use++;
    return memory;
}

static void counting_release(void *user, void *memory)
{
    ((counting *)user)->in_use--;
    free(memory);
}

static coset_ctx *ctx;
static counting memory;

static int set_up(void **state)
{
    (void)state;
    memory = (counting){.fail_at = -1};
    const coset_allocator allocator = {counting_alloc, counting_release, &memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    options.allocator = &allocator;
    options.threads = 3;
    options.seed = 41;
    return coset_ctx_new(&options, &ctx) == COSET_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    return memory.in_use == 0 ? 0 : -1;
}

#define OK(expression) assert_int_equal((expression), COSET_OK)

/* A report of compress with one of everything; names that need escaping. */
static coset_status fill(coset_report **report_out)
{
    coset_status status = COSET_OK;
    coset_report *report = NULL;
    report_node *at = NULL, *list = NULL;
    const coset_graph_size original = {1234567, 1200000, -1, 4938268};
    const coset_graph_size compressed = {34305, 34000, 33920, 137220};
    TRY(report_new(ctx, REPORT_COMPRESS, &report));
    TRY(report_input(ctx, report, "dir/m.onnx", "0123"));
    TRY(report_input(ctx, report, "in memory", ""));
    TRY(report_text(ctx, report->root, "model", "dir/m.onnx"));
    TRY(report_text(ctx, report->root, "method", "auto"));
    TRY(report_text(ctx, report->root, "rule", "params <= 25%"));
    TRY(report_size(ctx, report->root, "original", &original));
    TRY(report_size(ctx, report->root, "compressed", &compressed));
    TRY(report_object(ctx, report->root, "metric", &at));
    TRY(report_text(ctx, at, "name", "accuracy"));
    TRY(report_real(ctx, at, "original", 0.98));
    TRY(report_real(ctx, at, "compressed", 0.97));
    TRY(report_list(ctx, report->root, "groups", &list));
    TRY(report_add_object(ctx, list, &at));
    TRY(report_text(ctx, at, "name", "<fc&\"0\">\n\xFF"));
    TRY(report_count(ctx, at, "units", 128));
    TRY(report_count(ctx, at, "kept", 32));
    TRY(report_real(ctx, at, "height", 0.07));
    TRY(report_real(ctx, at, "error", (double)NAN));
    TRY(report_finish(ctx, report, report_clock()));
    *report_out = report;
    report = NULL;
done:
    coset_report_free(ctx, report);
    return status;
}

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(root);
    return root;
}

static void json_carries_fields(void **state)
{
    (void)state;
    static const char *const order[] = {"coset",  "verb",     "seed",          "threads",
                                        "inputs", "outputs",  "model",         "method",
                                        "rule",   "original", "compressed",    "metric",
                                        "groups", "seconds",  "peak_rss_bytes"};
    coset_report *report = NULL;
    char *text = NULL;
    OK(fill(&report));
    OK(coset_report_set(ctx, report, "model", "other")); /* keeps its place */
    OK(coset_report_json(ctx, report, &text));
    json_t *root = parse(text);
    void *at = json_object_iter(root);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        assert_non_null(at);
        assert_string_equal(json_object_iter_key(at), order[k]);
        at = json_object_iter_next(root, at);
    }
    assert_null(at);
    assert_string_equal(json_string_value(json_object_get(root, "coset")), coset_version());
    assert_string_equal(json_string_value(json_object_get(root, "model")), "other");
    assert_int_equal(json_integer_value(json_object_get(root, "seed")), 41);
    assert_int_equal(json_integer_value(json_object_get(root, "threads")), 3);
    assert_int_equal(json_object_size(json_object_get(root, "inputs")), 1);
    assert_true(json_is_null(json_object_get(json_object_get(root, "original"), "macs")));
    json_t *group = json_array_get(json_object_get(root, "groups"), 0);
    assert_string_equal(json_string_value(json_object_get(group, "name")),
                        "<fc&\"0\">\n\xEF\xBF\xBD");
    assert_true(json_is_null(json_object_get(group, "error")));
    assert_non_null(strstr(text, "\"height\": 0.07,")); /* as a person would write it */
    json_decref(root);
    coset_memory_free(ctx, text);
    coset_report_free(ctx, report);
}

static void numbers_by_path(void **state)
{
    (void)state;
    coset_report *report = NULL;
    OK(fill(&report));
    assert_true(coset_report_number(report, "compressed.params", -1) == 34305);
    assert_true(coset_report_number(report, "groups.0.height", -1) == 0.07);
    assert_true(coset_report_number(report, "seed", -1) == 41);
    assert_true(coset_report_number(report, "groups.1.height", -1) == -1);
    assert_true(coset_report_number(report, "groups.x", -1) == -1);
    assert_true(coset_report_number(report, "original.macs", -1) == -1); /* null */
    assert_true(coset_report_number(report, "compressed", -1) == -1);
    assert_true(coset_report_number(report, "compressed.params.more", -1) == -1);
    assert_true(coset_report_number(report, "", -1) == -1);
    assert_true(coset_report_number(report, "seed.", -1) == -1);
    coset_report_free(ctx, report);
}

static void text_is_a_table(void **state)
{
    (void)state;
    coset_report *report = NULL;
    char *text = NULL;
    OK(fill(&report));
    OK(coset_report_text(ctx, report, &text));
    assert_non_null(strstr(text, "dir/m.onnx: auto, params <= 25%\n"));
    assert_non_null(strstr(text, "  parameters     1.23 M       34 305           2.8%\n"));
    assert_non_null(strstr(text, "  MACs                -       33 920              -\n"));
    assert_non_null(strstr(text, "  accuracy       98.00%       97.00%   -1.00 points\n"));
    assert_non_null(
        strstr(text, "<fc&\"0\">?\xEF\xBF\xBD     128     32   25.0%   0.0700       -\n"));
    assert_null(strchr(text, '\t'));
    assert_null(strstr(text, " \n")); /* no blanks at the end of a line */
    coset_memory_free(ctx, text);
    coset_report_free(ctx, report);
}

static void html_is_escaped(void **state)
{
    (void)state;
    coset_report *report = NULL;
    char *text = NULL;
    OK(fill(&report));
    OK(report_html(ctx, report, &text));
    assert_non_null(strstr(text, "<td>&lt;fc&amp;&quot;0&quot;&gt;?\xEF\xBF\xBD</td>"));
    assert_null(strstr(text, "<fc"));
    assert_non_null(strstr(text, "<svg"));
    assert_non_null(strstr(text, ">32 of 128</text>"));
    assert_null(strstr(text, "href")); /* needs no other file */
    assert_null(strstr(text, "src="));
    coset_memory_free(ctx, text);
    coset_report_free(ctx, report);
}

static void saves_by_suffix(void **state)
{
    (void)state;
    coset_report *report = NULL;
    OK(fill(&report));
    OK(coset_report_save(ctx, report, "r.json"));
    OK(coset_report_save(ctx, report, "r.html"));
    json_t *root = json_load_file("r.json", 0, NULL);
    assert_non_null(root);
    json_decref(root);
    assert_int_equal(coset_report_save(ctx, report, "r.txt"), COSET_EARGUMENT);
    assert_non_null(strstr(coset_ctx_error(ctx), "r.txt"));
    assert_int_equal(coset_report_save(ctx, report, ".json"), COSET_EARGUMENT);
    assert_int_equal(coset_report_save(ctx, report, "no/such/r.json"), COSET_EIO);
    assert_int_equal(coset_report_add_output(ctx, report, "no such file"), COSET_EIO);
    OK(coset_report_add_output(ctx, report, "r.html"));
    json_t *outputs = json_object_get(report->root, "outputs");
    assert_int_equal(strlen(json_string_value(json_object_get(outputs, "r.html"))), 64);
    coset_report_free(ctx, report);
}

static void numbers_for_people(void **state)
{
    (void)state;
    char text[REPORT_NUMBER];
    assert_string_equal(number_count(0, text), "0");
    assert_string_equal(number_count(999, text), "999");
    assert_string_equal(number_count(34305, text), "34 305");
    assert_string_equal(number_count(999999, text), "999 999");
    assert_string_equal(number_count(1234567, text), "1.23 M");
    assert_string_equal(number_count(67108864, text), "67.1 M");
    assert_string_equal(number_count(999999999, text), "1.00 G");
    assert_string_equal(number_count((double)NAN, text), "-");
    assert_string_equal(number_bytes(999, text), "999 B");
    assert_string_equal(number_bytes(137220, text), "137 kB");
    assert_string_equal(number_bytes(9999, text), "10.0 kB");
    assert_string_equal(number_share(0.25, text), "25.0%");
    assert_string_equal(number_real(0, text), "0");
    assert_string_equal(number_real(0.58168, text), "0.5817");
    assert_string_equal(number_real(-0.5, text), "-0.5000");
    assert_string_equal(number_real(1.2e-7, text), "1.2e-07");
    assert_string_equal(number_real((double)INFINITY, text), "-");
    assert_string_equal(number_seconds(0.123, text), "0.12 s");
    assert_string_equal(number_seconds(9.996, text), "10 s");
    assert_string_equal(number_seconds(200, text), "3 min 20 s");
    assert_string_equal(number_seconds(7200, text), "2.0 h");
    assert_string_equal(number_seconds(-1, text), "-");
}

static void utf8_is_repaired(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\x80", "\xEF\xBF\xBD"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                                 /* overlong / */
        {"\xE0\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* overlong / */
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* surrogate */
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* too large */
        {"a\xE2\x82", "a\xEF\xBF\xBD\xEF\xBF\xBD"},                               /* cut off */
        {"\xC3(", "\xEF\xBF\xBD("},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char *copy = NULL;
        OK(utf8_copy(ctx, cases[k].in, &copy));
        assert_string_equal(copy, cases[k].out);
        ctx_free(ctx, copy);
    }
    assert_int_equal(utf8_columns("a\xC3\xA4\xE2\x82\xAC"), 3);
}

/* A long name loses its middle, between characters, unless it stands last. */
static void long_cells_are_cut(void **state)
{
    (void)state;
    char name[201], *text = NULL;
    for (int k = 0; k < 100; k++) memcpy(name + 2 * k, "\xC3\xA4", 2);
    name[200] = '\0';
    page drawn = {.ctx = ctx};
    page_table(&drawn);
    page_column_add(&drawn, "a", false);
    page_column_add(&drawn, "b", false);
    page_cell(&drawn, name);
    page_cell(&drawn, name);
    OK(page_text(&drawn, &text));
    char *row = strchr(text, '\n') + 1;
    assert_int_equal(utf8_columns(row), 2 + 64 + 3 + 100 + 1);
    for (const char *c = row; *c != '\0'; c += utf8_length(c, strlen(c)))
        assert_true(utf8_length(c, strlen(c)) > 0);
    ctx_free(ctx, text);
    page_free(&drawn);
}

/* Every allocation of ours fails once: an error, nothing leaks, and the next call works. */
static void failed_allocations(void **state)
{
    (void)state;
    int64_t in_use = memory.in_use, failures = 0;
    coset_status status = COSET_EMEMORY;
    for (int64_t n = 0; status != COSET_OK; n++) {
        coset_report *report = NULL;
        char *text = NULL, *json = NULL, *html = NULL;
        memory.calls = 0;
        memory.fail_at = n;
        status = fill(&report);
        if (status == COSET_OK) status = coset_report_text(ctx, report, &text);
        if (status == COSET_OK) status = coset_report_json(ctx, report, &json);
        if (status == COSET_OK) status = report_html(ctx, report, &html);
        memory.fail_at = -1;
        coset_memory_free(ctx, text);
        coset_memory_free(ctx, json);
        coset_memory_free(ctx, html);
        coset_report_free(ctx, report);
        assert_int_equal(memory.in_use, in_use);
        if (status != COSET_OK) {
            assert_int_equal(status, COSET_EMEMORY);
            failures++;
        }
    }
    assert_true(failures > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_carries_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_by_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_is_a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(html_is_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(saves_by_suffix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_for_people, set_up, tear_down),
        cmocka_unit_test_setup_teardown(utf8_is_repaired, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_cells_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_allocations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
