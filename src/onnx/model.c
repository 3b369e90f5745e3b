#include "onnx/model.h"

#include <limits.h>
#include <string.h>

#include "onnx/pack.h"
#include "onnx/scan.h"

enum { LARGE = 1024, CHUNK = 64 * 1024 };

typedef struct heap_chunk {
    struct heap_chunk *next;
} heap_chunk;

/* ---- memory ------------------------------------------------------------------------------------ */

static void *heap_take(proto_heap *self, size_t size)
{
    void *memory = NULL;
    if (size > self->limit - self->used) {
        self->status = ctx_fail(self->ctx, COSET_ELIMIT,
                                "unpacking needs more than %zu bytes of memory", self->limit);
        return NULL;
    }
    self->status = ctx_alloc_raw(self->ctx, (int64_t)size, 1, &memory);
    if (self->status == COSET_OK) self->used += size;
    return memory;
}

static void *heap_alloc(void *user, size_t size)
{
    proto_heap *self = user;
    if (size > PTRDIFF_MAX / 2) size = PTRDIFF_MAX / 2; /* over every limit */
    if (size > LARGE) return heap_take(self, size);
    size = size == 0 ? 8 : (size + 7) / 8 * 8;
    if (self->chunks != NULL && heap_is_large(self->at)) self->at += 8;
    if (self->chunks == NULL || self->at > self->end || (size_t)(self->end - self->at) < size) {
        heap_chunk *chunk = heap_take(self, CHUNK);
        if (chunk == NULL) return NULL;
        chunk->next = self->chunks;
        self->chunks = chunk;
        self->at = (uint8_t *)chunk + 8;
        self->end = (uint8_t *)chunk + CHUNK;
    }
    void *memory = self->at;
    self->at += size;
    return memory;
}

static void heap_release(void *user, void *memory)
{
    proto_heap *self = user;
    /* What is freed while unpacking stays on the account: only scratch and repeated fields are. */
    if (memory != NULL && heap_is_large(memory)) ctx_free(self->ctx, memory);
}

/* ---- models ------------------------------------------------------------------------------------ */

coset_status onnx_unpack(coset_ctx *ctx, const ProtobufCMessageDescriptor *descriptor,
                         const uint8_t *bytes, size_t size, onnx_model **model_out)
{
    coset_status status = COSET_OK;
    onnx_model *model = NULL;
    *model_out = NULL;
    if (size > INT_MAX) FAIL(ctx, COSET_ELIMIT, "over 2 GB, which protobuf cannot hold");
    TRY(scan_message(ctx, descriptor, bytes, size));
    TRY(ctx_alloc(ctx, 1, sizeof *model, &model));
    model->heap = (proto_heap){.allocator = {heap_alloc, heap_release, &model->heap},
                               .ctx = ctx,
                               .limit = 4 * size + HEAP_SLACK};
    model->root = protobuf_c_message_unpack(descriptor, &model->heap.allocator, size, bytes);
    if (model->root == NULL) {
        if (model->heap.status == COSET_OK)
            FAIL(ctx, COSET_EFORMAT, "damaged: it is no %s", descriptor->short_name);
        status = model->heap.status;
        goto done;
    }
    *model_out = model;
    model = NULL;
done:
    onnx_model_free(ctx, model);
    return status;
}

void onnx_model_free(coset_ctx *ctx, onnx_model *model)
{
    if (model == NULL) return;
    model->heap.ctx = ctx;
    onnx_branches_free(ctx, model->branches);
    for (int64_t i = 0; i < model->n_loans; i++) {
        *model->loans[i].slot = NULL;
        tensor_release(ctx, model->loans[i].owner);
    }
    ctx_free(ctx, model->loans);
    if (model->root != NULL) protobuf_c_message_free_unpacked(model->root, &model->heap.allocator);
    while (model->heap.chunks != NULL) {
        heap_chunk *next = model->heap.chunks->next;
        ctx_free(ctx, model->heap.chunks);
        model->heap.chunks = next;
    }
    ctx_free(ctx, model->bytes);
    ctx_free(ctx, model);
}

coset_status onnx_model_keep_bytes(coset_ctx *ctx, onnx_model *model, const uint8_t *bytes,
                                   size_t size)
{
    if (pack_equals(model->root, bytes, size)) return COSET_OK;
    coset_status status = ctx_alloc_raw(ctx, (int64_t)size, 1, &model->bytes);
    if (status != COSET_OK) return status;
    memcpy(model->bytes, bytes, size);
    model->size = size;
    return COSET_OK;
}
