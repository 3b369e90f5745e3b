/* Decompression through zlib, with memory of the context and without trusting declared sizes. */
#ifndef COSET_DATA_INFLATE_H
#define COSET_DATA_INFLATE_H

#include "base/ctx.h"

/* Deflate data without a wrapper (zip) that must give exactly `size_out` bytes.
 *   bytes_out  owned by the caller
 * Errors: COSET_EFORMAT naming `name`; COSET_EMEMORY. A size that no deflate data of this length can
 * have is refused before anything is allocated. */
COSET_MUST_USE coset_status inflate_raw(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                        const char *name, size_t size_out, uint8_t **bytes_out);

/* A gzip file of one member, checksum verified. Up to 4 GiB of content. Errors as inflate_raw. */
COSET_MUST_USE coset_status inflate_gzip(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                         const char *name, uint8_t **bytes_out, size_t *size_out);
bool inflate_is_gzip(const uint8_t *bytes, size_t size);

#endif
