/* Offsets in a block of memory that is not there yet: what a plan reserves and gives back over time
 * becomes one allocation of `end` bytes. Best fit, neighbours joined, 64-byte granules. */
#ifndef COSET_EXEC_WORKSPACE_H
#define COSET_EXEC_WORKSPACE_H

#include "base/ctx.h"

enum { WORKSPACE_ALIGNMENT = 64 };

typedef struct workspace_span {
    size_t offset, bytes;
} workspace_span;

/* Zero-initialised is empty. */
typedef struct workspace {
    workspace_span *free; /* ascending by offset, never adjacent; owned */
    int64_t n_free, capacity;
    size_t end; /* bytes that were ever in use at one time or lie between such */
} workspace;

/* Reserves max(bytes, 1) bytes. Errors: COSET_EMEMORY if the sum does not fit a size.
 * Cost: linear in the number of free spans. */
COSET_MUST_USE coset_status workspace_take(coset_ctx *ctx, workspace *self, size_t bytes,
                                           size_t *offset_out);
/* Gives back what workspace_take reserved with the same `bytes`. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status workspace_give(coset_ctx *ctx, workspace *self, size_t offset,
                                           size_t bytes);
void workspace_free(coset_ctx *ctx, workspace *self);

#endif
