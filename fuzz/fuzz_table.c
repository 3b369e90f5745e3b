/* Loads bytes as a table; the first byte says as which kind: '0' .csv, '1' text, '2' .arff. */
#include <stdlib.h>

#include "data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"fuzz.csv", "fuzz.txt", "fuzz.arff"};
    coset_data_options options = COSET_DATA_OPTIONS_INIT;
    coset_ctx *ctx = NULL;
    coset_data *data = NULL;
    if (size == 0 || coset_ctx_new(NULL, &ctx) != COSET_OK) return 0;
    options.standardise = (bytes[0] - '0') / 3 % 2 != 0;
    const char *name = names[bytes[0] % 3];
    if (data_decode(ctx, bytes + 1, size - 1, name, &options, &data) == COSET_OK) {
        /* What was accepted must be readable to the last row. */
        int64_t width = shape_product(&data->sample, 0, data->sample.rank);
        float *row = malloc((size_t)width * sizeof *row);
        if (row == NULL ||
            data_fill(ctx, data, &data->train, NULL, data->train.rows - 1, 1, row) != COSET_OK)
            abort();
        free(row);
        coset_data_free(ctx, data);
    }
    coset_ctx_free(ctx);
    return 0;
}
