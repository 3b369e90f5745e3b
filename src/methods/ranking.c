#include "methods/ranking.h"

#include <math.h>
#include <stdlib.h>

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
                          bool uniform, path **path_out)
{
    coset_status status = COSET_OK;
    path *made = NULL;
    ranked *units = NULL;
    double total = 0, squares = 0, dropped = 0;
    *path_out = NULL;
    TRY(path_new(ctx, method, n, &made));
    TRY(ctx_alloc(ctx, n, sizeof *made->order, &made->order));
    TRY(ctx_alloc(ctx, n, sizeof *units, &units));
    for (int64_t u = 0; u < n; u++) {
        units[u] = (ranked){score[u], u};
        total += score[u];
        squares += score[u] * score[u];
    }
    qsort(units, (size_t)n, sizeof *units, best_first);
    for (int64_t k = n - 1; k >= 0; k--) {
        made->order[k] = units[k].unit;
        dropped += uniform ? 1 : units[k].score * units[k].score;
        if (k > 0) made->height[k] = total > 0 ? units[k].score * (double)n / total : 0;
        double kept = (uniform ? (double)n : squares) - dropped;
        made->error[k] = k > 0 && kept > 0 ? dropped / kept : (k > 0 ? 0 : (double)INFINITY);
    }
    path_smooth(made);
    *path_out = made;
    made = NULL;
done:
    ctx_free(ctx, units);
    path_free(ctx, made);
    return status;
}
