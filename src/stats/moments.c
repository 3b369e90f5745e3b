#include "stats/moments.h"

#include <math.h>
#include <string.h>

#include "linalg/blas.h"
#include "stats/rows.h"

coset_status moments_new(coset_ctx *ctx, int64_t n, bool second, moments **moments_out)
{
    coset_status status = COSET_OK;
    moments *self = NULL;
    *moments_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n = n;
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->mean));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->scatter));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->sum_square));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->sum_abs));
    TRY(ctx_alloc(ctx, n, sizeof(int64_t), &self->positive));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->work));
    TRY(ctx_alloc(ctx, n, MOMENTS_BLOCK * sizeof(double), &self->rows));
    /* n doubles fitted in memory, so that the row size is no overflow. */
    if (second) TRY(ctx_alloc(ctx, n, (size_t)n * sizeof(double), &self->second));
    *moments_out = self;
    self = NULL;
done:
    moments_free(ctx, self);
    return status;
}

static void add_light(moments *self, const double *row)
{
    for (int64_t j = 0; j < self->n; j++) {
        self->sum_square[j] += row[j] * row[j];
        self->sum_abs[j] += fabs(row[j]);
        self->positive[j] += row[j] > 0;
    }
}

/* self's scatter matrices of `count` samples take in those of `added` others, whose mean lies
 * work[] away. */
static void add_difference(coset_ctx *ctx, moments *self, double weight)
{
    for (int64_t j = 0; j < self->n; j++)
        self->scatter[j] += weight * self->work[j] * self->work[j];
    if (self->second != NULL && weight > 0)
        syrk_f64(ctx, true, self->n, 1, weight, self->work, self->n, 1.0, self->second, self->n,
                 false);
}

/* Merges the buffered block; second's lower triangle only. */
static coset_status fold(coset_ctx *ctx, moments *self)
{
    int64_t n = self->n, added = self->buffered;
    if (added == 0) return COSET_OK;
    coset_status status = rows_mean(ctx, self->rows, added, n, self->count, self->work);
    if (status != COSET_OK) return status;
    for (int64_t r = 0; r < added; r++) add_light(self, self->rows + r * n);
    rows_centre(self->rows, added, n, self->work);
    for (int64_t r = 0; r < added; r++)
        for (int64_t j = 0; j < n; j++)
            self->scatter[j] += self->rows[r * n + j] * self->rows[r * n + j];
    if (self->second != NULL)
        syrk_f64(ctx, true, n, added, 1.0, self->rows, n, 1.0, self->second, n, false);
    mean_merge(self->mean, self->count, self->work, added, n);
    add_difference(ctx, self, merge_weight(self->count, added));
    self->count += added;
    self->buffered = 0;
    return COSET_OK;
}

coset_status moments_add(coset_ctx *ctx, moments *self, const moments_view *view)
{
    int64_t samples = moments_view_samples(view);
    if (view->features != self->n)
        return ctx_fail(ctx, COSET_EARGUMENT, "samples have %lld features instead of %lld",
                        (long long)view->features, (long long)self->n);
    for (int64_t first = 0; first < samples;) {
        int64_t room = MOMENTS_BLOCK - self->buffered;
        int64_t take = samples - first < room ? samples - first : room;
        rows_fill(view, first, take, self->rows + self->buffered * self->n);
        self->buffered += take;
        first += take;
        if (self->buffered == MOMENTS_BLOCK) {
            coset_status status = fold(ctx, self);
            if (status != COSET_OK) return status;
        }
    }
    return COSET_OK;
}

coset_status moments_finish(coset_ctx *ctx, moments *self)
{
    coset_status status = fold(ctx, self);
    if (status == COSET_OK && self->second != NULL)
        symmetric_mirror(self->n, self->second, self->n);
    return status;
}

coset_status moments_merge(coset_ctx *ctx, moments *self, const moments *other)
{
    int64_t n = self->n;
    if (n != other->n || (self->second == NULL) != (other->second == NULL) || self->buffered != 0 ||
        other->buffered != 0)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "only finished moments of the same features and kinds can be merged");
    if (other->count == 0) return COSET_OK;
    for (int64_t j = 0; j < n; j++) {
        self->work[j] = other->mean[j];
        self->scatter[j] += other->scatter[j];
        self->sum_square[j] += other->sum_square[j];
        self->sum_abs[j] += other->sum_abs[j];
        self->positive[j] += other->positive[j];
    }
    if (self->second != NULL)
        for (int64_t k = 0; k < n * n; k++) self->second[k] += other->second[k];
    mean_merge(self->mean, self->count, self->work, other->count, n);
    add_difference(ctx, self, merge_weight(self->count, other->count));
    if (self->second != NULL) symmetric_mirror(n, self->second, n);
    self->count += other->count;
    return COSET_OK;
}

void moments_covariance(const moments *self, double *covariance_out)
{
    double scale = self->count > 0 ? 1.0 / (double)self->count : 0.0;
    for (int64_t k = 0; k < self->n * self->n; k++) covariance_out[k] = self->second[k] * scale;
}

void moments_free(coset_ctx *ctx, moments *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->mean);
    ctx_free(ctx, self->scatter);
    ctx_free(ctx, self->sum_square);
    ctx_free(ctx, self->sum_abs);
    ctx_free(ctx, self->positive);
    ctx_free(ctx, self->second);
    ctx_free(ctx, self->rows);
    ctx_free(ctx, self->work);
    ctx_free(ctx, self);
}
