/* Text that grows; the first failure is kept and later additions do nothing. */
#ifndef COSET_REPORT_BUFFER_H
#define COSET_REPORT_BUFFER_H

#include "base/ctx.h"

typedef struct buffer {
    coset_ctx *ctx;
    coset_status status;
    char *text; /* owned, NUL-terminated once something was added */
    int64_t length, capacity;
} buffer;

void buffer_add(buffer *self, const char *format, ...) COSET_PRINTF(2, 3);
/* `count` copies of a character. */
void buffer_fill(buffer *self, char character, int64_t count);
/* Text of any content as HTML. */
void buffer_add_html(buffer *self, const char *text);
/* Hands the text over, "" if there is none; frees it on failure. */
COSET_MUST_USE coset_status buffer_take(buffer *self, char **text_out);

#endif
