/* From a table's cells to numbers: column kinds, categories, one-hot rows. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "data/cell.h"
#include "data/samples.h"

enum { MAX_CATEGORIES = 1024, SHOWN = 40 };

/* One or two tables with the same columns, as one sequence of rows. */
typedef struct encoder {
    coset_ctx *ctx;
    const table *parts[2];
    int64_t n_rows, n_columns;
    int64_t *widths; /* [n_columns] 0: a number, else the count of categories */
    double *values;  /* [n_columns, n_rows] numbers, or indices of categories */
    char *text;      /* [TABLE_MAX_CELL + 1] a cell with a NUL */
    arena arena;     /* category names */
} encoder;

static const table *part_of(const encoder *self, int64_t *row)
{
    const table *first = self->parts[0];
    if (*row < first->n_rows) return first;
    *row -= first->n_rows;
    return self->parts[1];
}

static const table_cell *cell_at(const encoder *self, int64_t row, int64_t column)
{
    const table *part = part_of(self, &row);
    return &part->cells[row * self->n_columns + column];
}

/* Says what is wrong with a cell, and where it is; its text comes first in the message. */
static coset_status fail_cell(const encoder *self, int64_t row, int64_t column, coset_status status,
                              const char *what)
{
    const table_cell *cell = cell_at(self, row, column);
    const table *part = part_of(self, &row);
    char text[SHOWN + 4];
    size_t length = cell->length < SHOWN ? cell->length : SHOWN;
    for (size_t i = 0; i < length; i++)
        text[i] = (unsigned char)cell->text[i] < ' ' ? ' ' : cell->text[i];
    memcpy(text + length, cell->length > SHOWN ? "..." : "", cell->length > SHOWN ? 4 : 1);
    return ctx_fail(self->ctx, status, "%s: row %lld (line %lld), column '%s': '%s' %s",
                    part->source, (long long)row + 1, (long long)part->lines[row],
                    self->parts[0]->columns[column].name, text, what);
}

static bool is_missing(const table_cell *cell)
{
    return cell_missing(cell->text, cell->length) && (!cell->quoted || cell->length == 0);
}

static bool read_number(const encoder *self, const table_cell *cell, double *value_out)
{
    return cell_number(cell->text, cell->length, self->parts[0]->point, value_out) ||
           (self->parts[1] != NULL &&
            cell_number(cell->text, cell->length, self->parts[1]->point, value_out));
}

/* ---- columns ----------------------------------------------------------------------------------- */

static coset_status check_columns(const encoder *self)
{
    const table *a = self->parts[0], *b = self->parts[1];
    if (a->n_rows == 0) return ctx_fail(self->ctx, COSET_EFORMAT, "%s: has no rows", a->source);
    if (b == NULL) return COSET_OK;
    if (b->n_rows == 0) return ctx_fail(self->ctx, COSET_EFORMAT, "%s: has no rows", b->source);
    if (a->n_columns != b->n_columns)
        return ctx_fail(self->ctx, COSET_EFORMAT, "%s: has %lld columns, %s has %lld", b->source,
                        (long long)b->n_columns, a->source, (long long)a->n_columns);
    for (int64_t c = 0; a->named && b->named && c < a->n_columns; c++)
        if (strcmp(a->columns[c].name, b->columns[c].name) != 0)
            return ctx_fail(self->ctx, COSET_EFORMAT, "%s: column %lld is '%s', in %s it is '%s'",
                            b->source, (long long)c, b->columns[c].name, a->source,
                            a->columns[c].name);
    return COSET_OK;
}

static bool column_is_number(const encoder *self, int64_t column)
{
    column_kind kind = self->parts[0]->columns[column].kind;
    if (kind != COLUMN_GUESSED) return kind == COLUMN_NUMBER;
    int64_t numbers = 0, others = 0;
    for (int64_t row = 0; row < self->n_rows; row++) {
        double value = 0;
        const table_cell *cell = cell_at(self, row, column);
        if (is_missing(cell)) continue;
        if (read_number(self, cell, &value))
            numbers++;
        else
            others++;
    }
    return numbers > others;
}

static coset_status encode_numbers(const encoder *self, int64_t column, double *values_out)
{
    for (int64_t row = 0; row < self->n_rows; row++) {
        const table_cell *cell = cell_at(self, row, column);
        if (is_missing(cell))
            return fail_cell(self, row, column, COSET_EFORMAT, "is a missing value");
        if (!read_number(self, cell, &values_out[row])) {
            bool date = cell_date(cell->text, cell->length);
            return fail_cell(self, row, column, COSET_EFORMAT,
                             date ? "is a date; turn dates into numbers first" : "is not a number");
        }
        if (!(fabs(values_out[row]) <= (double)FLT_MAX))
            return fail_cell(self, row, column, COSET_EFORMAT,
                             "is not a finite 32-bit floating-point number");
    }
    return COSET_OK;
}

/* Index of a cell's category; *names grows by categories that were not declared. */
static coset_status find_category(encoder *self, name_map *names, int64_t row, int64_t column,
                                  double *value_out)
{
    coset_status status = COSET_OK;
    const table_cell *cell = cell_at(self, row, column);
    const char *name = NULL;
    if (is_missing(cell)) return fail_cell(self, row, column, COSET_EFORMAT, "is a missing value");
    memcpy(self->text, cell->text, cell->length);
    self->text[cell->length] = '\0';
    int64_t found = name_map_get(names, self->text, -1);
    *value_out = (double)found;
    if (found >= 0) return COSET_OK;
    if (self->parts[0]->columns[column].kind == COLUMN_NOMINAL)
        return fail_cell(self, row, column, COSET_EFORMAT, "is not a declared category");
    if (cell_date(cell->text, cell->length))
        return fail_cell(self, row, column, COSET_EFORMAT,
                         "is a date; turn dates into numbers first");
    if (names->count == MAX_CATEGORIES)
        return fail_cell(self, row, column, COSET_ELIMIT,
                         "is one of more than 1024 categories; is this column text?");
    *value_out = (double)names->count;
    TRY(arena_string(self->ctx, &self->arena, self->text, cell->length, &name));
    TRY(name_map_set(self->ctx, names, name, names->count, NULL));
done:
    return status;
}

static coset_status encode_categories(encoder *self, int64_t column, double *values_out)
{
    coset_status status = COSET_OK;
    name_map names = {0};
    const table_column *facts = &self->parts[0]->columns[column];
    if (facts->n_categories > MAX_CATEGORIES)
        FAIL(self->ctx, COSET_ELIMIT, "%s: column '%s' has more than %d categories",
             self->parts[0]->source, facts->name, MAX_CATEGORIES);
    for (int64_t i = 0; i < facts->n_categories; i++)
        TRY(name_map_set(self->ctx, &names, facts->categories[i], i, NULL));
    for (int64_t row = 0; row < self->n_rows; row++)
        TRY(find_category(self, &names, row, column, &values_out[row]));
    self->widths[column] = names.count;
done:
    name_map_free(self->ctx, &names);
    return status;
}

static coset_status encode_column(encoder *self, int64_t column)
{
    double *values = self->values + column * self->n_rows;
    if (self->parts[0]->columns[column].kind == COLUMN_DATE)
        return fail_cell(self, 0, column, COSET_EFORMAT,
                         "is a date; turn dates into numbers first");
    if (column_is_number(self, column)) return encode_numbers(self, column, values);
    return encode_categories(self, column, values);
}

/* ---- the target -------------------------------------------------------------------------------- */

/* Column of the target; -1: "none". */
static coset_status find_target(const encoder *self, const char *target, int64_t *column_out)
{
    const table *first = self->parts[0];
    int64_t n = self->n_columns;
    *column_out = n - 1;
    if (target == NULL) return COSET_OK;
    *column_out = -1;
    if (strcmp(target, "none") == 0) return COSET_OK;
    for (int64_t c = 0; first->named && c < n; c++)
        if (strcmp(first->columns[c].name, target) == 0) {
            *column_out = c;
            return COSET_OK;
        }
    char *end = NULL;
    errno = 0;
    long long index = strtoll(target, &end, 10);
    if (end == target || *end != '\0' || errno != 0)
        return ctx_fail(self->ctx, COSET_EARGUMENT, "%s: no column is called '%s'", first->source,
                        target);
    if (index < -n || index >= n)
        return ctx_fail(self->ctx, COSET_EARGUMENT, "%s: no column %s: there are %lld, from 0",
                        first->source, target, (long long)n);
    *column_out = index < 0 ? index + n : index;
    return COSET_OK;
}

static coset_status make_target(const encoder *self, int64_t column, samples *out)
{
    const double *values = self->values + column * self->n_rows;
    shape numbers = {.rank = 2, .dims = {self->n_rows, 1}};
    shape labels = {.rank = 1, .dims = {self->n_rows}};
    out->n_classes = self->widths[column];
    if (self->widths[column] == 0)
        return tensor_from_f64(self->ctx, COSET_F64, &numbers, values, &out->y);
    int64_t *data = NULL;
    size_t bytes = (size_t)self->n_rows * sizeof *data;
    coset_status status = ctx_alloc_raw(self->ctx, self->n_rows, sizeof *data, &data);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < self->n_rows; i++) data[i] = (int64_t)values[i];
    status = tensor_new(self->ctx, COSET_I64, &labels, data, bytes, &out->y);
    if (status != COSET_OK) ctx_free(self->ctx, data);
    return status;
}

/* ---- the rows ---------------------------------------------------------------------------------- */

static coset_status make_inputs(const encoder *self, int64_t target, tensor **x_out)
{
    coset_status status = COSET_OK;
    double *data = NULL;
    int64_t width = 0, at = 0, count = 0;
    for (int64_t c = 0; c < self->n_columns; c++)
        if (c != target) width += self->widths[c] > 0 ? self->widths[c] : 1;
    if (width == 0)
        FAIL(self->ctx, COSET_EFORMAT, "%s: has no columns beside the target",
             self->parts[0]->source);
    shape dims = {.rank = 2, .dims = {self->n_rows, width}};
    TRY(shape_elements(self->ctx, &dims, &count));
    TRY(ctx_alloc(self->ctx, count, sizeof *data, &data));
    for (int64_t c = 0; c < self->n_columns; c++) {
        if (c == target) continue;
        const double *values = self->values + c * self->n_rows;
        bool number = self->widths[c] == 0;
        for (int64_t row = 0; row < self->n_rows; row++)
            data[row * width + at + (number ? 0 : (int64_t)values[row])] = number ? values[row] : 1;
        at += number ? 1 : self->widths[c];
    }
    TRY(tensor_new(self->ctx, COSET_F64, &dims, data, (size_t)count * sizeof *data, x_out));
    data = NULL;
done:
    ctx_free(self->ctx, data);
    return status;
}

/* Moves the rows of the second table from x and y to x_test and y_test. */
static coset_status part_rows(const encoder *self, samples *out)
{
    coset_status status = COSET_OK;
    tensor *whole[2] = {out->x, out->y};
    tensor **train[2] = {&out->x, &out->y}, **test[2] = {&out->x_test, &out->y_test};
    int64_t n = self->parts[0]->n_rows;
    out->x = out->y = NULL;
    for (int i = 0; i < 2; i++) {
        if (whole[i] == NULL) continue;
        TRY(samples_rows(self->ctx, whole[i], NULL, 0, n, train[i]));
        TRY(samples_rows(self->ctx, whole[i], NULL, n, self->n_rows - n, test[i]));
    }
done:
    for (int i = 0; i < 2; i++) tensor_release(self->ctx, whole[i]);
    return status;
}

coset_status samples_from_tables(coset_ctx *ctx, const table *train, const table *test,
                                 const char *target, samples *out)
{
    coset_status status = COSET_OK;
    int64_t column = -1;
    encoder self = {.ctx = ctx, .parts = {train, test}, .n_columns = train->n_columns};
    *out = (samples){0};
    TRY(check_columns(&self));
    self.n_rows = train->n_rows + (test != NULL ? test->n_rows : 0);
    TRY(find_target(&self, target, &column));
    TRY(ctx_alloc(ctx, self.n_columns, sizeof *self.widths, &self.widths));
    TRY(ctx_alloc_raw(ctx, self.n_columns * self.n_rows, sizeof *self.values, &self.values));
    TRY(ctx_alloc_raw(ctx, TABLE_MAX_CELL + 1, 1, &self.text));
    for (int64_t c = 0; c < self.n_columns; c++) TRY(encode_column(&self, c));
    TRY(make_inputs(&self, column, &out->x));
    if (column >= 0) TRY(make_target(&self, column, out));
    if (test != NULL) TRY(part_rows(&self, out));
done:
    ctx_free(ctx, self.widths);
    ctx_free(ctx, self.values);
    ctx_free(ctx, self.text);
    arena_free(ctx, &self.arena);
    if (status != COSET_OK) samples_free(ctx, out);
    return status;
}
