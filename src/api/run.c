#include <coset/run.h>

#include <stdio.h>
#include <string.h>

#include "api/arrays.h"
#include "exec/batch.h"

/* An input of the model with what the caller gives for it. */
typedef struct bound_input {
    array values; /* in the compute type, the declared element type */
    void *memory; /* owned; NULL: values are lent by the caller's array */
} bound_input;

typedef struct run {
    coset_ctx *ctx;
    const coset_graph *graph;
    bound_input *inputs; /* [n_inputs] */
    shape *shapes;       /* [n_inputs] of whole arrays, or of one sample */
    array *outputs;      /* [n_outputs] gathered samples; data owned */
    batch_runner *runner;
    int64_t samples;
} run;

/* ---- binding arrays to inputs ------------------------------------------------------------------ */

static const char *given_name(const coset_array *given)
{
    return given->name != NULL ? given->name : "";
}

static const graph_value *input_of(const run *self, int64_t index)
{
    return &self->graph->values[self->graph->inputs[index]];
}

/* "a, b, c" as far as it fits. */
static const char *list_inputs(const run *self, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int64_t k = 0; k < self->graph->n_inputs && used < size; k++) {
        int written = snprintf(text + used, size - used, "%s'%s'", k > 0 ? ", " : "",
                               input_of(self, k)->name);
        used += written > 0 ? (size_t)written : 0;
    }
    return text;
}

/* Index of the array for a graph input; -1: none. */
static int64_t find_array(const run *self, const coset_array *arrays, int64_t n, int64_t input)
{
    const char *name = input_of(self, input)->name;
    for (int64_t k = 0; k < n; k++)
        if (strcmp(given_name(&arrays[k]), name) == 0) return k;
    return n == 1 && self->graph->n_inputs == 1 && given_name(&arrays[0])[0] == '\0' ? 0 : -1;
}

static coset_status check_names(const run *self, const coset_array *arrays, int64_t n)
{
    char text[256];
    for (int64_t k = 0; k < n; k++) {
        bool known = n == 1 && self->graph->n_inputs == 1 && given_name(&arrays[k])[0] == '\0';
        for (int64_t i = 0; i < self->graph->n_inputs && !known; i++)
            known = strcmp(given_name(&arrays[k]), input_of(self, i)->name) == 0;
        if (!known)
            return ctx_fail(self->ctx, COSET_EARGUMENT,
                            "%s: the model has no input '%s'; its inputs: %s", self->graph->name,
                            given_name(&arrays[k]), list_inputs(self, text, sizeof text));
        for (int64_t j = 0; j < k; j++)
            if (strcmp(given_name(&arrays[j]), given_name(&arrays[k])) == 0)
                return ctx_fail(self->ctx, COSET_EARGUMENT, "two arrays are named '%s'",
                                given_name(&arrays[k]));
    }
    return COSET_OK;
}

/* Brings values of another element type to the declared one, in memory of their own. */
static coset_status convert(run *self, bound_input *input, const graph_value *entry)
{
    array *values = &input->values;
    size_t size = array_element_size(entry->dtype);
    int64_t count = shape_product(&values->shape, 0, values->shape.rank);
    void *copy = NULL;
    coset_status status = ctx_alloc_raw(self->ctx, count, size, &copy);
    if (status != COSET_OK) return status;
    memcpy(copy, values->data, (size_t)count * size);
    array converted = {.dtype = entry->dtype, .shape = values->shape, .data = copy};
    array_normalise(&converted);
    for (int64_t k = 0; dtype_is_integer(entry->dtype) && k < count; k++)
        if (converted.i[k] != values->i[k]) {
            status = ctx_fail(
                self->ctx, COSET_EARGUMENT, "input '%s': element %lld, %lld, does not fit %s",
                entry->name, (long long)k, (long long)values->i[k], coset_dtype_name(entry->dtype));
            ctx_free(self->ctx, copy);
            return status;
        }
    ctx_free(self->ctx, input->memory);
    input->memory = copy;
    *values = converted;
    return COSET_OK;
}

static coset_status bind_input(run *self, int64_t index, const coset_array *given)
{
    const graph_value *entry = input_of(self, index);
    bound_input *input = &self->inputs[index];
    tensor view;
    bool same_kind = (dtype_is_float(given->dtype) && dtype_is_float(entry->dtype)) ||
                     (dtype_is_integer(given->dtype) && dtype_is_integer(entry->dtype));
    if (!same_kind)
        return ctx_fail(self->ctx, COSET_EARGUMENT, "input '%s' must be %s, not %s", entry->name,
                        coset_dtype_name(entry->dtype), coset_dtype_name(given->dtype));
    coset_status status = array_view(self->ctx, given, &view);
    if (status != COSET_OK) return status;
    status = tensor_to_array(self->ctx, &view, &input->values, &input->memory);
    if (status != COSET_OK) return status;
    if (input->values.data == NULL) input->values.data = input; /* no elements: never read */
    self->shapes[index] = input->values.shape;
    return given->dtype == entry->dtype ? COSET_OK : convert(self, input, entry);
}

static coset_status bind_inputs(run *self, const coset_array *arrays, int64_t n)
{
    coset_status status = check_names(self, arrays, n);
    for (int64_t k = 0; k < self->graph->n_inputs && status == COSET_OK; k++) {
        int64_t given = find_array(self, arrays, n, k);
        status = given >= 0 ? bind_input(self, k, &arrays[given])
                            : ctx_fail(self->ctx, COSET_EARGUMENT, "%s: no array for input '%s'",
                                       self->graph->name, input_of(self, k)->name);
    }
    return status;
}

/* ---- shapes ------------------------------------------------------------------------------------ */

/* True if dims[from..) of an input's array are as declared. */
static bool fits_from(const graph_value *entry, const shape *given, int from)
{
    if (entry->shape.rank < 0) return true;
    if (given->rank != entry->shape.rank) return false;
    for (int a = from; a < given->rank; a++)
        if (entry->shape.dims[a] >= 0 && entry->shape.dims[a] != given->dims[a]) return false;
    return true;
}

/* Decides between one run at the arrays' own shapes (samples = -1) and samples in batches, for which
 * self->shapes become those of one sample. */
static coset_status choose_shapes(run *self)
{
    char expected[SHAPE_TEXT], found[SHAPE_TEXT];
    bool whole = true;
    for (int64_t k = 0; k < self->graph->n_inputs; k++) {
        const graph_value *entry = input_of(self, k);
        const shape *given = &self->shapes[k];
        if (fits_from(entry, given, 0)) continue;
        whole = false;
        if (given->rank < 1 || !fits_from(entry, given, 1))
            return ctx_fail(self->ctx, COSET_EARGUMENT, "input '%s' must have shape %s, not %s",
                            entry->name, shape_text(&entry->shape, expected, sizeof expected),
                            shape_text(given, found, sizeof found));
    }
    self->samples = -1;
    if (whole) return COSET_OK;
    for (int64_t k = 0; k < self->graph->n_inputs; k++) {
        shape *given = &self->shapes[k];
        if (given->rank < 1 || (k > 0 && given->dims[0] != self->samples) || given->dims[0] < 1)
            return ctx_fail(self->ctx, COSET_EARGUMENT,
                            "input '%s' has shape %s: every input must hold the same number of "
                            "samples, at least one, along its first axis",
                            input_of(self, k)->name, shape_text(given, found, sizeof found));
        self->samples = given->dims[0];
        given->rank--;
        memmove(given->dims, given->dims + 1, (size_t)given->rank * sizeof *given->dims);
    }
    return COSET_OK;
}

/* ---- running ----------------------------------------------------------------------------------- */

static coset_status own_output(const run *self, int64_t index, const array *values,
                               coset_array *array_out)
{
    const char *name = self->graph->values[self->graph->outputs[index]].name;
    tensor *data = NULL;
    coset_status status = tensor_from_array(self->ctx, values, &data);
    if (status == COSET_OK) status = array_own(self->ctx, name, data, array_out);
    if (status != COSET_OK) tensor_release(self->ctx, data);
    return status;
}

static coset_status run_whole(run *self, coset_array *outputs)
{
    coset_status status = COSET_OK;
    executor *runs = NULL;
    array *values = NULL;
    TRY(ctx_alloc(self->ctx, self->graph->n_inputs, sizeof *values, &values));
    for (int64_t k = 0; k < self->graph->n_inputs; k++) values[k] = self->inputs[k].values;
    TRY(executor_new(self->ctx, self->graph, self->shapes, NULL, 0, &runs));
    TRY(executor_run(runs, values));
    for (int64_t k = 0; k < self->graph->n_outputs; k++)
        TRY(own_output(self, k, executor_value(runs, self->graph->outputs[k]), &outputs[k]));
done:
    executor_free(self->ctx, runs);
    ctx_free(self->ctx, values);
    return status;
}

static coset_status fill_samples(coset_ctx *ctx, void *user, int64_t input, int64_t first,
                                 int64_t count, void *out)
{
    const run *self = user;
    const array *values = &self->inputs[input].values;
    size_t sample = (size_t)shape_product(&values->shape, 1, values->shape.rank) *
                    array_element_size(values->dtype);
    (void)ctx;
    memcpy(out, (const unsigned char *)values->data + (size_t)first * sample,
           (size_t)count * sample);
    return COSET_OK;
}

/* Makes room for all samples of an output. */
static coset_status start_output(run *self, int64_t index, coset_dtype dtype)
{
    int32_t value = self->graph->outputs[index];
    array *gathered = &self->outputs[index];
    shape dims = *batch_shape(self->runner, value);
    int64_t batch = batch_size(self->runner), count = 0;
    if (dims.rank == 0) dims = (shape){.rank = 1, .dims = {1}};
    if (dims.dims[0] % batch != 0)
        return ctx_fail(self->ctx, COSET_EUNSUPPORTED,
                        "output '%s' does not hold samples along its first axis: run %lld samples "
                        "at a time",
                        self->graph->values[value].name, (long long)batch);
    if (!__builtin_mul_overflow(dims.dims[0] / batch, self->samples, &dims.dims[0])) {
        coset_status status = shape_elements(self->ctx, &dims, &count);
        if (status != COSET_OK) return status;
        *gathered = (array){.dtype = dtype, .shape = dims};
        return ctx_alloc_raw(self->ctx, count, array_element_size(dtype), &gathered->data);
    }
    return ctx_fail(self->ctx, COSET_ELIMIT, "output '%s' is too large",
                    self->graph->values[value].name);
}

static coset_status gather_samples(coset_ctx *ctx, void *user, int64_t first, int64_t count,
                                   const executor *values)
{
    run *self = user;
    (void)ctx;
    for (int64_t k = 0; k < self->graph->n_outputs; k++) {
        int32_t value = self->graph->outputs[k];
        const array *found = executor_value(values, value);
        if (self->outputs[k].data == NULL) {
            coset_status status = start_output(self, k, found->dtype);
            if (status != COSET_OK) return status;
        }
        size_t sample =
            (size_t)batch_sample_elements(self->runner, value) * array_element_size(found->dtype);
        memcpy((unsigned char *)self->outputs[k].data + (size_t)first * sample, found->data,
               (size_t)count * sample);
    }
    return COSET_OK;
}

static coset_status run_batches(run *self, coset_array *outputs)
{
    coset_status status = COSET_OK;
    batch_source source = {self->samples, fill_samples, self};
    TRY(batch_runner_new(self->ctx, self->graph, self->shapes, 0, NULL, 0, &self->runner));
    TRY(batch_run(self->ctx, self->runner, &source, "run", gather_samples, self));
    for (int64_t k = 0; k < self->graph->n_outputs; k++)
        TRY(own_output(self, k, &self->outputs[k], &outputs[k]));
done:
    return status;
}

static void run_free(run *self)
{
    if (self->inputs != NULL)
        for (int64_t k = 0; k < self->graph->n_inputs; k++)
            ctx_free(self->ctx, self->inputs[k].memory);
    if (self->outputs != NULL)
        for (int64_t k = 0; k < self->graph->n_outputs; k++)
            ctx_free(self->ctx, self->outputs[k].data);
    batch_runner_free(self->ctx, self->runner);
    ctx_free(self->ctx, self->inputs);
    ctx_free(self->ctx, self->outputs);
    ctx_free(self->ctx, self->shapes);
}

coset_status coset_run(coset_ctx *ctx, const coset_graph *graph, const coset_array *inputs,
                       int64_t n_inputs, coset_array **outputs_out, int64_t *n_outputs_out)
{
    coset_status status = COSET_OK;
    run self = {.ctx = ctx, .graph = graph};
    coset_array *outputs = NULL;
    *outputs_out = NULL;
    *n_outputs_out = 0;
    TRY(ctx_alloc(ctx, graph->n_inputs, sizeof *self.inputs, &self.inputs));
    TRY(ctx_alloc(ctx, graph->n_inputs, sizeof *self.shapes, &self.shapes));
    TRY(ctx_alloc(ctx, graph->n_outputs, sizeof *self.outputs, &self.outputs));
    TRY(ctx_alloc(ctx, graph->n_outputs, sizeof *outputs, &outputs));
    TRY(bind_inputs(&self, inputs, n_inputs));
    TRY(choose_shapes(&self));
    TRY(self.samples < 0 ? run_whole(&self, outputs) : run_batches(&self, outputs));
    *outputs_out = outputs;
    *n_outputs_out = graph->n_outputs;
    outputs = NULL;
done:
    coset_arrays_free(ctx, outputs, graph->n_outputs);
    run_free(&self);
    return status;
}
