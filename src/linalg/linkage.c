#include "linalg/linkage.h"

#include <math.h>
#include <string.h>

typedef struct chain {
    int64_t n, active_count, length;
    double *condensed, *size;
    int64_t *active; /* [active_count] slots in use, ascending */
    int64_t *slots;  /* [length] the chain: each is the nearest neighbour of the one before */
    cluster_linkage linkage;
} chain;

static double *pair_of(const chain *self, int64_t i, int64_t j)
{
    return &self->condensed[i < j ? pair_at(self->n, i, j) : pair_at(self->n, j, i)];
}

/* Nearest neighbour of slot x: `before` if it is among the nearest, else the smallest. */
static int64_t nearest(const chain *self, int64_t x, int64_t before)
{
    int64_t best = before, i = 0;
    double least = before >= 0 ? *pair_of(self, before, x) : INFINITY;
    for (; self->active[i] < x; i++) {
        double value = self->condensed[pair_at(self->n, self->active[i], x)];
        if (value < least) least = value, best = self->active[i];
    }
    const double *row = self->condensed + pair_at(self->n, x, x + 1);
    for (i++; i < self->active_count; i++) {
        double value = row[self->active[i] - x - 1];
        if (value < least) least = value, best = self->active[i];
    }
    return best;
}

/* Distance of k to the union of i and j, which are nearest neighbours. Never below the lesser of
 * the two old distances: that holds for these linkages in exact arithmetic (they are reducible),
 * and chains and ascending heights rest on it, so rounding must not break it. */
static double updated(cluster_linkage linkage, double ik, double jk, double ij, double size_i,
                      double size_j, double size_k)
{
    double less = fmin(ik, jk), more = fmax(ik, jk);
    if (linkage == CLUSTER_COMPLETE) return more;
    if (linkage == CLUSTER_AVERAGE) {
        double share = size_i / (size_i + size_j);
        return fmin(more, fmax(less, share * ik + (1 - share) * jk));
    }
    double all = size_i + size_j + size_k;
    return fmax(less,
                (size_i + size_k) / all * ik + (size_j + size_k) / all * jk - size_k / all * ij);
}

/* The union of i < j takes slot i. */
static void unite(chain *self, int64_t i, int64_t j)
{
    double ij = *pair_of(self, i, j);
    int64_t kept = 0;
    for (int64_t s = 0; s < self->active_count; s++) {
        int64_t k = self->active[s];
        if (k == j) continue;
        self->active[kept++] = k;
        if (k == i) continue;
        double *ik = pair_of(self, i, k);
        *ik = updated(self->linkage, *ik, *pair_of(self, j, k), ij, self->size[i], self->size[j],
                      self->size[k]);
    }
    self->active_count = kept;
    self->size[i] += self->size[j];
}

coset_status linkage_chain(coset_ctx *ctx, int64_t n, double *condensed, double *size,
                           cluster_linkage linkage, cluster_merge *merges_out)
{
    coset_status status = COSET_OK;
    chain self = {
        .n = n, .active_count = n, .condensed = condensed, .size = size, .linkage = linkage};
    TRY(ctx_alloc_raw(ctx, n, sizeof *self.active, &self.active));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self.slots, &self.slots));
    for (int64_t i = 0; i < n; i++) self.active[i] = i;
    for (int64_t merged = 0; merged < n - 1;) {
        if (self.length == 0) self.slots[self.length++] = self.active[0];
        int64_t x = self.slots[self.length - 1];
        int64_t before = self.length > 1 ? self.slots[self.length - 2] : -1;
        int64_t y = nearest(&self, x, before);
        if (y != before) {
            self.slots[self.length++] = y;
            continue;
        }
        int64_t a = x < y ? x : y, b = x < y ? y : x;
        merges_out[merged++] = (cluster_merge){a, b, *pair_of(&self, a, b)};
        unite(&self, a, b);
        self.length -= 2;
    }
done:
    ctx_free(ctx, self.active);
    ctx_free(ctx, self.slots);
    return status;
}

coset_status linkage_tree(coset_ctx *ctx, int64_t n, const double *condensed,
                          const point_set *points, cluster_metric metric, cluster_merge *merges_out)
{
    coset_status status = COSET_OK;
    int64_t *outside = NULL, *from = NULL; /* points not in the tree, their nearest ones in it */
    double *gap = NULL, *row = NULL;       /* distance to that one, to the newest one */
    TRY(ctx_alloc_raw(ctx, n, sizeof *outside, &outside));
    TRY(ctx_alloc_raw(ctx, n, sizeof *from, &from));
    TRY(ctx_alloc_raw(ctx, n, sizeof *gap, &gap));
    TRY(ctx_alloc_raw(ctx, n, sizeof *row, &row));
    for (int64_t i = 0; i < n - 1; i++) outside[i] = i + 1, from[i] = 0, gap[i] = INFINITY;
    int64_t newest = 0;
    for (int64_t count = n - 1; count > 0; count--) {
        if (points != NULL) distance_row(ctx, points, metric, newest, outside, count, row);
        int64_t best = 0;
        for (int64_t s = 0; s < count; s++) {
            int64_t i = outside[s];
            if (points == NULL)
                row[s] = condensed[i < newest ? pair_at(n, i, newest) : pair_at(n, newest, i)];
            if (row[s] < gap[s]) gap[s] = row[s], from[s] = newest;
            if (gap[s] < gap[best]) best = s;
        }
        newest = outside[best];
        int64_t a = from[best] < newest ? from[best] : newest;
        merges_out[n - 1 - count] = (cluster_merge){a, from[best] + newest - a, gap[best]};
        memmove(outside + best, outside + best + 1, (size_t)(count - best - 1) * sizeof *outside);
        memmove(from + best, from + best + 1, (size_t)(count - best - 1) * sizeof *from);
        memmove(gap + best, gap + best + 1, (size_t)(count - best - 1) * sizeof *gap);
    }
done:
    ctx_free(ctx, outside);
    ctx_free(ctx, from);
    ctx_free(ctx, gap);
    ctx_free(ctx, row);
    return status;
}
