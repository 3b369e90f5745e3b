/* Seeded random numbers: xoshiro256++ (Blackman and Vigna, 2019), seeded by splitmix64. */
#ifndef COSET_BASE_RNG_H
#define COSET_BASE_RNG_H

#include <stdint.h>

typedef struct rng {
    uint64_t state[4];
} rng;

/* Streams of one seed are independent for all practical purposes. */
rng rng_seed(uint64_t seed, uint64_t stream);
uint64_t rng_u64(rng *self);
/* Uniform integer in [0, bound), bound >= 1, without modulo bias. */
int64_t rng_below(rng *self, int64_t bound);
/* Uniform in [0, 1). */
double rng_uniform(rng *self);
/* Standard normal (polar method). */
double rng_normal(rng *self);
/* A random permutation of 0..n-1. */
void rng_permutation(rng *self, int64_t n, int64_t *order_out);

#endif
