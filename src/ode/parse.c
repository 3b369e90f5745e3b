#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/nearest.h"
#include "base/utf8.h"
#include "ode/evaluate.h"
#include "ode/model_names.h"
#include "ode/parse.h"

static const char *const section_names[SECTION_COUNT] = {"parameters", "init", "partition",
                                                         "reactions",  "ODE",  "views"};

section section_named(const char *name, size_t length)
{
    int found = 0;
    while (found < SECTION_COUNT && (strlen(section_names[found]) != length ||
                                     memcmp(section_names[found], name, length) != 0))
        found++;
    return (section)found;
}

/* Words ----------------------------------------------------------------------------------------- */

coset_status parse_word(parser *self)
{
    coset_status status = COSET_OK;
    const token *now = &self->lexer.now;
    if (now->length > MODEL_MAX_NAME)
        return place_fail(self->ctx, COSET_ELIMIT, self->lexer.source, now->place,
                          "a name of more than %d bytes", (int)MODEL_MAX_NAME);
    TRY(ctx_reserve(self->ctx, &self->word, &self->word_capacity, (int64_t)now->length + 1, 1));
    memcpy(self->word, now->start, now->length);
    self->word[now->length] = '\0';
done:
    return status;
}

void parse_keep_word(parser *self)
{
    char *word = self->word;
    int64_t capacity = self->word_capacity;
    self->word = self->kept;
    self->word_capacity = self->kept_capacity;
    self->kept = word;
    self->kept_capacity = capacity;
}

coset_status parse_symbol(parser *self, char symbol, const char *expected)
{
    if (!lexer_is_symbol(&self->lexer, symbol)) return lexer_fail(&self->lexer, expected);
    return lexer_next(&self->lexer);
}

coset_status parse_name(parser *self, const char *expected, text_place *place_out)
{
    coset_status status = COSET_OK;
    if (self->lexer.now.kind != TOKEN_NAME || lexer_is_name(&self->lexer, "begin") ||
        lexer_is_name(&self->lexer, "end"))
        return lexer_fail(&self->lexer, expected);
    if (place_out != NULL) *place_out = self->lexer.now.place;
    TRY(parse_word(self));
    TRY(lexer_next(&self->lexer));
done:
    return status;
}

coset_status parse_fail_unknown(parser *self, text_place place)
{
    const char *near = model_nearest(self->model, self->word);
    return place_fail(self->ctx, COSET_EFORMAT, self->lexer.source, place,
                      "found '%.64s', expected a name that is declared before its use%s%.64s%s",
                      self->word, near != NULL ? "; the nearest is '" : "",
                      near != NULL ? near : "", near != NULL ? "'" : "");
}

coset_status parse_variable(parser *self, int64_t *index_out)
{
    coset_status status = COSET_OK;
    text_place place = {0, 0};
    TRY(parse_name(self, "a variable", &place));
    int64_t id = name_map_get(&self->model->names, self->word, INT64_MAX);
    if (id == INT64_MAX) return parse_fail_unknown(self, place);
    if (id >= 0)
        return place_fail(self->ctx, COSET_EFORMAT, self->lexer.source, place,
                          "found the parameter '%.64s', expected a variable", self->word);
    *index_out = ~id;
done:
    return status;
}

coset_status parse_located(parser *self, coset_status status, text_place place)
{
    if (status == COSET_OK || status == COSET_EMEMORY) return status;
    return ctx_fail_in(self->ctx, status, "%.300s:%d:%d", self->lexer.source, place.line,
                       place.column);
}

coset_status parse_keep(parser *self, const char *text, size_t length, const char **out)
{
    coset_status status = COSET_OK;
    const char *raw = NULL;
    char *clean = NULL;
    TRY(arena_string(self->ctx, &self->model->arena, text, length, &raw));
    *out = raw;
    /* Comments of old files may be in another encoding. */
    for (size_t i = 0, step; i < length; i += step) {
        step = utf8_length(text + i, length - i);
        if (step > 0) continue;
        TRY(utf8_copy(self->ctx, raw, &clean));
        TRY(arena_string(self->ctx, &self->model->arena, clean, strlen(clean), out));
        break;
    }
done:
    ctx_free(self->ctx, clean);
    return status;
}

bool parse_at_end(const parser *self)
{
    return lexer_is_name(&self->lexer, "end");
}

coset_status parse_brackets(parser *self)
{
    coset_status status = COSET_OK;
    if (!lexer_is_symbol(&self->lexer, '[')) goto done;
    TRY(lexer_next(&self->lexer));
    while (self->lexer.now.kind == TOKEN_NAME || self->lexer.now.kind == TOKEN_STRING ||
           lexer_is_symbol(&self->lexer, '='))
        TRY(lexer_next(&self->lexer));
    TRY(parse_symbol(self, ']', "']'"));
done:
    return status;
}

/* Above the sections ---------------------------------------------------------------------------- */

/* The text of a comment, line by line, without its marks; blank first and last lines of a block go. */
static void add_header(text_buffer *into, const comment *found, int64_t *lines)
{
    const char *at = found->start + 2, *end = found->start + found->length - (found->line ? 0 : 2);
    for (bool first = true; first || at < end; first = false) {
        const char *line = at;
        while (at < end && *at != '\n' && *at != '\r') at++;
        const char *last = at;
        if (at < end) at += at + 1 < end && at[0] == '\r' && at[1] == '\n' ? 2 : 1;
        while (last > line && is_blank_byte(last[-1])) last--;
        if (found->line) {
            if (line < last && *line == ' ') line++;
        } else {
            while (line < last && (*line == ' ' || *line == '\t' || *line == '*')) line++;
            if (line == last && (first || at >= end)) continue;
        }
        if ((*lines)++ > 0) text_putc(into, '\n');
        text_put(into, line, (size_t)(last - line));
    }
}

static coset_status parse_header(parser *self)
{
    coset_status status = COSET_OK;
    text_buffer header = {.ctx = self->ctx};
    int64_t lines = 0;
    for (;;) {
        comment found;
        lexer_skip_blanks(&self->lexer);
        TRY(lexer_skip_comment(&self->lexer, &found));
        if (found.length == 0) break;
        add_header(&header, &found, &lines);
        TRY(header.status);
    }
    while (header.length > 0 && is_blank_byte(header.bytes[header.length - 1])) header.length--;
    if (header.length > 0)
        TRY(parse_keep(self, header.bytes, (size_t)header.length, &self->model->header));
done:
    ctx_free(self->ctx, header.bytes);
    return status;
}

static coset_status parse_start(parser *self)
{
    coset_status status = COSET_OK;
    TRY(parse_header(self));
    TRY(lexer_next(&self->lexer));
    if (!lexer_is_name(&self->lexer, "begin")) return lexer_fail(&self->lexer, "'begin model'");
    TRY(lexer_next(&self->lexer));
    if (lexer_is_name(&self->lexer, "Boolean"))
        return place_fail(self->ctx, COSET_EUNSUPPORTED, self->lexer.source, self->lexer.now.place,
                          "Boolean networks are not supported");
    if (!lexer_is_name(&self->lexer, "model")) return lexer_fail(&self->lexer, "'model'");
    TRY(lexer_next(&self->lexer));
    if (lexer_is_name(&self->lexer, "arbitrary"))
        return lexer_fail(&self->lexer, "the name of the model");
    TRY(parse_name(self, "the name of the model", NULL));
    TRY(arena_string(self->ctx, &self->model->arena, self->word, strlen(self->word),
                     &self->model->name));
    TRY(parse_brackets(self));
done:
    return status;
}

static coset_status fail_section(parser *self, text_place place, coset_status status,
                                 const char *problem)
{
    const token *now = &self->lexer.now;
    return place_fail(self->ctx, status, self->lexer.source, place, "the section '%.*s' %s",
                      (int)(now->length < 40 ? now->length : 40), now->start, problem);
}

/* A section may stand where it is: once, behind "init", one body. */
static coset_status check_section(parser *self, section which, text_place place)
{
    char problem[80];
    bool body = which == SECTION_REACTIONS || which == SECTION_ODE;
    section other = which == SECTION_REACTIONS ? SECTION_ODE : SECTION_REACTIONS;
    if (which == SECTION_COUNT)
        return fail_section(self, place, COSET_EUNSUPPORTED,
                            "is not known; parameters, init, partition, reactions, ODE and views "
                            "are");
    if (self->seen[which] != 0) {
        snprintf(problem, sizeof problem, "stands there already, at line %d", self->seen[which]);
        return fail_section(self, place, COSET_EFORMAT, problem);
    }
    if (body && self->seen[other] != 0) {
        snprintf(problem, sizeof problem, "stands beside '%s' at line %d, expected one of them",
                 section_names[other], self->seen[other]);
        return fail_section(self, place, COSET_EFORMAT, problem);
    }
    if (which > SECTION_INIT && self->seen[SECTION_INIT] == 0)
        return fail_section(self, place, COSET_EFORMAT, "stands there, expected 'init' before it");
    self->seen[which] = place.line;
    return COSET_OK;
}

static coset_status parse_section(parser *self)
{
    static coset_status (*const contents[SECTION_COUNT])(parser *) = {
        parse_parameters, parse_init,      parse_partition,
        parse_reactions,  parse_equations, parse_views};
    coset_status status = COSET_OK;
    text_place place = self->lexer.now.place;
    char expected[40];
    TRY(lexer_next(&self->lexer));
    section which = section_named(self->lexer.now.start, self->lexer.now.length);
    TRY(check_section(self, which, place));
    TRY(lexer_next(&self->lexer));
    TRY(contents[which](self));
    if (!parse_at_end(self)) return lexer_fail(&self->lexer, "'end'");
    TRY(lexer_next(&self->lexer));
    snprintf(expected, sizeof expected, "'%s' behind 'end'", section_names[which]);
    if (!lexer_is_name(&self->lexer, section_names[which]))
        return lexer_fail(&self->lexer, expected);
    TRY(lexer_next(&self->lexer));
done:
    return status;
}

/* `now` is the "end" of "end model". */
static coset_status parse_end(parser *self)
{
    if (self->seen[SECTION_INIT] == 0) return lexer_fail(&self->lexer, "a section 'init'");
    if (self->seen[SECTION_REACTIONS] == 0 && self->seen[SECTION_ODE] == 0)
        return lexer_fail(&self->lexer, "a section 'reactions' or 'ODE'");
    return parse_finish_commands(self);
}

static coset_status parse_model(parser *self)
{
    coset_status status = COSET_OK;
    TRY(parse_start(self));
    for (;;) {
        TRY(parse_commands(self));
        if (parse_at_end(self)) break;
        TRY(parse_section(self));
    }
    TRY(parse_end(self));
done:
    return status;
}

void parse_progress(const parser *self)
{
    ctx_progress(self->ctx, "read", self->size - (self->lexer.end - self->lexer.at), self->size);
}

/* No word and no comment may hold a NUL: texts of the model are C strings. */
static coset_status check_bytes(parser *self, const char *text, size_t size)
{
    const char *zero = size > 0 ? memchr(text, 0, size) : NULL;
    if (zero == NULL) return COSET_OK;
    while (self->lexer.at < zero) lexer_step(&self->lexer);
    return place_fail(self->ctx, COSET_EFORMAT, self->lexer.source, self->lexer.place,
                      "found the byte 0x00, expected text");
}

coset_status model_parse(coset_ctx *ctx, const char *text, size_t size, const char *source,
                         ode_model **model_out)
{
    coset_status status = COSET_OK;
    parser self = {.ctx = ctx, .commands = {.ctx = ctx}, .size = (int64_t)size};
    *model_out = NULL;
    if (size > MODEL_MAX_TEXT)
        FAIL(ctx, COSET_ELIMIT, "%.300s: a text of more than %d bytes", source,
             (int)MODEL_MAX_TEXT);
    lexer_start(&self.lexer, ctx, text, size, source);
    TRY(check_bytes(&self, text, size));
    TRY(model_new(ctx, "model", &self.model));
    TRY(parse_model(&self));
    ctx_progress(ctx, "read", self.size, self.size);
    *model_out = self.model;
    self.model = NULL;
done:
    model_free(self.model);
    ctx_free(ctx, self.word);
    ctx_free(ctx, self.kept);
    ctx_free(ctx, self.values);
    ctx_free(ctx, self.reagents.items);
    ctx_free(ctx, self.products.items);
    ctx_free(ctx, self.commands.bytes);
    return status;
}

coset_status model_load(coset_ctx *ctx, const char *path, ode_model **model_out)
{
    coset_status status = COSET_OK;
    file_view view = {NULL, 0};
    *model_out = NULL;
    TRY(file_map(ctx, path, &view));
    TRY(model_parse(ctx, (const char *)view.bytes, view.size, path, model_out));
done:
    file_unmap(&view);
    return status;
}
