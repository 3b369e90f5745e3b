/* What can be said of the demo without running it: its page, and folders that it cannot use. */
#include "support/files.h"

#include <coset/demo.h>

#include "report/report.h"

static counted_memory memory;
static coset_ctx *ctx;

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

static void add_result(report_node *results, const char *method, double target, bool reached,
                       double share, double metric)
{
    report_node *row = NULL;
    assert_int_equal(report_add_object(ctx, results, &row), COSET_OK);
    assert_int_equal(report_text(ctx, row, "method", method), COSET_OK);
    assert_int_equal(report_real(ctx, row, "target", target), COSET_OK);
    assert_int_equal(report_flag(ctx, row, "reached", reached), COSET_OK);
    assert_int_equal(report_count(ctx, row, "params", 34951), COSET_OK);
    assert_int_equal(report_count(ctx, row, "nonzero", (int64_t)(34951 * share)), COSET_OK);
    assert_int_equal(report_real(ctx, row, "share", share), COSET_OK);
    assert_int_equal(report_real(ctx, row, "metric", metric), COSET_OK);
    assert_int_equal(report_real(ctx, row, "seconds", 0.25), COSET_OK);
}

static coset_report *make_report(const char *metric_name)
{
    coset_report *report = NULL;
    report_node *metric = NULL;
    const coset_graph_size size = {34951, 34951, 34560, 139804};
    assert_int_equal(report_new(ctx, REPORT_DEMO, &report), COSET_OK);
    report_node *root = report_root(report);
    assert_int_equal(report_text(ctx, root, "folder", "there"), COSET_OK);
    assert_int_equal(report_size(ctx, root, "original", &size), COSET_OK);
    assert_int_equal(report_count(ctx, root, "samples", 8000), COSET_OK);
    assert_int_equal(report_object(ctx, root, "metric", &metric), COSET_OK);
    assert_int_equal(report_text(ctx, metric, "name", metric_name), COSET_OK);
    assert_int_equal(report_real(ctx, metric, "original", 0.9996), COSET_OK);
    return report;
}

static char *text_of(coset_report *report)
{
    char *text = NULL;
    assert_int_equal(coset_report_text(ctx, report, &text), COSET_OK);
    coset_report_free(ctx, report);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) fail_msg("no '%s' in:\n%s", part, text);
}

/* One row per method, one column per size; a size that was missed says what was kept instead, and
 * one that is not there is left open. */
static void test_page(void **state)
{
    (void)state;
    coset_report *report = make_report("r2");
    report_node *results = NULL;
    assert_int_equal(report_list(ctx, report_root(report), "results", &results), COSET_OK);
    add_result(results, "auto", 0.5, true, 0.5, 0.99876);
    add_result(results, "auto", 0.07, true, 0.07, 0.9444);
    add_result(results, "masks", 0.5, true, 0.5, -0.0004);
    add_result(results, "masks", 0.07, false, 0.125, 0.5);
    add_result(results, "half", 0.5, true, 0.5, 0.75);
    char *text = text_of(report);
    assert_has(text, "The original has 34 951 parameters and R2 0.9996 on 8 000 test samples.\n");
    assert_has(text, "  method     50%              7%   parameters at 7%   non-zero     time\n"
                     "  auto     0.999           0.944             34 951      2 446   0.50 s\n"
                     "  masks    0.000   0.500 (12.5%)             34 951      4 368   0.50 s\n"
                     "  half     0.750               -                  -          -   0.25 s\n");
    assert_has(text, "next: coset compress there/original.onnx -o small.onnx "
                     "--data there/data.npz --max-drop 1%\n");
    coset_memory_free(ctx, text);
}

static void test_page_of_accuracies(void **state)
{
    (void)state;
    coset_report *report = make_report("accuracy");
    report_node *results = NULL;
    assert_int_equal(report_list(ctx, report_root(report), "results", &results), COSET_OK);
    add_result(results, "auto", 0.5, true, 0.5, 0.98765);
    char *text = text_of(report);
    assert_has(text, "98.77%");
    coset_memory_free(ctx, text);
}

static void test_page_without_results(void **state)
{
    (void)state;
    char *text = text_of(make_report("r2"));
    assert_has(text, "34 951");
    coset_memory_free(ctx, text);
}

/* Nothing is written, and the error names the folder. */
static void test_folders_that_cannot_be(void **state)
{
    (void)state;
    coset_report *report = NULL;
    files_start("demo");
    files_put_text("file", "kept");
    const char *folders[] = {"file", "absent/below", ""};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(coset_demo(ctx, folders[i], &report), COSET_EIO);
        assert_null(report);
        assert_has(coset_ctx_error(ctx), folders[i]);
    }
    files_expect("file", "kept");
    assert_int_equal(files_count("."), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_of_accuracies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_without_results, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_that_cannot_be, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
