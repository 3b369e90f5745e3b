/* Separated values (RFC 4180 and its relatives) and columns separated by blanks. */
#include <string.h>

#include "data/table.h"

static bool at_line_end(const table_reader *self)
{
    return self->at == self->end || *self->at == '\n' || *self->at == '\r';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- separated values -------------------------------------------------------------------------- */

/* Separators in a line, outside quotes; *next_out is the line after it. */
static int64_t count_separators(const char *at, const char *end, char separator,
                                const char **next_out)
{
    int64_t count = 0;
    bool quoted = false;
    for (; at < end && (quoted || (*at != '\n' && *at != '\r')); at++) {
        if (*at == '"') quoted = !quoted;
        if (*at == separator && !quoted) count++;
    }
    while (at < end && (*at == '\n' || *at == '\r')) at++;
    *next_out = at;
    return count;
}

/* The separator that the first two lines have equally often; semicolons first, for beside them commas
 * are decimal points. */
static char find_separator(const char *at, const char *end)
{
    const char candidates[] = {';', ',', '\t'};
    while (at < end && (*at == '\n' || *at == '\r')) at++;
    for (size_t i = 0; i < sizeof candidates; i++) {
        const char *second = NULL, *third = NULL;
        int64_t first = count_separators(at, end, candidates[i], &second);
        if (first == 0) continue;
        if (second == end || count_separators(second, end, candidates[i], &third) == first)
            return candidates[i];
    }
    return ',';
}

/* A quoted cell: the text between the quotes; where quotes are doubled, a copy with single ones. */
static coset_status read_quoted(table_reader *self, char separator)
{
    coset_status status = COSET_OK;
    const char *begin = ++self->at;
    size_t doubled = 0, length = 0;
    for (;; self->at++) {
        if (self->at == self->end) {
            status = table_reader_fail(self, COSET_EFORMAT, "a quote is not closed");
            goto done;
        }
        if (*self->at == '"') {
            if (self->at + 1 == self->end || self->at[1] != '"') break;
            self->at++;
            doubled++;
        }
        bool return_ends = self->at + 1 == self->end || self->at[1] != '\n';
        if (*self->at == '\n' || (*self->at == '\r' && return_ends)) self->line++;
    }
    const char *text = begin;
    length = (size_t)(self->at - begin);
    if (doubled > 0) {
        TRY(arena_string(self->ctx, &self->table->arena, begin, length, &text));
        char *copy = (char *)(uintptr_t)text;
        size_t used = 0;
        for (size_t i = 0; i < length; i++) {
            copy[used++] = begin[i];
            if (begin[i] == '"') i++;
        }
        length = used;
    }
    self->at++;
    while (self->at < self->end && is_blank(*self->at) && *self->at != separator) self->at++;
    if (!at_line_end(self) && *self->at != separator) {
        status = table_reader_fail(self, COSET_EFORMAT, "text behind a closing quote");
        goto done;
    }
    TRY(table_reader_cell(self, text, length, true));
done:
    return status;
}

static coset_status read_csv_cell(table_reader *self, char separator)
{
    while (self->at < self->end && is_blank(*self->at) && *self->at != separator) self->at++;
    if (self->at < self->end && *self->at == '"') return read_quoted(self, separator);
    const char *begin = self->at;
    while (!at_line_end(self) && *self->at != separator) self->at++;
    const char *end = self->at;
    while (end > begin && is_blank(end[-1])) end--;
    return table_reader_cell(self, begin, (size_t)(end - begin), false);
}

coset_status table_csv(coset_ctx *ctx, const char *bytes, size_t size, const char *source,
                       table *table_out)
{
    coset_status status = COSET_OK;
    table_reader reader;
    TRY(table_reader_open(ctx, bytes, size, source, table_out, &reader));
    char separator = find_separator(reader.at, reader.end);
    if (separator == ';') table_out->point = ',';
    while (reader.at < reader.end) {
        if (table_reader_line_end(&reader)) continue;
        reader.row_line = reader.line;
        TRY(read_csv_cell(&reader, separator));
        while (!at_line_end(&reader)) {
            reader.at++;
            TRY(read_csv_cell(&reader, separator));
        }
        TRY(table_reader_row(&reader));
        table_reader_line_end(&reader);
    }
    TRY(table_take_header(ctx, table_out));
done:
    if (status != COSET_OK) table_free(ctx, table_out);
    return status;
}

/* ---- columns separated by blanks --------------------------------------------------------------- */

static coset_status read_text_line(table_reader *self)
{
    coset_status status = COSET_OK;
    self->row_line = self->line;
    for (bool first = true;; first = false) {
        while (self->at < self->end && is_blank(*self->at)) self->at++;
        bool comment = first && !at_line_end(self) && (*self->at == '#' || *self->at == '%');
        while (comment && !at_line_end(self)) self->at++;
        if (at_line_end(self)) break;
        const char *begin = self->at;
        while (!at_line_end(self) && !is_blank(*self->at)) self->at++;
        TRY(table_reader_cell(self, begin, (size_t)(self->at - begin), false));
    }
    if (self->row_cells > 0) TRY(table_reader_row(self));
    table_reader_line_end(self);
done:
    return status;
}

coset_status table_text(coset_ctx *ctx, const char *bytes, size_t size, const char *source,
                        table *table_out)
{
    coset_status status = COSET_OK;
    table_reader reader;
    TRY(table_reader_open(ctx, bytes, size, source, table_out, &reader));
    while (reader.at < reader.end) TRY(read_text_line(&reader));
    TRY(table_take_header(ctx, table_out));
done:
    if (status != COSET_OK) table_free(ctx, table_out);
    return status;
}
