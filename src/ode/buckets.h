/* Stable sorting by small integers: what makes the sums of a system linear in its terms. */
#ifndef COSET_ODE_BUCKETS_H
#define COSET_ODE_BUCKETS_H

#include "base/ctx.h"

/* Counting sort: writes the positions of `from` (NULL: 0 .. n - 1) so that key[position] ascends;
 * equal keys keep their order.
 *   key   indexed by position, 0 <= key < range; borrowed
 *   from  [n] positions; borrowed
 *   to    [n] written, not `from`
 * Errors: COSET_EMEMORY. Cost: n + range. */
COSET_MUST_USE coset_status buckets_sort(coset_ctx *ctx, const int32_t *key, int64_t range,
                                         const int64_t *from, int64_t n, int64_t *to);

#endif
