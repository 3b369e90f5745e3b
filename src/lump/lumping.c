#include "lump/lumping.h"

#include <math.h>
#include <string.h>

static coset_status make(coset_ctx *ctx, int64_t n, int64_t k, lumping **lumping_out)
{
    coset_status status = COSET_OK;
    lumping *self = NULL;
    *lumping_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->n = n;
    self->k = k;
    TRY(ctx_alloc(ctx, k, sizeof *self->keep, &self->keep));
    TRY(ctx_alloc(ctx, n, sizeof *self->block, &self->block));
    TRY(ctx_alloc(ctx, n, sizeof *self->reduce, &self->reduce));
    TRY(ctx_alloc(ctx, n, sizeof *self->scale, &self->scale));
    *lumping_out = self;
    self = NULL;
done:
    lumping_free(ctx, self);
    return status;
}

coset_status lumping_select(coset_ctx *ctx, int64_t n, const int64_t *keep, int64_t k,
                            lumping **lumping_out)
{
    coset_status status = make(ctx, n, k, lumping_out);
    if (status != COSET_OK) return status;
    lumping *self = *lumping_out;
    for (int64_t u = 0; u < n; u++) self->block[u] = -1;
    for (int64_t b = 0; b < k; b++) {
        self->keep[b] = keep[b];
        self->block[keep[b]] = b;
        self->reduce[keep[b]] = self->scale[keep[b]] = 1;
    }
    return COSET_OK;
}

coset_status lumping_merge(coset_ctx *ctx, int64_t n, const int64_t *block, int64_t k,
                           lumping **lumping_out)
{
    coset_status status = make(ctx, n, k, lumping_out);
    if (status != COSET_OK) return status;
    lumping *self = *lumping_out;
    int64_t *size = NULL;
    TRY(ctx_alloc(ctx, k, sizeof *size, &size));
    for (int64_t u = 0; u < n; u++)
        if (size[block[u]]++ == 0) self->keep[block[u]] = u;
    for (int64_t u = 0; u < n; u++) {
        self->block[u] = block[u];
        self->reduce[u] = 1.0 / (double)size[block[u]];
        self->scale[u] = 1;
    }
done:
    ctx_free(ctx, size);
    if (status != COSET_OK) {
        lumping_free(ctx, self);
        *lumping_out = NULL;
    }
    return status;
}

coset_status lumping_bypass(coset_ctx *ctx, int64_t n, const int64_t *keep, int64_t k,
                            const double *slope, const double *shift, lumping **lumping_out)
{
    coset_status status = lumping_select(ctx, n, keep, k, lumping_out);
    if (status != COSET_OK) return status;
    lumping *self = *lumping_out;
    TRY(ctx_alloc(ctx, n, sizeof *self->slope, &self->slope));
    TRY(ctx_alloc(ctx, n, sizeof *self->shift, &self->shift));
    for (int64_t u = 0; u < n; u++) {
        if (self->block[u] >= 0) continue;
        self->slope[u] = slope[u];
        self->shift[u] = shift[u];
    }
done:
    if (status != COSET_OK) {
        lumping_free(ctx, self);
        *lumping_out = NULL;
    }
    return status;
}

coset_status lumping_identity(coset_ctx *ctx, int64_t n, lumping **lumping_out)
{
    coset_status status = make(ctx, n, n, lumping_out);
    if (status != COSET_OK) return status;
    for (int64_t u = 0; u < n; u++) {
        (*lumping_out)->keep[u] = (*lumping_out)->block[u] = u;
        (*lumping_out)->reduce[u] = (*lumping_out)->scale[u] = 1;
    }
    return COSET_OK;
}

void lumping_free(coset_ctx *ctx, lumping *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->keep);
    ctx_free(ctx, self->block);
    ctx_free(ctx, self->reduce);
    ctx_free(ctx, self->scale);
    ctx_free(ctx, self->lift);
    ctx_free(ctx, self->shift);
    ctx_free(ctx, self->slope);
    ctx_free(ctx, self);
}

bool lumping_is_identity(const lumping *self)
{
    if (self->k != self->n || self->lift != NULL || self->shift != NULL || self->slope != NULL)
        return false;
    for (int64_t u = 0; u < self->n; u++)
        if (self->block[u] != u || self->reduce[u] != 1 || self->scale[u] != 1) return false;
    return true;
}

coset_status lumping_compose(coset_ctx *ctx, const lumping *first, const lumping *second,
                             lumping **lumping_out)
{
    coset_status status = COSET_OK;
    lumping *self = NULL;
    *lumping_out = NULL;
    if (first == NULL && second == NULL)
        FAIL(ctx, COSET_EARGUMENT, "two identities of unknown size cannot be composed");
    if (first != NULL && second != NULL && second->n != first->k)
        FAIL(ctx, COSET_EARGUMENT, "a lumping of %lld units cannot follow one that keeps %lld",
             (long long)second->n, (long long)first->k);
    TRY(make(ctx, first != NULL ? first->n : second->n, second != NULL ? second->k : first->k,
             &self));
    for (int64_t b = 0; b < self->k; b++) {
        int64_t unit = second != NULL ? second->keep[b] : b;
        self->keep[b] = first != NULL ? first->keep[unit] : unit;
    }
    for (int64_t u = 0; u < self->n; u++) {
        int64_t middle = first != NULL ? first->block[u] : u;
        int64_t block = second != NULL && middle >= 0 ? second->block[middle] : middle;
        self->block[u] = block;
        if (block < 0) continue;
        self->reduce[u] =
            (first != NULL ? first->reduce[u] : 1) * (second != NULL ? second->reduce[middle] : 1);
        self->scale[u] =
            (first != NULL ? first->scale[u] : 1) * (second != NULL ? second->scale[middle] : 1);
    }
    *lumping_out = self;
    self = NULL;
done:
    lumping_free(ctx, self);
    return status;
}

/* The factors of one unit: finite, and a slope only where it leaves. */
static coset_status check_factors(coset_ctx *ctx, const lumping *self, int64_t u)
{
    bool finite = isfinite(self->reduce[u]) && isfinite(self->scale[u]);
    if (self->shift != NULL) finite = finite && isfinite(self->shift[u]);
    if (self->slope != NULL) finite = finite && isfinite(self->slope[u]);
    for (int64_t b = 0; self->lift != NULL && b < self->k; b++)
        finite = finite && isfinite(self->lift[u * self->k + b]);
    if (!finite)
        return ctx_fail(ctx, COSET_ENUMERIC, "the lumping of unit %lld is not finite",
                        (long long)u);
    if (self->slope != NULL && self->slope[u] != 0 && self->block[u] >= 0)
        return ctx_fail(ctx, COSET_EFORMAT, "unit %lld is bypassed and lies in block %lld",
                        (long long)u, (long long)self->block[u]);
    return COSET_OK;
}

coset_status lumping_check(coset_ctx *ctx, const lumping *self)
{
    coset_status status = COSET_OK;
    if (self->k < (self->slope != NULL ? 0 : 1) || self->k > self->n)
        return ctx_fail(ctx, COSET_EFORMAT, "a lumping keeps %lld of %lld units",
                        (long long)self->k, (long long)self->n);
    if (self->slope != NULL && self->lift != NULL)
        return ctx_fail(ctx, COSET_EFORMAT, "a lumping has slopes and a dense lift");
    for (int64_t b = 0; b < self->k; b++) {
        int64_t unit = self->keep[b];
        if (unit < 0 || unit >= self->n || (b > 0 && unit <= self->keep[b - 1]))
            return ctx_fail(ctx, COSET_EFORMAT, "kept units must ascend within 0..%lld",
                            (long long)self->n - 1);
        if (self->block[unit] != b)
            return ctx_fail(ctx, COSET_EFORMAT, "unit %lld does not lie in the block it stands for",
                            (long long)unit);
    }
    for (int64_t u = 0; u < self->n; u++) {
        if (self->block[u] < -1 || self->block[u] >= self->k)
            return ctx_fail(ctx, COSET_EFORMAT, "unit %lld lies in block %lld of %lld",
                            (long long)u, (long long)self->block[u], (long long)self->k);
        TRY(check_factors(ctx, self, u));
    }
done:
    return status;
}
