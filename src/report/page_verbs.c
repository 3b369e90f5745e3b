#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/pages.h"

/* ---- what the pages of eval and compress share -------------------------------------------- */

static const char *model_name(const json_t *root)
{
    const char *name = pages_string(root, "model", NULL);
    if (name == NULL)
        name = json_object_iter_key(json_object_iter(json_object_get(root, "inputs")));
    return name != NULL ? name : "model";
}

static void deviation_rows(page *self, const json_t *deviation)
{
    pages_value(self, "rel. L2", deviation, "rel_l2");
    pages_value(self, "max. abs.", deviation, "max_abs");
    pages_value(self, "agreement", deviation, "agreement");
}

/* ---- eval --------------------------------------------------------------------------------------- */

void page_fill_eval(page *self, const json_t *root)
{
    const json_t *metric = json_object_get(root, "metric");
    cell_column column = pages_column(pages_string(metric, "name", ""));
    const json_t *against = json_object_get(metric, "against");
    char count[REPORT_NUMBER];
    page_title(self, "%s", model_name(root));
    page_line(self, "%s %s samples of %s", number_count(pages_number(root, "samples"), count),
              pages_string(root, "part", ""), pages_string(root, "data", "the data"));
    page_line(self, "%s", "");
    pages_values(self);
    if (json_is_object(metric)) {
        page_cell(self, column.heading);
        pages_cell(self, json_object_get(metric, "value"), column.format);
    }
    if (json_is_number(against)) {
        page_cell(self, "of the other");
        pages_cell(self, against, column.format);
    }
    if (json_is_object(json_object_get(root, "deviation"))) {
        page_heading(self, "Deviation from %s", pages_string(root, "against", "the other"));
        pages_values(self);
        deviation_rows(self, json_object_get(root, "deviation"));
    }
    pages_ending(self, root);
}

/* ---- compress ----------------------------------------------------------------------------------- */

/* Original, compressed and what is left of each measure, then the metric with its change. */
static void size_table(page *self, const json_t *root)
{
    static const char *const keys[] = {"params", "nonzero", "macs", "bytes"};
    const json_t *original = json_object_get(root, "original");
    const json_t *compressed = json_object_get(root, "compressed");
    const json_t *metric = json_object_get(root, "metric");
    char text[REPORT_NUMBER];
    page_table(self);
    page_column_add(self, "", false);
    page_column_add(self, "original", true);
    page_column_add(self, "compressed", true);
    page_column_add(self, "", true);
    for (int k = 0; k < 4; k++) {
        cell_column column = pages_column(keys[k]);
        page_cell(self, column.heading);
        pages_cell(self, json_object_get(original, keys[k]), column.format);
        pages_cell(self, json_object_get(compressed, keys[k]), column.format);
        page_cell(self,
                  number_share(pages_number(compressed, keys[k]) / pages_number(original, keys[k]),
                               text));
    }
    if (!json_is_object(metric) || pages_string(metric, "name", NULL) == NULL) return;
    cell_column column = pages_column(pages_string(metric, "name", ""));
    double change = pages_number(metric, "compressed") - pages_number(metric, "original");
    page_cell(self, column.heading);
    pages_cell(self, json_object_get(metric, "original"), column.format);
    pages_cell(self, json_object_get(metric, "compressed"), column.format);
    if (!isfinite(change)) {
        page_cell(self, "-");
    } else if (column.format == CELL_PERCENT) {
        snprintf(text, sizeof text, "%+.2f points", 100 * change);
        page_cell(self, text);
    } else {
        snprintf(text, sizeof text, "%+.4f", change);
        page_cell(self, text);
    }
}

static void deviation_table(page *self, const json_t *root)
{
    const json_t *deviation = json_object_get(root, "deviation");
    double samples = pages_number(root, "samples");
    char count[REPORT_NUMBER];
    if (!json_is_object(deviation)) return;
    if (isfinite(samples)) {
        page_heading(self, "Deviation from the original on %s samples",
                     number_count(samples, count));
    } else {
        page_heading(self, "Deviation from the original");
    }
    pages_values(self);
    deviation_rows(self, deviation);
}

static void bars(page *self, const json_t *groups)
{
    size_t index = 0;
    json_t *group = NULL;
    json_array_foreach(groups, index, group)
    {
        double units = pages_number(group, "units"), kept = pages_number(group, "kept");
        if (isfinite(units) && isfinite(kept) && units >= kept && kept >= 0)
            page_bar_add(self, pages_string(group, "name", ""), units, kept);
    }
}

static const cell_column group_columns[] = {
    {"name", "group", CELL_TEXT, NULL},    {"units", "units", CELL_COUNT, NULL},
    {"kept", "kept", CELL_COUNT, NULL},    {"kept", "share", CELL_SHARE, "units"},
    {"height", "height", CELL_REAL, NULL}, {"error", "error", CELL_REAL, NULL},
    {"method", "method", CELL_TEXT, NULL}};
enum { GROUP_COLUMNS = sizeof group_columns / sizeof *group_columns };

/* What is left of one measure after a turn: "12 345 parameters (35.3%)". */
static const char *left_of(const json_t *turn, const json_t *original, const char *key,
                           const char *name, char *text, size_t size)
{
    double left = pages_number(json_object_get(turn, "size"), key);
    char count[REPORT_NUMBER], share[REPORT_NUMBER];
    snprintf(text, size, "%s %s (%s)", number_count(left, count), name,
             number_share(left / pages_number(original, key), share));
    return text;
}

/* Methods in turn: what each found and left, sizes as shares of the original. */
static void turns(page *self, const json_t *root)
{
    const json_t *methods = json_object_get(root, "methods");
    const json_t *original = json_object_get(root, "original");
    size_t n = json_array_size(methods), index = 0;
    json_t *turn = NULL;
    json_array_foreach(methods, index, turn)
    {
        char round[64] = "", params[96], nonzero[96], error[REPORT_NUMBER];
        double rounds = pages_number(turn, "rounds"), rel_l2 = pages_number(turn, "rel_l2");
        if (isfinite(rounds))
            snprintf(round, sizeof round, ", round %.0f of %.0f", pages_number(turn, "round"),
                     rounds);
        page_heading(self, "%zu of %zu: %s%s, %s", index + 1, n,
                     pages_string(turn, "method", "no method"), round,
                     pages_string(turn, "rule", "no rule"));
        page_line(self, "%s, %s%s%s%s",
                  left_of(turn, original, "params", "parameters", params, sizeof params),
                  left_of(turn, original, "nonzero", "non-zero", nonzero, sizeof nonzero),
                  isfinite(rel_l2) ? ", rel. L2 " : "",
                  isfinite(rel_l2) ? number_real(rel_l2, error) : "",
                  json_is_false(json_object_get(turn, "reached")) ? "; as near as it could get"
                                                                  : "");
        if (pages_string(turn, "note", NULL) != NULL)
            page_line(self, "%s", pages_string(turn, "note", ""));
        if (json_array_size(json_object_get(turn, "groups")) > 0)
            pages_objects(self, json_object_get(turn, "groups"), group_columns, GROUP_COLUMNS);
    }
}

void page_fill_compress(page *self, const json_t *root)
{
    static const cell_column skips[] = {{"name", "group", CELL_TEXT, NULL},
                                        {"reason", "left as it is, because", CELL_TEXT, NULL}};
    static const cell_column stages[] = {{"method", "method", CELL_TEXT, NULL},
                                         {"name", "stage", CELL_TEXT, NULL},
                                         {"rel_l2", "rel. L2", CELL_REAL, NULL},
                                         {"seconds", "time", CELL_SECONDS, NULL}};
    const json_t *groups = json_object_get(root, "groups");
    page_title(self, "%s: %s, %s", model_name(root), pages_string(root, "method", "no method"),
               pages_string(root, "rule", "no rule"));
    page_line(self, "%s", "");
    size_table(self, root);
    deviation_table(self, root);
    if (json_array_size(groups) > 0) {
        page_heading(self, "Unit groups");
        bars(self, groups);
        pages_objects(self, groups, group_columns, GROUP_COLUMNS);
    }
    turns(self, root);
    if (json_array_size(json_object_get(root, "skipped")) > 0) {
        page_heading(self, "Skipped");
        pages_objects(self, json_object_get(root, "skipped"), skips, 2);
    }
    if (json_array_size(json_object_get(root, "stages")) > 0) {
        page_heading(self, "Stages");
        pages_objects(self, json_object_get(root, "stages"), stages, 4);
    }
    pages_ending(self, root);
}
