#include "recover/sample_rows.h"

#include "stats/moments.h"

typedef struct collector {
    sample_rows *items;
    int64_t n_items;
} collector;

static coset_status append(coset_ctx *ctx, sample_rows *self, const array *at, int64_t count)
{
    moments_view view;
    coset_status status = moments_view_of(ctx, at, self->axis, &view);
    if (status != COSET_OK) return status;
    int64_t batch = at->shape.dims[0], total = view.outer * view.inner;
    int64_t wanted = batch > 0 ? total / batch * count : 0;
    for (int64_t s = 0; s < wanted; s++) {
        if (self->seen++ % self->stride != 0) continue;
        if (self->rows == self->capacity) break;
        const float *from =
            view.values + s / view.inner * view.features * view.inner + s % view.inner;
        double *to = self->data + self->rows++ * self->n;
        for (int64_t j = 0; j < self->n; j++) to[j] = (double)from[j * view.inner];
    }
    return COSET_OK;
}

static coset_status visit(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                          const executor *values)
{
    collector *self = user;
    (void)first;
    for (int64_t i = 0; i < self->n_items; i++) {
        coset_status status =
            append(ctx, &self->items[i], executor_value(values, self->items[i].value), count);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

static coset_status prepare(coset_ctx *ctx, const batch_runner *runner, int64_t samples,
                            sample_rows *self)
{
    const shape *of = batch_shape(runner, self->value);
    self->n = of->dims[self->axis < 0 ? self->axis + of->rank : self->axis];
    int64_t per_sample = self->n > 0 ? batch_sample_elements(runner, self->value) / self->n : 0;
    int64_t total = samples * per_sample;
    self->rows = self->seen = 0;
    self->stride = (total + SAMPLE_ROWS_MAX - 1) / SAMPLE_ROWS_MAX;
    if (self->stride < 1) self->stride = 1;
    self->capacity = (total + self->stride - 1) / self->stride;
    return ctx_alloc_raw(ctx, self->capacity * self->n, sizeof *self->data, &self->data);
}

coset_status sample_rows_collect(coset_ctx *ctx, const coset_graph *graph,
                                 const batch_source *source, const shape *sample_shapes,
                                 sample_rows *items, int64_t n_items)
{
    coset_status status = COSET_OK;
    batch_runner *runner = NULL;
    int32_t *taps = NULL;
    collector all = {items, n_items};
    for (int64_t i = 0; i < n_items; i++) items[i].data = NULL;
    TRY(ctx_alloc(ctx, n_items, sizeof *taps, &taps));
    for (int64_t i = 0; i < n_items; i++) taps[i] = items[i].value;
    TRY(batch_runner_new(ctx, graph, sample_shapes, 0, taps, n_items, &runner));
    for (int64_t i = 0; i < n_items; i++) TRY(prepare(ctx, runner, source->samples, &items[i]));
    TRY(batch_run(ctx, runner, source, NULL, visit, &all));
done:
    if (status != COSET_OK) sample_rows_free(ctx, items, n_items);
    ctx_free(ctx, taps);
    batch_runner_free(ctx, runner);
    return status;
}

void sample_rows_free(coset_ctx *ctx, sample_rows *items, int64_t n_items)
{
    for (int64_t i = 0; items != NULL && i < n_items; i++) {
        ctx_free(ctx, items[i].data);
        items[i].data = NULL;
    }
}
