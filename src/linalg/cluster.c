#include "linalg/cluster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "linalg/linkage.h"

/* Squared and weighted distances grow in the updates: beyond this they may overflow. */
static const double LARGEST_DISTANCE = 1e290;

/* Points of which single linkage stores the distances: 256 MiB. */
enum { SINGLE_MATRIX = 8192 };

/* ---- equal rows ---- */

/* Distinct rows, by first appearance. */
typedef struct distinct {
    int64_t count;
    int64_t *rows;       /* [n], count used: the first of each kind */
    double *size;        /* [n], count used: summed multiplicity */
    int64_t merge_count; /* n - count */
} distinct;

static uint64_t hash_row(const double *row, int64_t d)
{
    uint64_t hash = 14695981039346656037u;
    for (int64_t i = 0; i < d; i++) {
        double value = row[i] + 0.0; /* -0 and 0 are equal */
        uint64_t bits = 0;
        memcpy(&bits, &value, sizeof bits);
        hash = (hash ^ bits) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool rows_equal(const double *a, const double *b, int64_t d)
{
    for (int64_t i = 0; i < d; i++)
        if (a[i] != b[i]) return false;
    return true;
}

/* Finds equal rows; each that has a like before it becomes a merge of height 0. */
static coset_status distinct_find(coset_ctx *ctx, const double *points, int64_t n, int64_t d,
                                  const double *multiplicity, cluster_merge *merges, distinct *self)
{
    coset_status status = COSET_OK;
    int64_t capacity = 16, *table = NULL; /* positions in self->rows, plus 1 */
    uint64_t *hashes = NULL;              /* of self->rows */
    while (capacity < 2 * n) capacity *= 2;
    TRY(ctx_alloc(ctx, capacity, sizeof *table, &table));
    TRY(ctx_alloc_raw(ctx, n, sizeof *hashes, &hashes));
    for (int64_t i = 0; i < n; i++) {
        const double *row = points + i * d;
        uint64_t hash = hash_row(row, d), at = hash & (uint64_t)(capacity - 1);
        for (; table[at] != 0; at = (at + 1) & (uint64_t)(capacity - 1)) {
            int64_t known = table[at] - 1;
            if (hashes[known] == hash && rows_equal(points + self->rows[known] * d, row, d)) break;
        }
        double weight = multiplicity ? multiplicity[i] : 1;
        if (table[at] != 0) {
            self->size[table[at] - 1] += weight;
            merges[self->merge_count++] = (cluster_merge){self->rows[table[at] - 1], i, 0};
        } else {
            hashes[self->count] = hash;
            self->rows[self->count] = i;
            self->size[self->count++] = weight;
            table[at] = self->count;
        }
    }
done:
    ctx_free(ctx, table);
    ctx_free(ctx, hashes);
    return status;
}

/* ---- order of merges ---- */

static int64_t find(int64_t *parent, int64_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

static int by_height(const void *left, const void *right)
{
    double a = ((const cluster_merge *)left)->height, b = ((const cluster_merge *)right)->height;
    return (a > b) - (a < b);
}

static int by_members(const void *left, const void *right)
{
    const cluster_merge *a = left, *b = right;
    if (a->a != b->a) return a->a < b->a ? -1 : 1;
    return (a->b > b->b) - (a->b < b->b);
}

/* Merges between any members, in any order, become the tree's: what joins at one height depends on
 * the set of merges alone, so the result does not depend on how they were found. */
static coset_status order_merges(coset_ctx *ctx, int64_t n, cluster_merge *merges)
{
    coset_status status = COSET_OK;
    int64_t *parent = NULL; /* roots are smallest members */
    TRY(ctx_alloc_raw(ctx, n, sizeof *parent, &parent));
    for (int64_t i = 0; i < n; i++) parent[i] = i;
    if (n > 1) qsort(merges, (size_t)(n - 1), sizeof *merges, by_height);
    for (int64_t from = 0, to = 0; from < n - 1; from = to) {
        for (; to < n - 1 && merges[to].height == merges[from].height; to++) {
            int64_t a = find(parent, merges[to].a), b = find(parent, merges[to].b);
            merges[to].b = a < b ? b : a;
            parent[a < b ? b : a] = a < b ? a : b;
        }
        for (int64_t i = from; i < to; i++) merges[i].a = find(parent, merges[i].b);
        qsort(merges + from, (size_t)(to - from), sizeof *merges, by_members);
    }
done:
    ctx_free(ctx, parent);
    return status;
}

/* ---- building ---- */

static coset_status condensed_new(coset_ctx *ctx, int64_t n, double **condensed_out)
{
    if (n > CLUSTER_MAX_DISTINCT)
        return ctx_fail(
            ctx, COSET_ELIMIT,
            "clustering %lld different units needs all their distances; the limit is %d",
            (long long)n, (int)CLUSTER_MAX_DISTINCT);
    return ctx_alloc_raw(ctx, n * (n - 1) / 2, sizeof **condensed_out, condensed_out);
}

static coset_status check_distances(coset_ctx *ctx, int64_t count, const double *distances)
{
    bool good = true;
    for (int64_t i = 0; i < count; i++) good = good && distances[i] <= LARGEST_DISTANCE;
    return good ? COSET_OK
                : ctx_fail(ctx, COSET_ENUMERIC, "distances between units are not finite");
}

/* Ward on condensed distances: squared, and with the sizes that single points have. */
static void ward_squares(int64_t n, const double *size, double *condensed)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++, condensed++)
            *condensed *= *condensed * 2 * (size[i] / (size[i] + size[j])) * size[j];
}

/* Merges of n points from their distances, any linkage; heights are final. */
static coset_status link_condensed(coset_ctx *ctx, int64_t n, double *condensed, double *size,
                                   cluster_linkage linkage, cluster_merge *merges)
{
    coset_status status = COSET_OK;
    TRY(check_distances(ctx, n * (n - 1) / 2, condensed));
    if (linkage == CLUSTER_SINGLE) {
        TRY(linkage_tree(ctx, n, condensed, NULL, CLUSTER_L2, merges));
        goto done;
    }
    if (linkage == CLUSTER_WARD) {
        ward_squares(n, size, condensed);
        TRY(check_distances(ctx, n * (n - 1) / 2, condensed));
    }
    TRY(linkage_chain(ctx, n, condensed, size, linkage, merges));
    for (int64_t i = 0; linkage == CLUSTER_WARD && i < n - 1; i++)
        merges[i].height = sqrt(merges[i].height);
done:
    return status;
}

static coset_status link_points(coset_ctx *ctx, const point_set *points, double *size,
                                cluster_metric metric, cluster_linkage linkage,
                                cluster_merge *merges)
{
    coset_status status = COSET_OK;
    double *condensed = NULL;
    /* A matrix takes each distance in an order that is kind to the cache, but memory. */
    if (linkage == CLUSTER_SINGLE && points->n > SINGLE_MATRIX) {
        TRY(linkage_tree(ctx, points->n, NULL, points, metric, merges));
        for (int64_t i = 0; i < points->n - 1; i++) TRY(check_distances(ctx, 1, &merges[i].height));
    } else {
        TRY(condensed_new(ctx, points->n, &condensed));
        TRY(distance_pairs(ctx, points, metric, condensed));
        TRY(link_condensed(ctx, points->n, condensed, size, linkage, merges));
    }
    for (int64_t i = 0; i < points->n - 1; i++) {
        merges[i].a = points->rows[merges[i].a];
        merges[i].b = points->rows[merges[i].b];
    }
done:
    ctx_free(ctx, condensed);
    return status;
}

static coset_status check_multiplicity(coset_ctx *ctx, const double *multiplicity, int64_t n)
{
    for (int64_t i = 0; multiplicity != NULL && i < n; i++)
        if (!(multiplicity[i] > 0 && multiplicity[i] <= LARGEST_DISTANCE))
            return ctx_fail(ctx, COSET_EARGUMENT, "multiplicity %lld is %g, not a positive number",
                            (long long)i, multiplicity[i]);
    return COSET_OK;
}

static coset_status check_points(coset_ctx *ctx, const double *points, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            if (!isfinite(points[i * d + j]))
                return ctx_fail(ctx, COSET_ENUMERIC, "entry %lld of unit %lld is not finite",
                                (long long)j, (long long)i);
    return COSET_OK;
}

coset_status cluster_build(coset_ctx *ctx, const double *points, int64_t n, int64_t d,
                           const double *multiplicity, cluster_metric metric,
                           cluster_linkage linkage, cluster_tree *tree_out)
{
    coset_status status = COSET_OK;
    cluster_tree tree = {.n = n};
    distinct kinds = {0};
    *tree_out = (cluster_tree){0};
    if (linkage == CLUSTER_WARD && metric != CLUSTER_L2)
        FAIL(ctx, COSET_EARGUMENT, "Ward linkage needs the Euclidean metric");
    TRY(check_multiplicity(ctx, multiplicity, n));
    TRY(check_points(ctx, points, n, d));
    TRY(ctx_alloc(ctx, n > 1 ? n - 1 : 0, sizeof *tree.merges, &tree.merges));
    TRY(ctx_alloc(ctx, n, sizeof *kinds.rows, &kinds.rows));
    TRY(ctx_alloc(ctx, n, sizeof *kinds.size, &kinds.size));
    TRY(distinct_find(ctx, points, n, d, multiplicity, tree.merges, &kinds));
    if (kinds.count > 1)
        TRY(link_points(ctx, &(point_set){points, kinds.rows, kinds.count, d}, kinds.size, metric,
                        linkage, tree.merges + kinds.merge_count));
    TRY(order_merges(ctx, n, tree.merges));
    *tree_out = tree;
    tree.merges = NULL;
done:
    cluster_tree_free(ctx, &tree);
    ctx_free(ctx, kinds.rows);
    ctx_free(ctx, kinds.size);
    return status;
}

coset_status cluster_build_distances(coset_ctx *ctx, const double *distances, int64_t n,
                                     const double *multiplicity, cluster_linkage linkage,
                                     cluster_tree *tree_out)
{
    coset_status status = COSET_OK;
    cluster_tree tree = {.n = n};
    double *condensed = NULL, *size = NULL;
    *tree_out = (cluster_tree){0};
    TRY(check_multiplicity(ctx, multiplicity, n));
    TRY(condensed_new(ctx, n, &condensed));
    TRY(ctx_alloc_raw(ctx, n, sizeof *size, &size));
    TRY(ctx_alloc(ctx, n > 1 ? n - 1 : 0, sizeof *tree.merges, &tree.merges));
    for (int64_t i = 0, at = 0; i < n; i++) {
        size[i] = multiplicity ? multiplicity[i] : 1;
        for (int64_t j = i + 1; j < n; j++) {
            condensed[at++] = distances[i * n + j];
            if (distances[i * n + j] < 0)
                FAIL(ctx, COSET_EARGUMENT, "the distance of units %lld and %lld is negative",
                     (long long)i, (long long)j);
        }
    }
    if (n > 1) TRY(link_condensed(ctx, n, condensed, size, linkage, tree.merges));
    TRY(order_merges(ctx, n, tree.merges));
    *tree_out = tree;
    tree.merges = NULL;
done:
    cluster_tree_free(ctx, &tree);
    ctx_free(ctx, condensed);
    ctx_free(ctx, size);
    return status;
}

void cluster_distances_from_gram(const double *gram, int64_t n, double *distances_out)
{
    static const double UNRESOLVED = 1e-13;
    for (int64_t i = 0; i < n; i++) {
        distances_out[i * n + i] = 0;
        for (int64_t j = i + 1; j < n; j++) {
            double both = gram[i * n + i] + gram[j * n + j];
            double square = both - 2 * gram[i * n + j];
            /* NaN must stay: the clustering refuses it. */
            double distance = square <= UNRESOLVED * both ? 0 : sqrt(square);
            distances_out[i * n + j] = distances_out[j * n + i] = distance;
        }
    }
}

void cluster_tree_free(coset_ctx *ctx, cluster_tree *tree)
{
    ctx_free(ctx, tree->merges);
    *tree = (cluster_tree){0};
}

/* ---- cutting ---- */

int64_t cluster_cut_count(const cluster_tree *tree, int64_t k, int64_t *block_of_out)
{
    int64_t n = tree->n, blocks = 0;
    int64_t merged = n - (k < 1 ? 1 : k > n ? n : k);
    for (int64_t i = 0; i < n; i++) block_of_out[i] = i;
    /* First each point's parent, which is smaller; then, ascending, the parent's block. */
    for (int64_t i = 0; i < merged; i++) block_of_out[tree->merges[i].b] = tree->merges[i].a;
    for (int64_t i = 0; i < n; i++)
        block_of_out[i] = block_of_out[i] == i ? blocks++ : block_of_out[block_of_out[i]];
    return blocks;
}

int64_t cluster_cut_height(const cluster_tree *tree, double eps, int64_t *block_of_out)
{
    int64_t low = 0, high = tree->n > 1 ? tree->n - 1 : 0; /* merges up to eps are [0, low) */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (tree->merges[middle].height <= eps)
            low = middle + 1;
        else
            high = middle;
    }
    return cluster_cut_count(tree, tree->n - low, block_of_out);
}

void cluster_representatives(const int64_t *block_of, int64_t n, int64_t *representative_out)
{
    int64_t blocks = 0;
    for (int64_t i = 0; i < n; i++)
        if (block_of[i] == blocks) representative_out[blocks++] = i;
}
