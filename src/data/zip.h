/* Zip archives in memory: reading through the central directory, and the records for writing.
 * Source: APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3. */
#ifndef COSET_DATA_ZIP_H
#define COSET_DATA_ZIP_H

#include "base/arena.h"
#include "base/file.h"

typedef struct zip_entry {
    const char *name; /* as stored, NUL-terminated */
    int method;       /* 0 stored, 8 deflate */
    uint32_t crc;
    uint64_t offset, packed, size; /* of the local header; compressed and plain bytes */
} zip_entry;

/* A directory; bytes are borrowed. Zero-initialised is empty. */
typedef struct zip {
    const uint8_t *bytes;
    size_t size;
    const char *source; /* for messages; borrowed */
    arena arena;
    zip_entry *entries;
    int64_t n;
} zip;

/* Reads the directory of an archive (zip64, too). Refused: several disks, encryption, entries that
 * overlap in sum, more than 65 536 entries. Errors: COSET_EFORMAT, COSET_EUNSUPPORTED, COSET_ELIMIT
 * naming the source. */
COSET_MUST_USE coset_status zip_open(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                     const char *source, zip *self);
void zip_close(coset_ctx *ctx, zip *self);

/* Contents of an entry, checksum verified.
 *   bytes_out   lent from the archive, or points into memory_out
 *   memory_out  owned by the caller; NULL if lent */
COSET_MUST_USE coset_status zip_read(coset_ctx *ctx, const zip *self, const zip_entry *entry,
                                     const uint8_t **bytes_out, void **memory_out);

/* Writes stored entries, then the directory. Zip64 records appear where sizes need them. */
typedef struct zip_writer {
    file_writer *file; /* borrowed */
    zip_entry *entries;
    int64_t n, capacity;
    uint64_t offset;
    uint64_t limit; /* from here on numbers take zip64 fields; 0: what the short ones cannot hold */
} zip_writer;

/* Writes an entry whose contents are `head` followed by `body`. name is borrowed until the end. */
COSET_MUST_USE coset_status zip_writer_put(coset_ctx *ctx, zip_writer *self, const char *name,
                                           const void *head, size_t head_size, const void *body,
                                           size_t body_size);
COSET_MUST_USE coset_status zip_writer_finish(zip_writer *self);
void zip_writer_free(coset_ctx *ctx, zip_writer *self);

#endif
