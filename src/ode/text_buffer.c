#include "ode/text_buffer.h"

#include <string.h>

void text_put(text_buffer *self, const char *bytes, size_t length)
{
    if (self->status != COSET_OK || length == 0) return;
    if (self->length + (int64_t)length > self->capacity)
        self->status = ctx_reserve(self->ctx, &self->bytes, &self->capacity,
                                   self->length + (int64_t)length, 1);
    if (self->status != COSET_OK) return;
    memcpy(self->bytes + self->length, bytes, length);
    self->length += (int64_t)length;
}

void text_puts(text_buffer *self, const char *text)
{
    text_put(self, text, strlen(text));
}

void text_putc(text_buffer *self, char c)
{
    text_put(self, &c, 1);
}
