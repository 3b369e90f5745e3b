#include "methods/linearity/activity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Residuals below this share of a unit's second moment are rounding of activations in f32. */
#define ROUNDING 1e-12

static coset_status fit_new(coset_ctx *ctx, int64_t n, bool estimates, linear_fit **fit_out)
{
    coset_status status = COSET_OK;
    linear_fit *self = NULL;
    *fit_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n = n;
    TRY(ctx_alloc(ctx, n, sizeof *self->slope, &self->slope));
    TRY(ctx_alloc(ctx, n, sizeof *self->shift, &self->shift));
    TRY(ctx_alloc(ctx, n, sizeof *self->order, &self->order));
    TRY(ctx_alloc(ctx, n + 1, sizeof *self->height, &self->height));
    if (estimates) TRY(ctx_alloc(ctx, n + 1, sizeof *self->error, &self->error));
    *fit_out = self;
    self = NULL;
done:
    linear_fit_free(ctx, self);
    return status;
}

void linear_fit_free(coset_ctx *ctx, linear_fit *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->slope);
    ctx_free(ctx, self->shift);
    ctx_free(ctx, self->order);
    ctx_free(ctx, self->height);
    ctx_free(ctx, self->error);
    ctx_free(ctx, self);
}

typedef struct candidate {
    double height, error; /* of the unit alone */
    int64_t unit;
} candidate;

static int least_linear_first(const void *left, const void *right)
{
    const candidate *a = left, *b = right;
    if (a->height != b->height) return a->height > b->height ? -1 : 1;
    if (a->error != b->error) return a->error > b->error ? -1 : 1;
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

/* Order, heights and errors from those of the single units, which are sorted. */
static void rank_units(linear_fit *self, candidate *units)
{
    qsort(units, (size_t)self->n, sizeof *units, least_linear_first);
    self->height[self->n] = 0;
    if (self->error != NULL) self->error[self->n] = 0;
    for (int64_t k = self->n - 1; k >= 0; k--) {
        self->order[k] = units[k].unit;
        self->height[k] = units[k].height;
        if (self->error != NULL) self->error[k] = self->error[k + 1] + units[k].error;
    }
}

/* E (h - slope z - shift)^2. */
static double residual(const pair_moments *pairs, int64_t u, double slope, double shift)
{
    double count = (double)pairs->count, bias = pairs->mean_y[u] - slope * pairs->mean_x[u] - shift;
    double scatter = pairs->yy[u] - 2 * slope * pairs->xy[u] + slope * slope * pairs->xx[u];
    double found = scatter / count + bias * bias;
    double size = pairs->yy[u] / count + pairs->mean_y[u] * pairs->mean_y[u];
    return found > ROUNDING * size ? found : 0;
}

coset_status fit_none(coset_ctx *ctx, int64_t n, linear_fit **fit_out)
{
    coset_status status = fit_new(ctx, n, false, fit_out);
    for (int64_t k = 0; status == COSET_OK && k < n; k++) {
        (*fit_out)->order[k] = k;
        (*fit_out)->height[k] = (double)INFINITY;
    }
    return status;
}

static bool is_piecewise_linear(const unit_group *group)
{
    return group->function == UNIT_IDENTITY || group->function == UNIT_RELU;
}

coset_status fit_rate(coset_ctx *ctx, const unit_group *group, const pair_moments *pairs,
                      const double *weight, double dead, linear_fit **fit_out)
{
    coset_status status = COSET_OK;
    linear_fit *self = NULL;
    candidate *units = NULL;
    *fit_out = NULL;
    if (!is_piecewise_linear(group)) return fit_none(ctx, group->n, fit_out);
    TRY(fit_new(ctx, group->n, true, &self));
    TRY(ctx_alloc(ctx, group->n, sizeof *units, &units));
    double count = (double)(pairs->count > 0 ? pairs->count : 1), leak = (double)group->leak;
    for (int64_t u = 0; u < group->n; u++) {
        double active = (double)pairs->positive[u];
        bool idle = group->function == UNIT_RELU && active <= dead * count;
        self->slope[u] = idle ? leak : 1;
        self->shift[u] = idle ? pairs->mean_y[u] - leak * pairs->mean_x[u] : 0;
        units[u].unit = u;
        bool certain = idle || group->function == UNIT_IDENTITY;
        units[u].height = certain ? 0 : (count - active) / count;
        units[u].error = weight[u] * residual(pairs, u, self->slope[u], self->shift[u]);
    }
    rank_units(self, units);
    *fit_out = self;
    self = NULL;
done:
    ctx_free(ctx, units);
    linear_fit_free(ctx, self);
    return status;
}

/* Slope 0, or that of least squares. */
static coset_status fit_squares(coset_ctx *ctx, const pair_moments *pairs, const double *weight,
                                bool sloped, linear_fit **fit_out)
{
    coset_status status = COSET_OK;
    linear_fit *self = NULL;
    candidate *units = NULL;
    *fit_out = NULL;
    TRY(fit_new(ctx, pairs->n, true, &self));
    TRY(ctx_alloc(ctx, pairs->n, sizeof *units, &units));
    for (int64_t u = 0; u < pairs->n; u++) {
        double slope = sloped && pairs->xx[u] > 0 ? pairs->xy[u] / pairs->xx[u] : 0;
        self->slope[u] = slope;
        self->shift[u] = pairs->mean_y[u] - slope * pairs->mean_x[u];
        units[u].unit = u;
        units[u].error = weight[u] * residual(pairs, u, slope, self->shift[u]);
        units[u].height = units[u].error;
    }
    rank_units(self, units);
    for (int64_t k = 0; k <= self->n; k++) self->height[k] = sqrt(self->error[k]);
    *fit_out = self;
    self = NULL;
done:
    ctx_free(ctx, units);
    linear_fit_free(ctx, self);
    return status;
}

coset_status fit_affine(coset_ctx *ctx, const pair_moments *pairs, const double *weight,
                        linear_fit **fit_out)
{
    return fit_squares(ctx, pairs, weight, true, fit_out);
}

coset_status fit_constant(coset_ctx *ctx, const pair_moments *pairs, const double *weight,
                          linear_fit **fit_out)
{
    return fit_squares(ctx, pairs, weight, false, fit_out);
}

coset_status fit_bounds(coset_ctx *ctx, const unit_group *group, const double *low,
                        const double *high, linear_fit **fit_out)
{
    coset_status status = COSET_OK;
    linear_fit *self = NULL;
    candidate *units = NULL;
    *fit_out = NULL;
    if (!is_piecewise_linear(group)) return fit_none(ctx, group->n, fit_out);
    TRY(fit_new(ctx, group->n, true, &self));
    TRY(ctx_alloc(ctx, group->n, sizeof *units, &units));
    for (int64_t u = 0; u < group->n; u++) {
        bool linear = low[u] >= 0, dead = high[u] <= 0;
        self->slope[u] = linear ? 1 : (double)group->leak;
        units[u].unit = u;
        units[u].height = units[u].error = linear || dead ? 0 : (double)INFINITY;
    }
    rank_units(self, units);
    *fit_out = self;
    self = NULL;
done:
    ctx_free(ctx, units);
    linear_fit_free(ctx, self);
    return status;
}

coset_status fit_idle(coset_ctx *ctx, const linear_fit *of, linear_fit **fit_out)
{
    coset_status status = COSET_OK;
    linear_fit *self = NULL;
    candidate *units = NULL;
    *fit_out = NULL;
    TRY(fit_new(ctx, of->n, of->error != NULL, &self));
    TRY(ctx_alloc(ctx, of->n, sizeof *units, &units));
    for (int64_t k = 0; k < of->n; k++) {
        int64_t u = of->order[k];
        bool idle = of->slope[u] == 0;
        self->shift[u] = of->shift[u];
        units[k].unit = u;
        units[k].height = idle ? of->height[k] : (double)INFINITY;
        units[k].error = idle && of->error != NULL ? of->error[k] - of->error[k + 1] : 0;
    }
    rank_units(self, units);
    *fit_out = self;
    self = NULL;
done:
    ctx_free(ctx, units);
    linear_fit_free(ctx, self);
    return status;
}

static coset_status copy_of(coset_ctx *ctx, const void *from, int64_t count, size_t size,
                            void *copy_out)
{
    coset_status status = ctx_alloc_raw(ctx, count, size, copy_out);
    if (status == COSET_OK) memcpy(*(void **)copy_out, from, (size_t)count * size);
    return status;
}

coset_status linear_fit_path(coset_ctx *ctx, const linear_fit *self, const char *method,
                             const int64_t *stays, path **path_out)
{
    coset_status status = COSET_OK;
    path *made = NULL;
    int64_t n = self->n;
    *path_out = NULL;
    TRY(path_new(ctx, method, n, &made));
    TRY(copy_of(ctx, self->order, n, sizeof *made->order, &made->order));
    TRY(copy_of(ctx, self->slope, n, sizeof *made->slope, &made->slope));
    TRY(copy_of(ctx, self->shift, n, sizeof *made->shift, &made->shift));
    if (stays != NULL) TRY(copy_of(ctx, stays, n + 1, sizeof *made->stays, &made->stays));
    made->error[0] = (double)INFINITY;
    for (int64_t k = 1; k < n; k++) {
        int64_t left = stays != NULL ? stays[k] : k;
        made->height[k] = left >= 0 ? self->height[left] : (double)INFINITY;
        if (self->error != NULL) made->error[k] = left >= 0 ? self->error[left] : (double)INFINITY;
        if (left < 0) made->stays[k] = 0;
    }
    if (self->error == NULL) {
        ctx_free(ctx, made->error);
        made->error = NULL;
    }
    *path_out = made;
    made = NULL;
done:
    path_free(ctx, made);
    return status;
}
