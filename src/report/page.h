/* A report as a page for people: headings, lines, tables and bars, printed as text or HTML. */
#ifndef COSET_REPORT_PAGE_H
#define COSET_REPORT_PAGE_H

#include "base/arena.h"
#include "report/report.h"

enum { PAGE_MAX_COLUMNS = 16 };

typedef enum page_block_kind {
    PAGE_TITLE,
    PAGE_HEADING,
    PAGE_LINE,
    PAGE_TABLE,
    PAGE_BARS
} page_block_kind;

typedef struct page_column {
    const char *heading;
    bool right; /* numbers */
} page_column;

typedef struct page_block {
    page_block_kind kind;
    const char *text; /* of titles, headings and lines */
    int n_columns;
    page_column columns[PAGE_MAX_COLUMNS];
    int64_t first, n; /* tables: cells; bars: bars */
} page_block;

/* Widths of one group before and after. */
typedef struct page_bar {
    const char *name;
    double before, after;
} page_bar;

/* Building never fails visibly: the first failure is kept in `status`, what follows does nothing.
 * Text is valid UTF-8 without control characters whatever comes in. */
typedef struct page {
    coset_ctx *ctx;
    coset_status status;
    arena arena;
    page_block *blocks;
    const char **cells; /* of all tables, row by row */
    page_bar *bars;
    int64_t n_blocks, n_cells, n_bars;
    int64_t blocks_capacity, cells_capacity, bars_capacity;
} page;

void page_title(page *self, const char *format, ...) COSET_PRINTF(2, 3);
void page_heading(page *self, const char *format, ...) COSET_PRINTF(2, 3);
void page_line(page *self, const char *format, ...) COSET_PRINTF(2, 3);
/* A table whose columns and cells follow; at most PAGE_MAX_COLUMNS columns, all before the cells. */
void page_table(page *self);
void page_column_add(page *self, const char *heading, bool right);
void page_cell(page *self, const char *text);
/* A bar of the chart that ends the page so far; consecutive bars share one. */
void page_bar_add(page *self, const char *name, double before, double after);
void page_free(page *self);

/* Builds the page of a report, by its kind. */
void page_fill(page *self, const coset_report *report);

/* A page as text with aligned columns / as one HTML file that needs no other. text_out is owned by
 * the caller. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status page_text(const page *self, char **text_out);
COSET_MUST_USE coset_status page_html(const page *self, char **text_out);

/* A report as HTML. */
COSET_MUST_USE coset_status report_html(coset_ctx *ctx, const coset_report *report,
                                        char **text_out);

#endif
