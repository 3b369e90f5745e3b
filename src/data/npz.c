#include "data/npz.h"

#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "data/npy.h"
#include "data/zip.h"
#include "graph/convert.h"

struct npz {
    zip zip;
    file_view view; /* what zip reads from, if it is ours */
    char *source;
    const char **names; /* [zip.n] */
};

/* Array names are the entries' names without ".npy"; two of the same are refused. */
static coset_status name_arrays(coset_ctx *ctx, npz *self)
{
    coset_status status = COSET_OK;
    name_map seen = {0};
    arena *names = &self->zip.arena;
    TRY(arena_alloc(ctx, names, self->zip.n, sizeof *self->names, &self->names));
    for (int64_t i = 0; i < self->zip.n; i++) {
        const char *name = self->zip.entries[i].name;
        size_t length = strlen(name);
        bool twice = false;
        if (length > 4 && strcmp(name + length - 4, ".npy") == 0) length -= 4;
        TRY(arena_string(ctx, names, name, length, &self->names[i]));
        TRY(name_map_set(ctx, &seen, self->names[i], i, &twice));
        if (twice)
            FAIL(ctx, COSET_EFORMAT, "%s: array '%s' is there twice", self->source, self->names[i]);
    }
done:
    name_map_free(ctx, &seen);
    return status;
}

/* Takes over the view. */
static coset_status open_view(coset_ctx *ctx, file_view view, const void *bytes, size_t size,
                              const char *source, npz **npz_out)
{
    coset_status status = COSET_OK;
    npz *self = NULL;
    *npz_out = NULL;
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    self->view = view;
    view = (file_view){0};
    TRY(ctx_strdup(ctx, source, &self->source));
    TRY(zip_open(ctx, bytes, size, self->source, &self->zip));
    TRY(name_arrays(ctx, self));
    *npz_out = self;
    self = NULL;
done:
    npz_close(ctx, self);
    file_unmap(&view);
    return status;
}

coset_status npz_open(coset_ctx *ctx, const char *path, npz **npz_out)
{
    file_view view = {0};
    *npz_out = NULL;
    coset_status status = file_map(ctx, path, &view);
    return status == COSET_OK ? open_view(ctx, view, view.bytes, view.size, path, npz_out) : status;
}

coset_status npz_decode(coset_ctx *ctx, const void *bytes, size_t size, const char *source,
                        npz **npz_out)
{
    return open_view(ctx, (file_view){0}, bytes, size, source, npz_out);
}

void npz_close(coset_ctx *ctx, npz *self)
{
    if (self == NULL) return;
    zip_close(ctx, &self->zip);
    file_unmap(&self->view);
    ctx_free(ctx, self->source);
    ctx_free(ctx, self);
}

int64_t npz_count(const npz *self)
{
    return self->zip.n;
}

const char *npz_name(const npz *self, int64_t index)
{
    return self->names[index];
}

int64_t npz_find(const npz *self, const char *name)
{
    for (int64_t i = 0; i < self->zip.n; i++)
        if (strcmp(self->names[i], name) == 0) return i;
    for (int64_t i = 0; i < self->zip.n; i++)
        if (strcasecmp(self->names[i], name) == 0) return i;
    return -1;
}

coset_status npz_read(coset_ctx *ctx, const npz *self, int64_t index, tensor **tensor_out)
{
    coset_status status = COSET_OK;
    const uint8_t *bytes = NULL;
    void *memory = NULL;
    char *source = NULL;
    const zip_entry *entry = &self->zip.entries[index];
    *tensor_out = NULL;
    TRY(ctx_format(ctx, &source, "%s: '%s'", self->source, self->names[index]));
    TRY(zip_read(ctx, &self->zip, entry, &bytes, &memory));
    TRY(npy_decode(ctx, bytes, (size_t)entry->size, source, tensor_out));
done:
    ctx_free(ctx, memory);
    ctx_free(ctx, source);
    return status;
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* A type of NumPy that holds every value of a type. */
static coset_dtype writable_type(coset_dtype dtype)
{
    switch (dtype) {
    case COSET_BF16:
    case COSET_F8E4M3FN:
    case COSET_F8E4M3FNUZ:
    case COSET_F8E5M2:
    case COSET_F8E5M2FNUZ:
    case COSET_F4E2M1: return COSET_F32;
    case COSET_U4: return COSET_U8;
    case COSET_I4: return COSET_I8;
    default: return dtype;
    }
}

/* Bytes of a tensor in a type that NumPy has: the tensor's own, or in *memory_out. */
static coset_status writable_bytes(coset_ctx *ctx, const tensor *data, coset_dtype dtype,
                                   const void **bytes_out, size_t *size_out, void **memory_out)
{
    coset_status status = COSET_OK;
    array values = {0};
    void *converted = NULL;
    int64_t count = tensor_elements(data);
    *memory_out = NULL;
    *bytes_out = data->data;
    *size_out = data->bytes;
    if (dtype == data->dtype) return COSET_OK;
    TRY(tensor_to_array(ctx, data, &values, &converted));
    *size_out = (size_t)count * coset_dtype_bits(dtype) / 8;
    TRY(ctx_alloc_raw(ctx, (int64_t)*size_out, 1, memory_out));
    if (dtype == COSET_F32)
        convert_from_f32(dtype, values.f, count, *memory_out);
    else
        convert_from_i64(dtype, values.i, count, *memory_out);
    *bytes_out = *memory_out;
done:
    ctx_free(ctx, converted);
    return status;
}

static coset_status write_array(coset_ctx *ctx, zip_writer *writer, const char *entry,
                                const tensor *data)
{
    coset_status status = COSET_OK;
    char header[NPY_HEADER];
    const void *bytes = NULL;
    void *memory = NULL;
    size_t header_size = 0, size = 0;
    coset_dtype dtype = writable_type(data->dtype);
    TRY(npy_header(ctx, dtype, &data->shape, header, &header_size));
    TRY(writable_bytes(ctx, data, dtype, &bytes, &size, &memory));
    TRY(zip_writer_put(ctx, writer, entry, header, header_size, bytes, size));
done:
    ctx_free(ctx, memory);
    return status;
}

coset_status npz_write(coset_ctx *ctx, const char *path, const npz_array *arrays, int64_t n)
{
    coset_status status = COSET_OK;
    zip_writer writer = {0};
    name_map seen = {0};
    char **entries = NULL;
    file_writer *file = NULL;
    TRY(ctx_alloc(ctx, n, sizeof *entries, &entries));
    TRY(file_writer_open(ctx, path, &file));
    writer.file = file;
    for (int64_t i = 0; i < n; i++) {
        bool twice = false;
        TRY(name_map_set(ctx, &seen, arrays[i].name, i, &twice));
        if (twice || arrays[i].name[0] == '\0')
            FAIL(ctx, COSET_EARGUMENT, "%s: array name '%s' is %s", path, arrays[i].name,
                 twice ? "there twice" : "empty");
        TRY(ctx_format(ctx, &entries[i], "%s.npy", arrays[i].name));
        status = write_array(ctx, &writer, entries[i], arrays[i].data);
        if (status == COSET_EUNSUPPORTED)
            status = ctx_fail_in(ctx, status, "%s: array '%s'", path, arrays[i].name);
        if (status != COSET_OK) goto done;
    }
    TRY(zip_writer_finish(&writer));
    status = file_writer_commit(file);
    file = NULL;
done:
    file_writer_abort(file);
    zip_writer_free(ctx, &writer);
    name_map_free(ctx, &seen);
    for (int64_t i = 0; entries != NULL && i < n; i++) ctx_free(ctx, entries[i]);
    ctx_free(ctx, entries);
    return status;
}
