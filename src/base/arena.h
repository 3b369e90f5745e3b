/* Bump allocator: many small pieces, freed together. */
#ifndef COSET_BASE_ARENA_H
#define COSET_BASE_ARENA_H

#include "base/ctx.h"

typedef struct arena_block arena_block;

/* Zero-initialised is an empty arena. */
typedef struct arena {
    arena_block *head;
} arena;

/* count * size zeroed bytes, 16-byte aligned, alive until arena_free. */
COSET_MUST_USE coset_status arena_alloc(coset_ctx *ctx, arena *self, int64_t count, size_t size,
                                        void *memory_out);
/* A NUL-terminated copy of `length` bytes. */
COSET_MUST_USE coset_status arena_string(coset_ctx *ctx, arena *self, const char *text,
                                         size_t length, const char **copy_out);
void arena_free(coset_ctx *ctx, arena *self);

#endif
