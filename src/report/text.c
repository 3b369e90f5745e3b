#include <string.h>

#include "base/utf8.h"
#include "report/buffer.h"
#include "report/page.h"

/* A cell that is no last one takes at most this many columns; its middle goes. */
enum { WIDEST = 64, HEAD = 36, TAIL = WIDEST - HEAD - 3 };

static int64_t width_of(const char *text, bool last)
{
    int64_t width = utf8_columns(text);
    return !last && width > WIDEST ? WIDEST : width;
}

/* The text from its column `from` on. */
static const char *skip(const char *text, int64_t from)
{
    while (from-- > 0) text += utf8_length(text, strlen(text));
    return text;
}

static void add_cell(buffer *out, const char *text, int64_t width, bool right, bool last)
{
    int64_t columns = utf8_columns(text), shown = width_of(text, last);
    if (right) buffer_fill(out, ' ', width - shown);
    if (shown < columns) {
        buffer_add(out, "%.*s...%s", (int)(skip(text, HEAD) - text), text,
                   skip(text, columns - TAIL));
    } else {
        buffer_add(out, "%s", text);
    }
    if (!right && !last) buffer_fill(out, ' ', width - shown);
}

/* Ends a line without blanks before its end. */
static void end_line(buffer *out)
{
    while (out->length > 0 && out->text[out->length - 1] == ' ') out->length--;
    buffer_add(out, "\n");
}

static void add_table(buffer *out, const page *self, const page_block *table)
{
    int64_t widths[PAGE_MAX_COLUMNS] = {0};
    int n = table->n_columns;
    if (n == 0) return;
    bool headed = false;
    for (int c = 0; c < n; c++) {
        widths[c] = width_of(table->columns[c].heading, c == n - 1);
        headed = headed || widths[c] > 0;
    }
    for (int64_t i = 0; i < table->n; i++) {
        int64_t width = width_of(self->cells[table->first + i], i % n == n - 1);
        if (width > widths[i % n]) widths[i % n] = width;
    }
    for (int c = 0; headed && c < n; c++) {
        buffer_fill(out, ' ', c == 0 ? 2 : 3);
        add_cell(out, table->columns[c].heading, widths[c], table->columns[c].right, c == n - 1);
        if (c == n - 1) end_line(out);
    }
    for (int64_t i = 0; i < table->n; i++) {
        int c = (int)(i % n);
        buffer_fill(out, ' ', c == 0 ? 2 : 3);
        add_cell(out, self->cells[table->first + i], widths[c], table->columns[c].right,
                 c == n - 1);
        if (c == n - 1 || i == table->n - 1) end_line(out);
    }
}

coset_status page_text(const page *self, char **text_out)
{
    buffer out = {.ctx = self->ctx, .status = self->status};
    for (int64_t b = 0; b < self->n_blocks; b++) {
        const page_block *block = &self->blocks[b];
        switch (block->kind) {
        case PAGE_TITLE: buffer_add(&out, "%s\n", block->text); break;
        case PAGE_HEADING: buffer_add(&out, "\n%s\n", block->text); break;
        case PAGE_LINE: buffer_add(&out, "%s\n", block->text); break;
        case PAGE_TABLE: add_table(&out, self, block); break;
        case PAGE_BARS: break; /* the widths are in a table as well */
        }
    }
    return buffer_take(&out, text_out);
}

coset_status coset_report_text(coset_ctx *ctx, const coset_report *report, char **text_out)
{
    page drawn = {.ctx = ctx};
    page_fill(&drawn, report);
    coset_status status = page_text(&drawn, text_out);
    page_free(&drawn);
    return status;
}
