#include "api/probe.h"

#include <math.h>

#include "api/eval.h"

/* Multiply-accumulates of all probes together, and samples below which a probe tells nothing. */
#define PROBE_MACS ((int64_t)1 << 39)
enum { PROBE_SAMPLES_MIN = 8 };
/* An estimate below this is exact: there is nothing to scale. A measurement is believed within these factors. */
#define ESTIMATE_MIN 1e-12
#define FACTOR_MIN 1e-3
#define FACTOR_MAX 1e4

/* The widest cut to at most half the units of which a path expects an error; 0: there is none. */
static int64_t probe_width(const path *of)
{
    for (int64_t k = of != NULL ? of->n / 2 : 0; k >= 1; k /= 2)
        if (of->error[k] > ESTIMATE_MIN && isfinite(of->error[k])) return k;
    return 0;
}

/* Held-out rows that all probes together can afford, evenly spread; index_out is owned by the caller and NULL if
 * they are too few. */
static coset_status choose_rows(const job *base, int64_t probes, data_view *rows_out,
                                int64_t **index_out)
{
    coset_status status = COSET_OK;
    int64_t *index = NULL, held = base->held.samples;
    *index_out = NULL;
    if (probes < 1 || base->before.macs < 1) return COSET_OK;
    double most = (double)PROBE_MACS / (2.0 * (double)probes * (double)base->before.macs);
    int64_t count = most < (double)held ? (int64_t)most : held;
    if (count < PROBE_SAMPLES_MIN) return COSET_OK;
    TRY(ctx_alloc(base->ctx, count, sizeof *index, &index));
    for (int64_t i = 0; i < count; i++) index[i] = base->held.index[i * held / count];
    *rows_out = base->held;
    rows_out->index = index;
    rows_out->samples = count;
    *index_out = index;
    index = NULL;
done:
    ctx_free(base->ctx, index);
    return status;
}

/* Relative squared deviation of the output with k units left in group g and all other groups whole. */
static coset_status probe_group(const turn *self, const path *of, int64_t g, int64_t k,
                                const data_view *rows, double *error_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = self->job->ctx;
    const subject *on = self->on;
    coset_plan *plan = NULL;
    coset_graph *cut = NULL;
    evaluation found;
    TRY(plan_new(ctx, on->graph, on->groups, &plan));
    TRY(path_lumping(ctx, of, k, &plan->groups[g].map));
    TRY(turn_lift(self, plan));
    TRY(plan_apply(ctx, on->graph, on->facts, on->groups, plan, &cut));
    status = evaluate_view(ctx, cut, on->graph, rows, &found);
    *error_out = status == COSET_OK ? found.rel_l2 * found.rel_l2 : (double)INFINITY;
    if (status == COSET_ENUMERIC) status = COSET_OK; /* the cut overflows: as bad as can be */
done:
    coset_graph_free(ctx, cut);
    plan_free(ctx, plan);
    return status;
}

coset_status turn_probe(turn *self, int variant)
{
    coset_status status = COSET_OK;
    const job *base = self->job;
    search *paths = self->paths[variant];
    int64_t *index = NULL, probes = 0, at = 0, n = self->on->groups->n;
    data_view rows;
    for (int64_t g = 0; g < n; g++) probes += probe_width(search_path(paths, g)) > 0;
    TRY(choose_rows(base, probes, &rows, &index));
    for (int64_t g = 0; g < n && index != NULL; g++) {
        path *of = search_path(paths, g);
        int64_t k = probe_width(of);
        double found = 0;
        if (k == 0) continue;
        ctx_progress(base->ctx, "probing", at++, probes);
        TRY(probe_group(self, of, g, k, &rows, &found));
        path_scale(of, fmin(fmax(found / of->error[k], FACTOR_MIN), FACTOR_MAX));
    }
    if (index != NULL) ctx_progress(base->ctx, "probing", probes, probes);
done:
    ctx_free(base->ctx, index);
    return status;
}
