/* Evaluation: metrics and deviations against values worked out by hand. */
#include "support/build.h"

#include <coset/eval.h>

#include <math.h>

#include "api/eval.h"

enum { ROWS = 3 };

static const float x_rows[ROWS * 2] = {1, 2, 3, 4, 5, 9};
static const float y_rows[ROWS * 2] = {1, 1, 2, 4, 6, 8};

static coset_ctx *ctx;

static int set_up(void **state)
{
    (void)state;
    return coset_ctx_new(NULL, &ctx) == COSET_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    return 0;
}

#define OK(expression) assert_int_equal((expression), COSET_OK)

/* x [?, width] -> one operator -> y. */
static coset_graph *model(const char *type, const char *dims)
{
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, dims);
    build_output(&build, build_op(&build, type, x, -1, "y"));
    build_finish(&build);
    return build.graph;
}

static coset_graph *scaled_model(float factor)
{
    builder build = build_start(ctx, 13);
    int32_t x = build_input(&build, "x", COSET_F32, "? 2");
    int32_t c = build_constant(&build, "c", COSET_F32, "", &factor);
    build_output(&build, build_op(&build, "Mul", x, c, "y"));
    build_finish(&build);
    return build.graph;
}

static coset_data *data_of(const float *x, int64_t rows, int64_t width)
{
    coset_data *data = NULL;
    OK(coset_data_from_rows(ctx, x, rows, width, &data));
    return data;
}

static void set_y(coset_data *data, const float *y, int64_t width)
{
    size_t bytes = (size_t)(data->train.rows * width) * sizeof *y;
    OK(ctx_alloc(ctx, (int64_t)bytes, 1, &data->train.y));
    memcpy(data->train.y, y, bytes);
    data->y_width = width;
}

static void set_labels(coset_data *data, const int64_t *label, int64_t n_classes)
{
    size_t bytes = (size_t)data->train.rows * sizeof *label;
    OK(ctx_alloc(ctx, (int64_t)bytes, 1, &data->train.label));
    memcpy(data->train.label, label, bytes);
    data->n_classes = n_classes;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fmax(1, fabs(expected))))
        fail_msg("%.17g, expected %.17g", value, expected);
}

static void fails(const coset_graph *graph, const coset_graph *against, const coset_data *data,
                  coset_status expected, const char *culprit)
{
    evaluation result;
    assert_int_equal(evaluate(ctx, graph, against, data, &data->train, &result), expected);
    if (strstr(coset_ctx_error(ctx), culprit) == NULL)
        fail_msg("'%s' does not name '%s'", coset_ctx_error(ctx), culprit);
}

static void r2_by_hand(void **state)
{
    (void)state;
    coset_graph *same = model("Identity", "? 2");
    coset_data *data = data_of(x_rows, ROWS, 2);
    evaluation result;
    set_y(data, y_rows, 2);
    OK(evaluate(ctx, same, NULL, data, &data->train, &result));
    assert_int_equal(result.samples, ROWS);
    assert_string_equal(result.metric, "r2");
    /* SSE = 0 + 1 + 1 + 0 + 1 + 1; the means are 3 and 13/3, so SST = 14 + 222/9. */
    assert_near(result.value, 1 - 4 / (14 + 222.0 / 9));
    assert_false(result.compared);
    assert_true(isnan(result.against_value));

    const int64_t last[2] = {2, 1};
    data_view view = {
        .data = data, .part = &data->train, .index = last, .samples = 2, .sample = data->sample};
    OK(evaluate_view(ctx, same, NULL, &view, &result));
    /* Rows 2 and 1: SSE = 1 + 1 + 1 + 0, means 4 and 6, SST = 4 + 4 + 4 + 4. */
    assert_near(result.value, 1 - 3 / 16.0);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, same);
}

static void accuracy_by_hand(void **state)
{
    (void)state;
    static const float x[4 * 2] = {1, 2, 4, 3, 5, 5, -1, -2};
    static const int64_t label[4] = {1, 1, 0, 1};
    coset_graph *same = model("Identity", "? 2"), *negative = model("Neg", "? 2");
    coset_data *data = data_of(x, 4, 2);
    evaluation result;
    set_labels(data, label, 2);
    OK(evaluate(ctx, same, negative, data, &data->train, &result));
    assert_string_equal(result.metric, "accuracy");
    assert_near(result.value, 0.5);          /* classes 1 0 0 0; the first of equals counts */
    assert_near(result.against_value, 0.75); /* classes 0 1 0 1 */
    assert_near(result.agreement, 0.25);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, same);
    coset_graph_free(ctx, negative);
}

static void deviation_by_hand(void **state)
{
    (void)state;
    coset_graph *same = model("Identity", "? 2"), *twice = scaled_model(2), *zero = scaled_model(0);
    coset_data *data = data_of(x_rows, ROWS, 2);
    evaluation result;
    OK(evaluate(ctx, same, twice, data, &data->train, &result));
    assert_null(result.metric);
    assert_true(isnan(result.value));
    assert_true(result.compared);
    assert_near(result.rel_l2, 0.5);
    assert_near(result.max_abs, 9);
    assert_near(result.agreement, 1);
    OK(evaluate(ctx, same, zero, data, &data->train, &result));
    assert_true(isinf(result.rel_l2));
    OK(evaluate(ctx, zero, zero, data, &data->train, &result));
    assert_near(result.rel_l2, 0);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, same);
    coset_graph_free(ctx, twice);
    coset_graph_free(ctx, zero);
}

/* One output per sample: labels are numbers; an integer is a class. */
static void single_outputs(void **state)
{
    (void)state;
    static const float x[4] = {0, 1, 2, 1};
    static const int64_t label[4] = {0, 1, 2, 2};
    coset_graph *same = model("Identity", "? 1");
    coset_data *data = data_of(x, 4, 1);
    evaluation result;
    set_labels(data, label, 3);
    OK(evaluate(ctx, same, same, data, &data->train, &result));
    assert_string_equal(result.metric, "r2");
    assert_near(result.value, 1 - 1 / 2.75);
    assert_true(isnan(result.agreement));

    builder build = build_start(ctx, 13);
    int32_t in = build_input(&build, "x", COSET_F32, "? 1"), out = build_value(&build, "y");
    build_int_attr(&build, build_node_n(&build, "", "Cast", &in, 1, &out, 1), "to", COSET_I64);
    build.graph->values[out].dtype = COSET_I64;
    build_output(&build, out);
    build_finish(&build);
    OK(evaluate(ctx, build.graph, build.graph, data, &data->train, &result));
    assert_string_equal(result.metric, "accuracy");
    assert_near(result.value, 0.75);
    assert_near(result.agreement, 1);
    coset_graph_free(ctx, build.graph);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, same);
}

/* Many more samples than a batch holds: the same as over the parts. */
static void batches_add_up(void **state)
{
    (void)state;
    enum { MANY = 1301 };
    static float x[MANY * 2], y[MANY * 2];
    coset_graph *same = model("Identity", "? 2"), *wave = model("Tanh", "? 2");
    double error = 0, total = 0, mean[2] = {0, 0}, away = 0, norm = 0;
    for (int i = 0; i < MANY * 2; i++) {
        x[i] = (float)((i * 37) % 101) / 50 - 1;
        y[i] = x[i] + (float)((i * 53) % 11) / 20;
        mean[i % 2] += (double)y[i] / MANY;
        error += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
        away += pow((double)x[i] - tanh((double)x[i]), 2);
        norm += pow(tanh((double)x[i]), 2);
    }
    for (int i = 0; i < MANY * 2; i++) total += pow((double)y[i] - mean[i % 2], 2);
    coset_data *data = data_of(x, MANY, 2);
    evaluation result;
    set_y(data, y, 2);
    OK(evaluate(ctx, same, wave, data, &data->train, &result));
    assert_near(result.value, 1 - error / total);
    /* tanhf in the model against tanh here. */
    assert_true(fabs(result.rel_l2 - sqrt(away / norm)) < 1e-6);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, same);
    coset_graph_free(ctx, wave);
}

static void not_finite(void **state)
{
    (void)state;
    static const float x[4] = {1, -1, 2, 3}, y[4] = {1, 2, 3, 4};
    coset_graph *same = model("Identity", "? 1"), *log = model("Log", "? 1");
    coset_data *data = data_of(x, 4, 1);
    evaluation result;
    fails(log, same, data, COSET_ENUMERIC, "sample 1");
    fails(same, log, data, COSET_ENUMERIC, "output 'y'");
    OK(evaluate(ctx, log, log, data, &data->train, &result));
    assert_near(result.rel_l2, 0); /* NaN in both is no difference */
    set_y(data, y, 1);
    fails(log, NULL, data, COSET_ENUMERIC, "sample 1");
    coset_data_free(ctx, data);
    coset_graph_free(ctx, same);
    coset_graph_free(ctx, log);
}

static void what_does_not_fit(void **state)
{
    (void)state;
    static const int64_t label[ROWS] = {0, 1, 2};
    coset_graph *two = model("Identity", "? 2"), *three = model("Identity", "? 3");
    coset_data *data = data_of(x_rows, ROWS, 2);
    fails(three, NULL, data, COSET_EARGUMENT, "data in memory");
    fails(two, three, data, COSET_EARGUMENT, "[3]");
    set_labels(data, label, 3);
    fails(two, NULL, data, COSET_EARGUMENT, "label 2");
    coset_data_free(ctx, data);
    data = data_of(x_rows, ROWS, 2);
    set_y(data, y_rows, 1);
    fails(two, NULL, data, COSET_EARGUMENT, "1 targets");
    coset_data_free(ctx, data);

    builder build = build_start(ctx, 13);
    int32_t a = build_input(&build, "a", COSET_F32, "? 2");
    int32_t b = build_input(&build, "b", COSET_F32, "? 2");
    build_output(&build, build_op(&build, "Add", a, b, "y"));
    build_output(&build, build_op(&build, "Sub", a, b, "z"));
    build_finish(&build);
    data = data_of(x_rows, ROWS, 2);
    fails(build.graph, NULL, data, COSET_EUNSUPPORTED, "2 inputs");
    coset_graph_free(ctx, build.graph);

    build = build_start(ctx, 13);
    a = build_input(&build, "x", COSET_F32, "? 2");
    build_output(&build, build_op(&build, "Neg", a, -1, "y"));
    build_output(&build, a);
    build_finish(&build);
    fails(two, build.graph, data, COSET_EARGUMENT, "outputs");
    coset_graph_free(ctx, build.graph);
    data_view none = {.data = data, .part = &data->train, .sample = data->sample};
    evaluation result;
    assert_int_equal(evaluate_view(ctx, two, NULL, &none, &result), COSET_EARGUMENT);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, two);
    coset_graph_free(ctx, three);
}

static void equal_targets_have_no_metric(void **state)
{
    (void)state;
    static const float y[ROWS * 2] = {1, 2, 1, 2, 1, 2};
    coset_graph *same = model("Identity", "? 2");
    coset_data *data = data_of(x_rows, ROWS, 2);
    evaluation result;
    set_y(data, y, 2);
    OK(evaluate(ctx, same, NULL, data, &data->train, &result));
    assert_null(result.metric);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, same);
}

static void report_of_the_verb(void **state)
{
    (void)state;
    coset_graph *same = model("Identity", "? 2"), *twice = scaled_model(2);
    coset_data *data = data_of(x_rows, ROWS, 2);
    coset_report *report = NULL;
    char *text = NULL;
    set_y(data, y_rows, 2);
    OK(coset_eval(ctx, same, twice, data, &report));
    assert_near(coset_report_number(report, "metric.value", -1), 1 - 4 / (14 + 222.0 / 9));
    assert_near(coset_report_number(report, "deviation.rel_l2", -1), 0.5);
    assert_near(coset_report_number(report, "samples", -1), ROWS);
    OK(coset_report_text(ctx, report, &text));
    assert_non_null(strstr(text, "3 training samples of data in memory"));
    assert_non_null(strstr(text, "0.8966"));
    coset_memory_free(ctx, text);
    coset_report_free(ctx, report);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, same);
    coset_graph_free(ctx, twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(r2_by_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accuracy_by_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deviation_by_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(single_outputs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batches_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_finite, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(equal_targets_have_no_metric, set_up, tear_down),
        cmocka_unit_test_setup_teardown(report_of_the_verb, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
