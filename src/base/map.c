#include "base/map.h"

#include <string.h>

struct name_slot {
    const char *key; /* NULL: empty */
    uint64_t hash;
    int64_t value;
};

/* FNV-1a with a final mix, so that the low bits depend on every byte. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    hash ^= hash >> 32;
    hash *= 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

static name_slot *find(const name_map *self, const char *key, uint64_t hash)
{
    uint64_t mask = (uint64_t)self->capacity - 1;
    for (uint64_t at = hash & mask;; at = (at + 1) & mask) {
        name_slot *slot = &self->slots[at];
        if (slot->key == NULL || (slot->hash == hash && strcmp(slot->key, key) == 0)) return slot;
    }
}

static coset_status grow(coset_ctx *ctx, name_map *self)
{
    name_map wider = {NULL, self->count, self->capacity ? self->capacity * 2 : 16};
    coset_status status = ctx_alloc(ctx, wider.capacity, sizeof *wider.slots, &wider.slots);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < self->capacity; i++)
        if (self->slots[i].key != NULL)
            *find(&wider, self->slots[i].key, self->slots[i].hash) = self->slots[i];
    ctx_free(ctx, self->slots);
    *self = wider;
    return COSET_OK;
}

coset_status name_map_set(coset_ctx *ctx, name_map *self, const char *key, int64_t value,
                          bool *was_there_out)
{
    if (2 * (self->count + 1) > self->capacity) {
        coset_status status = grow(ctx, self);
        if (status != COSET_OK) return status;
    }
    uint64_t hash = hash_text(key);
    name_slot *slot = find(self, key, hash);
    if (was_there_out != NULL) *was_there_out = slot->key != NULL;
    if (slot->key == NULL) self->count++;
    *slot = (name_slot){slot->key ? slot->key : key, hash, value};
    return COSET_OK;
}

int64_t name_map_get(const name_map *self, const char *key, int64_t otherwise)
{
    if (self->capacity == 0) return otherwise;
    const name_slot *slot = find(self, key, hash_text(key));
    return slot->key != NULL ? slot->value : otherwise;
}

void name_map_free(coset_ctx *ctx, name_map *self)
{
    ctx_free(ctx, self->slots);
    *self = (name_map){NULL, 0, 0};
}
