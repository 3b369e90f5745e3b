/* JPEG through libjpeg-turbo. Its memory is its own: the library offers no other. */
#include <string.h>
#include <turbojpeg.h>

#include "data/image.h"

/* A block of 8 x 8 takes more than half a bit of Huffman codes. */
enum { PIXELS_PER_BYTE = 1024 };

static const uint8_t *last_marker(const uint8_t *bytes, size_t size, uint8_t marker)
{
    for (size_t at = size; at >= 2; at--)
        if (bytes[at - 2] == 0xFF && bytes[at - 1] == marker) return bytes + at - 2;
    return NULL;
}

/* True if no end-of-image marker follows the last scan. */
static bool ends_early(const uint8_t *bytes, size_t size)
{
    const uint8_t *scan = last_marker(bytes, size, 0xDA), *end = last_marker(bytes, size, 0xD9);
    return end == NULL || (scan != NULL && end < scan);
}

/* The decoder makes up what is missing and calls that a warning, as it calls harmless faults. */
static coset_status check_result(coset_ctx *ctx, tjhandle decoder, const uint8_t *bytes,
                                 size_t size, const char *name)
{
    if (tjGetErrorCode(decoder) != TJERR_WARNING)
        return ctx_fail(ctx, COSET_EFORMAT, "%s: %s", name, tjGetErrorStr2(decoder));
    if (ends_early(bytes, size))
        return ctx_fail(ctx, COSET_EFORMAT, "%s: the file ends too early", name);
    ctx_log(ctx, COSET_LOG_INFO, "%s: %s", name, tjGetErrorStr2(decoder));
    return COSET_OK;
}

static coset_status read_pixels(coset_ctx *ctx, tjhandle decoder, const uint8_t *bytes, size_t size,
                                const char *name, int format, int channels, image *out)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc_raw(ctx, out->height * out->width, (size_t)channels, &out->pixels));
    int failed = tjDecompress2(decoder, bytes, (unsigned long)size, out->pixels, (int)out->width, 0,
                               (int)out->height, format, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
    if (failed != 0) TRY(check_result(ctx, decoder, bytes, size, name));
    out->channels = channels;
done:
    return status;
}

/* In place: the three bytes of a pixel never reach those of one that is still to be read. */
static void cmyk_to_rgb(image *self)
{
    const uint8_t *from = self->pixels;
    uint8_t *to = self->pixels;
    for (int64_t p = 0; p < self->height * self->width; p++, from += 4, to += 3) {
        int black = from[3];
        for (int c = 0; c < 3; c++) to[c] = (uint8_t)((from[c] * black + 127) / 255);
    }
    self->channels = 3;
}

coset_status image_decode_jpeg(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *name,
                               image *image_out)
{
    coset_status status = COSET_OK;
    image found = {0};
    int height = 0, width = 0, sampling = 0, space = 0;
    *image_out = (image){0};
    tjhandle decoder = tjInitDecompress();
    if (decoder == NULL) FAIL(ctx, COSET_EMEMORY, "%s: out of memory", name);
    if (tjDecompressHeader3(decoder, bytes, (unsigned long)size, &width, &height, &sampling,
                            &space) != 0 &&
        tjGetErrorCode(decoder) != TJERR_WARNING)
        FAIL(ctx, COSET_EFORMAT, "%s: %s", name, tjGetErrorStr2(decoder));
    TRY(image_check_size(ctx, name, height, width, size, PIXELS_PER_BYTE));
    found.height = height;
    found.width = width;
    bool inks = space == TJCS_CMYK || space == TJCS_YCCK, grey = space == TJCS_GRAY;
    TRY(read_pixels(ctx, decoder, bytes, size, name,
                    inks   ? TJPF_CMYK
                    : grey ? TJPF_GRAY
                           : TJPF_RGB,
                    inks   ? 4
                    : grey ? 1
                           : 3,
                    &found));
    if (inks) cmyk_to_rgb(&found);
    *image_out = found;
    found = (image){0};
done:
    if (decoder != NULL) tjDestroy(decoder);
    image_free(ctx, &found);
    return status;
}
