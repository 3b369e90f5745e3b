#include "exec/workspace.h"

#include <string.h>

#include "base/size.h"

/* False if the rounded size does not fit. */
static bool granules(size_t bytes, size_t *rounded_out)
{
    size_t rounded = 0;
    if (!size_add(bytes ? bytes : 1, WORKSPACE_ALIGNMENT - 1, &rounded)) return false;
    *rounded_out = rounded / WORKSPACE_ALIGNMENT * WORKSPACE_ALIGNMENT;
    return true;
}

static void remove_span(workspace *self, int64_t at)
{
    memmove(&self->free[at], &self->free[at + 1],
            (size_t)(self->n_free - at - 1) * sizeof *self->free);
    self->n_free--;
}

coset_status workspace_take(coset_ctx *ctx, workspace *self, size_t bytes, size_t *offset_out)
{
    size_t need = 0;
    if (!granules(bytes, &need)) return ctx_fail(ctx, COSET_EMEMORY, "workspace is too large");
    int64_t best = -1;
    for (int64_t k = 0; k < self->n_free; k++)
        if (self->free[k].bytes >= need &&
            (best < 0 || self->free[k].bytes < self->free[best].bytes))
            best = k;
    if (best >= 0) {
        workspace_span *span = &self->free[best];
        *offset_out = span->offset;
        span->offset += need;
        span->bytes -= need;
        if (span->bytes == 0) remove_span(self, best);
        return COSET_OK;
    }
    /* Nothing is wide enough: grow, starting in the free span that touches the end, if there is one. */
    size_t start = self->end, end = 0;
    bool touches =
        self->n_free > 0 &&
        self->free[self->n_free - 1].offset + self->free[self->n_free - 1].bytes == self->end;
    if (touches) start = self->free[self->n_free - 1].offset;
    if (!size_add(start, need, &end) || end > PTRDIFF_MAX)
        return ctx_fail(ctx, COSET_EMEMORY, "workspace is too large");
    if (touches) self->n_free--;
    self->end = end;
    *offset_out = start;
    return COSET_OK;
}

coset_status workspace_give(coset_ctx *ctx, workspace *self, size_t offset, size_t bytes)
{
    size_t size = 0;
    if (!granules(bytes, &size)) return ctx_fail(ctx, COSET_EMEMORY, "workspace is too large");
    int64_t low = 0, high = self->n_free; /* first span after offset */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (self->free[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    workspace_span *spans = self->free;
    bool joins_before = low > 0 && spans[low - 1].offset + spans[low - 1].bytes == offset;
    bool joins_after = low < self->n_free && offset + size == spans[low].offset;
    if (joins_before && joins_after) {
        spans[low - 1].bytes += size + spans[low].bytes;
        remove_span(self, low);
    } else if (joins_before) {
        spans[low - 1].bytes += size;
    } else if (joins_after) {
        spans[low].offset = offset;
        spans[low].bytes += size;
    } else {
        coset_status status =
            ctx_reserve(ctx, &self->free, &self->capacity, self->n_free + 1, sizeof *self->free);
        if (status != COSET_OK) return status;
        memmove(&self->free[low + 1], &self->free[low],
                (size_t)(self->n_free - low) * sizeof *self->free);
        self->free[low] = (workspace_span){offset, size};
        self->n_free++;
    }
    return COSET_OK;
}

void workspace_free(coset_ctx *ctx, workspace *self)
{
    ctx_free(ctx, self->free);
    *self = (workspace){0};
}
