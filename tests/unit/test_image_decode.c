/* Image files: every kind of png pixel, jpeg, limits, and damage. */
#include "support/images.h"

#include "data/image.h"

static image decoded(coset_ctx *ctx, const made_file *file)
{
    image found;
    coset_status status = image_decode(ctx, file->bytes, file->size, "a.img", &found);
    if (status != COSET_OK) fail_msg("%s", coset_ctx_error(ctx));
    return found;
}

static void refused(coset_ctx *ctx, const made_file *file, coset_status status, const char *says)
{
    image found;
    coset_status got = image_decode(ctx, file->bytes, file->size, "bad.img", &found);
    if (got != status || strstr(coset_ctx_error(ctx), says) == NULL)
        fail_msg("%s: %s", coset_status_name(got), coset_ctx_error(ctx));
    assert_null(found.pixels);
    assert_non_null(strstr(coset_ctx_error(ctx), "bad.img: "));
}

/* Rows as stored, and what they mean, for each kind of pixel. */
static void png_kinds(void **state)
{
    static const struct {
        int width, height, bits, colour;
        const char *palette;
        size_t palette_size;
        const char *rows;
        size_t size;
        int channels;
        uint8_t pixels[24];
    } cases[] = {
        {3, 1, 1, 0, NULL, 0, "\0\xA0", 2, 1, {255, 0, 255}},
        {4, 1, 2, 0, NULL, 0, "\0\x1B", 2, 1, {0, 85, 170, 255}},
        {3, 1, 4, 0, NULL, 0, "\0\x0F\x70", 3, 1, {0, 255, 119}},
        {2, 2, 8, 0, NULL, 0, "\0\1\2\0\3\xFF", 6, 1, {1, 2, 3, 255}},
        /* 0x1280 / 257 = 18.43; 0x12FF / 257 = 18.9; 0xFFFF / 257 = 255 */
        {3, 1, 16, 0, NULL, 0, "\0\x12\x80\x12\xFF\xFF\xFF", 7, 1, {18, 19, 255}},
        {2, 1, 8, 2, NULL, 0, "\0\1\2\3\4\5\6", 7, 3, {1, 2, 3, 4, 5, 6}},
        {1, 1, 16, 2, NULL, 0, "\0\1\1\2\2\3\xF0", 7, 3, {1, 2, 4}},
        {3, 1, 8, 3, "abcdef", 6, "\0\1\0\1", 4, 3, {'d', 'e', 'f', 'a', 'b', 'c', 'd', 'e', 'f'}},
        {3, 1, 1, 3, "abcdef", 6, "\0\xA0", 2, 3, {'d', 'e', 'f', 'a', 'b', 'c', 'd', 'e', 'f'}},
        {2, 1, 4, 3, "abcdef", 6, "\0\x10", 2, 3, {'d', 'e', 'f', 'a', 'b', 'c'}},
        /* Opacity is dropped, also where it is 0. */
        {2, 1, 8, 4, NULL, 0, "\0\7\0\x9\xFF", 5, 1, {7, 9}},
        {2, 1, 8, 6, NULL, 0, "\0\1\2\3\0\4\5\6\xFF", 9, 3, {1, 2, 3, 4, 5, 6}},
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        made_file file =
            made_png(cases[k].width, cases[k].height, cases[k].bits, cases[k].colour,
                     cases[k].palette, cases[k].palette_size, cases[k].rows, cases[k].size);
        image found = decoded(ctx, &file);
        assert_int_equal(found.width, cases[k].width);
        assert_int_equal(found.height, cases[k].height);
        assert_int_equal(found.channels, cases[k].channels);
        for (int i = 0; i < cases[k].width * cases[k].height * cases[k].channels; i++)
            if (found.pixels[i] != cases[k].pixels[i])
                fail_msg("case %zu, byte %d: %d, expected %d", k, i, found.pixels[i],
                         cases[k].pixels[i]);
        image_free(ctx, &found);
        free(file.bytes);
    }
    counted_ctx_end(ctx, &memory);
}

/* Adam7: pass p holds the pixels (x0 + i dx, y0 + j dy). A colour that a file calls transparent, a gamma
 * and a text change nothing. */
static void png_interlaced(void **state)
{
    static const int passes[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                     {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    enum { W = 11, H = 9 };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    made_file rows = {NULL, 0}, file = {NULL, 0};
    (void)state;
    for (int p = 0; p < 7; p++)
        for (int y = passes[p][1]; y < H; y += passes[p][3]) {
            if (passes[p][0] < W) made_add(&rows, "\0", 1);
            for (int x = passes[p][0]; x < W; x += passes[p][2]) {
                uint8_t pixel[3] = {(uint8_t)x, (uint8_t)y, (uint8_t)(x * y)};
                made_add(&rows, pixel, 3);
            }
        }
    made_add_header(&file, W, H, 8, 2, 1);
    made_add_chunk(&file, "gAMA", "\0\0\x27\x10", 4);
    made_add_chunk(&file, "tRNS", "\0\0\0\0\0\0", 6);
    made_add_chunk(&file, "tEXt", "Comment\0none", 12);
    made_add_pixels(&file, rows.bytes, rows.size);
    image found = decoded(ctx, &file);
    assert_int_equal(found.channels, 3);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const uint8_t *pixel = found.pixels + 3 * (y * W + x);
            assert_true(pixel[0] == x && pixel[1] == y && pixel[2] == x * y);
        }
    image_free(ctx, &found);
    free(rows.bytes);
    free(file.bytes);
    counted_ctx_end(ctx, &memory);
}

/* A jpeg of the best quality is off by the rounding of its coefficients: 2 levels in grey, 4 in colours.
 * Blocks of one colour each, so that it does not matter how the colours are stored. */
static void jpeg_kinds(void **state)
{
    enum { W = 24, H = 16 };
    static const uint8_t colours[6][3] = {{255, 0, 0},   {0, 255, 0},     {0, 0, 255},
                                          {20, 90, 200}, {128, 128, 128}, {250, 240, 10}};
    static const struct {
        int format, sampling, flags, channels, tolerance;
    } cases[] = {{TJPF_RGB, TJSAMP_444, 0, 3, 4},
                 {TJPF_RGB, TJSAMP_444, TJFLAG_PROGRESSIVE, 3, 4},
                 {TJPF_GRAY, TJSAMP_GRAY, 0, 1, 2},
                 {TJPF_CMYK, TJSAMP_444, 0, 3, 5}};
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        uint8_t pixels[W * H * 4];
        bool inks = cases[k].format == TJPF_CMYK, grey = cases[k].format == TJPF_GRAY;
        int stored = inks ? 4 : grey ? 1 : 3;
        for (int p = 0; p < W * H; p++) {
            const uint8_t *colour = colours[p / W / 8 * 3 + p % W / 8];
            for (int c = 0; c < stored; c++) pixels[p * stored + c] = c < 3 ? colour[c] : 200;
        }
        made_file file =
            made_jpeg_of(pixels, W, H, cases[k].format, cases[k].sampling, cases[k].flags);
        image found = decoded(ctx, &file);
        assert_true(found.width == W && found.height == H);
        assert_int_equal(found.channels, cases[k].channels);
        for (int p = 0; p < W * H; p++)
            for (int c = 0; c < found.channels; c++) {
                int wanted = pixels[p * stored + c];
                if (inks) wanted = wanted * 200 / 255;
                int got = found.pixels[p * found.channels + c];
                if (abs(got - wanted) > cases[k].tolerance)
                    fail_msg("case %zu, pixel %d, channel %d: %d, expected %d", k, p, c, got,
                             wanted);
            }
        image_free(ctx, &found);
        free(file.bytes);
    }
    counted_ctx_end(ctx, &memory);
}

static made_file header_only(uint32_t width, uint32_t height, int bits, int colour, size_t padding)
{
    made_file file = {NULL, 0};
    uint8_t *zeros = calloc(1, padding + 1);
    assert_non_null(zeros);
    made_add_header(&file, width, height, bits, colour, 0);
    made_add_chunk(&file, "IDAT", zeros, padding);
    free(zeros);
    return file;
}

/* Just over each limit the header is enough to refuse; just under it the pixels are looked at. */
static void limits(void **state)
{
    static const struct {
        uint32_t width, height;
        int bits, colour;
        size_t padding;
        coset_status status;
        const char *says;
    } cases[] = {
        {16385, 1, 8, 0, 100, COSET_ELIMIT, "at most 16384"},
        {1, 16385, 8, 0, 100, COSET_ELIMIT, "at most 16384"},
        {16384, 1, 8, 0, 100, COSET_EFORMAT, ""},
        {16384, 4097, 1, 0, 9000, COSET_ELIMIT, "67108864 pixels"},
        {16384, 4096, 1, 0, 9000, COSET_EFORMAT, ""},
        {16384, 4096, 1, 0, 8000, COSET_ELIMIT, "cannot hold"},
        {16384, 4096, 8, 6, 9000, COSET_ELIMIT, "cannot hold"},
        {0, 5, 8, 0, 100, COSET_EFORMAT, ""},
        {0x7FFFFFFF, 0x7FFFFFFF, 16, 6, 100, COSET_ELIMIT, "16384"},
        {0xFFFFFFFF, 1, 8, 0, 100, COSET_EFORMAT, ""},
        {8, 8, 3, 0, 100, COSET_EFORMAT, ""},
        {8, 8, 8, 5, 100, COSET_EFORMAT, ""},
        {8, 8, 8, 3, 100, COSET_EFORMAT, ""}, /* no palette */
    };
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        made_file file = header_only(cases[k].width, cases[k].height, cases[k].bits,
                                     cases[k].colour, cases[k].padding);
        refused(ctx, &file, cases[k].status, cases[k].says);
        free(file.bytes);
    }
    /* A jpeg whose frame header says more than its bytes hold. */
    uint8_t pixels[64 * 3] = {0};
    made_file file = made_jpeg_of(pixels, 8, 8, TJPF_RGB, TJSAMP_444, 0);
    for (size_t at = 2; at + 9 < file.size; at++)
        if (file.bytes[at] == 0xFF && file.bytes[at + 1] == 0xC0) {
            memcpy(file.bytes + at + 5, "\x20\x00\x20\x00", 4); /* 8192 x 8192 */
            break;
        }
    refused(ctx, &file, COSET_ELIMIT, "says 8192 x 8192 pixels");
    free(file.bytes);
    made_file empty = {NULL, 0}, other = {NULL, 0};
    made_add(&empty, "", 0);
    made_add(&other, "GIF89a..", 8);
    refused(ctx, &empty, COSET_EFORMAT, "is empty");
    refused(ctx, &other, COSET_EUNSUPPORTED, "neither a jpeg nor a png");
    free(empty.bytes);
    free(other.bytes);
    counted_ctx_end(ctx, &memory);
}

static made_file sample_file(int kind)
{
    enum { W = 17, H = 13 };
    uint8_t pixels[W * H * 3];
    rng random = rng_seed(3, 0);
    for (int i = 0; i < W * H * 3; i++) pixels[i] = (uint8_t)rng_below(&random, 256);
    if (kind == 0) return made_png_of(pixels, W, H, 3);
    return made_jpeg_of(pixels, W, H, TJPF_RGB, TJSAMP_420, kind == 2 ? TJFLAG_PROGRESSIVE : 0);
}

/* Cut anywhere, a file is refused; the end of a jpeg may lack its marker alone, which is refused, too. */
static void cut_short(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        made_file file = sample_file(kind);
        size_t whole = file.size;
        for (file.size = 0; file.size < whole; file.size++) {
            image found;
            /* Exactly as long as it says, so that a read past the end shows. */
            uint8_t *copy = malloc(file.size + (file.size == 0));
            assert_non_null(copy);
            memcpy(copy, file.bytes, file.size);
            coset_status status = image_decode(ctx, copy, file.size, "a", &found);
            if (status == COSET_OK) fail_msg("kind %d is taken at %zu bytes", kind, file.size);
            assert_true(status == COSET_EFORMAT || status == COSET_EUNSUPPORTED);
            assert_null(found.pixels);
            free(copy);
        }
        file.size = whole;
        image found = decoded(ctx, &file);
        image_free(ctx, &found);
        free(file.bytes);
    }
    counted_ctx_end(ctx, &memory);
}

/* Flipped bits give an error or an image whose size was checked; nothing leaks. */
static void bit_flips(void **state)
{
    counted_memory memory;
    coset_ctx *ctx = counted_ctx(&memory, 1);
    rng random = rng_seed(9, 1);
    int errors = 0, images = 0;
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        made_file file = sample_file(kind);
        for (int round = 0; round < 2000; round++) {
            image found;
            size_t at = (size_t)rng_below(&random, (int64_t)file.size);
            uint8_t bit = (uint8_t)(1 << rng_below(&random, 8));
            file.bytes[at] ^= bit;
            if (image_decode(ctx, file.bytes, file.size, "a", &found) == COSET_OK) {
                assert_true(found.height >= 1 && found.width >= 1);
                images++;
            } else {
                assert_null(found.pixels);
                errors++;
            }
            image_free(ctx, &found);
            file.bytes[at] ^= bit;
        }
        free(file.bytes);
    }
    assert_true(errors > 1000 && images > 100);
    counted_ctx_end(ctx, &memory);
}

static void names(void **state)
{
    (void)state;
    assert_true(image_is_named("a.jpg") && image_is_named("a.JPEG") && image_is_named("a.b.Png"));
    assert_false(image_is_named("jpg") || image_is_named(".jpg") || image_is_named("a.gif"));
    assert_false(image_is_named("a.png.txt") || image_is_named(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_kinds), cmocka_unit_test(png_interlaced), cmocka_unit_test(jpeg_kinds),
        cmocka_unit_test(limits),    cmocka_unit_test(cut_short),      cmocka_unit_test(bit_flips),
        cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
