#include "exec/batch.h"

#include <string.h>

#include "base/size.h"
#include "exec/plan.h"

enum { BATCH_AUTO_MAX = 512 };
#define BATCH_AUTO_BYTES ((size_t)64 << 20)

struct batch_runner {
    const coset_graph *graph;
    int64_t batch;
    bool flexible; /* another number of samples per run works as well */
    shape *shapes; /* [n_inputs] for `batch` samples */
    bool *whole;   /* [n_inputs] the input has no batch axis */
    array *inputs; /* [n_inputs] data owned */
    int32_t *taps; /* [n_taps] */
    int64_t n_taps;
    executor *full; /* runs `batch` samples */
    executor *tail; /* runs tail_batch samples; NULL: not needed yet */
    int64_t tail_batch;
};

/* ---- matching samples to declared inputs ------------------------------------------------------- */

/* The next dimension from `at` on that is not 1; 0: there is none. */
static int64_t next_dim(const shape *self, int *at)
{
    while (*at < self->rank && self->dims[*at] == 1) ++*at;
    return *at < self->rank ? self->dims[(*at)++] : 0;
}

/* True if both have as many dimensions over 1 in other sizes, as images with their channels first and
 * last have: the same number of elements then means something else. */
static bool differs_in_order(const shape *wanted, int from, const shape *sample)
{
    bool differs = false;
    for (int a = from, b = 0;;) {
        int64_t left = next_dim(wanted, &a), right = next_dim(sample, &b);
        if (left == 0 || right == 0) return differs && left == right;
        differs = differs || left != right;
    }
}

/* Fits a sample of shape `sample` into dims[from..rank) of `declared`: symbolic dimensions take the
 * data's, aligned from the right; one that is left over takes what the element count asks for. */
static bool fit_sample(const shape *declared, int from, const shape *sample, int64_t count,
                       shape *fitted_out)
{
    shape fitted = *declared;
    int64_t product = 1;
    int symbolic = -1, n_symbolic = 0;
    for (int a = from; a < declared->rank; a++) {
        if (fitted.dims[a] < 0) {
            int at = sample->rank - (declared->rank - a);
            fitted.dims[a] = at >= 0 ? sample->dims[at] : 1;
            symbolic = a;
            n_symbolic++;
        }
        if (!dim_mul(product, fitted.dims[a], &product)) return false;
    }
    if (product != count && n_symbolic == 1) {
        int64_t rest =
            1; /* of the fixed dimensions; each is <= 2^40 and their product was checked */
        for (int a = from; a < declared->rank; a++)
            if (a != symbolic && !dim_mul(rest, fitted.dims[a], &rest)) return false;
        if (rest <= 0 || count % rest != 0) return false;
        fitted.dims[symbolic] = count / rest;
        product = count;
    }
    *fitted_out = fitted;
    return product == count && !differs_in_order(&fitted, from, sample);
}

static coset_status fit_input(coset_ctx *ctx, batch_runner *self, int64_t index,
                              const shape *sample)
{
    char expected[SHAPE_TEXT], found[SHAPE_TEXT];
    const graph_value *entry = &self->graph->values[self->graph->inputs[index]];
    shape *fitted = &self->shapes[index];
    int64_t count = 0;
    if (array_element_size(entry->dtype) == 0)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "cannot run: input '%s' has element type %s",
                        entry->name, coset_dtype_name(entry->dtype));
    coset_status status = shape_elements(ctx, sample, &count);
    if (status != COSET_OK) return ctx_fail_in(ctx, status, "samples of input '%s'", entry->name);
    if (entry->shape.rank < 0) {
        if (sample->rank >= TENSOR_MAX_RANK)
            return ctx_fail(ctx, COSET_EARGUMENT,
                            "input '%s': samples of shape %s have too many axes", entry->name,
                            shape_text(sample, found, sizeof found));
        *fitted = (shape){.rank = sample->rank + 1, .dims = {-1}};
        for (int a = 0; a < sample->rank; a++) fitted->dims[a + 1] = sample->dims[a];
        return COSET_OK;
    }
    if (entry->shape.rank > 0 && fit_sample(&entry->shape, 1, sample, count, fitted))
        return COSET_OK;
    /* A symbolic leading dimension is a batch axis: fitting it would accept data of any width. */
    if ((entry->shape.rank == 0 || entry->shape.dims[0] >= 0) &&
        fit_sample(&entry->shape, 0, sample, count, fitted)) {
        self->whole[index] = true;
        return COSET_OK;
    }
    shape inner = {.rank = entry->shape.rank > 0 ? entry->shape.rank - 1 : 0};
    for (int a = 0; a < inner.rank; a++) inner.dims[a] = entry->shape.dims[a + 1];
    return ctx_fail(ctx, COSET_EARGUMENT,
                    "input '%s' expects samples of shape %s, the data has samples of shape %s",
                    entry->name, shape_text(&inner, expected, sizeof expected),
                    shape_text(sample, found, sizeof found));
}

/* ---- choosing the batch ------------------------------------------------------------------------ */

static void set_batch(const batch_runner *self, int64_t batch, shape *shapes_out)
{
    for (int64_t k = 0; k < self->graph->n_inputs; k++) {
        shapes_out[k] = self->shapes[k];
        if (!self->whole[k]) shapes_out[k].dims[0] = batch;
    }
}

/* The leading dimension that the file fixes; 1 if it fixes none; 0 if it fixes different ones. */
static int64_t declared_batch(const batch_runner *self)
{
    int64_t batch = -1;
    for (int64_t k = 0; k < self->graph->n_inputs; k++) {
        int64_t leading = self->whole[k] ? 1 : self->shapes[k].dims[0];
        if (leading <= 0) continue;
        if (batch >= 0 && batch != leading) return 0;
        batch = leading;
    }
    return batch < 0 ? 1 : batch;
}

/* True if a value's shape at batch `a` becomes its shape at batch `b` by scaling the leading
 * dimension alone. */
static bool follows(const fact *at_a, int64_t a, const fact *at_b, int64_t b)
{
    if (!shape_known(&at_a->shape) || !shape_known(&at_b->shape)) return false;
    if (at_a->shape.rank < 1 || at_a->shape.rank != at_b->shape.rank) return false;
    for (int axis = 1; axis < at_a->shape.rank; axis++)
        if (at_a->shape.dims[axis] != at_b->shape.dims[axis]) return false;
    int64_t left = 0, right = 0;
    return dim_mul(at_a->shape.dims[0], b, &left) && dim_mul(at_b->shape.dims[0], a, &right) &&
           left == right && at_a->shape.dims[0] % a == 0;
}

static bool all_follow(const batch_runner *self, const graph_facts *at_a, int64_t a,
                       const graph_facts *at_b, int64_t b)
{
    for (int64_t k = 0; k < self->graph->n_outputs; k++) {
        int32_t value = self->graph->outputs[k];
        if (!follows(graph_fact(at_a, value), a, graph_fact(at_b, value), b)) return false;
    }
    for (int64_t k = 0; k < self->n_taps; k++)
        if (!follows(graph_fact(at_a, self->taps[k]), a, graph_fact(at_b, self->taps[k]), b))
            return false;
    return true;
}

/* Sets self->flexible. facts: of the declared batch. */
static coset_status probe(coset_ctx *ctx, batch_runner *self, const graph_facts *facts,
                          int64_t declared, shape *shapes)
{
    graph_facts *other = NULL;
    int64_t trial = declared == 2 ? 3 : 2;
    for (int64_t k = 0; k < self->graph->n_inputs; k++)
        if (self->whole[k]) return COSET_OK;
    set_batch(self, trial, shapes);
    coset_status status = graph_infer(ctx, self->graph, shapes, &other);
    if (status == COSET_EMEMORY) return status;
    /* Any other failure says that the model holds on to its declared batch. */
    if (status == COSET_OK) self->flexible = all_follow(self, facts, declared, other, trial);
    graph_facts_free(ctx, other);
    return COSET_OK;
}

static coset_status automatic_batch(coset_ctx *ctx, const batch_runner *self,
                                    const graph_facts *facts, int64_t declared, int64_t *batch_out)
{
    run_plan plan = {0};
    coset_status status = run_plan_make(ctx, self->graph, facts, self->taps, self->n_taps, &plan);
    if (status != COSET_OK) return status;
    size_t sample = plan.workspace / (size_t)declared;
    size_t batch = BATCH_AUTO_BYTES / (sample ? sample : 1);
    *batch_out = batch < 1 ? 1 : batch > BATCH_AUTO_MAX ? BATCH_AUTO_MAX : (int64_t)batch;
    run_plan_free(ctx, &plan);
    return COSET_OK;
}

static coset_status choose_batch(coset_ctx *ctx, batch_runner *self, int64_t wanted)
{
    coset_status status = COSET_OK;
    graph_facts *facts = NULL;
    shape *shapes = NULL;
    int64_t declared = declared_batch(self);
    bool mixed = declared == 0;
    if (mixed) declared = 1;
    TRY(ctx_alloc(ctx, self->graph->n_inputs, sizeof *shapes, &shapes));
    set_batch(self, declared, shapes);
    status = graph_infer(ctx, self->graph, shapes, &facts);
    if (status == COSET_OK) TRY(probe(ctx, self, facts, declared, shapes));
    if (mixed && !self->flexible && status != COSET_EMEMORY)
        FAIL(ctx, COSET_EUNSUPPORTED, "the model's inputs have different leading dimensions");
    if (status != COSET_OK) goto done;
    self->batch = declared;
    if (self->flexible && wanted > 0) self->batch = wanted;
    if (self->flexible && wanted == 0)
        TRY(automatic_batch(ctx, self, facts, declared, &self->batch));
    set_batch(self, self->batch, self->shapes);
done:
    graph_facts_free(ctx, facts);
    ctx_free(ctx, shapes);
    return status;
}

/* ---- the runner -------------------------------------------------------------------------------- */

static coset_status allocate_inputs(coset_ctx *ctx, batch_runner *self)
{
    for (int64_t k = 0; k < self->graph->n_inputs; k++) {
        const graph_value *entry = &self->graph->values[self->graph->inputs[k]];
        self->inputs[k].dtype = entry->dtype;
        self->inputs[k].shape = self->shapes[k];
        if (executor_value(self->full, self->graph->inputs[k]) == NULL) continue;
        int64_t count = 0;
        coset_status status = shape_elements(ctx, &self->shapes[k], &count);
        if (status != COSET_OK) return status;
        status = ctx_alloc_raw(ctx, count, array_element_size(entry->dtype), &self->inputs[k].data);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

coset_status batch_runner_new(coset_ctx *ctx, const coset_graph *graph, const shape *sample_shapes,
                              int64_t batch, const int32_t *taps, int64_t n_taps,
                              batch_runner **runner_out)
{
    coset_status status = COSET_OK;
    batch_runner *self = NULL;
    *runner_out = NULL;
    if (batch < 0)
        FAIL(ctx, COSET_EARGUMENT, "batch size must be >= 0, not %lld", (long long)batch);
    for (int64_t k = 0; k < n_taps; k++)
        if (taps[k] < 0 || taps[k] >= graph->n_values)
            FAIL(ctx, COSET_EARGUMENT, "value %d to read does not exist", (int)taps[k]);
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->graph = graph;
    self->n_taps = n_taps;
    TRY(ctx_alloc(ctx, graph->n_inputs, sizeof *self->shapes, &self->shapes));
    TRY(ctx_alloc(ctx, graph->n_inputs, sizeof *self->whole, &self->whole));
    TRY(ctx_alloc(ctx, graph->n_inputs, sizeof *self->inputs, &self->inputs));
    TRY(ctx_alloc(ctx, n_taps, sizeof *self->taps, &self->taps));
    if (n_taps > 0) memcpy(self->taps, taps, (size_t)n_taps * sizeof *taps);
    for (int64_t k = 0; k < graph->n_inputs; k++) TRY(fit_input(ctx, self, k, &sample_shapes[k]));
    TRY(choose_batch(ctx, self, batch));
    TRY(executor_new(ctx, graph, self->shapes, self->taps, n_taps, &self->full));
    TRY(allocate_inputs(ctx, self));
    *runner_out = self;
    self = NULL;
done:
    batch_runner_free(ctx, self);
    return status;
}

/* An executor for `count` samples: padding a short batch would cost as much as a full one. */
static coset_status short_executor(coset_ctx *ctx, batch_runner *self, int64_t count)
{
    coset_status status = COSET_OK;
    shape *shapes = NULL;
    if (self->tail != NULL && self->tail_batch == count) return COSET_OK;
    executor_free(ctx, self->tail);
    self->tail = NULL;
    TRY(ctx_alloc(ctx, self->graph->n_inputs, sizeof *shapes, &shapes));
    set_batch(self, count, shapes);
    TRY(executor_new(ctx, self->graph, shapes, self->taps, self->n_taps, &self->tail));
    self->tail_batch = count;
done:
    ctx_free(ctx, shapes);
    return status;
}

static coset_status fill_input(coset_ctx *ctx, batch_runner *self, const batch_source *source,
                               int64_t input, int64_t first, int64_t count, int64_t batch)
{
    array *values = &self->inputs[input];
    if (values->data == NULL) return COSET_OK;
    coset_status status = source->fill(ctx, source->user, input, first, count, values->data);
    if (status != COSET_OK || self->whole[input]) return status;
    values->shape.dims[0] = batch;
    size_t sample = (size_t)shape_product(&values->shape, 1, values->shape.rank) *
                    array_element_size(values->dtype);
    unsigned char *bytes = values->data;
    for (int64_t k = count; k < batch; k++)
        memcpy(bytes + (size_t)k * sample, bytes + (size_t)(count - 1) * sample, sample);
    return COSET_OK;
}

coset_status batch_load(coset_ctx *ctx, batch_runner *self, const batch_source *source,
                        int64_t first, int64_t count, const array **inputs_out)
{
    *inputs_out = self->inputs;
    for (int64_t k = 0; k < self->graph->n_inputs; k++) {
        coset_status status = fill_input(ctx, self, source, k, first, count, self->batch);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}

executor *batch_executor(batch_runner *self)
{
    return self->full;
}

coset_status batch_step(coset_ctx *ctx, batch_runner *self, const batch_source *source,
                        int64_t first, int64_t count, const executor **values_out)
{
    coset_status status = COSET_OK;
    executor *runs = self->full;
    int64_t batch = self->batch;
    *values_out = NULL;
    if (count < 1 || count > self->batch)
        FAIL(ctx, COSET_EARGUMENT, "a batch holds 1 to %lld samples, not %lld",
             (long long)self->batch, (long long)count);
    if (self->flexible && count <= self->batch / 2) {
        TRY(short_executor(ctx, self, count));
        runs = self->tail;
        batch = count;
    }
    for (int64_t k = 0; k < self->graph->n_inputs; k++)
        TRY(fill_input(ctx, self, source, k, first, count, batch));
    TRY(executor_run(runs, self->inputs));
    *values_out = runs;
done:
    return status;
}

coset_status batch_run(coset_ctx *ctx, batch_runner *self, const batch_source *source,
                       const char *stage, batch_visit visit, void *user)
{
    coset_status status = COSET_OK;
    for (int64_t first = 0; first < source->samples;) {
        int64_t left = source->samples - first;
        int64_t count = left < self->batch ? left : self->batch;
        const executor *values = NULL;
        TRY(batch_step(ctx, self, source, first, count, &values));
        TRY(visit(ctx, user, first, count, values));
        first += count;
        if (stage != NULL) ctx_progress(ctx, stage, first, source->samples);
    }
done:
    return status;
}

int64_t batch_sample_elements(const batch_runner *self, int32_t value)
{
    const array *values = executor_value(self->full, value);
    return values == NULL ? 0 : shape_product(&values->shape, 0, values->shape.rank) / self->batch;
}

const shape *batch_shape(const batch_runner *self, int32_t value)
{
    const array *values = executor_value(self->full, value);
    return values == NULL ? NULL : &values->shape;
}

int64_t batch_size(const batch_runner *self)
{
    return self->batch;
}

void batch_runner_free(coset_ctx *ctx, batch_runner *self)
{
    if (self == NULL) return;
    executor_free(ctx, self->full);
    executor_free(ctx, self->tail);
    if (self->inputs != NULL)
        for (int64_t k = 0; k < self->graph->n_inputs; k++) ctx_free(ctx, self->inputs[k].data);
    ctx_free(ctx, self->inputs);
    ctx_free(ctx, self->shapes);
    ctx_free(ctx, self->whole);
    ctx_free(ctx, self->taps);
    ctx_free(ctx, self);
}
