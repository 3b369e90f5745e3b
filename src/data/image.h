/* Image files, .jpg and .png, as pixels of 8 bits. */
#ifndef COSET_DATA_IMAGE_H
#define COSET_DATA_IMAGE_H

#include "base/ctx.h"

enum { IMAGE_MAX_SIDE = 16384, IMAGE_MAX_PIXELS = 1 << 26 };

/* pixels [height, width, channels], channels 1 (grey) or 3 (red, green, blue). */
typedef struct image {
    int64_t height, width, channels;
    uint8_t *pixels; /* owned */
} image;

/* True if a file's name says that it is an image that is read: .jpg, .jpeg, .png in any case. */
bool image_is_named(const char *name);

/* Decodes an image; what it is, its first bytes say. Nothing is done about colour profiles, gamma and
 * the orientation that a camera notes. Opacity is dropped. 16 bits become 8 by rounding, palettes the
 * colours that they stand for; CMYK is taken to be stored inverted, as all known writers do, and becomes
 * red = C K / 255 and so on.
 *   bytes      borrowed
 *   name       for messages
 *   image_out  owned by the caller (image_free); empty on failure
 * Errors naming the file: COSET_EUNSUPPORTED for another format; COSET_ELIMIT for a side over 16384, more
 * than 2^26 pixels, or more pixels than that many bytes can hold (before anything of that size is
 * allocated); COSET_EFORMAT for damage and for files that end too early. A jpeg with other faults that
 * its decoder gets over is taken. COSET_EMEMORY.
 * Memory: the pixels, and beside them what the libraries need: a png row by row, a progressive jpeg two
 * more bytes for each of the values. */
COSET_MUST_USE coset_status image_decode(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                         const char *name, image *image_out);
/* The same from a file. Errors: also COSET_EIO. */
COSET_MUST_USE coset_status image_load(coset_ctx *ctx, const char *path, image *image_out);
void image_free(coset_ctx *ctx, image *self);

/* ---- for the decoders -------------------------------------------------------------------------- */

COSET_MUST_USE coset_status image_decode_png(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                             const char *name, image *image_out);
COSET_MUST_USE coset_status image_decode_jpeg(coset_ctx *ctx, const uint8_t *bytes, size_t size,
                                              const char *name, image *image_out);
/* Refuses sizes over the limits, and those that `size` bytes cannot hold: of one byte at most
 * `most_pixels` pixels can come. */
COSET_MUST_USE coset_status image_check_size(coset_ctx *ctx, const char *name, int64_t height,
                                             int64_t width, size_t size, int64_t most_pixels);

#endif
