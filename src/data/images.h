/* Images as samples: what is done to each, and files that are decoded when they are asked for. */
#ifndef COSET_DATA_IMAGES_H
#define COSET_DATA_IMAGES_H

#include "data/image_folder.h"
#include "data/resize.h"
#include "graph/tensor.h"

/* What is done to an image before it is scaled. */
typedef struct image_recipe {
    int64_t height, width; /* 0, 0: the image keeps its size */
    coset_fit fit;
    coset_channels channels;
    float pad;
} image_recipe;

image_recipe recipe_of(const coset_data_options *options);
/* True if it changes anything. */
bool recipe_acts(const image_recipe *self);
/* Shape [channels, height, width] of what an image becomes; channels 0 if its channels cannot be brought
 * into order. */
shape recipe_shape(const image_recipe *self, int64_t height, int64_t width, int64_t channels);

/* Carries it out, channels first, then the size, by the formulas of resize.h.
 *   STRETCH    each side by itself
 *   CROP       scaled until both sides are at least as long as wanted and one exactly, the other rounded
 *              down; its middle, where half a pixel goes to the even side
 *   LETTERBOX  scaled until both sides are at most as long as wanted and one exactly, the other rounded
 *              down but not to 0; at the top left of an image that is filled with the pad value
 *   out        [channels, height, width] of recipe_shape
 * Errors: COSET_EMEMORY. */
COSET_MUST_USE coset_status recipe_apply(coset_ctx *ctx, const image_recipe *self,
                                         const pixel_view *from, float *out);

/* Files of one data set. Prepared images are kept as bytes, up to IMAGES_KEEP in all, so that what
 * several passes look at is decoded once. */
typedef struct image_files image_files;
#define IMAGES_KEEP ((int64_t)512 << 20)

/* Takes over the paths of `folder`. If the recipe has no size, the first image is decoded: all must have
 * its size.
 *   shape_out  [channels, height, width]
 * Errors: those of image_load. */
COSET_MUST_USE coset_status image_files_new(coset_ctx *ctx, image_folder *folder,
                                            const image_recipe *recipe, shape *shape_out,
                                            image_files **files_out);
/* Decodes and prepares file `index` of the folder. Any number of threads may read the same files, each
 * with a context of its own and the same allocator.
 *   out  [channels, height, width], values 0..255
 * Errors: those of image_load; COSET_EFORMAT for an image of another size than the first. */
COSET_MUST_USE coset_status image_files_read(coset_ctx *ctx, image_files *self, int64_t index,
                                             float *out);
void image_files_free(coset_ctx *ctx, image_files *self); /* NULL is allowed */

#endif
