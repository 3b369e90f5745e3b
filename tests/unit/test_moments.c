/* Moments against two-pass sums in long double, and their collection from running models. */
#include "support/build.h"

#include <math.h>

#include "stats/collect.h"

/* ---- data -------------------------------------------------------------------------------------- */

/* samples x n values around `offset`, features mixed so that they correlate. */
static float *random_samples(rng *random, int64_t samples, int64_t n, double offset)
{
    float *values = malloc((size_t)(samples * n + 1) * sizeof *values);
    assert_non_null(values);
    for (int64_t s = 0; s < samples; s++) {
        double common = rng_normal(random);
        for (int64_t j = 0; j < n; j++)
            values[s * n + j] = (float)(offset + common * (double)(j % 3) +
                                        rng_normal(random) * (1 + (double)j / 7));
    }
    return values;
}

static moments_view rows_of(const float *values, int64_t count, int64_t n)
{
    return (moments_view){.values = values, .outer = count, .features = n, .inner = 1};
}

static void add(coset_ctx *ctx, moments *self, const float *values, int64_t samples)
{
    moments_view view = rows_of(values, samples, self->n);
    if (moments_add(ctx, self, &view) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
}

static moments *new_moments(coset_ctx *ctx, int64_t n, bool second)
{
    moments *made = NULL;
    assert_int_equal(moments_new(ctx, n, second, &made), COSET_OK);
    return made;
}

/* ---- the judge --------------------------------------------------------------------------------- */

static long double feature_mean(const float *values, int64_t samples, int64_t n, int64_t j)
{
    long double sum = 0;
    for (int64_t s = 0; s < samples; s++) sum += (long double)values[s * n + j];
    return sum / (long double)samples;
}

/* Mean product of deviations of feature i of a (n features) and j of b (m features). */
static double two_pass(const float *a, int64_t n, int64_t i, const float *b, int64_t m, int64_t j,
                       int64_t samples)
{
    long double mean_a = feature_mean(a, samples, n, i), mean_b = feature_mean(b, samples, m, j);
    long double sum = 0;
    for (int64_t s = 0; s < samples; s++)
        sum += ((long double)a[s * n + i] - mean_a) * ((long double)b[s * m + j] - mean_b);
    return (double)(sum / (long double)samples);
}

/* Rounding of f64 sums of `samples` terms, with room. */
static void assert_near(double found, double expected, double scale)
{
    if (!(fabs(found - expected) <= 1e-11 * scale))
        fail_msg("%.17g instead of %.17g", found, expected);
}

static void check_moments(const moments *self, const float *values, int64_t samples)
{
    int64_t n = self->n;
    assert_int_equal(self->count, samples);
    double *covariance = doubles(n * n);
    if (self->second != NULL) moments_covariance(self, covariance);
    for (int64_t j = 0; j < n; j++) {
        long double square = 0, absolute = 0;
        int64_t positive = 0;
        for (int64_t s = 0; s < samples; s++) {
            long double x = (long double)values[s * n + j];
            square += x * x;
            absolute += fabsl(x);
            positive += x > 0;
        }
        double variance = two_pass(values, n, j, values, n, j, samples);
        assert_near(self->mean[j], (double)feature_mean(values, samples, n, j),
                    1 + fabs(self->mean[j]));
        assert_near(self->scatter[j] / (double)samples, variance, variance);
        assert_near(self->sum_square[j], (double)square, (double)square);
        assert_near(self->sum_abs[j], (double)absolute, (double)absolute);
        assert_int_equal(self->positive[j], positive);
        for (int64_t i = 0; self->second != NULL && i < n; i++) {
            double scale = sqrt(variance * two_pass(values, n, i, values, n, i, samples));
            assert_near(covariance[i * n + j], two_pass(values, n, i, values, n, j, samples),
                        scale);
            assert_true(covariance[i * n + j] == covariance[j * n + i]);
        }
    }
    free(covariance);
}

static void assert_same_bits(const moments *a, const moments *b)
{
    size_t n = (size_t)a->n;
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->mean, b->mean, n * sizeof(double));
    assert_memory_equal(a->scatter, b->scatter, n * sizeof(double));
    assert_memory_equal(a->sum_square, b->sum_square, n * sizeof(double));
    assert_memory_equal(a->sum_abs, b->sum_abs, n * sizeof(double));
    assert_memory_equal(a->positive, b->positive, n * sizeof(int64_t));
    if (a->second != NULL) assert_memory_equal(a->second, b->second, n * n * sizeof(double));
}

/* ---- accumulators ------------------------------------------------------------------------------ */

static void against_two_passes(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{1, 4}, {2, 1}, {255, 5}, {256, 5}, {257, 5}, {1000, 13}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(3, 0);
    for (int k = 0; k < 6; k++) {
        float *values = random_samples(&random, sizes[k][0], sizes[k][1], 0.5);
        for (int second = 0; second < 2; second++) {
            moments *self = new_moments(ctx, sizes[k][1], second != 0);
            add(ctx, self, values, sizes[k][0]);
            assert_int_equal(moments_finish(ctx, self), COSET_OK);
            assert_true((self->second != NULL) == (second != 0));
            check_moments(self, values, sizes[k][0]);
            moments_free(ctx, self);
        }
        free(values);
    }
    counted_ctx_end(ctx, &memory);
}

/* A mean 10^6 times the deviation: f32 values near 10^6 have steps of 1/16, and what is stored is
 * exact, so that the judge sees the same numbers. Naive sums of squares lose 12 of 16 digits. */
static void hugely_offset(void **state)
{
    (void)state;
    enum { SAMPLES = 3000, N = 6 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(4, 0);
    float *values = random_samples(&random, SAMPLES, N, 1e6);
    for (int64_t s = 0; s < SAMPLES; s++) values[s * N + 2] = 0.1f; /* and a constant */
    moments *self = new_moments(ctx, N, true);
    add(ctx, self, values, SAMPLES);
    assert_int_equal(moments_finish(ctx, self), COSET_OK);
    check_moments(self, values, SAMPLES);
    assert_true(self->scatter[2] == 0);
    for (int j = 0; j < N; j++) assert_true(self->second[2 * N + j] == 0);
    /* The level drifts away from that of the first block. */
    moments *drift = new_moments(ctx, N, true);
    for (int64_t s = 0; s < SAMPLES; s++)
        for (int j = 0; j < N; j++) values[s * N + j] += s < SAMPLES / 2 ? 0 : -1.9e6f;
    add(ctx, drift, values, SAMPLES);
    assert_int_equal(moments_finish(ctx, drift), COSET_OK);
    check_moments(drift, values, SAMPLES);
    moments_free(ctx, self);
    moments_free(ctx, drift);
    free(values);
    counted_ctx_end(ctx, &memory);
}

/* The same rows in calls of any size give the same bits. */
static void cuts_do_not_matter(void **state)
{
    (void)state;
    enum { SAMPLES = 1500, N = 9 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 2);
    rng random = rng_seed(5, 0);
    float *values = random_samples(&random, SAMPLES, N, 3);
    moments *whole = new_moments(ctx, N, true);
    add(ctx, whole, values, SAMPLES);
    assert_int_equal(moments_finish(ctx, whole), COSET_OK);
    for (int round = 0; round < 5; round++) {
        moments *pieces = new_moments(ctx, N, true);
        for (int64_t first = 0; first < SAMPLES;) {
            int64_t count = rng_below(&random, 400);
            if (count > SAMPLES - first) count = SAMPLES - first;
            add(ctx, pieces, values + first * N, count);
            first += count;
        }
        assert_int_equal(moments_finish(ctx, pieces), COSET_OK);
        assert_same_bits(pieces, whole);
        moments_free(ctx, pieces);
    }
    moments_free(ctx, whole);
    free(values);
    counted_ctx_end(ctx, &memory);
}

/* Parts merged in any order or grouping agree with all rows; zero is neutral. */
static void merging(void **state)
{
    (void)state;
    enum { PARTS = 5, N = 7, SAMPLES = 1111 };
    static const int64_t starts[PARTS + 1] = {0, 1, 300, 300, 800, SAMPLES};
    static const int orders[3][PARTS] = {{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {3, 0, 4, 2, 1}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(6, 0);
    float *values = random_samples(&random, SAMPLES, N, -400);
    moments *part[PARTS];
    for (int k = 0; k < PARTS; k++) {
        part[k] = new_moments(ctx, N, true);
        add(ctx, part[k], values + starts[k] * N, starts[k + 1] - starts[k]);
        assert_int_equal(moments_finish(ctx, part[k]), COSET_OK);
    }
    for (int order = 0; order < 3; order++) {
        moments *total = new_moments(ctx, N, true), *again = new_moments(ctx, N, true);
        for (int k = 0; k < PARTS; k++) {
            assert_int_equal(moments_merge(ctx, total, part[orders[order][k]]), COSET_OK);
            assert_int_equal(moments_merge(ctx, again, part[orders[order][k]]), COSET_OK);
        }
        check_moments(total, values, SAMPLES);
        assert_same_bits(total, again);
        moments_free(ctx, total);
        moments_free(ctx, again);
    }
    moments *right = new_moments(ctx, N, true), *left = new_moments(ctx, N, true);
    assert_int_equal(moments_merge(ctx, right, part[4]), COSET_OK);
    assert_same_bits(right, part[4]);
    assert_int_equal(moments_merge(ctx, right, left), COSET_OK);
    assert_same_bits(right, part[4]);
    assert_int_equal(moments_merge(ctx, right, part[3]), COSET_OK);
    for (int k = 0; k < 3; k++) assert_int_equal(moments_merge(ctx, left, part[k]), COSET_OK);
    assert_int_equal(moments_merge(ctx, left, right), COSET_OK);
    check_moments(left, values, SAMPLES);
    moments *other = new_moments(ctx, N + 1, true), *light = new_moments(ctx, N, false);
    assert_int_equal(moments_merge(ctx, left, other), COSET_EARGUMENT);
    assert_int_equal(moments_merge(ctx, left, light), COSET_EARGUMENT);
    add(ctx, right, values, 1);
    assert_int_equal(moments_merge(ctx, left, right), COSET_EARGUMENT);
    for (int k = 0; k < PARTS; k++) moments_free(ctx, part[k]);
    moments_free(ctx, other);
    moments_free(ctx, light);
    moments_free(ctx, left);
    moments_free(ctx, right);
    moments_free(ctx, NULL);
    free(values);
    counted_ctx_end(ctx, &memory);
}

/* Features on a middle axis: positions count as samples, in order. */
static void channel_axis(void **state)
{
    (void)state;
    enum { IMAGES = 11, C = 5, H = 6, W = 7, SAMPLES = IMAGES * H * W };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(8, 0);
    float *rows = random_samples(&random, SAMPLES, C, 2), *images = malloc(SAMPLES * C * 4);
    assert_non_null(images);
    for (int64_t s = 0; s < SAMPLES; s++)
        for (int64_t c = 0; c < C; c++)
            images[(s / (H * W) * C + c) * H * W + s % (H * W)] = rows[s * C + c];
    array values = {.dtype = COSET_F32, .shape = build_shape("11 5 6 7"), .f = images};
    moments_view view;
    for (int axis = -3; axis < 2; axis += 4) {
        moments *self = new_moments(ctx, C, true);
        assert_int_equal(moments_view_of(ctx, &values, axis, &view), COSET_OK);
        assert_int_equal(moments_add(ctx, self, &view), COSET_OK);
        assert_int_equal(moments_finish(ctx, self), COSET_OK);
        check_moments(self, rows, SAMPLES);
        moments_free(ctx, self);
    }
    assert_int_equal(moments_view_of(ctx, &values, 4, &view), COSET_EARGUMENT);
    assert_int_equal(moments_view_of(ctx, &values, -5, &view), COSET_EARGUMENT);
    values.dtype = COSET_I64;
    assert_int_equal(moments_view_of(ctx, &values, 1, &view), COSET_EUNSUPPORTED);
    free(rows);
    free(images);
    counted_ctx_end(ctx, &memory);
}

static void not_finite(void **state)
{
    (void)state;
    enum { N = 3, SAMPLES = 400 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    float *values = calloc(SAMPLES * N, sizeof *values);
    moments *self = new_moments(ctx, N, true);
    moments_view view = rows_of(values, SAMPLES, N);
    values[300 * N + 2] = NAN;
    assert_int_equal(moments_add(ctx, self, &view), COSET_OK); /* still buffered */
    assert_int_equal(moments_finish(ctx, self), COSET_ENUMERIC);
    assert_string_equal(coset_ctx_error(ctx), "sample 300, feature 2 is NaN");
    moments_free(ctx, self);
    self = new_moments(ctx, N, false);
    values[7 * N + 1] = -INFINITY;
    assert_int_equal(moments_add(ctx, self, &view), COSET_ENUMERIC);
    assert_string_equal(coset_ctx_error(ctx), "sample 7, feature 1 is infinite");
    view.features = 2;
    assert_int_equal(moments_add(ctx, self, &view), COSET_EARGUMENT);
    moments_free(ctx, self);
    free(values);
    counted_ctx_end(ctx, &memory);
}

static void check_cross(const cross_moments *self, const float *x, const float *y, int64_t samples)
{
    double *covariance = doubles(self->n * self->m);
    cross_moments_covariance(self, covariance);
    assert_int_equal(self->count, samples);
    for (int64_t i = 0; i < self->n; i++)
        for (int64_t j = 0; j < self->m; j++)
            assert_near(covariance[i * self->m + j],
                        two_pass(x, self->n, i, y, self->m, j, samples), 10);
    free(covariance);
}

static void cross(void **state)
{
    (void)state;
    enum { SAMPLES = 777, N = 5, M = 3 };
    static const int64_t starts[4] = {0, 256, 500, SAMPLES};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(9, 0);
    float *x = random_samples(&random, SAMPLES, N, 50), *y = malloc(SAMPLES * M * 4);
    assert_non_null(y);
    for (int64_t s = 0; s < SAMPLES; s++)
        for (int j = 0; j < M; j++) y[s * M + j] = x[s * N + j] - 3 * x[s * N + j + 1] - 1000;
    cross_moments *whole = NULL, *total = NULL;
    moments_view vx = rows_of(x, SAMPLES, N), vy = rows_of(y, SAMPLES, M);
    assert_int_equal(cross_moments_new(ctx, N, M, &whole), COSET_OK);
    assert_int_equal(cross_moments_new(ctx, N, M, &total), COSET_OK);
    assert_int_equal(cross_moments_add(ctx, whole, &vx, &vy), COSET_OK);
    assert_int_equal(cross_moments_finish(ctx, whole), COSET_OK);
    check_cross(whole, x, y, SAMPLES);
    for (int k = 2; k >= 0; k--) {
        cross_moments *part = NULL;
        assert_int_equal(cross_moments_new(ctx, N, M, &part), COSET_OK);
        vx = rows_of(x + starts[k] * N, starts[k + 1] - starts[k], N);
        vy = rows_of(y + starts[k] * M, starts[k + 1] - starts[k], M);
        assert_int_equal(cross_moments_add(ctx, part, &vx, &vy), COSET_OK);
        assert_int_equal(cross_moments_finish(ctx, part), COSET_OK);
        assert_int_equal(cross_moments_merge(ctx, total, part), COSET_OK);
        cross_moments_free(ctx, part);
    }
    check_cross(total, x, y, SAMPLES);
    vy.outer--;
    assert_int_equal(cross_moments_add(ctx, total, &vx, &vy), COSET_EARGUMENT);
    assert_int_equal(cross_moments_add(ctx, total, &vy, &vx), COSET_EARGUMENT);
    cross_moments *other = NULL;
    assert_int_equal(cross_moments_new(ctx, N, M + 1, &other), COSET_OK);
    assert_int_equal(cross_moments_merge(ctx, total, other), COSET_EARGUMENT);
    y[0] = NAN;
    vx = rows_of(x, 1, N);
    vy = rows_of(y, 1, M);
    assert_int_equal(cross_moments_add(ctx, total, &vx, &vy), COSET_OK);
    assert_int_equal(cross_moments_finish(ctx, total), COSET_ENUMERIC);
    cross_moments_free(ctx, other);
    cross_moments_free(ctx, whole);
    cross_moments_free(ctx, total);
    cross_moments_free(ctx, NULL);
    free(x);
    free(y);
    counted_ctx_end(ctx, &memory);
}

static float squared_above(float value, float parameter)
{
    return value > parameter ? value * value : 0;
}

/* Moments of a function of the values are those of its results. */
static void mapped(void **state)
{
    (void)state;
    enum { SAMPLES = 600, N = 4 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(11, 0);
    float *values = random_samples(&random, SAMPLES, N, 1);
    moments *self = new_moments(ctx, N, true);
    moments_view view = rows_of(values, SAMPLES, N);
    view.map = squared_above;
    view.parameter = 0.5f;
    assert_int_equal(moments_add(ctx, self, &view), COSET_OK);
    assert_int_equal(moments_finish(ctx, self), COSET_OK);
    for (int k = 0; k < SAMPLES * N; k++) values[k] = squared_above(values[k], 0.5f);
    check_moments(self, values, SAMPLES);
    moments_free(ctx, self);
    free(values);
    counted_ctx_end(ctx, &memory);
}

/* ---- collection -------------------------------------------------------------------------------- */

enum { WIDTH = 4, UNITS = 6 };

typedef struct samples {
    const float *x;
    int64_t width;
} samples;

static coset_status fill(coset_ctx *ctx, void *user, int64_t input, int64_t first, int64_t count,
                         void *out)
{
    const samples *self = user;
    (void)ctx, (void)input;
    memcpy(out, self->x + first * self->width, (size_t)(count * self->width) * sizeof(float));
    return COSET_OK;
}

/* x -> MatMul(w) -> z -> Relu -> h; reference values by plain loops. */
static builder layer(coset_ctx *ctx, const char *dims, const float *w, int64_t units,
                     int32_t *z_out, int32_t *h_out)
{
    char text[32];
    builder build = build_start(ctx, 13);
    snprintf(text, sizeof text, "%d %d", WIDTH, (int)units);
    int32_t x = build_input(&build, "x", COSET_F32, dims);
    int32_t weight = build_constant(&build, "w", COSET_F32, text, w);
    *z_out = build_op(&build, "MatMul", x, weight, "z");
    *h_out = build_op(&build, "Relu", *z_out, -1, "h");
    build_output(&build, *h_out);
    build_finish(&build);
    return build;
}

static float *layer_values(const float *x, int64_t count, const float *w, int64_t units, bool relu)
{
    float *values = malloc((size_t)(count * units) * sizeof *values);
    assert_non_null(values);
    for (int64_t s = 0; s < count; s++)
        for (int64_t u = 0; u < units; u++) {
            float sum = 0; /* small integers: exact in any order */
            for (int64_t j = 0; j < WIDTH; j++) sum += x[s * WIDTH + j] * w[j * units + u];
            values[s * units + u] = relu && sum < 0 ? 0 : sum;
        }
    return values;
}

static float *small_integers(rng *random, int64_t count)
{
    float *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    for (int64_t k = 0; k < count; k++) values[k] = (float)rng_below(random, 9) - 4.0f;
    return values;
}

/* Two models with different batch habits side by side: within and across them. */
static void collection(void **state)
{
    (void)state;
    enum { SAMPLES = 1300 };
    static const char *const dims[] = {"? 4", "1 4", "3 4"};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(10, 0);
    float *x = small_integers(&random, SAMPLES * WIDTH),
          *w = small_integers(&random, WIDTH * UNITS), *v = small_integers(&random, WIDTH * 3);
    float *z = layer_values(x, SAMPLES, w, UNITS, false),
          *h = layer_values(x, SAMPLES, w, UNITS, true), *g = layer_values(x, SAMPLES, v, 3, true);
    samples data = {x, WIDTH};
    batch_source source = {SAMPLES, fill, &data};
    shape one = build_shape("4");
    for (int variant = 0; variant < 3; variant++) {
        int32_t za, ha, zb, hb;
        builder a = layer(ctx, "? 4", w, UNITS, &za, &ha),
                b = layer(ctx, dims[variant], v, 3, &zb, &hb);
        const coset_graph *graphs[2] = {a.graph, b.graph};
        stats_moments wanted[3] = {{.of = {0, za, 1}},
                                   {.of = {0, ha, -1}, .second = true},
                                   {.of = {1, hb, 1}, .second = true}};
        stats_cross pairs[2] = {{{0, za, 1}, {0, ha, 1}, NULL}, {{1, hb, 1}, {0, za, 1}, NULL}};
        stats_job job = {.graphs = graphs,
                         .n_graphs = 2,
                         .source = &source,
                         .sample_shapes = &one,
                         .moments = wanted,
                         .n_moments = 3,
                         .cross = pairs,
                         .n_cross = 2};
        if (stats_collect(ctx, &job) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
        check_moments(wanted[0].result, z, SAMPLES);
        check_moments(wanted[1].result, h, SAMPLES);
        check_moments(wanted[2].result, g, SAMPLES);
        assert_null(wanted[0].result->second);
        check_cross(pairs[0].result, z, h, SAMPLES);
        check_cross(pairs[1].result, g, z, SAMPLES);
        for (int k = 0; k < 3; k++) moments_free(ctx, wanted[k].result);
        for (int k = 0; k < 2; k++) cross_moments_free(ctx, pairs[k].result);
        coset_graph_free(ctx, a.graph);
        coset_graph_free(ctx, b.graph);
    }
    free(x), free(w), free(v), free(z), free(h), free(g);
    counted_ctx_end(ctx, &memory);
}

static void collection_refuses(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    static const float w[WIDTH * 2] = {1, 2, 3, 4, 5, 6, 7, 8};
    float x[3 * WIDTH] = {0};
    x[2 * WIDTH] = NAN;
    int32_t z, h;
    builder build = layer(ctx, "? 4", w, 2, &z, &h);
    const coset_graph *graphs[1] = {build.graph};
    samples data = {x, WIDTH};
    batch_source source = {3, fill, &data};
    shape one = build_shape("4");
    struct {
        stats_value of;
        coset_status expected;
        const char *text;
    } cases[] = {
        {{0, z, 0}, COSET_EARGUMENT, "value 'z': axis 0 must hold the samples"},
        {{0, z, 2}, COSET_EARGUMENT, "value 'z': a value of shape"},
        {{1, z, 1}, COSET_EARGUMENT, "does not exist"},
        {{0, 99, 1}, COSET_EARGUMENT, "does not exist"},
        {{0, z, 1}, COSET_ENUMERIC, "value 'z': sample 2, feature 0 is NaN"},
    };
    for (int k = 0; k < 5; k++) {
        stats_moments wanted[2] = {{.of = cases[k].of, .second = true}, {.of = cases[k].of}};
        stats_job job = {.graphs = graphs,
                         .n_graphs = 1,
                         .source = &source,
                         .sample_shapes = &one,
                         .moments = wanted,
                         .n_moments = 2};
        assert_int_equal(stats_collect(ctx, &job), cases[k].expected);
        if (strstr(coset_ctx_error(ctx), cases[k].text) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", coset_ctx_error(ctx), cases[k].text);
        assert_null(wanted[0].result);
        assert_null(wanted[1].result);
    }
    coset_graph_free(ctx, build.graph);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_two_passes),
        cmocka_unit_test(hugely_offset),
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(merging),
        cmocka_unit_test(channel_axis),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(cross),
        cmocka_unit_test(mapped),
        cmocka_unit_test(collection),
        cmocka_unit_test(collection_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
