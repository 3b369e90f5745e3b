#include "ode/lexer.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "ode/evaluate.h"

enum { SHOWN = 40 }; /* bytes of a word in a message */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

bool is_blank_byte(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool starts(const lexer *self, const char *text)
{
    size_t length = strlen(text);
    return (size_t)(self->end - self->at) >= length && memcmp(self->at, text, length) == 0;
}

void lexer_start(lexer *self, coset_ctx *ctx, const char *text, size_t size, const char *source)
{
    *self = (lexer){.ctx = ctx, .source = source, .at = text, .end = text + size};
    self->place = (text_place){1, 1};
    if (starts(self, "\xEF\xBB\xBF")) self->at += 3;
}

/* Columns count characters: the later bytes of one have no column. */
void lexer_step(lexer *self)
{
    char c = *self->at++;
    if (c == '\n' || c == '\r') {
        if (c == '\r' && self->at < self->end && *self->at == '\n') self->at++;
        self->place = (text_place){self->place.line + 1, 1};
    } else if (((unsigned char)c & 0xC0) != 0x80) {
        self->place.column++;
    }
}

void lexer_skip_blanks(lexer *self)
{
    while (self->at < self->end && is_blank_byte(*self->at)) lexer_step(self);
}

coset_status lexer_skip_comment(lexer *self, comment *out)
{
    text_place start = self->place;
    *out = (comment){self->at, 0, starts(self, "//")};
    if (out->line) {
        while (self->at < self->end && *self->at != '\n' && *self->at != '\r') lexer_step(self);
    } else if (starts(self, "/*")) {
        lexer_step(self);
        lexer_step(self);
        while (self->at < self->end && !starts(self, "*/")) lexer_step(self);
        if (self->at == self->end)
            return place_fail(self->ctx, COSET_EFORMAT, self->source, start,
                              "found a comment without end, expected '*/'");
        lexer_step(self);
        lexer_step(self);
    }
    out->length = (size_t)(self->at - out->start);
    return COSET_OK;
}

static void keep_remark(lexer *self, const comment *found)
{
    const char *start = found->start + 2, *end = found->start + found->length;
    while (start < end && is_blank_byte(*start)) start++;
    while (start < end && is_blank_byte(end[-1])) end--;
    if (start == end) return;
    self->remark = start;
    self->remark_length = (size_t)(end - start);
}

static coset_status skip(lexer *self)
{
    int32_t line = self->place.line;
    self->remark = NULL;
    for (;;) {
        comment found;
        lexer_skip_blanks(self);
        int32_t here = self->place.line;
        coset_status status = lexer_skip_comment(self, &found);
        if (status != COSET_OK || found.length == 0) return status;
        if (found.line && here == line) keep_remark(self, &found);
    }
}

static const char *after_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at)) at++;
    return at;
}

/* digits [. digits] [e [sign] digits]; what runs on as a word or a second point is no number. */
static void scan_number(lexer *self)
{
    const char *at = after_digits(self->at, self->end);
    bool good = true;
    if (at < self->end && *at == '.') at = after_digits(at + 1, self->end);
    if (at < self->end && (*at == 'e' || *at == 'E')) {
        const char *digits = at + 1;
        if (digits < self->end && (*digits == '+' || *digits == '-')) digits++;
        at = after_digits(digits, self->end);
        good = at > digits;
    }
    for (; at < self->end && (is_name_byte(*at) || *at == '.'); at++) good = false;
    self->now.kind = good ? TOKEN_NUMBER : TOKEN_BAD_NUMBER;
    self->now.length = (size_t)(at - self->at);
}

static void scan_string(lexer *self)
{
    const char *at = self->at + 1;
    for (; at < self->end && *at != '"' && *at != '\n' && *at != '\r'; at++)
        if (*at == '\\' && at + 1 < self->end && (at[1] == '"' || at[1] == '\\')) at++;
    if (at == self->end || *at != '"') return;
    self->now.kind = TOKEN_STRING;
    self->now.length = (size_t)(at + 1 - self->at);
}

coset_status lexer_next(lexer *self)
{
    coset_status status = skip(self);
    if (status != COSET_OK) return status;
    self->now = (token){TOKEN_END, self->at, 0, self->place};
    if (self->at == self->end) return COSET_OK;
    char c = *self->at;
    self->now.kind = TOKEN_SYMBOL;
    self->now.length = 1;
    if (is_digit(c) || (c == '.' && self->end - self->at > 1 && is_digit(self->at[1]))) {
        scan_number(self);
    } else if (is_name_byte(c)) {
        const char *at = self->at;
        while (at < self->end && is_name_byte(*at)) at++;
        self->now.kind = TOKEN_NAME;
        self->now.length = (size_t)(at - self->at);
    } else if (starts(self, "->")) {
        self->now.kind = TOKEN_ARROW;
        self->now.length = 2;
    } else if (c == '"') {
        scan_string(self);
    }
    for (const char *last = self->now.start + self->now.length; self->at < last;) lexer_step(self);
    return COSET_OK;
}

void lexer_rewind(lexer *self)
{
    self->at = self->now.start;
    self->place = self->now.place;
}

bool lexer_is_name(const lexer *self, const char *name)
{
    size_t length = strlen(name);
    return self->now.kind == TOKEN_NAME && self->now.length == length &&
           memcmp(self->now.start, name, length) == 0;
}

bool lexer_is_symbol(const lexer *self, char symbol)
{
    return self->now.kind == TOKEN_SYMBOL && *self->now.start == symbol;
}

coset_status lexer_fail(const lexer *self, const char *expected)
{
    char found[SHOWN + 64];
    const token *now = &self->now;
    size_t letter = now->kind == TOKEN_SYMBOL
                        ? utf8_length(now->start, (size_t)(self->end - now->start))
                        : now->length;
    unsigned char byte = now->length > 0 ? (unsigned char)*now->start : 0;
    if (now->kind == TOKEN_END)
        snprintf(found, sizeof found, "the end of the text");
    else if (now->kind == TOKEN_SYMBOL && (letter == 0 || byte < ' ' || byte == 127))
        snprintf(found, sizeof found, "the byte 0x%02X", byte);
    else
        snprintf(found, sizeof found, "%s'%.*s'%s",
                 now->kind == TOKEN_BAD_NUMBER ? "the malformed number " : "",
                 (int)(letter < SHOWN ? letter : SHOWN), now->start, letter > SHOWN ? " ..." : "");
    return place_fail(self->ctx, COSET_EFORMAT, self->source, now->place, "found %s, expected %s",
                      found, expected);
}
