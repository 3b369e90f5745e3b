/* Sign counts against plain loops, and their collection from running models. */
#include "support/build.h"

#include <math.h>

#include "stats/collect.h"

enum { C = 3, H = 4, W = 5, IMAGES = 23, PLACES = H * W };

static sign_counts *new_counts(coset_ctx *ctx, int64_t n, int64_t places)
{
    sign_counts *made = NULL;
    assert_int_equal(sign_counts_new(ctx, n, places, &made), COSET_OK);
    return made;
}

/* Values around 0, among them zeros of both signs and values that are not finite. */
static float *random_images(rng *random, int64_t count)
{
    static const float odd[4] = {0.0f, -0.0f, NAN, INFINITY};
    float *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    for (int64_t k = 0; k < count; k++)
        values[k] = rng_below(random, 5) == 0 ? odd[rng_below(random, 4)]
                                              : (float)(rng_normal(random) + 0.3);
    return values;
}

/* images (samples, C, H, W) */
static void check_counts(const sign_counts *self, const float *images, int64_t samples)
{
    assert_int_equal(self->n, C);
    assert_int_equal(self->places, PLACES);
    assert_int_equal(self->count, samples);
    for (int64_t c = 0; c < C; c++)
        for (int64_t p = 0; p < PLACES; p++) {
            int64_t expected = 0;
            for (int64_t s = 0; s < samples; s++) expected += images[(s * C + c) * PLACES + p] > 0;
            assert_int_equal(self->positive[c * PLACES + p], expected);
        }
}

static array images_of(const float *values, int64_t samples)
{
    array made = {.dtype = COSET_F32, .shape = build_shape("0 3 4 5"), .f = (float *)values};
    made.shape.dims[0] = samples;
    return made;
}

/* Channels first, and the same images with channels last and between the sizes; last samples of a batch are
 * padding. */
static void every_axis(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(1, 0);
    float *images = random_images(&random, IMAGES * C * PLACES);
    float *moved = malloc(IMAGES * C * PLACES * sizeof *moved);
    assert_non_null(moved);
    array values = images_of(images, IMAGES);
    for (int64_t used = IMAGES; used >= IMAGES - 3; used--)
        for (int axis = -3; axis < 2; axis += 4) {
            sign_counts *self = new_counts(ctx, C, PLACES);
            assert_int_equal(sign_counts_add(ctx, self, &values, axis, used), COSET_OK);
            check_counts(self, images, used);
            sign_counts_free(ctx, self);
        }
    for (int axis = 2; axis < 4; axis++) {
        int64_t inner = axis == 2 ? W : 1, outer = PLACES / inner;
        for (int64_t k = 0; k < IMAGES * C * PLACES; k++) {
            int64_t s = k / (C * PLACES), c = k / PLACES % C, p = k % PLACES;
            moved[((s * outer + p / inner) * C + c) * inner + p % inner] = images[k];
        }
        values.f = moved;
        values.shape = build_shape(axis == 2 ? "23 4 3 5" : "23 4 5 3");
        sign_counts *self = new_counts(ctx, C, PLACES);
        assert_int_equal(sign_counts_add(ctx, self, &values, axis, IMAGES), COSET_OK);
        check_counts(self, images, IMAGES);
        sign_counts_free(ctx, self);
    }
    free(images);
    free(moved);
    counted_ctx_end(ctx, &memory);
}

/* Parts are merged to what all samples together give; zero is neutral. */
static void merging(void **state)
{
    (void)state;
    static const int64_t starts[5] = {0, 1, 9, 9, IMAGES};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(2, 0);
    float *images = random_images(&random, IMAGES * C * PLACES);
    sign_counts *total = new_counts(ctx, C, PLACES), *added = new_counts(ctx, C, PLACES);
    for (int k = 3; k >= 0; k--) {
        array values = images_of(images + starts[k] * C * PLACES, starts[k + 1] - starts[k]);
        sign_counts *part = new_counts(ctx, C, PLACES);
        assert_int_equal(sign_counts_add(ctx, part, &values, 1, values.shape.dims[0]), COSET_OK);
        assert_int_equal(sign_counts_add(ctx, added, &values, 1, values.shape.dims[0]), COSET_OK);
        assert_int_equal(sign_counts_merge(ctx, total, part), COSET_OK);
        sign_counts_free(ctx, part);
    }
    check_counts(total, images, IMAGES);
    check_counts(added, images, IMAGES);
    sign_counts *narrow = new_counts(ctx, C - 1, PLACES), *small = new_counts(ctx, C, PLACES - 1);
    assert_int_equal(sign_counts_merge(ctx, total, narrow), COSET_EARGUMENT);
    assert_int_equal(sign_counts_merge(ctx, total, small), COSET_EARGUMENT);
    check_counts(total, images, IMAGES);
    sign_counts_free(ctx, narrow);
    sign_counts_free(ctx, small);
    sign_counts_free(ctx, total);
    sign_counts_free(ctx, added);
    sign_counts_free(ctx, NULL);
    free(images);
    counted_ctx_end(ctx, &memory);
}

/* Pairs of samples that feature c tells apart, counted one by one. */
static double brute_force(const float *images, int64_t samples, int64_t c)
{
    int64_t apart = 0;
    for (int64_t p = 0; p < PLACES; p++)
        for (int64_t s = 0; s < samples; s++)
            for (int64_t t = 0; t < s; t++)
                apart += (images[(s * C + c) * PLACES + p] > 0) !=
                         (images[(t * C + c) * PLACES + p] > 0);
    return (double)apart / ((double)(samples * (samples - 1) / 2) * PLACES);
}

static void pairs_told_apart(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(5, 0);
    float *images = random_images(&random, IMAGES * C * PLACES);
    for (int64_t k = 0; k < IMAGES * C * PLACES; k++) {
        int64_t c = k / PLACES % C;
        if (c == 0) images[k] = -fabsf(images[k]); /* dead; NaN stays, which is not positive */
        if (c == 1) images[k] = 1 + (float)(k % 7);
    }
    for (int64_t samples = 0; samples <= IMAGES; samples++) {
        array values = images_of(images, samples);
        sign_counts *self = new_counts(ctx, C, PLACES);
        assert_int_equal(sign_counts_add(ctx, self, &values, 1, samples), COSET_OK);
        assert_true(sign_counts_apart(self, 0) == 0);
        assert_true(sign_counts_apart(self, 1) == 0);
        double found = sign_counts_apart(self, 2);
        if (samples < 2) /* no pair */
            assert_true(found == 0);
        else /* rounding of one division */
            assert_true(fabs(found - brute_force(images, samples, 2)) < 1e-15);
        sign_counts_free(ctx, self);
    }
    free(images);
    counted_ctx_end(ctx, &memory);
}

static void refuses(void **state)
{
    (void)state;
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    float images[2 * C * PLACES] = {0};
    array values = images_of(images, 2);
    sign_counts *self = new_counts(ctx, C, PLACES), *other = new_counts(ctx, C, PLACES - W);
    assert_int_equal(sign_counts_add(ctx, self, &values, 1, 3),
                     COSET_EARGUMENT); /* two are there */
    assert_int_equal(sign_counts_add(ctx, self, &values, 0, 1), COSET_EARGUMENT);
    assert_int_equal(sign_counts_add(ctx, self, &values, 2, 2), COSET_EARGUMENT);
    assert_int_equal(sign_counts_add(ctx, self, &values, 4, 2), COSET_EARGUMENT);
    assert_int_equal(sign_counts_add(ctx, other, &values, 1, 2), COSET_EARGUMENT);
    values.dtype = COSET_I64;
    assert_int_equal(sign_counts_add(ctx, self, &values, 1, 2), COSET_EUNSUPPORTED);
    assert_int_equal(self->count, 0);
    sign_counts_free(ctx, self);
    sign_counts_free(ctx, other);
    self = NULL;
    assert_int_equal(sign_counts_new(ctx, INT64_MAX / 4, INT64_MAX / 4, &self), COSET_EMEMORY);
    assert_null(self);
    counted_ctx_end(ctx, &memory);
}

/* ---- collection -------------------------------------------------------------------------------- */

typedef struct image_data {
    const float *x;
} image_data;

static coset_status fill(coset_ctx *ctx, void *user, int64_t input, int64_t first, int64_t count,
                         void *out)
{
    const image_data *self = user;
    (void)ctx, (void)input;
    memcpy(out, self->x + first * C * PLACES, (size_t)(count * C * PLACES) * sizeof(float));
    return COSET_OK;
}

/* z = -(-x), whatever the model's batch habit: any, sample by sample, padded, none. */
static void collection(void **state)
{
    (void)state;
    static const char *const dims[] = {"? 3 4 5", "1 3 4 5", "7 3 4 5", "3 4 5"};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(3, 0);
    float *images = random_images(&random, IMAGES * C * PLACES);
    image_data data = {images};
    batch_source source = {IMAGES, fill, &data};
    shape one = build_shape("3 4 5");
    for (int variant = 0; variant < 4; variant++) {
        builder b = build_start(ctx, 13);
        int32_t x = build_input(&b, "x", COSET_F32, dims[variant]);
        int32_t z = build_op(&b, "Neg", build_op(&b, "Neg", x, -1, "m"), -1, "z");
        build_output(&b, z);
        build_finish(&b);
        const coset_graph *graph = b.graph;
        stats_signs wanted[2] = {{.of = {0, z, -3}}, {.of = {0, z, variant == 3 ? 3 : 0}}};
        stats_job job = {.graphs = &graph,
                         .n_graphs = 1,
                         .source = &source,
                         .sample_shapes = &one,
                         .signs = wanted,
                         .n_signs = 1};
        if (stats_collect(ctx, &job) != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
        check_counts(wanted[0].result, images, IMAGES);
        sign_counts_free(ctx, wanted[0].result);
        job.n_signs = 2;
        assert_int_equal(stats_collect(ctx, &job), COSET_EARGUMENT);
        assert_non_null(strstr(coset_ctx_error(ctx), "value 'z'"));
        assert_null(wanted[0].result);
        assert_null(wanted[1].result);
        coset_graph_free(ctx, b.graph);
    }
    free(images);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_axis),       cmocka_unit_test(merging),
        cmocka_unit_test(pairs_told_apart), cmocka_unit_test(refuses),
        cmocka_unit_test(collection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
