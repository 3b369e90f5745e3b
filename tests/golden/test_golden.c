/* Golden results: what the methods reach on real networks, against golden.csv beside this file. */
#include "support/linalg.h"

#include <coset/coset.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { LINE = 1024, FIELDS = 12, SETTINGS = 8 };

enum {
    MODEL,
    DATA,
    GIVEN,
    METHOD,
    SETTING,
    RULE,
    VALUE,
    PARAMS,
    PARAMS_TOLERANCE,
    METRIC,
    METRIC_TOLERANCE,
    REASON
};

typedef struct golden_row {
    char line[LINE];
    char *field[FIELDS];
    coset_setting settings[SETTINGS];
    int n_settings;
} golden_row;

static coset_ctx *ctx;
static char folder[LINE]; /* of models and data sets */

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

static void expect_ok(coset_status status, const golden_row *row)
{
    if (status != COSET_OK)
        fail_msg("%s, %s: %s: %s", row->field[MODEL], row->field[METHOD], coset_status_name(status),
                 coset_ctx_error(ctx));
}

/* Splits the settings "NAME=VALUE NAME=VALUE" in place. */
static void read_settings(golden_row *row)
{
    char *rest = NULL;
    row->n_settings = 0;
    for (char *word = strtok_r(row->field[SETTING], " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        assert_in_range(row->n_settings, 0, SETTINGS - 1);
        *value = '\0';
        row->settings[row->n_settings++] = (coset_setting){word, value + 1};
    }
}

/* The next row of the file; false at its end. */
static bool read_row(FILE *file, golden_row *row)
{
    do {
        if (fgets(row->line, LINE, file) == NULL) return false;
        row->line[strcspn(row->line, "\n")] = '\0';
    } while (row->line[0] == '#' || row->line[0] == '\0');
    char *rest = row->line;
    for (int f = 0; f < FIELDS; f++) {
        row->field[f] = strsep(&rest, ",");
        if (row->field[f] == NULL) fail_msg("golden.csv: %d fields in '%s'", f, row->line);
    }
    assert_null(rest);
    read_settings(row);
    return true;
}

static coset_rule rule_of(const char *name)
{
    static const char *const names[] = {"eps", "ratio", "params", "macs"};
    for (int r = 0; r < 4; r++)
        if (strcmp(name, names[r]) == 0) return (coset_rule)r;
    fail_msg("golden.csv: no rule '%s'", name);
    return COSET_RULE_EPS;
}

static coset_graph *load_packed(const char *path, const golden_row *row)
{
    size_t room = (size_t)1 << 24, size = 0;
    char *bytes = malloc(room);
    gzFile file = gzopen(path, "rb");
    assert_non_null(bytes);
    if (file == NULL) fail_msg("cannot open %s", path);
    for (int got = 1; got > 0; size += (size_t)got) {
        assert_true(size < room);
        got = gzread(file, bytes + size, (unsigned)(room - size));
        assert_true(got >= 0);
    }
    gzclose(file);
    coset_graph *graph = NULL;
    expect_ok(coset_graph_decode(ctx, bytes, size, path, NULL, &graph), row);
    free(bytes);
    return graph;
}

static coset_graph *load_model(const golden_row *row)
{
    char path[2 * LINE];
    coset_graph *graph = NULL;
    snprintf(path, sizeof path, "%s/models/%s", folder, row->field[MODEL]);
    if (strcmp(path + strlen(path) - 3, ".gz") == 0) return load_packed(path, row);
    expect_ok(coset_graph_load(ctx, path, &graph), row);
    return graph;
}

static coset_data *load_data(const golden_row *row)
{
    char path[2 * LINE];
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    coset_data *data = NULL;
    if (strcmp(row->field[DATA], "-") == 0) return NULL;
    snprintf(path, sizeof path, "%s/%s", folder, row->field[DATA]);
    if (strstr(row->field[DATA], "mnist") != NULL) options.scale = 1.0 / 255;
    expect_ok(coset_data_load(ctx, path, &options, &data), row);
    return data;
}

/* Whether a measured number is where the row says; "-" expects that there is none. */
static bool near(const golden_row *row, int field, double value)
{
    if (strcmp(row->field[field], "-") == 0) return isnan(value);
    return fabs(value - atof(row->field[field])) <= atof(row->field[field + 1]);
}

/* The metric of a model on the test part; NaN without data. */
static double score(const coset_graph *graph, const coset_data *data, const golden_row *row)
{
    coset_report *report = NULL;
    if (data == NULL) return (double)NAN;
    expect_ok(coset_eval(ctx, graph, NULL, data, &report), row);
    double metric = coset_report_number(report, "metric.value", (double)NAN);
    coset_report_free(ctx, report);
    return metric;
}

static bool check_row(const golden_row *row)
{
    coset_compress_options options = COSET_COMPRESS_OPTIONS_INIT;
    coset_graph *graph = load_model(row), *small = NULL;
    coset_data *data = load_data(row);
    const coset_data *given = strcmp(row->field[GIVEN], "yes") == 0 ? data : NULL;
    coset_report *report = NULL;
    coset_graph_size before, after;
    options.method = row->field[METHOD];
    options.rule = rule_of(row->field[RULE]);
    options.value = atof(row->field[VALUE]);
    options.settings = row->settings;
    options.n_settings = row->n_settings;
    expect_ok(coset_compress(ctx, graph, given, &options, &small, &report), row);
    expect_ok(coset_graph_measure(ctx, graph, &before), row);
    expect_ok(coset_graph_measure(ctx, small, &after), row);
    /* Masks keep every parameter: their size is the number of non-zeros. */
    double params = (double)(after.params == before.params ? after.nonzero : after.params);
    double metric = score(small, data, row);
    bool good = near(row, PARAMS, params) && near(row, METRIC, metric);
    printf("%s%s, %s, %s %s: %.0f parameters, metric %.4f\n",
           good ? "" : "DIFFERS: ", row->field[MODEL], row->field[METHOD], row->field[RULE],
           row->field[VALUE], params, metric);
    if (!good)
        printf("    expected %s +- %s and %s +- %s\n", row->field[PARAMS],
               row->field[PARAMS_TOLERANCE], row->field[METRIC], row->field[METRIC_TOLERANCE]);
    coset_report_free(ctx, report);
    coset_data_free(ctx, data);
    coset_graph_free(ctx, small);
    coset_graph_free(ctx, graph);
    return good;
}

static void test_results_are_golden(void **state)
{
    (void)state;
    const char *data = getenv("COSET_DATA"), *source = getenv("COSET_SOURCE");
    if (data == NULL || source == NULL) {
        printf("SKIP: golden results on real networks: no data (COSET_DATA)\n");
        skip();
    }
    char path[2 * LINE];
    snprintf(folder, sizeof folder, "%s", data);
    snprintf(path, sizeof path, "%s/tests/golden/golden.csv", source);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail_msg("cannot open %s", path);
    golden_row row;
    int rows = 0, differ = 0;
    while (read_row(file, &row)) {
        rows++;
        differ += check_row(&row) ? 0 : 1;
    }
    fclose(file);
    printf("%d golden results, %d differ\n", rows, differ);
    assert_true(rows > 0);
    assert_int_equal(differ, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_results_are_golden, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
