/* decode -> check -> encode -> decode. What decodes must encode to the same bytes, and a rewritten
 * copy of it must decode again with as many nodes. */
#include <stdlib.h>
#include <string.h>

#include "graph/ir.h"
#include "onnx/onnx.h"

/* Not assert: the promise holds in every build. */
static void require(int holds)
{
    if (!holds) abort();
}

static void check_rewritten(coset_ctx *ctx, const coset_graph *graph)
{
    coset_graph *clone = NULL, *again = NULL;
    void *bytes = NULL;
    size_t size = 0;
    require(graph_clone(ctx, graph, &clone) == COSET_OK);
    for (int64_t i = 0; i < clone->n_values; i++)
        if (clone->values[i].constant != NULL) clone->values[i].changed = true;
    clone->changed = true;
    require(graph_check(ctx, clone) == COSET_OK);
    require(coset_graph_encode(ctx, clone, &bytes, &size) == COSET_OK);
    require(coset_graph_decode(ctx, bytes, size, "rewritten", NULL, &again) == COSET_OK);
    require(again->n_nodes == graph->n_nodes && again->n_inputs == graph->n_inputs);
    coset_memory_free(ctx, bytes);
    coset_graph_free(ctx, again);
    coset_graph_free(ctx, clone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    coset_ctx *ctx = NULL;
    coset_graph *graph = NULL, *again = NULL;
    tensor *lone = NULL;
    void *bytes = NULL;
    size_t encoded = 0;
    require(coset_ctx_new(NULL, &ctx) == COSET_OK);
    if (onnx_decode_tensor(ctx, data, size, &lone) == COSET_OK) tensor_release(ctx, lone);
    if (coset_graph_decode(ctx, data, size, "input", NULL, &graph) == COSET_OK) {
        require(coset_graph_encode(ctx, graph, &bytes, &encoded) == COSET_OK);
        require(encoded == size && memcmp(bytes, data, size) == 0);
        require(coset_graph_decode(ctx, bytes, encoded, "again", NULL, &again) == COSET_OK);
        check_rewritten(ctx, graph);
    } else {
        require(coset_ctx_error(ctx)[0] != '\0');
    }
    coset_memory_free(ctx, bytes);
    coset_graph_free(ctx, again);
    coset_graph_free(ctx, graph);
    coset_ctx_free(ctx);
    return 0;
}
