#include "support/official.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "onnx/onnx.h"

enum { PATH_SIZE = 1024 };

const char *official_folder(void)
{
    const char *folder = getenv("COSET_ONNX_TESTDATA");
    if (!folder) folder = "/usr/share/libonnx-testdata/data";
    return access(folder, R_OK) == 0 ? folder : NULL;
}

static int is_case(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

void official_each(const char *group,
                   void (*visit)(void *user, const char *name, const char *folder), void *user)
{
    char path[PATH_SIZE], name[PATH_SIZE];
    struct dirent **entries = NULL;
    snprintf(path, sizeof path, "%s/%s", official_folder(), group);
    const int n = scandir(path, &entries, is_case, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s/%s", group, entries[i]->d_name);
        snprintf(path, sizeof path, "%s/%s", official_folder(), name);
        visit(user, name, path);
        free(entries[i]);
    }
    free(entries);
}

static bool exists(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0;
}

int official_sets(const char *folder)
{
    char path[PATH_SIZE];
    for (int set = 0;; set++) {
        snprintf(path, sizeof path, "%s/test_data_set_%d", folder, set);
        if (!exists(path)) return set;
    }
}

static coset_status read_tensor(coset_ctx *ctx, const char *path, tensor **tensor_out)
{
    file_view view = {NULL, 0};
    coset_status status = file_map(ctx, path, &view);
    if (status != COSET_OK) return status;
    status = onnx_decode_tensor(ctx, view.bytes, view.size, tensor_out);
    file_unmap(&view);
    return status;
}

/* Takes uint16 for the bits of a bfloat16 where that is declared. */
static coset_status retype(coset_ctx *ctx, coset_dtype declared, tensor **value)
{
    coset_status status = COSET_OK;
    tensor *retyped = NULL;
    void *data = NULL;
    if (declared != COSET_BF16 || (*value)->dtype != COSET_U16) goto done;
    TRY(ctx_alloc(ctx, (int64_t)(*value)->bytes, 1, &data));
    if ((*value)->bytes > 0) memcpy(data, (*value)->data, (*value)->bytes);
    TRY(tensor_new(ctx, COSET_BF16, &(*value)->shape, data, (*value)->bytes, &retyped));
    data = NULL;
    tensor_release(ctx, *value);
    *value = retyped;
done:
    ctx_free(ctx, data);
    return status;
}

coset_status official_read(coset_ctx *ctx, const char *folder, int set, const char *prefix,
                           const coset_graph *graph, const int32_t *values, int64_t n_values,
                           official_values *values_out)
{
    coset_status status = COSET_OK;
    char path[PATH_SIZE];
    *values_out = (official_values){0};
    for (int i = 0; i < OFFICIAL_MAX_VALUES; i++) {
        snprintf(path, sizeof path, "%s/test_data_set_%d/%s_%d.pb", folder, set, prefix, i);
        if (!exists(path)) break;
        values_out->n = i + 1;
        TRY(read_tensor(ctx, path, &values_out->tensors[i]));
        if (i < n_values) TRY(retype(ctx, graph->values[values[i]].dtype, &values_out->tensors[i]));
        TRY(tensor_to_array(ctx, values_out->tensors[i], &values_out->values[i],
                            &values_out->memory[i]));
    }
done:
    if (status != COSET_OK) official_free(ctx, values_out);
    return status;
}

void official_free(coset_ctx *ctx, official_values *values)
{
    for (int i = 0; i < values->n; i++) {
        ctx_free(ctx, values->memory[i]);
        tensor_release(ctx, values->tensors[i]);
    }
    *values = (official_values){0};
}
