/* Convolutional networks on images, cut and recovered, under an allocator that can fail. */
#ifndef COSET_TESTS_SUPPORT_RECOVERY_H
#define COSET_TESTS_SUPPORT_RECOVERY_H

#include "support/cut_graph.h"

#include <math.h>

#include "base/rng.h"
#include "exec/batch.h"
#include "recover/reconstruct.h"

static coset_ctx *ctx;

enum { CHANNELS = 2, SIDE = 6, IMAGE = CHANNELS * SIDE * SIDE, SAMPLES = 40, WIDTH = 6 };
/* The second half is held out. */
static float images[2 * SAMPLES * IMAGE];

/* An allocator that fails from allocation `at` on; -1: never. */
static struct {
    int64_t alive, made, at;
} memory = {.at = -1};

static void *allocate(void *user, size_t alignment, size_t size)
{
    (void)user;
    if (memory.at >= 0 && memory.made >= memory.at) return NULL;
    memory.made++;
    memory.alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *user, void *bytes)
{
    (void)user;
    memory.alive--;
    free(bytes);
}

static inline int set_up(void **state)
{
    coset_allocator allocator = {allocate, release, NULL};
    coset_ctx_options options = COSET_CTX_OPTIONS_INIT;
    rng random = rng_seed(4, 1);
    (void)state;
    options.allocator = &allocator;
    options.threads = 1;
    for (int i = 0; i < 2 * SAMPLES * IMAGE; i++) images[i] = (float)rng_normal(&random);
    return coset_ctx_new(&options, &ctx) == COSET_OK ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    coset_ctx_free(ctx);
    return memory.alive == 0 ? 0 : -1;
}

static inline void expect(coset_status status)
{
    if (status != COSET_OK) fail_msg("%s: %s", coset_status_name(status), coset_ctx_error(ctx));
}

static inline void expect_near(double found, double wanted, double tolerance)
{
    if (!(fabs(found - wanted) <= tolerance)) fail_msg("%g instead of %g", found, wanted);
}

static inline coset_status fill(coset_ctx *context, void *user, int64_t input, int64_t first,
                                int64_t count, void *out)
{
    const float *from = user;
    (void)context, (void)input;
    memcpy(out, from + first * IMAGE, (size_t)(count * IMAGE) * sizeof(float));
    return COSET_OK;
}

static const batch_source source = {SAMPLES, fill, images};
static const batch_source held_out = {SAMPLES, fill, images + SAMPLES *IMAGE};

/* ---- networks ------------------------------------------------------------------------------------- */

typedef struct conv_shape {
    int64_t in, out, kernel, stride, pad, dilation, group;
} conv_shape;

static inline void ints(builder *b, int32_t node, const char *name, int64_t value, int64_t n)
{
    const int64_t values[4] = {value, value, value, value};
    graph_attr attr = {.name = name, .kind = ATTR_INTS, .ints = values, .n = n};
    expect(graph_add_attr(ctx, b->graph, node, &attr));
}

static inline int32_t random_constant(builder *b, rng *random, const char *name, const char *dims,
                                      double deviation)
{
    shape of = build_shape(dims);
    int64_t n = shape_product(&of, 0, of.rank);
    float *values = calloc((size_t)n, sizeof *values);
    for (int64_t i = 0; i < n; i++) values[i] = (float)(deviation * rng_normal(random));
    int32_t constant = build_constant(b, name, COSET_F32, dims, values);
    free(values);
    return constant;
}

/* type: Conv, or ConvTranspose of one group. */
static inline int32_t convolve_by(builder *b, rng *random, const char *type, int32_t x,
                                  conv_shape at, const char *name)
{
    char dims[64], text[64];
    bool transposed = strcmp(type, "Conv") != 0;
    double fan = (double)(at.in / at.group * at.kernel * at.kernel);
    if (transposed) fan /= (double)(at.stride * at.stride);
    snprintf(dims, sizeof dims, "%d %d %d %d", (int)(transposed ? at.in : at.out),
             (int)(transposed ? at.out : at.in / at.group), (int)at.kernel, (int)at.kernel);
    snprintf(text, sizeof text, "w%s", name);
    int32_t w = random_constant(b, random, text, dims, sqrt(2 / fan));
    snprintf(dims, sizeof dims, "%d", (int)at.out);
    snprintf(text, sizeof text, "b%s", name);
    int32_t inputs[3] = {x, w, random_constant(b, random, text, dims, 0.3)};
    int32_t y = build_value(b, name);
    int32_t node = build_node_n(b, "", type, inputs, 3, &y, 1);
    ints(b, node, "strides", at.stride, 2);
    ints(b, node, "dilations", at.dilation, 2);
    ints(b, node, "pads", at.pad, 4);
    build_int_attr(b, node, "group", at.group);
    return y;
}

static inline int32_t conv(builder *b, rng *random, int32_t x, conv_shape at, const char *name)
{
    return convolve_by(b, random, "Conv", x, at, name);
}

/* The output of a model for all samples, owned by the caller. */
static inline float *outputs_of(const coset_graph *graph, const batch_source *from, int64_t *n_out)
{
    const array *inputs = NULL;
    shape one = build_shape("2 6 6");
    batch_runner *runner = NULL;
    expect(batch_runner_new(ctx, graph, &one, SAMPLES, NULL, 0, &runner));
    expect(batch_load(ctx, runner, from, 0, SAMPLES, &inputs));
    expect(executor_run(batch_executor(runner), inputs));
    const array *y = executor_value(batch_executor(runner), graph->outputs[0]);
    *n_out = shape_product(&y->shape, 0, y->shape.rank);
    float *copy = calloc((size_t)*n_out, sizeof *copy);
    memcpy(copy, y->f, (size_t)*n_out * sizeof *copy);
    batch_runner_free(ctx, runner);
    return copy;
}

static inline double relative_error_on(const batch_source *from, const coset_graph *a,
                                       const coset_graph *b)
{
    int64_t n = 0, m = 0;
    float *x = outputs_of(a, from, &n), *y = outputs_of(b, from, &m);
    double away = 0, size = 0;
    assert_int_equal(n, m);
    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - (double)y[i];
        away += d * d;
        size += (double)y[i] * (double)y[i];
    }
    free(x);
    free(y);
    return sqrt(away / size);
}

static inline double relative_error(const coset_graph *a, const coset_graph *b)
{
    return relative_error_on(&source, a, b);
}

/* ---- cut ------------------------------------------------------------------------------------------ */

typedef struct cut_model {
    builder b;
    studied s;
    coset_plan *plan;
    coset_graph *small;
    recovery_targets *targets;
} cut_model;

static shape one_image;

static inline cut_model cut_first(builder b, const int64_t *keep, int64_t k)
{
    cut_model self = {.b = b, .s = study(ctx, b.graph)};
    one_image = build_shape("2 6 6");
    expect(plan_new(ctx, b.graph, self.s.groups, &self.plan));
    assert_int_equal(self.s.groups->groups[0].n, WIDTH);
    expect(lumping_select(ctx, WIDTH, keep, k, &self.plan->groups[0].map));
    expect(plan_apply(ctx, b.graph, self.s.facts, self.s.groups, self.plan, &self.small));
    expect(recovery_targets_new(ctx, b.graph, self.s.groups, &source, &one_image, &self.targets));
    return self;
}

static inline void cut_end(cut_model *self)
{
    recovery_targets_free(ctx, self->targets);
    coset_graph_free(ctx, self->small);
    plan_free(ctx, self->plan);
    study_end(&self->s);
    coset_graph_free(ctx, self->b.graph);
}

#endif
