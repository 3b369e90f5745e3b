#include "methods/linearity/interval.h"

#include <float.h>
#include <math.h>

coset_status interval_new(coset_ctx *ctx, int rank, const int64_t *dims, interval_array *made_out)
{
    interval_array made = {.rank = rank};
    for (int a = 0; a < rank; a++) made.dims[a] = dims[a];
    int64_t count = interval_count(&made);
    coset_status status = ctx_alloc_raw(ctx, 2 * count, sizeof *made.low, &made.low);
    if (status != COSET_OK) return status;
    made.high = made.low + count;
    *made_out = made;
    return COSET_OK;
}

coset_status interval_same(coset_ctx *ctx, int rank, double low, double high,
                           interval_array *made_out)
{
    int64_t dims[TENSOR_MAX_RANK];
    for (int a = 0; a < rank; a++) dims[a] = 1;
    coset_status status = interval_new(ctx, rank, dims, made_out);
    if (status != COSET_OK) return status;
    made_out->low[0] = low;
    made_out->high[0] = high;
    return COSET_OK;
}

void interval_free(coset_ctx *ctx, interval_array *self)
{
    ctx_free(ctx, self->low);
    self->low = self->high = NULL;
}

int64_t interval_count(const interval_array *self)
{
    int64_t count = 1;
    for (int a = 0; a < self->rank; a++) count *= self->dims[a];
    return count;
}

void interval_hull(const interval_array *self, double *low_out, double *high_out)
{
    *low_out = (double)INFINITY;
    *high_out = -(double)INFINITY;
    for (int64_t i = 0; i < interval_count(self); i++) {
        *low_out = fmin(*low_out, self->low[i]);
        *high_out = fmax(*high_out, self->high[i]);
    }
    if (*low_out <= *high_out) return;
    *low_out = -(double)INFINITY; /* there are no elements */
    *high_out = (double)INFINITY;
}

void interval_along(const interval_array *self, int axis, int64_t n, double *low, double *high)
{
    bool told = axis < self->rank && self->dims[axis] == n;
    for (int64_t i = 0; i < n; i++) {
        low[i] = (double)INFINITY;
        high[i] = -(double)INFINITY;
    }
    if (!told) {
        double all_low = 0, all_high = 0;
        interval_hull(self, &all_low, &all_high);
        for (int64_t i = 0; i < n; i++) {
            low[i] = all_low;
            high[i] = all_high;
        }
        return;
    }
    int64_t inner = 1;
    for (int a = axis + 1; a < self->rank; a++) inner *= self->dims[a];
    for (int64_t e = 0; e < interval_count(self); e++) {
        int64_t i = e / inner % n;
        low[i] = fmin(low[i], self->low[e]);
        high[i] = fmax(high[i], self->high[e]);
    }
}

coset_status interval_collapse(coset_ctx *ctx, const interval_array *self, int first,
                               interval_array *made_out)
{
    int64_t dims[TENSOR_MAX_RANK] = {0}, outer = 1;
    if (interval_count(self) == 0)
        return interval_same(ctx, self->rank, -(double)INFINITY, (double)INFINITY, made_out);
    for (int a = 0; a < self->rank; a++) {
        dims[a] = a < first ? self->dims[a] : 1;
        outer *= dims[a];
    }
    coset_status status = interval_new(ctx, self->rank, dims, made_out);
    if (status != COSET_OK) return status;
    int64_t inner = interval_count(self) / outer;
    for (int64_t o = 0; o < outer; o++) {
        made_out->low[o] = self->low[o * inner];
        made_out->high[o] = self->high[o * inner];
        for (int64_t i = 1; i < inner; i++) {
            made_out->low[o] = fmin(made_out->low[o], self->low[o * inner + i]);
            made_out->high[o] = fmax(made_out->high[o], self->high[o * inner + i]);
        }
    }
    return COSET_OK;
}

/* Where element e of an array of sizes `dims` lies in one that is broadcast to it. */
static int64_t place_in(const interval_array *from, int rank, const int64_t *dims, int64_t e)
{
    int64_t place = 0, stride = 1;
    for (int a = rank - 1, b = from->rank - 1; b >= 0; a--, b--) {
        int64_t index = e % dims[a];
        e /= dims[a];
        if (from->dims[b] > 1) place += index * stride;
        stride *= from->dims[b];
    }
    return place;
}

coset_status interval_expand(coset_ctx *ctx, const interval_array *self, int rank,
                             const int64_t *dims, interval_array *made_out)
{
    coset_status status = interval_new(ctx, rank, dims, made_out);
    if (status != COSET_OK) return status;
    for (int64_t e = 0; e < interval_count(made_out); e++) {
        int64_t from = place_in(self, rank, dims, e);
        made_out->low[e] = self->low[from];
        made_out->high[e] = self->high[from];
    }
    return COSET_OK;
}

/* ---- arithmetic ---- */

/* A sum that comes out as 0 is 0, and so is a product with a 0: other zeros do not get here. */
double round_down(double value)
{
    if (isnan(value)) return -(double)INFINITY;
    return value == 0 ? 0 : nextafter(value, -(double)INFINITY);
}

double round_up(double value)
{
    if (isnan(value)) return (double)INFINITY;
    return value == 0 ? 0 : nextafter(value, (double)INFINITY);
}

void interval_add(const double *a, const double *b, double *low_out, double *high_out)
{
    *low_out = round_down(a[0] + b[0]);
    *high_out = round_up(a[1] + b[1]);
}

void interval_subtract(const double *a, const double *b, double *low_out, double *high_out)
{
    *low_out = round_down(a[0] - b[1]);
    *high_out = round_up(a[1] - b[0]);
}

void interval_multiply(const double *a, const double *b, double *low_out, double *high_out)
{
    *low_out = (double)INFINITY;
    *high_out = -(double)INFINITY;
    for (int i = 0; i < 4; i++) {
        double x = a[i & 1], y = b[i >> 1], corner = x * y, slack = 0;
        if (x == 0 || y == 0)
            corner = 0; /* also times an unknown number */
        else if (corner == 0)
            slack = DBL_MIN; /* underflow */
        *low_out = fmin(*low_out, round_down(corner - slack));
        *high_out = fmax(*high_out, round_up(corner + slack));
    }
}

void interval_divide(const double *a, const double *b, double *low_out, double *high_out)
{
    if (b[0] <= 0 && b[1] >= 0) {
        *low_out = -(double)INFINITY;
        *high_out = (double)INFINITY;
        return;
    }
    const double inverse[2] = {round_down(1 / b[1]), round_up(1 / b[0])};
    interval_multiply(a, inverse, low_out, high_out);
}

coset_status interval_combine(coset_ctx *ctx, const interval_array *a, const interval_array *b,
                              interval_function function, interval_array *made_out)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t dims[TENSOR_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        int in_a = i - (rank - a->rank), in_b = i - (rank - b->rank);
        int64_t size_a = in_a >= 0 ? a->dims[in_a] : 1, size_b = in_b >= 0 ? b->dims[in_b] : 1;
        dims[i] = size_a == 1 ? size_b : size_a;
    }
    coset_status status = interval_new(ctx, rank, dims, made_out);
    if (status != COSET_OK) return status;
    for (int64_t e = 0; e < interval_count(made_out); e++) {
        int64_t at = place_in(a, rank, dims, e), bt = place_in(b, rank, dims, e);
        const double x[2] = {a->low[at], a->high[at]}, y[2] = {b->low[bt], b->high[bt]};
        function(x, y, &made_out->low[e], &made_out->high[e]);
    }
    return COSET_OK;
}
