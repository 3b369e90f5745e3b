/* Tables of text: .csv, .arff and whitespace-separated files as cells, before they become numbers. */
#ifndef COSET_DATA_TABLE_H
#define COSET_DATA_TABLE_H

#include "base/arena.h"

enum { TABLE_MAX_CELL = 65536 };

typedef struct table_cell {
    const char
        *text; /* not NUL-terminated, without quotes and outer blanks; lent from file or arena */
    uint32_t length;
    bool quoted;
} table_cell;

typedef enum column_kind {
    COLUMN_GUESSED, /* decided from the cells: numbers or categories */
    COLUMN_NUMBER,
    COLUMN_NOMINAL, /* declared categories */
    COLUMN_TEXT,    /* categories that the cells give */
    COLUMN_DATE     /* refused as soon as a row has it */
} column_kind;

typedef struct table_column {
    const char *name;
    column_kind kind;
    const char **categories; /* COLUMN_NOMINAL: in the declared order */
    int64_t n_categories, capacity;
} table_column;

typedef struct table {
    const char *source; /* for messages; borrowed */
    char point;         /* beside '.', what separates the fraction of numbers */
    bool named;         /* the file gives column names */
    table_column *columns;
    table_cell *cells; /* [n_rows, n_columns] */
    int64_t *lines;    /* [n_rows] line in the file where the row begins */
    int64_t n_columns, n_rows;
    int64_t columns_capacity, cells_capacity, lines_capacity;
    arena arena;
} table;

/* Reads a table. Cells lend from `bytes`, which must outlive the table; on failure the table is empty.
 *   csv    RFC 4180 with any of , ; and tab as separator, found from the first lines; quotes, LF, CRLF
 *          or CR; an optional UTF-8 mark and header. With ; a decimal comma is understood.
 *   text   columns separated by blanks; lines that begin with # or % are comments
 *   arff   Weka's format with dense rows
 * Errors: COSET_EFORMAT naming the source and the line; COSET_EUNSUPPORTED for sparse rows, relational
 * attributes and UTF-16; COSET_ELIMIT for a cell over 64 KiB or more than 65 536 columns. */
COSET_MUST_USE coset_status table_csv(coset_ctx *ctx, const char *bytes, size_t size,
                                      const char *source, table *table_out);
COSET_MUST_USE coset_status table_text(coset_ctx *ctx, const char *bytes, size_t size,
                                       const char *source, table *table_out);
COSET_MUST_USE coset_status table_arff(coset_ctx *ctx, const char *bytes, size_t size,
                                       const char *source, table *table_out);
void table_free(coset_ctx *ctx, table *self);

/* ---- for the readers --------------------------------------------------------------------------- */

/* Where a reader is. */
typedef struct table_reader {
    coset_ctx *ctx;
    table *table;
    const char *at, *end;
    int64_t line;    /* of `at`, from 1 */
    int64_t n_cells; /* in table->cells, with those of the row under way */
    int64_t row_cells, row_line;
} table_reader;

/* Checks that the bytes are text and skips a UTF-8 mark. */
COSET_MUST_USE coset_status table_reader_open(coset_ctx *ctx, const char *bytes, size_t size,
                                              const char *source, table *into,
                                              table_reader *reader_out);
/* Skips one line end (LF, CRLF or CR); false if there is none here. */
bool table_reader_line_end(table_reader *self);
COSET_MUST_USE coset_status table_reader_cell(table_reader *self, const char *text, size_t length,
                                              bool quoted);
/* Ends a row: the first one without declared columns says how many there are, later ones must agree. */
COSET_MUST_USE coset_status table_reader_row(table_reader *self);
COSET_MUST_USE coset_status table_add_column(coset_ctx *ctx, table *self, const char *name,
                                             size_t length, column_kind kind);
/* Takes the first row as column names if it looks like it (see table.c), else names columns by number. */
COSET_MUST_USE coset_status table_take_header(coset_ctx *ctx, table *self);
COSET_MUST_USE coset_status table_reader_fail(const table_reader *self, coset_status status,
                                              const char *format, ...) COSET_PRINTF(3, 4);

#endif
