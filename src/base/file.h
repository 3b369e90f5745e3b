/* Files: mapped reading, whole-or-not-at-all writing, confined opening of external data. */
#ifndef COSET_BASE_FILE_H
#define COSET_BASE_FILE_H

#include "base/ctx.h"

/* A file's bytes, mapped read-only. Zero-initialised is closed. */
typedef struct file_view {
    const uint8_t *bytes;
    size_t size;
} file_view;

/* Maps a regular file. Errors: COSET_EIO with the path and the reason. */
COSET_MUST_USE coset_status file_map(coset_ctx *ctx, const char *path, file_view *view_out);
/* Maps `name` (as written in a model) inside `folder`: nothing outside the folder is reachable, by
 * "..", absolute path, symbolic link at any level, or hard link (openat2 RESOLVE_BENEATH |
 * NO_SYMLINKS | NO_MAGICLINKS, regular file, one link). Errors: COSET_EFORMAT for an unsafe name,
 * COSET_EIO. */
COSET_MUST_USE coset_status file_map_inside(coset_ctx *ctx, const char *folder, const char *name,
                                            file_view *view_out);
void file_unmap(file_view *view);

/* A file that is written whole or not at all: bytes go to a temporary file in the same folder, which
 * is synced and renamed on commit. Leftovers of dead writers of the same file are swept at start. */
typedef struct file_writer file_writer;

COSET_MUST_USE coset_status file_writer_open(coset_ctx *ctx, const char *path,
                                             file_writer **writer_out);
COSET_MUST_USE coset_status file_writer_put(file_writer *writer, const void *bytes, size_t size);
/* Flushes, syncs, renames, syncs the folder, and frees the writer, also on failure. */
COSET_MUST_USE coset_status file_writer_commit(file_writer *writer);
/* Removes the temporary file and frees the writer; NULL is allowed. */
void file_writer_abort(file_writer *writer);

/* Writes a small file whole. */
COSET_MUST_USE coset_status file_write(coset_ctx *ctx, const char *path, const void *bytes,
                                       size_t size);

/* True if both paths name the same existing file. */
bool file_same(const char *a, const char *b);

/* Lower-case hexadecimal SHA-256 of bytes / of a file; text_out has room for 65. */
void file_digest(const void *bytes, size_t size, char *text_out);
COSET_MUST_USE coset_status file_digest_of(coset_ctx *ctx, const char *path, char *text_out);

/* Folder part of a path, "." if there is none; owned by the caller. */
COSET_MUST_USE coset_status file_folder(coset_ctx *ctx, const char *path, char **folder_out);

#endif
