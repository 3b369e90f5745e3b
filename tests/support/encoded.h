/* Networks as ODE systems in tests: encoded, brought to rest, and run beside. */
#ifndef COSET_TESTS_SUPPORT_ENCODED_H
#define COSET_TESTS_SUPPORT_ENCODED_H

#include "support/cut_graph.h"

#include <coset/ode.h>

#include "api/ode.h"
#include "ode/integrate.h"

/* An encoding with its system. */
typedef struct encoded {
    coset_ctx *ctx;
    coset_ode *ode;
    coset_report *report;
    ode_system *system;
} encoded;

static inline encoded encode_graph(coset_ctx *ctx, const coset_graph *graph,
                                   const coset_ode_encode_options *options)
{
    encoded self = {.ctx = ctx};
    study_expect(ctx, coset_ode_encode(ctx, graph, options, &self.ode, &self.report));
    study_expect(ctx, system_from_model(self.ode->model, false, &self.system));
    return self;
}

static inline void encoded_end(encoded *self)
{
    system_free(self->system);
    coset_report_free(self->ctx, self->report);
    coset_ode_free(self->ctx, self->ode);
}

/* Variables whose names are a letter and a number, "y1": how many there are. */
static inline int64_t encoded_count(const encoded *self, char letter)
{
    int64_t count = 0;
    for (int64_t i = 0; i < self->system->n; i++) {
        const char *name = self->system->names[i];
        count += name[0] == letter && strchr(name, '_') == NULL;
    }
    return count;
}

/* Index of a variable; fails if there is none. */
static inline int64_t encoded_find(const encoded *self, const char *name)
{
    for (int64_t i = 0; i < self->system->n; i++)
        if (strcmp(self->system->names[i], name) == 0) return i;
    fail_msg("no variable %s", name);
    return -1;
}

/* All variables at time t_end, freed by the caller. */
static inline double *encoded_state(const encoded *self, double t_end)
{
    int64_t n = self->system->n;
    double times[2] = {0, t_end}, *out = calloc((size_t)(2 * n), sizeof *out);
    integrate_options options = INTEGRATE_OPTIONS_INIT;
    options.rtol = 1e-10;
    options.atol = 1e-12;
    assert_non_null(out);
    study_expect(self->ctx, integrate_system(self->system, NULL, times, 2, &options, NULL, out));
    memmove(out, out + n, (size_t)n * sizeof *out);
    return out;
}

/* Variable "<letter><index + 1>" of a state. */
static inline double encoded_at(const encoded *self, const double *state, char letter,
                                int64_t index)
{
    char name[32];
    snprintf(name, sizeof name, "%c%lld", letter, (long long)index + 1);
    return state[encoded_find(self, name)];
}

/* Outputs of a graph of one input, all one after the other, freed by the caller.
 *   x  [n] f32, as many samples as fit the model's input */
static inline double *encoded_run(coset_ctx *ctx, const coset_graph *graph, const float *x,
                                  int64_t n, int64_t *count_out)
{
    shape in = graph->values[graph->inputs[0]].shape;
    executor *run = NULL;
    int64_t inner = 1, count = 0;
    for (int a = 1; a < in.rank; a++) inner *= in.dims[a];
    in.dims[0] = n / inner;
    array values = {.dtype = COSET_F32, .shape = in, .f = (float *)(uintptr_t)x};
    double *outputs = NULL;
    study_expect(ctx, executor_new(ctx, graph, &in, NULL, 0, &run));
    study_expect(ctx, executor_run(run, &values));
    for (int64_t o = 0; o < graph->n_outputs; o++) {
        const array *y = executor_value(run, graph->outputs[o]);
        int64_t size = shape_product(&y->shape, 0, y->shape.rank);
        outputs = realloc(outputs, (size_t)(count + size + 1) * sizeof *outputs);
        assert_non_null(outputs);
        for (int64_t e = 0; e < size; e++) outputs[count + e] = (double)y->f[e];
        count += size;
    }
    executor_free(ctx, run);
    *count_out = count;
    return outputs;
}

static inline coset_array encoded_sample(const float *x, int64_t n)
{
    return (coset_array){
        .dtype = COSET_F32, .rank = 1, .dims = {n}, .data = x, .bytes = (size_t)n * sizeof *x};
}

/* Greatest difference between where the encoding rests and the outputs of the network, relative to the
 * largest output or 1. */
static inline double encoded_difference(const encoded *self, const coset_graph *graph,
                                        const float *x, int64_t n, double t_end)
{
    int64_t count = 0;
    double *state = encoded_state(self, t_end), worst = 0, largest = 1;
    double *y = encoded_run(self->ctx, graph, x, n, &count);
    assert_int_equal(encoded_count(self, 'x'), n);
    assert_int_equal(encoded_count(self, 'y'), count);
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(y[i]));
    for (int64_t i = 0; i < count; i++)
        worst = fmax(worst, fabs(encoded_at(self, state, 'y', i) - y[i]) / largest);
    free(state);
    free(y);
    return worst;
}

#endif
