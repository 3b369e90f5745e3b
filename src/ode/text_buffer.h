/* Text that grows; the first failure is kept and later additions do nothing. */
#ifndef COSET_ODE_TEXT_BUFFER_H
#define COSET_ODE_TEXT_BUFFER_H

#include "base/ctx.h"

typedef struct text_buffer {
    coset_ctx *ctx;
    coset_status status;
    char *bytes; /* owned (ctx_free), not NUL-terminated */
    int64_t length, capacity;
} text_buffer;

void text_put(text_buffer *self, const char *bytes, size_t length);
void text_puts(text_buffer *self, const char *text);
void text_putc(text_buffer *self, char c);

#endif
