/* Decodes bytes as a safetensors file and reads every tensor to its last byte. */
#include "lump/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    coset_ctx *ctx = NULL;
    safetensors *file = NULL;
    if (coset_ctx_new(NULL, &ctx) != COSET_OK) return 0;
    if (safetensors_decode(ctx, bytes, size, "fuzz.safetensors", &file) == COSET_OK) {
        size_t covered = 0;
        char digest[65];
        for (int64_t i = 0; i < safetensors_count(file); i++) {
            const safetensors_entry *entry = safetensors_at(file, i);
            if (safetensors_find(file, entry->name) != entry) __builtin_trap();
            file_digest(entry->data, entry->bytes, digest);
            covered += entry->bytes;
        }
        if (covered > size) __builtin_trap();
        safetensors_free(ctx, file);
    }
    coset_ctx_free(ctx);
    return 0;
}
