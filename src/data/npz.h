/* NumPy's .npz: named arrays in a zip archive. */
#ifndef COSET_DATA_NPZ_H
#define COSET_DATA_NPZ_H

#include "graph/tensor.h"

/* An open archive; arrays are decoded when they are asked for. */
typedef struct npz npz;

/* Errors: COSET_EIO; COSET_EFORMAT, COSET_EUNSUPPORTED, COSET_ELIMIT naming the file. */
COSET_MUST_USE coset_status npz_open(coset_ctx *ctx, const char *path, npz **npz_out);
/* The same from memory, which is borrowed until npz_close; `source` is for messages, copied. */
COSET_MUST_USE coset_status npz_decode(coset_ctx *ctx, const void *bytes, size_t size,
                                       const char *source, npz **npz_out);
void npz_close(coset_ctx *ctx, npz *self); /* NULL is allowed */

int64_t npz_count(const npz *self);
const char *npz_name(const npz *self, int64_t index); /* without ".npy"; lent */
/* Index of an array; -1: there is none. Names are compared as they are, and if that finds nothing
 * without regard to case. */
int64_t npz_find(const npz *self, const char *name);
/* Decodes an array (npy.h); one reference, owned by the caller. */
COSET_MUST_USE coset_status npz_read(coset_ctx *ctx, const npz *self, int64_t index,
                                     tensor **tensor_out);

typedef struct npz_array {
    const char *name; /* borrowed */
    const tensor *data;
} npz_array;

/* Writes arrays without compression, whole or not at all. Element types that NumPy lacks are widened
 * without loss: bfloat16 and 8- and 4-bit floats to float32, 4-bit integers to 8 bits.
 * Errors: COSET_EIO; COSET_EARGUMENT for a name that is empty or twice there; COSET_EUNSUPPORTED for
 * strings. */
COSET_MUST_USE coset_status npz_write(coset_ctx *ctx, const char *path, const npz_array *arrays,
                                      int64_t n);

#endif
