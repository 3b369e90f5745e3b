#include "report/utf8.h"

#include <string.h>

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

static bool continues(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

int utf8_length(const char *text)
{
    const unsigned char *b = (const unsigned char *)text;
    if (b[0] == 0) return 0;
    if (b[0] < 0x80) return 1;
    if (b[0] < 0xC2 || b[0] > 0xF4 || !continues(b[1])) return 0;
    if (b[0] < 0xE0) return 2;
    if (b[0] == 0xE0 && b[1] < 0xA0) return 0; /* overlong */
    if (b[0] == 0xED && b[1] > 0x9F) return 0; /* surrogates */
    if (!continues(b[2])) return 0;
    if (b[0] < 0xF0) return 3;
    if (b[0] == 0xF0 && b[1] < 0x90) return 0; /* overlong */
    if (b[0] == 0xF4 && b[1] > 0x8F) return 0; /* over U+10FFFF */
    return continues(b[3]) ? 4 : 0;
}

coset_status utf8_copy(coset_ctx *ctx, const char *text, char **copy_out)
{
    char *copy = NULL;
    size_t at = 0;
    coset_status status = ctx_alloc_raw(ctx, (int64_t)strlen(text) * 3 + 1, 1, &copy);
    *copy_out = NULL;
    if (status != COSET_OK) return status;
    while (*text != '\0') {
        int length = utf8_length(text);
        if (length == 0) {
            memcpy(copy + at, replacement, 3);
            at += 3;
            text++;
        } else {
            memcpy(copy + at, text, (size_t)length);
            at += (size_t)length;
            text += length;
        }
    }
    copy[at] = '\0';
    *copy_out = copy;
    return COSET_OK;
}

int64_t utf8_columns(const char *text)
{
    int64_t columns = 0;
    for (; *text != '\0'; text++) columns += !continues((unsigned char)*text);
    return columns;
}
