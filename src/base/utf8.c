#include "base/utf8.h"

#include <string.h>

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

static bool continues(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t utf8_length(const void *at, size_t left)
{
    const uint8_t *b = at;
    if (b[0] < 0x80) return b[0] != 0;
    size_t length = b[0] < 0xC2 ? 0 : b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : b[0] < 0xF5 ? 4 : 0;
    if (length == 0 || length > left) return 0;
    for (size_t i = 1; i < length; i++)
        if (!continues(b[i])) return 0;
    if ((b[0] == 0xE0 && b[1] < 0xA0) || (b[0] == 0xED && b[1] > 0x9F)) return 0;
    if ((b[0] == 0xF0 && b[1] < 0x90) || (b[0] == 0xF4 && b[1] > 0x8F)) return 0;
    return length;
}

coset_status utf8_copy(coset_ctx *ctx, const char *text, char **copy_out)
{
    char *copy = NULL;
    size_t at = 0, left = strlen(text);
    coset_status status = ctx_alloc_raw(ctx, (int64_t)left * 3 + 1, 1, &copy);
    *copy_out = NULL;
    if (status != COSET_OK) return status;
    while (left > 0) {
        size_t length = utf8_length(text, left), step = length > 0 ? length : 1;
        memcpy(copy + at, length > 0 ? text : replacement, length > 0 ? length : 3);
        at += length > 0 ? length : 3;
        text += step;
        left -= step;
    }
    copy[at] = '\0';
    *copy_out = copy;
    return COSET_OK;
}

int64_t utf8_columns(const char *text)
{
    int64_t columns = 0;
    for (; *text != '\0'; text++) columns += !continues((uint8_t)*text);
    return columns;
}
