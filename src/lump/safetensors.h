/* safetensors files: named tensors behind a JSON header.
 * Source: https://github.com/huggingface/safetensors, "Format". */
#ifndef COSET_LUMP_SAFETENSORS_H
#define COSET_LUMP_SAFETENSORS_H

#include "base/file.h"
#include "graph/tensor.h"

enum { SAFETENSORS_HEADER = 100 * 1000 * 1000 }; /* most bytes of a header */

/* One tensor, to be written or as it was read; row-major, little-endian. */
typedef struct safetensors_entry {
    const char *name;  /* borrowed */
    coset_dtype dtype; /* one of those that the format knows */
    shape shape;
    const void *data; /* not aligned when it was read */
    size_t bytes;
} safetensors_entry;

/* Puts entries into a file in their order; their names must differ and be UTF-8.
 *   note        text for the header's __metadata__ under the key "format"
 *   digest_out  sha256 of what was put, as text with room for DIGEST_TEXT
 * Errors: COSET_EIO, COSET_EMEMORY; COSET_EUNSUPPORTED for an element type that the format does not
 * know; COSET_ELIMIT for a header over SAFETENSORS_HEADER. */
COSET_MUST_USE coset_status safetensors_put(coset_ctx *ctx, file_writer *writer,
                                            const safetensors_entry *entries, int64_t n,
                                            const char *note, char *digest_out);

/* The tensors of a file. */
typedef struct safetensors safetensors;

/* Reads the header; the tensors stay in the caller's bytes, which must outlive the result. Every tensor
 * lies inside, is as long as its type and shape say, and none shares bytes with another; no byte
 * belongs to none.
 *   name  of the file, for messages
 * Errors: COSET_EFORMAT, COSET_ELIMIT, COSET_EMEMORY; COSET_EUNSUPPORTED for an unknown element type.
 * Cost: that of the header. */
COSET_MUST_USE coset_status safetensors_decode(coset_ctx *ctx, const void *bytes, size_t size,
                                               const char *name, safetensors **file_out);
int64_t safetensors_count(const safetensors *self);
const safetensors_entry *safetensors_at(const safetensors *self, int64_t index);
/* NULL if there is none. */
const safetensors_entry *safetensors_find(const safetensors *self, const char *name);
void safetensors_free(coset_ctx *ctx, safetensors *self);

#endif
