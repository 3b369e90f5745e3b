/* Packs messages to where they are needed, without a copy of the whole. */
#ifndef COSET_ONNX_PACK_H
#define COSET_ONNX_PACK_H

#include <protobuf-c/protobuf-c.h>

#include "base/file.h"

/* True if packing gives exactly these bytes. */
bool pack_equals(const ProtobufCMessage *message, const uint8_t *bytes, size_t size);
/* Packs into a file / into memory (from ctx_alloc, owned by the caller).
 * Errors: COSET_ELIMIT over 2 GB, which protobuf cannot hold; COSET_EIO; COSET_EMEMORY. */
COSET_MUST_USE coset_status pack_to_file(coset_ctx *ctx, const ProtobufCMessage *message,
                                         file_writer *writer);
COSET_MUST_USE coset_status pack_to_memory(coset_ctx *ctx, const ProtobufCMessage *message,
                                           void **bytes_out, size_t *size_out);

#endif
