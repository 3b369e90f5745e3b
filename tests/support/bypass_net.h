/* Networks with units that are linear on a box, plans that bypass them, and what such a plan must give. */
#ifndef COSET_TESTS_SUPPORT_BYPASS_NET_H
#define COSET_TESTS_SUPPORT_BYPASS_NET_H

#include "support/cut_graph.h"

#include "lump/bypass.h"

/* How a layer is written down. */
typedef enum layer_form { GEMM, GEMM_TURNED, MATMUL, MATMUL_ADD, CONV } layer_form;

typedef struct layer_spec {
    layer_form form;
    int64_t in, out;
    int64_t kernel, stride, pad; /* of a convolution; 0: 1, 1 and 0 */
    bool plain;                  /* no bias */
    int every; /* units u with u % every == 1 (0 for every = 1) are positive on the box; 0: none */
} layer_spec;

/* A network that is being built on inputs in [-1, 1]. */
typedef struct box_net {
    builder b;
    rng random;
    double bound; /* of the last value */
} box_net;

static inline box_net net_start(coset_ctx *ctx, uint64_t seed)
{
    return (box_net){.b = build_start(ctx, 13), .random = rng_seed(seed, 3), .bound = 1};
}

static inline bool net_is_on(int every, int64_t u)
{
    return every > 0 && u % every == 1 % every;
}

static inline float *net_values(box_net *self, int64_t n, double spread)
{
    float *values = calloc((size_t)n + 1, sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++) values[i] = (float)(spread * rng_normal(&self->random));
    return values;
}

static inline int32_t net_constant(box_net *self, const char *stem, const char *dims,
                                   const float *values)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%d", stem, (int)self->b.graph->n_values);
    return build_constant(&self->b, name, COSET_F32, dims, values);
}

static inline int32_t net_node(box_net *self, const char *type, const int32_t *inputs, int n,
                               int32_t *node_out)
{
    char name[64];
    snprintf(name, sizeof name, "v_%d", (int)self->b.graph->n_values);
    int32_t value = build_value(&self->b, name);
    *node_out = build_node_n(&self->b, "", type, inputs, n, &value, 1);
    return value;
}

static inline void net_ints(box_net *self, int32_t node, const char *name, int64_t value, int n)
{
    const int64_t ints[4] = {value, value, value, value};
    graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = ints, .n = n};
    assert_int_equal(graph_add_attr(self->b.ctx, self->b.graph, node, &attr), COSET_OK);
}

/* W x + b; biases lift the units that are to be positive. */
static inline int32_t net_layer(box_net *self, int32_t x, layer_spec at)
{
    int64_t kernel = at.kernel > 0 ? at.kernel : 1, taps = at.form == CONV ? kernel * kernel : 1;
    int64_t row = at.in * taps, size = at.out * row;
    float *weight = net_values(self, size, 1 / sqrt((double)row)),
          *bias = net_values(self, at.out, 0.3);
    bool by_rows = at.form == CONV || at.form == GEMM_TURNED;
    double bound = 0, alpha = at.form == GEMM_TURNED ? 0.5 : 1, beta = alpha == 0.5 ? 2 : 1;
    for (int64_t u = 0; u < at.out; u++) {
        double reach = 0;
        for (int64_t i = 0; i < row; i++)
            reach +=
                alpha * self->bound * fabs((double)weight[by_rows ? u * row + i : i * at.out + u]);
        if (net_is_on(at.every, u)) bias[u] = (float)((reach + 0.1) / beta);
        if (at.plain) bias[u] = 0;
        bound = fmax(bound, reach + beta * fabs((double)bias[u]));
    }
    self->bound = bound;
    char dims[64], width[32];
    snprintf(width, sizeof width, "%d", (int)at.out);
    if (at.form == CONV)
        snprintf(dims, sizeof dims, "%d %d %d %d", (int)at.out, (int)at.in, (int)kernel,
                 (int)kernel);
    else
        snprintf(dims, sizeof dims, "%d %d", (int)(by_rows ? at.out : at.in),
                 (int)(by_rows ? at.in : at.out));
    int32_t node = -1, inputs[3] = {x, net_constant(self, "W", dims, weight), -1};
    if (!at.plain) inputs[2] = net_constant(self, "b", width, bias);
    free(weight);
    free(bias);
    const bool matmul = at.form == MATMUL || at.form == MATMUL_ADD;
    int32_t y = net_node(self,
                         matmul            ? "MatMul"
                         : at.form == CONV ? "Conv"
                                           : "Gemm",
                         inputs, at.plain || matmul ? 2 : 3, &node);
    if (at.form == CONV) {
        net_ints(self, node, "strides", at.stride > 0 ? at.stride : 1, 2);
        net_ints(self, node, "pads", at.pad, 4);
    }
    if (at.form == GEMM_TURNED) {
        const graph_attr scale[2] = {{.name = "alpha", .kind = ATTR_FLOAT, .f = (float)alpha},
                                     {.name = "beta", .kind = ATTR_FLOAT, .f = (float)beta}};
        build_int_attr(&self->b, node, "transB", 1);
        for (int a = 0; a < 2; a++)
            assert_int_equal(graph_add_attr(self->b.ctx, self->b.graph, node, &scale[a]), COSET_OK);
    }
    const int32_t sum[2] = {y, inputs[2]};
    return matmul && !at.plain ? net_node(self, "Add", sum, 2, &node) : y;
}

static inline int32_t net_unary(box_net *self, const char *type, int32_t x)
{
    int32_t node = -1;
    return net_node(self, type, &x, 1, &node);
}

static inline int32_t net_relu(box_net *self, int32_t x, layer_spec at)
{
    return net_unary(self, "Relu", net_layer(self, x, at));
}

/* With declared outputs, as a file must have them. */
static inline const coset_graph *net_finish(box_net *self, int32_t y)
{
    graph_facts *facts = NULL;
    coset_graph *graph = self->b.graph;
    build_output(&self->b, y);
    build_finish(&self->b);
    study_expect(self->b.ctx, graph_infer(self->b.ctx, graph, NULL, &facts));
    for (int64_t o = 0; o < graph->n_outputs; o++) {
        graph->values[graph->outputs[o]].dtype = graph_fact(facts, graph->outputs[o])->dtype;
        graph->values[graph->outputs[o]].shape = graph_fact(facts, graph->outputs[o])->shape;
    }
    graph_facts_free(self->b.ctx, facts);
    return graph;
}

/* ---- plans ------------------------------------------------------------------------------------ */

/* Bypasses the units of a group for which `every` holds, as ReLU units that are positive. */
static inline void net_bypass(coset_ctx *ctx, coset_plan *plan, int64_t g, int every)
{
    int64_t n = plan->groups[g].units, k = 0;
    int64_t *keep = calloc((size_t)n + 1, sizeof *keep);
    double *slope = doubles(n), *shift = doubles(n);
    assert_non_null(keep);
    for (int64_t u = 0; u < n; u++) {
        slope[u] = 1;
        if (!net_is_on(every, u)) keep[k++] = u;
    }
    study_expect(ctx, lumping_bypass(ctx, n, keep, k, slope, shift, &plan->groups[g].map));
    free(keep);
    free(slope);
    free(shift);
}

/* A random share of the units with random slopes and shifts; all of them now and then. */
static inline void net_bypass_any(coset_ctx *ctx, rng *random, coset_plan *plan, int64_t g)
{
    int64_t n = plan->groups[g].units, k = 0;
    int64_t *keep = calloc((size_t)n + 1, sizeof *keep);
    double *slope = doubles(n), *shift = doubles(n), share = rng_uniform(random) * 1.4;
    assert_non_null(keep);
    for (int64_t u = 0; u < n; u++) {
        slope[u] = rng_uniform(random) < 0.2 ? 0 : rng_normal(random);
        shift[u] = rng_uniform(random) < 0.5 ? 0 : rng_normal(random);
        if (rng_uniform(random) > share) keep[k++] = u;
    }
    study_expect(ctx, lumping_bypass(ctx, n, keep, k, slope, shift, &plan->groups[g].map));
    study_expect(ctx, lumping_check(ctx, plan->groups[g].map));
    free(keep);
    free(slope);
    free(shift);
}

/* ---- what must come out ----------------------------------------------------------------------- */

static inline int32_t net_unit_constant(coset_ctx *ctx, coset_graph *graph, int32_t like, int rank,
                                        int axis, int64_t n, const double *values)
{
    tensor *made = NULL;
    shape dims = {.rank = rank - axis};
    int32_t value = -1;
    for (int a = 0; a < dims.rank; a++) dims.dims[a] = a == 0 ? n : 1;
    study_expect(ctx, tensor_from_f64(ctx, COSET_F32, &dims, values, &made));
    study_expect(ctx, graph_add_constant(ctx, graph, like, &value));
    graph_set_constant(ctx, graph, value, made);
    tensor_release(ctx, made);
    return value;
}

/* The same network in which bypassed units are what their lumpings say, with nothing taken out:
 * h * stays + z * slope + shift in front of the readers. Owned by the caller. */
static inline coset_graph *net_reference(const studied *of, const bypass_lines *lines,
                                         const coset_plan *plan)
{
    coset_ctx *ctx = of->ctx;
    coset_graph *graph = NULL;
    study_expect(ctx, graph_clone(ctx, of->graph, &graph));
    study_expect(ctx, graph_check(ctx, graph));
    for (int64_t g = 0; g < plan->n_groups; g++) {
        const lumping *map = plan->groups[g].map;
        const bypass_line *line = &lines->lines[g];
        if (map == NULL || map->slope == NULL) continue;
        const contraction *producer = &of->groups->contractions[line->producer];
        int rank = labels_of(of->groups->labels, line->h)->rank, axis = producer->output_axis;
        double *stays = doubles(map->n);
        for (int64_t u = 0; u < map->n; u++) stays[u] = map->block[u] >= 0;
        const double *parts[3] = {stays, map->slope, map->shift};
        int32_t made[3], sum = -1;
        for (int p = 0; p < 3; p++) {
            made[p] = net_unit_constant(ctx, graph, line->h, rank, axis, map->n, parts[p]);
            const int32_t product[2] = {p == 0 ? line->h : line->z, made[p]};
            if (p < 2)
                study_expect(ctx,
                             graph_append_node(ctx, graph, "Mul", product, 2, line->h, &made[p]));
        }
        for (int p = 0; p < 2; p++) {
            const int32_t terms[2] = {p == 0 ? made[0] : sum, made[p + 1]};
            study_expect(ctx, graph_append_node(ctx, graph, "Add", terms, 2, line->h, &sum));
        }
        for (int32_t r = 0; r < line->n_readers; r++)
            graph_rewire(graph, of->groups->contractions[line->readers[r]].node, 0, sum);
        free(stays);
    }
    study_expect(ctx, graph_check(ctx, graph));
    return graph;
}

/* Applies a plan; the result is owned by the caller. */
static inline coset_graph *net_apply(const studied *of, const coset_plan *plan)
{
    coset_graph *made = NULL;
    study_expect(of->ctx, plan_apply(of->ctx, of->graph, of->facts, of->groups, plan, &made));
    return made;
}

static inline int64_t net_params(coset_ctx *ctx, const coset_graph *graph)
{
    coset_graph_size size = {0};
    study_expect(ctx, coset_graph_measure(ctx, graph, &size));
    return size.params;
}

#endif
