/* Saving: the file's own bytes where nothing changed, else a model made of old and new parts. */
#include <string.h>

#include "onnx/pack.h"
#include "onnx/rewrite.h"

/* Where an encoded model goes: a file, or memory if writer is NULL. */
typedef struct sink {
    file_writer *writer;
    void *bytes;
    size_t size;
} sink;

static coset_status put_bytes(coset_ctx *ctx, const onnx_model *model, sink *to)
{
    if (to->writer != NULL) return file_writer_put(to->writer, model->bytes, model->size);
    coset_status status = ctx_alloc_raw(ctx, (int64_t)model->size, 1, &to->bytes);
    if (status != COSET_OK) return status;
    memcpy(to->bytes, model->bytes, model->size);
    to->size = model->size;
    return COSET_OK;
}

static coset_status put_message(coset_ctx *ctx, const ProtobufCMessage *message, sink *to)
{
    if (to->writer != NULL) return pack_to_file(ctx, message, to->writer);
    return pack_to_memory(ctx, message, &to->bytes, &to->size);
}

static coset_status encode(coset_ctx *ctx, const coset_graph *graph, sink *to)
{
    const onnx_model *model = graph->source != NULL ? graph->source->model : NULL;
    if (model != NULL && !graph->changed) {
        if (model->bytes != NULL) return put_bytes(ctx, model, to);
        return put_message(ctx, model->root, to);
    }
    rewrite changed;
    coset_status status = rewrite_model(ctx, graph, &changed);
    if (status == COSET_OK) status = put_message(ctx, &changed.model.base, to);
    rewrite_free(&changed);
    return status;
}

coset_status coset_graph_save(coset_ctx *ctx, const coset_graph *graph, const char *path)
{
    coset_status status = COSET_OK;
    sink to = {0};
    TRY(file_writer_open(ctx, path, &to.writer));
    TRY(encode(ctx, graph, &to));
    status = file_writer_commit(to.writer);
    to.writer = NULL;
done:
    file_writer_abort(to.writer);
    return status;
}

coset_status coset_graph_encode(coset_ctx *ctx, const coset_graph *graph, void **bytes_out,
                                size_t *size_out)
{
    sink to = {0};
    coset_status status = encode(ctx, graph, &to);
    *bytes_out = status == COSET_OK ? to.bytes : NULL;
    *size_out = status == COSET_OK ? to.size : 0;
    return status;
}
