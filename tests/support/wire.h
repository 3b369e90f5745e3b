/* Protobuf wire format written by hand, so that tests can make models that no writer would. */
#ifndef COSET_TESTS_SUPPORT_WIRE_H
#define COSET_TESTS_SUPPORT_WIRE_H

#include "support/linalg.h"

#include <stdio.h>
#include <string.h>

/* Zero-initialised is empty. */
typedef struct wire {
    uint8_t *bytes;
    size_t size, capacity;
} wire;

static inline void wire_raw(wire *self, const void *bytes, size_t size)
{
    if (self->size + size > self->capacity) {
        self->capacity = 2 * (self->size + size);
        self->bytes = realloc(self->bytes, self->capacity);
        assert_non_null(self->bytes);
    }
    if (size > 0) memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
}

static inline void wire_varint(wire *self, uint64_t value)
{
    uint8_t byte = 0;
    do {
        byte = (uint8_t)(value & 0x7F);
        value >>= 7;
        if (value != 0) byte |= 0x80;
        wire_raw(self, &byte, 1);
    } while (value != 0);
}

static inline void wire_int(wire *self, unsigned field, int64_t value)
{
    wire_varint(self, (uint64_t)field << 3);
    wire_varint(self, (uint64_t)value);
}

static inline void wire_float(wire *self, unsigned field, float value)
{
    wire_varint(self, (uint64_t)field << 3 | 5);
    wire_raw(self, &value, 4);
}

static inline void wire_bytes(wire *self, unsigned field, const void *bytes, size_t size)
{
    wire_varint(self, (uint64_t)field << 3 | 2);
    wire_varint(self, size);
    wire_raw(self, bytes, size);
}

static inline void wire_text(wire *self, unsigned field, const char *text)
{
    wire_bytes(self, field, text, strlen(text));
}

/* Appends a message and empties it. */
static inline void wire_message(wire *self, unsigned field, wire *part)
{
    wire_bytes(self, field, part->bytes, part->size);
    free(part->bytes);
    *part = (wire){NULL, 0, 0};
}

/* ---- ONNX; field numbers as in onnx.proto ------------------------------------------------------ */

/* A tensor without data: dims, data_type, name. */
static inline wire wire_tensor(const char *name, int dtype, const int64_t *dims, int rank)
{
    wire self = {NULL, 0, 0};
    for (int i = 0; i < rank; i++) wire_int(&self, 1, dims[i]);
    wire_int(&self, 2, dtype);
    if (name[0] != '\0') wire_text(&self, 8, name);
    return self;
}

/* A node; names are separated by commas, "" means none. */
static inline wire wire_node(const char *type, const char *inputs, const char *outputs)
{
    wire self = {NULL, 0, 0};
    const char *lists[] = {inputs, outputs};
    for (unsigned i = 0; i < 2; i++)
        for (const char *at = lists[i]; *at != '\0';) {
            size_t length = strcspn(at, ",");
            wire_bytes(&self, i + 1, at, length);
            at += length + (at[length] == ',');
        }
    wire_text(&self, 4, type);
    return self;
}

/* A graph input, output or inner value of type float; rank -1: no shape. A dimension of -2 is
 * symbolic. */
static inline wire wire_value(const char *name, const int64_t *dims, int rank)
{
    wire self = {NULL, 0, 0}, type = self, dense = self, dims_part = self, dim = self;
    wire_text(&self, 1, name);
    wire_int(&dense, 1, 1);
    for (int i = 0; i < rank; i++) {
        if (dims[i] == -2)
            wire_text(&dim, 2, "N");
        else
            wire_int(&dim, 1, dims[i]);
        wire_message(&dims_part, 1, &dim);
    }
    if (rank >= 0) wire_message(&dense, 2, &dims_part);
    wire_message(&type, 1, &dense);
    wire_message(&self, 2, &type);
    return self;
}

/* A model of IR version 8 around a graph, which is emptied. */
static inline wire wire_model(wire *graph, int64_t opset)
{
    wire self = {NULL, 0, 0}, import = self;
    wire_int(&self, 1, 8);
    wire_message(&self, 7, graph);
    wire_text(&import, 1, "");
    wire_int(&import, 2, opset);
    wire_message(&self, 8, &import);
    return self;
}

/* A graph x -> Relu -> y to which a test adds. */
static inline wire wire_graph(void)
{
    static const int64_t dims[] = {1, 2};
    wire self = {NULL, 0, 0}, part = wire_node("Relu", "x", "y");
    wire_message(&self, 1, &part);
    wire_text(&self, 2, "g");
    part = wire_value("x", dims, 2);
    wire_message(&self, 11, &part);
    part = wire_value("y", dims, 2);
    wire_message(&self, 12, &part);
    return self;
}

#endif
