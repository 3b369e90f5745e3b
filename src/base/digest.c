#include "base/digest.h"

#include <sha256.h>
#include <stdio.h>

struct digest {
    SHA256_CTX state;
};

coset_status digest_new(coset_ctx *ctx, digest **digest_out)
{
    coset_status status = ctx_alloc(ctx, 1, sizeof **digest_out, digest_out);
    if (status == COSET_OK) SHA256Init(&(*digest_out)->state);
    return status;
}

void digest_add(digest *self, const void *bytes, size_t size)
{
    SHA256Update(&self->state, bytes, size);
}

void digest_end(digest *self, char *text_out)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256Final(hash, &self->state);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) snprintf(text_out + 2 * i, 3, "%02x", hash[i]);
}

void digest_free(coset_ctx *ctx, digest *self)
{
    ctx_free(ctx, self);
}
