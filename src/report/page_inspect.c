#include <string.h>

#include "report/pages.h"

static void sizes(page *self, const json_t *size)
{
    static const char *const keys[] = {"params", "nonzero", "macs", "bytes"};
    page_table(self);
    page_column_add(self, "", false);
    page_column_add(self, "", true);
    for (int k = 0; k < 4; k++) {
        cell_column column = pages_column(keys[k]);
        page_cell(self, column.heading);
        pages_cell(self, json_object_get(size, keys[k]), column.format);
    }
}

static void ends(page *self, const json_t *model, const char *key, const char *heading)
{
    static const cell_column columns[] = {{"name", "name", CELL_TEXT, NULL},
                                          {"type", "type", CELL_TEXT, NULL},
                                          {"shape", "shape", CELL_SHAPE, NULL}};
    page_heading(self, "%s", heading);
    pages_objects(self, json_object_get(model, key), columns, 3);
}

/* Groups are named after their first producer; a column of all is there where one has more. */
static void groups_table(page *self, const json_t *list)
{
    static const cell_column producers = {"producers", "producers", CELL_TEXT, NULL};
    static const cell_column columns[] = {{"name", "group", CELL_TEXT, NULL},
                                          {"units", "units", CELL_COUNT, NULL},
                                          {"function", "function", CELL_TEXT, NULL},
                                          {"cuttable", "can be cut", CELL_TEXT, NULL},
                                          {"reason", "why not", CELL_TEXT, NULL}};
    cell_column shown[6];
    size_t index = 0;
    json_t *group = NULL;
    bool several = false;
    json_array_foreach(list, index, group) several =
        several || json_array_size(json_object_get(group, "producers")) > 1;
    memcpy(shown, columns, 3 * sizeof *columns);
    if (several) shown[3] = producers;
    memcpy(shown + 3 + several, columns + 3, 2 * sizeof *columns);
    pages_objects(self, list, shown, 5 + several);
}

void page_fill_inspect(page *self, const json_t *root)
{
    static const cell_column operators[] = {{"type", "operator", CELL_TEXT, NULL},
                                            {"count", "nodes", CELL_COUNT, NULL},
                                            {"runs", "can be run", CELL_TEXT, NULL},
                                            {"domain", "domain", CELL_TEXT, NULL}};
    const json_t *model = json_object_get(root, "model");
    static const cell_column skips[] = {{"name", "node", CELL_TEXT, NULL},
                                        {"reason", "why not", CELL_TEXT, NULL}};
    const json_t *list = json_object_get(root, "groups");
    const json_t *skipped = json_object_get(root, "skipped");
    page_title(self, "%s", pages_string(model, "name", ""));
    page_line(self, "opset %.0f, %.0f nodes", pages_number(model, "opset"),
              pages_number(model, "nodes"));
    page_heading(self, "Size");
    sizes(self, json_object_get(root, "size"));
    ends(self, model, "inputs", "Inputs");
    ends(self, model, "outputs", "Outputs");
    page_heading(self, "Operators");
    pages_objects(self, json_object_get(root, "operators"), operators, 4);
    page_heading(self, "Unit groups");
    if (json_array_size(list) == 0) {
        page_line(self, "  none: no weights of operators that have a rule for units");
    } else {
        groups_table(self, list);
    }
    if (json_array_size(skipped) > 0) {
        page_heading(self, "Not in groups");
        pages_objects(self, skipped, skips, 2);
    }
}
