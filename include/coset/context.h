/* The context: allocator, log, progress, threads and seed of a piece of work. */
#ifndef COSET_CONTEXT_H
#define COSET_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <coset/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Owned by one thread at a time. Everything made with a context must be freed before it. */
typedef struct coset_ctx coset_ctx;

/* Where the library's memory comes from. alloc returns `size` bytes aligned to `alignment` (a power
 * of two, at most 64) or NULL; release takes what alloc returned. Both must be thread-safe. */
typedef struct coset_allocator {
    void *(*alloc)(void *user, size_t alignment, size_t size);
    void (*release)(void *user, void *memory);
    void *user;
} coset_allocator;

typedef enum coset_log_level {
    COSET_LOG_WARNING = 0,
    COSET_LOG_INFO = 1,
    COSET_LOG_DEBUG = 2
} coset_log_level;

/* One line of text, without a newline; borrowed for the call. */
typedef void (*coset_log_fn)(void *user, coset_log_level level, const char *text);

/* `done` of `total` steps of `stage` are done; total >= 1. Called from the context's thread. */
typedef void (*coset_progress_fn)(void *user, const char *stage, int64_t done, int64_t total);

typedef struct coset_ctx_options {
    const coset_allocator *allocator; /* NULL: aligned_alloc and free; copied */
    coset_log_fn log;                 /* NULL: silent */
    coset_progress_fn progress;       /* NULL: none */
    void *user;                       /* passed to log and progress */
    int threads;                      /* 0: all cores of this process */
    uint64_t seed;                    /* of everything random */
} coset_ctx_options;

#define COSET_CTX_OPTIONS_INIT                                                                     \
    {                                                                                              \
        NULL, NULL, NULL, NULL, 0, 0                                                               \
    }

/* Makes a context.
 *   options  borrowed; NULL for the defaults
 *   ctx_out  the context, owned by the caller (coset_ctx_free); NULL on failure
 * Errors: COSET_EMEMORY; COSET_EARGUMENT if threads is negative or over 1024. */
COSET_API COSET_MUST_USE coset_status coset_ctx_new(const coset_ctx_options *options,
                                                    coset_ctx **ctx_out);

/* Frees a context; NULL is allowed. */
COSET_API void coset_ctx_free(coset_ctx *ctx);

/* Text of the last failure: one line that names the file, tensor or flag at fault and what was
 * expected; "" if nothing failed yet. Lent until the next call that takes this context. */
COSET_API const char *coset_ctx_error(const coset_ctx *ctx);

/* Number of threads that the context uses, >= 1. */
COSET_API int coset_ctx_threads(const coset_ctx *ctx);

/* Seed of the context. */
COSET_API uint64_t coset_ctx_seed(const coset_ctx *ctx);

/* Releases what the library handed out as plain memory (encoded models, report texts); NULL is allowed. */
COSET_API void coset_memory_free(coset_ctx *ctx, void *memory);

/* Version of the library, "0.1.0"; a constant string. */
COSET_API const char *coset_version(void);

#ifdef __cplusplus
}
#endif

#endif
