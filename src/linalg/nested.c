/* Errors of nested reductions (select.h): Gram-Schmidt over a fixed sequence of directions. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "linalg/blas.h"
#include "linalg/moments.h"

coset_status moments_total(coset_ctx *ctx, const moment_site *sites, int64_t n_sites, int64_t n,
                           double *total_out)
{
    double total = 0;
    for (int64_t s = 0; s < n_sites; s++) {
        double finite = 0; /* 0, or NaN once something is not finite */
        for (int64_t i = 0; i < n * n; i++) {
            total += sites[s].gram[i] * sites[s].weight[i];
            finite += sites[s].gram[i] * 0 + sites[s].weight[i] * 0;
        }
        if (finite != 0) return ctx_fail(ctx, COSET_ENUMERIC, "NaN or Inf in a moment matrix");
    }
    if (!isfinite(total)) return ctx_fail(ctx, COSET_ENUMERIC, "the error of a group overflows");
    *total_out = fmax(total, 0);
    return COSET_OK;
}

/* One site along directions t_0, t_1, ... in the order in which they are kept. */
typedef struct nested {
    int64_t n;
    double *cross; /* (n, n) row i: t_i^T G; then orthonormal: G (G-orthonormalised t_i) */
    double *inner; /* (n, n) lower: t_i^T G t_j; then its Cholesky factor */
    double *own;   /* [n] t_i^T G t_i */
    bool *skipped; /* [n] nothing new */
} nested;

enum { BLOCK = 64 };

/* Cholesky of the diagonal block at j0; a skipped direction leaves its column empty. */
static void factor_block(nested *self, int64_t j0, int64_t j1)
{
    int64_t n = self->n;
    double *l = self->inner;
    for (int64_t j = j0; j < j1; j++) {
        for (int64_t i = j; i < j1; i++)
            for (int64_t s = j0; s < j; s++) l[i * n + j] -= l[i * n + s] * l[j * n + s];
        double left = l[j * n + j];
        self->skipped[j] = !(left > MOMENTS_EXPLAINED * self->own[j] && left > 0);
        double root = self->skipped[j] ? 1 : sqrt(left);
        l[j * n + j] = root;
        for (int64_t i = j + 1; i < j1; i++)
            l[i * n + j] = self->skipped[j] ? 0 : l[i * n + j] / root;
    }
}

/* inner becomes L with inner = L L^T, column by block of columns; cross becomes L^-1 cross. */
static void orthogonalise(coset_ctx *ctx, nested *self)
{
    int64_t n = self->n;
    double *l = self->inner;
    blas_threads_for(ctx, (double)n, (double)n, (double)n);
    for (int64_t i = 0; i < n; i++) self->own[i] = l[i * n + i];
    for (int64_t j0 = 0; j0 < n; j0 += BLOCK) {
        int64_t j1 = n - j0 < BLOCK ? n : j0 + BLOCK, below = n - j1;
        factor_block(self, j0, j1);
        if (below == 0) break;
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)below,
                    (int)(j1 - j0), 1, l + j0 * n + j0, (int)n, l + j1 * n + j0, (int)n);
        for (int64_t j = j0; j < j1; j++)
            for (int64_t i = j1; self->skipped[j] && i < n; i++) l[i * n + j] = 0;
        syrk_f64(ctx, false, below, j1 - j0, -1, l + j1 * n + j0, n, 1, l + j1 * n + j1, n, false);
    }
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, (int)n, 1,
                l, (int)n, self->cross, (int)n);
}

/* gain_out[i] += x_i^T M x_i, x_i the rows of cross.
 *   strip  (256, n) scratch */
static void add_gains(coset_ctx *ctx, const nested *self, const double *weight, double *strip,
                      double *gain_out)
{
    enum { STRIP = 256 };
    int64_t n = self->n;
    for (int64_t i0 = 0; i0 < n; i0 += STRIP) {
        int64_t rows = n - i0 < STRIP ? n - i0 : STRIP;
        const double *x = self->cross + i0 * n;
        gemm_f64(ctx, false, false, rows, n, n, 1, x, n, weight, n, 0, strip, n);
        for (int64_t i = 0; i < rows; i++) {
            double gain = 0;
            for (int64_t j = 0; j < n; j++) gain += x[i * n + j] * strip[i * n + j];
            if (!self->skipped[i0 + i]) gain_out[i0 + i] += fmax(gain, 0);
        }
    }
}

/* Fills cross and inner from G. */
typedef void directions(const void *sequence, const double *gram, nested *self);

static coset_status nested_errors(coset_ctx *ctx, int64_t n, const moment_site *sites,
                                  int64_t n_sites, directions *fill, const void *sequence,
                                  double *error_out)
{
    coset_status status = COSET_OK;
    nested self = {.n = n};
    double total = 0, *strip = NULL, *gain = NULL;
    if (n > INT32_MAX) FAIL(ctx, COSET_ELIMIT, "a group of %lld units is too large", (long long)n);
    TRY(moments_total(ctx, sites, n_sites, n, &total));
    TRY(ctx_alloc_raw(ctx, n * n, sizeof *self.cross, &self.cross));
    TRY(ctx_alloc_raw(ctx, n * n, sizeof *self.inner, &self.inner));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self.own, &self.own));
    TRY(ctx_alloc(ctx, n, sizeof *self.skipped, &self.skipped));
    TRY(ctx_alloc_raw(ctx, (n < 256 ? n : 256) * n, sizeof *strip, &strip));
    TRY(ctx_alloc(ctx, n, sizeof *gain, &gain));
    for (int64_t s = 0; s < n_sites && n > 0; s++) {
        fill(sequence, sites[s].gram, &self);
        orthogonalise(ctx, &self);
        add_gains(ctx, &self, sites[s].weight, strip, gain);
    }
    error_out[0] = total;
    for (int64_t k = 0; k < n; k++) error_out[k + 1] = fmax(error_out[k] - gain[k], 0);
    if (n > 0) error_out[n] = 0; /* all units: exact, whatever was rounded on the way */
done:
    ctx_free(ctx, self.cross);
    ctx_free(ctx, self.inner);
    ctx_free(ctx, self.own);
    ctx_free(ctx, self.skipped);
    ctx_free(ctx, strip);
    ctx_free(ctx, gain);
    return status;
}

/* ---- an order of units ---- */

static void order_directions(const void *sequence, const double *gram, nested *self)
{
    const int64_t *order = sequence;
    int64_t n = self->n;
    for (int64_t i = 0; i < n; i++) {
        const double *row = gram + order[i] * n;
        memcpy(self->cross + i * n, row, (size_t)n * sizeof *row);
        for (int64_t j = 0; j <= i; j++) self->inner[i * n + j] = row[order[j]];
    }
}

coset_status selection_errors(coset_ctx *ctx, const int64_t *order, const moment_site *sites,
                              int64_t n_sites, int64_t n, double *error_out)
{
    coset_status status = COSET_OK;
    bool *seen = NULL;
    TRY(ctx_alloc(ctx, n, sizeof *seen, &seen));
    for (int64_t i = 0; i < n; i++) {
        if (order[i] < 0 || order[i] >= n || seen[order[i]])
            FAIL(ctx, COSET_EARGUMENT, "an order of %lld units is no permutation", (long long)n);
        seen[order[i]] = true;
    }
    TRY(nested_errors(ctx, n, sites, n_sites, order_directions, order, error_out));
done:
    ctx_free(ctx, seen);
    return status;
}

/* ---- a tree of merges ---- */

/* Position of the direction that smallest member b stands for: all units first, then the part b of
 * the last merge, of the last but one, and so on. */
static int64_t place_of_merge(int64_t n, int64_t merge)
{
    return n - 1 - merge;
}

/* Block sums along the tree: slot b keeps the sum over its block from when it merged. */
static void tree_directions(const void *sequence, const double *gram, nested *self)
{
    const cluster_tree *tree = sequence;
    int64_t n = self->n;
    double *sums = self->inner; /* rows by slot, until they are in place */
    memcpy(sums, gram, (size_t)(n * n) * sizeof *gram);
    for (int64_t t = 0; t < n - 1; t++) {
        double *a = sums + tree->merges[t].a * n, *b = sums + tree->merges[t].b * n;
        for (int64_t j = 0; j < n; j++) a[j] += b[j];
        memcpy(self->cross + place_of_merge(n, t) * n, b, (size_t)n * sizeof *b);
    }
    memcpy(self->cross, sums, (size_t)n * sizeof *sums);
    /* The same along columns. */
    for (int64_t i = 0; i < n; i++) {
        double *columns = self->own, *row = self->inner + i * n;
        memcpy(columns, self->cross + i * n, (size_t)n * sizeof *columns);
        for (int64_t t = 0; t < n - 1; t++) {
            row[place_of_merge(n, t)] = columns[tree->merges[t].b];
            columns[tree->merges[t].a] += columns[tree->merges[t].b];
        }
        row[0] = columns[0];
    }
}

coset_status merge_errors(coset_ctx *ctx, const cluster_tree *tree, const moment_site *sites,
                          int64_t n_sites, double *error_out)
{
    return nested_errors(ctx, tree->n, sites, n_sites, tree_directions, tree, error_out);
}
