/* SHA-256 of bytes that come in pieces; file_digest does it for bytes that lie in one place. */
#ifndef COSET_BASE_DIGEST_H
#define COSET_BASE_DIGEST_H

#include "base/ctx.h"

enum { DIGEST_TEXT = 65 }; /* lower-case hexadecimal and its NUL */

typedef struct digest digest;

/* Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status digest_new(coset_ctx *ctx, digest **digest_out);
void digest_add(digest *self, const void *bytes, size_t size);
/* Ends the digest: nothing may be added afterwards. text_out has room for DIGEST_TEXT. */
void digest_end(digest *self, char *text_out);
void digest_free(coset_ctx *ctx, digest *self);

#endif
