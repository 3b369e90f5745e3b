#include <string.h>

#include "ode/evaluate.h"
#include "ode/parse.h"

typedef struct expression_parser {
    parser *self;
    bool variables; /* may stand in it */
} expression_parser;

static coset_status parse_sum(expression_parser *in, const expression **out);

static coset_status make(parser *self, expression node, const expression **out)
{
    expression *made = NULL;
    coset_status status = arena_alloc(self->ctx, &self->model->arena, 1, sizeof *made, &made);
    if (status != COSET_OK) return status;
    *made = node;
    *out = made;
    return COSET_OK;
}

/* left = left kind right */
static coset_status join(parser *self, expression_kind kind, const expression *right,
                         const expression **left)
{
    return make(self,
                (expression){.kind = kind, .left = *left, .right = right, .place = (*left)->place},
                left);
}

static coset_status go_deeper(parser *self)
{
    if (++self->depth <= MODEL_MAX_NESTING) return COSET_OK;
    return place_fail(self->ctx, COSET_ELIMIT, self->lexer.source, self->lexer.now.place,
                      "more than %d parentheses, signs, functions and powers in each other",
                      (int)MODEL_MAX_NESTING);
}

static coset_status parse_number(parser *self, const expression **out)
{
    coset_status status = COSET_OK;
    expression node = {.kind = EXPRESSION_NUMBER, .place = self->lexer.now.place};
    if (!number_parse(self->lexer.now.start, self->lexer.now.length, &node.number))
        return place_fail(self->ctx, COSET_EFORMAT, self->lexer.source, node.place,
                          "found the number '%.*s', expected one that f64 can hold",
                          (int)(self->lexer.now.length < 40 ? self->lexer.now.length : 40),
                          self->lexer.now.start);
    TRY(make(self, node, out));
    TRY(lexer_next(&self->lexer));
done:
    return status;
}

/* "(" is `now`, behind the name of a function. */
static coset_status parse_call(expression_parser *in, expression_kind kind, text_place place,
                               const expression **out)
{
    coset_status status = COSET_OK;
    parser *self = in->self;
    expression node = {.kind = kind, .place = place};
    TRY(go_deeper(self));
    TRY(parse_symbol(self, '(', "'('"));
    TRY(parse_sum(in, &node.left));
    if (kind != EXPRESSION_ABS) {
        TRY(parse_symbol(self, ',', "',' and a second argument"));
        TRY(parse_sum(in, &node.right));
    }
    TRY(parse_symbol(self, ')', "an operator or ')'"));
    TRY(make(self, node, out));
    self->depth--;
done:
    return status;
}

/* self->word is the name, `now` what follows it. */
static coset_status parse_reference(expression_parser *in, text_place place, const expression **out)
{
    parser *self = in->self;
    int64_t id = name_map_get(&self->model->names, self->word, INT64_MAX);
    if (id == INT64_MAX && lexer_is_symbol(&self->lexer, '('))
        return place_fail(self->ctx, COSET_EUNSUPPORTED, self->lexer.source, place,
                          "found the function '%.64s', expected min, max or abs", self->word);
    if (id == INT64_MAX) return parse_fail_unknown(self, place);
    if (id < 0 && !in->variables)
        return place_fail(self->ctx, COSET_EFORMAT, self->lexer.source, place,
                          "found the variable '%.64s', expected numbers and parameters",
                          self->word);
    return make(self, (expression){.kind = EXPRESSION_NAME, .name = (name_id)id, .place = place},
                out);
}

static coset_status parse_word_operand(expression_parser *in, const expression **out)
{
    static const struct {
        const char *name;
        expression_kind kind;
    } functions[] = {{"min", EXPRESSION_MIN}, {"max", EXPRESSION_MAX}, {"abs", EXPRESSION_ABS}};
    coset_status status = COSET_OK;
    parser *self = in->self;
    text_place place = {0, 0};
    TRY(parse_name(self, "a number, a name or '('", &place));
    for (int i = 0; i < 3; i++)
        if (lexer_is_symbol(&self->lexer, '(') && strcmp(self->word, functions[i].name) == 0)
            return parse_call(in, functions[i].kind, place, out);
    TRY(parse_reference(in, place, out));
done:
    return status;
}

static coset_status parse_operand(expression_parser *in, const expression **out)
{
    coset_status status = COSET_OK;
    parser *self = in->self;
    if (self->lexer.now.kind == TOKEN_NUMBER) return parse_number(self, out);
    if (!lexer_is_symbol(&self->lexer, '(')) return parse_word_operand(in, out);
    TRY(go_deeper(self));
    TRY(lexer_next(&self->lexer));
    TRY(parse_sum(in, out));
    TRY(parse_symbol(self, ')', "an operator or ')'"));
    self->depth--;
done:
    return status;
}

/* `now` is "-", which stands before an operand, not before another sign. */
static coset_status parse_negative(expression_parser *in, const expression **out)
{
    coset_status status = COSET_OK;
    parser *self = in->self;
    expression node = {.kind = EXPRESSION_NEGATE, .place = self->lexer.now.place};
    TRY(go_deeper(self));
    TRY(lexer_next(&self->lexer));
    TRY(parse_operand(in, &node.left));
    /* ERODE reads -a^b as (-a)^b, mathematics as -(a^b). */
    if (lexer_is_symbol(&self->lexer, '^'))
        return lexer_fail(&self->lexer, "parentheses behind a sign: -(a^b) or (-a)^b");
    TRY(make(self, node, out));
    self->depth--;
done:
    return status;
}

static coset_status parse_exponent(expression_parser *in, const expression **out)
{
    coset_status status = COSET_OK;
    parser *self = in->self;
    TRY(go_deeper(self));
    if (lexer_is_symbol(&self->lexer, '-'))
        TRY(parse_negative(in, out));
    else
        TRY(parse_operand(in, out));
    /* ERODE reads a^b^c as (a^b)^c, mathematics as a^(b^c). */
    if (lexer_is_symbol(&self->lexer, '^'))
        return lexer_fail(&self->lexer, "parentheses: (a^b)^c or a^(b^c)");
    self->depth--;
done:
    return status;
}

static coset_status parse_power(expression_parser *in, const expression **out)
{
    coset_status status = COSET_OK;
    const expression *exponent = NULL;
    TRY(parse_operand(in, out));
    if (!lexer_is_symbol(&in->self->lexer, '^')) goto done;
    TRY(lexer_next(&in->self->lexer));
    TRY(parse_exponent(in, &exponent));
    TRY(join(in->self, EXPRESSION_POWER, exponent, out));
done:
    return status;
}

static coset_status parse_factor(expression_parser *in, const expression **out)
{
    coset_status status = COSET_OK;
    parser *self = in->self;
    if (lexer_is_symbol(&self->lexer, '-')) return parse_negative(in, out);
    if (!lexer_is_symbol(&self->lexer, '+')) return parse_power(in, out);
    TRY(go_deeper(self));
    TRY(lexer_next(&self->lexer));
    TRY(parse_factor(in, out));
    self->depth--;
done:
    return status;
}

static coset_status parse_product(expression_parser *in, const expression **out)
{
    coset_status status = COSET_OK;
    lexer *words = &in->self->lexer;
    TRY(parse_factor(in, out));
    while (lexer_is_symbol(words, '*') || lexer_is_symbol(words, '/')) {
        expression_kind kind = lexer_is_symbol(words, '*') ? EXPRESSION_MUL : EXPRESSION_DIV;
        const expression *right = NULL;
        TRY(lexer_next(words));
        TRY(parse_factor(in, &right));
        TRY(join(in->self, kind, right, out));
    }
done:
    return status;
}

static coset_status parse_sum(expression_parser *in, const expression **out)
{
    coset_status status = COSET_OK;
    lexer *words = &in->self->lexer;
    TRY(parse_product(in, out));
    while (lexer_is_symbol(words, '+') || lexer_is_symbol(words, '-')) {
        expression_kind kind = lexer_is_symbol(words, '+') ? EXPRESSION_ADD : EXPRESSION_SUB;
        const expression *right = NULL;
        TRY(lexer_next(words));
        TRY(parse_product(in, &right));
        TRY(join(in->self, kind, right, out));
    }
done:
    return status;
}

coset_status parse_expression(parser *self, bool variables, const expression **out,
                              number *value_out)
{
    coset_status status = COSET_OK;
    expression_parser in = {self, variables};
    number value = {0, 0};
    bool known = false;
    self->depth = 0;
    TRY(parse_sum(&in, out));
    TRY(expression_evaluate(self->ctx, *out, self->values, self->lexer.source, &value, &known));
    if (value_out != NULL) *value_out = value;
done:
    return status;
}
