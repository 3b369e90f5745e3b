/* Looks a message over before it is unpacked: the wire format is untrusted. */
#ifndef COSET_ONNX_SCAN_H
#define COSET_ONNX_SCAN_H

#include <protobuf-c/protobuf-c.h>

#include "base/ctx.h"

enum { SCAN_NESTING = 64, SCAN_FIELDS = 4 << 20, SCAN_STRING = 64 * 1024 };

/* Walks the fields of a message without allocation or recursion, guided by its descriptor, and
 * accepts only what protobuf-c unpacks in linear time and bounded depth: at most SCAN_NESTING nested
 * messages, SCAN_FIELDS fields in all, strings of valid UTF-8 without NUL and of at most SCAN_STRING
 * bytes, lengths inside their message, the wire types of the schema, singular messages once.
 * Errors: COSET_EFORMAT, or COSET_ELIMIT over a cap, naming field and position. Cost: O(fields +
 * bytes of strings); the payload of tensors is not touched. */
COSET_MUST_USE coset_status scan_message(coset_ctx *ctx,
                                         const ProtobufCMessageDescriptor *descriptor,
                                         const uint8_t *bytes, size_t size);

#endif
