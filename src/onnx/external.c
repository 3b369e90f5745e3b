/* External data: weights that a model keeps in other files of its folder. */
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"
#include "base/size.h"
#include "onnx/model.h"

typedef struct loader {
    coset_ctx *ctx;
    onnx_model *model;
    const char *folder;
    /* Ranges may overlap, so what is read is held against the size of the files it comes from. */
    name_map files;
    arena names;
    size_t on_disk, loaded;
} loader;

static coset_status parse_size(coset_ctx *ctx, const char *key, const char *text,
                               uint64_t *value_out)
{
    uint64_t value = 0;
    bool valid = text[0] != '\0';
    for (const char *at = text; *at != '\0' && valid; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        valid = *at >= '0' && *at <= '9' && !__builtin_mul_overflow(value, 10, &value) &&
                !__builtin_add_overflow(value, digit, &value);
    }
    *value_out = value;
    if (valid) return COSET_OK;
    return ctx_fail(ctx, COSET_EFORMAT, "external data: '%.100s' is no %s", text, key);
}

typedef struct location {
    const char *file;
    uint64_t offset, length;
    bool has_length;
} location;

static coset_status read_location(coset_ctx *ctx, const Onnx__TensorProto *proto, location *out)
{
    coset_status status = COSET_OK;
    *out = (location){0};
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const char *key = proto->external_data[i]->key, *value = proto->external_data[i]->value;
        if (key == NULL || value == NULL) continue;
        if (strcmp(key, "location") == 0) out->file = value;
        if (strcmp(key, "offset") == 0) TRY(parse_size(ctx, key, value, &out->offset));
        if (strcmp(key, "length") == 0) {
            TRY(parse_size(ctx, key, value, &out->length));
            out->has_length = true;
        }
    }
    if (out->file == NULL) FAIL(ctx, COSET_EFORMAT, "external data: no location is given");
done:
    return status;
}

/* Refuses ranges that are read over and over: a small model could name the same bytes many times. */
static coset_status account(loader *self, const char *file, size_t file_size, size_t bytes)
{
    coset_status status = COSET_OK;
    if (name_map_get(&self->files, file, -1) < 0) {
        const char *name = NULL;
        TRY(arena_string(self->ctx, &self->names, file, strlen(file), &name));
        TRY(name_map_set(self->ctx, &self->files, name, 0, NULL));
        self->on_disk += file_size;
    }
    self->loaded += bytes;
    if (self->loaded / 4 > self->on_disk + HEAP_SLACK / 4)
        FAIL(self->ctx, COSET_ELIMIT, "external data '%.300s': the same bytes are used too often",
             file);
done:
    return status;
}

/* The tensor holds `data` (from ctx_alloc) as raw_data from now on. */
static void set_raw_data(onnx_model *model, Onnx__TensorProto *proto, uint8_t *data, size_t bytes)
{
    ProtobufCAllocator *allocator = &model->heap.allocator;
    for (size_t i = 0; i < proto->n_external_data; i++)
        protobuf_c_message_free_unpacked(&proto->external_data[i]->base, allocator);
    allocator->free(allocator->allocator_data, proto->external_data);
    allocator->free(allocator->allocator_data, proto->raw_data.data);
    proto->external_data = NULL;
    proto->n_external_data = 0;
    proto->has_data_location = 0;
    proto->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
    proto->has_raw_data = 1;
    proto->raw_data = (ProtobufCBinaryData){bytes, data};
    model->internalised = true;
}

static coset_status load_tensor(loader *self, Onnx__TensorProto *proto)
{
    coset_ctx *ctx = self->ctx;
    coset_status status = COSET_OK;
    file_view view = {0};
    location where;
    coset_dtype dtype = COSET_UNDEFINED;
    shape dims = SHAPE_UNKNOWN;
    size_t need = 0;
    uint8_t *data = NULL;
    TRY(onnx_tensor_type(ctx, proto, &dtype, &dims));
    if (dtype == COSET_STRING) FAIL(ctx, COSET_EFORMAT, "strings cannot be external data");
    TRY(tensor_bytes(ctx, dtype, &dims, &need));
    TRY(read_location(ctx, proto, &where));
    if (self->folder == NULL)
        FAIL(ctx, COSET_EFORMAT, "external data '%.300s': no folder is known to look for it",
             where.file);
    TRY(file_map_inside(ctx, self->folder, where.file, &view));
    if (!where.has_length) where.length = where.offset <= view.size ? view.size - where.offset : 0;
    if (where.length != need)
        FAIL(ctx, COSET_EFORMAT, "external data '%.300s': %llu bytes are given, %zu are needed",
             where.file, (unsigned long long)where.length, need);
    if (!range_inside(where.offset, where.length, view.size))
        FAIL(ctx, COSET_EFORMAT,
             "external data '%.300s': bytes %llu to %llu are beyond its end at %zu", where.file,
             (unsigned long long)where.offset, (unsigned long long)(where.offset + where.length),
             view.size);
    TRY(account(self, where.file, view.size, need));
    TRY(ctx_alloc_raw(ctx, (int64_t)need, 1, &data));
    if (need > 0) memcpy(data, view.bytes + where.offset, need);
    set_raw_data(self->model, proto, data, need);
done:
    file_unmap(&view);
    if (status != COSET_OK)
        return ctx_fail_in(ctx, status, "tensor '%.300s'", proto->name ? proto->name : "");
    return status;
}

/* Every tensor in a message, wherever the schema has one. The scan has bounded the depth. */
static coset_status load_all(loader *self, ProtobufCMessage *message)
{
    coset_status status = COSET_OK;
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    if (descriptor == &onnx__tensor_proto__descriptor) {
        Onnx__TensorProto *proto = (Onnx__TensorProto *)message;
        if (proto->has_data_location &&
            proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
            status = load_tensor(self, proto);
        return status;
    }
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) continue;
        const char *base = (const char *)message;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = *(const size_t *)(base + field->quantifier_offset);
            ProtobufCMessage **parts = *(ProtobufCMessage * *const *)(base + field->offset);
            for (size_t k = 0; k < n; k++) TRY(load_all(self, parts[k]));
            continue;
        }
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
            *(const uint32_t *)(base + field->quantifier_offset) != field->id)
            continue;
        ProtobufCMessage *part = *(ProtobufCMessage *const *)(base + field->offset);
        if (part != NULL) TRY(load_all(self, part));
    }
done:
    return status;
}

coset_status onnx_load_external(coset_ctx *ctx, onnx_model *model, const char *folder)
{
    loader self = {.ctx = ctx, .model = model, .folder = folder};
    coset_status status = load_all(&self, model->root);
    name_map_free(ctx, &self.files);
    arena_free(ctx, &self.names);
    return status;
}
