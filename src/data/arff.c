/* Weka's attribute-relation format (Weka manual, section 9). */
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "data/table.h"

static bool at_line_end(const table_reader *self)
{
    return self->at == self->end || *self->at == '\n' || *self->at == '\r';
}

static void skip_blanks(table_reader *self)
{
    while (self->at < self->end && (*self->at == ' ' || *self->at == '\t')) self->at++;
}

static void skip_line(table_reader *self)
{
    while (!at_line_end(self)) self->at++;
    table_reader_line_end(self);
}

/* Takes a keyword in any case if it stands here as a whole word. */
static bool take_word(table_reader *self, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(self->end - self->at) < length || strncasecmp(self->at, word, length) != 0)
        return false;
    const char *next = self->at + length;
    if (next < self->end && strchr(" \t\r\n,{'\"", *next) == NULL) return false;
    self->at = next;
    return true;
}

/* A quoted or bare piece of text; bare ones end before any of `stops` and lose trailing blanks. A
 * backslash in quotes stands before the character that it means. */
static coset_status take_text(table_reader *self, const char *stops, const char **text_out,
                              size_t *length_out, bool *quoted_out)
{
    coset_status status = COSET_OK;
    const char *begin = self->at;
    char quote = at_line_end(self) ? '\0' : *self->at;
    *quoted_out = quote == '\'' || quote == '"';
    if (!*quoted_out) {
        while (!at_line_end(self) && strchr(stops, *self->at) == NULL) self->at++;
        const char *end = self->at;
        while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) end--;
        *text_out = begin;
        *length_out = (size_t)(end - begin);
        return COSET_OK;
    }
    size_t escapes = 0, used = 0;
    begin = ++self->at;
    for (; !at_line_end(self) && *self->at != quote; self->at++)
        if (*self->at == '\\' && self->at + 1 < self->end) {
            self->at++;
            escapes++;
            if (at_line_end(self)) break;
        }
    if (at_line_end(self)) {
        status = table_reader_fail(self, COSET_EFORMAT, "a quote is not closed");
        goto done;
    }
    *text_out = begin;
    *length_out = (size_t)(self->at++ - begin);
    if (escapes == 0) goto done;
    TRY(arena_string(self->ctx, &self->table->arena, begin, *length_out, text_out));
    char *copy = (char *)(uintptr_t)*text_out;
    for (size_t i = 0; i < *length_out; i++) {
        if (begin[i] == '\\') i++;
        copy[used++] = begin[i];
    }
    *length_out = used;
done:
    return status;
}

static coset_status expect_line_end(table_reader *self, const char *what)
{
    skip_blanks(self);
    if (!at_line_end(self) && *self->at != '%')
        return table_reader_fail(self, COSET_EFORMAT, "text behind %s", what);
    skip_line(self);
    return COSET_OK;
}

static coset_status add_category(coset_ctx *ctx, table *into, table_column *column,
                                 const char *text, size_t length)
{
    coset_status status = COSET_OK;
    TRY(ctx_reserve(ctx, &column->categories, &column->capacity, column->n_categories + 1,
                    sizeof *column->categories));
    TRY(arena_string(ctx, &into->arena, text, length, &column->categories[column->n_categories]));
    column->n_categories++;
done:
    return status;
}

/* "{a, b, 'c d'}" of the last column. */
static coset_status read_categories(table_reader *self)
{
    coset_status status = COSET_OK;
    table_column *column = &self->table->columns[self->table->n_columns - 1];
    name_map seen = {0};
    for (self->at++;;) {
        const char *text = NULL;
        size_t length = 0;
        bool quoted = false, twice = false;
        skip_blanks(self);
        TRY(take_text(self, ",}", &text, &length, &quoted));
        skip_blanks(self);
        bool last = !at_line_end(self) && *self->at == '}';
        if (!last && (at_line_end(self) || *self->at != ',')) {
            status = table_reader_fail(self, COSET_EFORMAT, "attribute '%s': no '}'", column->name);
            goto done;
        }
        self->at++;
        if (length > 0 || quoted) {
            TRY(add_category(self->ctx, self->table, column, text, length));
            const char *name = column->categories[column->n_categories - 1];
            TRY(name_map_set(self->ctx, &seen, name, 0, &twice));
            if (twice) {
                status = table_reader_fail(
                    self, COSET_EFORMAT, "attribute '%s': '%s' is there twice", column->name, name);
                goto done;
            }
        }
        if (last) break;
    }
done:
    name_map_free(self->ctx, &seen);
    return status;
}

static coset_status read_attribute(table_reader *self)
{
    coset_status status = COSET_OK;
    const char *text = NULL;
    size_t length = 0;
    bool quoted = false;
    skip_blanks(self);
    TRY(take_text(self, " \t{", &text, &length, &quoted));
    if (length == 0) {
        status = table_reader_fail(self, COSET_EFORMAT, "an attribute without a name");
        goto done;
    }
    TRY(table_add_column(self->ctx, self->table, text, length, COLUMN_NUMBER));
    table_column *column = &self->table->columns[self->table->n_columns - 1];
    skip_blanks(self);
    if (!at_line_end(self) && *self->at == '{') {
        column->kind = COLUMN_NOMINAL;
        TRY(read_categories(self));
    } else if (take_word(self, "string")) {
        column->kind = COLUMN_TEXT;
    } else if (take_word(self, "date")) {
        column->kind = COLUMN_DATE;
        skip_line(self);
        goto done;
    } else if (take_word(self, "relational")) {
        status = table_reader_fail(self, COSET_EUNSUPPORTED, "attribute '%s' is relational",
                                   column->name);
        goto done;
    } else if (!take_word(self, "numeric") && !take_word(self, "real") &&
               !take_word(self, "integer")) {
        status = table_reader_fail(self, COSET_EFORMAT, "attribute '%s' has an unknown type",
                                   column->name);
        goto done;
    }
    /* Some files give a range behind the type: real [0, 1]. */
    skip_blanks(self);
    if (!at_line_end(self) && *self->at == '[')
        skip_line(self);
    else
        TRY(expect_line_end(self, "an attribute's type"));
done:
    return status;
}

/* Everything up to and including the line "@data". */
static coset_status read_declarations(table_reader *self)
{
    coset_status status = COSET_OK;
    for (;;) {
        if (self->at == self->end) {
            status = table_reader_fail(self, COSET_EFORMAT, "no @data");
            goto done;
        }
        skip_blanks(self);
        if (at_line_end(self) || *self->at == '%' || take_word(self, "@relation")) {
            skip_line(self);
        } else if (take_word(self, "@attribute")) {
            TRY(read_attribute(self));
        } else if (take_word(self, "@data")) {
            TRY(expect_line_end(self, "@data"));
            break;
        } else {
            status =
                table_reader_fail(self, COSET_EFORMAT, "expected @relation, @attribute or @data");
            goto done;
        }
    }
    if (self->table->n_columns == 0)
        FAIL(self->ctx, COSET_EFORMAT, "%s: declares no attributes", self->table->source);
done:
    return status;
}

static coset_status read_data_line(table_reader *self)
{
    coset_status status = COSET_OK;
    self->row_line = self->line;
    skip_blanks(self);
    if (at_line_end(self) || *self->at == '%') {
        skip_line(self);
        goto done;
    }
    for (bool more = true; more;) {
        const char *text = NULL;
        size_t length = 0;
        bool quoted = false;
        skip_blanks(self);
        if (!at_line_end(self) && *self->at == '{') {
            const char *what = self->row_cells == 0 ? "sparse rows" : "rows with weights";
            status = table_reader_fail(self, COSET_EUNSUPPORTED, "%s are not read", what);
            goto done;
        }
        TRY(take_text(self, ",", &text, &length, &quoted));
        TRY(table_reader_cell(self, text, length, quoted));
        skip_blanks(self);
        more = !at_line_end(self);
        if (more && *self->at != ',') {
            status = table_reader_fail(self, COSET_EFORMAT, "text behind a closing quote");
            goto done;
        }
        if (more) self->at++;
    }
    TRY(table_reader_row(self));
    table_reader_line_end(self);
done:
    return status;
}

coset_status table_arff(coset_ctx *ctx, const char *bytes, size_t size, const char *source,
                        table *table_out)
{
    coset_status status = COSET_OK;
    table_reader reader;
    TRY(table_reader_open(ctx, bytes, size, source, table_out, &reader));
    table_out->named = true;
    TRY(read_declarations(&reader));
    while (reader.at < reader.end) TRY(read_data_line(&reader));
done:
    if (status != COSET_OK) table_free(ctx, table_out);
    return status;
}
