#include "lump/metric.h"

#include <string.h>

#include "linalg/blas.h"

coset_status contraction_metric(coset_ctx *ctx, const coset_graph *graph,
                                const graph_groups *groups, int64_t index, const double *a,
                                double **metric_out)
{
    coset_status status = COSET_OK;
    weight_view view = contraction_weight(graph, groups, &groups->contractions[index]);
    int64_t parts = groups->contractions[index].groups;
    int64_t n = view.n_in * parts, q = view.n_out;
    bool plain = view.n_taps == 1 && parts == 1;
    double *rows = NULL, *tap = NULL, *through = NULL, *metric = NULL;
    TRY(ctx_alloc_raw(ctx, q * view.n_in * view.n_taps, sizeof *rows, &rows));
    TRY(ctx_alloc(ctx, n * n, sizeof *metric, &metric));
    weight_rows(&view, 0, q, rows);
    if (!plain) TRY(ctx_alloc(ctx, q * n, sizeof *tap, &tap)); /* zero outside of the blocks */
    if (a != NULL) TRY(ctx_alloc_raw(ctx, q * n, sizeof *through, &through));
    for (int64_t t = 0; t < view.n_taps; t++) {
        for (int64_t o = 0; tap != NULL && o < q; o++)
            for (int64_t i = 0; i < view.n_in; i++)
                tap[o * n + o / (q / parts) * view.n_in + i] =
                    rows[(o * view.n_in + i) * view.n_taps + t];
        const double *w = tap != NULL ? tap : rows;
        if (a != NULL) gemm_f64(ctx, false, false, q, n, q, 1, a, q, w, n, 0, through, n);
        gemm_f64(ctx, true, false, n, n, q, 1, w, n, a != NULL ? through : w, n, 1, metric, n);
    }
    *metric_out = metric;
    metric = NULL;
done:
    ctx_free(ctx, rows);
    ctx_free(ctx, tap);
    ctx_free(ctx, through);
    ctx_free(ctx, metric);
    return status;
}

/* E|W (x - E x)|^2 = trace(M G) with A = I. */
static double power_of(const double *metric, const double *covariance, int64_t n)
{
    double power = 0;
    for (int64_t i = 0; i < n * n; i++) power += metric[i] * covariance[i];
    return power;
}

/* A of a contraction whose units reach only contractions through one known function; false if not. */
static bool inherited(const graph_groups *groups, const calibration *self, int64_t c, double *a)
{
    const contraction *at = &groups->contractions[c];
    int64_t unit = 0, q = groups->slots[at->out_slot].size;
    int32_t g = groups_at(groups, at->out_slot, 0, &unit);
    if (g < 0 || groups->groups[g].function == UNIT_OTHER || groups->groups[g].n != q) return false;
    const unit_group *group = &groups->groups[g];
    memset(a, 0, (size_t)(q * q) * sizeof *a);
    for (int32_t s = 0; s < group->n_slots; s++) {
        const group_slot *member = &group->slots[s];
        int32_t next = groups->contraction_of[member->slot];
        if (member->role != SLOT_CONSUMER || next < 0) continue;
        const contraction *to = &groups->contractions[next];
        const moments *slopes = self->slopes[to->input];
        if (slopes == NULL || self->metric[next] == NULL) return false;
        int64_t n = slopes->n, size = n / to->groups;
        for (int64_t i = 0; i < q; i++)
            for (int64_t j = 0; j < q; j++)
                for (int64_t p = 0; p < member->repeats * to->groups; p++) {
                    int64_t at_group = p / member->repeats * size, o = p % member->repeats;
                    int64_t u = at_group + member->index[i * member->repeats + o];
                    int64_t v = at_group + member->index[j * member->repeats + o];
                    double both = slopes->second[u * n + v] / (double)slopes->count +
                                  slopes->mean[u] * slopes->mean[v];
                    a[i * q + j] += both * self->metric[next][u * n + v];
                }
    }
    return true;
}

coset_status calibration_metrics(coset_ctx *ctx, const coset_graph *graph,
                                 const graph_groups *groups, calibration *self)
{
    coset_status status = COSET_OK;
    double *a = NULL, *covariance = NULL;
    for (int64_t c = groups->n_contractions - 1; c >= 0; c--) {
        const contraction *at = &groups->contractions[c];
        int64_t q = groups->slots[at->out_slot].size;
        const moments *inputs = self->of_value[at->input];
        TRY(ctx_alloc(ctx, q * q, sizeof *a, &a));
        if (inherited(groups, self, c, a)) {
            TRY(contraction_metric(ctx, graph, groups, c, a, &self->metric[c]));
        } else {
            TRY(contraction_metric(ctx, graph, groups, c, NULL, &self->metric[c]));
            TRY(ctx_alloc_raw(ctx, inputs->n * inputs->n, sizeof *covariance, &covariance));
            moments_covariance(inputs, covariance);
            double power = power_of(self->metric[c], covariance, inputs->n);
            for (int64_t i = 0; i < inputs->n * inputs->n && power > 0; i++)
                self->metric[c][i] /= power;
            ctx_free(ctx, covariance);
            covariance = NULL;
        }
        ctx_free(ctx, a);
        a = NULL;
    }
done:
    ctx_free(ctx, a);
    ctx_free(ctx, covariance);
    return status;
}
