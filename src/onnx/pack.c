#include "onnx/pack.h"

#include <limits.h>
#include <string.h>

typedef struct compare_sink {
    ProtobufCBuffer base; /* first: protobuf-c hands this back */
    const uint8_t *expected;
    size_t left;
    bool equal;
} compare_sink;

static void append_compare(ProtobufCBuffer *base, size_t length, const uint8_t *bytes)
{
    compare_sink *self = (compare_sink *)base;
    if (!self->equal || length == 0) return;
    self->equal = length <= self->left && memcmp(self->expected, bytes, length) == 0;
    if (!self->equal) return;
    self->expected += length;
    self->left -= length;
}

bool pack_equals(const ProtobufCMessage *message, const uint8_t *bytes, size_t size)
{
    if (protobuf_c_message_get_packed_size(message) != size) return false;
    compare_sink sink = {{append_compare}, bytes, size, true};
    protobuf_c_message_pack_to_buffer(message, &sink.base);
    return sink.equal && sink.left == 0;
}

typedef struct file_sink {
    ProtobufCBuffer base;
    file_writer *writer;
    coset_status status;
} file_sink;

static void append_file(ProtobufCBuffer *base, size_t length, const uint8_t *bytes)
{
    file_sink *self = (file_sink *)base;
    if (self->status == COSET_OK) self->status = file_writer_put(self->writer, bytes, length);
}

static coset_status check_size(coset_ctx *ctx, size_t size)
{
    if (size <= INT_MAX) return COSET_OK;
    return ctx_fail(ctx, COSET_ELIMIT,
                    "the model has %zu bytes; one file holds at most 2 GB, which "
                    "is protobuf's limit",
                    size);
}

coset_status pack_to_file(coset_ctx *ctx, const ProtobufCMessage *message, file_writer *writer)
{
    coset_status status = check_size(ctx, protobuf_c_message_get_packed_size(message));
    if (status != COSET_OK) return status;
    file_sink sink = {{append_file}, writer, COSET_OK};
    protobuf_c_message_pack_to_buffer(message, &sink.base);
    return sink.status;
}

typedef struct memory_sink {
    ProtobufCBuffer base;
    uint8_t *at;
} memory_sink;

static void append_memory(ProtobufCBuffer *base, size_t length, const uint8_t *bytes)
{
    memory_sink *self = (memory_sink *)base;
    if (length > 0) memcpy(self->at, bytes, length);
    self->at += length;
}

coset_status pack_to_memory(coset_ctx *ctx, const ProtobufCMessage *message, void **bytes_out,
                            size_t *size_out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    *bytes_out = NULL;
    *size_out = 0;
    coset_status status = check_size(ctx, size);
    if (status == COSET_OK) status = ctx_alloc_raw(ctx, (int64_t)size, 1, bytes_out);
    if (status != COSET_OK) return status;
    memory_sink sink = {{append_memory}, *bytes_out};
    protobuf_c_message_pack_to_buffer(message, &sink.base);
    *size_out = size;
    return COSET_OK;
}
