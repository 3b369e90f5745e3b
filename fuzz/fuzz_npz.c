/* Decodes bytes as an .npz file (if they begin as a zip archive does) or .npy file: every array, and as
 * a data set. */
#include "data/data.h"
#include "data/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_all(coset_ctx *ctx, const uint8_t *bytes, size_t size)
{
    npz *archive = NULL;
    if (npz_decode(ctx, bytes, size, "fuzz.npz", &archive) != COSET_OK) return;
    for (int64_t i = 0; i < npz_count(archive); i++) {
        tensor *data = NULL;
        if (npz_read(ctx, archive, i, &data) == COSET_OK) tensor_release(ctx, data);
    }
    npz_close(ctx, archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    coset_ctx *ctx = NULL;
    coset_data *data = NULL;
    bool archive = size >= 2 && bytes[0] == 'P' && bytes[1] == 'K';
    if (coset_ctx_new(NULL, &ctx) != COSET_OK) return 0;
    if (archive) read_all(ctx, bytes, size);
    if (data_decode(ctx, bytes, size, archive ? "fuzz.npz" : "fuzz.npy", NULL, &data) == COSET_OK)
        coset_data_free(ctx, data);
    coset_ctx_free(ctx);
    return 0;
}
