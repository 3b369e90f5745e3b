/* Named arrays of the public API and our tensors. */
#ifndef COSET_API_ARRAYS_H
#define COSET_API_ARRAYS_H

#include <coset/run.h>

#include "graph/tensor.h"

/* A tensor that borrows the data of an array: for calls that read it, never to be released.
 * Errors: COSET_EARGUMENT naming the array if rank, dims, type and bytes do not agree. */
COSET_MUST_USE coset_status array_view(coset_ctx *ctx, const coset_array *given, tensor *view_out);
/* Fills an array that owns a copy of the name and one reference to the tensor, which it takes over; on
 * failure the reference stays the caller's. */
COSET_MUST_USE coset_status array_own(coset_ctx *ctx, const char *name, tensor *data,
                                      coset_array *array_out);

#endif
