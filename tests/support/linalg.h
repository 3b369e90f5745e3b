/* What the tests of src/linalg share: contexts with an allocator that counts and fails, random
 * matrices. */
#ifndef COSET_TESTS_SUPPORT_LINALG_H
#define COSET_TESTS_SUPPORT_LINALG_H

#include <math.h>
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

/* Eigenvalues (diagonal of a, n x n) and vectors (columns of v) by cyclic Jacobi rotations. */
static inline void jacobi(int64_t n, double *a, double *v)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) v[i * n + j] = i == j;
    for (int sweep = 0; sweep < 30; sweep++) {
        for (int64_t p = 0; p < n; p++) {
            for (int64_t q = p + 1; q < n; q++) {
                if (a[p * n + q] == 0) continue;
                double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
                double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
                double c = 1 / sqrt(t * t + 1), s = t * c;
                for (int64_t i = 0; i < n; i++) {
                    double x = a[i * n + p], y = a[i * n + q];
                    a[i * n + p] = c * x - s * y, a[i * n + q] = s * x + c * y;
                    x = v[i * n + p], y = v[i * n + q];
                    v[i * n + p] = c * x - s * y, v[i * n + q] = s * x + c * y;
                }
                for (int64_t i = 0; i < n; i++) {
                    double x = a[p * n + i], y = a[q * n + i];
                    a[p * n + i] = c * x - s * y, a[q * n + i] = s * x + c * y;
                }
            }
        }
    }
}

#endif
