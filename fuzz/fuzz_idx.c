/* Loads bytes as an idx file, gzipped or not. */
#include "data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    coset_ctx *ctx = NULL;
    coset_data *data = NULL;
    if (coset_ctx_new(NULL, &ctx) != COSET_OK) return 0;
    if (data_decode(ctx, bytes, size, "fuzz-idx3-ubyte", NULL, &data) == COSET_OK)
        coset_data_free(ctx, data);
    coset_ctx_free(ctx);
    return 0;
}
