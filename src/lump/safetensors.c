#include "lump/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/digest.h"
#include "base/json_reader.h"

enum { LENGTH_BYTES = 8, ALIGNMENT = 8 };

static const struct {
    const char *name;
    coset_dtype dtype;
} types[] = {
    {"F64", COSET_F64},        {"F32", COSET_F32},
    {"F16", COSET_F16},        {"BF16", COSET_BF16},
    {"I64", COSET_I64},        {"I32", COSET_I32},
    {"I16", COSET_I16},        {"I8", COSET_I8},
    {"U64", COSET_U64},        {"U32", COSET_U32},
    {"U16", COSET_U16},        {"U8", COSET_U8},
    {"BOOL", COSET_BOOL},      {"F8_E4M3", COSET_F8E4M3FN},
    {"F8_E5M2", COSET_F8E5M2},
};

static const char *type_name(coset_dtype dtype)
{
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        if (types[t].dtype == dtype) return types[t].name;
    return NULL;
}

static coset_dtype type_of(const char *name)
{
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        if (strcmp(types[t].name, name) == 0) return types[t].dtype;
    return COSET_UNDEFINED;
}

/* ---- writing ----------------------------------------------------------------------------------- */

static coset_status describe(coset_ctx *ctx, json_t *header, const safetensors_entry *entry,
                             uint64_t *offset)
{
    const char *type = type_name(entry->dtype);
    if (type == NULL)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "safetensors knows no element type %s ('%s')",
                        coset_dtype_name(entry->dtype), entry->name);
    json_t *dims = json_array();
    bool made = dims != NULL;
    for (int a = 0; a < entry->shape.rank; a++)
        made = made && json_array_append_new(dims, json_integer(entry->shape.dims[a])) == 0;
    json_int_t begin = (json_int_t)*offset, end = (json_int_t)(*offset + entry->bytes);
    /* json_pack takes the reference of `o` also when it fails. */
    json_t *all =
        json_pack("{s:s, s:o, s:[I, I]}", "dtype", type, "shape", dims, "data_offsets", begin, end);
    if (!made || all == NULL) {
        json_decref(all);
        return ctx_fail(ctx, COSET_EMEMORY, "no memory for the header of a safetensors file");
    }
    if (json_object_set_new(header, entry->name, all) != 0)
        return ctx_fail(ctx, COSET_EMEMORY, "no memory for the header of a safetensors file");
    *offset += entry->bytes;
    return COSET_OK;
}

/* The header's text. json_dumps would not do: jansson (2.14) loses parts where its memory fails. */
typedef struct header_text {
    coset_ctx *ctx;
    char *bytes;
    int64_t used, capacity;
    coset_status status;
} header_text;

static int append(const char *bytes, size_t size, void *user)
{
    header_text *self = user;
    if (self->status == COSET_OK)
        self->status =
            ctx_reserve(self->ctx, &self->bytes, &self->capacity, self->used + (int64_t)size, 1);
    if (self->status != COSET_OK) return -1;
    memcpy(self->bytes + self->used, bytes, size);
    self->used += (int64_t)size;
    return 0;
}

/* text->bytes is the caller's to free, also after failure. */
static coset_status build_header(coset_ctx *ctx, const safetensors_entry *entries, int64_t n,
                                 const char *note, header_text *text)
{
    coset_status status = COSET_OK;
    uint64_t offset = 0;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", note);
    if (header == NULL) FAIL(ctx, COSET_EMEMORY, "no memory for the header of a safetensors file");
    for (int64_t i = 0; i < n; i++) TRY(describe(ctx, header, &entries[i], &offset));
    bool dumped = json_dump_callback(header, append, text, JSON_COMPACT) == 0;
    TRY(text->status);
    if (!dumped) FAIL(ctx, COSET_EMEMORY, "no memory for the header of a safetensors file");
    while (text->used % ALIGNMENT != 0) /* so that the data is aligned */
        if (append(" ", 1, text) != 0) break;
    status = text->status;
done:
    json_decref(header);
    return status;
}

static coset_status put(file_writer *writer, digest *sum, const void *bytes, size_t size)
{
    digest_add(sum, bytes, size);
    return file_writer_put(writer, bytes, size);
}

coset_status safetensors_put(coset_ctx *ctx, file_writer *writer, const safetensors_entry *entries,
                             int64_t n, const char *note, char *digest_out)
{
    coset_status status = COSET_OK;
    header_text header = {.ctx = ctx};
    digest *sum = NULL;
    uint8_t length[LENGTH_BYTES];
    TRY(build_header(ctx, entries, n, note, &header));
    TRY(digest_new(ctx, &sum));
    if (header.used > SAFETENSORS_HEADER)
        FAIL(ctx, COSET_ELIMIT, "the header of a safetensors file exceeds %d bytes",
             SAFETENSORS_HEADER);
    for (int b = 0; b < LENGTH_BYTES; b++) length[b] = (uint8_t)(header.used >> 8 * b);
    TRY(put(writer, sum, length, sizeof length));
    TRY(put(writer, sum, header.bytes, (size_t)header.used));
    for (int64_t i = 0; i < n; i++) TRY(put(writer, sum, entries[i].data, entries[i].bytes));
    digest_end(sum, digest_out);
done:
    ctx_free(ctx, header.bytes);
    digest_free(ctx, sum);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------- */

struct safetensors {
    int64_t n;
    safetensors_entry *entries; /* by name */
    json_document *header;      /* holds the names */
};

static int by_place(const void *left, const void *right)
{
    const safetensors_entry *a = left, *b = right;
    if (a->data != b->data) return (uintptr_t)a->data < (uintptr_t)b->data ? -1 : 1;
    return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const safetensors_entry *)left)->name,
                  ((const safetensors_entry *)right)->name);
}

static coset_status read_shape(coset_ctx *ctx, const jvalue *json, const char *name,
                               shape *shape_out)
{
    *shape_out = (shape){.rank = 0};
    if (json == NULL || json->kind != JVALUE_LIST)
        return ctx_fail(ctx, COSET_EFORMAT, "tensor '%s' has no shape", name);
    if (json->n > TENSOR_MAX_RANK)
        return ctx_fail(ctx, COSET_ELIMIT, "tensor '%s' has rank %lld, over %d", name,
                        (long long)json->n, TENSOR_MAX_RANK);
    for (int64_t a = 0; a < json->n; a++) {
        const jvalue *dim = &json->items[a];
        if (dim->kind != JVALUE_INTEGER || dim->integer < 0)
            return ctx_fail(ctx, COSET_EFORMAT,
                            "dimension %lld of tensor '%s' is not a number of elements",
                            (long long)a, name);
        shape_out->dims[shape_out->rank++] = dim->integer;
    }
    return COSET_OK;
}

/* Where a tensor lies in the `size` bytes behind the header. */
static coset_status read_place(coset_ctx *ctx, const jvalue *json, const uint8_t *data, size_t size,
                               safetensors_entry *entry)
{
    if (json == NULL || json->kind != JVALUE_LIST || json->n != 2 ||
        json->items[0].kind != JVALUE_INTEGER || json->items[1].kind != JVALUE_INTEGER)
        return ctx_fail(ctx, COSET_EFORMAT, "tensor '%s' has no pair of data_offsets", entry->name);
    int64_t from = json->items[0].integer, to = json->items[1].integer;
    if (from < 0 || to < from || (uint64_t)to > size)
        return ctx_fail(ctx, COSET_EFORMAT,
                        "tensor '%s' claims bytes %lld to %lld of the %zu that there are",
                        entry->name, (long long)from, (long long)to, size);
    entry->data = data + from;
    entry->bytes = (size_t)(to - from);
    return COSET_OK;
}

static coset_status read_entry(coset_ctx *ctx, const jvalue *json, const uint8_t *data, size_t size,
                               safetensors_entry *entry)
{
    coset_status status = COSET_OK;
    const char *type = jvalue_text(jvalue_get(json, "dtype"));
    size_t need = 0;
    char text[SHAPE_TEXT];
    if (type == NULL) FAIL(ctx, COSET_EFORMAT, "tensor '%s' has no dtype", entry->name);
    entry->dtype = type_of(type);
    if (entry->dtype == COSET_UNDEFINED)
        FAIL(ctx, COSET_EUNSUPPORTED, "tensor '%s' has the unknown dtype '%.16s'", entry->name,
             type);
    TRY(read_shape(ctx, jvalue_get(json, "shape"), entry->name, &entry->shape));
    TRY(read_place(ctx, jvalue_get(json, "data_offsets"), data, size, entry));
    TRY(tensor_bytes(ctx, entry->dtype, &entry->shape, &need));
    if (need != entry->bytes)
        FAIL(ctx, COSET_EFORMAT, "tensor '%s' of type %s and shape %s needs %zu bytes, not %zu",
             entry->name, type, shape_text(&entry->shape, text, sizeof text), need, entry->bytes);
done:
    return status;
}

/* Every byte belongs to exactly one tensor. */
static coset_status check_cover(coset_ctx *ctx, safetensors *self, const uint8_t *data, size_t size)
{
    const uint8_t *next = data;
    if (self->n > 0) qsort(self->entries, (size_t)self->n, sizeof *self->entries, by_place);
    for (int64_t i = 0; i < self->n; i++) {
        const safetensors_entry *entry = &self->entries[i];
        if ((const uint8_t *)entry->data != next)
            return ctx_fail(ctx, COSET_EFORMAT,
                            "tensor '%s' begins at byte %zu of the data, the one before it ends at "
                            "%zu",
                            entry->name, (size_t)((const uint8_t *)entry->data - data),
                            (size_t)(next - data));
        next += entry->bytes;
    }
    if (next != data + size)
        return ctx_fail(ctx, COSET_EFORMAT, "%zu bytes belong to no tensor",
                        (size_t)(data + size - next));
    return COSET_OK;
}

static coset_status read_header(coset_ctx *ctx, const jvalue *header, const uint8_t *data,
                                size_t size, safetensors *self)
{
    coset_status status = COSET_OK;
    TRY(ctx_alloc(ctx, header->n, sizeof *self->entries, &self->entries));
    for (int64_t i = 0; i < header->n; i++) {
        const jvalue *json = &header->items[i];
        if (strcmp(json->key, "__metadata__") == 0) continue;
        safetensors_entry *entry = &self->entries[self->n++];
        entry->name = json->key;
        TRY(read_entry(ctx, json, data, size, entry));
    }
    TRY(check_cover(ctx, self, data, size));
    if (self->n > 0) qsort(self->entries, (size_t)self->n, sizeof *self->entries, by_name);
done:
    return status;
}

coset_status safetensors_decode(coset_ctx *ctx, const void *bytes, size_t size, const char *name,
                                safetensors **file_out)
{
    coset_status status = COSET_OK;
    safetensors *self = NULL;
    const uint8_t *from = bytes;
    uint64_t length = 0;
    *file_out = NULL;
    if (size < LENGTH_BYTES) FAIL(ctx, COSET_EFORMAT, "%s: too short for a safetensors file", name);
    for (int b = 0; b < LENGTH_BYTES; b++) length |= (uint64_t)from[b] << 8 * b;
    if (length > SAFETENSORS_HEADER)
        FAIL(ctx, COSET_ELIMIT, "%s: a header of %llu bytes, over %d", name,
             (unsigned long long)length, SAFETENSORS_HEADER);
    if (length > size - LENGTH_BYTES)
        FAIL(ctx, COSET_EFORMAT, "%s: a header of %llu bytes in a file of %zu", name,
             (unsigned long long)length, size);
    TRY(ctx_alloc(ctx, 1, sizeof *self, &self));
    TRY(json_read(ctx, from + LENGTH_BYTES, (size_t)length, name, &self->header));
    status = read_header(ctx, json_root(self->header), from + LENGTH_BYTES + length,
                         size - LENGTH_BYTES - (size_t)length, self);
    if (status != COSET_OK) {
        status = ctx_fail_in(ctx, status, "%s", name);
        goto done;
    }
    *file_out = self;
    self = NULL;
done:
    safetensors_free(ctx, self);
    return status;
}

int64_t safetensors_count(const safetensors *self)
{
    return self->n;
}

const safetensors_entry *safetensors_at(const safetensors *self, int64_t index)
{
    return &self->entries[index];
}

const safetensors_entry *safetensors_find(const safetensors *self, const char *name)
{
    safetensors_entry wanted = {.name = name};
    if (self->n == 0) return NULL;
    return bsearch(&wanted, self->entries, (size_t)self->n, sizeof *self->entries, by_name);
}

void safetensors_free(coset_ctx *ctx, safetensors *self)
{
    if (self == NULL) return;
    ctx_free(ctx, self->entries);
    json_document_free(ctx, self->header);
    ctx_free(ctx, self);
}
