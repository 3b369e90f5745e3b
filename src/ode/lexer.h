/* Words of a model file. Line ends mean nothing but the end of a // comment. */
#ifndef COSET_ODE_LEXER_H
#define COSET_ODE_LEXER_H

#include "base/ctx.h"
#include "ode/expression.h"

typedef enum token_kind {
    TOKEN_END, /* of the text */
    TOKEN_NAME,
    TOKEN_NUMBER, /* well-formed for number_parse, but for its size */
    TOKEN_ARROW,  /* -> */
    TOKEN_STRING, /* "..." on one line, with its quotes */
    TOKEN_SYMBOL, /* any other single byte */
    TOKEN_BAD_NUMBER
} token_kind;

typedef struct token {
    token_kind kind;
    const char *start; /* in the text */
    size_t length;
    text_place place;
} token;

typedef struct lexer {
    coset_ctx *ctx;
    const char *source; /* of messages, borrowed */
    const char *at, *end;
    text_place place; /* of `at` */
    token now;
    /* The // comment that stands behind the word before `now` on its line, without its slashes and the
     * blanks around it; NULL: none. */
    const char *remark;
    size_t remark_length;
} lexer;

/* A comment, of either kind, from its first to its last byte. */
typedef struct comment {
    const char *start;
    size_t length;
    bool line; /* a // comment */
} comment;

/* Starts before the first word; lexer_next brings it. A byte order mark is skipped. */
void lexer_start(lexer *self, coset_ctx *ctx, const char *text, size_t size, const char *source);

/* Moves to the next word. What cannot start one becomes a TOKEN_SYMBOL or TOKEN_BAD_NUMBER, so that the
 * reader can say what it expected. Errors: COSET_EFORMAT for a comment without end, at its start. */
COSET_MUST_USE coset_status lexer_next(lexer *self);

/* Below the words: `at` over the bytes of blanks, and over one comment, if there is one (length 0: no). */
void lexer_skip_blanks(lexer *self);
COSET_MUST_USE coset_status lexer_skip_comment(lexer *self, comment *out);
/* One byte, or the two of a CR LF. */
void lexer_step(lexer *self);
/* Puts `at` back to the start of `now`. */
void lexer_rewind(lexer *self);
bool is_name_byte(char c); /* a letter, digit, or _ */
bool is_blank_byte(char c);

/* True if `now` is this name / symbol. */
bool lexer_is_name(const lexer *self, const char *name);
bool lexer_is_symbol(const lexer *self, char symbol);
/* Fails with "source:line:column: found ..., expected ...". */
COSET_MUST_USE coset_status lexer_fail(const lexer *self, const char *expected);

#endif
