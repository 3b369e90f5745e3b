#include "base/ctx.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

static void *default_alloc(void *user, size_t alignment, size_t size)
{
    (void)user;
    size_t rounded = (size + alignment - 1) / alignment * alignment;
    return rounded < size ? NULL : aligned_alloc(alignment, rounded);
}

static void default_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static int available_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}

coset_status coset_ctx_new(const coset_ctx_options *options, coset_ctx **ctx_out)
{
    static const coset_ctx_options defaults = COSET_CTX_OPTIONS_INIT;
    static const coset_allocator plain = {default_alloc, default_release, NULL};
    if (options == NULL) options = &defaults;
    *ctx_out = NULL;
    if (options->threads < 0 || options->threads > 1024) return COSET_EARGUMENT;
    const coset_allocator *allocator = options->allocator ? options->allocator : &plain;
    coset_ctx *ctx = allocator->alloc(allocator->user, 64, sizeof *ctx);
    if (ctx == NULL) return COSET_EMEMORY;
    memset(ctx, 0, sizeof *ctx);
    ctx->allocator = *allocator;
    ctx->log = options->log;
    ctx->progress = options->progress;
    ctx->user = options->user;
    ctx->threads = options->threads ? options->threads : available_cores();
    ctx->seed = options->seed;
    *ctx_out = ctx;
    return COSET_OK;
}

void coset_ctx_free(coset_ctx *ctx)
{
    if (ctx == NULL) return;
    coset_allocator allocator = ctx->allocator;
    allocator.release(allocator.user, ctx);
}

const char *coset_ctx_error(const coset_ctx *ctx)
{
    return ctx->error;
}

int coset_ctx_threads(const coset_ctx *ctx)
{
    return ctx->threads;
}

uint64_t coset_ctx_seed(const coset_ctx *ctx)
{
    return ctx->seed;
}

void coset_memory_free(coset_ctx *ctx, void *memory)
{
    ctx_free(ctx, memory);
}

const char *coset_version(void)
{
    return COSET_VERSION;
}

const char *coset_status_name(coset_status status)
{
    switch (status) {
    case COSET_OK: return "COSET_OK";
    case COSET_EMEMORY: return "COSET_EMEMORY";
    case COSET_EARGUMENT: return "COSET_EARGUMENT";
    case COSET_EIO: return "COSET_EIO";
    case COSET_EFORMAT: return "COSET_EFORMAT";
    case COSET_EUNSUPPORTED: return "COSET_EUNSUPPORTED";
    case COSET_ELIMIT: return "COSET_ELIMIT";
    case COSET_ENUMERIC: return "COSET_ENUMERIC";
    case COSET_ETARGET: return "COSET_ETARGET";
    case COSET_ECHECK: return "COSET_ECHECK";
    }
    return "unknown status";
}

/* Names in models are not ours: no control character of theirs reaches a terminal or splits a line. */
static void keep_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F) *text = '?';
}

coset_status ctx_fail(coset_ctx *ctx, coset_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ctx->error, sizeof ctx->error, format, arguments);
    va_end(arguments);
    keep_one_line(ctx->error);
    return status;
}

coset_status ctx_fail_in(coset_ctx *ctx, coset_status status, const char *format, ...)
{
    char text[sizeof ctx->error];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof text)
        snprintf(text + length, sizeof text - (size_t)length, ": %s", ctx->error);
    keep_one_line(text);
    memcpy(ctx->error, text, sizeof text);
    return status;
}

void ctx_log(coset_ctx *ctx, coset_log_level level, const char *format, ...)
{
    if (ctx->log == NULL) return;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ctx->log(ctx->user, level, text);
}

void ctx_progress(coset_ctx *ctx, const char *stage, int64_t done, int64_t total)
{
    if (ctx->progress != NULL) ctx->progress(ctx->user, stage, done, total);
}

coset_status ctx_alloc_raw(coset_ctx *ctx, int64_t count, size_t size, void *memory_out)
{
    size_t bytes = 0;
    void *memory = NULL;
    if (count >= 0 && size_mul((size_t)count, size, &bytes) && bytes <= PTRDIFF_MAX)
        memory = ctx->allocator.alloc(ctx->allocator.user, 64, bytes ? bytes : 1);
    memcpy(memory_out, &memory, sizeof memory);
    if (memory == NULL)
        return ctx_fail(ctx, COSET_EMEMORY, "out of memory: %lld elements of %zu bytes",
                        (long long)count, size);
    return COSET_OK;
}

coset_status ctx_alloc(coset_ctx *ctx, int64_t count, size_t size, void *memory_out)
{
    coset_status status = ctx_alloc_raw(ctx, count, size, memory_out);
    void *memory = NULL;
    memcpy(&memory, memory_out, sizeof memory);
    if (status == COSET_OK) memset(memory, 0, (size_t)count * size);
    return status;
}

coset_status ctx_reserve(coset_ctx *ctx, void *memory, int64_t *capacity, int64_t need, size_t size)
{
    if (need <= *capacity) return COSET_OK;
    int64_t grown = *capacity < 8 ? 8 : *capacity;
    while (grown < need) {
        if (grown > INT64_MAX / 2) return ctx_fail(ctx, COSET_EMEMORY, "out of memory");
        grown *= 2;
    }
    void *old = NULL, *fresh = NULL;
    memcpy(&old, memory, sizeof old);
    coset_status status = ctx_alloc(ctx, grown, size, &fresh);
    if (status != COSET_OK) return status;
    if (old != NULL) memcpy(fresh, old, (size_t)*capacity * size);
    ctx_free(ctx, old);
    memcpy(memory, &fresh, sizeof fresh);
    *capacity = grown;
    return COSET_OK;
}

coset_status ctx_strdup(coset_ctx *ctx, const char *text, char **copy_out)
{
    size_t length = strlen(text) + 1;
    coset_status status = ctx_alloc_raw(ctx, (int64_t)length, 1, copy_out);
    if (status == COSET_OK) memcpy(*copy_out, text, length);
    return status;
}

coset_status ctx_format(coset_ctx *ctx, char **text_out, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    *text_out = NULL;
    coset_status status = length < 0 ? ctx_fail(ctx, COSET_EARGUMENT, "text cannot be formatted")
                                     : ctx_alloc_raw(ctx, (int64_t)length + 1, 1, text_out);
    if (status == COSET_OK) vsnprintf(*text_out, (size_t)length + 1, format, again);
    va_end(again);
    return status;
}

void ctx_free(coset_ctx *ctx, void *memory)
{
    if (memory != NULL) ctx->allocator.release(ctx->allocator.user, memory);
}
