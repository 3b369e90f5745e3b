#include "exec/lanes.h"

struct lanes {
    batch_runner *runner;
    executor *executor; /* lent by the runner */
    int64_t samples, batch, count;
    int64_t step;  /* the next one, of every lane */
    void **memory; /* [count] */
};

/* A runner whose values do not depend on where the inputs lie: those are kept. */
static coset_status make_runner(coset_ctx *ctx, const coset_graph *graph,
                                const shape *sample_shapes, int64_t batch,
                                batch_runner **runner_out)
{
    return batch_runner_new(ctx, graph, sample_shapes, batch, graph->inputs, graph->n_inputs,
                            runner_out);
}

static coset_status start(coset_ctx *ctx, lanes *self, const batch_source *source)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc(ctx, self->count, sizeof *self->memory, &self->memory));
    for (int64_t i = 0; i < self->count; i++) {
        int64_t first = i * self->batch, left = self->samples - first;
        const array *inputs = NULL;
        TRY(ctx_alloc_raw(ctx, (int64_t)executor_workspace(self->executor), 1, &self->memory[i]));
        executor_use(self->executor, self->memory[i]);
        TRY(batch_load(ctx, self->runner, source, first, left < self->batch ? left : self->batch,
                       &inputs));
        TRY(executor_start(self->executor, inputs));
    }
done:
    return status;
}

coset_status lanes_new(coset_ctx *ctx, const coset_graph *graph, const batch_source *source,
                       const shape *sample_shapes, lanes **lanes_out)
{
    coset_status status = COSET_OK;
    lanes *self = NULL;
    *lanes_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->samples = source->samples;
    TRY(make_runner(ctx, graph, sample_shapes, 0, &self->runner));
    self->batch = batch_size(self->runner);
    if (self->batch > self->samples &&
        self->samples > 0) { /* no room for samples that are not there */
        batch_runner_free(ctx, self->runner);
        self->runner = NULL;
        TRY(make_runner(ctx, graph, sample_shapes, self->samples, &self->runner));
        self->batch = batch_size(self->runner);
    }
    self->executor = batch_executor(self->runner);
    self->count = (self->samples + self->batch - 1) / self->batch;
    TRY(start(ctx, self, source));
    *lanes_out = self;
    self = NULL;
done:
    lanes_free(ctx, self);
    return status;
}

void lanes_free(coset_ctx *ctx, lanes *self)
{
    if (self == NULL) return;
    for (int64_t i = 0; self->memory != NULL && i < self->count; i++)
        ctx_free(ctx, self->memory[i]);
    ctx_free(ctx, self->memory);
    batch_runner_free(ctx, self->runner);
    ctx_free(ctx, self);
}

coset_status lanes_bytes(coset_ctx *ctx, const coset_graph *graph, const shape *sample_shapes,
                         int64_t *bytes_out)
{
    batch_runner *runner = NULL;
    coset_status status = make_runner(ctx, graph, sample_shapes, 0, &runner);
    if (status == COSET_OK)
        *bytes_out = (int64_t)executor_workspace(batch_executor(runner)) / batch_size(runner);
    batch_runner_free(ctx, runner);
    return status;
}

coset_status lanes_advance(lanes *self, int32_t node)
{
    int64_t next = self->step;
    for (int64_t i = 0; i < self->count; i++) {
        next = self->step;
        executor_use(self->executor, self->memory[i]);
        coset_status status = executor_advance(self->executor, &next, node);
        if (status != COSET_OK) return status;
    }
    self->step = next;
    return COSET_OK;
}

bool lanes_run(const lanes *self, int32_t node)
{
    return executor_runs(self->executor, node);
}

coset_status lanes_reload(lanes *self, int32_t value)
{
    return executor_reload(self->executor, value);
}

int64_t lanes_count(const lanes *self)
{
    return self->count;
}

const executor *lanes_take(lanes *self, int64_t i, int64_t *first_out, int64_t *count_out)
{
    int64_t left = self->samples - i * self->batch;
    *first_out = i * self->batch;
    *count_out = left < self->batch ? left : self->batch;
    executor_use(self->executor, self->memory[i]);
    return self->executor;
}

int64_t lanes_batch(const lanes *self)
{
    return self->batch;
}
