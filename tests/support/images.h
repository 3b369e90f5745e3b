/* Images written by the tests themselves: png chunk by chunk, jpeg through the encoder. */
#ifndef COSET_TESTS_SUPPORT_IMAGES_H
#define COSET_TESTS_SUPPORT_IMAGES_H

#include "support/files.h"

#include <turbojpeg.h>
#include <zlib.h>

/* Bytes of a file under construction; freed by the caller. */
typedef struct made_file {
    uint8_t *bytes;
    size_t size;
} made_file;

static inline void made_add(made_file *self, const void *bytes, size_t size)
{
    self->bytes = realloc(self->bytes, self->size + size + 1);
    assert_non_null(self->bytes);
    if (size > 0) memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
}

static inline void made_add_u32(made_file *self, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    made_add(self, bytes, 4);
}

static inline void made_add_chunk(made_file *self, const char *type, const void *bytes, size_t size)
{
    made_add_u32(self, (uint32_t)size);
    size_t from = self->size;
    made_add(self, type, 4);
    made_add(self, bytes, size);
    made_add_u32(self, (uint32_t)crc32(0, self->bytes + from, (uInt)(size + 4)));
}

static inline void made_add_header(made_file *self, uint32_t width, uint32_t height, int bits,
                                   int colour, int interlace)
{
    made_file header = {NULL, 0};
    const uint8_t rest[5] = {(uint8_t)bits, (uint8_t)colour, 0, 0, (uint8_t)interlace};
    made_add(self, "\x89PNG\r\n\x1a\n", 8);
    made_add_u32(&header, width);
    made_add_u32(&header, height);
    made_add(&header, rest, 5);
    made_add_chunk(self, "IHDR", header.bytes, header.size);
    free(header.bytes);
}

static inline void made_add_pixels(made_file *self, const void *rows, size_t size)
{
    uLongf packed_size = compressBound((uLong)size);
    uint8_t *packed = malloc(packed_size);
    assert_non_null(packed);
    assert_int_equal(compress(packed, &packed_size, rows, (uLong)size), Z_OK);
    made_add_chunk(self, "IDAT", packed, packed_size);
    made_add_chunk(self, "IEND", NULL, 0);
    free(packed);
}

/* A png whose rows (each with its filter byte 0 in front) are given as they are stored. `palette`: red,
 * green, blue of each entry; NULL: none. */
static inline made_file made_png(int width, int height, int bits, int colour, const char *palette,
                                 size_t palette_size, const void *rows, size_t size)
{
    made_file self = {NULL, 0};
    made_add_header(&self, (uint32_t)width, (uint32_t)height, bits, colour, 0);
    if (palette != NULL) made_add_chunk(&self, "PLTE", palette, palette_size);
    made_add_pixels(&self, rows, size);
    return self;
}

/* An image of 8-bit pixels [height, width, channels], channels 1 or 3, as png. */
static inline made_file made_png_of(const uint8_t *pixels, int width, int height, int channels)
{
    size_t row = (size_t)(width * channels);
    uint8_t *rows = calloc((size_t)height, row + 1);
    assert_non_null(rows);
    for (int y = 0; y < height; y++)
        memcpy(rows + (size_t)y * (row + 1) + 1, pixels + (size_t)y * row, row);
    made_file self = made_png(width, height, 8, channels == 3 ? 2 : 0, NULL, 0, rows,
                              (size_t)height * (row + 1));
    free(rows);
    return self;
}

/* A jpeg of pixels in a turbojpeg format, at the best quality. */
static inline made_file made_jpeg_of(const uint8_t *pixels, int width, int height, int format,
                                     int sampling, int flags)
{
    unsigned char *found = NULL;
    unsigned long size = 0;
    made_file self = {NULL, 0};
    tjhandle encoder = tjInitCompress();
    assert_non_null(encoder);
    assert_int_equal(
        tjCompress2(encoder, pixels, width, 0, height, format, &found, &size, sampling, 100, flags),
        0);
    made_add(&self, found, size);
    tjFree(found);
    tjDestroy(encoder);
    return self;
}

/* Writes a png of one colour. */
static inline void put_plain_png(const char *path, int width, int height, int red, int green,
                                 int blue)
{
    uint8_t *pixels = malloc((size_t)(width * height) * 3);
    assert_non_null(pixels);
    for (int p = 0; p < width * height; p++) {
        pixels[3 * p] = (uint8_t)red;
        pixels[3 * p + 1] = (uint8_t)green;
        pixels[3 * p + 2] = (uint8_t)blue;
    }
    made_file file = made_png_of(pixels, width, height, 3);
    files_put(path, file.bytes, file.size);
    free(file.bytes);
    free(pixels);
}

#endif
