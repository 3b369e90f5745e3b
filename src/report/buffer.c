#include "report/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool make_room(buffer *self, int64_t length)
{
    if (self->status == COSET_OK)
        self->status =
            ctx_reserve(self->ctx, &self->text, &self->capacity, self->length + length + 1, 1);
    return self->status == COSET_OK;
}

void buffer_add(buffer *self, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length > 0 && make_room(self, length)) {
        vsnprintf(self->text + self->length, (size_t)length + 1, format, again);
        self->length += length;
    }
    va_end(again);
}

void buffer_fill(buffer *self, char character, int64_t count)
{
    if (count <= 0 || !make_room(self, count)) return;
    memset(self->text + self->length, character, (size_t)count);
    self->length += count;
    self->text[self->length] = '\0';
}

void buffer_add_html(buffer *self, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&': buffer_add(self, "&amp;"); break;
        case '<': buffer_add(self, "&lt;"); break;
        case '>': buffer_add(self, "&gt;"); break;
        case '"': buffer_add(self, "&quot;"); break;
        default: buffer_fill(self, *text, 1);
        }
    }
}

coset_status buffer_take(buffer *self, char **text_out)
{
    *text_out = NULL;
    if (make_room(self, 0)) {
        *text_out = self->text;
        self->text = NULL;
    }
    ctx_free(self->ctx, self->text);
    return self->status;
}
