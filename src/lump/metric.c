#include "lump/metric.h"

#include "linalg/blas.h"

typedef struct slicer {
    coset_ctx *ctx;
    weight_view view;
    int64_t groups;
    const double *rows; /* (n_out, n_in, n_taps) */
    const unit_block *in;
    double *slice;   /* (largest number of outputs, n) */
    double *through; /* the same */
    double *metric;
} slicer;

/* W[outputs, places] of one tap; an index NULL: all outputs. False if it is zero: other groups. */
static bool take_slice(slicer *self, const int64_t *outputs, int64_t step, int64_t count,
                       int64_t place, int64_t tap)
{
    const weight_view *view = &self->view;
    const unit_block *in = self->in;
    int64_t each = view->n_out / self->groups;
    bool any = false;
    for (int64_t i = 0; i < count; i++) {
        int64_t o = outputs != NULL ? outputs[i * step] : i;
        const double *row = self->rows + o * view->n_in * view->n_taps + tap;
        for (int64_t u = 0; u < in->n; u++) {
            int64_t feature = in->index[u * in->repeats + place];
            bool here = o / each == feature / view->n_in;
            self->slice[i * in->n + u] = here ? row[feature % view->n_in * view->n_taps] : 0;
            any = any || here;
        }
    }
    return any;
}

/* metric += factor slice^T A slice; A NULL: the identity. */
static void add_product(slicer *self, const double *a, int64_t count, double factor)
{
    int64_t n = self->in->n;
    if (a != NULL)
        gemm_f64(self->ctx, false, false, count, n, count, 1, a, count, self->slice, n, 0,
                 self->through, n);
    gemm_f64(self->ctx, true, false, n, n, count, factor, self->slice, n,
             a != NULL ? self->through : self->slice, n, 1, self->metric, n);
}

static void add_tap(slicer *self, const output_cost *behind, double share, int64_t place,
                    int64_t tap)
{
    if (behind->n == 0 && take_slice(self, NULL, 0, self->view.n_out, place, tap))
        add_product(self, NULL, self->view.n_out, share / behind->variance);
    for (int64_t b = 0; b < behind->n; b++) {
        const unit_block *out = &behind->blocks[b];
        for (int64_t p = 0; p < out->repeats && behind->cost[b] != NULL; p++)
            if (take_slice(self, out->index + p, out->repeats, out->n, place, tap))
                add_product(self, behind->cost[b], out->n, share / (double)out->repeats);
    }
}

coset_status contraction_metric(coset_ctx *ctx, const coset_graph *graph,
                                const graph_groups *groups, int64_t index, const unit_block *in,
                                const output_cost *behind, double *metric)
{
    coset_status status = COSET_OK;
    const contraction *at = &groups->contractions[index];
    slicer self = {.ctx = ctx,
                   .view = contraction_weight(graph, groups, at),
                   .groups = at->groups,
                   .in = in,
                   .metric = metric};
    double *rows = NULL;
    int64_t outputs = self.view.n_out;
    TRY(ctx_alloc_raw(ctx, outputs * self.view.n_in * self.view.n_taps, sizeof *rows, &rows));
    TRY(ctx_alloc_raw(ctx, outputs * in->n, sizeof(double), &self.slice));
    TRY(ctx_alloc_raw(ctx, outputs * in->n, sizeof(double), &self.through));
    weight_rows(&self.view, 0, outputs, rows);
    self.rows = rows;
    for (int64_t p = 0; p < in->repeats; p++)
        for (int64_t t = 0; t < self.view.n_taps; t++) add_tap(&self, behind, at->tap_share, p, t);
done:
    ctx_free(ctx, rows);
    ctx_free(ctx, self.slice);
    ctx_free(ctx, self.through);
    return status;
}
