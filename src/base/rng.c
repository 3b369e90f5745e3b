#include "base/rng.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = (*x += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

rng rng_seed(uint64_t seed, uint64_t stream)
{
    uint64_t x = stream;
    x = seed ^ splitmix(&x);
    rng self;
    for (int i = 0; i < 4; i++) self.state[i] = splitmix(&x);
    return self;
}

uint64_t rng_u64(rng *self)
{
    uint64_t *s = self->state;
    uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

int64_t rng_below(rng *self, int64_t bound)
{
    uint64_t range = (uint64_t)bound;
    uint64_t limit = UINT64_MAX - UINT64_MAX % range;
    uint64_t draw = 0;
    do draw = rng_u64(self);
    while (draw >= limit);
    return (int64_t)(draw % range);
}

double rng_uniform(rng *self)
{
    return (double)(rng_u64(self) >> 11) * 0x1p-53;
}

double rng_normal(rng *self)
{
    double u = 0, v = 0, square = 0;
    do {
        u = 2 * rng_uniform(self) - 1;
        v = 2 * rng_uniform(self) - 1;
        square = u * u + v * v;
    } while (square >= 1 || square == 0);
    return u * sqrt(-2 * log(square) / square);
}

void rng_permutation(rng *self, int64_t n, int64_t *order_out)
{
    for (int64_t i = 0; i < n; i++) order_out[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = rng_below(self, i + 1);
        int64_t swap = order_out[i];
        order_out[i] = order_out[j];
        order_out[j] = swap;
    }
}
