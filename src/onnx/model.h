/* An unpacked message, its memory, and what tensors lend to it. */
#ifndef COSET_ONNX_MODEL_H
#define COSET_ONNX_MODEL_H

#include <onnx.pb-c.h>

#include "graph/tensor.h"

/* Memory of one unpacked message, drawn from the context and held below a budget. Small pieces come
 * from chunks and are freed with them; large ones are allocations of their own, so that a tensor can
 * take them over. A piece is large exactly if its address is a multiple of 64. */
typedef struct proto_heap {
    ProtobufCAllocator allocator;
    coset_ctx *ctx;
    size_t used, limit;
    struct heap_chunk *chunks;
    uint8_t *at, *end;   /* free part of the newest chunk */
    coset_status status; /* why an allocation was refused */
} proto_heap;

enum { HEAP_SLACK = 16 << 20 };

static inline bool heap_is_large(const void *memory)
{
    return (uintptr_t)memory % 64 == 0;
}

/* A buffer of the message that belongs to a tensor: *slot is NULL before the message is freed. */
typedef struct heap_loan {
    void **slot;
    tensor *owner;
} heap_loan;

typedef struct onnx_model {
    proto_heap heap;
    ProtobufCMessage *root;
    heap_loan *loans;
    int64_t n_loans, loans_capacity;
    uint8_t *bytes; /* the file, kept only where packing the message does not give it back */
    size_t size;
    struct onnx_branches *branches; /* graphs of subgraphs, freed with the model */
    bool internalised; /* external data became internal: the file is not written back as it was */
} onnx_model;

/* Scans and unpacks a message of the given type; bytes is borrowed for the call. Peak heap is at most
 * 4 * size + HEAP_SLACK. Errors: COSET_EFORMAT, COSET_ELIMIT, COSET_EMEMORY. */
COSET_MUST_USE coset_status onnx_unpack(coset_ctx *ctx,
                                        const ProtobufCMessageDescriptor *descriptor,
                                        const uint8_t *bytes, size_t size, onnx_model **model_out);
void onnx_model_free(coset_ctx *ctx, onnx_model *model);
void onnx_branches_free(coset_ctx *ctx, struct onnx_branches *list); /* branches.c */

/* Keeps a copy of `bytes` if packing the message would give other bytes. */
COSET_MUST_USE coset_status onnx_model_keep_bytes(coset_ctx *ctx, onnx_model *model,
                                                  const uint8_t *bytes, size_t size);

/* Decodes a tensor. Large data that is stored as the tensor needs it changes hands: the tensor owns
 * it, and the message keeps reading it until the model is freed.
 * Errors: COSET_EFORMAT, COSET_EUNSUPPORTED, COSET_ELIMIT, naming the tensor. */
COSET_MUST_USE coset_status onnx_tensor(coset_ctx *ctx, onnx_model *model, Onnx__TensorProto *proto,
                                        tensor **tensor_out);

/* dims and data_type of a tensor message, checked. */
COSET_MUST_USE coset_status onnx_tensor_type(coset_ctx *ctx, const Onnx__TensorProto *proto,
                                             coset_dtype *dtype_out, shape *shape_out);

/* Brings the external data of every tensor in the message, however deep, inside. folder NULL: any is
 * refused. Errors: COSET_EFORMAT, COSET_EIO, COSET_ELIMIT, naming the tensor. */
COSET_MUST_USE coset_status onnx_load_external(coset_ctx *ctx, onnx_model *model,
                                               const char *folder);

/* Element type and shape that a type message declares; UNDEFINED and unknown rank for what is no
 * dense tensor. `name` is for messages. Errors: COSET_EFORMAT, COSET_ELIMIT. */
COSET_MUST_USE coset_status onnx_type(coset_ctx *ctx, const Onnx__TypeProto *type, const char *name,
                                      coset_dtype *dtype_out, shape *shape_out);

#endif
