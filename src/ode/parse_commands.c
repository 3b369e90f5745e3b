/* What stands between the sections: commands to the tool, which may be of any form. They are kept without
 * their comments, line by line. */
#include "ode/parse.h"

/* Whether the text ends here: `self` stands on the first byte behind a word, which is "end" / "begin".
 *   depth  brackets that are open; a word that is no section begins one only outside of them */
static coset_status ends_here(const lexer *self, bool is_end, int64_t depth, bool *out)
{
    coset_status status = COSET_OK;
    lexer ahead = *self;
    TRY(lexer_next(&ahead));
    if (is_end)
        *out = lexer_is_name(&ahead, "model");
    else
        *out = ahead.now.kind == TOKEN_NAME &&
               (depth == 0 || section_named(ahead.now.start, ahead.now.length) != SECTION_COUNT);
done:
    return status;
}

/* One word of any kind goes into the text, or *done_out is set and `words` stand before it. */
static coset_status copy_word(parser *self, int64_t *depth, bool *keyword, bool *done_out)
{
    coset_status status = COSET_OK;
    lexer *words = &self->lexer;
    TRY(lexer_next(words));
    bool is_end = lexer_is_name(words, "end"), is_begin = lexer_is_name(words, "begin");
    if (words->now.kind == TOKEN_END) return lexer_fail(words, "'end model'");
    if (is_end || is_begin) TRY(ends_here(words, is_end, *depth, done_out));
    if (*done_out) goto done;
    char c = words->now.kind == TOKEN_SYMBOL ? *words->now.start : ' ';
    if (c == '(' || c == '[' || c == '{') ++*depth;
    if ((c == ')' || c == ']' || c == '}') && *depth > 0) --*depth;
    *keyword = is_end || is_begin;
    text_put(&self->commands, words->now.start, words->now.length);
    status = self->commands.status;
done:
    return status;
}

/* Blanks and comments as one blank, or one line end if there was any. */
static coset_status copy_blanks(parser *self)
{
    lexer *words = &self->lexer;
    int32_t line = words->place.line;
    const char *start = words->at;
    comment found;
    do {
        lexer_skip_blanks(words);
        coset_status status = lexer_skip_comment(words, &found);
        if (status != COSET_OK) return status;
    } while (found.length > 0);
    if (words->at > start) text_putc(&self->commands, words->place.line > line ? '\n' : ' ');
    return self->commands.status;
}

coset_status parse_commands(parser *self)
{
    coset_status status = COSET_OK;
    int64_t depth = 0;
    bool keyword = false, over = false;
    lexer_rewind(&self->lexer);
    while (!over) {
        TRY(copy_blanks(self));
        TRY(copy_word(self, &depth, &keyword, &over));
    }
    /* Lest the word form a pair with the commands behind the section. */
    if (keyword && !parse_at_end(self)) text_puts(&self->commands, ";");
    text_putc(&self->commands, '\n');
    status = self->commands.status;
done:
    return status;
}

/* Lines lose the blanks around them; empty ones go. In place. */
static int64_t trim_lines(char *text, int64_t length)
{
    int64_t kept = 0;
    for (int64_t at = 0; at < length;) {
        while (at < length && (text[at] == ' ' || text[at] == '\n')) at++;
        if (at == length) break;
        if (kept > 0) text[kept++] = '\n';
        while (at < length && text[at] != '\n') text[kept++] = text[at++];
        while (text[kept - 1] == ' ') kept--;
    }
    return kept;
}

/* The number of "tEnd = number" among the arguments; `words` stand behind the name of the command. */
static coset_status find_time(lexer *words, double *time_out)
{
    coset_status status = COSET_OK;
    number value = {0, 0};
    if (!lexer_is_symbol(words, '(')) goto done;
    while (words->now.kind != TOKEN_END && !lexer_is_symbol(words, ')')) {
        bool named = lexer_is_name(words, "tEnd");
        TRY(lexer_next(words));
        if (!named || !lexer_is_symbol(words, '=')) continue;
        TRY(lexer_next(words));
        token found = words->now;
        if (found.kind != TOKEN_NUMBER) continue;
        TRY(lexer_next(words));
        if ((lexer_is_symbol(words, ',') || lexer_is_symbol(words, ')')) &&
            number_parse(found.start, found.length, &value))
            *time_out = value.value;
        break;
    }
done:
    return status;
}

coset_status parse_finish_commands(parser *self)
{
    coset_status status = COSET_OK;
    lexer words;
    int64_t length = trim_lines(self->commands.bytes, self->commands.length);
    if (length == 0) goto done;
    TRY(parse_keep(self, self->commands.bytes, (size_t)length, &self->model->commands));
    lexer_start(&words, self->ctx, self->commands.bytes, (size_t)length, self->lexer.source);
    do {
        TRY(lexer_next(&words));
        if (!lexer_is_name(&words, "simulateODE")) continue;
        TRY(lexer_next(&words));
        TRY(find_time(&words, &self->model->t_end));
        break;
    } while (words.now.kind != TOKEN_END);
done:
    return status;
}
