#include "lump/json_guard.h"

typedef struct counts {
    int64_t nesting, values, parents;
} counts;

/* Position behind the string that begins at `at`; a string that does not end is left to the parser. */
static size_t skip_string(const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++)
        if (text[at] == '\\' && at + 1 < size) at++;
    return at < size ? at + 1 : size;
}

/* Counts without parsing: a comma or colon means one more value, a bracket one more parent. What is not JSON may
 * be counted wrongly, but never too low for what the parser builds before it notices. */
static coset_status measure(coset_ctx *ctx, const char *text, size_t size, const char *name)
{
    counts seen = {0, 1, 0};
    for (size_t at = 0; at < size;) {
        char c = text[at];
        if (c == '"') {
            size_t end = skip_string(text, size, at);
            if (end - at > JSON_GUARD_STRING + 2)
                return ctx_fail(ctx, COSET_ELIMIT, "%s: a string is longer than %d bytes", name,
                                JSON_GUARD_STRING);
            at = end;
            continue;
        }
        at++;
        seen.values += c == ',' || c == ':';
        if (c == ']' || c == '}') seen.nesting--;
        if (c == '[' || c == '{') {
            seen.nesting++;
            seen.parents++;
            seen.values++;
        }
        if (seen.nesting > JSON_GUARD_NESTING)
            return ctx_fail(ctx, COSET_ELIMIT, "%s: nested more than %d deep", name,
                            JSON_GUARD_NESTING);
        if (seen.values > JSON_GUARD_VALUES || seen.parents > JSON_GUARD_PARENTS)
            return ctx_fail(ctx, COSET_ELIMIT, "%s: more than %d values or %d objects and lists",
                            name, JSON_GUARD_VALUES, JSON_GUARD_PARENTS);
    }
    return COSET_OK;
}

coset_status json_guard_parse(coset_ctx *ctx, const void *bytes, size_t size, const char *name,
                              json_t **json_out)
{
    const char *text = bytes;
    json_error_t error;
    *json_out = NULL;
    /* Padding is not worth the parser's time. */
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\n')) size--;
    coset_status status = measure(ctx, text, size, name);
    if (status != COSET_OK) return status;
    json_t *made = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (made == NULL && json_error_code(&error) == json_error_out_of_memory)
        return ctx_fail(ctx, COSET_EMEMORY, "%s: no memory for its contents", name);
    for (char *c = error.text; made == NULL && *c != '\0'; c++)
        if (*c > 0 && *c < ' ') *c = '?'; /* it quotes the file: keep the message on one line */
    if (made == NULL)
        return ctx_fail(ctx, COSET_EFORMAT, "%s: line %d, column %d: %s", name, error.line,
                        error.column, error.text);
    if (!json_is_object(made)) {
        json_decref(made);
        return ctx_fail(ctx, COSET_EFORMAT, "%s: is not a JSON object", name);
    }
    *json_out = made;
    return COSET_OK;
}
