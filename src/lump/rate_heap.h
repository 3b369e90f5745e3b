/* A heap of groups by a rate: the next step of a greedy rule without looking at all of them. */
#ifndef COSET_LUMP_RATE_HEAP_H
#define COSET_LUMP_RATE_HEAP_H

#include "base/ctx.h"

typedef struct rate_entry {
    double rate;
    int64_t group;
} rate_entry;

/* The least rate first; of equal ones, the group with the smallest number. */
typedef struct rate_heap {
    rate_entry *entries; /* [capacity], owned */
    int64_t n, capacity;
} rate_heap;

/* An empty heap with room for `capacity` entries. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status rate_heap_new(coset_ctx *ctx, int64_t capacity, rate_heap *heap_out);
void rate_heap_free(coset_ctx *ctx, rate_heap *self);
/* There must be room. Cost: log. */
void rate_heap_push(rate_heap *self, rate_entry entry);
/* Takes the first entry out; false if there is none. Cost: log. */
bool rate_heap_pop(rate_heap *self, rate_entry *first_out);
/* True if `entry` comes before everything in the heap. */
bool rate_heap_precedes(const rate_heap *self, rate_entry entry);

#endif
