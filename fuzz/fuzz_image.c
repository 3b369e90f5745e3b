/* Decodes bytes as an image, and prepares it as a model would get it. */
#include "data/image.h"
#include "data/images.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void prepare(coset_ctx *ctx, const image *found, const image_recipe *recipe)
{
    float out[3 * 8 * 5];
    pixel_view view = {.bytes = found->pixels,
                       .height = found->height,
                       .width = found->width,
                       .channels = found->channels,
                       .row = found->width * found->channels,
                       .column = found->channels,
                       .channel = 1};
    if (recipe_apply(ctx, recipe, &view, out) != COSET_OK) return;
    for (int i = 0; i < 8 * 5; i++)
        if (!(out[i] >= 0 && out[i] <= 255)) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const image_recipe recipes[] = {{8, 5, COSET_FIT_CROP, COSET_CHANNELS_BGR, 0},
                                           {8, 5, COSET_FIT_LETTERBOX, COSET_CHANNELS_GREY, 114},
                                           {8, 5, COSET_FIT_STRETCH, COSET_CHANNELS_RGB, 0}};
    coset_ctx *ctx = NULL;
    image found = {0};
    if (coset_ctx_new(NULL, &ctx) != COSET_OK) return 0;
    if (image_decode(ctx, bytes, size, "fuzz.png", &found) == COSET_OK)
        for (int i = 0; i < 3; i++) prepare(ctx, &found, &recipes[i]);
    image_free(ctx, &found);
    coset_ctx_free(ctx);
    return 0;
}
