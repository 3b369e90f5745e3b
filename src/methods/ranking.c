#include "methods/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct ranked {
    double score;
    int64_t unit;
} ranked;

static int best_first(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

coset_status ranking_path(coset_ctx *ctx, const char *method, const double *score, int64_t n,
                          path **path_out)
{
    coset_status status = COSET_OK;
    path *made = NULL;
    ranked *units = NULL;
    double mean = 0;
    *path_out = NULL;
    TRY(path_new(ctx, method, n, &made));
    ctx_free(ctx, made->error);
    made->error = NULL;
    TRY(ctx_alloc(ctx, n, sizeof *made->order, &made->order));
    TRY(ctx_alloc(ctx, n, sizeof *made->score, &made->score));
    TRY(ctx_alloc(ctx, n, sizeof *units, &units));
    for (int64_t u = 0; u < n; u++) {
        if (!isfinite(score[u]))
            FAIL(ctx, COSET_ENUMERIC, "method %s: the score of unit %lld is not finite", method,
                 (long long)u);
        units[u] = (ranked){score[u], u};
        mean += score[u] / (double)n;
    }
    memcpy(made->score, score, (size_t)n * sizeof *score);
    qsort(units, (size_t)n, sizeof *units, best_first);
    for (int64_t k = 0; k < n; k++) {
        made->order[k] = units[k].unit;
        if (k > 0) made->height[k] = mean > 0 ? units[k].score / mean : 0;
    }
    *path_out = made;
    made = NULL;
done:
    ctx_free(ctx, units);
    path_free(ctx, made);
    return status;
}
