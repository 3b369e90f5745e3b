/* Hash map from strings to int64_t; keys are borrowed and must outlive the map. */
#ifndef COSET_BASE_MAP_H
#define COSET_BASE_MAP_H

#include "base/ctx.h"

typedef struct map_slot map_slot;

/* Zero-initialised is an empty map. */
typedef struct map {
    map_slot *slots;
    int64_t count, capacity;
} map;

/* Sets key -> value. *was_there_out (may be NULL) tells whether the key had a value before. */
COSET_MUST_USE coset_status map_set(coset_ctx *ctx, map *self, const char *key, int64_t value,
                                    bool *was_there_out);
/* Value of a key, or `otherwise`. */
int64_t map_get(const map *self, const char *key, int64_t otherwise);
void map_free(coset_ctx *ctx, map *self);

#endif
