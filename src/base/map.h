/* Hash map from strings to int64_t; keys are borrowed and must outlive the map. */
#ifndef COSET_BASE_MAP_H
#define COSET_BASE_MAP_H

#include "base/ctx.h"

typedef struct name_slot name_slot;

/* Zero-initialised is an empty map. */
typedef struct name_map {
    name_slot *slots;
    int64_t count, capacity;
} name_map;

/* Sets key -> value. *was_there_out (may be NULL) tells whether the key had a value before. */
COSET_MUST_USE coset_status name_map_set(coset_ctx *ctx, name_map *self, const char *key,
                                         int64_t value, bool *was_there_out);
/* Value of a key, or `otherwise`. */
int64_t name_map_get(const name_map *self, const char *key, int64_t otherwise);
void name_map_free(coset_ctx *ctx, name_map *self);

#endif
