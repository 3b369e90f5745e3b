/* Graphs with their groups, plants in their weights, and what comes out of them. */
#ifndef COSET_TESTS_SUPPORT_CUT_GRAPH_H
#define COSET_TESTS_SUPPORT_CUT_GRAPH_H

#include "support/build.h"

#include "exec/exec.h"
#include "lump/plan.h"

/* A graph that is being looked at; the graph is borrowed. */
typedef struct studied {
    coset_ctx *ctx;
    const coset_graph *graph;
    graph_facts *facts;
    graph_groups *groups;
} studied;

static inline void study_expect(coset_ctx *ctx, coset_status status)
{
    if (status != COSET_OK) fail_msg("%s: %s", coset_status_name(status), coset_ctx_error(ctx));
}

static inline studied study(coset_ctx *ctx, const coset_graph *graph)
{
    studied self = {.ctx = ctx, .graph = graph};
    study_expect(ctx, graph_infer(ctx, graph, NULL, &self.facts));
    study_expect(ctx, groups_find(ctx, graph, self.facts, &self.groups));
    return self;
}

static inline void study_end(studied *self)
{
    groups_free(self->ctx, self->groups);
    graph_facts_free(self->ctx, self->facts);
}

/* ---- plants --------------------------------------------------------------------------------------- */

/* Writable elements of a constant; constants of graphs built by hand are theirs alone. */
static inline float *study_values(const studied *self, int32_t value)
{
    const tensor *data = self->graph->values[value].constant;
    assert_non_null(data);
    assert_int_equal(data->dtype, COSET_F32);
    return (float *)(uintptr_t)data->data;
}

/* Runs over the elements of index `index` of a slot's axis: copies them from index `from`, or sets them
 * to zero (from = -1). Returns true if anything changed. */
static inline bool study_write(const studied *self, int32_t slot, int64_t index, int64_t from)
{
    const label_slot *at = &self->groups->slots[slot];
    float *values = study_values(self, at->value);
    const shape *dims = &self->graph->values[at->value].constant->shape;
    int64_t outer = shape_product(dims, 0, at->axis);
    int64_t inner = shape_product(dims, at->axis + 1, dims->rank);
    bool changed = false;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t e = 0; e < inner; e++) {
            float *to = &values[(o * at->size + index) * inner + e];
            float wanted = from < 0 ? 0 : values[(o * at->size + from) * inner + e];
            changed = changed || *to != wanted;
            *to = wanted;
        }
    return changed;
}

/* Makes units of one block equal in everything that produces them, and what dropped units are multiplied
 * with zero: applying the plan then changes no output. False if constants that several groups share make
 * that impossible. */
static inline bool study_plant(const studied *self, const coset_plan *plan)
{
    bool changed = true;
    for (int round = 0; round < 30 && changed; round++) {
        changed = false;
        for (int64_t g = 0; g < self->groups->n; g++) {
            const unit_group *group = &self->groups->groups[g];
            const lumping *map = plan->groups[g].map;
            for (int32_t s = 0; map != NULL && s < group->n_slots; s++) {
                const group_slot *slot = &group->slots[s];
                for (int64_t c = 0; c < group->n * slot->repeats; c++) {
                    int64_t unit = c / slot->repeats, p = c % slot->repeats, b = map->block[unit];
                    if (slot->role == SLOT_CONSUMER && b < 0)
                        changed |= study_write(self, slot->slot, slot->index[c], -1);
                    if (slot->role != SLOT_CONSUMER && b >= 0 && map->keep[b] != unit)
                        changed |= study_write(self, slot->slot, slot->index[c],
                                               slot->index[map->keep[b] * slot->repeats + p]);
                }
            }
        }
    }
    return !changed;
}

/* Random blocks of random size and some dropped units; at least one unit stays. */
static inline lumping *study_lumping(coset_ctx *ctx, rng *random, int64_t n)
{
    lumping *map = NULL;
    int64_t k = 0, wanted = 1 + rng_below(random, n), *size = calloc((size_t)n, sizeof *size);
    assert_non_null(size);
    study_expect(ctx, lumping_identity(ctx, n, &map));
    for (int64_t u = 0; u < n; u++) {
        int64_t b = rng_below(random, wanted + 1) - 1; /* -1: dropped */
        if (b >= k || (k == 0 && u == n - 1)) {
            b = k++;
            map->keep[b] = u;
        }
        map->block[u] = b;
        if (b >= 0) size[b]++;
    }
    map->k = k;
    for (int64_t u = 0; u < n; u++) {
        map->reduce[u] = map->block[u] >= 0 ? 1 / (double)size[map->block[u]] : 0;
        map->scale[u] = map->block[u] >= 0;
    }
    free(size);
    study_expect(ctx, lumping_check(ctx, map));
    return map;
}

/* ---- outputs -------------------------------------------------------------------------------------- */

/* All outputs one after the other, freed by the caller, for inputs of their inferred shapes: normal ones, or
 * uniform ones in the box [-1, 1]. */
static inline double *study_run(coset_ctx *ctx, const coset_graph *graph, uint64_t seed, bool box,
                                int64_t *count_out)
{
    graph_facts *facts = NULL;
    executor *run = NULL;
    shape shapes[4];
    array inputs[4];
    float *data[4] = {NULL};
    rng random = rng_seed(seed, 9);
    int64_t count = 0;
    assert_true(graph->n_inputs <= 4);
    study_expect(ctx, graph_infer(ctx, graph, NULL, &facts));
    for (int64_t i = 0; i < graph->n_inputs; i++) {
        shapes[i] = graph_fact(facts, graph->inputs[i])->shape;
        int64_t n = shape_product(&shapes[i], 0, shapes[i].rank);
        data[i] = calloc((size_t)n + 1, sizeof *data[i]);
        assert_non_null(data[i]);
        for (int64_t e = 0; e < n; e++)
            data[i][e] = (float)(box ? 2 * rng_uniform(&random) - 1 : rng_normal(&random));
        inputs[i] = (array){.dtype = COSET_F32, .shape = shapes[i], .f = data[i]};
    }
    study_expect(ctx, executor_new(ctx, graph, shapes, NULL, 0, &run));
    study_expect(ctx, executor_run(run, inputs));
    double *values = NULL;
    for (int64_t o = 0; o < graph->n_outputs; o++) {
        const array *y = executor_value(run, graph->outputs[o]);
        const fact *known = graph_fact(facts, graph->outputs[o]);
        assert_true(shape_equal(&y->shape, &known->shape));
        int64_t n = shape_product(&y->shape, 0, y->shape.rank);
        values = realloc(values, (size_t)(count + n + 1) * sizeof *values);
        assert_non_null(values);
        for (int64_t e = 0; e < n; e++) values[count + e] = (double)y->f[e];
        count += n;
    }
    executor_free(ctx, run);
    graph_facts_free(ctx, facts);
    for (int i = 0; i < 4; i++) free(data[i]);
    *count_out = count;
    return values;
}

/* Greatest difference of the outputs of two graphs relative to the largest output of the first. */
static inline double study_difference_in(coset_ctx *ctx, const coset_graph *a, const coset_graph *b,
                                         uint64_t seed, bool box)
{
    int64_t n = 0, other = 0;
    double *x = study_run(ctx, a, seed, box, &n), *y = study_run(ctx, b, seed, box, &other);
    double largest = 0, worst = 0;
    assert_true(n == other);
    for (int64_t i = 0; i < n; i++) {
        assert_true(isfinite(x[i]) && isfinite(y[i]));
        largest = fmax(largest, fabs(x[i]));
        worst = fmax(worst, fabs(x[i] - y[i]));
    }
    free(x);
    free(y);
    return largest > 0 ? worst / largest : worst;
}

static inline double study_difference(coset_ctx *ctx, const coset_graph *a, const coset_graph *b,
                                      uint64_t seed)
{
    return study_difference_in(ctx, a, b, seed, false);
}

#endif
