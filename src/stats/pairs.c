#include "stats/pairs.h"

#include "stats/rows.h"

coset_status pair_moments_new(coset_ctx *ctx, int64_t n, pair_moments **moments_out)
{
    coset_status status = COSET_OK;
    pair_moments *self = NULL;
    *moments_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n = n;
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->mean_x));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->mean_y));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->xx));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->yy));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->xy));
    TRY(ctx_alloc(ctx, n, sizeof(int64_t), &self->positive));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->work_x));
    TRY(ctx_alloc(ctx, n, sizeof(double), &self->work_y));
    TRY(ctx_alloc(ctx, n, MOMENTS_BLOCK * sizeof(double), &self->rows_x));
    TRY(ctx_alloc(ctx, n, MOMENTS_BLOCK * sizeof(double), &self->rows_y));
    *moments_out = self;
    self = NULL;
done:
    pair_moments_free(ctx, self);
    return status;
}

/* Adds weight times the products of two deviations, (n) each. */
static void add_products(pair_moments *self, double weight, const double *x, const double *y)
{
    for (int64_t j = 0; j < self->n; j++) {
        self->xx[j] += weight * x[j] * x[j];
        self->yy[j] += weight * y[j] * y[j];
        self->xy[j] += weight * x[j] * y[j];
    }
}

/* Moves the means by `added` samples with means work_x and work_y, and the sums with them. */
static void shift_means(pair_moments *self, int64_t added)
{
    mean_merge(self->mean_x, self->count, self->work_x, added, self->n);
    mean_merge(self->mean_y, self->count, self->work_y, added, self->n);
    add_products(self, merge_weight(self->count, added), self->work_x, self->work_y);
    self->count += added;
}

static coset_status fold(coset_ctx *ctx, pair_moments *self)
{
    coset_status status = COSET_OK;
    int64_t n = self->n, added = self->buffered;
    if (added == 0) return COSET_OK;
    TRY(rows_mean(ctx, self->rows_x, added, n, self->count, self->work_x));
    TRY(rows_mean(ctx, self->rows_y, added, n, self->count, self->work_y));
    for (int64_t r = 0; r < added; r++)
        for (int64_t j = 0; j < n; j++) self->positive[j] += self->rows_x[r * n + j] > 0;
    rows_centre(self->rows_x, added, n, self->work_x);
    rows_centre(self->rows_y, added, n, self->work_y);
    for (int64_t r = 0; r < added; r++)
        add_products(self, 1, self->rows_x + r * n, self->rows_y + r * n);
    shift_means(self, added);
    self->buffered = 0;
done:
    return status;
}

coset_status pair_moments_add(coset_ctx *ctx, pair_moments *self, const moments_view *x,
                              const moments_view *y)
{
    int64_t samples = moments_view_samples(x);
    if (x->features != self->n || y->features != self->n)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "samples have %lld and %lld features instead of %lld each",
                        (long long)x->features, (long long)y->features, (long long)self->n);
    if (samples != moments_view_samples(y))
        return ctx_fail(ctx, COSET_EARGUMENT, "%lld samples of x, but %lld of y",
                        (long long)samples, (long long)moments_view_samples(y));
    for (int64_t first = 0; first < samples;) {
        int64_t room = MOMENTS_BLOCK - self->buffered;
        int64_t take = samples - first < room ? samples - first : room;
        rows_fill(x, first, take, self->rows_x + self->buffered * self->n);
        rows_fill(y, first, take, self->rows_y + self->buffered * self->n);
        self->buffered += take;
        first += take;
        if (self->buffered == MOMENTS_BLOCK) {
            coset_status status = fold(ctx, self);
            if (status != COSET_OK) return status;
        }
    }
    return COSET_OK;
}

coset_status pair_moments_finish(coset_ctx *ctx, pair_moments *self)
{
    return fold(ctx, self);
}

coset_status pair_moments_merge(coset_ctx *ctx, pair_moments *self, const pair_moments *other)
{
    int64_t n = self->n;
    if (n != other->n || self->buffered != 0 || other->buffered != 0)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "only finished pair moments of the same features can be merged");
    if (other->count == 0) return COSET_OK;
    for (int64_t j = 0; j < n; j++) {
        self->work_x[j] = other->mean_x[j];
        self->work_y[j] = other->mean_y[j];
        self->xx[j] += other->xx[j];
        self->yy[j] += other->yy[j];
        self->xy[j] += other->xy[j];
        self->positive[j] += other->positive[j];
    }
    shift_means(self, other->count);
    return COSET_OK;
}

void pair_moments_free(coset_ctx *ctx, pair_moments *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->mean_x);
    ctx_free(ctx, self->mean_y);
    ctx_free(ctx, self->xx);
    ctx_free(ctx, self->yy);
    ctx_free(ctx, self->xy);
    ctx_free(ctx, self->positive);
    ctx_free(ctx, self->work_x);
    ctx_free(ctx, self->work_y);
    ctx_free(ctx, self->rows_x);
    ctx_free(ctx, self->rows_y);
    ctx_free(ctx, self);
}
