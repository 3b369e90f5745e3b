#include "linalg/select.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linalg/blas.h"
#include "linalg/moments.h"

/* Residual downdates are applied to the matrix this many at a time: one SYRK instead of passes. */
enum { BATCH = 32 };
/* Columns of the products in a refresh. */
enum { STRIP = 256 };
/* The gains' numerators are downdated, too, and lose digits as the error falls: they are computed
 * afresh each time it has fallen by this factor, at most REFRESHES times. */
static const double REFRESH_FALL = 100;
enum { REFRESHES = 8 };
/* Gains this close are equal but for rounding, as those of duplicate units are. */
static const double TIED = 1e-9;

/* One site. Units that are still to be chosen are "active" and fill positions [0, active) of every
 * array; a chosen one is overwritten by the last active one. R is G without the batch's vectors:
 * residual covariance = R - V V^T. Lower triangles. */
typedef struct deflation {
    double *residual;  /* R (n, n); upper triangle is scratch */
    double *weight;    /* M (n, n) */
    double *batch;     /* V (n, BATCH) */
    double *own;       /* [n] G_jj */
    double *left;      /* [n] residual variance */
    double *numerator; /* [n] (R M R)_jj of the residual covariance: gain = numerator / left */
    double *v, *u, *w; /* [n] each: direction, M v, residual u */
} deflation;

typedef struct selection {
    coset_ctx *ctx;
    int64_t n, n_sites, active, batched; /* columns used in every V */
    deflation *sites;
    int64_t *unit; /* [n] unit at each active position */
    double *strip; /* (n, STRIP) */
    double error;  /* e^2 now */
} selection;

static void deflation_free(coset_ctx *ctx, deflation *self)
{
    ctx_free(ctx, self->residual);
    ctx_free(ctx, self->weight);
    ctx_free(ctx, self->batch);
    ctx_free(ctx, self->own);
    ctx_free(ctx, self->left);
    ctx_free(ctx, self->numerator);
    ctx_free(ctx, self->v);
    ctx_free(ctx, self->u);
    ctx_free(ctx, self->w);
}

static coset_status deflation_new(coset_ctx *ctx, const moment_site *site, int64_t n,
                                  deflation *self)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc_raw(ctx, n * n, sizeof *self->residual, &self->residual));
    TRY(ctx_alloc_raw(ctx, n * n, sizeof *self->weight, &self->weight));
    TRY(ctx_alloc(ctx, n * BATCH, sizeof *self->batch, &self->batch));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->own, &self->own));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->left, &self->left));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->numerator, &self->numerator));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->v, &self->v));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->u, &self->u));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self->w, &self->w));
    memcpy(self->residual, site->gram, (size_t)(n * n) * sizeof *self->residual);
    memcpy(self->weight, site->weight, (size_t)(n * n) * sizeof *self->weight);
    for (int64_t j = 0; j < n; j++) self->own[j] = self->left[j] = site->gram[j * n + j];
done:
    return status;
}

static bool live(const deflation *self, int64_t at)
{
    return self->left[at] > 0 && self->left[at] > MOMENTS_EXPLAINED * self->own[at];
}

/* Applies the waiting downdates. */
static void flush(selection *self)
{
    for (int64_t s = 0; s < self->n_sites; s++) {
        deflation *site = &self->sites[s];
        syrk_f64(self->ctx, false, self->active, self->batched, -1, site->batch, BATCH, 1,
                 site->residual, self->n, false);
        memset(site->batch, 0, (size_t)(self->n * BATCH) * sizeof *site->batch);
    }
    self->batched = 0;
}

/* Computes numerators, residual variances and the error from the matrices. */
static void refresh(selection *self)
{
    int64_t n = self->n, m = self->active;
    double error = 0;
    if (self->batched > 0) flush(self);
    for (int64_t s = 0; s < self->n_sites; s++) {
        deflation *site = &self->sites[s];
        symmetric_mirror(m, site->residual, n);
        symmetric_mirror(m, site->weight, n);
        for (int64_t j0 = 0; j0 < m; j0 += STRIP) {
            int64_t columns = m - j0 < STRIP ? m - j0 : STRIP;
            /* Rows of (R M) instead of columns of (M R): both matrices are symmetric. */
            gemm_f64(self->ctx, false, false, columns, m, m, 1, site->residual + j0 * n, n,
                     site->weight, n, 0, self->strip, m);
            for (int64_t j = 0; j < columns; j++) {
                const double *row = site->residual + (j0 + j) * n, *product = self->strip + j * m;
                double numerator = 0;
                for (int64_t i = 0; i < m; i++) numerator += product[i] * row[i];
                site->numerator[j0 + j] = numerator;
                site->left[j0 + j] = row[j0 + j];
                error += product[j0 + j];
            }
        }
    }
    self->error = fmax(fmin(error, self->error), 0);
}

static double gain_at(const selection *self, int64_t at)
{
    double gain = 0;
    for (int64_t s = 0; s < self->n_sites; s++) {
        const deflation *site = &self->sites[s];
        if (live(site, at)) gain += fmax(site->numerator[at], 0) / site->left[at];
    }
    return gain;
}

/* The active position with the largest gain, among equals that of the smallest unit; -1 if none
 * gains anything. */
static int64_t best_unit(const selection *self)
{
    double most = 0;
    int64_t best = -1;
    for (int64_t at = 0; at < self->active; at++) most = fmax(most, gain_at(self, at));
    if (!(most > 0)) return -1;
    for (int64_t at = 0; at < self->active; at++)
        if (gain_at(self, at) >= most * (1 - TIED) &&
            (best < 0 || self->unit[at] < self->unit[best]))
            best = at;
    return best;
}

/* y = (lower triangle of a, mirrored) x. */
static void symmetric_apply(const selection *self, const double *a, const double *x, double *y)
{
    /* Two threads only beat one when a triangle is far from fitting in cache. */
    enum { PARALLEL = 2048 };
    if (self->active < PARALLEL)
        blas_serial();
    else
        blas_threads(self->ctx);
    cblas_dsymv(CblasRowMajor, CblasLower, (int)self->active, 1, a, (int)self->n, x, 1, 0, y, 1);
}

/* v = residual column of `at` / sqrt(its diagonal); zero where the site has nothing of it left. */
static void take_column(const selection *self, deflation *site, int64_t at)
{
    int64_t n = self->n, m = self->active;
    double root = live(site, at) ? 1 / sqrt(site->left[at]) : 0;
    const double *mine = site->batch + at * BATCH;
    for (int64_t i = 0; i < m; i++) {
        double value = i <= at ? site->residual[at * n + i] : site->residual[i * n + at];
        for (int64_t b = 0; b < self->batched; b++) value -= site->batch[i * BATCH + b] * mine[b];
        site->v[i] = value * root;
    }
}

/* Takes what position `at` explains out of a site. Returns the error that it removes there.
 * With R' = R - v v^T:  (R' M R')_jj = (R M R)_jj - 2 v_j (R M v)_j + v_j^2 v^T M v. */
static double deflate(const selection *self, deflation *site, int64_t at)
{
    int64_t m = self->active;
    double gain = 0, inner[BATCH] = {0};
    take_column(self, site, at);
    symmetric_apply(self, site->weight, site->v, site->u);
    symmetric_apply(self, site->residual, site->u, site->w);
    for (int64_t i = 0; i < m; i++) {
        gain += site->v[i] * site->u[i];
        for (int64_t b = 0; b < self->batched; b++)
            inner[b] += site->batch[i * BATCH + b] * site->u[i];
    }
    for (int64_t i = 0; i < m; i++) {
        double w = site->w[i], v = site->v[i];
        for (int64_t b = 0; b < self->batched; b++) w -= site->batch[i * BATCH + b] * inner[b];
        site->numerator[i] += v * (v * gain - 2 * w);
        site->left[i] -= v * v;
        site->batch[i * BATCH + self->batched] = v;
    }
    return fmax(gain, 0);
}

/* Position `last` of a lower triangle moves to the smaller position `to`. */
static void move_symmetric(double *a, int64_t n, int64_t to, int64_t last)
{
    memcpy(a + to * n, a + last * n, (size_t)to * sizeof *a);
    for (int64_t i = to + 1; i < last; i++) a[i * n + to] = a[last * n + i];
    a[to * n + to] = a[last * n + last];
}

/* Ends the activity of a position. */
static void retire(selection *self, int64_t at)
{
    int64_t last = --self->active;
    if (at == last) return;
    self->unit[at] = self->unit[last];
    for (int64_t s = 0; s < self->n_sites; s++) {
        deflation *site = &self->sites[s];
        move_symmetric(site->residual, self->n, at, last);
        move_symmetric(site->weight, self->n, at, last);
        memcpy(site->batch + at * BATCH, site->batch + last * BATCH, BATCH * sizeof *site->batch);
        site->own[at] = site->own[last];
        site->left[at] = site->left[last];
        site->numerator[at] = site->numerator[last];
    }
}

typedef struct ranked {
    int64_t unit;
    double weight;
} ranked;

static int by_weight(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->weight != b->weight) return a->weight > b->weight ? -1 : 1;
    return (a->unit > b->unit) - (a->unit < b->unit);
}

/* Units that gain nothing, by falling trace contribution. */
static coset_status append_rest(selection *self, const moment_site *sites, int64_t *order_out)
{
    coset_status status = COSET_OK;
    ranked *rest = NULL;
    int64_t n = self->n;
    TRY(ctx_alloc(self->ctx, self->active, sizeof *rest, &rest));
    for (int64_t at = 0; at < self->active; at++) {
        int64_t j = rest[at].unit = self->unit[at];
        for (int64_t s = 0; s < self->n_sites; s++)
            rest[at].weight += sites[s].gram[j * n + j] * sites[s].weight[j * n + j];
    }
    qsort(rest, (size_t)self->active, sizeof *rest, by_weight);
    for (int64_t at = 0; at < self->active; at++) order_out[at] = rest[at].unit;
done:
    ctx_free(self->ctx, rest);
    return status;
}

/* Chooses until nothing gains; returns how many were chosen. */
static int64_t choose(selection *self, int64_t *order_out, double *error_out)
{
    int64_t n = self->n, chosen = 0;
    double refreshed_at = error_out[0];
    int refreshes = 0;
    refresh(self);
    for (; chosen < n; chosen++) {
        if (self->error < refreshed_at / REFRESH_FALL && refreshes < REFRESHES) {
            refresh(self);
            refreshed_at = self->error;
            refreshes++;
        }
        int64_t at = best_unit(self);
        if (at < 0) break;
        double gain = 0;
        for (int64_t s = 0; s < self->n_sites; s++) gain += deflate(self, &self->sites[s], at);
        self->batched++;
        self->error = fmax(self->error - gain, 0);
        order_out[chosen] = self->unit[at];
        error_out[chosen + 1] = self->error;
        retire(self, at);
        if (self->batched == BATCH) flush(self);
        if (chosen % 64 == 63) ctx_progress(self->ctx, "select", chosen + 1, n);
    }
    blas_threads(self->ctx);
    return chosen;
}

coset_status selection_forward(coset_ctx *ctx, const moment_site *sites, int64_t n_sites, int64_t n,
                               int64_t *order_out, double *error_out)
{
    coset_status status = COSET_OK;
    selection self = {.ctx = ctx, .n = n, .n_sites = n_sites, .active = n};
    if (n > INT32_MAX) FAIL(ctx, COSET_ELIMIT, "a group of %lld units is too large", (long long)n);
    TRY(moments_total(ctx, sites, n_sites, n, &self.error));
    error_out[0] = self.error;
    TRY(ctx_alloc(ctx, n_sites, sizeof *self.sites, &self.sites));
    TRY(ctx_alloc_raw(ctx, n, sizeof *self.unit, &self.unit));
    TRY(ctx_alloc_raw(ctx, (n < STRIP ? n : STRIP) * n, sizeof *self.strip, &self.strip));
    for (int64_t s = 0; s < n_sites; s++) TRY(deflation_new(ctx, &sites[s], n, &self.sites[s]));
    for (int64_t j = 0; j < n; j++) self.unit[j] = j;
    int64_t chosen = choose(&self, order_out, error_out);
    TRY(append_rest(&self, sites, order_out + chosen));
    for (int64_t k = chosen; k < n; k++) error_out[k + 1] = error_out[k];
    if (n > 0) error_out[n] = 0; /* all units: exact, whatever was rounded on the way */
done:
    for (int64_t s = 0; self.sites != NULL && s < n_sites; s++) deflation_free(ctx, &self.sites[s]);
    ctx_free(ctx, self.sites);
    ctx_free(ctx, self.unit);
    ctx_free(ctx, self.strip);
    return status;
}
