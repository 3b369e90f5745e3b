#include "lump/path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

coset_status path_new(coset_ctx *ctx, const char *method, int64_t n, path **path_out)
{
    coset_status status = COSET_OK;
    path *self = NULL;
    *path_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->method = method;
    self->n = n;
    TRY(ctx_alloc(ctx, n + 1, sizeof *self->height, &self->height));
    TRY(ctx_alloc(ctx, n + 1, sizeof *self->error, &self->error));
    self->height[0] = (double)INFINITY;
    *path_out = self;
    self = NULL;
done:
    path_free(ctx, self);
    return status;
}

void path_free(coset_ctx *ctx, path *self)
{
    if (self == NULL) return;
    cluster_tree_free(ctx, &self->tree);
    ctx_free(ctx, self->mass);
    ctx_free(ctx, self->gain);
    ctx_free(ctx, self->offset);
    ctx_free(ctx, self->order);
    ctx_free(ctx, self->slope);
    ctx_free(ctx, self->shift);
    ctx_free(ctx, self->stays);
    ctx_free(ctx, self->score);
    for (int c = 0; c < 3; c++) path_free(ctx, self->choice[c]);
    ctx_free(ctx, self->height);
    ctx_free(ctx, self->error);
    ctx_free(ctx, self);
}

/* Divides a row by its norm, or turns it so that its largest entry is positive; returns the factor
 * that was taken out. */
static double take_norm(double *row, int64_t width)
{
    double square = 0;
    for (int64_t j = 0; j < width; j++) square += row[j] * row[j];
    double norm = sqrt(square);
    for (int64_t j = 0; j < width && norm > 0; j++) row[j] /= norm;
    return norm > 0 ? norm : 1;
}

static double take_sign(double *row, int64_t width)
{
    int64_t largest = 0;
    for (int64_t j = 1; j < width; j++)
        if (fabs(row[j]) > fabs(row[largest])) largest = j;
    if (width == 0 || row[largest] >= 0) return 1;
    for (int64_t j = 0; j < width; j++) row[j] = -row[j];
    return -1;
}

coset_status path_canonicalise(coset_ctx *ctx, path *self, unit_function function, double *rows,
                               int64_t width)
{
    coset_status status = COSET_OK;
    if (function == UNIT_OTHER) return COSET_OK;
    TRY(ctx_alloc(ctx, self->n, sizeof *self->gain, &self->gain));
    if (function == UNIT_LOGISTIC)
        TRY(ctx_alloc(ctx, self->n, sizeof *self->offset, &self->offset));
    for (int64_t u = 0; u < self->n; u++) {
        double *row = rows + u * width;
        self->gain[u] = 1;
        if (function != UNIT_RELU) self->gain[u] *= take_sign(row, width);
        if (function == UNIT_RELU || function == UNIT_IDENTITY)
            self->gain[u] *= take_norm(row, width);
        if (function == UNIT_LOGISTIC && self->gain[u] < 0) self->offset[u] = 1;
    }
done:
    return status;
}

void path_heights_from_tree(path *self, double noise)
{
    for (int64_t m = 0; m < self->n - 1; m++) {
        double height = self->tree.merges[m].height;
        self->height[self->n - 1 - m] = height > noise ? height : 0;
    }
}

void path_scale(path *self, double factor)
{
    for (int64_t k = 0; k <= self->n; k++) {
        self->height[k] *= sqrt(factor);
        if (self->error != NULL) self->error[k] *= factor;
    }
    for (int c = 0; c < 3; c++)
        if (self->choice[c] != NULL) path_scale(self->choice[c], factor);
}

void path_smooth(path *self)
{
    self->height[self->n] = 0;
    for (int64_t k = self->n - 1; k >= 0; k--) {
        self->height[k] = fmax(self->height[k], self->height[k + 1]);
        if (self->error != NULL) self->error[k] = fmax(self->error[k], self->error[k + 1]);
    }
}

int64_t path_width(const path *self, double eps)
{
    int64_t low = 1, high = self->n; /* height[high] <= eps always */
    if (!(eps >= 0)) return self->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (self->height[middle] <= eps)
            high = middle;
        else
            low = middle + 1;
    }
    return high;
}

const path *path_at(const path *self, int64_t k)
{
    while (self->choice[0] != NULL) {
        const path *best = self->choice[0], *second = self->choice[1];
        for (int c = 1; c < 3 && self->choice[c] != NULL; c++)
            if (self->choice[c]->error[k] < best->error[k]) best = self->choice[c];
        bool exact = second != NULL && second->tree.merges != NULL && second->height[k] == 0;
        self = exact ? second : best;
    }
    return self;
}

/* R and L of blocks of canonical units: R = weighted mean of canonical rows, L = gain. */
static coset_status merged(coset_ctx *ctx, const path *self, const int64_t *block, int64_t k,
                           lumping **lumping_out)
{
    coset_status status = COSET_OK;
    double *total = NULL;
    TRY(lumping_merge(ctx, self->n, block, k, lumping_out));
    TRY(ctx_alloc(ctx, k, sizeof *total, &total));
    lumping *map = *lumping_out;
    for (int64_t u = 0; u < self->n; u++) total[block[u]] += self->mass ? self->mass[u] : 1;
    for (int64_t u = 0; u < self->n; u++) {
        double mass = self->mass ? self->mass[u] : 1, gain = self->gain ? self->gain[u] : 1;
        map->reduce[u] = mass / total[block[u]] / gain;
        map->scale[u] = gain;
        if (self->sums) {
            map->reduce[u] *= total[block[u]];
            map->scale[u] /= total[block[u]];
        }
    }
    if (self->offset != NULL) {
        TRY(ctx_alloc(ctx, self->n, sizeof *map->shift, &map->shift));
        memcpy(map->shift, self->offset, (size_t)self->n * sizeof *map->shift);
    }
done:
    ctx_free(ctx, total);
    if (status != COSET_OK && *lumping_out != NULL) {
        lumping_free(ctx, *lumping_out);
        *lumping_out = NULL;
    }
    return status;
}

/* A block of one unit is that unit, whatever its canonical form. size [k] is scratch. */
static void keep_singletons(lumping *map, int64_t *size)
{
    memset(size, 0, (size_t)map->k * sizeof *size);
    for (int64_t u = 0; u < map->n; u++) size[map->block[u]]++;
    for (int64_t b = 0; b < map->k; b++) {
        int64_t unit = map->keep[b];
        if (size[b] != 1) continue;
        map->reduce[unit] = map->scale[unit] = 1;
        if (map->shift != NULL) map->shift[unit] = 0;
    }
}

/* What the units that leave are replaced by: constants. */
static coset_status take_shift(coset_ctx *ctx, const double *shift, lumping *map)
{
    coset_status status = ctx_alloc(ctx, map->n, sizeof *map->shift, &map->shift);
    for (int64_t u = 0; status == COSET_OK && u < map->n; u++)
        map->shift[u] = map->block[u] < 0 ? shift[u] : 0;
    return status;
}

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* The first units of an order, ascending. */
static coset_status select_first(coset_ctx *ctx, const path *self, int64_t k, int64_t *units,
                                 lumping **lumping_out)
{
    coset_status status = COSET_OK;
    if (self->stays != NULL) k = self->stays[k];
    memcpy(units, self->order, (size_t)k * sizeof *units);
    qsort(units, (size_t)k, sizeof *units, ascending);
    if (self->slope != NULL)
        return lumping_bypass(ctx, self->n, units, k, self->slope, self->shift, lumping_out);
    TRY(lumping_select(ctx, self->n, units, k, lumping_out));
    if (self->shift != NULL) TRY(take_shift(ctx, self->shift, *lumping_out));
done:
    return status;
}

coset_status path_lumping(coset_ctx *ctx, const path *self, int64_t k, lumping **lumping_out)
{
    coset_status status = COSET_OK;
    int64_t *units = NULL;
    *lumping_out = NULL;
    self = path_at(self, k);
    if (k >= self->n) return lumping_identity(ctx, self->n, lumping_out);
    TRY(ctx_alloc(ctx, self->n, sizeof *units, &units));
    if (self->order != NULL) {
        TRY(select_first(ctx, self, k, units, lumping_out));
    } else {
        cluster_cut_count(&self->tree, k, units);
        TRY(merged(ctx, self, units, k, lumping_out));
        keep_singletons(*lumping_out, units);
    }
done:
    ctx_free(ctx, units);
    if (status != COSET_OK) {
        lumping_free(ctx, *lumping_out);
        *lumping_out = NULL;
    }
    return status;
}
