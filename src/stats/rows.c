#include "stats/rows.h"

#include <math.h>
#include <string.h>

coset_status moments_view_of(coset_ctx *ctx, const array *values, int axis, moments_view *view_out)
{
    char text[SHAPE_TEXT];
    int rank = values->shape.rank;
    int at = axis < 0 ? axis + rank : axis;
    if (!dtype_is_float(values->dtype))
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "moments need floating-point values, not %s",
                        coset_dtype_name(values->dtype));
    if (at < 0 || at >= rank)
        return ctx_fail(ctx, COSET_EARGUMENT, "a value of shape %s has no axis %d",
                        shape_text(&values->shape, text, sizeof text), axis);
    int64_t features = values->shape.dims[at];
    *view_out = (moments_view){.values = values->f,
                               .outer = shape_product(&values->shape, 0, at),
                               .features = features,
                               .inner = shape_product(&values->shape, at + 1, rank),
                               .width = features};
    return COSET_OK;
}

int64_t moments_view_samples(const moments_view *self)
{
    return self->outer * self->inner * (self->index != NULL ? self->repeats : 1);
}

void rows_fill(const moments_view *view, int64_t first, int64_t count, double *rows_out)
{
    int64_t n = view->features, inner = view->inner;
    int64_t repeats = view->index != NULL ? view->repeats : 1;
    int64_t width = view->index != NULL ? view->width : n;
    for (int64_t r = 0; r < count; r++) {
        int64_t sample = (first + r) / repeats, p = (first + r) % repeats;
        const float *from = view->values + sample / inner * width * inner + sample % inner;
        double *to = rows_out + r * n;
        for (int64_t j = 0; j < n; j++) {
            int64_t place = view->index != NULL ? view->index[j * repeats + p] : j;
            float value = from[place * inner];
            to[j] = (double)(view->map != NULL ? view->map(value, view->parameter) : value);
        }
    }
}

/* Names the first value that is not finite. */
static coset_status fail_nonfinite(coset_ctx *ctx, const double *rows, int64_t count, int64_t n,
                                   int64_t first)
{
    for (int64_t r = 0; r < count; r++)
        for (int64_t j = 0; j < n; j++)
            if (!isfinite(rows[r * n + j]))
                return ctx_fail(ctx, COSET_ENUMERIC, "sample %lld, feature %lld is %s",
                                (long long)(first + r), (long long)j,
                                isnan(rows[r * n + j]) ? "NaN" : "infinite");
    return ctx_fail(ctx, COSET_ENUMERIC, "a mean is not finite");
}

coset_status rows_mean(coset_ctx *ctx, const double *rows, int64_t count, int64_t n, int64_t first,
                       double *mean_out)
{
    memset(mean_out, 0, (size_t)n * sizeof *mean_out);
    for (int64_t r = 0; r < count; r++)
        for (int64_t j = 0; j < n; j++) mean_out[j] += rows[r * n + j];
    for (int64_t j = 0; j < n; j++) {
        /* Rows come from f32, so that no sum of finite ones overflows. */
        if (!isfinite(mean_out[j])) return fail_nonfinite(ctx, rows, count, n, first);
        mean_out[j] /= (double)count;
    }
    return COSET_OK;
}

void rows_centre(double *rows, int64_t count, int64_t n, const double *mean)
{
    for (int64_t r = 0; r < count; r++)
        for (int64_t j = 0; j < n; j++) rows[r * n + j] -= mean[j];
}

void mean_merge(double *mean, int64_t count, double *mean_added, int64_t added, int64_t n)
{
    double share = (double)added / ((double)count + (double)added);
    for (int64_t j = 0; j < n; j++) {
        mean_added[j] -= mean[j];
        mean[j] += mean_added[j] * share;
    }
}

double merge_weight(int64_t count, int64_t added)
{
    double a = (double)count, b = (double)added;
    return a + b > 0 ? a / (a + b) * b : 0;
}
