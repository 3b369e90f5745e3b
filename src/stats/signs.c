#include "stats/signs.h"

#include "base/size.h"
#include "stats/moments.h"

coset_status sign_counts_new(coset_ctx *ctx, int64_t n, int64_t places, sign_counts **counts_out)
{
    coset_status status = COSET_OK;
    sign_counts *self = NULL;
    size_t row = 0;
    *counts_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n = n;
    self->places = places;
    if (!size_mul((size_t)places, sizeof *self->positive, &row))
        FAIL(ctx, COSET_EMEMORY, "out of memory: sign counts at %lld places", (long long)places);
    TRY(ctx_alloc(ctx, n, row, &self->positive));
    *counts_out = self;
    self = NULL;
done:
    sign_counts_free(ctx, self);
    return status;
}

coset_status sign_counts_add(coset_ctx *ctx, sign_counts *self, const array *values, int axis,
                             int64_t samples)
{
    moments_view view;
    coset_status status = moments_view_of(ctx, values, axis, &view);
    if (status != COSET_OK) return status;
    int64_t n = self->n, inner = view.inner, outer = inner > 0 ? self->places / inner : 0;
    if (view.features != n || outer * inner != self->places || view.outer < samples * outer ||
        (outer > 0 && view.outer % outer != 0))
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "%lld features with %lld elements each do not hold %lld samples of %lld "
                        "features at %lld places",
                        (long long)view.features, (long long)(view.outer * inner),
                        (long long)samples, (long long)n, (long long)self->places);
    /* Plane `at` of sample s is outer place at % outer: inner elements of every feature in turn. */
    for (int64_t at = 0; at < samples * outer; at++)
        for (int64_t j = 0; j < n; j++) {
            const float *from = view.values + (at * n + j) * inner;
            int64_t *to = self->positive + j * self->places + at % outer * inner;
            for (int64_t i = 0; i < inner; i++) to[i] += from[i] > 0;
        }
    self->count += samples;
    return COSET_OK;
}

coset_status sign_counts_merge(coset_ctx *ctx, sign_counts *self, const sign_counts *other)
{
    if (self->n != other->n || self->places != other->places)
        return ctx_fail(ctx, COSET_EARGUMENT,
                        "sign counts of %lld features at %lld places and of %lld at %lld cannot be "
                        "merged",
                        (long long)self->n, (long long)self->places, (long long)other->n,
                        (long long)other->places);
    for (int64_t k = 0; k < self->n * self->places; k++) self->positive[k] += other->positive[k];
    self->count += other->count;
    return COSET_OK;
}

double sign_counts_apart(const sign_counts *self, int64_t feature)
{
    double n = (double)self->count, sum = 0;
    if (self->count < 2 || self->places == 0) return 0;
    for (int64_t p = 0; p < self->places; p++) {
        double k = (double)self->positive[feature * self->places + p];
        sum += 2 * k * (n - k);
    }
    return sum / (n * (n - 1) * (double)self->places);
}

void sign_counts_free(coset_ctx *ctx, sign_counts *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->positive);
    ctx_free(ctx, self);
}
