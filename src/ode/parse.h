/* Inside of the reader of model files: one word ahead, top down, no recursion but for nesting. */
#ifndef COSET_ODE_PARSE_H
#define COSET_ODE_PARSE_H

#include "ode/lexer.h"
#include "ode/model.h"
#include "ode/text_buffer.h"

typedef enum section {
    SECTION_PARAMETERS,
    SECTION_INIT,
    SECTION_PARTITION,
    SECTION_REACTIONS,
    SECTION_ODE,
    SECTION_VIEWS,
    SECTION_COUNT
} section;

typedef struct side_list {
    reaction_side *items;
    int64_t n, capacity;
} side_list;

typedef struct parser {
    coset_ctx *ctx;
    lexer lexer;
    ode_model *model;
    char *word; /* the last name, NUL-terminated */
    int64_t word_capacity;
    char *kept; /* a name that parse_keep_word put aside */
    int64_t kept_capacity;
    number *values; /* of the parameters so far */
    int64_t values_capacity;
    side_list reagents, products;
    text_buffer commands;
    int depth;
    int64_t size;                /* of the text */
    int32_t seen[SECTION_COUNT]; /* line of the section; 0: not yet */
} parser;

/* The section of this name; SECTION_COUNT: none. */
section section_named(const char *name, size_t length);

/* Takes `now` if it is the symbol / a name that is neither "begin" nor "end"; the name goes to
 * self->word, its place to place_out (may be NULL). `expected` goes into the message. */
COSET_MUST_USE coset_status parse_symbol(parser *self, char symbol, const char *expected);
COSET_MUST_USE coset_status parse_name(parser *self, const char *expected, text_place *place_out);
/* A name that stands for a variable. */
COSET_MUST_USE coset_status parse_variable(parser *self, int64_t *index_out);
/* Copies `now` into self->word. Errors: COSET_ELIMIT for MODEL_MAX_NAME. */
COSET_MUST_USE coset_status parse_word(parser *self);
/* Puts self->word aside into self->kept, out of the way of the words that follow. */
void parse_keep_word(parser *self);
/* Fails because self->word stands for nothing. */
COSET_MUST_USE coset_status parse_fail_unknown(parser *self, text_place place);
/* Puts the place before the error text of a status that is a failure. */
COSET_MUST_USE coset_status parse_located(parser *self, coset_status status, text_place place);
/* Text in the model's arena, valid UTF-8. */
COSET_MUST_USE coset_status parse_keep(parser *self, const char *text, size_t length,
                                       const char **out);
/* Says how much of the text was read. */
void parse_progress(const parser *self);
/* True if the section is over: `now` is "end". */
bool parse_at_end(const parser *self);

/* The longest expression from `now` on, of numbers, parameters and, if `variables`, variables. The value of
 * a constant one goes to value_out (may be NULL). Errors: those of model_parse. */
COSET_MUST_USE coset_status parse_expression(parser *self, bool variables, const expression **out,
                                             number *value_out);

/* What stands between "begin NAME" and "end NAME". */
COSET_MUST_USE coset_status parse_parameters(parser *self);
COSET_MUST_USE coset_status parse_init(parser *self);
COSET_MUST_USE coset_status parse_partition(parser *self);
COSET_MUST_USE coset_status parse_reactions(parser *self);
COSET_MUST_USE coset_status parse_equations(parser *self);
COSET_MUST_USE coset_status parse_views(parser *self);
/* "[words]", which say nothing about the dynamics, if `now` is one. */
COSET_MUST_USE coset_status parse_brackets(parser *self);

/* Text from `now` to the next "begin SECTION" or "end model", which becomes `now`. */
COSET_MUST_USE coset_status parse_commands(parser *self);
/* Puts the text of all commands and what they say into the model. */
COSET_MUST_USE coset_status parse_finish_commands(parser *self);

#endif
