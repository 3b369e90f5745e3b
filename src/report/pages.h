/* Parts of pages that several verbs share: tables drawn from lists of objects. */
#ifndef COSET_REPORT_PAGES_H
#define COSET_REPORT_PAGES_H

#include <jansson.h>

#include "report/page.h"

typedef enum cell_format {
    CELL_TEXT, /* strings, yes and no, lists of strings */
    CELL_COUNT,
    CELL_BYTES,
    CELL_SHARE,
    CELL_PERCENT, /* a share with two decimals, for accuracies */
    CELL_REAL,
    CELL_FIXED, /* four decimals whatever the size, for R2 */
    CELL_SECONDS,
    CELL_SHAPE
} cell_format;

typedef struct cell_column {
    const char *key, *heading;
    cell_format format;
    const char *of; /* NULL; else the cell is the ratio of `key` to this */
} cell_column;

/* One value as a cell; "-" for null and for what is not there. */
void pages_cell(page *self, const json_t *value, cell_format format);
/* A table with one row per object of a list; columns that no object has are left out. */
void pages_objects(page *self, const json_t *list, const cell_column *columns, int n_columns);
/* A table of names and values without headings, and a row of it: `key` of the object, left out if it is
 * null or not there. */
void pages_values(page *self);
void pages_value(page *self, const char *name, const json_t *object, const char *key);
/* Time, memory and the files that were written. */
void pages_ending(page *self, const json_t *root);
/* Name and format of a field wherever it appears. */
cell_column pages_column(const char *key);
/* String member or otherwise. */
const char *pages_string(const json_t *object, const char *key, const char *otherwise);
double pages_number(const json_t *object, const char *key);

/* The pages themselves, one per verb. */
void page_fill_inspect(page *self, const json_t *root);
void page_fill_eval(page *self, const json_t *root);
void page_fill_compress(page *self, const json_t *root);
void page_fill_demo(page *self, const json_t *root);
void page_fill_ode(page *self, const json_t *root);

#endif
