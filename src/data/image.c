#include "data/image.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"

bool image_is_named(const char *name)
{
    static const char *const extensions[] = {".jpg", ".jpeg", ".png"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        size_t wanted = strlen(extensions[i]);
        if (length > wanted && strcasecmp(name + length - wanted, extensions[i]) == 0) return true;
    }
    return false;
}

coset_status image_check_size(coset_ctx *ctx, const char *name, int64_t height, int64_t width,
                              size_t size, int64_t most_pixels)
{
    long long h = height, w = width;
    if (height < 1 || width < 1)
        return ctx_fail(ctx, COSET_EFORMAT, "%s: an image of %lld x %lld has no pixels", name, h,
                        w);
    if (height > IMAGE_MAX_SIDE || width > IMAGE_MAX_SIDE)
        return ctx_fail(ctx, COSET_ELIMIT, "%s: %lld x %lld: a side may have at most %d pixels",
                        name, h, w, IMAGE_MAX_SIDE);
    if (height * width > IMAGE_MAX_PIXELS)
        return ctx_fail(ctx, COSET_ELIMIT, "%s: %lld x %lld: an image may have at most %d pixels",
                        name, h, w, IMAGE_MAX_PIXELS);
    if ((size_t)(height * width) / (size_t)most_pixels > size)
        return ctx_fail(ctx, COSET_ELIMIT,
                        "%s: says %lld x %lld pixels, which %zu bytes cannot hold", name, h, w,
                        size);
    return COSET_OK;
}

coset_status image_decode(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *name,
                          image *image_out)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    static const uint8_t jpeg[] = {0xFF, 0xD8, 0xFF};
    *image_out = (image){0};
    if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
        return image_decode_png(ctx, bytes, size, name, image_out);
    if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
        return image_decode_jpeg(ctx, bytes, size, name, image_out);
    if (size == 0) return ctx_fail(ctx, COSET_EFORMAT, "%s: is empty", name);
    return ctx_fail(ctx, COSET_EUNSUPPORTED, "%s: is neither a jpeg nor a png image", name);
}

coset_status image_load(coset_ctx *ctx, const char *path, image *image_out)
{
    file_view view = {0};
    *image_out = (image){0};
    coset_status status = file_map(ctx, path, &view);
    if (status != COSET_OK) return status;
    status = image_decode(ctx, view.bytes, view.size, path, image_out);
    file_unmap(&view);
    return status;
}

void image_free(coset_ctx *ctx, image *self)
{
    ctx_free(ctx, self->pixels);
    *self = (image){0};
}
