#include "report/pages.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *pages_string(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : otherwise;
}

double pages_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const char *number_text(double value, cell_format format, char *text)
{
    switch (format) {
    case CELL_COUNT: return number_count(value, text);
    case CELL_BYTES: return number_bytes(value, text);
    case CELL_SHARE: return number_share(value, text);
    case CELL_PERCENT:
        if (!isfinite(value)) return "-";
        snprintf(text, REPORT_NUMBER, "%.2f%%", 100 * value);
        return text;
    case CELL_FIXED:
        if (!isfinite(value)) return "-";
        snprintf(text, REPORT_NUMBER, "%.4f", value);
        return text;
    case CELL_SECONDS: return number_seconds(value, text);
    default: return number_real(value, text);
    }
}

/* Strings of a list as "a, b", dimensions of a shape as "[n, 3, ?]"; cut off when it gets long. */
static void list_cell(page *self, const json_t *list, cell_format format)
{
    char text[512];
    size_t used = 0, index = 0;
    json_t *item = NULL;
    bool shape = format == CELL_SHAPE;
    text[0] = '\0';
    if (shape) used = (size_t)snprintf(text, sizeof text, "[");
    json_array_foreach(list, index, item)
    {
        char number[REPORT_NUMBER];
        const char *word = json_is_string(item)    ? json_string_value(item)
                           : json_is_integer(item) ? number
                                                   : "?";
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(item));
        if (used + strlen(word) + 16 > sizeof text) {
            used += (size_t)snprintf(text + used, sizeof text - used, ", ...");
            break;
        }
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", index > 0 ? ", " : "", word);
    }
    if (shape) snprintf(text + used, sizeof text - used, "]");
    page_cell(self, text[0] != '\0' ? text : "-");
}

void pages_cell(page *self, const json_t *value, cell_format format)
{
    char text[REPORT_NUMBER];
    if (json_is_array(value)) {
        list_cell(self, value, format);
    } else if (json_is_string(value)) {
        page_cell(self, json_string_value(value));
    } else if (json_is_boolean(value)) {
        page_cell(self, json_is_true(value) ? "yes" : "no");
    } else if (json_is_number(value)) {
        page_cell(self, number_text(json_number_value(value), format, text));
    } else {
        page_cell(self, "-");
    }
}

static bool any_has(const json_t *list, const char *key)
{
    size_t index = 0;
    json_t *object = NULL;
    json_array_foreach(list, index, object) if (json_object_get(object, key) != NULL) return true;
    return false;
}

void pages_objects(page *self, const json_t *list, const cell_column *columns, int n_columns)
{
    bool shown[PAGE_MAX_COLUMNS] = {false};
    if (n_columns > PAGE_MAX_COLUMNS) n_columns = PAGE_MAX_COLUMNS;
    page_table(self);
    for (int c = 0; c < n_columns; c++) {
        shown[c] = any_has(list, columns[c].key);
        bool right = columns[c].format != CELL_TEXT && columns[c].format != CELL_SHAPE;
        if (shown[c]) page_column_add(self, columns[c].heading, right);
    }
    size_t index = 0;
    json_t *object = NULL;
    json_array_foreach(list, index, object)
    {
        for (int c = 0; c < n_columns; c++) {
            const char *key = columns[c].key, *of = columns[c].of;
            if (!shown[c]) continue;
            if (of == NULL) {
                pages_cell(self, json_object_get(object, key), columns[c].format);
            } else {
                char text[REPORT_NUMBER];
                double ratio = pages_number(object, key) / pages_number(object, of);
                page_cell(self, number_text(ratio, columns[c].format, text));
            }
        }
    }
}

cell_column pages_column(const char *key)
{
    static const cell_column known[] = {
        {"params", "parameters", CELL_COUNT, NULL},
        {"nonzero", "non-zero", CELL_COUNT, NULL},
        {"macs", "MACs", CELL_COUNT, NULL},
        {"bytes", "bytes", CELL_BYTES, NULL},
        {"units", "units", CELL_COUNT, NULL},
        {"kept", "kept", CELL_COUNT, NULL},
        {"samples", "samples", CELL_COUNT, NULL},
        {"share", "share", CELL_SHARE, NULL},
        {"target", "target", CELL_SHARE, NULL},
        {"agreement", "agreement", CELL_PERCENT, NULL},
        {"accuracy", "accuracy", CELL_PERCENT, NULL},
        {"r2", "R2", CELL_FIXED, NULL},
        {"rel_l2", "rel. L2", CELL_REAL, NULL},
        {"max_abs", "max. abs.", CELL_REAL, NULL},
        {"seconds", "time", CELL_SECONDS, NULL},
        {"method", "method", CELL_TEXT, NULL},
        {"file", "file", CELL_TEXT, NULL},
        {"name", "name", CELL_TEXT, NULL},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].key, key) == 0) return known[i];
    return (cell_column){key, key, CELL_REAL, NULL};
}

void pages_values(page *self)
{
    page_table(self);
    page_column_add(self, "", false);
    page_column_add(self, "", true);
}

void pages_value(page *self, const char *name, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value)) return;
    page_cell(self, name);
    pages_cell(self, value, pages_column(key).format);
}

void pages_ending(page *self, const json_t *root)
{
    char seconds[REPORT_NUMBER], memory[REPORT_NUMBER];
    const char *path = NULL;
    json_t *digest = NULL;
    if (json_is_number(json_object_get(root, "seconds"))) {
        page_heading(self, "%s, %s peak memory",
                     number_seconds(pages_number(root, "seconds"), seconds),
                     number_bytes(pages_number(root, "peak_rss_bytes"), memory));
    }
    json_object_foreach(json_object_get(root, "outputs"), path, digest)
        page_line(self, "wrote %s", path);
}

void page_fill(page *self, const coset_report *report)
{
    switch (report->kind) {
    case REPORT_INSPECT: page_fill_inspect(self, report->root); break;
    case REPORT_EVAL: page_fill_eval(self, report->root); break;
    case REPORT_COMPRESS: page_fill_compress(self, report->root); break;
    case REPORT_DEMO: page_fill_demo(self, report->root); break;
    case REPORT_ODE: page_fill_ode(self, report->root); break;
    }
}
