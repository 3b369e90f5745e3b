#include "data/images.h"

#include <math.h>
#include <stdatomic.h>

#include "data/image.h"

/* ---- the recipe -------------------------------------------------------------------------------- */

image_recipe recipe_of(const coset_data_options *options)
{
    return (image_recipe){.height = options->height,
                          .width = options->width,
                          .fit = options->fit,
                          .channels = options->channels,
                          .pad = (float)options->pad_value};
}

bool recipe_acts(const image_recipe *self)
{
    return self->height > 0 || self->channels != COSET_CHANNELS_RGB;
}

shape recipe_shape(const image_recipe *self, int64_t height, int64_t width, int64_t channels)
{
    bool sized = self->height > 0;
    return (shape){.rank = 3,
                   .dims = {channels_after(self->channels, channels), sized ? self->height : height,
                            sized ? self->width : width}};
}

/* Where the middle of `part` begins in `whole`: of two equally good places the even one. */
static int64_t middle(int64_t whole, int64_t part)
{
    int64_t half = (whole - part) / 2;
    return (whole - part) % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

/* The sides of an image after scaling by the larger or the smaller of the two ratios. */
static resize_window scaled(const image_recipe *self, const pixel_view *from, bool cover)
{
    /* height / from->height against width / from->width */
    bool taller = self->height * from->width > self->width * from->height;
    resize_window at = {.height = self->height, .width = self->width};
    if (taller == cover)
        at.width = from->width * self->height / from->height;
    else
        at.height = from->height * self->width / from->width;
    if (at.width < 1) at.width = 1;
    if (at.height < 1) at.height = 1;
    return at;
}

static resize_window window_of(const image_recipe *self, const pixel_view *from)
{
    resize_window at = {.height = self->height, .width = self->width};
    if (self->height == 0) at = (resize_window){.height = from->height, .width = from->width};
    if (self->height > 0 && self->fit != COSET_FIT_STRETCH)
        at = scaled(self, from, self->fit == COSET_FIT_CROP);
    at.rows = at.height;
    at.columns = at.width;
    if (self->height > 0 && self->fit == COSET_FIT_CROP) {
        at.rows = self->height;
        at.columns = self->width;
        at.top = middle(at.height, at.rows);
        at.left = middle(at.width, at.columns);
    }
    return at;
}

coset_status recipe_apply(coset_ctx *ctx, const image_recipe *self, const pixel_view *from,
                          float *out)
{
    shape to = recipe_shape(self, from->height, from->width, from->channels);
    resize_window window = window_of(self, from);
    int64_t count = shape_product(&to, 0, 3);
    if (window.rows < to.dims[1] || window.columns < to.dims[2])
        for (int64_t i = 0; i < count; i++) out[i] = self->pad;
    return resize(ctx, from, self->channels, &window, out, to.dims[2], to.dims[1] * to.dims[2]);
}

/* ---- files ------------------------------------------------------------------------------------- */

struct image_files {
    image_folder folder;
    image_recipe recipe;
    shape shape;
    _Atomic(uint8_t *) *kept; /* [n] prepared images; NULL: not yet, or no room */
    _Atomic(int64_t) room;
    bool keeps; /* prepared images are bytes */
};

/* A grey file shows the same plane three times. */
static pixel_view view_of(const image *self)
{
    return (pixel_view){.bytes = self->pixels,
                        .height = self->height,
                        .width = self->width,
                        .channels = 3,
                        .row = self->width * self->channels,
                        .column = self->channels,
                        .channel = self->channels == 3 ? 1 : 0};
}

static coset_status measure_first(coset_ctx *ctx, image_files *self)
{
    image first = {0};
    if (self->recipe.height == 0) {
        coset_status status = image_load(ctx, self->folder.entries[0].path, &first);
        if (status != COSET_OK) return status;
    }
    self->shape = recipe_shape(&self->recipe, first.height, first.width, 3);
    image_free(ctx, &first);
    return COSET_OK;
}

coset_status image_files_new(coset_ctx *ctx, image_folder *folder, const image_recipe *recipe,
                             shape *shape_out, image_files **files_out)
{
    coset_status status = COSET_OK;
    image_files *self = NULL;
    *files_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->folder = *folder;
    *folder = (image_folder){0};
    self->recipe = *recipe;
    TRY(ctx_alloc(ctx, self->folder.n, sizeof *self->kept, &self->kept));
    atomic_init(&self->room, IMAGES_KEEP);
    self->keeps = recipe->fit != COSET_FIT_LETTERBOX ||
                  (recipe->pad >= 0 && recipe->pad <= 255 && recipe->pad == floorf(recipe->pad));
    TRY(measure_first(ctx, self));
    *shape_out = self->shape;
    *files_out = self;
    self = NULL;
done:
    image_files_free(ctx, self);
    return status;
}

static coset_status prepare(coset_ctx *ctx, const image_files *self, int64_t index, float *out)
{
    coset_status status = COSET_OK;
    image found = {0};
    const char *path = self->folder.entries[index].path;
    TRY(image_load(ctx, path, &found));
    pixel_view view = view_of(&found);
    if (self->recipe.height == 0 &&
        (found.height != self->shape.dims[1] || found.width != self->shape.dims[2]))
        FAIL(ctx, COSET_EFORMAT,
             "%s: is %lld x %lld, but the first image is %lld x %lld; all need one size "
             "(--resize HxW)",
             path, (long long)found.height, (long long)found.width, (long long)self->shape.dims[1],
             (long long)self->shape.dims[2]);
    TRY(recipe_apply(ctx, &self->recipe, &view, out));
done:
    image_free(ctx, &found);
    return status;
}

/* Keeps a prepared image if there is room. If another thread was faster, its bytes are the same. */
static coset_status keep(coset_ctx *ctx, image_files *self, int64_t index, const float *values)
{
    uint8_t *bytes = NULL, *none = NULL;
    int64_t count = shape_product(&self->shape, 0, 3);
    if (!self->keeps || atomic_load(&self->room) < count) return COSET_OK;
    if (atomic_fetch_sub(&self->room, count) < count) {
        atomic_fetch_add(&self->room, count);
        return COSET_OK;
    }
    coset_status status = ctx_alloc_raw(ctx, count, 1, &bytes);
    if (status == COSET_OK) {
        for (int64_t i = 0; i < count; i++) bytes[i] = (uint8_t)values[i];
        if (atomic_compare_exchange_strong(&self->kept[index], &none, bytes)) return COSET_OK;
        ctx_free(ctx, bytes);
    }
    atomic_fetch_add(&self->room, count);
    return status;
}

coset_status image_files_read(coset_ctx *ctx, image_files *self, int64_t index, float *out)
{
    const uint8_t *kept = atomic_load(&self->kept[index]);
    if (kept == NULL) {
        coset_status status = prepare(ctx, self, index, out);
        return status != COSET_OK ? status : keep(ctx, self, index, out);
    }
    int64_t count = shape_product(&self->shape, 0, 3);
    for (int64_t i = 0; i < count; i++) out[i] = (float)kept[i];
    return COSET_OK;
}

void image_files_free(coset_ctx *ctx, image_files *self)
{
    if (self == NULL) return;
    for (int64_t i = 0; self->kept != NULL && i < self->folder.n; i++)
        ctx_free(ctx, atomic_load(&self->kept[i]));
    ctx_free(ctx, (void *)self->kept);
    image_folder_free(ctx, &self->folder);
    ctx_free(ctx, self);
}
