#include "report/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Copies text into the arena, valid and without control characters: names come from model files and
 * go to terminals. NULL after a failure. */
static const char *keep(page *self, const char *text)
{
    const char *kept = NULL;
    char *copy = NULL;
    if (self->status == COSET_OK) self->status = utf8_copy(self->ctx, text, &copy);
    if (self->status != COSET_OK) return NULL;
    for (char *c = copy; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = '?';
    self->status = arena_string(self->ctx, &self->arena, copy, strlen(copy), &kept);
    ctx_free(self->ctx, copy);
    return self->status == COSET_OK ? kept : NULL;
}

static page_block *add(page *self, page_block_kind kind)
{
    if (self->status == COSET_OK)
        self->status = ctx_reserve(self->ctx, &self->blocks, &self->blocks_capacity,
                                   self->n_blocks + 1, sizeof *self->blocks);
    if (self->status != COSET_OK) return NULL;
    page_block *block = &self->blocks[self->n_blocks++];
    *block = (page_block){.kind = kind, .text = ""};
    return block;
}

static void add_text(page *self, page_block_kind kind, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    char *text = NULL;
    int length = vsnprintf(NULL, 0, format, arguments);
    if (self->status == COSET_OK && length >= 0)
        self->status = ctx_alloc_raw(self->ctx, (int64_t)length + 1, 1, &text);
    if (text != NULL) {
        vsnprintf(text, (size_t)length + 1, format, again);
        const char *kept = keep(self, text);
        page_block *block = add(self, kind);
        if (block != NULL) block->text = kept;
    }
    ctx_free(self->ctx, text);
    va_end(again);
}

void page_title(page *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_text(self, PAGE_TITLE, format, arguments);
    va_end(arguments);
}

void page_heading(page *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_text(self, PAGE_HEADING, format, arguments);
    va_end(arguments);
}

void page_line(page *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_text(self, PAGE_LINE, format, arguments);
    va_end(arguments);
}

void page_table(page *self)
{
    page_block *block = add(self, PAGE_TABLE);
    if (block != NULL) block->first = self->n_cells;
}

void page_column_add(page *self, const char *heading, bool right)
{
    const char *kept = keep(self, heading);
    if (kept == NULL) return;
    page_block *table = &self->blocks[self->n_blocks - 1];
    if (table->n_columns == PAGE_MAX_COLUMNS) return;
    table->columns[table->n_columns++] = (page_column){kept, right};
}

void page_cell(page *self, const char *text)
{
    const char *kept = keep(self, text);
    if (kept != NULL)
        self->status = ctx_reserve(self->ctx, &self->cells, &self->cells_capacity,
                                   self->n_cells + 1, sizeof *self->cells);
    if (self->status != COSET_OK) return;
    self->cells[self->n_cells++] = kept;
    self->blocks[self->n_blocks - 1].n++;
}

void page_bar_add(page *self, const char *name, double before, double after)
{
    const char *kept = keep(self, name);
    bool open = self->n_blocks > 0 && self->blocks[self->n_blocks - 1].kind == PAGE_BARS;
    page_block *block = open ? &self->blocks[self->n_blocks - 1] : add(self, PAGE_BARS);
    if (self->status == COSET_OK)
        self->status = ctx_reserve(self->ctx, &self->bars, &self->bars_capacity, self->n_bars + 1,
                                   sizeof *self->bars);
    if (self->status != COSET_OK) return;
    if (block->n == 0) block->first = self->n_bars;
    block->n++;
    self->bars[self->n_bars++] = (page_bar){kept, before, after};
}

void page_free(page *self)
{
    ctx_free(self->ctx, self->blocks);
    ctx_free(self->ctx, (void *)self->cells);
    ctx_free(self->ctx, self->bars);
    arena_free(self->ctx, &self->arena);
}
