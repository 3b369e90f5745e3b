/* The page of the demo: one row per method, one column per size. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/pages.h"

/* Sizes beside the name, two counts and the time. */
enum { MAX_SIZES = PAGE_MAX_COLUMNS - 4 };

/* The shares that were asked for, in order of appearance. */
static int list_sizes(const json_t *results, double *sizes)
{
    int n = 0;
    size_t index = 0;
    json_t *row = NULL;
    json_array_foreach(results, index, row)
    {
        double target = pages_number(row, "target");
        bool known = !isfinite(target);
        for (int i = 0; i < n && !known; i++) known = sizes[i] == target;
        if (!known && n < MAX_SIZES) sizes[n++] = target;
    }
    return n;
}

static bool same_method(const json_t *a, const json_t *b)
{
    return strcmp(pages_string(a, "method", ""), pages_string(b, "method", "")) == 0;
}

/* The result of the same method as `row` at a size; NULL: there is none. */
static const json_t *find_result(const json_t *results, const json_t *row, double size)
{
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *found = json_array_get(results, i);
        if (same_method(found, row) && pages_number(found, "target") == size) return found;
    }
    return NULL;
}

static bool is_first_of_method(const json_t *results, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (same_method(json_array_get(results, i), json_array_get(results, at))) return false;
    return true;
}

/* The metric, with the share that was reached if that is not the one asked for. */
static void metric_cell(page *self, const json_t *result, cell_format format)
{
    char text[2 * REPORT_NUMBER], share[REPORT_NUMBER];
    double value = pages_number(result, "metric");
    bool missed = json_is_false(json_object_get(result, "reached"));
    if (!isfinite(value)) {
        page_cell(self, "-");
        return;
    }
    if (format == CELL_PERCENT)
        snprintf(text, REPORT_NUMBER, "%.2f%%", 100 * value);
    else
        snprintf(text, REPORT_NUMBER, "%.3f", fabs(value) < 0.0005 ? 0 : value); /* no -0.000 */
    if (missed) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, " (%s)",
                 number_share(pages_number(result, "share"), share));
    }
    page_cell(self, text);
}

static void method_row(page *self, const json_t *results, const json_t *first, const double *sizes,
                       int n_sizes, cell_format format)
{
    char text[REPORT_NUMBER];
    const json_t *result = NULL;
    double seconds = 0;
    page_cell(self, pages_string(first, "method", "-"));
    for (int i = 0; i < n_sizes; i++) {
        result = find_result(results, first, sizes[i]);
        metric_cell(self, result, format);
        if (result != NULL) seconds += pages_number(result, "seconds");
    }
    page_cell(self, number_count(pages_number(result, "params"), text));
    page_cell(self, number_count(pages_number(result, "nonzero"), text));
    page_cell(self, number_seconds(seconds, text));
}

static void results_table(page *self, const json_t *results, cell_format format)
{
    double sizes[MAX_SIZES];
    int n_sizes = list_sizes(results, sizes);
    char heading[2 * REPORT_NUMBER];
    if (n_sizes == 0) return;
    page_table(self);
    page_column_add(self, "method", false);
    for (int i = 0; i < n_sizes; i++) {
        snprintf(heading, sizeof heading, "%g%%", 100 * sizes[i]);
        page_column_add(self, heading, true);
    }
    snprintf(heading, sizeof heading, "parameters at %g%%", 100 * sizes[n_sizes - 1]);
    page_column_add(self, heading, true);
    page_column_add(self, "non-zero", true);
    page_column_add(self, "time", true);
    for (size_t i = 0; i < json_array_size(results); i++)
        if (is_first_of_method(results, i))
            method_row(self, results, json_array_get(results, i), sizes, n_sizes, format);
}

void page_fill_demo(page *self, const json_t *root)
{
    const json_t *metric = json_object_get(root, "metric");
    const char *folder = pages_string(root, "folder", ".");
    cell_column column = pages_column(pages_string(metric, "name", ""));
    char params[REPORT_NUMBER], value[REPORT_NUMBER], samples[REPORT_NUMBER];
    char seconds[REPORT_NUMBER], memory[REPORT_NUMBER];
    page_title(self, "The original has %s parameters and %s %s on %s test samples.",
               number_count(pages_number(json_object_get(root, "original"), "params"), params),
               column.heading, number_real(pages_number(metric, "original"), value),
               number_count(pages_number(root, "samples"), samples));
    page_heading(self,
                 "%s on test data by the share of parameters that is kept (of masks: non-zeros)",
                 column.heading);
    results_table(self, json_object_get(root, "results"), column.format);
    page_line(self, "%s", "");
    page_line(self,
              "Masks keep every shape. The other methods keep fewer units, and refit them to the "
              "original's");
    page_line(self, "activations on training inputs, except where it says without data.");
    page_heading(self, "%s, %s peak memory", number_seconds(pages_number(root, "seconds"), seconds),
                 number_bytes(pages_number(root, "peak_rss_bytes"), memory));
    page_line(self, "original.onnx, data.npz and METHOD-SIZE.onnx are in %s", folder);
    page_line(self,
              "next: coset compress %s/original.onnx -o small.onnx --data %s/data.npz "
              "--max-drop 1%%",
              folder, folder);
}
