/* Random graphs of dense layers with everything in between that units can pass through. */
#ifndef COSET_TESTS_SUPPORT_RANDOM_GRAPH_H
#define COSET_TESTS_SUPPORT_RANDOM_GRAPH_H

#include "support/build.h"

enum { GROW_BATCH = 3, GROW_STEPS = 2, GROW_STREAMS = 48, GROW_SHARED = 64 };

/* An activation [3, C] or [3, 2, C]. */
typedef struct grown_stream {
    int32_t value;
    shape shape;
} grown_stream;

typedef struct grown {
    builder b;
    rng random;
    int64_t names;
    grown_stream streams[GROW_STREAMS];
    int n_streams;
    int32_t shared[GROW_SHARED]; /* constants that later nodes may read, too */
    int n_shared;
    double sharing; /* how readily constants are read again */
} grown;

static inline int64_t grow_below(grown *self, int64_t bound)
{
    return rng_below(&self->random, bound);
}

static inline bool grow_chance(grown *self, double share)
{
    return rng_uniform(&self->random) < share;
}

static inline const char *grow_name(grown *self, const char *stem)
{
    static char name[64];
    snprintf(name, sizeof name, "%s_%d", stem, (int)self->names++);
    return name;
}

/* A constant of random normal values times `spread` plus `centre`. */
static inline int32_t grow_constant(grown *self, const shape *dims, double spread, double centre)
{
    int64_t n = shape_product(dims, 0, dims->rank);
    float *values = calloc((size_t)n + 1, sizeof *values);
    char text[SHAPE_TEXT];
    assert_non_null(values);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)(spread * rng_normal(&self->random) + centre);
    size_t used = 0;
    text[0] = '\0';
    for (int a = 0; a < dims->rank; a++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%lld ", (long long)dims->dims[a]);
    int32_t value = build_constant(&self->b, grow_name(self, "c"), COSET_F32, text, values);
    free(values);
    if (self->n_shared < GROW_SHARED) self->shared[self->n_shared++] = value;
    return value;
}

/* A constant of these dims that is in use already, now and then; else a new one. */
static inline int32_t grow_maybe_shared(grown *self, const shape *dims, double spread,
                                        double centre)
{
    for (int s = 0; s < self->n_shared && grow_chance(self, self->sharing); s++) {
        int32_t value = self->shared[grow_below(self, self->n_shared)];
        if (shape_equal(&self->b.graph->values[value].shape, dims)) return value;
    }
    return grow_constant(self, dims, spread, centre);
}

static inline int32_t grow_node(grown *self, const char *type, const int32_t *inputs, int n,
                                int32_t *value_out)
{
    *value_out = build_value(&self->b, grow_name(self, "v"));
    return build_node_n(&self->b, "", type, inputs, n, value_out, 1);
}

static inline void grow_push(grown *self, int32_t value, shape dims)
{
    assert_true(self->n_streams < GROW_STREAMS);
    /* Some models declare the shapes of what lies inside. */
    if (grow_chance(self, 0.5)) {
        self->b.graph->values[value].shape = dims;
        self->b.graph->values[value].dtype = COSET_F32;
    }
    self->streams[self->n_streams++] = (grown_stream){value, dims};
}

/* The newest streams are taken most often, so that graphs grow deep. */
static inline grown_stream grow_pick(grown *self)
{
    int64_t back = grow_chance(self, 0.6) ? 0 : grow_below(self, self->n_streams);
    return self->streams[self->n_streams - 1 - back];
}

static inline int64_t grow_width(const grown_stream *x)
{
    return x->shape.dims[x->shape.rank - 1];
}

static inline void grow_dense_to(grown *self, grown_stream x, int64_t width)
{
    int64_t n = grow_width(&x);
    double spread = 1 / sqrt((double)n);
    bool gemm = x.shape.rank == 2 && grow_chance(self, 0.5);
    bool turned = gemm && grow_chance(self, 0.5);
    shape w = {2, {turned ? width : n, turned ? n : width}};
    shape b = {1, {width}};
    if (grow_chance(self, 0.3)) b = (shape){2, {1, width}};
    int32_t y = -1, inputs[3] = {x.value, grow_maybe_shared(self, &w, spread, 0), -1};
    bool bias = grow_chance(self, 0.7);
    if (bias) inputs[2] = grow_maybe_shared(self, &b, 0.5, 0);
    if (gemm) {
        int32_t node = grow_node(self, "Gemm", inputs, bias ? 3 : 2, &y);
        if (turned) build_int_attr(&self->b, node, "transB", 1);
        graph_attr alpha = {.name = "alpha", .kind = ATTR_FLOAT, .f = 0.5f};
        graph_attr beta = {.name = "beta", .kind = ATTR_FLOAT, .f = 2};
        if (grow_chance(self, 0.3))
            assert_int_equal(graph_add_attr(self->b.ctx, self->b.graph, node, &alpha), COSET_OK);
        if (grow_chance(self, 0.3))
            assert_int_equal(graph_add_attr(self->b.ctx, self->b.graph, node, &beta), COSET_OK);
    } else {
        grow_node(self, "MatMul", inputs, 2, &y);
        if (bias) {
            int32_t sum[2] = {y, inputs[2]}, turned_sum[2] = {inputs[2], y};
            grow_node(self, "Add", grow_chance(self, 0.5) ? sum : turned_sum, 2, &y);
        }
    }
    shape dims = x.shape;
    dims.dims[dims.rank - 1] = width;
    grow_push(self, y, dims);
}

/* Widths that repeat, so that streams meet and constants can be shared. */
static inline void grow_dense(grown *self)
{
    static const int64_t widths[] = {2, 4, 4, 6, 6, 8};
    grow_dense_to(self, grow_pick(self), widths[grow_below(self, 6)]);
}

/* A product from the left, over the middle axis: units of the last axis pass it. */
static inline void grow_left(grown *self)
{
    grown_stream x = grow_pick(self);
    int64_t steps = x.shape.dims[1], width = 2 + grow_below(self, 2);
    if (x.shape.rank != 3) return;
    shape w = {2, {width, steps}};
    int32_t y = -1, inputs[2] = {grow_constant(self, &w, 0.5, 0), x.value};
    grow_node(self, "MatMul", inputs, 2, &y);
    x.shape.dims[1] = width;
    grow_push(self, y, x.shape);
}

static inline void grow_unary(grown *self)
{
    static const char *const types[] = {"Relu", "Relu",     "LeakyRelu", "Tanh", "Sigmoid",
                                        "Abs",  "Identity", "Softplus",  "Neg"};
    grown_stream x = grow_pick(self);
    int32_t y = -1;
    grow_node(self, types[grow_below(self, 9)], &x.value, 1, &y);
    grow_push(self, y, x.shape);
}

/* An operator with a constant for each unit, for one step of each unit, or for all. */
static inline void grow_scaled(grown *self)
{
    static const char *const types[] = {"Mul", "Add", "PRelu", "Sub", "Div"};
    grown_stream x = grow_pick(self);
    const char *type = types[grow_below(self, 5)];
    int64_t width = grow_width(&x);
    shape dims = {1, {width}};
    if (grow_chance(self, 0.2)) dims.dims[0] = 1;
    if (x.shape.rank == 3 && grow_chance(self, 0.3))
        dims = (shape){2, {x.shape.dims[1], grow_chance(self, 0.7) ? width : 1}};
    double centre = type[0] == 'A' || type[0] == 'S' ? 0 : 2;
    int32_t y = -1, inputs[2] = {x.value, -1};
    /* Nothing is divided by a constant that may come near 0. */
    inputs[1] = type[0] == 'D' ? grow_constant(self, &dims, 0.1, centre)
                               : grow_maybe_shared(self, &dims, 0.3, centre);
    int32_t turned[2] = {inputs[1], inputs[0]};
    bool turn = (type[0] == 'M' || type[0] == 'A' || type[0] == 'S') && grow_chance(self, 0.3);
    grow_node(self, type, turn ? turned : inputs, 2, &y);
    grow_push(self, y, x.shape);
}

static inline void grow_normalise(grown *self)
{
    grown_stream x = grow_pick(self);
    shape dims = {1, {x.shape.dims[1]}};
    int32_t y = -1, inputs[5] = {x.value};
    for (int i = 1; i < 5; i++) inputs[i] = grow_constant(self, &dims, 0.1, i == 1 || i == 4);
    for (int i = 4; i < 5; i++) { /* a variance is positive */
        float *values = (float *)(uintptr_t)self->b.graph->values[inputs[i]].constant->data;
        for (int64_t c = 0; c < dims.dims[0]; c++) values[c] = fabsf(values[c]) + 0.1f;
    }
    self->n_shared -= self->shared[self->n_shared - 1] == inputs[4]; /* and stays so */
    grow_node(self, "BatchNormalization", inputs, 5, &y);
    grow_push(self, y, x.shape);
}

/* Two streams of one shape meet unit by unit, or of one rank side by side. */
static inline void grow_meet(grown *self)
{
    static const char *const types[] = {"Add", "Add", "Mul", "Sub", "Concat", "Concat"};
    const char *type = types[grow_below(self, 6)];
    grown_stream a = grow_pick(self), b = self->streams[grow_below(self, self->n_streams)];
    bool join = type[0] == 'C';
    shape dims = a.shape, other = b.shape;
    if (dims.rank != other.rank) return;
    if (join) other.dims[other.rank - 1] = dims.dims[dims.rank - 1];
    if (!shape_equal(&dims, &other)) return;
    int32_t y = -1, inputs[2] = {a.value, b.value};
    int32_t node = grow_node(self, type, inputs, 2, &y);
    if (join) {
        build_int_attr(&self->b, node, "axis", grow_chance(self, 0.5) ? -1 : dims.rank - 1);
        dims.dims[dims.rank - 1] += grow_width(&b);
    }
    if (shape_product(&dims, 1, dims.rank) <= 32) grow_push(self, y, dims);
}

static inline int32_t grow_target(grown *self, int64_t n, const int64_t *values)
{
    char text[8];
    snprintf(text, sizeof text, "%d", (int)n);
    return build_constant(&self->b, grow_name(self, "i"), COSET_I64, text, values);
}

static inline void grow_reshape(grown *self)
{
    grown_stream x = grow_pick(self);
    int64_t width = grow_width(&x);
    int32_t y = -1;
    if (x.shape.rank == 3 && grow_chance(self, 0.5)) {
        grow_node(self, "Flatten", &x.value, 1, &y);
    } else {
        int64_t flat[2] = {GROW_BATCH, grow_chance(self, 0.5) ? -1 : x.shape.dims[1] * width};
        int64_t tall[3] = {grow_chance(self, 0.5) ? 0 : GROW_BATCH, GROW_STEPS,
                           grow_chance(self, 0.5) ? -1 : width / GROW_STEPS};
        if (x.shape.rank == 2 && width % GROW_STEPS != 0) return;
        bool down = x.shape.rank == 3;
        int32_t inputs[2] = {x.value, grow_target(self, down ? 2 : 3, down ? flat : tall)};
        grow_node(self, "Reshape", inputs, 2, &y);
    }
    if (x.shape.rank == 3)
        x.shape = (shape){2, {GROW_BATCH, x.shape.dims[1] * width}};
    else
        x.shape = (shape){3, {GROW_BATCH, GROW_STEPS, width / GROW_STEPS}};
    grow_push(self, y, x.shape);
}

static inline void grow_transpose(grown *self)
{
    static const int64_t swap[3] = {0, 2, 1};
    grown_stream x = grow_pick(self);
    int32_t y = -1;
    if (x.shape.rank != 3) return;
    int32_t node = grow_node(self, "Transpose", &x.value, 1, &y);
    graph_attr order = {.name = "perm", .kind = ATTR_INTS, .ints = swap, .n = 3};
    assert_int_equal(graph_add_attr(self->b.ctx, self->b.graph, node, &order), COSET_OK);
    shape dims = {3, {x.shape.dims[0], x.shape.dims[2], x.shape.dims[1]}};
    grow_push(self, y, dims);
}

/* Some units in another order, some perhaps twice. */
static inline void grow_gather(grown *self)
{
    grown_stream x = grow_pick(self);
    int64_t n = grow_width(&x), count = 2 + grow_below(self, n), index[32];
    if (count > 32) return;
    bool repeats = count > n || grow_chance(self, 0.3);
    int64_t order[64];
    rng_permutation(&self->random, n, order);
    for (int64_t i = 0; i < count; i++) index[i] = repeats ? grow_below(self, n) : order[i];
    if (grow_chance(self, 0.3)) index[0] -= n;
    int32_t y = -1, inputs[2] = {x.value, grow_target(self, count, index)};
    int32_t node = grow_node(self, "Gather", inputs, 2, &y);
    build_int_attr(&self->b, node, "axis", x.shape.rank - 1);
    x.shape.dims[x.shape.rank - 1] = count;
    grow_push(self, y, x.shape);
}

static inline void grow_mix(grown *self)
{
    grown_stream x = grow_pick(self);
    int32_t y = -1;
    if (grow_chance(self, 0.5) || x.shape.rank == 2) {
        build_int_attr(&self->b, grow_node(self, "Softmax", &x.value, 1, &y), "axis", -1);
    } else {
        static const int64_t middle[1] = {1};
        int32_t node = grow_node(self, "ReduceMean", &x.value, 1, &y);
        graph_attr axes = {.name = "axes", .kind = ATTR_INTS, .ints = middle, .n = 1};
        assert_int_equal(graph_add_attr(self->b.ctx, self->b.graph, node, &axes), COSET_OK);
        x.shape.dims[1] = 1;
    }
    grow_push(self, y, x.shape);
}

/* A checked graph of about `steps` nodes with one input and some outputs. */
static inline grown grow_graph(coset_ctx *ctx, uint64_t seed, int steps)
{
    static void (*const kinds[])(grown *) = {
        grow_dense,   grow_dense,     grow_dense,     grow_dense,  grow_dense, grow_dense,
        grow_left,    grow_unary,     grow_unary,     grow_unary,  grow_unary, grow_scaled,
        grow_scaled,  grow_normalise, grow_meet,      grow_meet,   grow_meet,  grow_meet,
        grow_reshape, grow_reshape,   grow_transpose, grow_gather, grow_mix};
    grown self = {.b = build_start(ctx, 13), .random = rng_seed(seed, 77)};
    bool tall = seed % 2 == 1;
    self.sharing = seed % 3 == 0 ? 0 : 0.7;
    int32_t x = build_input(&self.b, "x", COSET_F32, tall ? "3 2 4" : "3 4");
    self.streams[self.n_streams++] =
        (grown_stream){x, tall ? (shape){3, {3, 2, 4}} : (shape){2, {3, 4}}};
    grow_dense(&self);
    for (int s = 0; s < steps && self.n_streams < GROW_STREAMS - 8; s++)
        kinds[grow_below(&self, sizeof kinds / sizeof *kinds)](&self);
    int grown_streams = self.n_streams;
    for (int64_t o = 1 + grow_below(&self, 3); o > 0; o--) {
        grown_stream y = self.streams[1 + grow_below(&self, grown_streams - 1)];
        if (o == 1) y = self.streams[grown_streams - 1];
        if (grow_chance(&self, 0.8)) {
            grow_dense_to(&self, y, 3);
            y = self.streams[self.n_streams - 1];
        }
        if (!self.b.graph->values[y.value].is_output) build_output(&self.b, y.value);
    }
    build_finish(&self.b);
    return self;
}

#endif
