/* Pair moments against two-pass sums in long double, and their collection from running models. */
#include "support/build.h"

#include <math.h>

#include "stats/collect.h"

enum { N = 5, SAMPLES = 1111 };

/* x around `offset` and y = a x + noise with another slope for every feature. */
static void random_pairs(rng *random, double offset, float *x, float *y)
{
    for (int64_t s = 0; s < SAMPLES; s++)
        for (int64_t j = 0; j < N; j++) {
            double value = offset + rng_normal(random);
            x[s * N + j] = (float)value;
            y[s * N + j] = (float)((double)(j - 2) * value + 0.1 * rng_normal(random) + 3);
        }
}

static moments_view rows_of(const float *values, int64_t count)
{
    return (moments_view){.values = values, .outer = count, .features = N, .inner = 1};
}

static pair_moments *new_pairs(coset_ctx *ctx, int64_t n)
{
    pair_moments *made = NULL;
    assert_int_equal(pair_moments_new(ctx, n, &made), COSET_OK);
    return made;
}

/* Adds samples [first, end). */
static void add(coset_ctx *ctx, pair_moments *self, const float *x, const float *y, int64_t first,
                int64_t end)
{
    moments_view vx = rows_of(x + first * N, end - first), vy = rows_of(y + first * N, end - first);
    if (pair_moments_add(ctx, self, &vx, &vy) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
}

static void finish(coset_ctx *ctx, pair_moments *self)
{
    if (pair_moments_finish(ctx, self) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
}

/* Rounding of f64 sums of SAMPLES terms, with room. */
static void assert_near(double found, double expected, double scale)
{
    if (!(fabs(found - expected) <= 1e-11 * scale))
        fail_msg("%.17g instead of %.17g", found, expected);
}

static long double mean_of(const float *values, int64_t samples, int64_t j)
{
    long double sum = 0;
    for (int64_t s = 0; s < samples; s++) sum += (long double)values[s * N + j];
    return sum / (long double)samples;
}

static double product_of(const float *a, const float *b, int64_t samples, int64_t j)
{
    long double mean_a = mean_of(a, samples, j), mean_b = mean_of(b, samples, j), sum = 0;
    for (int64_t s = 0; s < samples; s++)
        sum += ((long double)a[s * N + j] - mean_a) * ((long double)b[s * N + j] - mean_b);
    return (double)sum;
}

static void check_pairs(const pair_moments *self, const float *x, const float *y, int64_t samples)
{
    assert_int_equal(self->n, N);
    assert_int_equal(self->count, samples);
    for (int64_t j = 0; j < N; j++) {
        double xx = product_of(x, x, samples, j), yy = product_of(y, y, samples, j);
        int64_t positive = 0;
        for (int64_t s = 0; s < samples; s++) positive += x[s * N + j] > 0;
        assert_near(self->mean_x[j], (double)mean_of(x, samples, j), 1 + fabs(self->mean_x[j]));
        assert_near(self->mean_y[j], (double)mean_of(y, samples, j), 1 + fabs(self->mean_y[j]));
        assert_near(self->xx[j], xx, xx);
        assert_near(self->yy[j], yy, yy);
        assert_near(self->xy[j], product_of(x, y, samples, j), sqrt(xx * yy));
        assert_int_equal(self->positive[j], positive);
    }
}

static void against_two_passes(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 255, 256, 257, SAMPLES};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(1, 0);
    float x[SAMPLES * N], y[SAMPLES * N];
    random_pairs(&random, 0.25, x, y);
    for (int k = 0; k < 6; k++) {
        pair_moments *self = new_pairs(ctx, N);
        add(ctx, self, x, y, 0, sizes[k]);
        finish(ctx, self);
        check_pairs(self, x, y, sizes[k]);
        pair_moments_free(ctx, self);
    }
    counted_ctx_end(ctx, &memory);
}

/* A mean 10^6 times the deviation: what is stored is exact, so that the judge sees the same numbers. Naive sums of
 * squares lose 12 of 16 digits. */
static void hugely_offset(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(2, 0);
    float x[SAMPLES * N], y[SAMPLES * N];
    random_pairs(&random, 1e6, x, y);
    for (int64_t s = 0; s < SAMPLES; s++) x[s * N + 1] = 0.1f; /* and a constant */
    pair_moments *self = new_pairs(ctx, N);
    add(ctx, self, x, y, 0, SAMPLES);
    finish(ctx, self);
    assert_true(self->xx[1] == 0 && self->xy[1] == 0);
    check_pairs(self, x, y, SAMPLES);
    pair_moments_free(ctx, self);
    counted_ctx_end(ctx, &memory);
}

static void assert_same_bits(const pair_moments *a, const pair_moments *b)
{
    size_t bytes = N * sizeof(double);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->mean_x, b->mean_x, bytes);
    assert_memory_equal(a->mean_y, b->mean_y, bytes);
    assert_memory_equal(a->xx, b->xx, bytes);
    assert_memory_equal(a->yy, b->yy, bytes);
    assert_memory_equal(a->xy, b->xy, bytes);
    assert_memory_equal(a->positive, b->positive, bytes);
}

/* The same rows in calls of any size give the same bits; parts in any order agree; zero is neutral. */
static void cuts_and_merges(void **state)
{
    (void)state;
    static const int64_t starts[5] = {0, 1, 300, 300, SAMPLES};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(3, 0);
    float x[SAMPLES * N], y[SAMPLES * N];
    random_pairs(&random, -40, x, y);
    pair_moments *whole = new_pairs(ctx, N), *pieces = new_pairs(ctx, N);
    add(ctx, whole, x, y, 0, SAMPLES);
    finish(ctx, whole);
    for (int64_t first = 0; first < SAMPLES;) {
        int64_t count = rng_below(&random, 400);
        if (count > SAMPLES - first) count = SAMPLES - first;
        add(ctx, pieces, x, y, first, first + count);
        first += count;
    }
    finish(ctx, pieces);
    assert_same_bits(pieces, whole);
    pair_moments *total = new_pairs(ctx, N);
    for (int k = 3; k >= 0; k--) {
        pair_moments *part = new_pairs(ctx, N);
        add(ctx, part, x, y, starts[k], starts[k + 1]);
        finish(ctx, part);
        assert_int_equal(pair_moments_merge(ctx, total, part), COSET_OK);
        if (k == 3) assert_same_bits(total, part);
        pair_moments_free(ctx, part);
    }
    check_pairs(total, x, y, SAMPLES);
    pair_moments_free(ctx, pieces);
    pair_moments_free(ctx, total);
    pair_moments_free(ctx, whole);
    pair_moments_free(ctx, NULL);
    counted_ctx_end(ctx, &memory);
}

static void refuses(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    float x[3 * N] = {0}, y[3 * N] = {0};
    moments_view vx = rows_of(x, 3), vy = rows_of(y, 2);
    pair_moments *self = new_pairs(ctx, N), *narrow = new_pairs(ctx, N - 1);
    assert_int_equal(pair_moments_add(ctx, self, &vx, &vy), COSET_EARGUMENT);
    assert_int_equal(pair_moments_add(ctx, narrow, &vx, &vx), COSET_EARGUMENT);
    assert_int_equal(pair_moments_merge(ctx, self, narrow), COSET_EARGUMENT);
    y[2 * N + 4] = -INFINITY;
    vy.outer = 3;
    assert_int_equal(pair_moments_add(ctx, self, &vx, &vy), COSET_OK); /* still buffered */
    assert_int_equal(pair_moments_merge(ctx, self, self), COSET_EARGUMENT);
    assert_int_equal(pair_moments_finish(ctx, self), COSET_ENUMERIC);
    assert_string_equal(coset_ctx_error(ctx), "sample 2, feature 4 is infinite");
    pair_moments_free(ctx, self);
    pair_moments_free(ctx, narrow);
    counted_ctx_end(ctx, &memory);
}

/* ---- collection -------------------------------------------------------------------------------- */

typedef struct row_data {
    const float *x;
} row_data;

static coset_status fill(coset_ctx *ctx, void *user, int64_t input, int64_t first, int64_t count,
                         void *out)
{
    const row_data *self = user;
    (void)ctx, (void)input;
    memcpy(out, self->x + first * N, (size_t)(count * N) * sizeof(float));
    return COSET_OK;
}

/* z = -x and h = Relu(z) whatever the model's batch habit. */
static void collection(void **state)
{
    (void)state;
    static const char *const dims[] = {"? 5", "1 5", "7 5"};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(4, 0);
    float x[SAMPLES * N], z[SAMPLES * N], h[SAMPLES * N];
    random_pairs(&random, 0.5, x, h);
    for (int64_t k = 0; k < SAMPLES * N; k++) {
        z[k] = -x[k];
        h[k] = z[k] > 0 ? z[k] : 0;
    }
    row_data data = {x};
    batch_source source = {SAMPLES, fill, &data};
    shape one = build_shape("5");
    for (int variant = 0; variant < 3; variant++) {
        builder b = build_start(ctx, 13);
        int32_t from = build_input(&b, "x", COSET_F32, dims[variant]);
        int32_t to = build_op(&b, "Neg", from, -1, "z"), act = build_op(&b, "Relu", to, -1, "h");
        int32_t wide = build_op(&b, "Concat", act, act, "wide");
        build_int_attr(&b, 2, "axis", 1);
        build_output(&b, wide);
        build_finish(&b);
        const coset_graph *graph = b.graph;
        stats_pairs wanted[1] = {{.x = {0, to, 1}, .y = {0, act, -1}}};
        stats_job job = {.graphs = &graph,
                         .n_graphs = 1,
                         .source = &source,
                         .sample_shapes = &one,
                         .pairs = wanted,
                         .n_pairs = 1};
        if (stats_collect(ctx, &job) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
        check_pairs(wanted[0].result, z, h, SAMPLES);
        pair_moments_free(ctx, wanted[0].result);
        wanted[0].y.value = wide;
        assert_int_equal(stats_collect(ctx, &job), COSET_EARGUMENT);
        assert_string_equal(coset_ctx_error(ctx), "values 'z' and 'wide' have 5 and 10 features");
        assert_null(wanted[0].result);
        wanted[0].y.value = 99;
        assert_int_equal(stats_collect(ctx, &job), COSET_EARGUMENT);
        coset_graph_free(ctx, b.graph);
    }
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_two_passes), cmocka_unit_test(hugely_offset),
        cmocka_unit_test(cuts_and_merges),    cmocka_unit_test(refuses),
        cmocka_unit_test(collection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
