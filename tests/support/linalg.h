/* What the tests of src/linalg share: contexts with an allocator that counts and fails, random
 * matrices. */
#ifndef COSET_TESTS_SUPPORT_LINALG_H
#define COSET_TESTS_SUPPORT_LINALG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/ctx.h"
#include "base/rng.h"

/* Allocations alive, made so far, and the first one that fails (-1: none). */
typedef struct counted_memory {
    int64_t alive, made, fail_from;
} counted_memory;

static inline void *counted_alloc(void *user, size_t alignment, size_t size)
{
    counted_memory *self = user;
    if (self->fail_from >= 0 && self->made >= self->fail_from) return NULL;
    self->made++;
    self->alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static inline void counted_release(void *user, void *memory)
{
    ((counted_memory *)user)->alive--;
    free(memory);
}

static inline coset_ctx *counted_ctx(counted_memory *memory, int threads)
{
    coset_allocator allocator = {counted_alloc, counted_release, memory};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    *memory = (counted_memory){0, 0, -1};
    options.allocator = &allocator;
    options.threads = threads;
    assert_int_equal(coset_ctx_new(&options, &ctx), COSET_OK);
    return ctx;
}

/* Frees the context and asserts that nothing else is alive. */
static inline void counted_ctx_end(coset_ctx *ctx, const counted_memory *memory)
{
    coset_ctx_free(ctx);
    assert_int_equal(memory->alive, 0);
}

static inline double *doubles(int64_t count)
{
    double *values = calloc((size_t)count + 1, sizeof *values);
    assert_non_null(values);
    return values;
}

static inline double *random_doubles(rng *random, int64_t count)
{
    double *values = doubles(count);
    for (int64_t i = 0; i < count; i++) values[i] = rng_normal(random);
    return values;
}

/* A random positive semidefinite (n, n) matrix of the given rank, every entry of order 1. */
static inline double *random_gram(rng *random, int64_t n, int64_t rank)
{
    double *root = random_doubles(random, n * rank), *gram = doubles(n * n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t s = 0; s < rank; s++)
                gram[i * n + j] += root[i * rank + s] * root[j * rank + s] / (double)rank;
    free(root);
    return gram;
}

#endif
