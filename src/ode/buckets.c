#include "ode/buckets.h"

coset_status buckets_sort(coset_ctx *ctx, const int32_t *key, int64_t range, const int64_t *from,
                          int64_t n, int64_t *to)
{
    int64_t *next = NULL;
    coset_status status = ctx_alloc(ctx, range + 1, sizeof *next, &next);
    if (status != COSET_OK) return status;
    for (int64_t i = 0; i < n; i++) next[key[from ? from[i] : i] + 1]++;
    for (int64_t k = 0; k < range; k++) next[k + 1] += next[k];
    for (int64_t i = 0; i < n; i++) {
        int64_t position = from ? from[i] : i;
        to[next[key[position]]++] = position;
    }
    ctx_free(ctx, next);
    return COSET_OK;
}
