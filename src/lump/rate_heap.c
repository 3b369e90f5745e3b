#include "lump/rate_heap.h"

#include <assert.h>

static bool before(rate_entry a, rate_entry b)
{
    return a.rate < b.rate || (!(b.rate < a.rate) && a.group < b.group);
}

coset_status rate_heap_new(coset_ctx *ctx, int64_t capacity, rate_heap *heap_out)
{
    *heap_out = (rate_heap){.capacity = capacity};
    return ctx_alloc(ctx, capacity, sizeof *heap_out->entries, &heap_out->entries);
}

void rate_heap_free(coset_ctx *ctx, rate_heap *self)
{
    ctx_free(ctx, self->entries);
    *self = (rate_heap){0};
}

void rate_heap_push(rate_heap *self, rate_entry entry)
{
    assert(self->n < self->capacity);
    int64_t at = self->n++;
    while (at > 0 && before(entry, self->entries[(at - 1) / 2])) {
        self->entries[at] = self->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    self->entries[at] = entry;
}

bool rate_heap_pop(rate_heap *self, rate_entry *first_out)
{
    if (self->n == 0) return false;
    *first_out = self->entries[0];
    rate_entry last = self->entries[--self->n];
    int64_t at = 0;
    for (int64_t child = 1; child < self->n; child = 2 * at + 1) {
        if (child + 1 < self->n && before(self->entries[child + 1], self->entries[child])) child++;
        if (!before(self->entries[child], last)) break;
        self->entries[at] = self->entries[child];
        at = child;
    }
    self->entries[at] = last;
    return true;
}

bool rate_heap_precedes(const rate_heap *self, rate_entry entry)
{
    return self->n == 0 || before(entry, self->entries[0]);
}
