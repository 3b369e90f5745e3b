/* Text of unknown encoding as UTF-8: names in model files and paths may be any bytes. */
#ifndef COSET_BASE_UTF8_H
#define COSET_BASE_UTF8_H

#include "base/ctx.h"

/* Bytes of the UTF-8 character at `at`, of which `left` >= 1 bytes are there; 0 if it is none: overlong, a
 * surrogate, cut off, or NUL. */
size_t utf8_length(const void *at, size_t left);
/* A copy in which every byte that belongs to no character is U+FFFD; owned by the caller. */
COSET_MUST_USE coset_status utf8_copy(coset_ctx *ctx, const char *text, char **copy_out);
/* Characters of valid UTF-8: the columns that it takes, near enough for tables. */
int64_t utf8_columns(const char *text);

#endif
