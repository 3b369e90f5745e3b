#include "onnx/scan.h"

#include <limits.h>

#include "base/utf8.h"

typedef struct frame {
    const uint8_t *end;
    const ProtobufCMessageDescriptor *descriptor;
    uint64_t seen; /* singular message fields that came already, by index */
} frame;

typedef struct scan {
    coset_ctx *ctx;
    const uint8_t *bytes, *at;
    int64_t fields;
    int depth;
    frame frames[SCAN_NESTING];
} scan;

static coset_status damaged(scan *self, const char *field, const char *what)
{
    const frame *top = &self->frames[self->depth - 1];
    return ctx_fail(self->ctx, COSET_EFORMAT, "damaged at byte %zu: %s%s%s: %s",
                    (size_t)(self->at - self->bytes), top->descriptor->short_name,
                    field[0] ? "." : "", field, what);
}

/* At most `most` bytes; false if the varint is longer or cut off. */
static bool read_varint(scan *self, int most, uint64_t *value_out)
{
    const uint8_t *end = self->frames[self->depth - 1].end;
    uint64_t value = 0;
    for (int i = 0; i < most && self->at < end; i++) {
        uint8_t byte = *self->at++;
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *value_out = value;
            return true;
        }
    }
    return false;
}

static coset_status scan_string(scan *self, const char *field, size_t length)
{
    if (length > SCAN_STRING)
        return ctx_fail(self->ctx, COSET_ELIMIT, "%s: a string of %zu bytes, at most %d are read",
                        field, length, SCAN_STRING);
    for (size_t i = 0; i < length;) {
        size_t step = utf8_length(self->at + i, length - i);
        if (step == 0) return damaged(self, field, "the string is not UTF-8 text");
        i += step;
    }
    self->at += length;
    return COSET_OK;
}

static ProtobufCWireType wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT: return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    default: return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

static coset_status push(scan *self, const ProtobufCFieldDescriptor *field, size_t length)
{
    frame *top = &self->frames[self->depth - 1];
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        /* Unpacking would merge the two, at a cost that is quadratic in the number of parts. */
        uint64_t bit = (uint64_t)1 << (field - top->descriptor->fields);
        if (top->seen & bit) return damaged(self, field->name, "occurs twice");
        top->seen |= bit;
    }
    if (self->depth == SCAN_NESTING)
        return ctx_fail(self->ctx, COSET_ELIMIT, "messages are nested more than %d deep",
                        SCAN_NESTING);
    self->frames[self->depth++] = (frame){self->at + length, field->descriptor, 0};
    return COSET_OK;
}

static coset_status scan_length_prefixed(scan *self, const ProtobufCFieldDescriptor *field)
{
    const char *name = field != NULL ? field->name : "";
    uint64_t length = 0;
    if (!read_varint(self, 5, &length)) return damaged(self, name, "its length is damaged");
    if (length > (uint64_t)(self->frames[self->depth - 1].end - self->at))
        return damaged(self, name, "ends after the message that it is in");
    if (length > INT_MAX)
        return ctx_fail(self->ctx, COSET_ELIMIT, "%s: over 2 GB, which protobuf cannot hold", name);
    if (field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE)
        return push(self, field, (size_t)length);
    if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING)
        return scan_string(self, name, (size_t)length);
    self->at += length;
    return COSET_OK;
}

static coset_status scan_field(scan *self)
{
    frame *top = &self->frames[self->depth - 1];
    uint64_t tag = 0, skipped = 0;
    if (++self->fields > SCAN_FIELDS)
        return ctx_fail(self->ctx, COSET_ELIMIT, "more than %d fields", SCAN_FIELDS);
    if (!read_varint(self, 5, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
        return damaged(self, "", "a field's tag is damaged");
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(top->descriptor, (unsigned)(tag >> 3));
    const char *name = field != NULL ? field->name : "";
    unsigned wire = (unsigned)(tag & 7);
    if (field != NULL && wire != wire_type_of(field->type) &&
        !(field->label == PROTOBUF_C_LABEL_REPEATED && wire == 2 /* packed */))
        return damaged(self, name, "has a wire type that does not fit");
    size_t left = (size_t)(top->end - self->at);
    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!read_varint(self, 10, &skipped)) return damaged(self, name, "is cut off");
        return COSET_OK;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        if (left < 8) return damaged(self, name, "is cut off");
        self->at += 8;
        return COSET_OK;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        if (left < 4) return damaged(self, name, "is cut off");
        self->at += 4;
        return COSET_OK;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: return scan_length_prefixed(self, field);
    default: return damaged(self, name, "has a wire type that does not exist");
    }
}

coset_status scan_message(coset_ctx *ctx, const ProtobufCMessageDescriptor *descriptor,
                          const uint8_t *bytes, size_t size)
{
    scan self = {.ctx = ctx, .bytes = bytes, .at = bytes, .depth = 1};
    self.frames[0] = (frame){bytes + size, descriptor, 0};
    while (self.depth > 0) {
        if (self.at == self.frames[self.depth - 1].end) {
            self.depth--;
            continue;
        }
        coset_status status = scan_field(&self);
        if (status != COSET_OK) return status;
    }
    return COSET_OK;
}
