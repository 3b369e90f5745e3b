#include "methods/mask.h"

#include <stdlib.h>
#include <string.h>

/* A weight in the ranking. */
typedef struct ranked_weight {
    double score;
    int64_t position; /* over all tensors in a row */
} ranked_weight;

static int best_first(const void *left, const void *right)
{
    const ranked_weight *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

/* All contractions' weights in a row. */
typedef struct mask_work {
    const method_call *call;
    int64_t *start; /* [n_contractions + 1]; a tensor that is not ranked is empty */
    int64_t *mask;  /* [n_contractions] its place among the plan's masks */
    ranked_weight *all;
    int64_t total;
} mask_work;

static void work_free(mask_work *self)
{
    ctx_free(self->call->ctx, self->start);
    ctx_free(self->call->ctx, self->mask);
    ctx_free(self->call->ctx, self->all);
}

static coset_status add_mask(coset_ctx *ctx, const coset_graph *graph, int32_t value,
                             coset_plan *plan)
{
    coset_status status = COSET_OK;
    plan_mask *mask = &plan->masks[plan->n_masks];
    mask->elements = tensor_elements(graph->values[value].constant);
    plan->n_masks++;
    TRY(ctx_strdup(ctx, graph->values[value].name, &mask->weight));
    TRY(ctx_alloc(ctx, mask->elements, 1, &mask->keep));
done:
    return status;
}

/* Scores of every weight that may go; a tensor that several contractions share is ranked once. */
static coset_status work_new(const coset_method *method, const method_call *call,
                             const bool *allowed, coset_plan *plan, mask_work *work_out)
{
    coset_status status = COSET_OK;
    coset_ctx *ctx = call->ctx;
    const graph_groups *groups = call->groups;
    mask_work self = {.call = call};
    double *scores = NULL;
    bool *seen = NULL;
    *work_out = self;
    TRY(ctx_alloc(ctx, call->graph->n_values, sizeof *seen, &seen));
    TRY(ctx_alloc(ctx, groups->n_contractions + 1, sizeof *self.start, &self.start));
    TRY(ctx_alloc(ctx, groups->n_contractions, sizeof *self.mask, &self.mask));
    TRY(ctx_alloc(ctx, groups->n_contractions, sizeof *plan->masks, &plan->masks));
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        int32_t value = groups->contractions[c].weight;
        bool ranked = allowed[c] && !seen[value];
        seen[value] = true;
        self.start[c + 1] = self.start[c];
        self.mask[c] = plan->n_masks;
        if (!ranked) continue;
        TRY(add_mask(ctx, call->graph, value, plan));
        self.start[c + 1] += plan->masks[plan->n_masks - 1].elements;
    }
    self.total = self.start[groups->n_contractions];
    TRY(ctx_alloc(ctx, self.total, sizeof *self.all, &self.all));
    for (int64_t c = 0; c < groups->n_contractions; c++) {
        int64_t n = self.start[c + 1] - self.start[c];
        if (n == 0) continue;
        TRY(ctx_alloc(ctx, n, sizeof *scores, &scores));
        TRY(method->scores(call, c, scores));
        for (int64_t i = 0; i < n; i++)
            self.all[self.start[c] + i] = (ranked_weight){scores[i], self.start[c] + i};
        ctx_free(ctx, scores);
        scores = NULL;
    }
    *work_out = self;
    self = (mask_work){.call = call};
done:
    ctx_free(ctx, scores);
    ctx_free(ctx, seen);
    work_free(&self);
    return status;
}

static uint8_t *keep_at(const mask_work *self, coset_plan *plan, int64_t position)
{
    int64_t low = 0, high = self->call->groups->n_contractions; /* start[low] <= position */
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (self->start[middle] <= position)
            low = middle;
        else
            high = middle;
    }
    return &plan->masks[self->mask[low]].keep[position - self->start[low]];
}

/* Keeps the best `keep` of items[0..n). */
static void keep_best(const mask_work *self, ranked_weight *items, int64_t n, int64_t keep,
                      coset_plan *plan)
{
    qsort(items, (size_t)n, sizeof *items, best_first);
    for (int64_t i = 0; i < n && i < keep; i++) *keep_at(self, plan, items[i].position) = 1;
}

static int64_t share_of(double share, int64_t n)
{
    int64_t keep = (int64_t)(share * (double)n + 0.5);
    return keep < 1 ? 1 : keep;
}

/* Rows of one contraction: a row's weights are gathered along the input axis and the taps. */
static coset_status cut_rows(mask_work *self, int64_t c, double share, coset_plan *plan)
{
    coset_status status = COSET_OK;
    const method_call *call = self->call;
    weight_view view =
        contraction_weight(call->graph, call->groups, &call->groups->contractions[c]);
    int64_t width = view.n_in * view.n_taps, m = call->ranking.pattern_m;
    ranked_weight *row = NULL;
    TRY(ctx_alloc(call->ctx, width, sizeof *row, &row));
    for (int64_t o = 0; o < view.n_out; o++) {
        for (int64_t i = 0; i < view.n_in; i++)
            for (int64_t t = 0; t < view.n_taps; t++)
                row[i * view.n_taps + t] = self->all[self->start[c] + o * view.out_stride +
                                                     i * view.in_stride + t * view.tap_stride];
        for (int64_t from = 0; m > 0 && from < width; from += m) {
            int64_t size = width - from < m ? width - from : m;
            keep_best(self, row + from, size, call->ranking.pattern_n, plan);
        }
        if (m == 0) keep_best(self, row, width, share_of(share, width), plan);
    }
done:
    ctx_free(call->ctx, row);
    return status;
}

/* Weights that stay with this share of every row or tensor. */
static int64_t kept_by(const mask_work *self, double share)
{
    const method_call *call = self->call;
    int64_t kept = 0;
    for (int64_t c = 0; c < call->groups->n_contractions; c++) {
        int64_t n = self->start[c + 1] - self->start[c], rows = 1;
        if (n == 0) continue;
        if (call->ranking.scope == MASK_ROW)
            rows =
                contraction_weight(call->graph, call->groups, &call->groups->contractions[c]).n_out;
        kept += rows * share_of(share, n / rows);
    }
    return kept;
}

/* The share, or where rounding in every row would keep too many, the largest one that does not. */
static double fitting_share(const mask_work *self, double share, int64_t keep_weights)
{
    enum { STEPS = 50 };
    double low = 0, high = share;
    if (kept_by(self, share) <= keep_weights) return share;
    for (int i = 0; i < STEPS; i++) {
        double middle = (low + high) / 2;
        if (kept_by(self, middle) <= keep_weights)
            low = middle;
        else
            high = middle;
    }
    return low;
}

coset_status mask_cut(const coset_method *method, const method_call *call, const bool *allowed,
                      int64_t keep_weights, double share, coset_plan *plan)
{
    coset_status status = COSET_OK;
    mask_work work;
    TRY(work_new(method, call, allowed, plan, &work));
    if (call->ranking.scope != MASK_MODEL && call->ranking.pattern_m == 0)
        share = fitting_share(&work, share, keep_weights);
    for (int64_t c = 0; c < call->groups->n_contractions; c++) {
        int64_t n = work.start[c + 1] - work.start[c];
        if (n == 0) continue;
        if (call->ranking.scope == MASK_ROW || call->ranking.pattern_m > 0)
            TRY(cut_rows(&work, c, share, plan));
        else if (call->ranking.scope == MASK_LAYER)
            keep_best(&work, work.all + work.start[c], n, share_of(share, n), plan);
    }
    if (call->ranking.scope == MASK_MODEL && call->ranking.pattern_m == 0)
        keep_best(&work, work.all, work.total, keep_weights, plan);
done:
    work_free(&work);
    return status;
}

coset_status mask_cut_height(const coset_method *method, const method_call *call,
                             const bool *allowed, double eps, coset_plan *plan)
{
    coset_status status = COSET_OK;
    mask_work work;
    TRY(work_new(method, call, allowed, plan, &work));
    for (int64_t c = 0; c < call->groups->n_contractions; c++) {
        double mean = 0;
        int64_t n = work.start[c + 1] - work.start[c];
        for (int64_t i = work.start[c]; i < work.start[c + 1]; i++)
            mean += work.all[i].score / (double)n;
        for (int64_t i = work.start[c]; i < work.start[c + 1]; i++)
            *keep_at(&work, plan, i) = work.all[i].score >= eps * mean;
    }
done:
    work_free(&work);
    return status;
}
