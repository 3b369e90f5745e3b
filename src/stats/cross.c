#include <string.h>

#include "linalg/blas.h"
#include "stats/rows.h"

coset_status cross_moments_new(coset_ctx *ctx, int64_t n, int64_t m, cross_moments **moments_out)
{
    coset_status status = COSET_OK;
    cross_moments *self = NULL;
    *moments_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n = n;
    self->m = m;
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->mean_x));
    TRY(ctx_alloc(ctx, m, sizeof(double), &self->mean_y));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->work_x));
    TRY(ctx_alloc(ctx, m, sizeof(double), &self->work_y));
    TRY(ctx_alloc(ctx, n, MOMENTS_BLOCK * sizeof(double), &self->rows_x));
    TRY(ctx_alloc(ctx, m, MOMENTS_BLOCK * sizeof(double), &self->rows_y));
    TRY(ctx_alloc(ctx, n, (size_t)m * sizeof(double), &self->second));
    *moments_out = self;
    self = NULL;
done:
    cross_moments_free(ctx, self);
    return status;
}

static coset_status fold(coset_ctx *ctx, cross_moments *self)
{
    coset_status status = COSET_OK;
    int64_t n = self->n, m = self->m, added = self->buffered;
    if (added == 0) return COSET_OK;
    TRY(rows_mean(ctx, self->rows_x, added, n, self->count, self->work_x));
    TRY(rows_mean(ctx, self->rows_y, added, m, self->count, self->work_y));
    rows_centre(self->rows_x, added, n, self->work_x);
    rows_centre(self->rows_y, added, m, self->work_y);
    gemm_f64(ctx, true, false, n, m, added, 1.0, self->rows_x, n, self->rows_y, m, 1.0,
             self->second, m);
    mean_merge(self->mean_x, self->count, self->work_x, added, n);
    mean_merge(self->mean_y, self->count, self->work_y, added, m);
    double weight = merge_weight(self->count, added);
    gemm_f64(ctx, true, false, n, m, 1, weight, self->work_x, n, self->work_y, m, 1.0, self->second,
             m);
    self->count += added;
    self->buffered = 0;
done:
    return status;
}

coset_status cross_moments_add(coset_ctx *ctx, cross_moments *self, const moments_view *x,
                               const moments_view *y)
{
    int64_t samples = moments_view_samples(x);
    if (x->features != self->n || y->features != self->m)
        return ctx_fail(
            ctx, COSET_EARGUMENT, "samples have %lld and %lld features instead of %lld and %lld",
            (long long)x->features, (long long)y->features, (long long)self->n, (long long)self->m);
    if (samples != moments_view_samples(y))
        return ctx_fail(ctx, COSET_EARGUMENT, "%lld samples of x, but %lld of y",
                        (long long)samples, (long long)moments_view_samples(y));
    for (int64_t first = 0; first < samples;) {
        int64_t room = MOMENTS_BLOCK - self->buffered;
        int64_t take = samples - first < room ? samples - first : room;
        rows_fill(x, first, take, self->rows_x + self->buffered * self->n);
        rows_fill(y, first, take, self->rows_y + self->buffered * self->m);
        self->buffered += take;
        first += take;
        if (self->buffered == MOMENTS_BLOCK) {
            coset_status status = fold(ctx, self);
            if (status != COSET_OK) return status;
        }
    }
    return COSET_OK;
}

coset_status cross_moments_finish(coset_ctx *ctx, cross_moments *self)
{
    return fold(ctx, self);
}

coset_status cross_moments_merge(coset_ctx *ctx, cross_moments *self, const cross_moments *other)
{
    int64_t n = self->n, m = self->m;
    if (n != other->n || m != other->m || self->buffered != 0 || other->buffered != 0)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "only finished cross moments of the same features can be merged");
    if (other->count == 0) return COSET_OK;
    if (n > 0) memcpy(self->work_x, other->mean_x, (size_t)n * sizeof(double));
    if (m > 0) memcpy(self->work_y, other->mean_y, (size_t)m * sizeof(double));
    for (int64_t k = 0; k < n * m; k++) self->second[k] += other->second[k];
    mean_merge(self->mean_x, self->count, self->work_x, other->count, n);
    mean_merge(self->mean_y, self->count, self->work_y, other->count, m);
    double weight = merge_weight(self->count, other->count);
    gemm_f64(ctx, true, false, n, m, 1, weight, self->work_x, n, self->work_y, m, 1.0, self->second,
             m);
    self->count += other->count;
    return COSET_OK;
}

void cross_moments_covariance(const cross_moments *self, double *covariance_out)
{
    double scale = self->count > 0 ? 1.0 / (double)self->count : 0.0;
    for (int64_t k = 0; k < self->n * self->m; k++) covariance_out[k] = self->second[k] * scale;
}

void cross_moments_free(coset_ctx *ctx, cross_moments *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->mean_x);
    ctx_free(ctx, self->mean_y);
    ctx_free(ctx, self->second);
    ctx_free(ctx, self->rows_x);
    ctx_free(ctx, self->rows_y);
    ctx_free(ctx, self->work_x);
    ctx_free(ctx, self->work_y);
    ctx_free(ctx, self);
}
