/* Inside of the context: allocation, failure texts, log and progress. */
#ifndef COSET_BASE_CTX_H
#define COSET_BASE_CTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coset/context.h>

struct coset_ctx {
    coset_allocator allocator;
    coset_log_fn log;
    coset_progress_fn progress;
    void *user;
    int threads;
    uint64_t seed;
    char error[1024];
};

/* Runs an expression of type coset_status; on failure keeps it in `status` and jumps to `done`. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (status != COSET_OK) goto done;                                                         \
    } while (0)

/* Jumps to `done` with a failure and its text. */
#define FAIL(...)                                                                                  \
    do {                                                                                           \
        status = ctx_fail(__VA_ARGS__);                                                            \
        goto done;                                                                                 \
    } while (0)

/* Sets the context's error text and returns `status`, so that it can be returned in one line. */
COSET_MUST_USE coset_status ctx_fail(coset_ctx *ctx, coset_status status, const char *format, ...)
    COSET_PRINTF(3, 4);

/* Puts "prefix: " before the error text; for callers that know the file or node. Returns status. */
COSET_MUST_USE coset_status ctx_fail_in(coset_ctx *ctx, coset_status status, const char *format,
                                        ...) COSET_PRINTF(3, 4);

void ctx_log(coset_ctx *ctx, coset_log_level level, const char *format, ...) COSET_PRINTF(3, 4);
void ctx_progress(coset_ctx *ctx, const char *stage, int64_t done, int64_t total);

/* count * size bytes, zeroed, 64-byte aligned; never NULL on COSET_OK, also for 0 bytes.
 * memory_out is the address of a pointer of any type. Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status ctx_alloc(coset_ctx *ctx, int64_t count, size_t size, void *memory_out);

/* As ctx_alloc without the zeroing: for large buffers that are written whole. */
COSET_MUST_USE coset_status ctx_alloc_raw(coset_ctx *ctx, int64_t count, size_t size,
                                          void *memory_out);

/* Grows *memory (any pointer's address) so that it holds `need` elements; amortised doubling. The
 * new part is zeroed. *capacity counts elements. On failure both stay as they were. */
COSET_MUST_USE coset_status ctx_reserve(coset_ctx *ctx, void *memory, int64_t *capacity,
                                        int64_t need, size_t size);

COSET_MUST_USE coset_status ctx_strdup(coset_ctx *ctx, const char *text, char **copy_out);
COSET_MUST_USE coset_status ctx_format(coset_ctx *ctx, char **text_out, const char *format, ...)
    COSET_PRINTF(3, 4);

/* Releases memory of the context; NULL is allowed. */
void ctx_free(coset_ctx *ctx, void *memory);

#endif
