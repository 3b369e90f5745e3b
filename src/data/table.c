#include "data/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/cell.h"

enum { MAX_COLUMNS = 65536 };

coset_status table_reader_fail(const table_reader *self, coset_status status, const char *format,
                               ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return ctx_fail(self->ctx, status, "%s: line %lld: %s", self->table->source,
                    (long long)self->line, text);
}

coset_status table_reader_open(coset_ctx *ctx, const char *bytes, size_t size, const char *source,
                               table *into, table_reader *reader_out)
{
    memset(into, 0, sizeof *into);
    into->source = source;
    into->point = '.';
    *reader_out = (table_reader){
        .ctx = ctx, .table = into, .at = bytes, .end = bytes + size, .line = 1, .row_line = 1};
    if (size >= 2 && (memcmp(bytes, "\xFF\xFE", 2) == 0 || memcmp(bytes, "\xFE\xFF", 2) == 0))
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s: is UTF-16 text; save it as UTF-8", source);
    if (size > 0 && memchr(bytes, '\0', size) != NULL)
        return ctx_fail(ctx, COSET_EFORMAT, "%s: is not a text file: it holds zero bytes", source);
    if (size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) reader_out->at += 3;
    return COSET_OK;
}

bool table_reader_line_end(table_reader *self)
{
    if (self->at == self->end || (*self->at != '\n' && *self->at != '\r')) return false;
    if (*self->at == '\r' && self->at + 1 < self->end && self->at[1] == '\n') self->at++;
    self->at++;
    self->line++;
    return true;
}

coset_status table_reader_cell(table_reader *self, const char *text, size_t length, bool quoted)
{
    coset_status status = COSET_OK;
    table *into = self->table;
    if (length > TABLE_MAX_CELL)
        return table_reader_fail(self, COSET_ELIMIT, "a cell of more than %d bytes",
                                 TABLE_MAX_CELL);
    if (self->row_cells == MAX_COLUMNS)
        return table_reader_fail(self, COSET_ELIMIT, "more than %d columns", MAX_COLUMNS);
    TRY(ctx_reserve(self->ctx, &into->cells, &into->cells_capacity, self->n_cells + 1,
                    sizeof *into->cells));
    into->cells[self->n_cells++] = (table_cell){text, (uint32_t)length, quoted};
    self->row_cells++;
done:
    return status;
}

coset_status table_add_column(coset_ctx *ctx, table *self, const char *name, size_t length,
                              column_kind kind)
{
    coset_status status = COSET_OK;
    if (self->n_columns == MAX_COLUMNS)
        FAIL(ctx, COSET_ELIMIT, "%s: more than %d columns", self->source, MAX_COLUMNS);
    TRY(ctx_reserve(ctx, &self->columns, &self->columns_capacity, self->n_columns + 1,
                    sizeof *self->columns));
    table_column *column = &self->columns[self->n_columns];
    TRY(arena_string(ctx, &self->arena, name, length, &column->name));
    column->kind = kind;
    self->n_columns++;
done:
    return status;
}

coset_status table_reader_row(table_reader *self)
{
    coset_status status = COSET_OK;
    table *into = self->table;
    for (int64_t i = 0; into->n_rows == 0 && !into->named && i < self->row_cells; i++)
        TRY(table_add_column(self->ctx, into, "", 0, COLUMN_GUESSED));
    if (self->row_cells != into->n_columns)
        FAIL(self->ctx, COSET_EFORMAT, "%s: line %lld: %lld columns, expected %lld", into->source,
             (long long)self->row_line, (long long)self->row_cells, (long long)into->n_columns);
    TRY(ctx_reserve(self->ctx, &into->lines, &into->lines_capacity, into->n_rows + 1,
                    sizeof *into->lines));
    into->lines[into->n_rows++] = self->row_line;
    self->row_cells = 0;
done:
    return status;
}

static bool is_number(const table *self, const table_cell *cell)
{
    double value = 0;
    return cell_number(cell->text, cell->length, self->point, &value);
}

static bool same_text(const table_cell *a, const table_cell *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* The first row names the columns if it holds no number, and it is the only one, or in some column
 * either the second row does, or its text never comes again: categories do come again, names do not. */
static bool first_row_is_header(const table *self)
{
    const table_cell *cells = self->cells;
    int64_t n = self->n_columns;
    if (n == 0 || self->n_rows == 0) return false;
    for (int64_t c = 0; c < n; c++)
        if (is_number(self, &cells[c])) return false;
    if (self->n_rows == 1) return true;
    for (int64_t c = 0; c < n; c++)
        if (is_number(self, &cells[n + c])) return true;
    for (int64_t c = 0; c < n; c++) {
        bool again = false;
        for (int64_t r = 1; r < self->n_rows && !again; r++)
            again = same_text(&cells[r * n + c], &cells[c]);
        if (!again) return true;
    }
    return false;
}

coset_status table_take_header(coset_ctx *ctx, table *self)
{
    coset_status status = COSET_OK;
    bool header = first_row_is_header(self);
    for (int64_t c = 0; c < self->n_columns; c++) {
        char number[32];
        int length = snprintf(number, sizeof number, "%lld", (long long)c);
        const table_cell *cell = &self->cells[c];
        bool named = header && cell->length > 0;
        TRY(arena_string(ctx, &self->arena, named ? cell->text : number,
                         named ? cell->length : (size_t)length, &self->columns[c].name));
    }
    if (header) {
        int64_t rows = --self->n_rows, cells = rows * self->n_columns;
        memmove(self->cells, self->cells + self->n_columns, (size_t)cells * sizeof *self->cells);
        memmove(self->lines, self->lines + 1, (size_t)rows * sizeof *self->lines);
    }
    self->named = header;
done:
    return status;
}

void table_free(coset_ctx *ctx, table *self)
{
    for (int64_t c = 0; c < self->n_columns; c++)
        ctx_free(ctx, (void *)self->columns[c].categories);
    ctx_free(ctx, self->columns);
    ctx_free(ctx, self->cells);
    ctx_free(ctx, self->lines);
    arena_free(ctx, &self->arena);
    *self = (table){0};
}
