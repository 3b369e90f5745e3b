#include "base/arena.h"

#include <string.h>

#include "base/size.h"

enum { ARENA_BLOCK = 64 * 1024, ARENA_ALIGNMENT = 16 };

struct arena_block {
    arena_block *next;
    size_t used, size;
    _Alignas(ARENA_ALIGNMENT) unsigned char bytes[];
};

coset_status arena_alloc(coset_ctx *ctx, arena *self, int64_t count, size_t size, void *memory_out)
{
    size_t bytes = 0;
    if (count < 0 || !size_mul((size_t)count, size, &bytes) || bytes > PTRDIFF_MAX - ARENA_BLOCK)
        return ctx_fail(ctx, COSET_EMEMORY, "out of memory");
    bytes = (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    arena_block *block = self->head;
    if (block == NULL || block->size - block->used < bytes) {
        size_t capacity = bytes > ARENA_BLOCK / 4 ? bytes : ARENA_BLOCK;
        coset_status status = ctx_alloc_raw(ctx, (int64_t)(sizeof *block + capacity), 1, &block);
        if (status != COSET_OK) return status;
        block->used = 0;
        block->size = capacity;
        /* A large piece goes behind the current block, which may still have room. */
        if (self->head != NULL && capacity == bytes) {
            block->next = self->head->next;
            self->head->next = block;
        } else {
            block->next = self->head;
            self->head = block;
        }
    }
    void *memory = block->bytes + block->used;
    block->used += bytes;
    memset(memory, 0, bytes);
    memcpy(memory_out, &memory, sizeof memory);
    return COSET_OK;
}

coset_status arena_string(coset_ctx *ctx, arena *self, const char *text, size_t length,
                          const char **copy_out)
{
    char *copy = NULL;
    coset_status status = arena_alloc(ctx, self, (int64_t)length + 1, 1, &copy);
    if (status == COSET_OK && length > 0) memcpy(copy, text, length);
    *copy_out = copy;
    return status;
}

void arena_free(coset_ctx *ctx, arena *self)
{
    while (self->head != NULL) {
        arena_block *next = self->head->next;
        ctx_free(ctx, self->head);
        self->head = next;
    }
}
