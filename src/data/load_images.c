/* A folder of images as a data set. */
#include <string.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "data/samples.h"

static coset_status check_options(coset_ctx *ctx, const char *path,
                                  const coset_data_options *options)
{
    if (options->target != NULL && strcmp(options->target, "none") != 0)
        return ctx_fail(
            ctx, COSET_EARGUMENT,
            "%s: here the target can only be 'none'; the names of the folders say what y "
            "is",
            path);
    if (options->standardise)
        return ctx_fail(ctx, COSET_EARGUMENT, "%s: only columns can be standardised, not images",
                        path);
    if (options->layout != COSET_LAYOUT_AS_IS)
        return ctx_fail(ctx, COSET_EARGUMENT, "%s: the layout is for arrays, these are image files",
                        path);
    return COSET_OK;
}

/* Entries order[0..rows) (NULL: first, first + 1, ...) of the folder as a part. */
static coset_status make_part(coset_ctx *ctx, const image_folder *folder, const int64_t *order,
                              int64_t first, int64_t rows, bool labels, data_part *part)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc_raw(ctx, rows, sizeof *part->file, &part->file));
    if (labels) TRY(ctx_alloc_raw(ctx, rows, sizeof *part->label, &part->label));
    for (int64_t i = 0; i < rows; i++) {
        part->file[i] = order != NULL ? order[i] : first + i;
        if (labels) part->label[i] = folder->entries[part->file[i]].label;
    }
    part->rows = rows;
done:
    return status;
}

/* Both parts, from the folder's own or drawn as those of tables are. */
static coset_status make_parts(coset_ctx *ctx, const image_folder *folder,
                               const coset_data_options *options, coset_data *data)
{
    coset_status status = COSET_OK;
    int64_t *order = NULL, n_test = folder->n - folder->n_train;
    bool labels = folder->n_classes > 0 && options->target == NULL;
    if (labels) data->n_classes = folder->n_classes;
    if (n_test == 0 && folder->n > 1) {
        rng random = rng_seed(ctx->seed, STREAM_SPLIT);
        TRY(ctx_alloc_raw(ctx, folder->n, sizeof *order, &order));
        rng_permutation(&random, folder->n, order);
        n_test = samples_test_rows(folder->n, options->test_share);
        TRY(make_part(ctx, folder, order, 0, n_test, labels, &data->test));
        TRY(make_part(ctx, folder, order + n_test, 0, folder->n - n_test, labels, &data->train));
        goto done;
    }
    TRY(make_part(ctx, folder, NULL, 0, folder->n_train, labels, &data->train));
    if (n_test > 0) TRY(make_part(ctx, folder, NULL, folder->n_train, n_test, labels, &data->test));
done:
    ctx_free(ctx, order);
    return status;
}

static coset_status build(coset_ctx *ctx, image_folder *folder, const char *path,
                          const coset_data_options *options, coset_data **data_out)
{
    coset_status status = COSET_OK;
    coset_data *data = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *data, &data));
    TRY(ctx_strdup(ctx, path, &data->name));
    TRY(image_folder_digest(ctx, folder, data->digest));
    TRY(make_parts(ctx, folder, options, data));
    data->layout = COSET_LAYOUT_NCHW;
    data->recipe = recipe_of(options);
    TRY(image_files_new(ctx, folder, &data->recipe, &data->sample, &data->files));
    TRY(samples_set_channels(ctx, data, options));
    *data_out = data;
    data = NULL;
done:
    coset_data_free(ctx, data);
    return status;
}

coset_status samples_load_images(coset_ctx *ctx, const char *path,
                                 const coset_data_options *options, coset_data **data_out)
{
    coset_status status = COSET_OK;
    image_folder folder = {0};
    struct stat st;
    *data_out = NULL;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return COSET_OK;
    TRY(image_folder_scan(ctx, path, options->test, &folder));
    if (folder.n == 0) goto done;
    TRY(check_options(ctx, path, options));
    TRY(build(ctx, &folder, path, options, data_out));
done:
    image_folder_free(ctx, &folder);
    return status;
}
