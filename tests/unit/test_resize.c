/* Resampling against its definition, and what --fit and --channels make of an image. */
#include "support/linalg.h"

#include <stdio.h>
#include <string.h>

#include "data/images.h"

/* The definition, pixel by pixel: sum over the whole plane of wy wx v / (sum of wy sum of wx). */
static double weight(int64_t in, int64_t out, int64_t before, int64_t after)
{
    double scale = (double)before / (double)after, reach = scale > 1 ? scale : 1;
    return fmax(0, 1 - fabs((double)in + 0.5 - ((double)out + 0.5) * scale) / reach);
}

static double defined(const float *plane, int64_t h, int64_t w, int64_t to_h, int64_t to_w,
                      int64_t y, int64_t x)
{
    double sum = 0, total = 0;
    for (int64_t j = 0; j < h; j++)
        for (int64_t i = 0; i < w; i++) {
            double both = weight(j, y, h, to_h) * weight(i, x, w, to_w);
            sum += both * (double)plane[j * w + i];
            total += both;
        }
    return sum / total;
}

static void follows_definition(void **state)
{
    static const int sizes[][4] = {
        {7, 5, 3, 2},     {3, 2, 7, 5},  {16, 16, 16, 5}, {9, 4, 1, 1},   {1, 1, 4, 6},
        {13, 13, 12, 14}, {20, 3, 7, 3}, {64, 48, 6, 7},  {5, 200, 5, 3}, {6, 6, 6, 6}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(1, 0);
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
        for (int kind = 0; kind < 2; kind++) {
            const int *s = sizes[k];
            int64_t h = s[0], w = s[1], to_h = s[2], to_w = s[3], n = h * w, m = to_h * to_w;
            float *planes = calloc((size_t)(2 * n), sizeof *planes);
            float *out = calloc((size_t)(2 * m), sizeof *out);
            uint8_t *bytes = calloc((size_t)(2 * n), 1);
            assert_true(planes != NULL && out != NULL && bytes != NULL);
            /* Bytes interleaved, floats as planes: the strides say which. */
            for (int64_t p = 0; p < n; p++)
                for (int64_t c = 0; c < 2; c++) {
                    bytes[2 * p + c] = (uint8_t)rng_below(&random, 256);
                    planes[c * n + p] = (float)bytes[2 * p + c];
                }
            pixel_view from = {.bytes = kind ? bytes : NULL,
                               .floats = kind ? NULL : planes,
                               .height = h,
                               .width = w,
                               .channels = 2,
                               .row = kind ? 2 * w : w,
                               .column = kind ? 2 : 1,
                               .channel = kind ? 1 : n};
            resize_window window = {to_h, to_w, 0, 0, to_h, to_w};
            assert_int_equal(resize(ctx, &from, COSET_CHANNELS_RGB, &window, out, to_w, m),
                             COSET_OK);
            for (int64_t i = 0; i < 2 * m; i++) {
                double wanted =
                    defined(planes + i / m * n, h, w, to_h, to_w, i % m / to_w, i % to_w);
                /* f32 keeps 24 bits of a value below 256; a byte that lies between two integers to
                 * 1e-9 may go either way. */
                double away = fabs((double)out[i] - (kind ? floor(wanted + 0.5) : wanted));
                bool tie = kind && fabs(wanted - floor(wanted) - 0.5) < 1e-9;
                if (away > (kind ? 0 : 2e-5) && !tie)
                    fail_msg("case %zu, element %d: %g, expected %g", k, (int)i, (double)out[i],
                             wanted);
            }
            free(planes);
            free(out);
            free(bytes);
        }
    counted_ctx_end(ctx, &memory);
}

/* A window is the same part of the whole. */
static void windows(void **state)
{
    enum { H = 11, W = 9, TH = 5, TW = 14 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    float plane[H * W], whole[TH * TW], part[3 * 4];
    (void)state;
    for (int i = 0; i < H * W; i++) plane[i] = (float)(i * i % 101);
    pixel_view from = {
        .floats = plane, .height = H, .width = W, .channels = 1, .row = W, .column = 1};
    resize_window all = {TH, TW, 0, 0, TH, TW}, some = {TH, TW, 1, 8, 3, 4};
    assert_int_equal(resize(ctx, &from, COSET_CHANNELS_RGB, &all, whole, TW, TH * TW), COSET_OK);
    assert_int_equal(resize(ctx, &from, COSET_CHANNELS_RGB, &some, part, 4, 12), COSET_OK);
    for (int y = 0; y < 3; y++)
        assert_memory_equal(part + 4 * y, whole + (y + 1) * TW + 8, 4 * sizeof(float));
    counted_ctx_end(ctx, &memory);
}

/* What shrinks by a whole factor of two keeps its mean; one bright line in eight does not vanish. */
static void averages(void **state)
{
    enum { SIDE = 64 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    float plane[SIDE * SIDE] = {0}, out[8 * 8];
    (void)state;
    for (int y = 0; y < SIDE; y++) plane[y * SIDE + 20] = 80;
    pixel_view from = {
        .floats = plane, .height = SIDE, .width = SIDE, .channels = 1, .row = SIDE, .column = 1};
    resize_window window = {8, 8, 0, 0, 8, 8};
    assert_int_equal(resize(ctx, &from, COSET_CHANNELS_RGB, &window, out, 8, 64), COSET_OK);
    /* Column 20.5 is .5 from the middle of output 2, 7.5 from those of 1 and 3 on a side of 8. The
     * weights of 16 pixels add up to 8. */
    assert_true(fabs((double)out[2] - 80 * (1 - 0.5 / 8) / 8) < 1e-4);
    assert_true(fabs((double)out[3] - 80 * (1 - 7.5 / 8) / 8) < 1e-4);
    assert_true(fabs((double)out[1]) < 1e-6);
    counted_ctx_end(ctx, &memory);
}

/* ---- recipes ----------------------------------------------------------------------------------- */

typedef struct recipe_case {
    image_recipe recipe;
    int height, width, channels; /* of the image whose bytes are 10 y + x + 100 c */
    int wanted[3];               /* shape */
    const char *values;
} recipe_case;

static void recipes(void **state)
{
    static const recipe_case cases[] = {
        {{0, 0, COSET_FIT_CROP, COSET_CHANNELS_RGB, 9}, 2, 2, 1, {1, 2, 2}, "0 1 10 11 "},
        {{0, 0, 0, COSET_CHANNELS_BGR, 9}, 1, 2, 3, {3, 1, 2}, "200 201 100 101 0 1 "},
        {{0, 0, 0, COSET_CHANNELS_BGR, 9}, 1, 2, 1, {3, 1, 2}, "0 1 0 1 0 1 "},
        /* (0 * 19595 + 100 * 38470 + 200 * 7471) / 65536 = 81.50 */
        {{0, 0, 0, COSET_CHANNELS_GREY, 9}, 1, 2, 3, {1, 1, 2}, "82 83 "},
        {{0, 0, 0, COSET_CHANNELS_GREY, 9}, 1, 2, 1, {1, 1, 2}, "0 1 "},
        /* A crop that needs no scaling: of 1, 3 and 5 columns too many 0, 2 and 2 go on the left. */
        {{1, 4, COSET_FIT_CROP, 0, 9}, 1, 5, 1, {1, 1, 4}, "0 1 2 3 "},
        {{1, 2, COSET_FIT_CROP, 0, 9}, 1, 5, 1, {1, 1, 2}, "2 3 "},
        {{1, 2, COSET_FIT_CROP, 0, 9}, 1, 7, 1, {1, 1, 2}, "2 3 "},
        {{2, 1, COSET_FIT_CROP, 0, 9}, 6, 1, 1, {1, 2, 1}, "20 30 "},
        /* Letterbox: below, to the right, and a side that would become 0. */
        {{2, 4, COSET_FIT_LETTERBOX, 0, 9}, 2, 2, 1, {1, 2, 4}, "0 1 9 9 10 11 9 9 "},
        {{4, 2, COSET_FIT_LETTERBOX, 0, 9}, 2, 2, 1, {1, 4, 2}, "0 1 10 11 9 9 9 9 "},
        {{2, 2, COSET_FIT_LETTERBOX, 0, 9}, 1, 5, 1, {1, 2, 2}, "1 3 9 9 "},
        {{1, 2, COSET_FIT_STRETCH, 0, 9}, 2, 2, 1, {1, 1, 2}, "5 6 "},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const recipe_case *at = &cases[k];
        uint8_t bytes[64];
        float out[64];
        char text[400] = "";
        size_t used = 0;
        int n = 0;
        for (int y = 0; y < at->height; y++)
            for (int x = 0; x < at->width; x++)
                for (int c = 0; c < at->channels; c++) bytes[n++] = (uint8_t)(10 * y + x + 100 * c);
        pixel_view from = {.bytes = bytes,
                           .height = at->height,
                           .width = at->width,
                           .channels = at->channels,
                           .row = at->width * at->channels,
                           .column = at->channels,
                           .channel = 1};
        shape to = recipe_shape(&at->recipe, at->height, at->width, at->channels);
        for (int a = 0; a < 3; a++) assert_int_equal(to.dims[a], at->wanted[a]);
        assert_int_equal(recipe_apply(ctx, &at->recipe, &from, out), COSET_OK);
        for (int64_t i = 0; i < shape_product(&to, 0, 3); i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%g ", (double)out[i]);
        if (strcmp(text, at->values) != 0) fail_msg("case %zu: %s", k, text);
    }
    image_recipe bgr = {.channels = COSET_CHANNELS_BGR}, none = {0};
    assert_int_equal(recipe_shape(&bgr, 2, 2, 4).dims[0], 0);
    assert_true(recipe_acts(&bgr) && !recipe_acts(&none));
    counted_ctx_end(ctx, &memory);
}

/* A crop covers, a letterbox lies inside, whatever the sides are: every value comes from the image, or
 * none is missing. */
static void fits_always(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(4, 4);
    float *plane = NULL, *out = malloc(sizeof *out * 40 * 40);
    (void)state;
    assert_non_null(out);
    for (int round = 0; round < 500; round++) {
        int64_t h = 1 + rng_below(&random, 60), w = 1 + rng_below(&random, 60);
        image_recipe recipe = {.height = 1 + rng_below(&random, 40),
                               .width = 1 + rng_below(&random, 40),
                               .fit = round % 2 ? COSET_FIT_CROP : COSET_FIT_LETTERBOX,
                               .pad = -1};
        plane = malloc(sizeof *plane * (size_t)(h * w));
        assert_non_null(plane);
        for (int64_t i = 0; i < h * w; i++) plane[i] = 1;
        pixel_view from = {
            .floats = plane, .height = h, .width = w, .channels = 1, .row = w, .column = 1};
        assert_int_equal(recipe_apply(ctx, &recipe, &from, out), COSET_OK);
        int64_t inside = 0, rows = 0, columns = 0;
        for (int64_t y = 0; y < recipe.height; y++)
            for (int64_t x = 0; x < recipe.width; x++) {
                float value = out[y * recipe.width + x];
                bool image = fabs((double)value - 1) < 1e-6;
                assert_true(image || value == -1);
                inside += image;
                if (image && y >= rows) rows = y + 1;
                if (image && x >= columns) columns = x + 1;
            }
        assert_int_equal(inside, rows * columns);
        if (recipe.fit == COSET_FIT_CROP) assert_int_equal(inside, recipe.height * recipe.width);
        assert_true(rows == recipe.height || columns == recipe.width);
        free(plane);
    }
    free(out);
    counted_ctx_end(ctx, &memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_definition),
                                       cmocka_unit_test(windows), cmocka_unit_test(averages),
                                       cmocka_unit_test(recipes), cmocka_unit_test(fits_always)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
