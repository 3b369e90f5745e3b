#include "api/arrays.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "data/npy.h"
#include "data/npz.h"

/* What coset_array.owner points to. */
typedef struct array_owner {
    tensor *data;
    char *name;
} array_owner;

static const char *array_name(const coset_array *self)
{
    return self->name != NULL ? self->name : "";
}

coset_status array_view(coset_ctx *ctx, const coset_array *given, tensor *view_out)
{
    shape dims = {.rank = given->rank};
    size_t bytes = 0;
    char text[SHAPE_TEXT];
    if (given->rank < 0 || given->rank > TENSOR_MAX_RANK)
        return ctx_fail(ctx, COSET_EARGUMENT, "array '%s' has rank %d, not 0 to %d",
                        array_name(given), given->rank, (int)TENSOR_MAX_RANK);
    for (int a = 0; a < given->rank; a++) dims.dims[a] = given->dims[a];
    if (!shape_known(&dims))
        return ctx_fail(ctx, COSET_EARGUMENT, "array '%s' has a negative dimension",
                        array_name(given));
    coset_status status = tensor_bytes(ctx, given->dtype, &dims, &bytes);
    if (status != COSET_OK) return ctx_fail_in(ctx, status, "array '%s'", array_name(given));
    if (bytes != given->bytes || (bytes > 0 && given->data == NULL))
        return ctx_fail(ctx, COSET_EARGUMENT, "array '%s' of %s %s needs %zu bytes, not %zu",
                        array_name(given), coset_dtype_name(given->dtype),
                        shape_text(&dims, text, sizeof text), bytes,
                        given->data != NULL ? given->bytes : 0);
    *view_out = (tensor){
        .references = 1, .dtype = given->dtype, .shape = dims, .bytes = bytes, .data = given->data};
    return COSET_OK;
}

coset_status array_own(coset_ctx *ctx, const char *name, tensor *data, coset_array *array_out)
{
    coset_status status = COSET_OK;
    array_owner *owner = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *owner, &owner));
    TRY(ctx_strdup(ctx, name, &owner->name));
    owner->data = data;
    *array_out = (coset_array){.name = owner->name,
                               .dtype = data->dtype,
                               .rank = data->shape.rank,
                               .data = data->data,
                               .bytes = data->bytes,
                               .owner = owner};
    for (int a = 0; a < data->shape.rank; a++) array_out->dims[a] = data->shape.dims[a];
    owner = NULL;
done:
    ctx_free(ctx, owner);
    return status;
}

void coset_arrays_free(coset_ctx *ctx, coset_array *arrays, int64_t n)
{
    for (int64_t k = 0; arrays != NULL && k < n; k++) {
        array_owner *owner = arrays[k].owner;
        if (owner == NULL) continue;
        tensor_release(ctx, owner->data);
        ctx_free(ctx, owner->name);
        ctx_free(ctx, owner);
    }
    ctx_free(ctx, arrays);
}

static bool has_suffix(const char *path, const char *suffix)
{
    size_t length = strlen(path), tail = strlen(suffix);
    return length > tail && strcasecmp(path + length - tail, suffix) == 0;
}

static coset_status load_npy(coset_ctx *ctx, const char *path, coset_array **arrays_out,
                             int64_t *n_out)
{
    coset_status status = COSET_OK;
    file_view file = {0};
    tensor *data = NULL;
    coset_array *arrays = NULL;
    TRY(file_map(ctx, path, &file));
    TRY(npy_decode(ctx, file.bytes, file.size, path, &data));
    TRY(ctx_alloc(ctx, 1, sizeof *arrays, &arrays));
    TRY(array_own(ctx, "", data, arrays));
    data = NULL;
    *arrays_out = arrays;
    *n_out = 1;
    arrays = NULL;
done:
    file_unmap(&file);
    tensor_release(ctx, data);
    ctx_free(ctx, arrays);
    return status;
}

static coset_status load_npz(coset_ctx *ctx, const char *path, coset_array **arrays_out,
                             int64_t *n_out)
{
    coset_status status = COSET_OK;
    npz *file = NULL;
    tensor *data = NULL;
    coset_array *arrays = NULL;
    int64_t n = 0;
    TRY(npz_open(ctx, path, &file));
    n = npz_count(file);
    TRY(ctx_alloc(ctx, n, sizeof *arrays, &arrays));
    for (int64_t k = 0; k < n; k++) {
        TRY(npz_read(ctx, file, k, &data));
        TRY(array_own(ctx, npz_name(file, k), data, &arrays[k]));
        data = NULL;
    }
    *arrays_out = arrays;
    *n_out = n;
    arrays = NULL;
done:
    npz_close(ctx, file);
    tensor_release(ctx, data);
    coset_arrays_free(ctx, arrays, n);
    return status;
}

coset_status coset_arrays_load(coset_ctx *ctx, const char *path, coset_array **arrays_out,
                               int64_t *n_out)
{
    *arrays_out = NULL;
    *n_out = 0;
    if (has_suffix(path, ".npz")) return load_npz(ctx, path, arrays_out, n_out);
    if (has_suffix(path, ".npy")) return load_npy(ctx, path, arrays_out, n_out);
    return ctx_fail(ctx, COSET_EARGUMENT, "%s: expected a .npz or .npy file", path);
}

static coset_status save_npy(coset_ctx *ctx, const char *path, const tensor *data)
{
    coset_status status = COSET_OK;
    file_writer *writer = NULL;
    char header[NPY_HEADER];
    size_t size = 0;
    TRY(npy_header(ctx, data->dtype, &data->shape, header, &size));
    TRY(file_writer_open(ctx, path, &writer));
    TRY(file_writer_put(writer, header, size));
    TRY(file_writer_put(writer, data->data, data->bytes));
    status = file_writer_commit(writer);
    writer = NULL;
done:
    file_writer_abort(writer);
    return status;
}

coset_status coset_arrays_save(coset_ctx *ctx, const char *path, const coset_array *arrays,
                               int64_t n)
{
    coset_status status = COSET_OK;
    npz_array *list = NULL;
    tensor *views = NULL;
    bool single = has_suffix(path, ".npy");
    if (!single && !has_suffix(path, ".npz"))
        FAIL(ctx, COSET_EARGUMENT, "%s: expected a .npz or .npy file", path);
    if (single && n != 1)
        FAIL(ctx, COSET_EARGUMENT, "%s: a .npy file holds one array, not %lld", path, (long long)n);
    TRY(ctx_alloc(ctx, n, sizeof *list, &list));
    TRY(ctx_alloc(ctx, n, sizeof *views, &views));
    for (int64_t k = 0; k < n; k++) {
        TRY(array_view(ctx, &arrays[k], &views[k]));
        list[k] = (npz_array){array_name(&arrays[k]), &views[k]};
    }
    if (single)
        TRY(save_npy(ctx, path, &views[0]));
    else
        TRY(npz_write(ctx, path, list, n));
done:
    ctx_free(ctx, list);
    ctx_free(ctx, views);
    return status;
}
