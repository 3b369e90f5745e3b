/* Loading: from bytes to a checked graph. */
#include <string.h>

#include "base/file.h"
#include "onnx/build.h"

enum { LEAST_OPSET = 7, MOST_OPSET = 21, LEAST_IR_WITH_OPSETS = 3 };

static bool uses_default_domain(const Onnx__GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_node; i++)
        if (onnx_domain(graph->node[i]->domain)[0] == '\0') return true;
    return false;
}

/* Opset version of the default domain. */
static coset_status find_opset(coset_ctx *ctx, const Onnx__ModelProto *proto, int64_t *opset_out)
{
    const Onnx__OperatorSetIdProto *found = NULL;
    if (!proto->has_ir_version) return ctx_fail(ctx, COSET_EFORMAT, "its IR version is missing");
    if (proto->ir_version < LEAST_IR_WITH_OPSETS)
        return ctx_fail(ctx, COSET_EUNSUPPORTED,
                        "IR version %lld, which implies opset 1; opset %d to %d is supported",
                        (long long)proto->ir_version, LEAST_OPSET, MOST_OPSET);
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *import = proto->opset_import[i];
        if (onnx_domain(import->domain)[0] != '\0') continue;
        if (found != NULL && found->version != import->version)
            return ctx_fail(ctx, COSET_EFORMAT, "it imports opset %lld and opset %lld",
                            (long long)found->version, (long long)import->version);
        found = import;
    }
    if (found == NULL) {
        /* Operators of other domains need no default opset. */
        *opset_out = MOST_OPSET;
        if (!uses_default_domain(proto->graph)) return COSET_OK;
        return ctx_fail(ctx, COSET_EFORMAT, "it imports no opset of the default domain");
    }
    *opset_out = found->version;
    if (found->version < LEAST_OPSET || found->version > MOST_OPSET)
        return ctx_fail(ctx, COSET_EUNSUPPORTED, "opset %lld; opset %d to %d is supported",
                        (long long)found->version, LEAST_OPSET, MOST_OPSET);
    return COSET_OK;
}

static void release_model(coset_ctx *ctx, void *model)
{
    onnx_model_free(ctx, model);
}

/* Hands the model to the graph, which frees it from now on. */
static coset_status attach_source(coset_ctx *ctx, coset_graph *graph, onnx_model *model)
{
    coset_status status = ctx_alloc(ctx, 1, sizeof *graph->source, &graph->source);
    if (status == COSET_OK) *graph->source = (graph_source){1, model, release_model};
    return status;
}

static coset_status decode(coset_ctx *ctx, const uint8_t *bytes, size_t size, const char *name,
                           const char *folder, coset_graph **graph_out)
{
    coset_status status = COSET_OK;
    onnx_model *model = NULL, *owned = NULL;
    coset_graph *graph = NULL;
    int64_t opset = 0;
    *graph_out = NULL;
    if (size == 0) FAIL(ctx, COSET_EFORMAT, "is empty");
    if (size > 2 && bytes[0] == 0x1F && bytes[1] == 0x8B)
        FAIL(ctx, COSET_EFORMAT, "is compressed with gzip; unpack it first");
    TRY(onnx_unpack(ctx, &onnx__model_proto__descriptor, bytes, size, &owned));
    model = owned;
    const Onnx__ModelProto *proto = (const Onnx__ModelProto *)model->root;
    if (proto->graph == NULL) FAIL(ctx, COSET_EFORMAT, "is no ONNX model: it has no graph");
    TRY(find_opset(ctx, proto, &opset));
    TRY(onnx_load_external(ctx, model, folder));
    if (!model->internalised) TRY(onnx_model_keep_bytes(ctx, model, bytes, size));
    TRY(graph_new(ctx, name, opset, &graph));
    TRY(attach_source(ctx, graph, model));
    owned = NULL;
    if (folder != NULL)
        TRY(arena_string(ctx, &graph->arena, folder, strlen(folder), &graph->folder));
    graph->file_bytes = (int64_t)size;
    file_digest(bytes, size, graph->digest);
    TRY(onnx_build(ctx, model, graph));
    *graph_out = graph;
    graph = NULL;
done:
    coset_graph_free(ctx, graph);
    onnx_model_free(ctx, owned);
    return status == COSET_OK ? status : ctx_fail_in(ctx, status, "%.300s", name);
}

/* graph_check names the graph itself. */
static coset_status finish(coset_ctx *ctx, coset_graph *graph, coset_graph **graph_out)
{
    coset_status status = graph_check(ctx, graph);
    if (status == COSET_OK) {
        graph->changed = false;
        *graph_out = graph;
        return status;
    }
    coset_graph_free(ctx, graph);
    return status;
}

coset_status coset_graph_decode(coset_ctx *ctx, const void *bytes, size_t size, const char *name,
                                const char *folder, coset_graph **graph_out)
{
    coset_graph *graph = NULL;
    *graph_out = NULL;
    coset_status status = decode(ctx, bytes, size, name, folder, &graph);
    return status == COSET_OK ? finish(ctx, graph, graph_out) : status;
}

coset_status coset_graph_load(coset_ctx *ctx, const char *path, coset_graph **graph_out)
{
    coset_status status = COSET_OK;
    file_view view = {0};
    char *folder = NULL;
    coset_graph *graph = NULL;
    *graph_out = NULL;
    TRY(file_map(ctx, path, &view));
    TRY(file_folder(ctx, path, &folder));
    TRY(decode(ctx, view.bytes, view.size, path, folder, &graph));
    /* Everything is on the heap now: do not hold the pages of the file through the check. */
    file_unmap(&view);
    TRY(finish(ctx, graph, graph_out));
done:
    file_unmap(&view);
    ctx_free(ctx, folder);
    return status;
}
