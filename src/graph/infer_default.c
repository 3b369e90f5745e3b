/* Inference where a file leaves dimensions of its inputs open and nobody says what they are. */
#include <string.h>

#include "graph/infer.h"

/* Sizes to try in this order: of the sides of images, and of other axes behind the batch (sequences). At 1,
 * which most networks take, windows would see padding alone, so that layers of different strides cost the
 * same; and some do not fit. */
static const struct assumption {
    int64_t side, length;
} assumptions[] = {{224, 1}, {1, 1}, {32, 32}, {64, 256}, {256, 512}, {512, 1024}, {640, 4096}};
enum { N_ASSUMPTIONS = sizeof assumptions / sizeof *assumptions, ONES = 1 };

static const char *name_of(const graph_value *value, int axis)
{
    return value->dim_names != NULL ? value->dim_names[axis] : NULL;
}

/* The first axis of an input, and every axis of that name. */
static bool is_batch(const coset_graph *graph, const graph_value *value, int axis)
{
    const char *name = name_of(value, axis);
    if (axis == 0) return true;
    for (int64_t i = 0; i < graph->n_inputs && name != NULL; i++) {
        const graph_value *other = &graph->values[graph->inputs[i]];
        const char *batch = other->shape.rank > 0 ? name_of(other, 0) : NULL;
        if (batch != NULL && strcmp(batch, name) == 0) return true;
    }
    return false;
}

/* Declared shapes with open dimensions as assumed; false if none but batches are open. */
static bool assume(const coset_graph *graph, const struct assumption *sizes, shape *shapes_out)
{
    bool open = false;
    for (int64_t i = 0; i < graph->n_inputs; i++) {
        const graph_value *value = &graph->values[graph->inputs[i]];
        shapes_out[i] = value->shape;
        for (int a = 0; a < value->shape.rank; a++) {
            if (value->shape.dims[a] >= 0) continue;
            bool batch = is_batch(graph, value, a), side = value->shape.rank == 4 && a >= 2;
            shapes_out[i].dims[a] = batch ? 1 : side ? sizes->side : sizes->length;
            open = open || !batch;
        }
    }
    return open;
}

coset_status graph_infer_default(coset_ctx *ctx, const coset_graph *graph, graph_facts **facts_out)
{
    coset_status status = COSET_OK;
    shape *shapes = NULL;
    *facts_out = NULL;
    TRY(ctx_alloc(ctx, graph->n_inputs, sizeof *shapes, &shapes));
    if (!assume(graph, &assumptions[ONES], shapes)) {
        TRY(graph_infer_visit(ctx, graph, shapes, NULL, facts_out));
        goto done;
    }
    for (int k = 0; k <= N_ASSUMPTIONS; k++) { /* if none fits, the error is that of ones */
        assume(graph, &assumptions[k < N_ASSUMPTIONS ? k : ONES], shapes);
        status = graph_infer_visit(ctx, graph, shapes, NULL, facts_out);
        if (status == COSET_OK || status == COSET_EMEMORY) break;
    }
done:
    ctx_free(ctx, shapes);
    return status;
}
