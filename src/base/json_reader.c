#include "base/json_reader.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/utf8.h"

enum { LONGEST_NUMBER = 800 }; /* a double written out whole has at most 767 significant digits */

struct json_document {
    arena memory;
    jvalue root;
};

/* An object or list whose end has not been met. */
typedef struct frame {
    jvalue_kind kind;
    const char *key;
    int64_t first; /* its entries so far: stack[first ..] */
} frame;

typedef struct parser {
    coset_ctx *ctx;
    json_document *out;
    const char *name;
    const uint8_t *begin, *at, *end;
    int64_t values;
    int depth;
    frame frames[JSON_MAX_NESTING];
    jvalue *stack;
    int64_t used, capacity;
    char *text; /* JSON_MAX_STRING + 4: a string being unescaped */
} parser;

static coset_status fail_at(parser *self, const char *what)
{
    int64_t line = 1, column = 1;
    for (const uint8_t *c = self->begin; c < self->at; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    return ctx_fail(self->ctx, COSET_EFORMAT, "%s: line %lld, column %lld: %s", self->name,
                    (long long)line, (long long)column, what);
}

static void skip_blanks(parser *self)
{
    while (self->at < self->end &&
           (*self->at == ' ' || *self->at == '\n' || *self->at == '\t' || *self->at == '\r'))
        self->at++;
}

/* ---- texts -------------------------------------------------------------------------------------- */

bool json_is_text(const char *text)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    while (at < end) {
        size_t length = utf8_length(at, (size_t)(end - at));
        if (length == 0) return false;
        at += length;
    }
    return true;
}

/* Four hexadecimal digits; -1 if they are not there. */
static int32_t hex_digits(const uint8_t *at, size_t left)
{
    int32_t code = 0;
    if (left < 4) return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = at[i], low = c | 0x20;
        if (c >= '0' && c <= '9')
            code = code * 16 + (c - '0');
        else if (low >= 'a' && low <= 'f')
            code = code * 16 + (low - 'a' + 10);
        else
            return -1;
    }
    return code;
}

static size_t encode_utf8(int32_t code, char *out)
{
    uint32_t c = (uint32_t)code;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The character behind "\u", a pair of surrogates taken together; -1 if there is none. NUL is none:
 * texts end at it. */
static int32_t escaped_code(parser *self)
{
    int32_t code = hex_digits(self->at, (size_t)(self->end - self->at));
    if (code < 1 || (code >= 0xDC00 && code < 0xE000)) return -1;
    self->at += 4;
    if (code < 0xD800 || code >= 0xE000) return code;
    if (self->end - self->at < 6 || self->at[0] != '\\' || self->at[1] != 'u') return -1;
    int32_t low = hex_digits(self->at + 2, 4);
    if (low < 0xDC00 || low >= 0xE000) return -1;
    self->at += 6;
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

/* One character of a string, escaped or not, to `out`, which has room for four bytes. */
static coset_status read_character(parser *self, char *out, size_t *length_out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint8_t c = *self->at;
    *length_out = 1;
    if (c < 0x20) return fail_at(self, "a control character in a text must be escaped");
    if (c != '\\') {
        *length_out = utf8_length(self->at, (size_t)(self->end - self->at));
        if (*length_out == 0) return fail_at(self, "a text is not UTF-8");
        memcpy(out, self->at, *length_out);
        self->at += *length_out;
        return COSET_OK;
    }
    if (++self->at == self->end) return fail_at(self, "a text does not end");
    const char *letter = *self->at != '\0' ? strchr(letters, *self->at) : NULL;
    if (letter != NULL) {
        *out = meanings[letter - letters];
        self->at++;
        return COSET_OK;
    }
    if (*self->at != 'u') return fail_at(self, "an unknown escape");
    self->at++;
    int32_t code = escaped_code(self);
    if (code < 0) return fail_at(self, "an escape that is no character");
    *length_out = encode_utf8(code, out);
    return COSET_OK;
}

static coset_status read_text(parser *self, const char **text_out)
{
    size_t used = 0, length = 0;
    for (self->at++; self->at < self->end && *self->at != '"'; used += length) {
        coset_status status = read_character(self, self->text + used, &length);
        if (status != COSET_OK) return status;
        if (used + length > JSON_MAX_STRING)
            return ctx_fail(self->ctx, COSET_ELIMIT, "%s: a text is longer than %d bytes",
                            self->name, JSON_MAX_STRING);
    }
    if (self->at == self->end) return fail_at(self, "a text does not end");
    self->at++;
    return arena_string(self->ctx, &self->out->memory, self->text, used, text_out);
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static size_t count_digits(const uint8_t *at, const uint8_t *end)
{
    size_t n = 0;
    while (at + n < end && at[n] >= '0' && at[n] <= '9') n++;
    return n;
}

/* Length of the number at `at` by JSON's grammar, 0 if it is none. */
static size_t number_length(const uint8_t *at, const uint8_t *end, bool *whole_out)
{
    const uint8_t *from = at;
    if (at < end && *at == '-') at++;
    size_t digits = count_digits(at, end);
    if (digits == 0 || (digits > 1 && *at == '0')) return 0;
    at += digits;
    *whole_out = true;
    if (at < end && *at == '.') {
        digits = count_digits(++at, end);
        if (digits == 0) return 0;
        at += digits;
        *whole_out = false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        if (++at < end && (*at == '+' || *at == '-')) at++;
        digits = count_digits(at, end);
        if (digits == 0) return 0;
        at += digits;
        *whole_out = false;
    }
    return (size_t)(at - from);
}

static bool parse_whole(const uint8_t *at, size_t length, int64_t *value_out)
{
    bool negative = *at == '-';
    int64_t value = 0;
    for (size_t i = negative; i < length; i++) {
        int64_t digit = at[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *value_out = value;
    return true;
}

static bool parse_real(const uint8_t *at, size_t length, double *value_out)
{
    char copy[LONGEST_NUMBER];
    if (length >= sizeof copy) return false;
    memcpy(copy, at, length);
    copy[length] = '\0';
    /* The process's locale may want a comma. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) return false;
    *value_out = strtod_l(copy, NULL, plain);
    freelocale(plain);
    return isfinite(*value_out);
}

static coset_status read_number(parser *self, jvalue *value)
{
    bool whole = false;
    size_t length = number_length(self->at, self->end, &whole);
    if (length == 0) return fail_at(self, "expected a value");
    value->kind = whole ? JVALUE_INTEGER : JVALUE_REAL;
    bool fits = whole ? parse_whole(self->at, length, &value->integer)
                      : parse_real(self->at, length, &value->real);
    if (!fits) return fail_at(self, "a number is too large");
    self->at += length;
    return COSET_OK;
}

/* ---- values ------------------------------------------------------------------------------------- */

static bool read_word(parser *self, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(self->end - self->at) < length || memcmp(self->at, word, length) != 0)
        return false;
    self->at += length;
    return true;
}

static coset_status open_frame(parser *self, jvalue_kind kind, const char *key)
{
    if (self->depth == JSON_MAX_NESTING)
        return ctx_fail(self->ctx, COSET_ELIMIT, "%s: nested more than %d deep", self->name,
                        JSON_MAX_NESTING);
    self->frames[self->depth++] = (frame){kind, key, self->used};
    self->at++;
    return COSET_OK;
}

static coset_status push(parser *self, const jvalue *value)
{
    coset_status status =
        ctx_reserve(self->ctx, &self->stack, &self->capacity, self->used + 1, sizeof *self->stack);
    if (status == COSET_OK) self->stack[self->used++] = *value;
    return status;
}

static int by_key(const void *left, const void *right)
{
    return strcmp(((const jvalue *)left)->key, ((const jvalue *)right)->key);
}

/* Turns the entries of the innermost frame into one value on the stack. */
static coset_status close_frame(parser *self)
{
    const frame *top = &self->frames[--self->depth];
    jvalue value = {.key = top->key, .kind = top->kind, .n = self->used - top->first};
    jvalue *items = NULL;
    coset_status status =
        arena_alloc(self->ctx, &self->out->memory, value.n, sizeof *items, &items);
    if (status != COSET_OK) return status;
    if (value.n > 0) memcpy(items, self->stack + top->first, (size_t)value.n * sizeof *items);
    if (value.kind == JVALUE_OBJECT && value.n > 1) {
        qsort(items, (size_t)value.n, sizeof *items, by_key);
        for (int64_t i = 1; i < value.n; i++)
            if (strcmp(items[i - 1].key, items[i].key) == 0)
                return fail_at(self, "an object with a repeated key ends here");
    }
    value.items = items;
    self->used = top->first;
    self->at++;
    return push(self, &value);
}

/* A value or the beginning of one. */
static coset_status read_value(parser *self, const char *key)
{
    coset_status status = COSET_OK;
    jvalue value = {.key = key, .kind = JVALUE_NULL};
    if (self->at == self->end) return fail_at(self, "it ends where a value is expected");
    if (++self->values > JSON_MAX_VALUES)
        return ctx_fail(self->ctx, COSET_ELIMIT, "%s: more than %d values", self->name,
                        JSON_MAX_VALUES);
    if (*self->at == '{') return open_frame(self, JVALUE_OBJECT, key);
    if (*self->at == '[') return open_frame(self, JVALUE_LIST, key);
    if (*self->at == '"') {
        value.kind = JVALUE_TEXT;
        status = read_text(self, &value.text);
    } else if (read_word(self, "true") || read_word(self, "false")) {
        value.kind = JVALUE_BOOL;
        value.truth = self->at[-2] == 'u';
    } else if (!read_word(self, "null")) {
        status = read_number(self, &value);
    }
    return status == COSET_OK ? push(self, &value) : status;
}

static coset_status read_key(parser *self, const char **key_out)
{
    if (self->at == self->end || *self->at != '"') return fail_at(self, "expected a key");
    coset_status status = read_text(self, key_out);
    if (status != COSET_OK) return status;
    skip_blanks(self);
    if (self->at == self->end || *self->at != ':') return fail_at(self, "expected ':'");
    self->at++;
    skip_blanks(self);
    return COSET_OK;
}

/* The next step inside the innermost frame: an entry, or its end. */
static coset_status step(parser *self)
{
    const frame *top = &self->frames[self->depth - 1];
    bool object = top->kind == JVALUE_OBJECT, first = self->used == top->first;
    const char *key = NULL;
    if (self->at == self->end) return fail_at(self, "it ends inside an object or list");
    if (*self->at == (object ? '}' : ']')) return close_frame(self);
    if (!first) {
        if (*self->at != ',') return fail_at(self, "expected ',' or the end of an object or list");
        self->at++;
        skip_blanks(self);
    }
    if (object) {
        coset_status status = read_key(self, &key);
        if (status != COSET_OK) return status;
    }
    return read_value(self, key);
}

static coset_status parse(parser *self)
{
    coset_status status = COSET_OK;
    skip_blanks(self);
    if (self->at == self->end || *self->at != '{') return fail_at(self, "expected an object");
    TRY(read_value(self, NULL));
    while (self->depth > 0) {
        skip_blanks(self);
        TRY(step(self));
    }
    skip_blanks(self);
    if (self->at != self->end) status = fail_at(self, "something follows the object");
    self->out->root = self->stack[0];
done:
    return status;
}

coset_status json_read(coset_ctx *ctx, const void *bytes, size_t size, const char *name,
                       json_document **document_out)
{
    coset_status status = COSET_OK;
    parser self = {.ctx = ctx, .name = name, .begin = bytes, .at = bytes};
    self.end = self.begin + size;
    *document_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self.out, &self.out));
    TRY(ctx_alloc_raw(ctx, JSON_MAX_STRING + 4, 1, &self.text));
    TRY(parse(&self));
    *document_out = self.out;
    self.out = NULL;
done:
    ctx_free(ctx, self.text);
    ctx_free(ctx, self.stack);
    json_document_free(ctx, self.out);
    return status;
}

const jvalue *json_root(const json_document *self)
{
    return &self->root;
}

void json_document_free(coset_ctx *ctx, json_document *self)
{
    if (self == NULL) return;
    arena_free(ctx, &self->memory);
    ctx_free(ctx, self);
}

const jvalue *jvalue_get(const jvalue *self, const char *key)
{
    if (self == NULL || self->kind != JVALUE_OBJECT || self->n == 0) return NULL;
    jvalue wanted = {.key = key};
    return bsearch(&wanted, self->items, (size_t)self->n, sizeof *self->items, by_key);
}

const char *jvalue_text(const jvalue *self)
{
    return self != NULL && self->kind == JVALUE_TEXT ? self->text : NULL;
}

bool jvalue_is_null(const jvalue *self)
{
    return self == NULL || self->kind == JVALUE_NULL;
}
