/* PNG through libpng, which reports errors by longjmp: all state lies in a struct outside of the functions
 * that are jumped out of. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "data/image.h"

/* No more bits than this come out of one byte of deflate data. */
enum { DEFLATE_BITS = 1032 * 8 };
/* What one ancillary chunk may take; none of them is used. */
enum { CHUNK_BYTES = 1 << 20 };

typedef struct reader {
    coset_ctx *ctx;
    const char *name;
    const uint8_t *bytes;
    size_t size, at;
    png_structp png;
    png_infop info;
    image image;
    png_bytep *rows; /* [height] into image.pixels */
    bool no_memory;  /* an allocation failed, so a failure is one of memory */
    char text[128];  /* why reading failed */
} reader;

static void fail(png_structp png, png_const_charp message)
{
    reader *self = png_get_error_ptr(png);
    snprintf(self->text, sizeof self->text, "%s", message);
    png_longjmp(png, 1);
}

/* Warnings are of ancillary chunks, which are not looked at. */
static void ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    reader *self = png_get_mem_ptr(png);
    void *memory = NULL;
    if (size > INT64_MAX || ctx_alloc_raw(self->ctx, (int64_t)size, 1, &memory) != COSET_OK)
        self->no_memory = true;
    return memory;
}

static void release(png_structp png, png_voidp memory)
{
    reader *self = png_get_mem_ptr(png);
    ctx_free(self->ctx, memory);
}

static void take(png_structp png, png_bytep out, size_t size)
{
    reader *self = png_get_io_ptr(png);
    if (size > self->size - self->at) png_error(png, "the file ends too early");
    memcpy(out, self->bytes + self->at, size);
    self->at += size;
}

static coset_status failure(const reader *self)
{
    if (self->no_memory) return ctx_fail(self->ctx, COSET_EMEMORY, "%s: out of memory", self->name);
    return ctx_fail(self->ctx, COSET_EFORMAT, "%s: %s", self->name, self->text);
}

/* Every kind of pixel becomes grey or red, green, blue of 8 bits. */
static void ask_for_bytes(reader *self)
{
    png_set_scale_16(self->png);
    png_set_palette_to_rgb(self->png);
    png_set_expand_gray_1_2_4_to_8(self->png);
    png_set_strip_alpha(self->png);
    png_set_interlace_handling(self->png);
    png_read_update_info(self->png, self->info);
}

static coset_status read_header(reader *self)
{
    png_set_keep_unknown_chunks(self->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_user_limits(self->png, PNG_UINT_31_MAX,
                        PNG_UINT_31_MAX); /* image_check_size has ours */
    png_set_chunk_malloc_max(self->png, CHUNK_BYTES);
    png_set_read_fn(self->png, self, take);
    png_read_info(self->png, self->info);
    self->image.height = png_get_image_height(self->png, self->info);
    self->image.width = png_get_image_width(self->png, self->info);
    int bits = png_get_bit_depth(self->png, self->info) * png_get_channels(self->png, self->info);
    coset_status status = image_check_size(self->ctx, self->name, self->image.height,
                                           self->image.width, self->size, DEFLATE_BITS / bits);
    if (status != COSET_OK) return status;
    ask_for_bytes(self);
    self->image.channels = png_get_channels(self->png, self->info);
    if (self->image.channels != 1 && self->image.channels != 3)
        png_error(self->png, "has an unknown kind of pixels");
    if (png_get_rowbytes(self->png, self->info) !=
        (size_t)(self->image.width * self->image.channels))
        png_error(self->png, "has rows of an unknown size");
    return COSET_OK;
}

static coset_status read_pixels(reader *self)
{
    coset_status status = COSET_OK;
    const image *to = &self->image;
    size_t row = (size_t)(to->width * to->channels);
    TRY(ctx_alloc_raw(self->ctx, to->height, row, &self->image.pixels));
    TRY(ctx_alloc_raw(self->ctx, to->height, sizeof *self->rows, &self->rows));
    for (int64_t y = 0; y < to->height; y++) self->rows[y] = to->pixels + (size_t)y * row;
    png_read_image(self->png, self->rows);
    png_read_end(self->png, NULL);
done:
    return status;
}

/* Nothing that changes between setjmp and longjmp is a local variable. */
static coset_status read_all(reader *self)
{
    if (setjmp(png_jmpbuf(self->png)) != 0) return failure(self);
    coset_status status = read_header(self);
    return status != COSET_OK ? status : read_pixels(self);
}

coset_status image_decode_png(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *name,
                              image *image_out)
{
    coset_status status = COSET_OK;
    reader self = {.ctx = ctx, .name = name, .bytes = bytes, .size = size};
    *image_out = (image){0};
    self.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &self, fail, ignore, &self, allocate,
                                        release);
    if (self.png != NULL) self.info = png_create_info_struct(self.png);
    if (self.info == NULL) FAIL(ctx, COSET_EMEMORY, "%s: out of memory", name);
    TRY(read_all(&self));
    *image_out = self.image;
    self.image = (image){0};
done:
    if (self.png != NULL) png_destroy_read_struct(&self.png, &self.info, NULL);
    ctx_free(ctx, self.rows);
    image_free(ctx, &self.image);
    return status;
}
